//! Pictures on their way from a scan to the blob store, and what can go wrong there.

use super::scanner::{Cause, ScanError, Step};
use super::{Intake, Mark};
use crate::blob::{BlobError, BlobWriter, Blobs, StagedBlob};
use crate::error::{Error, Fault, Kind, shown_place};
use bytes::Bytes;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The sender went away.
    #[error("the body broke off: {0}")]
    BrokeOff(String),
    /// It is not what we read, or too much of it.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// It is no well-formed form.
    #[error("the form is malformed: {0}")]
    Form(&'static str),
    /// It is larger than we take, in this respect.
    #[error("{0}")]
    TooLarge(String),
    /// A picture is none, or could not be stored.
    #[error("{error}")]
    Blob {
        /// The path of its field.
        path: String,
        /// Why.
        error: BlobError,
    },
}

impl ReadError {
    fn at(path: String, error: BlobError) -> Self {
        Self::Blob { path, error }
    }
}

impl From<ReadError> for Error {
    /// What a client is told. The store's own words stay in the log.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::BrokeOff(_) | ReadError::Form(_) => {
                Self::new(Kind::InvalidBody, error.to_string())
            }
            ReadError::TooLarge(message) => Self::new(Kind::TooLarge, message),
            ReadError::Scan(error) => of_scan(error),
            ReadError::Blob { path, error } => of_blob(path, error),
        }
    }
}

fn of_scan(error: ScanError) -> Error {
    let message = error.to_string();
    match error.cause {
        Cause::NotBase64 | Cause::BadEnding => {
            at(Kind::InvalidBody, error.path, "invalid_image", message)
        }
        Cause::ImageTooLarge(_) | Cause::TooManyImages(_) => {
            at(Kind::TooLarge, error.path, "too_large", message)
        }
        Cause::SkeletonTooLarge(_) | Cause::BodyTooLarge(_) => Error::new(Kind::TooLarge, message),
        Cause::Truncated | Cause::TooDeep(_) => Error::new(Kind::InvalidBody, message),
    }
}

fn of_blob(path: String, error: BlobError) -> Error {
    match error {
        BlobError::NotAnImage(why) => at(Kind::InvalidBody, path, "invalid_image", why.to_string()),
        BlobError::TooLarge(limit) => at(
            Kind::TooLarge,
            path,
            "too_large",
            format!("an image may have {limit} bytes"),
        ),
        BlobError::Full => Error::new(
            Kind::StorageFull,
            "there is no room to store the images of this request",
        ),
        BlobError::NotFound | BlobError::Backend(_) => {
            tracing::error!(%error, "an input image could not be stored");
            Error::internal()
        }
    }
}

/// An error at the path of a field.
fn at(kind: Kind, path: String, code: &'static str, what: String) -> Error {
    let param = shown_place(&path);
    let message = match param.as_str() {
        "" => what,
        param => format!("`{param}`: {what}"),
    };
    Error {
        faults: vec![Fault {
            param,
            code,
            message: message.clone(),
        }],
        ..Error::new(kind, message)
    }
}

/// Writes pictures as they come. Dropping it removes them all.
pub(super) struct Stager {
    blobs: Blobs,
    limit: u64,
    writer: Option<Box<BlobWriter>>,
    staged: Vec<Option<StagedBlob>>,
}

impl Stager {
    pub(super) fn new(blobs: &Blobs, limit: u64) -> Self {
        Self {
            blobs: blobs.clone(),
            limit,
            writer: None,
            staged: Vec::new(),
        }
    }

    /// Takes what came out of a scan, at this path.
    pub(super) async fn take(
        &mut self,
        step: Step,
        path: impl Fn() -> String,
    ) -> Result<(), ReadError> {
        match step {
            Step::Block(bytes) => self.write(bytes, path).await,
            Step::End => self.end(path).await,
        }
    }

    /// Takes the next bytes of a picture.
    pub(super) async fn write(
        &mut self,
        bytes: Bytes,
        path: impl Fn() -> String,
    ) -> Result<(), ReadError> {
        let written = self.writer().write(bytes).await;
        written.map_err(|error| ReadError::at(path(), error))
    }

    /// The picture is whole.
    pub(super) async fn end(&mut self, path: impl Fn() -> String) -> Result<(), ReadError> {
        self.writer();
        if let Some(writer) = self.writer.take() {
            let blob = writer.finish().await;
            let blob = blob.map_err(|error| ReadError::at(path(), error))?;
            self.staged.push(Some(blob));
        }
        Ok(())
    }

    fn writer(&mut self) -> &mut BlobWriter {
        self.writer
            .get_or_insert_with(|| Box::new(self.blobs.writer(self.limit)))
    }

    /// How many pictures are whole.
    pub(super) fn count(&self) -> usize {
        self.staged.len()
    }

    /// The pictures that are whole.
    pub(super) fn into_whole(self) -> Vec<StagedBlob> {
        self.staged.into_iter().flatten().collect()
    }

    pub(super) fn into_intake(self, skeleton: Bytes, mark: Mark) -> Intake {
        Intake {
            skeleton,
            mark: Some(mark),
            blobs: self.staged,
        }
    }
}
