//! The task service's shape: `{code, msg, data}`, times in milliseconds.

use super::{Dialect, Reply, StreamedImage, StreamedText, asset_url};
use crate::error::{Error, Kind};
use crate::intake::Intake;
use crate::types::{Draft, Task, TaskState};
use serde_json::{Value, json};

/// The shape.
pub struct TaskShape;

impl Dialect for TaskShape {
    fn decode(&self, _intake: &Intake) -> Result<Draft, Error> {
        Err(Error::new(
            Kind::NotFound,
            "tasks are created by another call",
        ))
    }

    fn encode(&self, task: &Task) -> Reply {
        Reply::json(&json!({"code": 200, "msg": "success", "data": data(task)}))
    }

    /// Tasks are polled, not streamed; a stream in this shape would repeat the poll.
    fn encode_image(&self, _image: &StreamedImage<'_>) -> Reply {
        Reply { pieces: Vec::new() }
    }

    fn encode_text(&self, _text: &StreamedText<'_>) -> Reply {
        Reply { pieces: Vec::new() }
    }

    fn encode_late_error(&self, error: &Error) -> Reply {
        Reply::json(&self.encode_error(error))
    }

    fn encode_error(&self, error: &Error) -> Value {
        json!({"code": error.kind.row().status, "msg": error.message, "data": null})
    }
}

/// A task as the history shows it, in any state.
fn data(task: &Task) -> Value {
    let urls: Vec<String> = task
        .assets
        .iter()
        .map(|asset| asset_url(task, asset))
        .collect();
    let mut data = json!({
        "taskId": task.id.as_str(),
        "model": task.request.model(),
        "state": task.state.name(),
        "mode": task.mode.name(),
        "keyId": task.key.as_str(),
        "createTime": task.created_at.0,
        "quote": task.quote.total,
        "cost": task.captured,
    });
    if task.state == TaskState::Completed {
        data["resultUrls"] = urls.into();
    }
    if let Some(text) = &task.text {
        data["resultText"] = text.content.as_str().into();
        data["finishReason"] = text.finish.name().into();
    }
    if let Some(failure) = &task.failure {
        data["failCode"] = Error::from(failure).kind.row().code.into();
        data["failMsg"] = failure.message.as_str().into();
    }
    if let Some(at) = task.completed_at {
        data["completeTime"] = at.0.into();
    }
    data
}
