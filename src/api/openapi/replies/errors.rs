//! Errors, as each dialect says them.

use super::Named;
use super::words::{list, object, only, text};
use crate::api::openapi::schema;
use crate::error::TABLE;
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![
        ("Error", error()),
        ("TaskError", task_error()),
        ("ErrorEvent", error_event()),
    ]
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

fn error_event() -> Value {
    json!({"allOf": [schema("Error"), object(&[("type", only("error"))], &[])]})
}
