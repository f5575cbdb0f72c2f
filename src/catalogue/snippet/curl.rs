//! A shell with curl: JSON for a picture from words, a form with the files for an edit.
//!
//! The reply is asked for with links, which are short enough to be shown and need no decoding: what the server says goes
//! to the terminal, and each picture into a file with the name that the server gave it.

use super::Example;
use super::text::{JSON, literal, shell};
use crate::catalogue::model::plain_text;
use crate::types::Operation;
use serde_json::{Value, json};

const SAVE: &str =
    "| tee /dev/stderr | grep -o '\"url\":\"[^\"]*\"' | cut -d '\"' -f 4 | xargs -n 1 curl -sSfO";

pub(super) fn pictures(example: &Example, base_url: &str) -> String {
    match example.operation {
        Operation::Generate => json_call(example, base_url),
        Operation::Edit => form_call(example, base_url),
    }
}

fn json_call(example: &Example, base_url: &str) -> String {
    let answer = [("response_format", json!("url"))];
    let fields: Vec<String> = example
        .fields()
        .chain(answer)
        .map(|(name, value)| format!("  \"{name}\": {}", literal(&value, &JSON)))
        .collect();
    let body = shell(&format!("{{\n{}\n}}", fields.join(",\n")));
    let head = head(base_url, "/v1/images/generations");
    format!("{head} \\\n  -H \"Content-Type: application/json\" \\\n  -d {body} \\\n  {SAVE}")
}

fn form_call(example: &Example, base_url: &str) -> String {
    let mut lines = vec![head(base_url, "/v1/images/edits")];
    let name = if example.images.len() == 1 {
        "image"
    } else {
        "image[]"
    };
    let files = example.images.iter().map(|file| (name, file));
    let files = files.chain(example.mask.iter().map(|file| ("mask", file)));
    for (name, file) in files {
        lines.push(format!(
            "-F {}",
            shell(&format!("{name}=@{}", file_name(file)))
        ));
    }
    let answer = [("response_format", json!("url"))];
    for (name, value) in example.fields().chain(answer) {
        for (name, text) in parts(name, &value) {
            // `-F` would read a file for a value that begins with `@`.
            lines.push(format!(
                "--form-string {}",
                shell(&format!("{name}={text}"))
            ));
        }
    }
    lines.push(SAVE.to_owned());
    lines.join(" \\\n  ")
}

fn head(base_url: &str, path: &str) -> String {
    let url = shell(&format!("{base_url}{path}"));
    format!("curl -sS {url} \\\n  -H \"Authorization: Bearer $PINHOLE_API_KEY\"")
}

/// A value as fields of a form: a list is a field for each item.
fn parts(name: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Array(items) => {
            let items = items.iter().map(plain_text);
            items.map(|item| (format!("{name}[]"), item)).collect()
        }
        value => vec![(name.to_owned(), plain_text(value))],
    }
}

/// A file as `-F` wants it named: a comma or a semicolon would end the name, unless it stands in quotes.
fn file_name(file: &str) -> String {
    if file.contains(|letter| ",;\"\\".contains(letter)) {
        format!("\"{}\"", file.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        file.to_owned()
    }
}
