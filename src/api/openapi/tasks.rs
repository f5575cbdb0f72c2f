//! `/api/v1/tasks`.

use super::operation::{Access, Answer, Operation, in_path, in_query};
use super::schema;
use crate::error::Kind;
use crate::types::TaskState;
use serde_json::{Value, json};

/// `GET /api/v1/tasks`
pub(in crate::api) fn list() -> Operation {
    Operation {
        id: "listTasks",
        tag: "tasks",
        summary: "The account's history",
        description: "Newest first, page by page. A page may hold fewer tasks than `limit` and still have a `nextCursor`.",
        access: Access::Key,
        parameters: filters(),
        body: None,
        answers: vec![Answer::ok("A page of tasks.", schema("TaskListReply"))],
        errors: &[Kind::InvalidParameter],
    }
}

fn filters() -> Vec<Value> {
    let states: Vec<&str> = TaskState::ALL.iter().map(|state| state.name()).collect();
    let text = json!({"type": "string"});
    let model = json!({"type": "string", "minLength": 1, "maxLength": 200});
    let key = json!({"type": "string", "pattern": "^key_[0-9a-f]{32}$"});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20});
    let time = "milliseconds since 1970, or a time like 2026-11-21 or 2026-11-21T08:00:00Z";
    vec![
        in_query(
            "state",
            "Only tasks in this state.",
            &json!({"type": "string", "enum": states}),
        ),
        in_query("model", "Only tasks of this model.", &model),
        in_query("key", "Only tasks of this key.", &key),
        in_query("since", &format!("Only tasks from here on: {time}."), &text),
        in_query("until", &format!("Only tasks up to here: {time}."), &text),
        in_query("limit", "How many a page has at most.", &limit),
        in_query("cursor", "The `nextCursor` of the page before.", &text),
    ]
}

/// `GET /api/v1/tasks/{id}`
pub(in crate::api) fn show() -> Operation {
    Operation {
        id: "getTask",
        tag: "tasks",
        summary: "One task of the account",
        description: "In any state: what was called, what became of it, what it cost, and the calls that were made for it.",
        access: Access::Key,
        parameters: vec![in_path(
            "id",
            "The task, from `x-pinhole-task-id`.",
            "task_01",
        )],
        body: None,
        answers: vec![Answer::ok("The task.", schema("TaskReply"))],
        errors: &[Kind::TaskNotFound, Kind::NotFound],
    }
}
