//! `/files`.

use super::operation::{Access, Answer, Operation, Presence, in_header, in_path};
use crate::error::Kind;
use crate::types::Format;
use serde_json::{Value, json};

/// `GET /files/{asset}`
pub(in crate::api) fn show() -> Operation {
    let name = in_path(
        "asset",
        "The name, with or without its extension.",
        "asset_01.png",
    );
    let mut answers = vec![answer(200, "The picture.", KEPT_HEADERS, pictures())];
    answers.extend(rest_of_file());
    Operation {
        id: "getFile",
        tag: "files",
        summary: "A stored result",
        description: "The name cannot be guessed and is the permission: no key is needed.",
        access: Access::Open,
        parameters: [vec![name], read_headers()].concat(),
        body: None,
        answers,
        errors: &[Kind::NotFound, Kind::Gone],
    }
}

/// A picture, by its type.
pub(super) fn pictures() -> Vec<(&'static str, Value)> {
    let types = Format::ALL
        .iter()
        .map(|format| (format.media_type(), json!({})));
    types.collect()
}

/// What may be asked of the bytes.
pub(super) fn read_headers() -> Vec<Value> {
    vec![
        header("Range", "One range of bytes."),
        header("If-Range", "The `ETag` for which the range is meant."),
        header("If-None-Match", "What the client has already."),
    ]
}

/// What is answered besides the whole.
pub(super) fn rest_of_file() -> [Answer; 3] {
    [
        answer(206, "The part that was asked for.", PART, pictures()),
        answer(304, "The client has it already.", KEPT_HEADERS, Vec::new()),
        answer(
            416,
            "The range lies outside of the picture.",
            OUTSIDE,
            Vec::new(),
        ),
    ]
}

pub(super) const KEPT_HEADERS: &[(&str, Presence)] = &[
    ("ETag", Presence::Always),
    ("Accept-Ranges", Presence::Always),
];

const PART: &[(&str, Presence)] = &[
    ("ETag", Presence::Always),
    ("Accept-Ranges", Presence::Always),
    ("Content-Range", Presence::Always),
];

const OUTSIDE: &[(&str, Presence)] = &[("Content-Range", Presence::Always)];

fn header(name: &str, description: &str) -> Value {
    in_header(name, description, &json!({"type": "string"}))
}

fn answer(
    status: u16,
    description: &'static str,
    headers: &'static [(&'static str, Presence)],
    content: Vec<(&'static str, Value)>,
) -> Answer {
    Answer {
        status,
        description,
        headers,
        content,
    }
}
