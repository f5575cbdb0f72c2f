//! `GET /v1/models`, `GET /v1/models/{id}` and its `/schema`.

use super::Api;
use super::body::public_url;
use super::name::Name;
use super::params::Params;
use super::reply::{Refusal, json_response};
use crate::catalogue::{self, Catalogue, Model};
use crate::dialect::flat::Flat;
use crate::error::Error;
use crate::types::{Caller, Modality};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// OpenAI's list says when a model was made; clients want a number and do nothing with it. Ours is the day of the
/// first release.
const CREATED: i64 = 1_795_219_200;

/// What follows a model's id in the address of its JSON Schema.
const SCHEMA: &str = "/schema";

/// What pages of OpenAI's other lists are asked by, which its clients may say here too. This list has one page.
const OF_PAGES: [&str; 4] = ["limit", "after", "before", "order"];

/// `GET /v1/models`: what this key can call now; with `all=true` also the other models, each with the reason.
pub(super) async fn list(State(api): State<Api>, caller: Caller, params: Params) -> Response {
    let all = match wants_all(params) {
        Ok(all) => all,
        Err(error) => return Refusal::new(&Flat, error).into_response(),
    };
    let engine = &api.0.engine;
    let catalogue = engine.catalogue();
    let data: Vec<Value> = catalogue
        .models()
        .iter()
        .filter_map(|model| {
            let reason = engine.unavailable(&caller, model);
            (all || reason.is_none()).then(|| card(model, reason))
        })
        .collect();
    json_response(
        StatusCode::OK,
        json!({"object": "list", "data": data}).to_string(),
    )
}

fn wants_all(mut params: Params) -> Result<bool, Error> {
    let all = params.read("all", "true or false", |text| text.parse().ok())?;
    for name in OF_PAGES {
        params.take(name)?;
    }
    params.nothing_else(&["all"])?;
    Ok(all.unwrap_or(false))
}

/// `GET /v1/models/{id}` and `GET /v1/models/{id}/schema`; an id may contain slashes, and even end in `/schema`.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Name(path): Name,
) -> Response {
    let engine = &api.0.engine;
    let catalogue = engine.catalogue();
    if let Some(model) = catalogue.find(&path) {
        let reason = engine.unavailable(&caller, model);
        return json_response(StatusCode::OK, card(model, reason).to_string());
    }
    let id = path.strip_suffix(SCHEMA);
    match id.and_then(|id| catalogue.find(id)) {
        Some(model) => {
            let schemas = api.0.schemas.of(&catalogue, || all_schemas(&catalogue));
            schema(model, &schemas, &public_url(&api, &headers))
        }
        None => Refusal::new(&Flat, engine.unknown_model(id.unwrap_or(&path))).into_response(),
    }
}

/// Every model's JSON Schema, by its id.
pub(super) type Schemas = Arc<BTreeMap<String, Value>>;

fn all_schemas(catalogue: &Catalogue) -> Schemas {
    let models = catalogue.models().iter();
    let schemas = models.map(|model| (model.id.clone(), catalogue::json_schema(model)));
    Arc::new(schemas.collect())
}

/// A model's JSON Schema, whose `$id` is the address where this client finds it.
fn schema(model: &Model, schemas: &Schemas, public_url: &str) -> Response {
    let kept = schemas.get(&model.id).cloned();
    let mut schema = kept.unwrap_or_else(|| catalogue::json_schema(model));
    schema["$id"] = format!("{public_url}/v1/models/{}{SCHEMA}", model.id).into();
    let headers = [(CONTENT_TYPE, "application/schema+json")];
    (headers, schema.to_string()).into_response()
}

/// In the words of new-api, by which clients such as Cherry Studio choose: `openai` is `/v1/chat/completions`.
fn endpoint_types(modality: Modality) -> &'static [&'static str] {
    match modality {
        Modality::Image => &["image-generation", "openai"],
        Modality::Text => &["openai"],
        Modality::Video | Modality::Audio => &[],
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
        "supported_endpoint_types": endpoint_types(model.modality),
    });
    if let Some(reason) = unavailable {
        card["unavailable"] = reason.into();
    }
    card
}
