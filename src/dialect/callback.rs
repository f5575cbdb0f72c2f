//! What a callback says of a task that has ended, in the shape of the task service.
//!
//! It is made anew for each attempt, from rows that do not change any more, so that every attempt says the same.

use super::asset_url;
use super::task::fail_code;
use crate::types::{Callback, Millis, Task, TaskId, TaskState};
use serde_json::{Map, Value, json};

/// The body of a callback, as JSON. `param` and `resultJson` are texts that hold JSON themselves: receivers of this shape
/// parse them once more.
pub fn body(task: &Task, callback: &Callback) -> String {
    let is_completed = task.state == TaskState::Completed;
    let (code, msg) = match is_completed {
        true => (200, "success"),
        false => (501, "failed"),
    };
    let ended = task.completed_at.unwrap_or(task.created_at);
    let failure = task.failure.as_ref();
    let data = json!({
        "taskId": task.id.as_str(),
        "model": callback.model,
        "state": task.state.name(),
        "param": Value::Object(param(task, callback)).to_string(),
        "resultJson": is_completed.then(|| Value::Object(result(task)).to_string()),
        "failCode": failure.map(fail_code),
        "failMsg": failure.map(|failure| failure.message.as_str()),
        "costTime": u64::try_from(ended.since(task.created_at).as_millis()).unwrap_or(u64::MAX),
        "completeTime": ended.0,
        "createTime": task.created_at.0,
    });
    json!({"code": code, "msg": msg, "data": data}).to_string()
}

/// What was asked, with images as the client named them.
fn param(task: &Task, callback: &Callback) -> Map<String, Value> {
    let request = &task.request;
    let mut param: Map<String, Value> = request.parameters().clone().into_iter().collect();
    param.extend(callback.inputs.clone());
    if request.n() > 1 {
        param.insert("n".to_owned(), request.n().into());
    }
    if let Some(metadata) = &request.envelope().metadata {
        param.insert("metadata".to_owned(), metadata.clone());
    }
    param
}

fn result(task: &Task) -> Map<String, Value> {
    let urls = task.results().map(|asset| asset_url(task, asset));
    let mut result = Map::new();
    result.insert("resultUrls".to_owned(), urls.collect());
    if let Some(text) = &task.text {
        result.insert("resultText".to_owned(), text.content.as_str().into());
        result.insert("finishReason".to_owned(), text.finish.name().into());
    }
    result
}

/// The body of a test: what a completed task would say, without one.
pub fn sample(at: Millis) -> String {
    let param = json!({"prompt": "a test of this webhook"});
    let result = json!({"resultUrls": []});
    let data = json!({
        "taskId": format!("{}{}", TaskId::PREFIX, "0".repeat(32)),
        "model": "pinhole/test",
        "state": TaskState::Completed.name(),
        "param": param.to_string(),
        "resultJson": result.to_string(),
        "failCode": null,
        "failMsg": null,
        "costTime": 0,
        "completeTime": at.0,
        "createTime": at.0,
    });
    json!({"code": 200, "msg": "success", "data": data}).to_string()
}
