//! What the schema check is told besides the call, and what it hands over.

use crate::catalogue::model::Model;
use crate::types::{Operation, Request, ResponseFormat};
use serde_json::Value;
use std::collections::BTreeMap;

/// How strictly and with which defaults a call is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Refuse what would otherwise be adapted (`x-pinhole-params: reject`).
    pub reject_adaptation: bool,
    /// The body was a form, whose values are all texts: reading numbers from them is no adaptation.
    pub untyped_body: bool,
    /// What the path asks for, where it says so (`/v1/images/edits`); otherwise an input image makes an edit.
    pub operation: Option<Operation>,
    /// How the key hands over images when the call does not say.
    pub default_response_format: ResponseFormat,
}

/// A call that passed.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The canonical request.
    pub request: Request,
    /// What was adapted, for `x-pinhole-adapted`: `n=1`, `style=dropped`. Only names and numbers, no prose.
    pub adapted: Vec<String>,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the stream is to end with the usage (`stream_options.include_usage`).
    pub include_usage: bool,
    /// Where to report the end, as written; the guard checks it at admit.
    pub callback_url: Option<String>,
    /// The input images in the client's order, not yet fetched.
    pub images: Vec<ImageInput>,
    /// The mask of an edit, not yet fetched.
    pub mask: Option<ImageInput>,
}

/// An input image as the client named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageInput {
    /// A URL, a `data:` URL, or the mark that the intake left in place of bytes.
    Link {
        /// What was written.
        url: String,
        /// Where the client wrote it.
        path: String,
    },
    /// An uploaded file.
    File {
        /// Its id, as written.
        id: String,
        /// Where the client wrote it, for the message if there is no such file.
        path: String,
    },
}

impl ImageInput {
    /// Reads the canonical form that the check has made of what stood at this path.
    fn of(value: &Value, path: &str) -> Option<Self> {
        match value {
            Value::String(link) => Some(Self::Link {
                url: link.clone(),
                path: path.to_owned(),
            }),
            value => Some(Self::File {
                id: value.get("file_id")?.as_str()?.to_owned(),
                path: path.to_owned(),
            }),
        }
    }
}

/// Where the client wrote the images of each parameter, in order.
pub(super) type ImagePaths<'a> = BTreeMap<&'a str, Vec<String>>;

/// The images and the mask among the values: the mask is the parameter of that name.
pub(super) fn image_inputs(
    model: &Model,
    values: &BTreeMap<String, Value>,
    paths: &ImagePaths<'_>,
) -> (Vec<ImageInput>, Option<ImageInput>) {
    let (mut images, mut mask) = (Vec::new(), None);
    for parameter in model.parameters.iter().filter(|it| it.kind.is_image()) {
        let list = match values.get(&parameter.name) {
            Some(Value::Array(list)) => list.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => continue,
        };
        let paths = paths.get(parameter.name.as_str()).into_iter().flatten();
        // A default of the model has no place in the call; the name of the parameter stands for one.
        let paths = paths.chain(std::iter::repeat(&parameter.name));
        let inputs = list
            .iter()
            .zip(paths)
            .filter_map(|(value, path)| ImageInput::of(value, path));
        match parameter.name.as_str() {
            "mask" => mask = inputs.last(),
            _ => images.extend(inputs),
        }
    }
    (images, mask)
}
