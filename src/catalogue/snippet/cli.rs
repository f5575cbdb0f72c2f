//! Our own command line, and how it writes a value: `-p NAME=VALUE`.

use super::Example;
use super::text::{quoted, shell};
use serde_json::Value;

pub(super) fn call(example: &Example, base_url: &str) -> String {
    let mut lines = vec![format!("PINHOLE_URL={} pinhole generate", shell(base_url))];
    let mut prompt = None;
    lines.push(format!("-m {}", shell(&example.model)));
    lines.extend(
        example
            .images
            .iter()
            .map(|file| format!("-i {}", path(file))),
    );
    lines.extend(
        example
            .mask
            .iter()
            .map(|file| format!("--mask {}", path(file))),
    );
    for (name, value) in &example.values {
        match value.as_str() {
            Some(text) if name == "prompt" => prompt = Some(text),
            _ => lines.push(format!(
                "-p {}",
                shell(&format!("{name}={}", argument(value)))
            )),
        }
    }
    // Behind the dashes nothing is taken for a flag.
    lines.extend(prompt.map(|prompt| format!("-- {}", shell(prompt))));
    lines.join(" \\\n  ")
}

/// A file that is named like a flag, or like the standard input, is still a file.
fn path(file: &str) -> String {
    if file.starts_with('-') {
        shell(&format!("./{file}"))
    } else {
        shell(file)
    }
}

/// A value as an argument. A text that [`read_argument`] would take for something else stands in quotes.
pub(super) fn argument(value: &Value) -> String {
    match value {
        Value::String(text) if read_argument(text) == *value => text.clone(),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// Reads the value of an argument: a number, a truth value or a text in double quotes is what JSON takes it for;
/// anything else is a text as it stands.
pub fn read_argument(text: &str) -> Value {
    let read: Option<Value> = serde_json::from_str(text).ok();
    let read = read.filter(|value| value.is_number() || value.is_boolean() || value.is_string());
    read.unwrap_or_else(|| text.into())
}
