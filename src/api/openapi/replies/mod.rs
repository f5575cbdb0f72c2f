//! What replies consist of, as schemas: one file a resource, as the operations have. What stands there may grow, so
//! objects are open.

mod account;
mod chat;
mod errors;
mod images;
mod models;
mod ops;
mod tasks;
mod uploads;
mod words;

pub(super) use tasks::delivery;
pub(super) use words::{count, list, millis, object, text};

use super::webhooks;
use serde_json::Value;

/// Schemas of one resource, each with its name.
type Named = Vec<(&'static str, Value)>;

/// By name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let resources = [
        errors::schemas(),
        images::schemas(),
        chat::schemas(),
        account::schemas(),
        uploads::schemas(),
        models::schemas(),
        tasks::schemas(),
        ops::schemas(),
        vec![("TaskEnded", webhooks::task_ended())],
    ];
    let all = resources.into_iter().flatten();
    all.map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}
