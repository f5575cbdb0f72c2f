//! Words for faults: showing a client's value without echoing much of it, listing what would be right,
//! guessing what was meant.

use crate::error::Fault;
use serde_json::Value;

/// The most characters of a client's value that a message repeats.
const SHOWN: usize = 60;
/// The most characters of a client's path that `param` repeats.
const PATH_SHOWN: usize = 120;
/// Longer names get no guess: nobody mistypes them, and guessing costs time.
const GUESSED: usize = 40;

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

/// The candidate that is most likely meant by a mistyped name.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = name.chars().take(GUESSED + 1).count();
    if length > GUESSED {
        return None;
    }
    let close_enough = (length / 3).max(1);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(steps, _)| *steps <= close_enough)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped, changed or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let changed = last[j] + usize::from(a != b);
            let mut steps = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                steps = steps.min(before_last[j - 1] + 1);
            }
            row.push(steps);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_what_was_meant() {
        let names = ["prompt", "size", "quality", "n", "output_format"];
        let check = |typed: &str, meant: Option<&str>| {
            assert_eq!(nearest(typed, names.into_iter()), meant, "{typed:?}");
        };
        check("sise", Some("size"));
        check("promtp", Some("prompt"));
        check("outputFormat", Some("output_format"));
        check("Quality", Some("quality"));
        check("zebra", None);
        check("", Some("n"));
        check(&"x".repeat(100_000), None);
    }

    #[test]
    fn shows_little_of_a_long_value() {
        let long = Value::from("é".repeat(1000));
        assert_eq!(show(&long), format!("\"{}…\"", "é".repeat(60)));
        assert_eq!(show(&serde_json::json!([1, 2])), "a list of 2");
    }
}
