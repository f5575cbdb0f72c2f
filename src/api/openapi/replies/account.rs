//! Money, and what it was spent on.

use super::Named;
use super::words::{count, list, object, only, seconds, text};
use crate::api::openapi::schema;
use crate::types::UsageBy;
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![
        ("Money", money()),
        ("Balance", balance()),
        ("UsageReport", usage_report()),
        ("Used", used()),
    ]
}

fn money() -> Value {
    json!({
        "type": "string",
        "description": "An amount in dollars, always with six decimal places.",
        "pattern": "^-?[0-9]+\\.[0-9]{6}$",
        "examples": ["0.053000"],
    })
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

fn usage_report() -> Value {
    let groups: Vec<&str> = UsageBy::ALL.iter().map(|by| by.name()).collect();
    let by = groups.iter().map(|name| (*name, text()));
    let by: Vec<_> = by.chain([("name", text())]).collect();
    object(
        &[
            ("object", only("usage")),
            ("account", text()),
            ("currency", only("USD")),
            ("start", seconds()),
            ("end", seconds()),
            (
                "group_by",
                json!({"anyOf": [{"type": "string", "enum": groups}, {"type": "null"}]}),
            ),
            ("total", schema("Used")),
            (
                "data",
                list(json!({"allOf": [schema("Used"), object(&[], &by)]})),
            ),
        ],
        &[],
    )
}

fn used() -> Value {
    let counts = [
        "completed",
        "failed",
        "images",
        "input_text_tokens",
        "input_image_tokens",
        "output_tokens",
    ];
    let counts = counts.map(|name| (name, count())).into_iter();
    let all: Vec<_> = counts.chain([("charged", schema("Money"))]).collect();
    object(&all, &[])
}
