//! The request that the flags ask for: the flat body, as any client would send it.

use crate::cli::failure::{Failure, Outcome};
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::intake::Intake;
use crate::types::{Draft, ResponseFormat};
use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value};

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
    /// Width and height in pixels, like 1536x1024 [default: the model's]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub(in crate::cli) size: Option<String>,
    /// How much work goes into it, like low, medium or high [default: the model's]
    #[arg(long, value_name = "QUALITY")]
    pub(in crate::cli) quality: Option<String>,
}

/// `NAME=VALUE`: a number, true or false is one; anything else is a text.
pub(super) fn pair(text: &str) -> Result<(String, Value), String> {
    let wrong = || "expected NAME=VALUE, like quality=high".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    if name.trim().is_empty() {
        return Err(wrong());
    }
    let read = serde_json::from_str(value).ok();
    let read = read.filter(|value: &Value| value.is_number() || value.is_boolean());
    Ok((name.trim().to_owned(), read.unwrap_or_else(|| value.into())))
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
    let mut body = Map::new();
    for (name, value) in flags
        .into_iter()
        .flatten()
        .chain(wanted.parameters.iter().cloned())
    {
        let is_about_the_reply = match name.as_str() {
            "stream" | "stream_options" | "partial_images" => true,
            // A model of text has formats of its own.
            "response_format" => ResponseFormat::NAMES.iter().any(|it| value == *it),
            _ => false,
        };
        if is_about_the_reply {
            return Err(Failure::usage(format!("`{name}` has no meaning here"))
                .why("this command waits for what is made and saves it itself")
                .fix("leave it out; -o says where they go"));
        }
        if body.insert(name.clone(), value).is_some() {
            return Err(Failure::usage(format!("`{name}` is given twice"))
                .why("flags and -p name the same parameters")
                .fix("say it once"));
        }
    }
    Ok(Value::Object(body))
}

/// The body, read as HTTP reads it.
pub(super) fn draft(body: &Value) -> Outcome<Draft> {
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
        assert!(pair("size").is_err() && pair("=1").is_err());
    }
}
