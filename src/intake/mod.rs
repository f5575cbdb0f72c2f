//! How a body comes in: never whole in a handler, always as an [`Intake`].
//!
//! Decoders get a *skeleton*, small JSON whose pictures have been taken out, and the staged blobs they became. One
//! module serves clients' bodies, upstreams' replies and upstreams' events. It knows no dialect and no row.

pub mod decode;
pub mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod mark;
pub mod multipart;
mod path;
pub mod scanner;
mod stage;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vbmi;

pub use mark::Mark;
pub use path::Fields;
pub use scanner::Limits;
pub use stage::ReadError;

use crate::blob::{Blobs, StagedBlob};
use crate::error::Error;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use scanner::Scanner;
use stage::Stager;
use std::fmt::Display;

/// The most that is left of a body when its pictures are taken out.
pub const MAX_SKELETON_BYTES: usize = Limits::CLIENT.skeleton;

/// A body, read.
#[derive(Debug, Default)]
pub struct Intake {
    /// The JSON, with a handle in place of every picture.
    pub skeleton: Bytes,
    mark: Option<Mark>,
    /// The pictures by their number; what no request claims is deleted when this is dropped.
    blobs: Vec<Option<StagedBlob>>,
}

impl Intake {
    /// A body without pictures.
    pub fn of(skeleton: Bytes) -> Self {
        Self {
            skeleton,
            ..Self::default()
        }
    }

    /// Whether this text is a handle of this body, claimed or not.
    pub fn is_handle(&self, text: &str) -> bool {
        self.number(text).is_some()
    }

    /// The picture behind a handle; `None` for any other text and for one that was claimed.
    pub fn blob(&self, handle: &str) -> Option<&StagedBlob> {
        self.blobs.get(self.number(handle)?)?.as_ref()
    }

    /// Claims the picture behind a handle.
    pub fn take(&mut self, handle: &str) -> Option<StagedBlob> {
        let number = self.number(handle)?;
        self.blobs.get_mut(number)?.take()
    }

    /// Claims every picture that nobody has claimed, in the order of the body.
    pub fn into_blobs(self) -> impl Iterator<Item = StagedBlob> {
        self.blobs.into_iter().flatten()
    }

    /// The pictures that nobody has claimed, in the order of the body.
    pub fn blobs(&self) -> impl Iterator<Item = &StagedBlob> {
        self.blobs.iter().flatten()
    }

    /// The text with the hash of its bytes in place of every picture's handle: what is the same for the same pictures,
    /// while a handle is new for each body.
    pub fn with_hashes(&self, text: &str) -> String {
        let Some(mark) = &self.mark else {
            return text.to_owned();
        };
        // The last one first: the handle of picture 1 is the beginning of that of picture 12.
        self.blobs
            .iter()
            .enumerate()
            .rev()
            .fold(text.to_owned(), |text, (number, blob)| match blob {
                Some(blob) => text.replace(&mark.handle(number), &blob.picture().hash),
                None => text,
            })
    }

    fn number(&self, handle: &str) -> Option<usize> {
        self.mark.as_ref()?.number(handle)
    }
}

/// Reads a client's JSON body, its pictures under these fields.
pub async fn read_json<E: Display>(
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    blobs: &Blobs,
    fields: Fields,
) -> Result<Intake, Error> {
    Ok(read(body, blobs, fields, Limits::CLIENT).await?)
}

/// Reads a JSON document, whoever sent it. A [`ReadError`] becomes a client's [`Error`]; a provider says what it is to
/// an upstream.
pub async fn read<E: Display>(
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    blobs: &Blobs,
    fields: Fields,
    limits: Limits,
) -> Result<Intake, ReadError> {
    let read = salvage(body, blobs, fields, limits).await;
    read.map_err(|broken| broken.error)
}

/// A document that could not be read to its end.
#[derive(Debug)]
pub struct Broken {
    /// Why.
    pub error: ReadError,
    /// The pictures that were whole by then, in the order of the document.
    pub whole: Vec<StagedBlob>,
}

/// As [`read`], for a reply that somebody has paid for: what was whole when it broke off is handed on.
pub async fn salvage<E: Display>(
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    blobs: &Blobs,
    fields: Fields,
    limits: Limits,
) -> Result<Intake, Broken> {
    let mut scanner = Scanner::new(fields, limits);
    let mut stager = Stager::new(blobs, limits.image);
    let fed = feed(body, &mut scanner, &mut stager).await;
    match fed.and_then(|()| Ok(scanner.finish()?)) {
        Ok((skeleton, mark)) => Ok(stager.into_intake(skeleton, mark)),
        Err(error) => Err(Broken {
            error,
            whole: stager.into_whole(),
        }),
    }
}

async fn feed<E: Display>(
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    scanner: &mut Scanner,
    stager: &mut Stager,
) -> Result<(), ReadError> {
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| ReadError::BrokeOff(error.to_string()))?;
        let mut rest = &chunk[..];
        while let Some(step) = scanner.step(&mut rest)? {
            stager.take(step, || scanner.path()).await?;
        }
    }
    Ok(())
}
