//! What a client asks for: a [`Draft`] as decoded, a [`Request`] once the model's schema has checked it.

use crate::types::{Money, Picture};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A hash of what is asked: path, draft, and the bytes of every picture. The same for two calls that ask for the same.
pub type Fingerprint = [u8; 32];

/// One value that a client sent: what we call it, how the client spelt its place, and what stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The canonical name, as in the model's form.
    pub name: String,
    /// The path as the client wrote it (`parameters.size`), for messages.
    pub path: String,
    /// The value, unchecked.
    pub value: Value,
}

/// A decoded call that nobody has checked yet. Dialects make it; only the schema check takes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Everything that was sent. A name stands twice if two places of the body may say it; images are then joined,
    /// and other values must agree.
    pub fields: Vec<Field>,
}

impl Draft {
    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// A text that is the same for drafts that ask for the same, whatever the order and spelling of their fields. What
    /// stands under one name keeps its order: the first image is not the second.
    pub fn canonical(&self) -> String {
        let mut fields: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for field in &self.fields {
            fields.entry(&field.name).or_default().push(&field.value);
        }
        serde_json::to_string(&fields).unwrap_or_default()
    }

    /// Adds a field that the client spelt exactly as we do.
    pub fn push(&mut self, name: &str, value: Value) {
        self.fields.push(Field {
            name: name.to_owned(),
            path: name.to_owned(),
            value,
        });
    }
}

/// What a model makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Pictures.
    #[default]
    Image,
    /// Moving pictures.
    Video,
    /// Speech, music, sounds.
    Audio,
    /// Text, also about pictures.
    Text,
}

impl Modality {
    /// What it makes, in a sentence.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Video => "videos",
            Self::Audio => "sounds",
            Self::Text => "texts",
        }
    }
}

/// What a model is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Make something new: images from text, or a text.
    Generate,
    /// Change or combine input images.
    Edit,
}

impl Operation {
    /// `generate` or `edit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Edit => "edit",
        }
    }
}

/// How `/v1/images/*` hands over images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Base64 in the reply.
    #[default]
    B64Json,
    /// A link to the stored asset.
    Url,
    /// Both of them.
    Both,
}

impl ResponseFormat {
    /// Every name, for messages.
    pub const NAMES: [&str; 3] = ["b64_json", "url", "both"];

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "b64_json" => Some(Self::B64Json),
            "url" => Some(Self::Url),
            "both" => Some(Self::Both),
            _ => None,
        }
    }

    /// Whether the reply carries base64.
    pub fn has_base64(self) -> bool {
        self != Self::Url
    }

    /// Whether the reply carries links.
    pub fn has_url(self) -> bool {
        self != Self::B64Json
    }
}

/// What every call may say besides the model's own parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// How the reply hands over images.
    #[serde(default)]
    pub response_format: ResponseFormat,
    /// The client's hashed end user, passed to upstreams that ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<String>,
    /// The client's own notes, kept with the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// Refuse the call if its quote is above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<Money>,
}

/// A canonical request that its model's schema has accepted. Its fields are private and
/// `Request::checked` is called by the schema check alone, so whoever holds one need not check again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    model: String,
    /// Requests that were stored before there was anything else ask for images.
    #[serde(default)]
    modality: Modality,
    operation: Operation,
    n: u32,
    parameters: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pixels: Option<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<Picture>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<Picture>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
    envelope: Envelope,
}

/// An input picture that lies at somebody else's server and was not fetched yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its place among all images of the request; `None`: it is the mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<usize>,
    /// Where it lies.
    pub url: String,
    /// Where the client wrote that.
    pub path: String,
}

impl Request {
    /// For `catalogue::schema` alone: the values have passed every check of the model.
    pub(crate) fn checked(
        model: String,
        operation: Operation,
        n: u32,
        parameters: BTreeMap<String, Value>,
        envelope: Envelope,
    ) -> Self {
        Self {
            model,
            modality: Modality::default(),
            operation,
            n,
            parameters,
            pixels: None,
            images: Vec::new(),
            mask: None,
            links: Vec::new(),
            envelope,
        }
    }

    /// For `catalogue::schema` alone: the size that the parameters stand for.
    pub(crate) fn with_pixels(self, pixels: Option<(u32, u32)>) -> Self {
        Self { pixels, ..self }
    }

    /// For `catalogue::schema` alone: what its model makes.
    pub(crate) fn making(self, modality: Modality) -> Self {
        Self { modality, ..self }
    }

    /// For the engine, once it has the pictures that the request only named: they take the place of the parameters
    /// that named them. Those behind `links`, in the order of their places, come later.
    pub(crate) fn with_inputs<'a>(
        mut self,
        named_by: impl IntoIterator<Item = &'a str>,
        images: Vec<Picture>,
        mask: Option<Picture>,
        links: Vec<Link>,
    ) -> Self {
        for name in named_by {
            self.parameters.remove(name);
        }
        Self {
            images,
            mask,
            links,
            ..self
        }
    }

    /// For the engine, once it has fetched the picture behind each link, in their order.
    pub(crate) fn with_fetched(mut self, pictures: Vec<Picture>) -> Self {
        for (link, picture) in std::mem::take(&mut self.links).into_iter().zip(pictures) {
            match link.at {
                // The ones before it are there by now.
                Some(at) => self.images.insert(at.min(self.images.len()), picture),
                None => self.mask = Some(picture),
            }
        }
        self
    }

    /// The catalogue's id of the model; aliases are resolved.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What it is to make.
    pub fn modality(&self) -> Modality {
        self.modality
    }

    /// What is asked of it.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// How many images, at least 1; one text.
    pub fn n(&self) -> u32 {
        self.n
    }

    /// The prompt; empty for a model that takes none.
    pub fn prompt(&self) -> &str {
        self.text("prompt").unwrap_or_default()
    }

    /// Every parameter of the model that has a value, defaults filled in, without `n`.
    pub fn parameters(&self) -> &BTreeMap<String, Value> {
        &self.parameters
    }

    /// A parameter that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)?.as_str()
    }

    /// A parameter that is a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.parameters.get(name)?.as_i64()
    }

    /// Width and height of the picture, where the model's form or its table of sizes says exactly; else who draws it
    /// decides.
    pub fn pixels(&self) -> Option<(u32, u32)> {
        self.pixels
    }

    /// The input images, in the client's order.
    pub fn images(&self) -> &[Picture] {
        &self.images
    }

    /// The mask of an edit.
    pub fn mask(&self) -> Option<&Picture> {
        self.mask.as_ref()
    }

    /// The input pictures that are not here yet. A request is run when there are none.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// What is not the model's affair.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}
