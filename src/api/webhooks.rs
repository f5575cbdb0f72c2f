//! `/admin/v1/webhooks`: callbacks of all accounts, for operators.

use super::Api;
use super::auth::Admin;
use super::params::{Params, wrong};
use super::reply::{Refusal, json_response};
use crate::dialect::task;
use crate::error::{Error, Kind};
use crate::store::StoreError;
use crate::store::outbox::{DeliveryListing, WINDOW};
use crate::types::{Account, AccountId, DeliveryState, Millis, SigningSecret, TaskId};
use crate::webhook::{post, told};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 1_000;

/// The most that one call sends again.
const MOST_AGAIN: u32 = 10_000;

/// The longest time in which a secret that was replaced signs on.
const LONGEST_OVERLAP_S: u64 = 90 * 86_400;
const OVERLAP_S: u64 = 86_400;

const WHEN: &str = "milliseconds since 1970, or a time like 2026-11-21 or 2026-11-21T08:00:00Z";

/// `GET /admin/v1/webhooks`: callbacks, the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    _admin: Admin,
    uri: Uri,
    mut params: Params,
) -> Response {
    let listed = async {
        let account = account_of(&api, &mut params).await?;
        let listing = read_listing(account.map(|account| account.id), params)?;
        let found = api.0.engine.store().list_deliveries(&listing).await;
        let rows: Vec<Value> = found
            .map_err(|error| unreadable(&error))?
            .iter()
            .map(task::delivery)
            .collect();
        Ok(json!({"object": "list", "data": rows}))
    };
    answer(&uri, listed.await)
}

fn read_listing(account: Option<AccountId>, mut params: Params) -> Result<DeliveryListing, Error> {
    let states = DeliveryState::ALL.map(DeliveryState::name).join(", ");
    let size = format!("a whole number between 1 and {LONGEST_PAGE}");
    let most = params.read("limit", &size, |text| {
        let number = text.parse().ok();
        number.filter(|number| (1..=LONGEST_PAGE).contains(number))
    })?;
    let listing = DeliveryListing {
        state: params.read(
            "state",
            &format!("one of {states}"),
            DeliveryState::from_name,
        )?,
        account,
        since: params.read("since", WHEN, Millis::parse)?,
        most: most.unwrap_or(PAGE),
    };
    params.nothing_else(&["state", "account", "since", "limit"])?;
    Ok(listing)
}

/// `POST /admin/v1/webhooks/resend`: sends one again, or all that were given up since a time.
pub(super) async fn resend(
    State(api): State<Api>,
    _admin: Admin,
    uri: Uri,
    mut params: Params,
) -> Response {
    let sent = async {
        let task = params.read(
            "task",
            "the id of a task: `task_` and 32 hexadecimal digits",
            TaskId::parse,
        )?;
        let since = params.read("failed_since", WHEN, Millis::parse)?;
        params.nothing_else(&["task", "failed_since"])?;
        let again = match (task, since) {
            (Some(task), None) => one_again(&api, &task).await?,
            (None, Some(since)) => Some(failed_again(&api, since).await?),
            _ => {
                let message = "say one of `task` and `failed_since`";
                return Err(wrong("task", "missing_parameter", message));
            }
        };
        Ok(match again {
            Some(again) => json!({"resent": again}),
            None => json!({"resent": 0, "note": told::UNDER_WAY}),
        })
    };
    answer(&uri, sent.await)
}

/// `None` if it is being sent at this moment, so that nothing is changed.
async fn one_again(api: &Api, task: &TaskId) -> Result<Option<u32>, Error> {
    let engine = &api.0.engine;
    let again = engine
        .store()
        .resend_delivery(task, engine.now(), WINDOW)
        .await;
    let Some(delivery) = again.map_err(|error| unreadable(&error))? else {
        let message = "there is no such task, or its end was to be told to nobody";
        return Err(Error::new(Kind::TaskNotFound, message));
    };
    if delivery.sent_at.is_some() {
        return Ok(None);
    }
    engine.wake_sender(&delivery.destination);
    Ok(Some(1))
}

/// The sender finds them at its next look.
async fn failed_again(api: &Api, since: Millis) -> Result<u32, Error> {
    let engine = &api.0.engine;
    let store = engine.store();
    let again = store.resend_failed_deliveries(since, engine.now(), WINDOW, MOST_AGAIN);
    again.await.map_err(|error| unreadable(&error))
}

/// `POST /admin/v1/webhooks/test`: calls a URL as a callback would, and says what came of it.
pub(super) async fn test(
    State(api): State<Api>,
    _admin: Admin,
    uri: Uri,
    mut params: Params,
) -> Response {
    let tested = async {
        let engine = &api.0.engine;
        let url = params.take("url")?;
        let account = account_or_default(&api, &mut params).await?;
        params.nothing_else(&["url", "account"])?;
        let url = url.ok_or_else(|| wrong("url", "missing_parameter", "`url` is missing"))?;
        let now = engine.now();
        let secrets = engine.store().signing_secrets(&account.id, now).await;
        let secrets = secrets.map_err(|error| unreadable(&error))?;
        let outcome = post::test(engine.outbound(), &url, &secrets, now).await;
        Ok(told::outcome(&outcome))
    };
    answer(&uri, tested.await)
}

/// `GET /admin/v1/webhooks/secret`: what signs an account's callbacks.
pub(super) async fn show_secret(
    State(api): State<Api>,
    _admin: Admin,
    uri: Uri,
    mut params: Params,
) -> Response {
    let shown = async {
        let account = account_or_default(&api, &mut params).await?;
        params.nothing_else(&["account"])?;
        secrets_of(&api, &account).await
    };
    answer(&uri, shown.await)
}

/// `POST /admin/v1/webhooks/secret`: a new secret; the one before it signs on for a while.
pub(super) async fn rotate_secret(
    State(api): State<Api>,
    _admin: Admin,
    uri: Uri,
    mut params: Params,
) -> Response {
    let rotated = async {
        let account = account_or_default(&api, &mut params).await?;
        let right = format!("a whole number of seconds up to {LONGEST_OVERLAP_S}");
        let overlap = params.read("overlap_s", &right, |text| {
            let number = text.parse().ok();
            number.filter(|seconds| *seconds <= LONGEST_OVERLAP_S)
        })?;
        params.nothing_else(&["account", "overlap_s"])?;
        let now = api.0.engine.now();
        let retires_at = now.after(Duration::from_secs(overlap.unwrap_or(OVERLAP_S)));
        let store = api.0.engine.store();
        let secret = SigningSecret::generate();
        let rotated = store.rotate_signing_secret(&account.id, secret, now, retires_at);
        rotated.await.map_err(|error| unreadable(&error))?;
        secrets_of(&api, &account).await
    };
    answer(&uri, rotated.await)
}

async fn secrets_of(api: &Api, account: &Account) -> Result<Value, Error> {
    let engine = &api.0.engine;
    let store = engine.store();
    let signing = store.signing_secrets(&account.id, engine.now()).await;
    let signing = signing.map_err(|error| unreadable(&error))?;
    Ok(told::secrets(account, &signing))
}

async fn account_of(api: &Api, params: &mut Params) -> Result<Option<Account>, Error> {
    let Some(name) = params.take("account")? else {
        return Ok(None);
    };
    let found = api.0.engine.store().find_account(&name).await;
    let found = found.map_err(|error| unreadable(&error))?;
    let message = "`account` must be the name or the id of an account";
    found
        .map(Some)
        .ok_or_else(|| wrong("account", "invalid_value", message))
}

/// The one that a fresh install begins with, if none is named.
async fn account_or_default(api: &Api, params: &mut Params) -> Result<Account, Error> {
    if let Some(account) = account_of(api, params).await? {
        return Ok(account);
    }
    let found = api.0.engine.store().find_account("default").await;
    let found = found.map_err(|error| unreadable(&error))?;
    found.ok_or_else(|| wrong("account", "missing_parameter", "`account` is missing"))
}

/// Secrets must not lie in anybody's cache, and what is listed is old the next moment.
fn answer(uri: &Uri, told: Result<Value, Error>) -> Response {
    let body = match told {
        Err(error) => return Refusal::at(uri.path(), error).into_response(),
        Ok(body) => body,
    };
    let mut response = json_response(StatusCode::OK, body.to_string());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn unreadable(error: &StoreError) -> Error {
    tracing::error!(%error, "callbacks could not be read or written");
    Error::internal()
}
