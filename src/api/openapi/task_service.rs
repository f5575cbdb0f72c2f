//! `/api/v1/images/generations`.

use super::images::{MARKS, OF_CALLS, call_headers};
use super::operation::{Access, Answer, Operation, Presence, in_query, required};
use super::schema;
use crate::error::Kind;
use serde_json::{Value, json};

/// The headers of a poll.
const LOOK: &[(&str, Presence)] = &[
    ("x-pinhole-task-id", Presence::Always),
    ("x-pinhole-quote", Presence::Always),
    ("x-pinhole-cost", Presence::Sometimes),
    ("x-pinhole-overhead-ms", Presence::Sometimes),
    ("x-pinhole-mode", Presence::Sometimes),
    ("Retry-After", Presence::Sometimes),
];

/// `POST /api/v1/images/generations`
pub(in crate::api) fn create() -> Operation {
    let created = schema("CreatedTaskReply");
    let ended = schema("TaskStateReply");
    Operation {
        id: "createTask",
        tag: "tasks",
        summary: "Create a task",
        description: "Takes the bodies of `POST /v1/images/generations`, but nothing is streamed. Answers at once, or with \
            `Prefer: wait=N` when the task ends, after N seconds at the latest.",
        access: Access::Key,
        parameters: call_headers(),
        body: Some(json!({"application/json": {"schema": schema("GenerationRequest")}})),
        answers: vec![Answer {
            headers: MARKS,
            ..Answer::ok(
                "The task was accepted; or, for who waited, how it ended.",
                json!({"anyOf": [ended, created]}),
            )
        }],
        errors: OF_CALLS,
    }
}

/// `GET /api/v1/images/generations`
pub(in crate::api) fn poll() -> Operation {
    let wait = json!({"type": "integer", "minimum": 0, "default": 0});
    let wait = in_query(
        "wait",
        "Answer when the task ends, after so many seconds (60 at most) at the latest.",
        &wait,
    );
    Operation {
        id: "pollTask",
        tag: "tasks",
        summary: "How a task is",
        description: "A task that failed is a good answer too: `failCode` and `failMsg` say why.",
        access: Access::Key,
        parameters: vec![task_id(), wait],
        body: None,
        answers: vec![look("The task.")],
        errors: &[Kind::InvalidParameter, Kind::TaskNotFound, Kind::Gone],
    }
}

/// `DELETE /api/v1/images/generations`
pub(in crate::api) fn cancel() -> Operation {
    Operation {
        id: "cancelTask",
        tag: "tasks",
        summary: "Cancel a task that has not started",
        description: "One that has ended stays as it is; one that runs cannot be cancelled.",
        access: Access::Key,
        parameters: vec![task_id()],
        body: None,
        answers: vec![look("The task, as it is now.")],
        errors: &[
            Kind::InvalidParameter,
            Kind::TaskNotFound,
            Kind::NotCancellable,
        ],
    }
}

fn look(description: &'static str) -> Answer {
    Answer {
        headers: LOOK,
        ..Answer::ok(description, schema("TaskStateReply"))
    }
}

fn task_id() -> Value {
    let id = json!({"type": "string", "pattern": "^task_[0-9a-f]{32}$"});
    required(in_query("task_id", "The task.", &id))
}
