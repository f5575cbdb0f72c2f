//! `/api/v1/tasks`.

use super::operation::{Access, Answer, Operation, in_path};
use super::schema;
use crate::error::Kind;

/// `GET /api/v1/tasks/{id}`
pub(in crate::api) fn show() -> Operation {
    Operation {
        id: "getTask",
        tag: "tasks",
        summary: "One task of the account",
        description: "In any state: what was called, what became of it, what it cost.",
        access: Access::Key,
        parameters: vec![in_path(
            "id",
            "The task, from `x-pinhole-task-id`.",
            "task_01",
        )],
        body: None,
        answers: vec![Answer {
            status: 200,
            description: "The task.",
            headers: &[],
            content: vec![("application/json", schema("TaskReply"))],
        }],
        errors: &[Kind::TaskNotFound, Kind::NotFound],
    }
}
