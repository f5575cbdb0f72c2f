//! What schemas of replies are put together from.

use crate::types::{Finish, TaskState};
use serde_json::{Map, Value, json};

/// An object whose first properties are always there.
pub(in crate::api::openapi) fn object(
    required: &[(&str, Value)],
    optional: &[(&str, Value)],
) -> Value {
    let properties = required.iter().chain(optional);
    let properties: Map<String, Value> = properties
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    let required: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

pub(in crate::api::openapi) fn text() -> Value {
    json!({"type": "string"})
}

pub(in crate::api::openapi) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

pub(super) fn only(value: &str) -> Value {
    json!({"type": "string", "enum": [value]})
}

pub(in crate::api::openapi) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

pub(super) fn seconds() -> Value {
    json!({"type": "integer", "description": "Seconds since 1970."})
}

pub(in crate::api::openapi) fn millis() -> Value {
    json!({"type": "integer", "description": "Milliseconds since 1970."})
}

pub(super) fn operations() -> Value {
    json!({"type": "string", "enum": ["generate", "edit"]})
}

pub(super) fn states() -> Value {
    let names: Vec<&str> = TaskState::ALL.iter().map(|state| state.name()).collect();
    json!({"type": "string", "enum": names})
}

pub(super) fn finishes() -> Value {
    let names: Vec<&str> = Finish::ALL.iter().map(|finish| finish.name()).collect();
    json!({"type": "string", "enum": names})
}

pub(super) fn ahead() -> Value {
    json!({"type": "integer", "minimum": 0, "description": "Of a task that waits: how many start before it, an estimate."})
}
