//! Every route, grouped by who calls it.

use super::{
    Api, account, admin, chat, files, images, linger, models, ops, task_service, tasks, uploads,
};
use crate::error::Error;
use crate::types::RequestId;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tracing::Instrument;

/// The service as clients see it.
pub fn router(api: Api) -> Router {
    Router::new()
        // OpenAI's clients
        .route("/v1/images/generations", post(images::generate))
        .route("/v1/images/generations/{task}", get(images::show))
        .route("/v1/images/edits", post(images::edit))
        .route("/v1/images/variations", post(images::variations))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/files", post(uploads::create).get(uploads::list))
        .route("/v1/files/{id}", get(uploads::show).delete(uploads::delete))
        .route("/v1/files/{id}/content", get(uploads::content))
        .route("/v1/quote", post(images::quote))
        .route("/v1/models", get(models::list))
        // … and, below it, `{id}/schema`: an id may contain slashes.
        .route("/v1/models/{*id}", get(models::show))
        .route("/v1/balance", get(account::balance))
        .route("/v1/usage", get(account::usage))
        // the task service's clients
        .route(
            "/api/v1/images/generations",
            post(task_service::create)
                .get(task_service::poll)
                .delete(task_service::cancel),
        )
        .route("/api/v1/tasks", get(tasks::list))
        .route("/api/v1/tasks/{id}", get(tasks::show))
        // browsers
        .route("/files/{asset}", get(files::show))
        // operators
        .route("/admin/v1/providers", get(admin::providers))
        .route("/healthz", get(ops::health))
        .route("/readyz", get(ops::ready))
        .route("/metrics", get(ops::metrics))
        .fallback(ops::not_found)
        .method_not_allowed_fallback(ops::wrong_method)
        .layer(from_fn_with_state(api.clone(), mark))
        .with_state(api)
}

/// What `PINHOLE_METRICS_LISTEN` serves.
pub(super) fn metrics_router(api: Api) -> Router {
    Router::new()
        .route("/metrics", get(ops::open_metrics))
        .route("/healthz", get(ops::health))
        .with_state(api)
}

/// HTTP/2 names the host in the request's target; what follows reads the header.
fn name_host(request: &mut Request) {
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned());
    if let Some(host) = authority.and_then(|host| HeaderValue::try_from(host).ok())
        && !request.headers().contains_key(HOST)
    {
        request.headers_mut().insert(HOST, host);
    }
}

/// Gives each request an id, in its log lines and its reply, and turns a panic into a 500.
async fn mark(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    name_host(&mut request);
    let id = RequestId::new();
    let started = Instant::now();
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", request.id = %id, http.method = %request.method());
    let (request, rest) = linger::share(request);
    let answered = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let mut response = answered.unwrap_or_else(|_panic| {
        span.in_scope(|| tracing::error!(http.path = path, "a handler panicked"));
        super::reply::Refusal::at(&path, Error::internal()).into_response()
    });
    if response.status().is_client_error() || response.status().is_server_error() {
        rest.forget(api.0.settings.timeouts.after_refusal).await;
    }
    span.in_scope(|| {
        let duration_ms = started.elapsed().as_millis();
        tracing::debug!(
            http.path = path,
            http.status = response.status().as_u16(),
            duration_ms,
            "answered"
        );
    });
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
