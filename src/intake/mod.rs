//! How a client's body comes in: never whole in a handler, always as an [`Intake`].
//!
//! Decoders get a *skeleton*, small JSON whose pictures have been taken out, and the staged blobs they became. This
//! module knows no dialect and no row.

use crate::blob::StagedBlob;
use crate::error::{Error, Kind};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

/// The most that is left of a body when its pictures are taken out.
pub const MAX_SKELETON_BYTES: usize = 1024 * 1024;

/// A body, read.
#[derive(Debug)]
pub struct Intake {
    /// The JSON, without pictures.
    pub skeleton: Bytes,
    /// The pictures, staged; what no request claims is deleted when this is dropped.
    pub blobs: Vec<StagedBlob>,
}

/// Reads a JSON body. [`Kind::TooLarge`] beyond [`MAX_SKELETON_BYTES`], without reading on.
pub async fn read_json<E: std::fmt::Display>(
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Intake, Error> {
    let mut skeleton = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| {
            Error::new(Kind::InvalidBody, format!("the body broke off: {error}"))
        })?;
        if skeleton.len() + chunk.len() > MAX_SKELETON_BYTES {
            return Err(Error::new(
                Kind::TooLarge,
                format!("a JSON body may have {MAX_SKELETON_BYTES} bytes, pictures not counted"),
            ));
        }
        skeleton.extend_from_slice(&chunk);
    }
    Ok(Intake {
        skeleton: skeleton.freeze(),
        blobs: Vec::new(),
    })
}
