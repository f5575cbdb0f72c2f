//! A text that is the same for a while: given out with a strong validator, so that whoever has it need not load it again.

use super::files::names;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

/// A text with its type and its validator. Cloning copies no text.
#[derive(Clone)]
pub(super) struct Document {
    media_type: &'static str,
    text: Bytes,
    etag: String,
}

impl Document {
    pub(super) fn new(media_type: &'static str, text: String) -> Self {
        let hash = blake3::hash(text.as_bytes()).to_hex();
        Self {
            media_type,
            text: text.into(),
            etag: format!("\"{}\"", &hash[..32]),
        }
    }

    /// The text, or that the client has it already.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = if names(headers, IF_NONE_MATCH.as_str(), &self.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let media_type = HeaderValue::from_static(self.media_type);
            ([(CONTENT_TYPE, media_type)], self.text.clone()).into_response()
        };
        let headers = response.headers_mut();
        let fixed = [
            (CACHE_CONTROL, "public, no-cache"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(etag) = HeaderValue::try_from(&self.etag) {
            headers.insert(ETAG, etag);
        }
        response
    }
}
