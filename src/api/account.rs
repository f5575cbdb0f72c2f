//! `GET /v1/balance` and `GET /v1/usage`: what the caller's account has, and what it used.

use super::Api;
use super::params::{Params, wrong};
use super::reply::{Refusal, json_response};
use crate::dialect::flat::Flat;
use crate::dialect::usage;
use crate::engine::consumption;
use crate::error::{Error, Fault};
use crate::store::StoreError;
use crate::types::{Caller, CreditLine, NotAPeriod, Period, UsageBy};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `GET /v1/balance`: what the caller's account has.
pub(super) async fn balance(State(api): State<Api>, caller: Caller) -> Response {
    match api.0.engine.store().balance(&caller.account.id).await {
        Err(error) => {
            tracing::error!(%error, "a balance could not be read");
            Refusal::new(&Flat, Error::internal()).into_response()
        }
        Ok(balance) => {
            let credit_line = match caller.account.credit_line {
                CreditLine::Unlimited => None,
                CreditLine::UpTo(amount) => Some(amount),
            };
            let body = json!({
                "object": "balance",
                "account": caller.account.name,
                "currency": "USD",
                "available": balance.available,
                "held": balance.held,
                "credit_line": credit_line,
                "unlimited": credit_line.is_none(),
            });
            json_response(StatusCode::OK, body.to_string())
        }
    }
}

/// `GET /v1/usage`: what the caller's account used in a period, told apart by model, key, day or mode.
pub(super) async fn usage(State(api): State<Api>, caller: Caller, mut params: Params) -> Response {
    let engine = &api.0.engine;
    let (account, store) = (&caller.account, engine.store());
    let told = async {
        let (start, end) = (params.take("start")?, params.take("end")?);
        let groups = format!("one of {}", UsageBy::ALL.map(UsageBy::name).join(", "));
        let by = params.read("group_by", &groups, UsageBy::from_name)?;
        params.nothing_else(&["start", "end", "group_by"])?;
        let period = Period::read(start.as_deref(), end.as_deref(), engine.now());
        let period = period.map_err(not_a_period)?;
        let told = consumption(&**store, &account.id, period, by).await;
        let told = told.map_err(refused)?;
        Ok(usage::encode(
            &account.name,
            period,
            by,
            &told.total,
            &told.groups,
        ))
    };
    match told.await {
        Ok(body) => json_response(StatusCode::OK, body.to_string()),
        Err(error) => Refusal::new(&Flat, error).into_response(),
    }
}

fn not_a_period(NotAPeriod { name, right }: NotAPeriod) -> Error {
    wrong(name, "invalid_value", format!("`{name}` must be {right}"))
}

fn refused(error: StoreError) -> Error {
    match error {
        StoreError::TooManyGroups(most) => Error::faults(vec![Fault {
            param: "group_by".to_owned(),
            code: "too_many_groups",
            message: format!(
                "the period has more than {most} groups; ask for a shorter one, or group by something else"
            ),
        }]),
        error => {
            tracing::error!(%error, "usage could not be added up");
            Error::internal()
        }
    }
}
