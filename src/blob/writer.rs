//! Writing one blob: gather, hash, probe, upload, sync.

use super::probe::Probe;
use super::{BlobError, Blobs, path};
use crate::types::{BlobKey, Picture};
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};

/// Takes a blob's bytes as they come. Holds at most one part of them; dropping it leaves nothing behind.
pub struct BlobWriter {
    blobs: Blobs,
    key: BlobKey,
    limit: u64,
    length: u64,
    hasher: blake3::Hasher,
    probe: Probe,
    gathered: BytesMut,
    upload: Option<Box<dyn MultipartUpload>>,
}

impl BlobWriter {
    pub(super) fn new(blobs: Blobs, limit: u64) -> Self {
        Self {
            blobs,
            key: BlobKey::random(),
            limit,
            length: 0,
            hasher: blake3::Hasher::new(),
            probe: Probe::default(),
            gathered: BytesMut::new(),
            upload: None,
        }
    }

    /// Takes the next bytes. [`BlobError::TooLarge`] as soon as the limit is passed.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        self.length += bytes.len() as u64;
        if self.length > self.limit {
            return Err(BlobError::TooLarge(self.limit));
        }
        self.hasher.update(&bytes);
        self.probe.feed(&bytes);
        let mut rest = bytes;
        while self.gathered.len() + rest.len() > self.blobs.part_bytes {
            let part = rest.split_to(self.blobs.part_bytes - self.gathered.len());
            self.gathered.extend_from_slice(&part);
            self.write_part().await?;
        }
        // One whole small blob stays the buffer it came in.
        if self.gathered.is_empty() && self.upload.is_none() {
            self.gathered = BytesMut::from(rest);
        } else {
            self.gathered.extend_from_slice(&rest);
        }
        Ok(())
    }

    async fn write_part(&mut self) -> Result<(), BlobError> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let upload = self.blobs.objects.put_multipart(&path(&self.key)).await?;
                self.upload.insert(upload)
            }
        };
        let part = std::mem::replace(
            &mut self.gathered,
            BytesMut::with_capacity(self.blobs.part_bytes),
        );
        upload
            .put_part(PutPayload::from_bytes(part.freeze()))
            .await?;
        Ok(())
    }

    /// Syncs the blob under its key. [`BlobError::NotAnImage`] if its header is not that of an image we take: then
    /// nothing is left of it.
    pub async fn finish(mut self) -> Result<StagedBlob, BlobError> {
        let header = self.probe.header()?;
        if self.upload.is_some() && !self.gathered.is_empty() {
            self.write_part().await?;
        }
        let last = std::mem::take(&mut self.gathered).freeze();
        match &mut self.upload {
            Some(upload) => drop(upload.complete().await?),
            None => drop(
                self.blobs
                    .objects
                    .put(&path(&self.key), PutPayload::from_bytes(last))
                    .await?,
            ),
        }
        self.upload = None;
        let picture = Picture {
            blob: self.key.clone(),
            bytes: self.length,
            hash: self.hasher.finalize().to_hex().to_string(),
            format: header.format,
            width: header.width,
            height: header.height,
        };
        Ok(StagedBlob {
            picture: Some(picture),
            blobs: self.blobs.clone(),
        })
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else {
            return;
        };
        // Aborting is asynchronous; without a runtime the collector finds what is left.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { upload.abort().await });
        }
    }
}

/// A blob that is synced and that no row names yet. Dropping it deletes it; [`StagedBlob::keep`] hands it to a row.
pub struct StagedBlob {
    picture: Option<Picture>,
    blobs: Blobs,
}

impl StagedBlob {
    /// What it is.
    pub fn picture(&self) -> &Picture {
        self.picture
            .as_ref()
            .expect("present until kept, and keeping consumes it")
    }

    /// Gives it up to the row that names it.
    pub fn keep(mut self) -> Picture {
        self.picture
            .take()
            .expect("present until kept, and keeping consumes it")
    }
}

impl Drop for StagedBlob {
    fn drop(&mut self) {
        if let Some(picture) = self.picture.take() {
            // A closed channel means that the process is ending; the collector finds the blob.
            let _ = self.blobs.janitor.send(picture.blob);
        }
    }
}

impl std::fmt::Debug for StagedBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StagedBlob").field(&self.picture).finish()
    }
}
