//! `GET /v1/models` and `GET /v1/models/{id}`.

use super::Api;
use super::name::Name;
use super::reply::{Refusal, json_response};
use crate::catalogue::{self, Model};
use crate::dialect::flat::Flat;
use crate::error::{Error, Fault};
use crate::types::Caller;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// OpenAI's list says when a model was made; clients want a number and do nothing with it. Ours is the day of the
/// first release.
const CREATED: i64 = 1_795_219_200;

/// What the list may be asked.
#[derive(Deserialize)]
pub(super) struct Ask {
    /// Also the models that this key cannot call now, each with the reason.
    #[serde(default)]
    all: bool,
}

fn not_a_query() -> Error {
    Error::faults(vec![Fault {
        param: "all".to_owned(),
        code: "invalid_type",
        message: "the query takes `all=true` or `all=false` and nothing else".to_owned(),
    }])
}

/// `GET /v1/models`: what this key can call now.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    ask: Result<Query<Ask>, QueryRejection>,
) -> Response {
    let Ok(Query(ask)) = ask else {
        return Refusal::new(&Flat, not_a_query()).into_response();
    };
    let engine = &api.0.engine;
    let data: Vec<Value> = engine
        .catalogue()
        .models()
        .iter()
        .filter_map(|model| {
            let reason = engine.unavailable(&caller, model);
            (ask.all || reason.is_none()).then(|| card(model, reason))
        })
        .collect();
    json_response(
        StatusCode::OK,
        json!({"object": "list", "data": data}).to_string(),
    )
}

/// `GET /v1/models/{id}`; an id may contain slashes.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Name(id): Name) -> Response {
    match api.0.engine.catalogue().find(&id) {
        Some(model) => {
            let reason = api.0.engine.unavailable(&caller, model);
            json_response(StatusCode::OK, card(model, reason).to_string())
        }
        None => Refusal::new(&Flat, api.0.engine.unknown_model(&id)).into_response(),
    }
}

/// A model as the API shows it: OpenAI's fields first, then ours.
pub(super) fn card(model: &Model, unavailable: Option<String>) -> Value {
    let operations: Vec<_> = model
        .operations
        .iter()
        .map(|operation| operation.name())
        .collect();
    let mut card = json!({
        "id": model.id,
        "object": "model",
        "created": CREATED,
        "owned_by": model.owner,
        "name": model.name,
        "description": model.description,
        "modality": model.modality,
        "operations": operations,
        "aliases": model.aliases,
        "form_schema": catalogue::form(model),
        "pricing": catalogue::pricing(model),
        "status": model.status,
        "supported_endpoint_types": ["image-generation"],
    });
    if let Some(reason) = unavailable {
        card["unavailable"] = reason.into();
    }
    card
}
