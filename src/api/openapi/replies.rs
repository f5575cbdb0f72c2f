//! What replies consist of, as schemas. What stands there may grow, so objects are open.

use super::schema;
use crate::error::TABLE;
use crate::types::{Format, TaskState};
use serde_json::{Map, Value, json};

/// By name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let all = [
        ("Money", money()),
        ("Error", error()),
        ("TaskError", task_error()),
        ("Images", images()),
        ("Image", image()),
        ("Usage", usage()),
        ("PendingImages", pending_images()),
        ("ImageEvents", image_events()),
        ("PartialImageEvent", partial_image_event()),
        ("CompletedImageEvent", completed_image_event()),
        ("ErrorEvent", error_event()),
        ("Quote", quote()),
        ("Balance", balance()),
        ("ModelList", model_list()),
        ("Model", model()),
        ("FormEntry", form_entry()),
        ("Price", price()),
        ("JsonSchema", json_schema()),
        ("Task", task()),
        ("TaskReply", task_reply()),
        ("Readiness", readiness()),
    ];
    let named = all.into_iter();
    named
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// An object whose first properties are always there.
fn object(required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let properties = required.iter().chain(optional);
    let properties: Map<String, Value> = properties
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    let required: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn only(value: &str) -> Value {
    json!({"type": "string", "enum": [value]})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn states() -> Value {
    let names: Vec<&str> = TaskState::ALL.iter().map(|state| state.name()).collect();
    json!({"type": "string", "enum": names})
}

fn modes() -> Value {
    json!({"type": "string", "enum": ["live", "test"]})
}

fn money() -> Value {
    json!({
        "type": "string",
        "description": "An amount in dollars, always with six decimal places.",
        "pattern": "^-?[0-9]+\\.[0-9]{6}$",
        "examples": ["0.053000"],
    })
}

fn error() -> Value {
    let mut types: Vec<&str> = TABLE.iter().map(|row| row.r#type).collect();
    types.sort_unstable();
    types.dedup();
    let fault = object(
        &[
            (
                "param",
                json!({"type": "string", "description": "Where, as the client spelt it; empty for the body as a whole."}),
            ),
            ("code", text()),
            ("message", text()),
        ],
        &[],
    );
    let error = object(
        &[
            (
                "message",
                json!({"type": "string", "description": "What was wrong, where, and what would be right."}),
            ),
            ("type", json!({"type": "string", "enum": types})),
            (
                "param",
                json!({"type": ["string", "null"], "description": "Where the first fault is."}),
            ),
            (
                "code",
                json!({"type": "string", "description": "A stable word; of a wrong parameter that of its first fault."}),
            ),
            ("details", list(fault)),
        ],
        &[],
    );
    object(&[("error", error)], &[])
}

fn task_error() -> Value {
    object(
        &[
            (
                "code",
                json!({"type": "integer", "description": "The HTTP status."}),
            ),
            ("msg", text()),
            ("data", json!({"type": "null"})),
        ],
        &[],
    )
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
        &[],
    )
}

/// OpenAPI has no word for the events of a stream; the schema of the content is JSON Schema's word for what a text
/// holds.
fn image_events() -> Value {
    json!({
        "type": "string",
        "description": "Server-sent events. Each event's `data` is one JSON object as in `contentSchema`, and the event is called as its \
            `type` says; lines that begin with a colon are heartbeats. There is one completed event an image; the last one carries \
            `pinhole`. A failure after the first event is an event too, and the last one.",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"oneOf": [
            schema("PartialImageEvent"),
            schema("CompletedImageEvent"),
            schema("ErrorEvent"),
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

fn error_event() -> Value {
    json!({"allOf": [schema("Error"), object(&[("type", only("error"))], &[])]})
}

fn quote() -> Value {
    object(
        &[
            ("object", only("quote")),
            ("model", text()),
            ("n", json!({"type": "integer", "minimum": 1})),
            ("unit", schema("Money")),
            ("amount", schema("Money")),
            ("currency", only("USD")),
        ],
        &[],
    )
}

fn balance() -> Value {
    let line = json!({"anyOf": [schema("Money"), {"type": "null"}], "description": "How far below zero it may go; null if it is unlimited."});
    object(
        &[
            ("object", only("balance")),
            ("account", text()),
            ("currency", only("USD")),
            ("available", schema("Money")),
            ("held", schema("Money")),
            ("credit_line", line),
            ("unlimited", json!({"type": "boolean"})),
        ],
        &[],
    )
}

fn model_list() -> Value {
    object(
        &[("object", only("list")), ("data", list(schema("Model")))],
        &[],
    )
}

fn model() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("model")),
            ("created", count()),
            ("owned_by", text()),
            ("name", text()),
            ("description", text()),
            (
                "modality",
                json!({"type": "string", "enum": ["image", "video", "audio", "chat"]}),
            ),
            ("operations", list(operations())),
            ("aliases", list(text())),
            ("form_schema", list(schema("FormEntry"))),
            ("pricing", list(schema("Price"))),
            (
                "status",
                json!({"type": "string", "enum": ["active", "preview", "deprecated", "retired"]}),
            ),
            ("supported_endpoint_types", list(text())),
        ],
        &[(
            "unavailable",
            json!({"type": "string", "description": "Why this key cannot call it now."}),
        )],
    )
}

fn operations() -> Value {
    json!({"type": "string", "enum": ["generate", "edit"]})
}

fn form_entry() -> Value {
    let kinds = [
        "string", "enum", "integer", "number", "boolean", "image", "images", "strings", "object",
    ];
    let choice = object(
        &[
            ("value", json!({"type": ["string", "number"]})),
            ("label", text()),
        ],
        &[],
    );
    object(
        &[
            ("name", text()),
            (
                "type",
                json!({"type": "string", "enum": ["string", "number", "boolean", "array", "object"]}),
            ),
            ("kind", json!({"type": "string", "enum": kinds})),
            ("required", json!({"type": "boolean"})),
            ("description", text()),
            ("operations", list(operations())),
        ],
        &[
            ("default", json!({})),
            ("enum", list(choice)),
            (
                "also",
                json!({"type": "object", "description": "A rule for values beyond the list."}),
            ),
            ("minimum", json!({"type": "number"})),
            ("maximum", json!({"type": "number"})),
            ("step", json!({"type": "number"})),
            ("min_length", count()),
            ("max_length", count()),
            ("min_items", count()),
            ("max_items", count()),
            ("example", json!({})),
            ("placeholder", text()),
            ("group", text()),
            (
                "only_with",
                json!({"type": "object", "description": "Values of others without which it has no meaning."}),
            ),
        ],
    )
}

fn price() -> Value {
    let units = [
        "image",
        "million_input_text_tokens",
        "million_input_image_tokens",
        "million_output_tokens",
    ];
    object(
        &[
            ("unit", json!({"type": "string", "enum": units})),
            (
                "when",
                json!({"type": "object", "description": "The calls it is for; the first row that matches wins."}),
            ),
            ("amount", schema("Money")),
            ("currency", only("USD")),
            ("source", text()),
            ("date", json!({"type": "string", "format": "date"})),
        ],
        &[],
    )
}

fn json_schema() -> Value {
    object(
        &[
            ("$schema", json!({"type": "string", "format": "uri"})),
            ("$id", text()),
            ("type", only("object")),
            ("properties", json!({"type": "object"})),
        ],
        &[],
    )
}

fn task() -> Value {
    object(
        &[
            ("taskId", text()),
            ("model", text()),
            ("state", states()),
            ("mode", modes()),
            ("keyId", text()),
            (
                "createTime",
                json!({"type": "integer", "description": "Milliseconds since 1970."}),
            ),
            ("quote", schema("Money")),
            ("cost", schema("Money")),
        ],
        &[
            ("resultUrls", list(text())),
            ("failCode", text()),
            ("failMsg", text()),
            ("completeTime", json!({"type": "integer"})),
        ],
    )
}

fn task_reply() -> Value {
    object(
        &[
            ("code", json!({"type": "integer", "enum": [200]})),
            ("msg", only("success")),
            ("data", schema("Task")),
        ],
        &[],
    )
}

fn readiness() -> Value {
    object(
        &[("ready", json!({"type": "boolean"}))],
        &[("reason", text())],
    )
}
