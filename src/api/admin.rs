//! `/admin/v1`: what an operator's commands ask a running server, with a key of the scope `admin`.

use super::Api;
use super::auth::Admin;
use super::reply::json_response;
use crate::engine::Standing;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;

/// `GET /admin/v1/providers`: what is turned on, where it calls, and whether it may be called now.
pub(super) async fn providers(State(api): State<Api>, _admin: Admin) -> Response {
    let engine = &api.0.engine;
    let standings: HashMap<String, Standing> = engine.standings().into_iter().collect();
    let rows: Vec<Value> = engine
        .providers()
        .iter()
        .map(|(name, provider)| {
            let standing = standings.get(name);
            json!({
                "name": name,
                "base_url": provider.address(),
                "concurrency": provider.traits().concurrency,
                // Null: it is never paused.
                "breaker": standing.map(|standing| standing.name()),
                "pause_s": standing.and_then(|standing| standing.pause()).map(|wait| wait.as_secs() + 1),
            })
        })
        .collect();
    let body = json!({"object": "list", "data": rows});
    json_response(StatusCode::OK, body.to_string())
}
