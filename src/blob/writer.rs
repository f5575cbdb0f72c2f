//! Writing one blob: gather, hash, probe, upload, sync.

use super::local::{self, Unfinished};
use super::probe::Probe;
use super::{BlobError, Blobs, PART_BYTES, path, whole};
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
    /// The last bytes of what has been written, which show the end of an image that is a whole number of parts.
    written_end: Bytes,
    begun: Begun,
}

/// How much of a part is remembered: more than the end of any format is long.
const END_BYTES: usize = 64;

/// What of a blob has been written.
enum Begun {
    Nothing,
    File(Unfinished),
    Upload(Box<dyn MultipartUpload>),
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
            written_end: Bytes::new(),
            begun: Begun::Nothing,
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
        while self.gathered.len() + rest.len() >= PART_BYTES {
            let next = rest.split_to(PART_BYTES - self.gathered.len());
            let part = self.joined(next);
            self.write_part(part).await?;
        }
        self.gather(rest);
        Ok(())
    }

    /// What was gathered, and these bytes. What comes as a whole part is not copied.
    fn joined(&mut self, next: Bytes) -> Bytes {
        if self.gathered.is_empty() {
            return next;
        }
        self.gathered.extend_from_slice(&next);
        std::mem::take(&mut self.gathered).freeze()
    }

    /// Keeps bytes for later. The first ones stay in the buffer they came in: often there are no others.
    fn gather(&mut self, bytes: Bytes) {
        if self.gathered.is_empty() {
            self.gathered = BytesMut::from(bytes);
        } else {
            // Room for the whole part: a buffer that grows is copied again and again.
            self.gathered.reserve(PART_BYTES - self.gathered.len());
            self.gathered.extend_from_slice(&bytes);
        }
    }

    async fn write_part(&mut self, part: Bytes) -> Result<(), BlobError> {
        self.written_end = Bytes::copy_from_slice(&part[part.len().saturating_sub(END_BYTES)..]);
        let begun = std::mem::replace(&mut self.begun, Begun::Nothing);
        let pace = &self.blobs.pace;
        self.begun = match (begun, self.blobs.file_name(&self.key)) {
            (Begun::File(file), Some(name)) => {
                Begun::File(local::write(Some(file), name, part, pace).await?)
            }
            (Begun::Nothing, Some(name)) => {
                Begun::File(local::write(None, name, part, pace).await?)
            }
            (begun, _) => self.upload_part(begun, part).await?,
        };
        Ok(())
    }

    async fn upload_part(&mut self, begun: Begun, part: Bytes) -> Result<Begun, BlobError> {
        let objects = &self.blobs.objects;
        let mut upload = match begun {
            Begun::Upload(upload) => upload,
            _ => objects.put_multipart(&path(&self.key)).await?,
        };
        upload.put_part(PutPayload::from_bytes(part)).await?;
        Ok(Begun::Upload(upload))
    }

    /// Syncs the blob under its key. [`BlobError::NotAnImage`] if its header is not that of an image we take: then
    /// nothing is left of it.
    pub async fn finish(mut self) -> Result<StagedBlob, BlobError> {
        let header = self.probe.header()?;
        let last = std::mem::take(&mut self.gathered).freeze();
        let picture = Picture {
            blob: self.key.clone(),
            bytes: self.length,
            hash: self.hasher.finalize().to_hex().to_string(),
            format: header.format,
            width: header.width,
            height: header.height,
        };
        let has_end =
            |end: &[u8]| whole::has_end(header.format, self.length, self.probe.head(), end);
        let seam = || [&self.written_end, &last[..last.len().min(END_BYTES)]].concat();
        let staged = StagedBlob {
            has_end: has_end(&last) || has_end(&seam()),
            picture: Some(picture),
            blobs: self.blobs.clone(),
        };
        let begun = std::mem::replace(&mut self.begun, Begun::Nothing);
        match (begun, self.blobs.file_name(&self.key)) {
            (Begun::File(file), Some(name)) => local::finish(Some(file), name, last, staged).await,
            (Begun::Nothing, Some(name)) => local::finish(None, name, last, staged).await,
            (begun, _) => self.finish_upload(begun, last).await.map(|()| staged),
        }
    }

    async fn finish_upload(&mut self, begun: Begun, last: Bytes) -> Result<(), BlobError> {
        if !matches!(begun, Begun::Upload(_)) {
            let payload = PutPayload::from_bytes(last);
            self.blobs.objects.put(&path(&self.key), payload).await?;
            return Ok(());
        }
        if let Begun::Upload(mut upload) = self.upload_part(begun, last).await? {
            upload.complete().await?;
        }
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        let Begun::Upload(mut upload) = std::mem::replace(&mut self.begun, Begun::Nothing) else {
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
    /// The end that its format prescribes was seen on its way.
    has_end: bool,
    blobs: Blobs,
}

impl StagedBlob {
    /// What it is.
    pub fn picture(&self) -> &Picture {
        self.picture
            .as_ref()
            .expect("present until kept, and keeping consumes it")
    }

    /// Whether it is all there: a header says nothing of the rest. Formats without a mark at their end count as whole.
    pub async fn is_whole(&self) -> Result<bool, BlobError> {
        if self.has_end {
            return Ok(true);
        }
        whole::is_whole(&self.blobs, self.picture()).await
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of so many bytes: a header, filling, and the last chunk.
    fn png(length: usize) -> Bytes {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0".to_vec();
        bytes.resize(length - 12, 7);
        bytes.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
        bytes.into()
    }

    #[tokio::test]
    async fn an_end_is_seen_wherever_the_parts_are_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::local(folder.path()).expect("a store");
        for beyond in [0, 1, 5, 11, 12, 13, 1000] {
            let whole = png(2 * PART_BYTES + beyond);
            let staged = blobs.put(whole.clone()).await.expect("staged");
            assert!(staged.has_end, "{beyond} bytes in the last part");
            let cut = whole.slice(..whole.len() - 1);
            let staged = blobs.put(cut).await.expect("staged");
            assert!(
                !staged.has_end,
                "{beyond} bytes in the last part, one missing"
            );
        }
    }
}
