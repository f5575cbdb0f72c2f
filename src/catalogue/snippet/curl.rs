//! A shell with curl: JSON for a picture from words or a text, a form with the files for an edit.
//!
//! Pictures are asked for with links, which are short enough to be shown and need no decoding: what the server says goes
//! to the terminal, and each picture into a file with the name that the server gave it. A refusal has no link, so nothing
//! is fetched after it.

use super::Example;
use super::chat::{Chat, Hand};
use super::text::{JSON, literal, media_type, quoted, shell};
use crate::catalogue::model::plain_text;
use crate::types::Operation;
use serde_json::{Value, json};

const JSON_BODY: &str = "-H \"Content-Type: application/json\"";

/// Behind a call whose links are taken.
///
/// `tee` appends: opened anew, a log that stderr leads to would be cut off.
const LINKS: &str = "| tee -a /dev/stderr | grep -o '\"url\":\"[^\"]*\"'";

pub(super) fn pictures(example: &Example, base_url: &str) -> String {
    let call = match example.operation {
        Operation::Generate => json_call(example, base_url),
        Operation::Edit => form_call(example, base_url),
    };
    format!(
        "links=$({call} \\\n  {LINKS}) &&\n  echo \"$links\" | cut -d '\"' -f 4 | xargs -n 1 curl -sSfO"
    )
}

pub(super) fn text(example: &Example, base_url: &str) -> String {
    let chat = Chat::of(example);
    let head = head(
        "curl -sS --fail-with-body",
        base_url,
        "/v1/chat/completions",
    );
    let head = format!("{head} \\\n  {JSON_BODY}");
    if example.images.is_empty() {
        let hand = Hand {
            value: &|value| literal(value, &JSON),
            picture: &quoted,
        };
        return format!("{head} \\\n  -d {}", shell(&body(&chat, &hand)));
    }
    // Pictures are too long for an argument, so the body comes from the standard input.
    let hand = Hand {
        value: &|value| unexpanded(&literal(value, &JSON)),
        picture: &|file| {
            let (kind, file) = (media_type(file), shell(file));
            format!("\"data:{kind};base64,$(base64 < {file} | tr -d '\\n')\"")
        },
    };
    format!("{head} \\\n  -d @- <<END\n{}\nEND", body(&chat, &hand))
}

fn body(chat: &Chat, hand: &Hand) -> String {
    let messages = ("messages", chat.messages("  ", hand));
    let mut fields = chat
        .fields
        .iter()
        .map(|(name, value)| (*name, (hand.value)(value)));
    let model = fields.next();
    let fields = model.into_iter().chain([messages]).chain(fields);
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("  {}: {value}", quoted(name)))
        .collect();
    format!("{{\n{}\n}}", fields.join(",\n"))
}

/// A text as it is written between `<<END` and `END`, where a shell expands what it knows.
fn unexpanded(text: &str) -> String {
    let text = text.replace('\\', "\\\\");
    text.replace('$', "\\$").replace('`', "\\`")
}

fn json_call(example: &Example, base_url: &str) -> String {
    let answer = [("response_format", json!("url"))];
    let fields: Vec<String> = example
        .fields()
        .chain(answer)
        .map(|(name, value)| format!("  {}: {}", quoted(name), literal(&value, &JSON)))
        .collect();
    let body = shell(&format!("{{\n{}\n}}", fields.join(",\n")));
    let head = head("curl -sS", base_url, "/v1/images/generations");
    format!("{head} \\\n  {JSON_BODY} \\\n  -d {body}")
}

fn form_call(example: &Example, base_url: &str) -> String {
    let mut lines = vec![head("curl -sS", base_url, "/v1/images/edits")];
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
    lines.join(" \\\n  ")
}

fn head(curl: &str, base_url: &str, path: &str) -> String {
    let url = shell(&format!("{base_url}{path}"));
    format!("{curl} {url} \\\n  -H \"Authorization: Bearer $PINHOLE_API_KEY\"")
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

/// A file as `-F` wants it named: `-` would be the standard input, and a comma or a semicolon would end the name, unless it
/// stands in quotes.
fn file_name(file: &str) -> String {
    if file.starts_with('-') {
        return file_name(&format!("./{file}"));
    }
    if file.contains(|letter| ",;\"\\".contains(letter)) {
        format!("\"{}\"", file.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        file.to_owned()
    }
}
