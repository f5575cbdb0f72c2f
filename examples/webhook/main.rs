//! A receiver of Pinhole's callbacks that believes nothing unsigned, with axum and the official `standardwebhooks`.
//!
//! ```text
//! WEBHOOK_SECRET=$(pinhole webhook secret show) cargo run --example webhook -- 8090
//! ```

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use standardwebhooks::Webhook;
use std::collections::HashSet;
use std::error::Error;
use std::sync::{Arc, Mutex};

/// What a receiver that matters keeps where a restart finds it.
type Seen = Arc<(Webhook, Mutex<HashSet<String>>)>;

async fn receive(State(known): State<Seen>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let (webhook, seen) = &*known;
    // Over the bytes as they came, before anything has parsed them; and not too old, which may be a recording.
    if webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let id = format!("{:?}", headers.get("webhook-id"));
    if seen.lock().expect("nobody panics with it").insert(id) {
        tell(&body);
    }
    // Anything but 2xx and it comes again.
    StatusCode::NO_CONTENT
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
fn tell(body: &[u8]) {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let data = &message["data"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let result: Value = serde_json::from_str(&text(&data["resultJson"])).unwrap_or_default();
    let links = result["resultUrls"].as_array().cloned().unwrap_or_default();
    let links: Vec<String> = links.iter().map(text).collect();
    let (task, state) = (text(&data["taskId"]), text(&data["state"]));
    println!("{task} {state} {}", links.join(" "));
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it says where it listens")]
#[expect(clippy::disallowed_methods, reason = "this is no part of Pinhole")]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = std::env::var("WEBHOOK_SECRET")?;
    let port: u16 = std::env::args().nth(1).ok_or("which port?")?.parse()?;
    let known: Seen = Arc::new((Webhook::new(&secret)?, Mutex::default()));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?.port());
    let app = Router::new().fallback(post(receive)).with_state(known);
    axum::serve(listener, app).await?;
    Ok(())
}
