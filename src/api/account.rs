//! `GET /v1/balance`.

use super::Api;
use super::reply::{Refusal, json_response};
use crate::dialect::flat::Flat;
use crate::error::Error;
use crate::types::{Caller, CreditLine};
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
