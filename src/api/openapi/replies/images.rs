//! Pictures: whole replies, pending ones, the events of a stream, and the price before.

use super::Named;
use super::words::{ahead, count, list, object, only, states, text};
use crate::api::openapi::schema;
use crate::types::Format;
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![
        ("Images", images()),
        ("Image", image()),
        ("Usage", usage()),
        ("PendingImages", pending_images()),
        ("ImageEvents", image_events()),
        ("PartialImageEvent", partial_image_event()),
        ("CompletedImageEvent", completed_image_event()),
        ("Quote", quote()),
    ]
}

fn images() -> Value {
    object(
        &[
            (
                "created",
                json!({"type": "integer", "description": "When the task was accepted, in seconds since 1970."}),
            ),
            ("data", list(schema("Image"))),
            ("usage", schema("Usage")),
            (
                "pinhole",
                object(
                    &[("task_id", text()), ("cost", schema("Money"))],
                    &real_values(),
                ),
            ),
        ],
        &echoes(),
    )
}

fn image() -> Value {
    object(
        &[],
        &[
            ("b64_json", base64()),
            ("url", text()),
            (
                "revised_prompt",
                json!({"type": "string", "description": "The prompt as the model changed it."}),
            ),
        ],
    )
}

fn base64() -> Value {
    json!({"type": "string", "contentEncoding": "base64", "description": "The file."})
}

/// Values that OpenAI's clients read as closed enums; others are `auto` there and stand as they are under `pinhole`.
fn echoes() -> [(&'static str, Value); 4] {
    let one_of = |names: &[&str]| json!({"type": "string", "enum": names});
    [
        ("background", one_of(&["transparent", "opaque", "auto"])),
        ("output_format", one_of(&["png", "jpeg", "webp", "auto"])),
        (
            "size",
            json!({"type": "string", "enum": ["1024x1024", "1024x1536", "1536x1024", "auto"], "description": "The real pixels."}),
        ),
        ("quality", one_of(&["low", "medium", "high", "auto"])),
    ]
}

fn real_values() -> [(&'static str, Value); 4] {
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    [
        ("background", text()),
        ("output_format", json!({"type": "string", "enum": formats})),
        (
            "size",
            json!({"type": "string", "pattern": "^[0-9]+x[0-9]+$"}),
        ),
        ("quality", text()),
    ]
}

fn usage() -> Value {
    let details = object(&[("text_tokens", count()), ("image_tokens", count())], &[]);
    let mut usage = object(
        &[
            ("input_tokens", count()),
            ("input_tokens_details", details),
            ("output_tokens", count()),
            ("total_tokens", count()),
        ],
        &[],
    );
    usage["description"] = "The upstream's tokens, or zeros; never an estimate.".into();
    usage
}

fn pending_images() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("image.task")),
            ("state", states()),
            ("created", count()),
        ],
        &[("tasks_ahead", ahead())],
    )
}

/// OpenAPI has no word for the events of a stream; the schema of the content is JSON Schema's word for what a text
/// holds.
fn image_events() -> Value {
    json!({
        "type": "string",
        "description": "Server-sent events. Each event's `data` is one JSON object as in `contentSchema`, and the event is called as its \
            `type` says; lines that begin with a colon are heartbeats. There is one completed event an image; the last one carries \
            `pinhole`. A failure after the first event is an event too, and the last one. \
            A model of text sends chunks, as chat does, and `[DONE]`.",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"oneOf": [
            schema("PartialImageEvent"),
            schema("CompletedImageEvent"),
            schema("ErrorEvent"),
            schema("CompletionChunk"),
        ]},
    })
}

fn event(kind: &str, more: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let kinds = ["image_generation", "image_edit"].map(|operation| format!("{operation}.{kind}"));
    let mut required = vec![
        ("type", json!({"type": "string", "enum": kinds})),
        ("created_at", count()),
        (
            "image_index",
            json!({"type": "integer", "minimum": 0, "description": "Which of the call's images."}),
        ),
    ];
    required.extend(echoes());
    required.extend(more.iter().cloned());
    object(&required, optional)
}

fn partial_image_event() -> Value {
    let number =
        json!({"type": "integer", "minimum": 0, "description": "Which preview of its image."});
    event(
        "partial_image",
        &[("b64_json", base64()), ("partial_image_index", number)],
        &[],
    )
}

fn completed_image_event() -> Value {
    let end = object(
        &[
            ("task_id", text()),
            ("cost", schema("Money")),
            ("overhead_ms", count()),
        ],
        &[],
    );
    let optional = [
        ("b64_json", base64()),
        ("url", text()),
        ("revised_prompt", text()),
        ("pinhole", end),
    ];
    event("completed", &[("usage", schema("Usage"))], &optional)
}

fn quote() -> Value {
    let mut rates = object(
        &["input_text", "input_image", "output"].map(|name| (name, schema("Money"))),
        &[],
    );
    rates["description"] =
        "What a million tokens cost, where tokens are charged; `amount` is then the most that it can come to.".into();
    object(
        &[
            ("object", only("quote")),
            ("model", text()),
            ("n", json!({"type": "integer", "minimum": 1})),
            ("unit", schema("Money")),
            ("amount", schema("Money")),
            ("currency", only("USD")),
            (
                "price",
                json!({"anyOf": [schema("Price"), {"type": "null"}], "description": "The row of the price table that says so."}),
            ),
        ],
        &[("million_tokens", rates)],
    )
}
