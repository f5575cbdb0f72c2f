//! Request examples: one call to a model as a person pastes it, in curl, Python, JavaScript or the command line.
//!
//! What is shown comes from the model's form ([`Example::of`]); each language is one file that prints it, with a function
//! for each modality. Every example runs as it stands, with the key in `PINHOLE_API_KEY`: pictures are left as files, a
//! text is printed.

mod chat;
mod cli;
mod curl;
mod javascript;
mod python;
mod text;

pub use cli::read_argument;

use crate::catalogue::form::example_values;
use crate::types::{Modality, Operation};
use serde_json::{Map, Value, json};

/// What an example is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A shell with curl.
    Curl,
    /// Python, with OpenAI's SDK.
    Python,
    /// JavaScript for Node, with OpenAI's SDK.
    JavaScript,
    /// Our own command line.
    Cli,
}

impl Language {
    /// Every language, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Curl, Self::Python, Self::JavaScript, Self::Cli];

    /// The language of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.name() == name)
    }

    /// The name on command lines and in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::Cli => "cli",
        }
    }
}

/// One call, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The model's id.
    pub model: String,
    /// What it makes: a text or pictures; other modalities have no examples yet.
    pub modality: Modality,
    /// What is asked of it.
    pub operation: Operation,
    /// Parameters without the pictures, in the order of the form.
    pub values: Vec<(String, Value)>,
    /// The files of the input images.
    pub images: Vec<String>,
    /// The file of the mask.
    pub mask: Option<String>,
}

impl Example {
    /// The example of a model's `form_schema` for one operation, with the `given` values in place of the form's own.
    /// Example pictures become files of the same name.
    pub fn of(
        model: &str,
        modality: Modality,
        form: &Value,
        operation: Operation,
        given: &[(String, Value)],
    ) -> Self {
        let mut example = Self {
            model: model.to_owned(),
            modality,
            operation,
            values: Vec::new(),
            images: Vec::new(),
            mask: None,
        };
        let is_given = |name: &str| given.iter().any(|(given, _)| given == name);
        for (name, value) in example_values(form, operation, given) {
            match kind(form, &name) {
                "image" if name == "mask" => example.mask = files(&value).pop(),
                "image" | "images" => example.images.extend(files(&value)),
                // These examples wait for the whole.
                _ if name == "partial_images" || name == "stream" => {}
                // How pictures are looked at means nothing without one, unless somebody asks for it.
                _ if name == "image_detail" && example.images.is_empty() && !is_given(&name) => {}
                _ => example.values.push((name, value)),
            }
        }
        example
    }

    /// The same call as a flat body, for whoever checks or prices it. Any link stands for a picture there.
    pub fn body(&self) -> Value {
        const LINK: &str = "https://example.com/picture.png";
        let mut body: Map<String, Value> = self
            .fields()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if !self.images.is_empty() {
            body.insert("image".to_owned(), json!(vec![LINK; self.images.len()]));
        }
        if self.mask.is_some() {
            body.insert("mask".to_owned(), json!(LINK));
        }
        Value::Object(body)
    }

    /// The values of a flat body but for the pictures, the model first.
    fn fields(&self) -> impl Iterator<Item = (&str, Value)> {
        let values = self.values.iter();
        let values = values.map(|(name, value)| (name.as_str(), value.clone()));
        [("model", json!(self.model))].into_iter().chain(values)
    }
}

/// What a parameter of a form takes; empty for one that is not in the form.
fn kind<'a>(form: &'a Value, name: &str) -> &'a str {
    let mut entries = form.as_array().into_iter().flatten();
    let entry = entries.find(|entry| entry["name"] == name);
    entry
        .and_then(|entry| entry["kind"].as_str())
        .unwrap_or_default()
}

/// The file names at the ends of links: `https://example.com/product.jpg` is shown as `product.jpg`.
fn files(value: &Value) -> Vec<String> {
    let links = match value {
        Value::Array(links) => links.as_slice(),
        link => std::slice::from_ref(link),
    };
    let links = links.iter().filter_map(Value::as_str);
    links
        .map(|link| link.rsplit('/').next().unwrap_or(link).to_owned())
        .collect()
}

/// Prints an example. `base_url` is the server's, without `/v1`.
pub fn snippet(example: &Example, language: Language, base_url: &str) -> String {
    let base_url = base_url.trim_end_matches('/');
    let is_text = example.modality == Modality::Text;
    let print = match language {
        Language::Curl if is_text => curl::text,
        Language::Curl => curl::pictures,
        Language::Python if is_text => python::text,
        Language::Python => python::pictures,
        Language::JavaScript if is_text => javascript::text,
        Language::JavaScript => javascript::pictures,
        // It asks for everything alike.
        Language::Cli => cli::call,
    };
    print(example, base_url)
}

#[cfg(test)]
mod tests;
