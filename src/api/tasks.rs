//! `/api/v1/tasks`: the account's history.

use super::Api;
use super::name::Name;
use super::params::{Params, wrong};
use super::reply::{Refusal, json_response};
use crate::dialect::task::{self, TaskShape};
use crate::error::{Error, Kind};
use crate::store::{Listing, StoreError};
use crate::types::{Caller, KeyId, Millis, Task, TaskFilter, TaskId, TaskState};
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::time::Duration;

/// Every parameter of the list.
const PARAMS: &[&str] = &["state", "model", "key", "since", "until", "limit", "cursor"];

/// How many tasks a page has unless the client says, and at most.
const PAGE: u32 = 20;
const LONGEST_PAGE: u32 = 100;

/// How many tasks a page's filter is held against. Half a million take most of a second; this is a fiftieth of it.
const LOOK_AT: u32 = 10_000;

/// `GET /api/v1/tasks`: newest first, page by page.
pub(super) async fn list(State(api): State<Api>, caller: Caller, params: Params) -> Response {
    let listed = async {
        let listing = read_listing(&api, params)?;
        let store = api.0.engine.store();
        let page = store.list_tasks(&caller.account.id, &listing).await;
        page.map_err(|error| unreadable(&error))
    };
    match listed.await {
        Err(error) => Refusal::new(&TaskShape, error).into_response(),
        Ok(page) => fresh(task::history(&page)),
    }
}

/// `GET /api/v1/tasks/{id}`: one task of the caller's account, in any state.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Name(id): Name) -> Response {
    let found = async {
        let task = find_task(&api, &caller, &id).await?;
        let store = api.0.engine.store();
        let read = async {
            let attempts = store.list_attempts(&task.id).await?;
            let delivery = match &task.callback {
                Some(_) => store.find_delivery(&task.id).await?,
                None => None,
            };
            Ok(task::detail(&task, &attempts, delivery.as_ref()))
        };
        read.await.map_err(|error| unreadable(&error))
    };
    match found.await {
        Err(error) => Refusal::new(&TaskShape, error).into_response(),
        Ok(told) => fresh(told),
    }
}

/// A reply that is old the next moment.
fn fresh(body: Value) -> Response {
    let mut response = json_response(StatusCode::OK, body.to_string());
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn read_listing(api: &Api, mut params: Params) -> Result<Listing, Error> {
    let states = TaskState::ALL.map(TaskState::name).join(", ");
    let when = "milliseconds since 1970, or a time like 2026-11-21 or 2026-11-21T08:00:00Z";
    let size = format!("a whole number between 1 and {LONGEST_PAGE}");
    let filter = TaskFilter {
        state: params.read("state", &format!("one of {states}"), TaskState::from_name)?,
        model: params.read("model", "the id of a model", |text| model(api, text))?,
        key: params.read("key", "the id of a key: `key_` and 32 digits", KeyId::parse)?,
        since: params.read("since", when, Millis::parse)?,
        until: params.read("until", when, Millis::parse)?,
    };
    let most = params.read("limit", &size, |text| {
        let number = text.parse().ok();
        number.filter(|number| (1..=LONGEST_PAGE).contains(number))
    })?;
    let after = params.read("cursor", "the `nextCursor` of a page", task::read_cursor)?;
    params.nothing_else(PARAMS)?;
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && since > until
    {
        let message = "`since` must not be after `until`";
        return Err(wrong("since", "invalid_value", message));
    }
    Ok(Listing {
        filter,
        after,
        most: most.unwrap_or(PAGE),
        look_at: LOOK_AT,
    })
}

/// The catalogue's id of a model, by any of its names. One that has left the catalogue may still stand in the history.
fn model(api: &Api, text: &str) -> Option<String> {
    if text.is_empty() || text.len() > 200 {
        return None;
    }
    let catalogue = api.0.engine.catalogue();
    let known = catalogue.find(text);
    Some(known.map_or_else(|| text.to_owned(), |model| model.id.clone()))
}

/// Another account's task answers as one that never was.
pub(super) async fn find_task(api: &Api, caller: &Caller, id: &str) -> Result<Task, Error> {
    let id = TaskId::parse(id).ok_or_else(unknown_task)?;
    let found = api.0.engine.look(caller, &id, Duration::ZERO).await?;
    found.ok_or_else(unknown_task)
}

pub(super) fn unknown_task() -> Error {
    Error::new(Kind::TaskNotFound, "there is no such task")
}

/// A later look finds the results only as long as they are kept.
pub(super) fn check_kept(api: &Api, task: &Task) -> Result<(), Error> {
    let now = api.0.engine.now();
    let mut ends = task
        .results()
        .map(|asset| asset.expires_at)
        .chain(task.text.iter().map(|text| text.expires_at))
        .flatten();
    if ends.any(|at| at <= now) {
        let message = "the results of this task were deleted when their time was over";
        return Err(Error::new(Kind::Gone, message));
    }
    Ok(())
}

fn unreadable(error: &StoreError) -> Error {
    tracing::error!(%error, "the history could not be read");
    Error::internal()
}
