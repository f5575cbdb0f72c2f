//! The body of an image call, in one of three shapes: with `input` it is DashScope's, with `messages` that of a chat,
//! else flat.
//!
//! Whatever the shape, canonical fields at the top count too and lie over it. A `prompt` there wins over the text of
//! the messages, as clients send both; images of both are joined, those of the messages first. All else may be said
//! twice only if it is the same: both fields go into the draft, and the schema check names both places if they differ.

use super::{chat, dashscope, json};
use crate::error::{Error, Fault};
use crate::types::{Draft, Field};
use serde_json::Value;

/// Reads a body.
pub(super) fn decode(body: &[u8]) -> Result<Draft, Error> {
    read(json::read_object(body)?)
}

/// Reads a body that can only be a chat's; `None` if nothing was said in it.
pub(super) fn decode_chat(body: &[u8]) -> Result<Option<Draft>, Error> {
    let top = json::read_object(body)?;
    let is_said = |(name, value): &(String, Value)| name == "messages" && !value.is_null();
    if !top.iter().any(is_said) {
        return Ok(None);
    }
    read(top).map(Some)
}

fn read(mut top: Vec<(String, Value)>) -> Result<Draft, Error> {
    let (said, fields) = read_shape(&mut top).map_err(|fault| Error::faults(vec![fault]))?;
    let has_prompt = top
        .iter()
        .any(|(name, value)| name == "prompt" && !value.is_null());
    let prompt = said.prompt.filter(|_| !has_prompt);
    let mut draft = Draft {
        fields: said
            .fields
            .into_iter()
            .chain(prompt)
            .chain(fields)
            .collect(),
    };
    draft
        .fields
        .extend(top.into_iter().map(|(name, value)| flat(name, value)));
    Ok(draft)
}

/// A field at the top. Chat's clients say `{"type": "json_object"}` where a form says `json_object`.
fn flat(name: String, value: Value) -> Field {
    match value {
        Value::Object(mut only) if name == "response_format" && only.len() == 1 => {
            match only.remove("type") {
                Some(kind) => chat::field(&name, format!("{name}.type"), kind),
                None => chat::field(&name, name.clone(), only.into()),
            }
        }
        value => chat::field(&name, name.clone(), value),
    }
}

/// Takes what makes the shape out of the body; the rest is flat.
fn read_shape(top: &mut Vec<(String, Value)>) -> Result<(chat::Said, Vec<Field>), Fault> {
    if let Some(input) = take(top, "input") {
        return dashscope::read(input, take(top, "parameters"));
    }
    match take(top, "messages") {
        Some(messages) => Ok((chat::read("messages", &messages)?, Vec::new())),
        None => Ok(Default::default()),
    }
}

/// Takes an entry out. An explicit null says nothing.
fn take(top: &mut Vec<(String, Value)>, name: &str) -> Option<Value> {
    let at = top.iter().position(|(key, _)| key == name)?;
    Some(top.remove(at).1).filter(|value| !value.is_null())
}

#[cfg(test)]
mod tests;
