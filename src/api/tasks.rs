//! `GET /api/v1/tasks/{id}`.

use super::Api;
use super::name::Name;
use super::reply::{Refusal, send};
use crate::dialect::Dialect;
use crate::dialect::task::TaskShape;
use crate::error::{Error, Kind};
use crate::types::{Caller, Task, TaskId};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

/// `GET /api/v1/tasks/{id}`: one task of the caller's account, in any state.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Name(id): Name) -> Response {
    match find_task(&api, &caller, &id).await {
        Err(error) => Refusal::new(&TaskShape, error).into_response(),
        Ok(task) => {
            let mut response = send(TaskShape.encode(&task), api.0.engine.blobs());
            response
                .headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
    }
}

/// Another account's task answers as one that never was.
pub(super) async fn find_task(api: &Api, caller: &Caller, id: &str) -> Result<Task, Error> {
    let unknown = || Error::new(Kind::TaskNotFound, "there is no such task");
    let id = TaskId::parse(id).ok_or_else(unknown)?;
    let found = api
        .0
        .engine
        .store()
        .find_task(&caller.account.id, &id)
        .await
        .map_err(|error| {
            tracing::error!(%error, task.id = %id, "a task could not be read");
            Error::internal()
        })?;
    found.ok_or_else(unknown)
}
