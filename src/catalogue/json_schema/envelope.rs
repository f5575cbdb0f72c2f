//! The fields that every call may carry, for a model whose form does not have them.

use super::values::{allow_null, object};
use crate::catalogue::envelope::{IDENTIFIER, MAX_COST, METADATA, URL};
use crate::types::ResponseFormat;
use serde_json::{Map, Value, json};

/// By name. Fields that such a model has no use for (`prompt`) are not among them: without adaptation they are unknown.
pub(super) fn properties() -> Vec<(String, Value)> {
    let fields = [
        (
            "n",
            "How many images to make; this model makes one a call.",
            object([("enum", json!([1])), ("default", json!(1))]),
        ),
        (
            "stream",
            "Whether the reply is a stream of events.",
            object([("type", json!("boolean")), ("default", json!(false))]),
        ),
        (
            "stream_options",
            "What a stream tells besides images.",
            object([
                ("type", json!("object")),
                (
                    "properties",
                    json!({"include_usage": {"type": ["boolean", "null"]}}),
                ),
            ]),
        ),
        (
            "partial_images",
            "How many previews a stream sends before each image; this model makes none.",
            object([("enum", json!([0])), ("default", json!(0))]),
        ),
        (
            "response_format",
            "How images are handed over: as base64, as links, or both.",
            object([
                ("type", json!("string")),
                ("enum", json!(ResponseFormat::NAMES)),
            ]),
        ),
        (
            "user",
            "The old name of `safety_identifier`.",
            object([("type", json!("string")), ("maxLength", json!(IDENTIFIER))]),
        ),
        (
            "safety_identifier",
            "Your end user, hashed, for upstreams that ask for one.",
            object([("type", json!("string")), ("maxLength", json!(IDENTIFIER))]),
        ),
        (
            "metadata",
            "Your own notes, kept with the task: any object of at most 16 KiB as JSON.",
            object([
                ("type", json!("object")),
                ("x-pinhole-max-json-bytes", json!(METADATA)),
            ]),
        ),
        (
            "callback_url",
            "Where the end of the task is reported.",
            object([
                ("type", json!("string")),
                ("maxLength", json!(URL)),
                ("pattern", json!("^https?://")),
            ]),
        ),
        (
            "max_cost",
            "Refuse the call if it costs more, in dollars with at most six decimal places.",
            max_cost(),
        ),
    ];
    fields
        .into_iter()
        .map(|(name, description, schema)| (name.to_owned(), field(description, schema)))
        .collect()
}

fn field(description: &str, mut schema: Map<String, Value>) -> Value {
    allow_null(&mut schema);
    schema.insert("description".to_owned(), description.into());
    Value::Object(schema)
}

/// A text is better: what divides floats may find that 0.053 is no multiple of a millionth.
fn max_cost() -> Map<String, Value> {
    let digits = MAX_COST.to_string().len() - 1;
    let text = json!({"type": "string", "pattern": format!("^0*[0-9]{{1,{digits}}}(?:\\.[0-9]{{1,6}})?$")});
    let number = json!({"type": "number", "minimum": 0, "exclusiveMaximum": MAX_COST, "multipleOf": 0.000001});
    object([("anyOf", json!([text, number]))])
}
