//! How a request reaches the engine: its body as a draft and staged pictures, and what its headers say of it.

use super::Api;
use crate::dialect::Dialect;
use crate::engine::{Ask, Origin};
use crate::error::{Error, Kind};
use crate::intake::{self, Fields, multipart};
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::time::Duration;

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
    "$.input.messages.content.image",
    "$.input.messages.content.image_url",
    "$.input.messages.content.image_url.url",
]);

/// A client that sends nothing for so long in the middle of a body is not waited for.
const IDLE: Duration = Duration::from_secs(30);

/// Reads a JSON body.
pub(super) async fn read_json(
    api: &Api,
    headers: &HeaderMap,
    body: Body,
    dialect: &dyn Dialect,
) -> Result<Ask, Error> {
    expect_json(headers)?;
    let blobs = api.0.engine.blobs();
    let intake = intake::read_json(patient(body), blobs, IMAGE_FIELDS).await?;
    Ok(Ask {
        draft: dialect.decode(&intake)?,
        intake,
        untyped_body: false,
        operation: None,
    })
}

/// The boundary, if the body is a form.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    multipart::boundary(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

/// Reads a form: all its values are texts, whatever they mean.
pub(super) async fn read_form(
    api: &Api,
    boundary: &str,
    body: Body,
    dialect: &dyn Dialect,
) -> Result<Ask, Error> {
    let form = multipart::read(patient(body), boundary, api.0.engine.blobs()).await?;
    let intake = form.into_intake();
    Ok(Ask {
        draft: dialect.decode(&intake)?,
        intake,
        untyped_body: true,
        operation: None,
    })
}

/// A body's bytes, with an end to waiting for them.
fn patient(body: Body) -> BoxStream<'static, Result<Bytes, String>> {
    let chunks = body.into_data_stream();
    futures::stream::unfold(Some(chunks), |chunks| async {
        let mut chunks = chunks?;
        match tokio::time::timeout(IDLE, chunks.next()).await {
            Ok(chunk) => Some((chunk?.map_err(|error| error.to_string()), Some(chunks))),
            Err(_) => Some((Err("nothing came for half a minute".to_owned()), None)),
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
) -> Result<Origin, Error> {
    Ok(Origin {
        public_url: public_url(api, headers),
        reject_adaptation: rejects_adaptation(headers)?,
        idempotency: idempotency(headers, path, ask)?,
    })
}

/// A body of another type is refused; one without a type is taken for JSON, as many clients leave it out.
fn expect_json(headers: &HeaderMap) -> Result<(), Error> {
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

fn rejects_adaptation(headers: &HeaderMap) -> Result<bool, Error> {
    match headers.get("x-pinhole-params").map(HeaderValue::as_bytes) {
        None | Some(b"adapt") => Ok(false),
        Some(b"reject") => Ok(true),
        Some(_) => Err(Error::new(
            Kind::InvalidBody,
            "the header `x-pinhole-params` is `adapt` or `reject`",
        )),
    }
}

/// The client's `Idempotency-Key` with a hash of what must be the same in a repetition: path, draft, and the bytes of
/// every picture.
fn idempotency(
    headers: &HeaderMap,
    path: &str,
    ask: &Ask,
) -> Result<Option<(String, [u8; 32])>, Error> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()));
    let key = key.ok_or_else(|| {
        Error::new(
            Kind::InvalidBody,
            "an `Idempotency-Key` has 1 to 255 visible ASCII characters",
        )
    })?;
    let asked = ask.intake.with_hashes(&ask.draft.canonical());
    let fingerprint = blake3::hash(format!("{path}\n{asked}").as_bytes());
    Ok(Some((key.to_owned(), *fingerprint.as_bytes())))
}

/// Where this client can fetch its results: as configured, else as it reached us.
pub(super) fn public_url(api: &Api, headers: &HeaderMap) -> String {
    if let Some(url) = &api.0.settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.map_or_else(|| api.0.settings.listen.to_string(), str::to_owned);
    format!("http://{host}")
}
