//! Texts and pictures in the words of chat, whole or in chunks.

use super::Named;
use super::words::{count, finishes, list, object, only, text};
use crate::api::openapi::schema;
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![
        ("Completion", completion()),
        ("CompletionEvents", completion_events()),
        ("CompletionChunk", completion_chunk()),
        ("ChatUsage", chat_usage()),
        ("TextReply", text_reply()),
    ]
}

/// What chat's clients read.
fn completion() -> Value {
    let choice = object(
        &[
            ("index", count()),
            ("message", message()),
            ("logprobs", json!({"type": "null"})),
            ("finish_reason", finishes()),
        ],
        &[],
    );
    object(
        &[
            ("id", text()),
            ("object", only("chat.completion")),
            ("created", count()),
            ("model", text()),
            ("choices", list(choice)),
            ("usage", schema("ChatUsage")),
            (
                "pinhole",
                object(&[("task_id", text()), ("cost", schema("Money"))], &[]),
            ),
        ],
        &[],
    )
}

fn message() -> Value {
    object(
        &[
            ("role", only("assistant")),
            ("content", text()),
            ("refusal", json!({"type": "null"})),
        ],
        &[("images", list(image_part()))],
    )
}

fn image_part() -> Value {
    let url = json!({"type": "string", "description": "A `data:` URL."});
    object(
        &[
            ("type", only("image_url")),
            ("image_url", object(&[("url", url)], &[])),
        ],
        &[],
    )
}

fn completion_events() -> Value {
    json!({
        "type": "string",
        "description": "Server-sent events. Each event's `data` is one JSON object as in `contentSchema`; the last one is `[DONE]`, which \
            only a whole answer has. Lines that begin with a colon are heartbeats.",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"oneOf": [schema("CompletionChunk"), schema("ErrorEvent")]},
    })
}

fn completion_chunk() -> Value {
    let delta = object(
        &[],
        &[
            ("role", only("assistant")),
            ("content", text()),
            ("images", list(image_part())),
        ],
    );
    let choice = object(
        &[
            ("index", count()),
            ("delta", delta),
            ("logprobs", json!({"type": "null"})),
            (
                "finish_reason",
                json!({"anyOf": [finishes(), {"type": "null"}]}),
            ),
        ],
        &[],
    );
    let end = object(
        &[
            ("task_id", text()),
            ("cost", schema("Money")),
            ("overhead_ms", count()),
        ],
        &[],
    );
    object(
        &[
            ("id", text()),
            ("object", only("chat.completion.chunk")),
            ("created", count()),
            ("model", text()),
            ("choices", list(choice)),
        ],
        &[
            (
                "usage",
                json!({"anyOf": [schema("ChatUsage"), {"type": "null"}]}),
            ),
            ("pinhole", end),
        ],
    )
}

fn chat_usage() -> Value {
    let details = object(&[("text_tokens", count()), ("image_tokens", count())], &[]);
    object(
        &[
            ("prompt_tokens", count()),
            ("completion_tokens", count()),
            ("total_tokens", count()),
            ("prompt_tokens_details", details),
        ],
        &[],
    )
}

/// A text where pictures were asked for: chat's reply, for which an images client has no eyes, and its empty list.
fn text_reply() -> Value {
    let images = object(
        &[
            (
                "data",
                json!({"type": "array", "maxItems": 0, "description": "No pictures."}),
            ),
            ("usage", schema("Usage")),
        ],
        &[],
    );
    json!({"allOf": [schema("Completion"), images]})
}
