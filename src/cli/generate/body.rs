//! The request that the flags ask for: the flat body, as any client would send it.

use crate::blob::Blobs;
use crate::catalogue::snippet::read_argument;
use crate::cli::failure::{Failure, Outcome};
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::engine::Ask;
use crate::intake::{self, Fields, Intake};
use crate::types::{Draft, ResponseFormat};
use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Where [`attach`] puts pictures.
const PICTURES: Fields = Fields(&["$.image", "$.mask"]);

/// What is asked of a model; every command that starts a task takes these.
#[derive(Args)]
pub(in crate::cli) struct Wanted {
    /// What the picture shows, or what a model of text is asked
    pub(in crate::cli) prompt: String,
    /// The model: an id or an alias of `pinhole models`
    #[arg(short, long, value_name = "MODEL", default_value = "gpt-image-2")]
    pub(in crate::cli) model: String,
    /// A parameter of the model, repeatable; `pinhole models show MODEL` lists them
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub(in crate::cli) parameters: Vec<(String, Value)>,
    /// How many pictures [default: the model's, mostly 1]
    #[arg(short, value_name = "COUNT")]
    pub(in crate::cli) n: Option<u32>,
    /// An input image, repeatable: the model edits or combines them instead of starting from nothing
    #[arg(short, long = "image", value_name = "FILE")]
    pub(in crate::cli) images: Vec<PathBuf>,
    /// Where the first input image is repainted: a PNG of its size that is transparent there
    #[arg(long, value_name = "FILE", requires = "images")]
    pub(in crate::cli) mask: Option<PathBuf>,
    /// Width and height in pixels, like 1536x1024 [default: the model's]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub(in crate::cli) size: Option<String>,
    /// How much work goes into it, like low, medium or high [default: the model's]
    #[arg(long, value_name = "QUALITY")]
    pub(in crate::cli) quality: Option<String>,
}

/// `NAME=VALUE`: a number, true or false is one, and so is a text in double quotes; anything else is a text.
pub(in crate::cli) fn pair(text: &str) -> Result<(String, Value), String> {
    let wrong = || "expected NAME=VALUE, like quality=high".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    if name.trim().is_empty() {
        return Err(wrong());
    }
    Ok((name.trim().to_owned(), read_argument(value)))
}

/// The body of the call. The same name twice is refused, whichever flags said it.
pub(in crate::cli) fn of(wanted: &Wanted) -> Outcome<Value> {
    let text = |name: &str, value: &Option<String>| {
        let value = value.clone().map(Value::from);
        value.map(|value| (name.to_owned(), value))
    };
    let flags = [
        Some(("model".to_owned(), wanted.model.as_str().into())),
        Some(("prompt".to_owned(), wanted.prompt.as_str().into())),
        wanted.n.map(|n| ("n".to_owned(), n.into())),
        text("size", &wanted.size),
        text("quality", &wanted.quality),
    ];
    let flags = flags.into_iter().chain(files(wanted));
    let mut body = Map::new();
    for (name, value) in flags.flatten().chain(wanted.parameters.iter().cloned()) {
        if is_ours(&name, &value) {
            return Err(Failure::usage(format!("`{name}` has no meaning here"))
                .why("this command waits for what is made and saves it itself")
                .fix("leave it out; -o says where they go"));
        }
        if body.insert(name.clone(), value).is_some() {
            return Err(given_twice(&name));
        }
    }
    Ok(Value::Object(body))
}

/// The pictures are named by their files here; [`attach`] puts them in.
fn files(command: &Wanted) -> [Option<(String, Value)>; 2] {
    let name = |path: &PathBuf| Value::from(path.to_string_lossy());
    let images: Vec<Value> = command.images.iter().map(name).collect();
    let mask = command.mask.as_ref().map(name);
    [
        (!images.is_empty()).then(|| ("image".to_owned(), images.into())),
        mask.map(|mask| ("mask".to_owned(), mask)),
    ]
}

/// The body with the contents of the files that the flags name.
pub(in crate::cli) fn attach(command: &Wanted, mut body: Value) -> Outcome<Value> {
    if !command.images.is_empty() {
        let images: Outcome<Vec<Value>> = command.images.iter().map(|path| read(path)).collect();
        body["image"] = images?.into();
    }
    if let Some(path) = &command.mask {
        body["mask"] = read(path)?;
    }
    Ok(body)
}

/// What a picture is, is told by its bytes wherever it arrives.
fn read(path: &Path) -> Outcome<Value> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::usage(format!("{} cannot be read", path.display()))
            .why(error.to_string())
            .fix("-i and --mask take the path of a PNG, JPEG or WebP file")
    })?;
    let text = base64_simd::STANDARD.encode_to_string(bytes);
    Ok(format!("data:application/octet-stream;base64,{text}").into())
}

/// Fields that a command decides on itself.
pub(in crate::cli) fn is_ours(name: &str, value: &Value) -> bool {
    match name {
        "stream" | "stream_options" | "partial_images" => true,
        // A model of text has formats of its own.
        "response_format" => ResponseFormat::NAMES.iter().any(|it| value == *it),
        _ => false,
    }
}

/// The same name from two flags.
pub(in crate::cli) fn given_twice(name: &str) -> Failure {
    Failure::usage(format!("`{name}` is given twice"))
        .why("flags and -p name the same parameters")
        .fix("say it once")
}

/// The id that a body names.
pub(super) fn model(body: &Value) -> &str {
    body["model"].as_str().unwrap_or_default()
}

/// The body as the engine wants it, its pictures staged.
pub(super) async fn ask(body: &Value, blobs: &Blobs) -> Outcome<Ask> {
    let text = futures::stream::iter([Ok::<_, String>(Bytes::from(body.to_string()))]);
    let intake = intake::read_json(text, blobs, PICTURES).await?;
    Ok(Ask {
        draft: Flat.decode(&intake)?,
        intake,
        ..Ask::default()
    })
}

/// The body, read as HTTP reads it.
pub(in crate::cli) fn draft(body: &Value) -> Outcome<Draft> {
    let intake = Intake::of(Bytes::from(body.to_string()));
    Ok(Flat.decode(&intake)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_and_truths_are_read_and_the_rest_is_text() {
        let check =
            |text: &str, value: Value| assert_eq!(pair(text).map(|(_, value)| value), Ok(value));
        check("n=2", json!(2));
        check("guidance=1.5", json!(1.5));
        check("flag=true", json!(true));
        check("size=1024x1024", json!("1024x1024"));
        check("text=null", json!("null"));
        check("text=[1]", json!("[1]"));
        check("text=a=b", json!("a=b"));
        check("text=", json!(""));
        check("text=\"5\"", json!("5"));
        check("text=\"", json!("\""));
        assert!(pair("size").is_err() && pair("=1").is_err());
    }
}
