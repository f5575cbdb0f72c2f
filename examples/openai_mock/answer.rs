//! What is answered: a document or a stream of events, from pictures in memory, as the faults of the call say.

use crate::Mock;
use crate::ask::{Ask, Manner};
use crate::fault::Faults;
use crate::picture::{File, Kind, size_of};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// When everything was made.
const CREATED: u64 = 1_790_000_000;

/// An error as the service says it.
pub struct Refusal {
    status: u16,
    error: Value,
}

impl Refusal {
    pub fn new(status: u16, r#type: &str, code: &str, message: &str) -> Self {
        let error = json!({"message": message, "type": r#type, "param": null, "code": code});
        Self { status, error }
    }

    pub fn invalid(param: &str, code: &str, message: &str) -> Self {
        Self::new(400, "invalid_request_error", code, message).param(param)
    }

    pub fn user(param: &str, code: &str, message: &str) -> Self {
        Self::new(400, "image_generation_user_error", code, message).param(param)
    }

    pub fn param(mut self, param: &str) -> Self {
        self.error["param"] = param.into();
        self
    }

    pub fn for_log(&self) -> Value {
        json!({"refused": self.status, "error": self.error})
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = axum::Json(json!({"error": self.error}));
        let status = StatusCode::from_u16(self.status).expect("a status");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert("x-request-id", HeaderValue::from_static("req_mock"));
        if self.status == 429 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        }
        response
    }
}

/// Closes the connection instead of answering: the server drops a connection whose handler unwinds.
pub fn close() -> Response {
    std::panic::resume_unwind(Box::new("closed on purpose"))
}

pub async fn answer(mock: &Mock, manner: &Manner, ask: Ask, faults: Faults) -> Response {
    if let Some(response) = instead(&faults).await {
        return response;
    }
    if faults.has("held") {
        mock.go().await;
    }
    let size = faults.text("pixels").and_then(size_of).unwrap_or(ask.size);
    let kind = Kind {
        width: size.0,
        height: size.1,
        format: faults.text("format").unwrap_or(&ask.format).to_owned(),
        transparent: ask.transparent,
        text: faults.number("text").and_then(|text| text.try_into().ok()),
    };
    let file = match mock.0.album.find(&kind) {
        Some(file) => file,
        None => draw(mock.clone(), kind.clone()).await,
    };
    let about = About { ask, kind, file };
    if about.ask.stream {
        return stream(mock.clone(), about, faults);
    }
    let n = faults.number("count").unwrap_or(about.ask.n);
    let links = about.ask.wants_links.then(|| {
        let home = match faults.text("elsewhere") {
            Some("") => "http://127.0.0.2:9",
            Some(home) => home,
            None => mock.0.url.as_str(),
        };
        let away = faults.number("away").map(|times| format!("?away={times}"));
        format!(
            "{home}/pictures/{}x{}.{}{}",
            about.kind.width,
            about.kind.height,
            about.kind.format,
            away.unwrap_or_default()
        )
    });
    let _ = manner;
    document(&about, n, links, &faults)
}

/// The first of a size takes a moment.
async fn draw(mock: Mock, kind: Kind) -> Arc<File> {
    tokio::task::spawn_blocking(move || mock.0.album.get(&kind))
        .await
        .expect("it draws")
}

/// What some faults answer instead of pictures.
async fn instead(faults: &Faults) -> Option<Response> {
    if faults.has("close") {
        close();
    }
    if faults.has("silence") {
        std::future::pending::<()>().await;
    }
    if faults.has("moderation") {
        let message =
            "Your request was rejected by the safety system. safety_violations=[violence].";
        return Some(
            Refusal::new(
                400,
                "image_generation_user_error",
                "moderation_blocked",
                message,
            )
            .into_response(),
        );
    }
    if let Some(status) = faults.number("status") {
        let status = u16::try_from(status).unwrap_or(500);
        let usual = match status {
            401 => "invalid_api_key",
            404 => "model_not_found",
            429 => "rate_limit_exceeded",
            500.. => "server_error",
            _ => "some_error",
        };
        let code = faults.text("code").unwrap_or(usual);
        return Some(
            Refusal::new(status, "some_type", code, "As the prompt asked.").into_response(),
        );
    }
    let page = "<!doctype html><html><body><h1>An error occurred</h1></body></html>";
    let html = [(header::CONTENT_TYPE, "text/html")];
    if let Some(status) = faults.number("proxy") {
        let status = StatusCode::from_u16(u16::try_from(status).unwrap_or(502)).expect("a status");
        return Some((status, html, page).into_response());
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    match () {
        () if faults.has("html") => Some((html, page).into_response()),
        () if faults.has("error200") => {
            let error = json!({"message": "As the prompt asked.", "type": "server_error", "param": null, "code": faults.text("code")});
            Some((json, json!({"error": error}).to_string()).into_response())
        }
        () if faults.has("zero") => Some(
            (
                json,
                json!({"created": CREATED, "data": [], "usage": usage(1, 1, 10)}).to_string(),
            )
                .into_response(),
        ),
        () if faults.has("stall") => {
            let body =
                futures::stream::iter([piece("{\"created\":1,")]).chain(futures::stream::pending());
            Some((json, Body::from_stream(body)).into_response())
        }
        () if faults.has("huge") => {
            let noise = Bytes::from(vec![b'A'; 1 << 20]);
            let body = futures::stream::iter([piece("{\"data\":[{\"b64_json\":\"")])
                .chain(futures::stream::repeat_with(move || Ok(noise.clone())));
            Some((json, Body::from_stream(body)).into_response())
        }
        () => None,
    }
}

/// What is answered.
struct About {
    ask: Ask,
    kind: Kind,
    file: Arc<File>,
}

impl About {
    /// What the service says of each image and of all.
    fn echo(&self) -> Value {
        let field = |name: &str, preset: &str| {
            self.ask
                .fields
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or(preset)
                .to_owned()
        };
        json!({
            "size": format!("{}x{}", self.kind.width, self.kind.height),
            "quality": field("quality", "medium").replace("auto", "medium"),
            "background": if self.kind.transparent { "transparent" } else { "opaque" },
            "output_format": self.kind.format,
        })
    }

    fn usage(&self, images: u64) -> Value {
        usage(
            images,
            self.ask.prompt.chars().count() as u64,
            self.ask.inputs.len() as u64,
        )
    }
}

/// A thousand tokens an image, a hundred an input image, one a character.
fn usage(images: u64, characters: u64, inputs: u64) -> Value {
    let (text, image, output) = (characters, 100 * inputs, 1000 * images);
    json!({
        "input_tokens": text + image,
        "input_tokens_details": {"text_tokens": text, "image_tokens": image},
        "output_tokens": output,
        "output_tokens_details": {"image_tokens": output, "text_tokens": 0},
        "total_tokens": text + image + output,
    })
}

type Piece = Result<Bytes, std::io::Error>;

fn piece(text: impl Into<Bytes>) -> Piece {
    Ok(text.into())
}

fn document(about: &About, n: u64, links: Option<String>, faults: &Faults) -> Response {
    let mut pieces: Vec<Bytes> = vec![format!("{{\"created\":{CREATED},\"data\":[").into()];
    for k in 0..n {
        let comma = if k == 0 { "" } else { "," };
        let is_last = k + 1 == n;
        match &links {
            Some(link) => pieces.push(format!("{comma}{{\"url\":\"{link}\"}}").into()),
            None => {
                pieces.push(format!("{comma}{{\"b64_json\":\"").into());
                let base64 = &about.file.base64;
                let half = base64.len() / 8 * 4;
                let is_cut = is_last && (faults.has("truncated") || faults.has("cut"));
                pieces.push(if is_cut {
                    base64.slice(..half)
                } else {
                    base64.clone()
                });
                pieces.push(Bytes::from_static(b"\"}"));
            }
        }
    }
    let mut rest = about.echo();
    rest["usage"] = about.usage(n);
    let rest = rest.to_string();
    pieces.push(format!("],{}", &rest[1..]).into());
    let whole: usize = pieces.iter().map(Bytes::len).sum();
    if faults.has("cut") {
        // Everything behind the half image is promised and not sent.
        pieces.truncate(pieces.len() - 2);
    }
    let is_cut = faults.has("cut");
    let body = slowly(pieces, faults).chain(futures::stream::iter(
        is_cut.then(|| Err(std::io::Error::other("cut"))),
    ));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(whole)),
    ];
    (headers, Body::from_stream(body)).into_response()
}

fn slowly(pieces: Vec<Bytes>, faults: &Faults) -> impl Stream<Item = Piece> + Send + 'static {
    let pause = faults.number("slow").map(Duration::from_millis);
    futures::stream::iter(pieces).then(move |bytes| async move {
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        Ok(bytes)
    })
}

/// Partial images, then the last one.
fn stream(mock: Mock, about: About, faults: Faults) -> Response {
    let what = if about.ask.is_edit {
        "image_edit"
    } else {
        "image_generation"
    };
    let mut frames = Vec::new();
    for number in 0..about.ask.partial_images {
        let more = json!({"partial_image_index": number});
        frames.push(frame(&about, &format!("{what}.partial_image"), more));
    }
    if faults.has("latefail") {
        let code = faults
            .text("latefail")
            .filter(|code| !code.is_empty())
            .unwrap_or("server_error");
        let error = json!({"error": {"message": "As the prompt asked.", "type": "server_error", "code": code, "param": null}});
        frames.push(vec![format!("event: error\ndata: {error}\n\n").into()]);
    } else if !faults.has("nolast") {
        frames.push(frame(
            &about,
            &format!("{what}.completed"),
            json!({"usage": about.usage(1)}),
        ));
    }
    let is_gated = faults.has("gate");
    let body = futures::stream::iter(frames).then(move |frame| {
        let mock = mock.clone();
        async move {
            if is_gated {
                mock.go().await;
            }
            frame
        }
    });
    let pause = faults.number("slow").map(Duration::from_millis);
    let body = body
        .flat_map(futures::stream::iter)
        .then(move |bytes| async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            Ok::<_, Infallible>(bytes)
        });
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(body),
    )
        .into_response()
}

fn frame(about: &About, name: &str, more: Value) -> Vec<Bytes> {
    let mut data = about.echo();
    let fields = data.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    fields.insert("type".to_owned(), name.into());
    fields.insert("created_at".to_owned(), CREATED.into());
    let data = data.to_string();
    vec![
        format!(
            "event: {name}\ndata: {},\"b64_json\":\"",
            &data[..data.len() - 1]
        )
        .into(),
        about.file.base64.clone(),
        Bytes::from_static(b"\"}\n\n"),
    ]
}
