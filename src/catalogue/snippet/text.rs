//! How values are written so that they mean exactly themselves.

use serde_json::Value;
use std::fmt::Write as _;

/// How a language of the C family writes what JSON has.
pub(super) struct Words {
    pub null: &'static str,
    pub truth: [&'static str; 2],
}

pub(super) const JSON: Words = Words {
    null: "null",
    truth: ["false", "true"],
};

pub(super) const PYTHON: Words = Words {
    null: "None",
    truth: ["False", "True"],
};

/// A value as a literal. JSON, Python and JavaScript write texts, numbers, lists and maps alike.
pub(super) fn literal(value: &Value, words: &Words) -> String {
    match value {
        Value::Null => words.null.to_owned(),
        Value::Bool(truth) => words.truth[usize::from(*truth)].to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| literal(item, words)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{}: {}", quoted(key), literal(value, words))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// A text in double quotes, with escapes that JSON, Python and JavaScript share.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            // All of them lie below U+10000, where one escape is one character in each language.
            letter if is_unseen(letter) => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out + "\""
}

/// What a reader of the code would not see, or would see in another place: control characters, line separators, and
/// marks that turn the direction of writing.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&letter)
        || ('\u{2066}'..='\u{2069}').contains(&letter)
}

/// A file's type by its name.
pub(super) fn media_type(file: &str) -> &'static str {
    let extension = file.rsplit('.').next().unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        _ => "image/png",
    }
}

/// A word of a shell: bare where nothing in it is special, else in quotes.
pub(super) fn shell(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_./:@%+,-=".contains(letter);
    let is_unseen = |letter: char| is_unseen(letter) && !matches!(letter, '\n' | '\t');
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else if text.chars().any(is_unseen) {
        shell_escaped(text)
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The quotes of bash and zsh that know escapes. No argument of a program can hold a zero: it is shown as the
/// replacement character.
fn shell_escaped(text: &str) -> String {
    let mut out = String::from("$'");
    for letter in text.replace('\0', "\u{fffd}").chars() {
        match letter {
            '\'' => out += r"\'",
            '\\' => out += r"\\",
            '\n' => out += r"\n",
            letter if is_unseen(letter) => {
                // By bytes: what `\u` gives depends on the shell's locale.
                for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
            letter => out.push(letter),
        }
    }
    out + "'"
}
