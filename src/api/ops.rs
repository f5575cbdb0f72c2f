//! `/healthz`, `/readyz`, `/metrics`, and the answer to every path that is not ours.

use super::Api;
use super::auth::Admin;
use super::reply::{Refusal, json_response};
use crate::engine::Standing;
use crate::error::{Error, Kind};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `GET /healthz`: the process answers.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it takes work. 503 while it drains or cannot reach its store.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let not_ready = |why: &str| {
        let body = json!({"ready": false, "reason": why}).to_string();
        let mut response = json_response(StatusCode::SERVICE_UNAVAILABLE, body);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("5"));
        response
    };
    if api.0.engine.is_draining() {
        return not_ready("draining");
    }
    match api.0.engine.store().generation().await {
        Ok(_) => json_response(StatusCode::OK, readiness(&api).to_string()),
        Err(error) => {
            tracing::error!(%error, "not ready: the store does not answer");
            not_ready("the store does not answer")
        }
    }
}

/// What it can do besides. Anybody may read this, so reasons and names stand in the log alone.
fn readiness(api: &Api) -> Value {
    let engine = &api.0.engine;
    let mut ready = json!({"ready": true});
    if engine.refused_catalogue().is_some() {
        ready["catalogue"] =
            "the changed model files are refused; the former ones are in use".into();
    }
    let paused = engine
        .standings()
        .iter()
        .filter(|(_, standing)| standing.pause().is_some())
        .count();
    if paused > 0 {
        ready["paused_providers"] = paused.into();
    }
    ready
}

/// `GET /metrics` with an `admin` key.
pub(super) async fn metrics(State(api): State<Api>, _admin: Admin) -> Response {
    render_metrics(&api).await
}

/// `GET /metrics` on the operator's own address, without a key.
pub(super) async fn open_metrics(State(api): State<Api>) -> Response {
    render_metrics(&api).await
}

/// One of a breaker's states is 1, the others are 0.
fn gauge_breakers(api: &Api) {
    for (provider, standing) in api.0.engine.standings() {
        for state in Standing::NAMES {
            let is_in_it = f64::from(u8::from(standing.name() == state));
            metrics::gauge!("pinhole_provider_breaker", "provider" => provider.clone(), "state" => state)
                .set(is_in_it);
        }
    }
}

async fn render_metrics(api: &Api) -> Response {
    gauge_breakers(api);
    match api.0.engine.store().queue().await {
        Ok(depths) => {
            // A lane without tasks is in no row; its gauges must fall to zero all the same.
            for lane in api.0.engine.lanes() {
                for state in ["pending", "processing"] {
                    metrics::gauge!("pinhole_tasks", "lane" => lane.clone(), "state" => state)
                        .set(0.0);
                }
            }
            for depth in depths {
                let lane = depth.lane;
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge is a float; counts stay far below 2^53"
                )]
                for (state, count) in [
                    ("pending", depth.pending as f64),
                    ("processing", depth.processing as f64),
                ] {
                    metrics::gauge!("pinhole_tasks", "lane" => lane.clone(), "state" => state)
                        .set(count);
                }
            }
        }
        Err(error) => tracing::error!(%error, "the queue could not be counted"),
    }
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, content_type)], api.0.metrics.render()).into_response()
}

/// A path that is not ours: a fast 404 without a key, a limit or a log line, because agents probe a lot.
pub(super) async fn not_found(uri: Uri) -> Response {
    let path: String = uri.path().chars().take(100).collect();
    Refusal::at(
        uri.path(),
        Error::new(Kind::NotFound, format!("there is nothing at {path}")),
    )
    .into_response()
}

/// The path is ours, the method is not.
pub(super) async fn wrong_method(uri: Uri) -> Response {
    let error = Error::new(
        Kind::MethodNotAllowed,
        "this path does not take this method",
    );
    Refusal::at(uri.path(), error).into_response()
}
