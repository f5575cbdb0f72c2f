//! Words for faults: showing a client's value without echoing much of it, listing what would be right.

use crate::error::{Fault, clipped, shown_place};
use serde_json::Value;

/// The most characters of a client's value that a message repeats.
const SHOWN: usize = 60;

/// A fault at the client's own path.
pub(super) fn fault(path: &str, code: &'static str, message: String) -> Fault {
    Fault {
        param: shown_place(path),
        code,
        message,
    }
}

/// A path or name in a message, in backticks.
pub(super) fn name(path: &str) -> String {
    format!("`{}`", clipped(path, SHOWN))
}

/// A value in a message: numbers and texts shortened, lists and objects only named.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) => Value::from(clipped(text, SHOWN)).to_string(),
        plain => clipped(&plain.to_string(), SHOWN),
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
