//! `/api/v1/images/generations`: create a task, poll it, cancel it.

use super::marks::Marks;
use super::params::{Params, wrong};
use super::prefer::Preferences;
use super::reply::{Refusal, json_response, send};
use super::tasks::{check_kept, unknown_task};
use super::{Api, body, handed};
use crate::dialect::task::{self, TaskShape};
use crate::engine::Accepted;
use crate::error::Error;
use crate::types::{Caller, Task, TaskId};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::{Duration, Instant};

/// Where tasks are created, polled and cancelled.
pub(super) const PATH: &str = "/api/v1/images/generations";

/// How long a poll waits at most: shorter than the patience of the proxies and clients in between.
const LONGEST_POLL: Duration = Duration::from_secs(60);

/// `POST /api/v1/images/generations`: accepts a task. Who prefers to wait gets what a poll would say if it ends in time.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = Instant::now();
    let accepted = async {
        api.0.engine.may_admit(&caller)?;
        let ask = body::read_json(&api, &headers, body, &TaskShape).await?;
        let origin = body::origin(&api, &headers, PATH, &ask, false)?;
        api.0.engine.generate(&caller, ask, origin).await
    };
    match accepted.await {
        Err(error) => Refusal::new(&TaskShape, error).into_response(),
        Ok(mut accepted) => {
            tracing::info!(
                task.id = %accepted.task,
                model.id = accepted.request.model(),
                mode = accepted.mode.name(),
                "accepted"
            );
            // A client that hangs up drops it with everything here.
            let unanswered = accepted.unanswered.take();
            let patience = Preferences::of(&headers).wait.unwrap_or_default();
            let response = answer(&api, accepted, patience, received).await;
            handed::over(response, unanswered)
        }
    }
}

async fn answer(api: &Api, accepted: Accepted, patience: Duration, received: Instant) -> Response {
    let mut marks = Marks::of(&accepted);
    let created = task::created(&accepted.task);
    let ended = match patience {
        Duration::ZERO => None,
        _ => accepted.wait(patience.min(LONGEST_POLL)).await.ok(),
    };
    let mut response = match ended {
        None => json_response(StatusCode::OK, created.to_string()),
        Some(task) => {
            marks.settled(&task, received.elapsed());
            tell(api, &task).await
        }
    };
    marks.write(response.headers_mut());
    response
}

/// `GET /api/v1/images/generations?task_id=…`: how a task is; with `wait=N`, how it is when it ends, or then.
pub(super) async fn poll(State(api): State<Api>, caller: Caller, mut params: Params) -> Response {
    let found = async {
        let id = task_id(&mut params)?;
        let seconds = params.read("wait", "a whole number of seconds", |text| {
            text.parse().ok()
        })?;
        params.nothing_else(&["task_id", "wait"])?;
        let patience = Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_POLL);
        let found = api.0.engine.look(&caller, &id, patience).await?;
        found.ok_or_else(unknown_task)
    };
    match found.await {
        Err(error) => Refusal::new(&TaskShape, error).into_response(),
        Ok(task) => {
            let mut response = tell(&api, &task).await;
            Marks::of_later_look(&task).write(response.headers_mut());
            response
        }
    }
}

/// `DELETE /api/v1/images/generations?task_id=…`: ends a task that waits. One that has ended stays as it is.
pub(super) async fn cancel(State(api): State<Api>, caller: Caller, mut params: Params) -> Response {
    let cancelled = async {
        let id = task_id(&mut params)?;
        params.nothing_else(&["task_id"])?;
        let cancelled = api.0.engine.cancel(&caller, &id).await?;
        cancelled.ok_or_else(unknown_task)
    };
    match cancelled.await {
        Err(error) => Refusal::new(&TaskShape, error).into_response(),
        Ok(task) => {
            let mut response = say(&api, &task).await;
            Marks::of_later_look(&task).write(response.headers_mut());
            response
        }
    }
}

fn task_id(params: &mut Params) -> Result<TaskId, Error> {
    let right = "the id of a task: `task_` and 32 hexadecimal digits";
    let id = params.read("task_id", right, TaskId::parse)?;
    id.ok_or_else(|| {
        let message = format!("`task_id` is missing; name the task, like {PATH}?task_id=task_…");
        wrong("task_id", "missing_parameter", message)
    })
}

/// The state of a task, unless its results are gone.
async fn tell(api: &Api, task: &Task) -> Response {
    match check_kept(api, task) {
        Err(error) => Refusal::new(&TaskShape, error).into_response(),
        Ok(()) => say(api, task).await,
    }
}

/// The state of a task; if it goes on, with a time to ask again.
async fn say(api: &Api, task: &Task) -> Response {
    let ahead = api.0.engine.tasks_ahead(task).await;
    let mut response = send(task::polled(task, ahead), api.0.engine.blobs());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !task.state.is_terminal() {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
