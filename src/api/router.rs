//! Every route, grouped by who calls it.

use super::openapi::{self as of, Operation};
use super::{
    Api, account, admin, chat, files, images, linger, llms, lost, models, ops, task_service, tasks,
    uploads, webhooks,
};
use crate::error::{Error, clipped};
use crate::types::RequestId;
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::header::HOST;
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tracing::Instrument;

/// Every route with its description: the router serves this table, `/openapi.json` prints it.
pub(super) fn routes() -> Vec<Route> {
    vec![
        // OpenAI's clients
        post(
            "/v1/images/generations",
            images::generate,
            of::images::generate,
        ),
        get(
            "/v1/images/generations/{task}",
            images::show,
            of::images::show,
        ),
        post("/v1/images/edits", images::edit, of::images::edit),
        post(
            "/v1/images/variations",
            images::variations,
            of::images::variations,
        ),
        post("/v1/chat/completions", chat::complete, of::chat::complete),
        post("/v1/files", uploads::create, of::uploads::create),
        get("/v1/files", uploads::list, of::uploads::list),
        get("/v1/files/{id}", uploads::show, of::uploads::show),
        delete("/v1/files/{id}", uploads::delete, of::uploads::delete),
        get(
            "/v1/files/{id}/content",
            uploads::content,
            of::uploads::content,
        ),
        post("/v1/quote", images::quote, of::images::quote),
        get("/v1/models", models::list, of::models::list),
        // An id may contain slashes.
        get("/v1/models/{*id}", models::show, of::models::show)
            .and("/v1/models/{id}/schema", of::models::show_schema),
        get("/v1/balance", account::balance, of::account::balance),
        get("/v1/usage", account::usage, of::account::usage),
        // the task service's clients
        post(TASKS, task_service::create, of::task_service::create),
        get(TASKS, task_service::poll, of::task_service::poll),
        delete(TASKS, task_service::cancel, of::task_service::cancel),
        get("/api/v1/tasks", tasks::list, of::tasks::list),
        get("/api/v1/tasks/{id}", tasks::show, of::tasks::show),
        // browsers
        get("/files/{asset}", files::show, of::files::show),
        // operators and machines
        get("/admin/v1/providers", admin::providers, of::ops::providers),
        post("/admin/v1/tasks/resolve", lost::resolve, of::lost::resolve),
        get("/admin/v1/webhooks", webhooks::list, of::webhooks::list),
        post(
            "/admin/v1/webhooks/resend",
            webhooks::resend,
            of::webhooks::resend,
        ),
        post(
            "/admin/v1/webhooks/test",
            webhooks::test,
            of::webhooks::test,
        ),
        get(
            "/admin/v1/webhooks/secret",
            webhooks::show_secret,
            of::webhooks::show_secret,
        ),
        post(
            "/admin/v1/webhooks/secret",
            webhooks::rotate_secret,
            of::webhooks::rotate_secret,
        ),
        get("/healthz", ops::health, of::ops::health),
        get("/readyz", ops::ready, of::ops::ready),
        get("/metrics", ops::metrics, of::ops::metrics),
        get("/openapi.json", of::show, of::ops::openapi),
        get("/llms.txt", llms::show, of::ops::llms),
    ]
}

const TASKS: &str = task_service::PATH;

/// The most characters that a log says of a path which leads nowhere.
const MOST_SHOWN: usize = 16;

/// One route.
pub(super) struct Route {
    method: Method,
    path: &'static str,
    serve: MethodRouter<Api>,
    /// What stands in the document, by path there: a route that ends in any path can be several.
    described: Vec<(String, Operation)>,
}

fn get<H: Handler<T, Api>, T: 'static>(
    path: &'static str,
    handler: H,
    described: fn() -> Operation,
) -> Route {
    Route::new(Method::GET, path, routing::get(handler), described)
}

fn post<H: Handler<T, Api>, T: 'static>(
    path: &'static str,
    handler: H,
    described: fn() -> Operation,
) -> Route {
    Route::new(Method::POST, path, routing::post(handler), described)
}

fn delete<H: Handler<T, Api>, T: 'static>(
    path: &'static str,
    handler: H,
    described: fn() -> Operation,
) -> Route {
    Route::new(Method::DELETE, path, routing::delete(handler), described)
}

impl Route {
    fn new(
        method: Method,
        path: &'static str,
        serve: MethodRouter<Api>,
        described: fn() -> Operation,
    ) -> Self {
        // `{*id}` is the router's word for a name with slashes.
        let documented = path.replace("{*", "{");
        Self {
            method,
            path,
            serve,
            described: vec![(documented, described())],
        }
    }

    /// What else this route serves.
    fn and(mut self, path: &str, described: fn() -> Operation) -> Self {
        self.described.push((path.to_owned(), described()));
        self
    }

    /// Method, path and description of everything that it serves.
    pub(super) fn described(&self) -> impl Iterator<Item = (&Method, &str, &Operation)> {
        let described = self.described.iter();
        described.map(|(path, operation)| (&self.method, path.as_str(), operation))
    }
}

/// The service as clients see it.
pub fn router(api: Api) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| {
            router.route(route.path, route.serve)
        })
        .fallback(ops::not_found)
        .method_not_allowed_fallback(ops::wrong_method)
        .layer(from_fn_with_state(api.clone(), mark))
        .with_state(api)
}

/// What `PINHOLE_METRICS_LISTEN` serves.
pub(super) fn metrics_router(api: Api) -> Router {
    Router::new()
        .route("/metrics", routing::get(ops::open_metrics))
        .route("/healthz", routing::get(ops::health))
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
    let place = shown_place(&request);
    let span = tracing::info_span!("request", request.id = %id, http.method = %request.method());
    let (request, rest) = linger::share(request);
    let answered = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let mut response = answered.unwrap_or_else(|_panic| {
        span.in_scope(|| tracing::error!(http.path = place, "a handler panicked"));
        super::reply::Refusal::at(&path, Error::internal()).into_response()
    });
    if response.status().is_client_error() || response.status().is_server_error() {
        rest.forget(api.0.settings.timeouts.after_refusal).await;
    }
    span.in_scope(|| {
        let duration_ms = started.elapsed().as_millis();
        tracing::debug!(
            http.path = place,
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

/// What a log says of a request's path: the route's pattern, else where it begins. Some paths are secrets, like the names of
/// stored results.
fn shown_place(request: &Request) -> String {
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        return route.as_str().to_owned();
    }
    let path = request.uri().path();
    let rest = path.trim_start_matches('/');
    match rest.split_once('/') {
        Some((first, _)) => format!("/{}/…", clipped(first, MOST_SHOWN)),
        None => format!("/{}", clipped(rest, MOST_SHOWN)),
    }
}
