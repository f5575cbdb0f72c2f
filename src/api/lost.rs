//! `/admin/v1/tasks`: what became of calls that the operator may have paid for nothing.

use super::Api;
use super::auth::Admin;
use super::params::{Params, wrong};
use super::reply::{Refusal, json_response};
use crate::error::{Error, Kind};
use crate::store::{Resolve, StoreError};
use crate::types::{MOST_BILLED, Millis, Money, Resolution, TaskId};
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `POST /admin/v1/tasks/resolve`: the operator's last word on one call. It is booked once, as a row that is never changed.
pub(super) async fn resolve(
    State(api): State<Api>,
    _admin: Admin,
    uri: Uri,
    params: Params,
) -> Response {
    match book(&api, params).await {
        Ok(booked) => {
            let mut response = json_response(StatusCode::OK, booked.to_string());
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => Refusal::at(uri.path(), error).into_response(),
    }
}

async fn book(api: &Api, params: Params) -> Result<Value, Error> {
    let resolve = read(params, api.0.engine.now())?;
    let (task, number) = (resolve.task.clone(), resolve.number);
    let booked = api.0.engine.store().resolve(resolve).await;
    let billed = booked.map_err(refusal)?;
    tracing::info!(task.id = %task, attempt = number, %billed, "it is noted what became of a call");
    Ok(json!({"taskId": task, "number": number, "billed": billed, "currency": "USD"}))
}

fn read(mut params: Params, at: Millis) -> Result<Resolve, Error> {
    let id = "the id of a task: `task_` and 32 hexadecimal digits";
    let task = params.read("task", id, TaskId::parse)?;
    let number = "the number of one of its calls, from 0";
    let number = params.read("attempt", number, |text| text.parse().ok())?;
    let outcome = params.read("outcome", "`billed` or `not_billed`", |text| {
        Resolution::from_name(text).filter(|found| *found != Resolution::Delivered)
    })?;
    let amount = format!("dollars like 0.04, from 0 to {MOST_BILLED}");
    let amount = params.read("amount", &amount, |text| {
        let amount: Option<Money> = text.parse().ok();
        amount.filter(|amount| (Money::ZERO..=MOST_BILLED).contains(amount))
    })?;
    let note = params.take("note")?;
    params.nothing_else(&["task", "attempt", "outcome", "amount", "note"])?;
    let is_billed = needed("outcome", outcome)? == Resolution::Billed;
    if amount.is_some() && !is_billed {
        let message = "`amount` goes with `outcome=billed`; what was not billed costs nothing";
        return Err(wrong("amount", "invalid_value", message));
    }
    Ok(Resolve {
        task: needed("task", task)?,
        number: needed("attempt", number)?,
        billed: if is_billed { amount } else { Some(Money::ZERO) },
        note,
        at,
    })
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, Error> {
    value.ok_or_else(|| wrong(name, "missing_parameter", format!("`{name}` is missing")))
}

fn refusal(error: StoreError) -> Error {
    match error {
        StoreError::NotFound(_) => Error::new(
            Kind::TaskNotFound,
            "there is no such call of unknown outcome, or its task has not ended",
        ),
        StoreError::Exists(what) => Error::new(
            Kind::AlreadyResolved,
            format!("{what} is known already; a correction is booked once"),
        ),
        other => {
            tracing::error!(error = %other, "what became of a call could not be noted");
            Error::internal()
        }
    }
}
