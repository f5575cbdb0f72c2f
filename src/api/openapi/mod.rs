//! `GET /openapi.json`: the service described for machines, as OpenAPI 3.1.
//!
//! Made from the tables that the service itself runs on: the router's routes, each with its description; the table of
//! errors; the catalogue, whose models are the schemas of requests. What is said by hand stands in one file a resource,
//! as the handlers do. Nothing here reads a request or answers one, but for the handler of the document itself.

pub(super) mod account;
pub(super) mod chat;
pub(super) mod files;
mod headers;
pub(super) mod images;
pub(super) mod lost;
pub(super) mod models;
mod operation;
pub(super) mod ops;
mod replies;
mod requests;
pub(super) mod task_service;
pub(super) mod tasks;
pub(super) mod uploads;
pub(super) mod webhooks;

pub(super) use operation::Operation;

use super::Api;
use super::document::Document;
use super::router::{Route, routes};
use crate::catalogue::Catalogue;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value, json};

/// `GET /openapi.json`
pub(super) async fn show(State(api): State<Api>, headers: HeaderMap) -> Response {
    let server = api.0.settings.public_url.as_deref();
    let catalogue = api.0.engine.catalogue();
    let document = api.0.openapi.of(&catalogue, || {
        let text = document(&routes(), &catalogue, server).to_string();
        Document::new("application/json", text)
    });
    document.answer(&headers)
}

/// The whole document. Without a public address the server is whoever gave it out.
fn document(routes: &[Route], catalogue: &Catalogue, server: Option<&str>) -> Value {
    let server = server.map_or("/", |url| url.trim_end_matches('/'));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pinhole",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "One small opening through which an application reaches every image model.",
            "description": "A self-hosted gateway for generative media. Every generation is a task: wait for it, stream it, \
                or leave it and ask later. All faults of a request are told at once, each at the path the client used. \
                Failed work is free.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "tags": TAGS.iter().map(|(name, text)| json!({"name": name, "description": text})).collect::<Vec<_>>(),
        "paths": paths(routes),
        "components": {
            "securitySchemes": {"key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key: `sk-…`, or `sk-test-…` for offline and free answers.",
            }},
            "schemas": schemas(catalogue),
            "headers": headers::components(),
            "responses": {"HeadersTooLarge": {
                "description": "The request has more or longer header fields than any client needs. The body is empty.",
            }},
        },
    })
}

/// What the operations are grouped by.
const TAGS: &[(&str, &str)] = &[
    (
        "images",
        "Make and change images, or write texts about them.",
    ),
    ("chat", "The same models in the words of chat clients."),
    (
        "uploads",
        "Input images that are kept for a day and named in later calls.",
    ),
    (
        "models",
        "What can be called, with form, schema and prices.",
    ),
    (
        "tasks",
        "Create a task and come back for it; what was called, in any state.",
    ),
    ("account", "Credits, and what was used."),
    ("files", "Stored results."),
    (
        "operations",
        "For those who run the server, and for machines that read about it.",
    ),
];

fn paths(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for (method, path, operation) in routes.iter().flat_map(Route::described) {
        let at = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
        at[method.as_str().to_ascii_lowercase()] = operation.describe(path);
    }
    Value::Object(paths)
}

fn schemas(catalogue: &Catalogue) -> Value {
    let all = replies::schemas()
        .into_iter()
        .chain(requests::schemas(catalogue));
    Value::Object(all.collect())
}

/// A reference to a schema of the document.
fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
