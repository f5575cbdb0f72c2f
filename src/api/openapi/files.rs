//! `/files`.

use super::operation::{Access, Answer, Operation, Presence, in_header, in_path};
use crate::error::Kind;
use crate::types::Format;
use serde_json::{Value, json};

/// `GET /files/{asset}`
pub(in crate::api) fn show() -> Operation {
    let pictures = || {
        let types = Format::ALL
            .iter()
            .map(|format| (format.media_type(), json!({})));
        types.collect::<Vec<_>>()
    };
    Operation {
        id: "getFile",
        tag: "files",
        summary: "A stored result",
        description: "The name cannot be guessed and is the permission: no key is needed.",
        access: Access::Open,
        parameters: vec![
            in_path(
                "asset",
                "The name, with or without its extension.",
                "asset_01.png",
            ),
            header("Range", "One range of bytes."),
            header("If-Range", "The `ETag` for which the range is meant."),
            header("If-None-Match", "What the client has already."),
        ],
        body: None,
        answers: vec![
            answer(200, "The picture.", KEPT, pictures()),
            answer(206, "The part that was asked for.", PART, pictures()),
            answer(304, "The client has it already.", KEPT, Vec::new()),
            answer(
                416,
                "The range lies outside of the picture.",
                OUTSIDE,
                Vec::new(),
            ),
        ],
        errors: &[Kind::NotFound, Kind::Gone],
    }
}

const KEPT: &[(&str, Presence)] = &[
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
