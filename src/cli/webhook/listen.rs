//! `pinhole webhook listen`: a receiver for a desk.

use super::Checking;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::types::SigningSecret;
use crate::webhook::sign::{self, Signed};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// No callback is larger.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Args)]
pub(super) struct Listen {
    /// Where, on this machine; 0 takes a free one
    #[arg(short, long, value_name = "PORT", default_value_t = 8090)]
    port: u16,
    /// What to answer
    #[arg(long, value_name = "STATUS", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// How many of a hundred to answer with 500 instead, at random, like `30%`
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0%")]
    fail: u8,
    /// End after so many
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    /// Print one line of JSON for each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    checking: Checking,
}

fn share(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
    number
        .filter(|share| *share <= 100)
        .ok_or_else(|| "expected a share like `30%`".to_owned())
}

/// What every connection needs.
struct Desk {
    secrets: Vec<SigningSecret>,
    status: StatusCode,
    fail: u8,
    as_json: bool,
    /// How many are still to come; 0 has no end.
    left: AtomicU64,
    enough: Notify,
}

impl Listen {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let desk = Arc::new(Desk {
            secrets: self.checking.secrets(place).await?,
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK),
            fail: self.fail,
            as_json: self.json,
            left: AtomicU64::new(self.count.unwrap_or(0)),
            enough: Notify::new(),
        });
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
        let no_port = |error: std::io::Error| {
            Failure::failed(format!("port {} cannot be listened on", self.port))
                .why(error.to_string())
                .fix("name another one with --port")
        };
        let listener = listener.map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        out::note(&format!(
            "Listening. Use  callback_url  http://{address}/  and start the server with  \
             PINHOLE_ALLOW_PRIVATE_NETWORKS=127.0.0.0/8\nCtrl-C ends it."
        ));
        tokio::select! {
            () = serve(&listener, &desk) => Ok(()),
            () = desk.enough.notified() => Ok(()),
        }
    }
}

async fn serve(listener: &TcpListener, desk: &Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let desk = Arc::clone(desk);
        connections.spawn(async move {
            let service = service_fn(|request| hear(&desk, request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Whoever hangs up has said what there was to say.
            let _ = connection.await;
            desk.count();
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn hear(
    desk: &Desk,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await;
    let status = match body {
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Ok(body) => {
            let status = match rolled() < desk.fail {
                true => StatusCode::INTERNAL_SERVER_ERROR,
                false => desk.status,
            };
            let path = head.uri.path();
            // Stdout may have gone; then nobody reads on.
            let _ = desk.print(path, &head.headers, &body.to_bytes(), status);
            status
        }
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    let close = hyper::header::HeaderValue::from_static("close");
    response
        .headers_mut()
        .insert(hyper::header::CONNECTION, close);
    Ok(response)
}

/// A number from 0 to 99.
fn rolled() -> u8 {
    let mut byte = [0];
    getrandom::fill(&mut byte).expect("the system's random source works");
    u8::try_from(u16::from(byte[0]) * 100 / 256).unwrap_or(99)
}

impl Desk {
    /// One has been answered, whole.
    fn count(&self) {
        if self.left.load(Ordering::Relaxed) > 0 && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.enough.notify_one();
        }
    }

    fn print(&self, path: &str, headers: &HeaderMap, body: &[u8], status: StatusCode) -> Outcome {
        let verdict = self.verdict(headers, body);
        let id = header(headers, sign::ID);
        let said: Value = serde_json::from_slice(body)
            .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into());
        if self.as_json {
            return out::json_line(&json!({
                "path": path,
                "id": id,
                "signature": verdict,
                "answered": status.as_u16(),
                "body": said,
            }));
        }
        let (at, status) = (out::minute(now()), status.as_u16());
        let path = out::plain(path);
        out::print(&format!(
            "{at} UTC  {path}  {}  signature {verdict}  answered {status}",
            out::plain(&id)
        ))?;
        out::json(&said)
    }

    /// `good`, or why not.
    fn verdict(&self, headers: &HeaderMap, body: &[u8]) -> String {
        let (id, timestamp) = (header(headers, sign::ID), header(headers, sign::TIMESTAMP));
        let signature = header(headers, sign::SIGNATURE);
        let signed = Signed {
            id: &id,
            timestamp: &timestamp,
            signature: &signature,
        };
        let seconds = now().seconds();
        let mut why = "bad".to_owned();
        for secret in &self.secrets {
            match sign::verify(secret, signed, body, seconds) {
                Ok(()) => return "good".to_owned(),
                Err(distrust) => why = format!("bad: {distrust}"),
            }
        }
        why
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
