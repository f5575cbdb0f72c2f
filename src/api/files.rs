//! `GET /files/{asset}`: stored results. The name is unguessable and is the permission.

use super::Api;
use super::name::Name;
use super::reply::Refusal;
use crate::blob::BlobError;
use crate::dialect::flat::Flat;
use crate::error::{Error, Kind};
use crate::types::{Asset, AssetId, Picture};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::ops::Range;

/// `GET /files/{asset}`, with or without the format as an extension.
pub(super) async fn show(State(api): State<Api>, Name(name): Name, headers: HeaderMap) -> Response {
    match find(&api, &name).await {
        Ok(asset) => answer(&api, &asset.picture, &headers)
            .await
            .unwrap_or_else(|error| refuse(error).into_response()),
        Err(error) => refuse(error).into_response(),
    }
}

fn refuse(error: Error) -> Refusal {
    Refusal::new(&Flat, error)
}

async fn find(api: &Api, name: &str) -> Result<Asset, Error> {
    let unknown = || Error::new(Kind::NotFound, "there is no such file");
    let (id, extension) = name
        .split_once('.')
        .map_or((name, None), |(id, extension)| (id, Some(extension)));
    let id = AssetId::parse(id).ok_or_else(unknown)?;
    let found = api
        .0
        .engine
        .store()
        .find_asset(&id)
        .await
        .map_err(|error| {
            // Not which: its id is the name under which anybody may fetch it.
            tracing::error!(%error, "an asset could not be read");
            Error::internal()
        })?;
    let asset = found
        .filter(|asset| extension.is_none_or(|text| text == asset.picture.format.name()))
        .ok_or_else(unknown)?;
    match asset.expires_at {
        Some(at) if at <= api.0.engine.now() => Err(Error::new(
            Kind::Gone,
            "this file was deleted when its time was over",
        )),
        _ => Ok(asset),
    }
}

/// A stored picture, whole or the part that is asked for, unless the client has it already.
pub(super) async fn answer(
    api: &Api,
    picture: &Picture,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let etag = format!("\"{}\"", &picture.hash[..32.min(picture.hash.len())]);
    let length = picture.bytes;
    if names(headers, IF_NONE_MATCH.as_str(), &etag) {
        return Ok((StatusCode::NOT_MODIFIED, fixed_headers(picture, &etag)).into_response());
    }
    // A range of another version is no range (RFC 9110, 13.1.5).
    let ranged = headers
        .get(IF_RANGE)
        .is_none_or(|given| given.as_bytes() == etag.as_bytes());
    let wanted = headers
        .get(RANGE)
        .filter(|_| ranged)
        .and_then(|range| range.to_str().ok());
    let range = match wanted.map_or(Wanted::Whole, |text| parse_range(text, length)) {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
        Wanted::Outside => {
            let all = HeaderValue::from_str(&format!("bytes */{length}"))
                .unwrap_or(HeaderValue::from_static("bytes */*"));
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, all)]).into_response());
        }
    };
    let bytes = range.clone().unwrap_or(0..length);
    let blocks = api
        .0
        .engine
        .blobs()
        .read(&picture.blob, bytes.clone())
        .await
        .map_err(|error| unreadable(picture, &error))?;
    let mut response = (fixed_headers(picture, &etag), Body::from_stream(blocks)).into_response();
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes.end - bytes.start));
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let text = format!("bytes {}-{}/{length}", bytes.start, bytes.end - 1);
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(CONTENT_RANGE, value);
        }
    }
    Ok(response)
}

fn unreadable(picture: &Picture, error: &BlobError) -> Error {
    tracing::error!(%error, blob.key = %picture.blob, "a stored picture could not be read");
    match error {
        BlobError::NotFound => Error::new(Kind::Gone, "this file was deleted"),
        _ => Error::internal(),
    }
}

/// The type is our own finding, and nothing in the bytes can run: no sniffing, no scripts, no other origin.
fn fixed_headers(picture: &Picture, etag: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(picture.format.media_type()),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'"),
    );
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=86400, immutable"),
    );
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(value) = HeaderValue::from_str(etag) {
        headers.insert(ETAG, value);
    }
    headers
}

/// Whether a list of entity tags names this one.
pub(super) fn names(headers: &HeaderMap, header: &str, etag: &str) -> bool {
    headers
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        })
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Part(Range<u64>),
    Outside,
}

/// One range of bytes. Several ranges, or a text that is none, are answered with the whole (RFC 9110, 14.2).
pub(super) fn parse_range(text: &str, length: u64) -> Wanted {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(suffix)) if first.trim().is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::Whole,
    };
    if range.is_empty() {
        Wanted::Outside
    } else {
        Wanted::Part(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let check = |text, expected| assert_eq!(parse_range(text, 1000), expected, "{text}");
        check("bytes=0-499", Wanted::Part(0..500));
        check("bytes=500-", Wanted::Part(500..1000));
        check("bytes=-1", Wanted::Part(999..1000));
        check("bytes=-5000", Wanted::Part(0..1000));
        check("bytes=999-2000", Wanted::Part(999..1000));
        check("bytes=1000-", Wanted::Outside);
        check("bytes=-0", Wanted::Outside);
        check("bytes=5-1", Wanted::Whole);
        check("bytes=0-1,5-6", Wanted::Whole);
        check("items=0-1", Wanted::Whole);
        check("bytes=18446744073709551615-", Wanted::Outside);
        check("bytes=0-18446744073709551615", Wanted::Part(0..1000));
    }
}
