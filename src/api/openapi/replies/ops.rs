//! What machines ask the server about itself.

use super::Named;
use super::words::{object, text};
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![("Readiness", readiness())]
}

fn readiness() -> Value {
    let catalogue =
        json!({"type": "string", "description": "That changed model files could not be read."});
    object(
        &[("ready", json!({"type": "boolean"}))],
        &[("reason", text()), ("catalogue", catalogue)],
    )
}
