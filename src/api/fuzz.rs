//! Headers: each is read or refused, whatever it says.

use super::auth::{bearer, client_address};
use super::body::{
    self, boundary, expect_json, expect_plain, host, idempotency_key, rejects_adaptation,
};
use super::files::{Wanted, parse_range};
use super::images::{LONGEST_WAIT, Patience};
use crate::intake::Fields;
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, HOST, RANGE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use std::net::SocketAddr;

/// Where a body may hold pictures.
pub(crate) const IMAGE_FIELDS: Fields = body::IMAGE_FIELDS;

/// A request's headers, a line each.
pub(crate) fn headers(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|&byte| byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    range(&headers);
    host_in_urls(&headers);
    address(&headers);
    let patience = Patience::of(&headers);
    assert!(patience.limit <= LONGEST_WAIT);
    assert!(patience.then_accept || patience.limit == LONGEST_WAIT);
    if let Ok(Some(key)) = idempotency_key(&headers) {
        assert!((1..=255).contains(&key.len()) && key.is_ascii());
    }
    if let Some(boundary) = boundary(&headers) {
        assert!((1..=70).contains(&boundary.len()));
    }
    if let Some(key) = headers
        .get(AUTHORIZATION)
        .and_then(|it| it.to_str().ok())
        .and_then(bearer)
    {
        assert!(!key.is_empty() && key.trim() == key);
    }
    for refusal in [
        expect_plain(&headers).err(),
        expect_json(&headers).err(),
        rejects_adaptation(&headers).err(),
    ] {
        assert!(refusal.is_none_or(|error| error.message.len() < 400));
    }
}

/// A part lies within the whole and is never empty.
fn range(headers: &HeaderMap) {
    let Some(text) = headers.get(RANGE).and_then(|it| it.to_str().ok()) else {
        return;
    };
    for length in [0, 1, 1000, u64::MAX] {
        if let Wanted::Part(range) = parse_range(text, length) {
            assert!(
                range.start < range.end && range.end <= length,
                "{text} of {length}"
            );
        }
    }
}

/// A client's host stands in the URLs of its results, so it must be a host and nothing else.
fn host_in_urls(headers: &HeaderMap) {
    let Some(host) = host(headers) else { return };
    let url: Uri = format!("http://{host}/files/asset").parse().expect("a URL");
    assert_eq!((url.path(), url.query()), ("/files/asset", None));
    let authority = url.authority().expect("it has a host");
    assert!(!authority.host().is_empty() && !host.contains('@'));
    assert_eq!(
        Some(host),
        headers.get(HOST).and_then(|it| it.to_str().ok())
    );
}

/// Nobody is believed about where a request came from but proxies that are trusted.
fn address(headers: &HeaderMap) {
    let peer = SocketAddr::from(([192, 0, 2, 1], 80));
    let mut request = Request::new(());
    *request.headers_mut() = headers.clone();
    request.extensions_mut().insert(ConnectInfo(peer));
    let (parts, ()) = request.into_parts();
    assert_eq!(client_address(&parts, &[]), Some(peer.ip()));
    let trusted = ["192.0.2.0/24".parse().expect("a network")];
    let _ = client_address(&parts, &trusted);
}
