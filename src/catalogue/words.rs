//! Words for faults: showing a client's value without echoing much of it, listing what would be right.

use crate::error::Fault;
use serde_json::Value;

/// The most characters of a client's value that a message repeats.
const SHOWN: usize = 60;
/// The most characters of a client's path that `param` repeats.
const PATH_SHOWN: usize = 120;

/// A fault at the client's own path.
pub(super) fn fault(path: &str, code: &'static str, message: String) -> Fault {
    Fault {
        param: clip(path, PATH_SHOWN),
        code,
        message,
    }
}

/// A path or name in a message, in backticks.
pub(super) fn name(path: &str) -> String {
    format!("`{}`", clip(path, SHOWN))
}

/// A value in a message: numbers and texts shortened, lists and objects only named.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => Value::from(clip(text, SHOWN)).to_string(),
        plain => clip(&plain.to_string(), SHOWN),
    }
}

fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_little_of_a_long_value() {
        let long = Value::from("é".repeat(1000));
        assert_eq!(show(&long), format!("\"{}…\"", "é".repeat(60)));
        assert_eq!(show(&serde_json::json!([1, 2])), "a list of 2");
    }
}
