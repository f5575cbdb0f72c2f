//! The task service's shape: `{code, msg, data}`, times in milliseconds.
//!
//! A poll has exactly the fields of the service that this one answers to: those that have nothing to say are absent. Only
//! of a task that waits it says more: how many start before it.
//! The history says more, under the same names.

use super::{Dialect, Reply, StreamedImage, StreamedText, asset_url, image_body};
use crate::error::{Error, Fault};
use crate::intake::Intake;
use crate::types::{
    Asset, Attempt, Delivery, DeliveryAttempt, DeliveryLog, Draft, Failure, Millis, Task, TaskId,
    TaskPage, TaskPlace, TaskState, Text,
};
use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// The shape.
pub struct TaskShape;

impl Dialect for TaskShape {
    /// The same bodies as everywhere, but that nothing is streamed: a stream that was asked for and did not come would
    /// be a request with another meaning.
    fn decode(&self, intake: &Intake) -> Result<Draft, Error> {
        let draft = image_body::decode(&intake.skeleton)?;
        match draft.field("stream") {
            Some(field) if field.value == true || field.value == "true" => {
                Err(Error::faults(vec![Fault {
                    param: field.path.clone(),
                    code: "not_supported",
                    message: format!(
                        "`{}` has no meaning here: a task is polled; POST /v1/images/generations streams",
                        field.path
                    ),
                }]))
            }
            _ => Ok(draft),
        }
    }

    /// What a poll answers, in any state.
    fn encode(&self, task: &Task) -> Reply {
        polled(task, None)
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

    /// There is one place for words, so it tells all faults.
    fn encode_error(&self, error: &Error) -> Value {
        let faults: Vec<&str> = error
            .faults
            .iter()
            .map(|fault| fault.message.as_str())
            .collect();
        let message = if faults.is_empty() {
            error.message.clone()
        } else {
            faults.join("; ")
        };
        json!({"code": error.kind.row().status, "msg": message, "data": null})
    }
}

/// What creating a task answers. A new task is `pending` to whoever made it, even if a slot was free and it runs by now:
/// clients of this shape compare with that word, and a poll says the rest.
pub fn created(task: &TaskId) -> Value {
    success(json!({"taskId": task.as_str(), "state": TaskState::Pending.name()}))
}

/// What a poll answers; of a task that waits, it also says how many tasks start before it.
pub fn polled(task: &Task, ahead: Option<u64>) -> Reply {
    let mut data = state(task);
    if let Some(ahead) = ahead {
        data.insert("tasksAhead".to_owned(), ahead.into());
    }
    Reply::json(&success(Value::Object(data)))
}

/// A page of the history.
pub fn history(page: &TaskPage) -> Value {
    let tasks: Vec<Value> = page
        .tasks
        .iter()
        .map(|task| Value::Object(row(task)))
        .collect();
    success(json!({"tasks": tasks, "nextCursor": page.next.as_ref().map(cursor)}))
}

/// Everything about one task, with the upstream calls that were made for it and what its callback came to.
pub fn detail(task: &Task, attempts: &[Attempt], log: Option<&DeliveryLog>) -> Value {
    let mut data = row(task);
    let request = &task.request;
    data.insert("operation".to_owned(), request.operation().name().into());
    data.insert("n".to_owned(), request.n().into());
    data.insert("param".to_owned(), json!(request.parameters()));
    if let Some(metadata) = &request.envelope().metadata {
        data.insert("metadata".to_owned(), metadata.clone());
    }
    data.insert("upstreamMs".to_owned(), task.upstream_ms.into());
    data.insert(
        "assets".to_owned(),
        task.assets
            .iter()
            .map(|asset| result(task, asset))
            .collect(),
    );
    if let Some(text) = &task.late_text {
        data.insert("lateText".to_owned(), late_text(text));
    }
    data.insert(
        "attempts".to_owned(),
        attempts.iter().map(attempt).collect(),
    );
    if let Some(callback) = &task.callback {
        data.insert("callbackUrl".to_owned(), callback.url.as_str().into());
    }
    data.insert(
        "deliveries".to_owned(),
        log.into_iter().map(delivery_with_log).collect(),
    );
    success(Value::Object(data))
}

/// A callback as it stands.
pub fn delivery(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id.as_str(),
        "taskId": delivery.task.as_str(),
        "url": delivery.url,
        "state": delivery.state.name(),
        "attempts": delivery.attempts,
        "createTime": delivery.created_at.0,
        // Of one that is being sent there is no next time yet.
        "nextTime": delivery.due_at.filter(|_| delivery.sent_at.is_none()).map(|at| at.0),
        "endTime": delivery.ended_at.map(|at| at.0),
    })
}

fn delivery_with_log(log: &DeliveryLog) -> Value {
    let mut told = delivery(&log.delivery);
    told["log"] = log.attempts.iter().map(delivery_attempt).collect();
    told
}

fn delivery_attempt(attempt: &DeliveryAttempt) -> Value {
    let took = attempt.ended_at.since(attempt.started_at).as_millis();
    json!({
        "number": attempt.number,
        "time": attempt.started_at.0,
        "ms": u64::try_from(took).unwrap_or(u64::MAX),
        "status": attempt.status,
        "problem": attempt.problem,
        "answer": attempt.answer,
    })
}

/// Where to go on, as a word without meaning to whoever holds it.
pub fn cursor(place: &TaskPlace) -> String {
    let text = format!("{} {}", place.created_at.0, place.task);
    URL_SAFE_NO_PAD.encode_to_string(text)
}

/// Reads back what [`cursor`] wrote.
pub fn read_cursor(text: &str) -> Option<TaskPlace> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
    let (at, task) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
    Some(TaskPlace {
        created_at: Millis(at.parse().ok()?),
        task: TaskId::parse(task)?,
    })
}

fn success(data: Value) -> Value {
    json!({"code": 200, "msg": "success", "data": data})
}

/// What a poll says.
fn state(task: &Task) -> Map<String, Value> {
    let mut data = Map::new();
    let mut say = |name: &str, value: Value| data.insert(name.to_owned(), value);
    say("taskId", task.id.as_str().into());
    say("state", task.state.name().into());
    if task.state == TaskState::Completed {
        let urls = task.results().map(|asset| asset_url(task, asset));
        say("resultUrls", urls.collect());
    }
    if let Some(text) = &task.text {
        say("resultText", text.content.as_str().into());
        say("finishReason", text.finish.name().into());
    }
    if let Some(failure) = &task.failure {
        say("failCode", fail_code(failure).into());
        say("failMsg", failure.message.as_str().into());
    }
    say("createTime", task.created_at.0.into());
    if let Some(at) = task.completed_at {
        say("completeTime", at.0.into());
    }
    data
}

/// What the history says of each task.
fn row(task: &Task) -> Map<String, Value> {
    let mut data = state(task);
    let mut say = |name: &str, value: Value| data.insert(name.to_owned(), value);
    say("model", task.request.model().into());
    say("mode", task.mode.name().into());
    say("keyId", task.key.as_str().into());
    say("quote", json!(task.quote.total));
    say("cost", json!(task.captured));
    if let Some(at) = task.started_at {
        say("startTime", at.0.into());
    }
    data
}

fn result(task: &Task, asset: &Asset) -> Value {
    json!({
        "url": asset_url(task, asset),
        "index": asset.index,
        "format": asset.picture.format.name(),
        "width": asset.picture.width,
        "height": asset.picture.height,
        "bytes": asset.picture.bytes,
        "revisedPrompt": asset.revised_prompt,
        "expireTime": asset.expires_at.map(|at| at.0),
        "late": asset.is_late,
    })
}

fn late_text(text: &Text) -> Value {
    json!({
        "text": text.content,
        "finishReason": text.finish.name(),
        "expireTime": text.expires_at.map(|at| at.0),
    })
}

/// An upstream call, without what is between the operator and the upstream: who it was and what it cost.
fn attempt(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "state": attempt.state.name(),
        "images": attempt.part.count,
        "failCode": attempt.failure.as_ref().map(fail_code),
        "failMsg": attempt.failure.as_ref().map(|failure| failure.message.as_str()),
        "createTime": attempt.created_at.0,
    })
}

pub(super) fn fail_code(failure: &Failure) -> &'static str {
    Error::from(failure).kind.row().code
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        let place = TaskPlace {
            created_at: Millis(1_705_123_450_000),
            task: TaskId::new(),
        };
        let text = cursor(&place);
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(read_cursor(&text), Some(place));
        let half = &text[..text.len() / 2];
        for wrong in ["", "x", "%", half, "MSAy", "\u{e9}"] {
            assert_eq!(read_cursor(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn all_faults_are_told_and_a_stream_is_refused() {
        let fault = |message: &str| Fault {
            param: "n".to_owned(),
            code: "x",
            message: message.to_owned(),
        };
        let body = TaskShape.encode_error(&Error::faults(vec![fault("one"), fault("two")]));
        assert_eq!(body, json!({"code": 400, "msg": "one; two", "data": null}));
        let decode = |body: &'static str| TaskShape.decode(&Intake::of(Bytes::from(body)));
        for streamed in [r#"{"stream":true}"#, r#"{"stream":"true"}"#] {
            let error = decode(streamed).expect_err("it is refused");
            assert_eq!(error.param(), Some("stream"));
        }
        assert!(decode(r#"{"stream":false}"#).is_ok());
    }
}
