//! Replies: bodies whose pictures are encoded while they are sent, and refusals in the shape of their path.

use crate::blob::{BlobError, Blobs};
use crate::dialect::flat::Flat;
use crate::dialect::task::TaskShape;
use crate::dialect::{Dialect, Piece, Reply};
use crate::error::{Error, Kind};
use crate::types::Picture;
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};

/// The wire shape of a path's errors.
pub(super) fn dialect_at(path: &str) -> &'static dyn Dialect {
    if path.starts_with("/api/") {
        &TaskShape
    } else {
        &Flat
    }
}

/// An error on its way out, in the shape of its path.
pub struct Refusal {
    dialect: &'static dyn Dialect,
    error: Error,
}

impl Refusal {
    /// In the shape of errors at `path`.
    pub(super) fn at(path: &str, error: Error) -> Self {
        Self {
            dialect: dialect_at(path),
            error,
        }
    }

    /// In this shape.
    pub(super) fn new(dialect: &'static dyn Dialect, error: Error) -> Self {
        Self { dialect, error }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let row = self.error.kind.row();
        let body = self.dialect.encode_error(&self.error).to_string();
        let mut response = json_response(status(row.status), body);
        let headers = response.headers_mut();
        if let Some(wait) = self.error.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        let final_kind = matches!(self.error.kind, Kind::OutcomeUnknown | Kind::StillRunning);
        if final_kind || self.error.do_not_repeat {
            // OpenAI's SDKs retry every 5xx unless this header says no; these must not be repeated.
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}

/// A status that our own table holds.
pub(super) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A JSON body that is whole.
pub(super) fn json_response(status: StatusCode, body: String) -> Response {
    (
        status,
        [(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        body,
    )
        .into_response()
}

/// A reply with its pictures. The length is known before the first byte, so nothing is chunked; a picture that cannot be
/// read breaks the connection, because a short body must not look whole.
pub(super) fn send(reply: Reply, blobs: &Blobs) -> Response {
    let length = reply.content_length();
    let body = match <[Piece; 1]>::try_from(reply.pieces) {
        Ok([Piece::Text(text)]) => Body::from(text),
        Ok(pieces) => Body::from_stream(pieces_stream(pieces.into(), blobs.clone())),
        Err(pieces) => Body::from_stream(pieces_stream(pieces, blobs.clone())),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    (headers, body).into_response()
}

/// The bytes of a reply's pieces, pictures encoded block by block.
pub(super) fn pieces_stream(
    pieces: Vec<Piece>,
    blobs: Blobs,
) -> impl Stream<Item = Result<Bytes, BlobError>> {
    futures::stream::iter(pieces).flat_map(move |piece| match piece {
        Piece::Text(text) => {
            futures::stream::once(std::future::ready(Ok(Bytes::from(text)))).boxed()
        }
        Piece::Base64(picture) => base64_stream(picture, blobs.clone()),
    })
}

/// A stored picture as base64, block by block.
fn base64_stream(picture: Picture, blobs: Blobs) -> BoxStream<'static, Result<Bytes, BlobError>> {
    let blocks = async move { blobs.read_once(&picture).await };
    futures::stream::once(blocks)
        .flat_map(|opened| match opened {
            Ok(blocks) => blocks,
            Err(error) => {
                tracing::error!(%error, "a stored result could not be read for a reply");
                futures::stream::once(std::future::ready(Err(error))).boxed()
            }
        })
        // `None` says that the last block has come.
        .map(Some)
        .chain(futures::stream::once(std::future::ready(None)))
        .scan(Vec::new(), |rest: &mut Vec<u8>, block| {
            let encoded = match block {
                Some(Ok(block)) => Some(Ok(encode_whole_triples(rest, &block))),
                Some(Err(error)) => Some(Err(error)),
                None => Some(Ok(encode(rest))),
            };
            std::future::ready(encoded)
        })
        .boxed()
}

/// Encodes `rest` and `block` up to the last whole three bytes; keeps what is left in `rest`.
fn encode_whole_triples(rest: &mut Vec<u8>, block: &Bytes) -> Bytes {
    if rest.is_empty() {
        let whole = block.len() - block.len() % 3;
        rest.extend_from_slice(&block[whole..]);
        return encode(&block[..whole]);
    }
    rest.extend_from_slice(block);
    let left = rest.split_off(rest.len() - rest.len() % 3);
    let whole = std::mem::replace(rest, left);
    encode(&whole)
}

fn encode(bytes: &[u8]) -> Bytes {
    Bytes::from(base64_simd::STANDARD.encode_type::<Vec<u8>>(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn base64_by_blocks_is_base64_of_the_whole(bytes in prop::collection::vec(any::<u8>(), 0..2000), block in 1usize..50) {
            let mut rest = Vec::new();
            let mut text = Vec::new();
            for block in bytes.chunks(block) {
                text.extend(encode_whole_triples(&mut rest, &Bytes::copy_from_slice(block)));
            }
            text.extend(encode(&rest));
            prop_assert_eq!(text, base64_simd::STANDARD.encode_to_string(&bytes).into_bytes());
        }
    }
}
