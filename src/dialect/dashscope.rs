//! DashScope's shape: the prompt and the images in `input`, all else in `parameters`.
//!
//! Fields: `dashscope` for Python 2.0.2, `aigc/image_generation.py` (`input.messages`) and `aigc/image_synthesis.py`
//! (`input.prompt`, `input.negative_prompt`).

use super::chat::{self, Said, field, invalid};
use crate::error::Fault;
use crate::types::Field;
use serde_json::Value;

/// What the messages say, and every other entry of `input` and `parameters` under its own name.
pub(super) fn read(input: Value, parameters: Option<Value>) -> Result<(Said, Vec<Field>), Fault> {
    let mut said = Said::default();
    let mut fields = Vec::new();
    for (at, object) in [("input", Some(input)), ("parameters", parameters)] {
        let entries = match object {
            None => continue,
            Some(Value::Object(entries)) => entries,
            Some(_) => return Err(invalid(at, "a JSON object")),
        };
        // An explicit null says nothing.
        for (name, value) in entries.into_iter().filter(|(_, value)| !value.is_null()) {
            let path = format!("{at}.{name}");
            if at == "input" && name == "messages" {
                said = chat::read(&path, &value)?;
            } else {
                fields.push(field(&name, path, value));
            }
        }
    }
    Ok((said, fields))
}
