//! Files that were uploaded.

use super::Named;
use super::words::{count, list, object, only, seconds, text};
use crate::api::openapi::schema;
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![
        ("File", file()),
        ("FileList", file_list()),
        ("DeletedFile", deleted_file()),
    ]
}

fn file() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("file")),
            ("bytes", count()),
            ("created_at", seconds()),
            ("expires_at", seconds()),
            ("filename", text()),
            ("purpose", text()),
            ("status", only("processed")),
        ],
        &[],
    )
}

fn file_list() -> Value {
    let id = json!({"type": ["string", "null"]});
    object(
        &[
            ("object", only("list")),
            ("data", list(schema("File"))),
            ("first_id", id.clone()),
            ("last_id", id),
            ("has_more", json!({"type": "boolean"})),
        ],
        &[],
    )
}

fn deleted_file() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("file")),
            ("deleted", json!({"type": "boolean"})),
        ],
        &[],
    )
}
