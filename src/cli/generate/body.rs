//! The request that the flags ask for: the flat body, as any client would send it.

use super::flags::Flags;
use crate::blob::Blobs;
use crate::catalogue::snippet::read_argument;
use crate::cli::arguments::DEFAULT_MODEL;
use crate::cli::failure::{Failure, Outcome};
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::engine::Ask;
use crate::intake::{self, Fields, Intake};
use crate::types::words::nearest;
use crate::types::{Draft, ResponseFormat};
use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where [`attach`] puts pictures.
const PICTURES: Fields = Fields(&["$.image", "$.mask"]);

/// What is asked of a model; every command that starts a task takes these.
#[derive(Args)]
pub(in crate::cli) struct Wanted {
    /// What the picture shows, or what a model of text is asked
    pub(in crate::cli) prompt: String,
    /// The model: an id or an alias of `pinhole models`
    #[arg(short, long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub(in crate::cli) model: String,
    #[command(flatten)]
    pub(in crate::cli) inputs: Inputs,
}

/// What is asked of a model besides the prompt.
#[derive(Args, Clone)]
pub(in crate::cli) struct Inputs {
    /// A parameter of the model, repeatable. Each is a flag of its own too: `--help -m MODEL` shows those of a model
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pub(in crate::cli) parameters: Vec<(String, Value)>,
    /// How many pictures [default: the model's, mostly 1]
    #[arg(short, value_name = "COUNT")]
    pub(in crate::cli) n: Option<u32>,
    /// An input image, repeatable, `-` for stdin: the model edits or combines them instead of starting from nothing
    #[arg(short, long = "image", value_name = "FILE")]
    pub(in crate::cli) images: Vec<PathBuf>,
    /// Where the first input image is repainted: a PNG of its size that is transparent there
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) mask: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) flags: Flags,
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
pub(in crate::cli) fn of(model: &str, prompt: &str, inputs: &Inputs) -> Outcome<Value> {
    if inputs.mask.is_some() && inputs.images.is_empty() {
        return Err(Failure::usage("there is no image that the mask belongs to")
            .why("a mask says where the first input image is repainted")
            .fix("name the image with -i FILE"));
    }
    let own = [
        Some(("model".to_owned(), model.into())),
        Some(("prompt".to_owned(), prompt.into())),
        inputs.n.map(|n| ("n".to_owned(), n.into())),
    ];
    let own = own.into_iter().chain(files(inputs)).flatten();
    let flags = inputs.flags.0.iter().cloned();
    let mut body = Map::new();
    for (name, value) in own.chain(flags).chain(inputs.parameters.iter().cloned()) {
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
fn files(command: &Inputs) -> [Option<(String, Value)>; 2] {
    let name = |path: &PathBuf| Value::from(path.to_string_lossy());
    let images: Vec<Value> = command.images.iter().map(name).collect();
    let mask = command.mask.as_ref().map(name);
    [
        (!images.is_empty()).then(|| ("image".to_owned(), images.into())),
        mask.map(|mask| ("mask".to_owned(), mask)),
    ]
}

/// The body with the contents of the files that the flags name.
pub(in crate::cli) fn attach(command: &Inputs, mut body: Value) -> Outcome<Value> {
    if !command.images.is_empty() {
        let images: Outcome<Vec<Value>> = command.images.iter().map(|path| read(path)).collect();
        body["image"] = images?.into();
    }
    if let Some(path) = &command.mask {
        body["mask"] = read(path)?;
    }
    Ok(body)
}

/// The body with a name in the place of each picture: a price needs to know that they are there, and no more.
pub(in crate::cli) fn without_pictures(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(images) = body["image"].as_array_mut() {
        images.fill("picture".into());
    }
    if body["mask"].is_string() {
        body["mask"] = "picture".into();
    }
    body
}

/// What a picture is, is told by its bytes wherever it arrives.
fn read(path: &Path) -> Outcome<Value> {
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| unreadable(path, &error))?;
    if bytes.is_empty() {
        return Err(
            Failure::usage(format!("there is nothing in {}", path.display()))
                .why("an input image is a PNG, JPEG or WebP file")
                .fix("name the file, or `-` and give its bytes on stdin"),
        );
    }
    let text = base64_simd::STANDARD.encode_to_string(bytes);
    Ok(format!("data:application/octet-stream;base64,{text}").into())
}

/// What cannot be read, and the file beside it whose name is nearly the same.
fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let failure =
        Failure::usage(format!("{} cannot be read", path.display())).why(error.to_string());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new(".")))
        .into_iter()
        .flatten()
        .flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    match nearest(&name, names.iter().map(String::as_str)) {
        Some(meant) if error.kind() == std::io::ErrorKind::NotFound => failure.fix(format!(
            "did you mean `{}`?",
            path.with_file_name(meant).display()
        )),
        _ => failure.fix("an input image and a mask are paths of PNG, JPEG or WebP files"),
    }
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
