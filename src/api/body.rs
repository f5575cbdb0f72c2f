//! How a request reaches the engine: its body as a draft and staged pictures, and what its headers say of it.

use super::Api;
use crate::dialect::Dialect;
use crate::engine::{Ask, Origin, Repeats};
use crate::error::{Error, Kind};
use crate::intake::multipart::{self, Form};
use crate::intake::{self, Fields};
use crate::types::Fingerprint;
use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

/// Where a body of any shape may hold pictures, in every way that the catalogue and the dialects read one.
pub(super) const IMAGE_FIELDS: Fields = Fields(&[
    "$.image",
    "$.image.url",
    "$.image.image_url",
    "$.image.image_url.url",
    "$.images",
    "$.images.url",
    "$.images.image_url",
    "$.images.image_url.url",
    "$.image_url",
    "$.image_url.url",
    "$.image_urls",
    "$.mask",
    "$.mask.url",
    "$.mask.image_url",
    "$.mask.image_url.url",
    "$.mask_url",
    "$.messages.content.image",
    "$.messages.content.image_url",
    "$.messages.content.image_url.url",
    "$.input.image",
    "$.input.images",
    "$.input.image_url",
    "$.input.image_urls",
    "$.input.mask",
    "$.input.mask_url",
    "$.input.messages.content.image",
    "$.input.messages.content.image_url",
    "$.input.messages.content.image_url.url",
]);

/// Reads a JSON body.
pub(super) async fn read_json(
    api: &Api,
    headers: &HeaderMap,
    body: Body,
    dialect: &dyn Dialect,
) -> Result<Ask, Error> {
    expect_plain(headers)?;
    expect_json(headers)?;
    let blobs = api.0.engine.blobs();
    let intake = intake::read_json(patient(api, body), blobs, IMAGE_FIELDS).await?;
    Ok(Ask {
        draft: dialect.decode(&intake)?,
        intake,
        untyped_body: false,
        operation: None,
        modality: None,
    })
}

/// The boundary, if the body is a form.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    multipart::boundary(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

/// Reads a form: all its values are texts, whatever they mean.
pub(super) async fn read_form(
    api: &Api,
    headers: &HeaderMap,
    boundary: &str,
    body: Body,
    dialect: &dyn Dialect,
) -> Result<Ask, Error> {
    let intake = read_parts(api, headers, boundary, body)
        .await?
        .into_intake();
    Ok(Ask {
        draft: dialect.decode(&intake)?,
        intake,
        untyped_body: true,
        operation: None,
        modality: None,
    })
}

/// Reads a form as its parts.
pub(super) async fn read_parts(
    api: &Api,
    headers: &HeaderMap,
    boundary: &str,
    body: Body,
) -> Result<Form, Error> {
    expect_plain(headers)?;
    multipart::read(patient(api, body), boundary, api.0.engine.blobs()).await
}

/// A body's bytes, with an end to waiting for them.
fn patient(api: &Api, body: Body) -> BoxStream<'static, Result<Bytes, String>> {
    let idle = api.0.settings.timeouts.body_idle;
    let chunks = body.into_data_stream();
    futures::stream::unfold(Some(chunks), move |chunks| async move {
        let mut chunks = chunks?;
        match tokio::time::timeout(idle, chunks.next()).await {
            Ok(chunk) => Some((chunk?.map_err(|error| error.to_string()), Some(chunks))),
            Err(_) => Some((Err(format!("nothing came for {idle:?}")), None)),
        }
    })
    .boxed()
}

/// What the task must remember of how it came.
pub(super) fn origin(
    api: &Api,
    headers: &HeaderMap,
    path: &str,
    ask: &Ask,
    waits: bool,
) -> Result<Origin, Error> {
    Ok(Origin {
        public_url: public_url(api, headers),
        reject_adaptation: rejects_adaptation(headers)?,
        asked: fingerprint(path, ask),
        repeats: repeats(headers)?,
        waits,
    })
}

/// A compressed body is refused by name: read as it stands, it would be called malformed.
pub(super) fn expect_plain(headers: &HeaderMap) -> Result<(), Error> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).into_iter();
    let Some(other) = encodings.find(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) else {
        return Ok(());
    };
    let given = other.to_str().unwrap_or_default();
    let given: String = given.chars().take(60).collect();
    let message = format!("bodies are read uncompressed, got `content-encoding: {given}`");
    Err(Error::new(Kind::UnsupportedMediaType, message))
}

/// A body of another type is refused; one without a type is taken for JSON, as many clients leave it out.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Error> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = given
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let is_json = given.eq_ignore_ascii_case("application/json")
        || given.to_ascii_lowercase().ends_with("+json");
    // curl's default for `-d`; refusing it would help nobody.
    if is_json
        || given.is_empty()
        || given.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Ok(());
    }
    let given: String = given.chars().take(60).collect();
    Err(Error::new(
        Kind::UnsupportedMediaType,
        format!("this endpoint reads `application/json`, got `{given}`"),
    ))
}

pub(super) fn rejects_adaptation(headers: &HeaderMap) -> Result<bool, Error> {
    match headers.get("x-pinhole-params").map(HeaderValue::as_bytes) {
        None | Some(b"adapt") => Ok(false),
        Some(b"reject") => Ok(true),
        Some(_) => Err(Error::new(
            Kind::InvalidBody,
            "the header `x-pinhole-params` is `adapt` or `reject`",
        )),
    }
}

/// A hash of what must be the same in a repetition: path, draft, and the bytes of every picture.
fn fingerprint(path: &str, ask: &Ask) -> Fingerprint {
    let asked = ask.intake.with_hashes(&ask.draft.canonical());
    *blake3::hash(format!("{path}\n{asked}").as_bytes()).as_bytes()
}

/// The client's `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()));
    let message = "an `Idempotency-Key` has 1 to 255 visible ASCII characters";
    key.map(Some)
        .ok_or_else(|| Error::new(Kind::InvalidBody, message))
}

/// By the client's `Idempotency-Key`; without one, OpenAI's SDKs count how often they have sent a call before.
fn repeats(headers: &HeaderMap) -> Result<Repeats, Error> {
    if let Some(key) = idempotency_key(headers)? {
        return Ok(Repeats::Keyed(key.to_owned()));
    }
    let count = headers
        .get("x-stainless-retry-count")
        .and_then(|count| count.to_str().ok()?.parse::<u32>().ok());
    Ok(Repeats::Alike {
        is_repetition: count.is_some_and(|count| count > 0),
    })
}

/// Where this client can fetch its results: as configured, else as it reached us.
pub(super) fn public_url(api: &Api, headers: &HeaderMap) -> String {
    if let Some(url) = &api.0.settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = host(headers).map_or_else(|| api.0.settings.listen.to_string(), str::to_owned);
    format!("http://{host}")
}

/// How the client calls us, if a URL can say it: a host and perhaps a port. Anything else that stands in the header
/// would stand in the URLs of its results.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(HOST)?.to_str().ok()?;
    let authority: Authority = text.parse().ok()?;
    let is_plain = !authority.host().is_empty() && !text.contains('@');
    is_plain.then_some(text)
}
