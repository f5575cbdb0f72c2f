//! Tasks: created, polled, listed, and with all that belongs to one.

use super::Named;
use super::words::{ahead, count, finishes, list, millis, object, only, operations, states, text};
use crate::api::openapi::schema;
use crate::types::{AttemptState, DeliveryState, Format};
use serde_json::{Value, json};

/// By name.
pub(super) fn schemas() -> Named {
    vec![
        ("CreatedTaskReply", task_reply(created_task())),
        ("TaskState", task_state()),
        ("TaskStateReply", task_reply(schema("TaskState"))),
        ("TaskRow", task_row()),
        ("TaskListReply", task_reply(task_list())),
        ("Task", task()),
        ("TaskReply", task_reply(schema("Task"))),
    ]
}

fn task_reply(data: Value) -> Value {
    object(
        &[
            ("code", json!({"type": "integer", "enum": [200]})),
            ("msg", only("success")),
            ("data", data),
        ],
        &[],
    )
}

fn created_task() -> Value {
    object(&[("taskId", text()), ("state", only("pending"))], &[])
}

/// What a poll says.
fn task_state() -> Value {
    object(
        &[
            ("taskId", text()),
            ("state", states()),
            ("createTime", millis()),
        ],
        &[
            ("resultUrls", list(text())),
            ("resultText", text()),
            ("finishReason", finishes()),
            ("failCode", text()),
            ("failMsg", text()),
            ("completeTime", millis()),
            ("tasksAhead", ahead()),
        ],
    )
}

/// What the history says of each task.
fn task_row() -> Value {
    let more = object(
        &[
            ("model", text()),
            ("mode", modes()),
            ("keyId", text()),
            ("quote", schema("Money")),
            ("cost", schema("Money")),
        ],
        &[("startTime", millis())],
    );
    json!({"allOf": [schema("TaskState"), more]})
}

fn modes() -> Value {
    json!({"type": "string", "enum": ["live", "test"]})
}

fn task_list() -> Value {
    let next = json!({"type": ["string", "null"], "description": "Where the next page begins; null on the last one."});
    object(
        &[("tasks", list(schema("TaskRow"))), ("nextCursor", next)],
        &[],
    )
}

/// All of a task.
fn task() -> Value {
    let more = object(
        &[
            ("operation", operations()),
            ("n", json!({"type": "integer", "minimum": 1})),
            (
                "param",
                json!({"type": "object", "description": "The parameters, as they were checked."}),
            ),
            (
                "upstreamMs",
                json!({"type": "integer", "minimum": 0, "description": "How long upstreams worked."}),
            ),
            ("assets", list(asset())),
            ("attempts", list(attempt())),
            ("deliveries", list(delivery_with_log())),
        ],
        &[
            ("metadata", json!({"type": "object"})),
            ("callbackUrl", text()),
            ("lateText", late_text()),
        ],
    );
    json!({"allOf": [schema("TaskRow"), more]})
}

fn asset() -> Value {
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    object(
        &[
            ("url", text()),
            ("index", count()),
            ("format", json!({"type": "string", "enum": formats})),
            ("width", count()),
            ("height", count()),
            ("bytes", count()),
            ("revisedPrompt", json!({"type": ["string", "null"]})),
            ("expireTime", json!({"type": ["integer", "null"]})),
            ("late", json!({"type": "boolean"})),
        ],
        &[],
    )
}

/// The answer of a text model that came when its task had ended.
fn late_text() -> Value {
    object(
        &[
            ("text", text()),
            ("finishReason", finishes()),
            ("expireTime", json!({"type": ["integer", "null"]})),
        ],
        &[],
    )
}

fn attempt() -> Value {
    let states = AttemptState::ALL.map(AttemptState::name);
    object(
        &[
            ("number", count()),
            ("state", json!({"type": "string", "enum": states})),
            ("images", count()),
            ("failCode", json!({"type": ["string", "null"]})),
            ("failMsg", json!({"type": ["string", "null"]})),
            ("createTime", millis()),
        ],
        &[],
    )
}

/// A callback as it stands.
pub(in crate::api::openapi) fn delivery() -> Value {
    delivery_with(&[])
}

fn delivery_with_log() -> Value {
    let none = json!({"type": ["integer", "null"], "description": "Null if there was no answer."});
    let why = json!({"type": ["string", "null"], "description": "Why there was no answer."});
    let answer = json!({"type": "string", "description": "The first KiB of the answer."});
    let entry = object(
        &[
            ("number", count()),
            ("time", millis()),
            ("ms", count()),
            ("status", none),
            ("problem", why),
            ("answer", answer),
        ],
        &[],
    );
    delivery_with(&[("log", list(entry))])
}

fn delivery_with(more: &[(&str, Value)]) -> Value {
    let states = DeliveryState::ALL.map(DeliveryState::name);
    let id =
        json!({"type": "string", "description": "The `webhook-id`, the same in every attempt."});
    let fields = [
        ("id", id),
        ("taskId", text()),
        ("url", text()),
        ("state", json!({"type": "string", "enum": states})),
        ("attempts", count()),
        ("createTime", millis()),
        ("nextTime", json!({"type": ["integer", "null"]})),
        ("endTime", json!({"type": ["integer", "null"]})),
    ];
    let all: Vec<_> = fields.iter().chain(more).cloned().collect();
    object(&all, &[])
}
