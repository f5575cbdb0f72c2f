//! A stand-in for OpenAI's Images API: a process of its own that refuses what the service refuses, answers real pictures
//! from memory, misbehaves on demand, and writes a line of JSON for each call that it got. For tests and load tests.
//!
//! ```sh
//! cargo run --release --example openai_mock -- --listen 127.0.0.1:9000 --log calls.jsonl --key sk-mock
//! ```
//!
//! It prints its base URL. A call misbehaves if its prompt says so (`[mock:status=429]`); `fault.rs` lists the words. What it
//! checks by stands in `ask.rs`. Paths:
//!
//! - `/v1/images/{generations,edits}`: the service, as strict as it is
//! - `/calm/v1/…`: the same, deaf to `[mock:…]`
//! - `/early/v1/…`: closes the connection before it reads the body
//! - `/local/v1/…`: a lenient server of one's own, which answers links unless `response_format` is `b64_json`
//! - `/openai/deployments/{name}/images/…?api-version=…`: as at Azure, with the header `api-key`
//! - `/pictures/…`: what the links lead to
//! - `POST /mock/go`: lets one event of a stream with `[mock:gate]` go, or one reply with `[mock:held]`

mod answer;
mod ask;
mod fault;
mod picture;

use answer::{Refusal, close};
use ask::{Ask, Manner};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fault::Faults;
use picture::Album;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What a call may weigh: sixteen images of 50 MB.
const MAX_BODY_BYTES: usize = 900 * 1024 * 1024;

/// What the process is and has.
#[derive(Clone)]
struct Mock(Arc<Inner>);

struct Inner {
    log: Option<File>,
    /// The only key that is right; without one any is.
    key: Option<String>,
    album: Album,
    /// Events that may go.
    gate: Semaphore,
    /// How often a link was followed whose picture is away at first.
    followed: AtomicU64,
    url: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = options();
    let option = |name: &str| options.get(name).cloned();
    let address = option("listen").unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let log = option("log").map(|path| File::options().create(true).append(true).open(path));
    let mock = Mock(Arc::new(Inner {
        log: log.transpose()?,
        key: option("key"),
        album: Album::default(),
        gate: Semaphore::new(0),
        followed: AtomicU64::new(0),
        url: url.clone(),
    }));
    writeln!(std::io::stdout(), "{url}/v1")?;
    axum::serve(listener, router(mock)).await
}

/// `--name value`, any number of times.
fn options() -> HashMap<String, String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let pairs = words.chunks(2).map(|pair| {
        let name = pair[0].trim_start_matches("--").to_owned();
        (name, pair.get(1).cloned().unwrap_or_default())
    });
    pairs.collect()
}

fn router(mock: Mock) -> Router {
    Router::new()
        .route("/v1/images/{call}", post(strict))
        .route("/calm/v1/images/{call}", post(calm))
        .route("/early/v1/images/{call}", post(early))
        .route("/local/v1/images/{call}", post(local))
        .route("/openai/deployments/{model}/images/{call}", post(azure))
        .route("/pictures/{name}", get(picture))
        .route("/mock/go", post(go))
        .layer(DefaultBodyLimit::disable())
        .with_state(mock)
}

async fn strict(
    State(mock): State<Mock>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    mock.call(Manner::Strict, &call, bearer(&headers), &headers, body)
        .await
}

async fn calm(
    State(mock): State<Mock>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    mock.call(Manner::Calm, &call, bearer(&headers), &headers, body)
        .await
}

async fn early(State(mock): State<Mock>, Path(call): Path<String>, headers: HeaderMap) -> Response {
    mock.log(&json!({"call": call, "manner": "early", "paid": false, "length": text(&headers, "content-length")}));
    close()
}

async fn local(
    State(mock): State<Mock>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    mock.call(Manner::Local, &call, None, &headers, body).await
}

async fn azure(
    State(mock): State<Mock>,
    Path((model, call)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !query.contains_key("api-version") {
        return Refusal::new(404, "invalid_request_error", "404", "Resource not found")
            .into_response();
    }
    let key = text(&headers, "api-key");
    mock.call(Manner::Azure { model }, &call, key, &headers, body)
        .await
}

/// A result. Whoever fetches it must not show the key.
async fn picture(
    State(mock): State<Mock>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let away = query.get("away").and_then(|times| times.parse().ok());
    if away.is_some_and(|times| mock.0.followed.fetch_add(1, Ordering::Relaxed) < times) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Some(file) = mock.0.album.by_name(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if headers.contains_key(header::AUTHORIZATION) || headers.contains_key("api-key") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    file.bytes.clone().into_response()
}

async fn go(State(mock): State<Mock>) -> StatusCode {
    mock.0.gate.add_permits(1);
    StatusCode::NO_CONTENT
}

impl Mock {
    /// Waits until one more may go.
    async fn go(&self) {
        let gate = self.0.gate.acquire().await;
        gate.expect("the gate is never closed").forget();
    }

    async fn call(
        &self,
        manner: Manner,
        call: &str,
        key: Option<String>,
        headers: &HeaderMap,
        body: Body,
    ) -> Response {
        let content_type = text(headers, "content-type").unwrap_or_default();
        let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
            return close();
        };
        let needs_key = manner != Manner::Local;
        let is_right = key
            .as_ref()
            .is_some_and(|key| self.0.key.as_ref().is_none_or(|right| right == key));
        let ask = if needs_key && !is_right {
            Err(Refusal::new(
                401,
                "invalid_request_error",
                "invalid_api_key",
                "Incorrect API key provided",
            )
            .param(""))
        } else {
            Ask::read(&manner, call, &content_type, &body)
        };
        let faults = match (&ask, &manner) {
            (Ok(ask), manner) if *manner != Manner::Calm => Faults::of(&ask.prompt),
            _ => Faults::default(),
        };
        let paid = ask.is_ok() && faults.is_paid();
        let told = match &ask {
            Ok(ask) => ask.for_log(),
            Err(refusal) => refusal.for_log(),
        };
        self.log(&json!({"call": call, "manner": manner.name(), "paid": paid, "ask": told, "bytes": body.len()}));
        match ask {
            Err(refusal) => refusal.into_response(),
            Ok(ask) => answer::answer(self, &manner, ask, faults).await,
        }
    }

    /// One line, appended whole, before anything is answered.
    fn log(&self, call: &Value) {
        if let Some(mut log) = self.0.log.as_ref() {
            log.write_all(format!("{call}\n").as_bytes())
                .expect("the log can be written");
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let key = text(headers, "authorization")?
        .strip_prefix("Bearer ")?
        .to_owned();
    Some(key).filter(|key| !key.is_empty())
}
