//! Input images that lie at somebody else's server: fetched through the guard, straight into the blob store.

use super::Engine;
use crate::blob::{BlobError, StagedBlob};
use crate::error::Error;
use crate::fetch::{Bounds, FetchError};
use crate::intake::Limits;
use std::time::{Duration, Instant};

/// How long all pictures of one request may take together.
pub(super) const WHOLE: Duration = Duration::from_secs(30);

/// How many of one request are fetched at once.
pub(super) const AT_ONCE: usize = 4;

const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(10),
    whole: WHOLE,
    most_bytes: Limits::CLIENT.image,
    slowest: 8 * 1024,
};

impl Engine {
    /// Fetches the picture that the client named at this path.
    pub(super) async fn fetch_input(
        &self,
        url: &str,
        path: &str,
        until: Instant,
    ) -> Result<StagedBlob, Error> {
        let bounds = Bounds {
            whole: until.saturating_duration_since(Instant::now()),
            ..BOUNDS
        };
        let fetched = self.fetch(url, &bounds).await;
        fetched.map_err(|why| match why {
            Why::There(error) => {
                tracing::info!(param = path, %error, "an input image was not fetched");
                Error::input_not_fetched(path, &error.to_string())
            }
            Why::Here(BlobError::NotAnImage(error)) => {
                Error::input_not_fetched(path, &format!("what its URL leads to: {error}"))
            }
            Why::Here(BlobError::Full) => super::storage_full(),
            Why::Here(error) => {
                tracing::error!(%error, "an input image could not be stored");
                Error::internal()
            }
        })
    }

    async fn fetch(&self, url: &str, bounds: &Bounds) -> Result<StagedBlob, Why> {
        let mut reply = self.0.outbound.get(url, bounds).await?;
        let mut writer = Box::new(self.0.blobs.writer(bounds.most_bytes));
        while let Some(chunk) = reply.chunk().await? {
            writer.write(chunk).await?;
        }
        Ok(writer.finish().await?)
    }
}

/// Why a picture is not in the store.
enum Why {
    /// It did not come.
    There(FetchError),
    /// It came.
    Here(BlobError),
}

impl From<FetchError> for Why {
    fn from(error: FetchError) -> Self {
        Self::There(error)
    }
}

impl From<BlobError> for Why {
    fn from(error: BlobError) -> Self {
        Self::Here(error)
    }
}
