//! Models, with form, schema and prices.

use super::Named;
use super::words::{count, list, object, only, operations, text};
use crate::api::openapi::schema;
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![
        ("ModelList", model_list()),
        ("Model", model()),
        ("FormEntry", form_entry()),
        ("Price", price()),
        ("JsonSchema", json_schema()),
    ]
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
                json!({"type": "string", "enum": ["image", "video", "audio", "text"]}),
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
