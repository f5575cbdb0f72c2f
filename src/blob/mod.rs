//! The blob store: where pictures lie.
//!
//! A blob is *staged* when its bytes are whole and synced under their final, random key; it is *published* by the
//! transaction that writes a row with that key. A staged blob that no row ever names is an orphan: dropping its
//! [`StagedBlob`] deletes it, and what a crash leaves behind is found by [`Blobs::list_older_than`] and collected.
//! Names are random and nobody asks for one that no row holds, so local disk and object stores behave alike.
//!
//! This module knows bytes, hashes and image headers; it knows no rows, models or dialects.

mod local;
pub mod probe;
mod whole;
mod writer;

pub use writer::{BlobWriter, StagedBlob};

use crate::types::{BlobKey, Picture};
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How much of a blob is read at once: small enough that a thousand replies stay small; divisible by three, so that
/// base64 blocks join without padding.
pub const READ_BLOCK_BYTES: usize = 24 * 1024;

/// How much of a blob is written at once: large enough that a thread hop for each is noise. Divisible by three, so that
/// what decodes base64 can fill exactly one.
pub const PART_BYTES: usize = 96 * 1024;

/// The same store everywhere; cloning is cheap.
#[derive(Clone)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
    /// The local folder, whose files we read and write ourselves; `None` on an object store.
    root: Option<PathBuf>,
    /// Whether the disk of that folder takes what is written at once.
    pace: Arc<local::Pace>,
    /// Where dropped staged blobs go to be deleted.
    janitor: mpsc::UnboundedSender<BlobKey>,
}

/// What the system may do with its own copy of a blob in memory once it was read to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Keep,
    Forget,
}

/// Why a blob could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such blob.
    #[error("the blob does not exist")]
    NotFound,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// More bytes than the writer's limit.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// Not an image that we take.
    #[error("{0}")]
    NotAnImage(#[from] probe::ProbeError),
    /// The store's own fault.
    #[error("the blob store failed: {0}")]
    Backend(String),
}

impl From<std::io::Error> for BlobError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound,
            _ if is_disk_full(&error) => Self::Full,
            _ => Self::Backend(error.to_string()),
        }
    }
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            other if is_disk_full(&other) => Self::Full,
            other => Self::Backend(other.to_string()),
        }
    }
}

/// Whether a "no space left" (or "quota exceeded") hides anywhere below this error.
fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        error.downcast_ref::<std::io::Error>().is_some_and(|io| {
            matches!(
                io.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            )
        })
    })
}

impl Blobs {
    /// A store in a local folder. Every blob and the folder that names it are synced before a write returns.
    /// Must be called on a tokio runtime: it starts the task that deletes dropped blobs.
    pub fn local(root: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(root)
            .map_err(|error| BlobError::Backend(format!("{}: {error}", root.display())))?;
        let objects: Arc<dyn ObjectStore> =
            Arc::new(LocalFileSystem::new_with_prefix(root)?.with_fsync(true));
        let (janitor, dropped) = mpsc::unbounded_channel();
        let blobs = Self {
            objects,
            root: Some(root.to_owned()),
            pace: Arc::new(local::Pace::new()),
            janitor,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "ends by itself when the last handle of this store is dropped"
        )]
        tokio::spawn(delete_dropped(Arc::clone(&blobs.objects), dropped));
        Ok(blobs)
    }

    /// A writer for one new blob of at most `limit` bytes.
    pub fn writer(&self, limit: u64) -> BlobWriter {
        BlobWriter::new(self.clone(), limit)
    }

    /// Stages a blob that is already whole in memory.
    pub async fn put(&self, bytes: Bytes) -> Result<StagedBlob, BlobError> {
        let mut writer = self.writer(u64::MAX);
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// The bytes of a blob in blocks of [`READ_BLOCK_BYTES`], the last of which may be shorter.
    pub async fn read(
        &self,
        key: &BlobKey,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        self.read_then(key, range, Then::Keep).await
    }

    /// A whole picture that was just written and that nobody is known to read again soon: the system need not keep it in
    /// memory. It stays on disk.
    pub async fn read_once(
        &self,
        picture: &Picture,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        self.read_then(&picture.blob, 0..picture.bytes, Then::Forget)
            .await
    }

    async fn read_then(
        &self,
        key: &BlobKey,
        range: Range<u64>,
        then: Then,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        if range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        if let Some(name) = self.file_name(key) {
            return local::read(name, range, then).await;
        }
        let options = GetOptions {
            range: Some(range.into()),
            ..GetOptions::default()
        };
        let found = self.objects.get_opts(&path(key), options).await?;
        Ok(found.into_stream().map_err(BlobError::from).boxed())
    }

    /// The file of a blob, on local disk.
    fn file_name(&self, key: &BlobKey) -> Option<PathBuf> {
        Some(self.root.as_ref()?.join(key.as_str()))
    }

    /// All the bytes of a blob whose length nobody has noted.
    pub async fn read_all(
        &self,
        key: &BlobKey,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let found = self.objects.head(&path(key)).await?;
        self.read(key, 0..found.size).await
    }

    /// A picture whole in memory, for the few that are needed so.
    pub async fn read_whole(&self, picture: &Picture) -> Result<Bytes, BlobError> {
        let blocks = self.read(&picture.blob, 0..picture.bytes).await?;
        let whole = blocks.try_fold(BytesMut::new(), |mut whole, block| async move {
            whole.extend_from_slice(&block);
            Ok(whole)
        });
        Ok(whole.await?.freeze())
    }

    /// Deletes a blob; one that is gone already is fine.
    pub async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match self.objects.delete(&path(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every blob that was written longer than `age` ago, in no order.
    pub fn list_older_than(&self, age: Duration) -> BoxStream<'static, Result<BlobKey, BlobError>> {
        let newest = jiff::Timestamp::now().as_millisecond()
            - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        self.objects
            .list(Some(&ObjectPath::from("blobs")))
            .try_filter(move |meta| {
                std::future::ready(meta.last_modified.timestamp_millis() < newest)
            })
            .map_ok(|meta| BlobKey::trusted(meta.location.to_string()))
            .map_err(BlobError::from)
            .boxed()
    }

    /// Bytes that may still be written, or `None` where there is no such figure (an object store).
    pub fn free_bytes(&self) -> Result<Option<u64>, BlobError> {
        let Some(root) = &self.root else {
            return Ok(None);
        };
        let stat =
            rustix::fs::statvfs(root).map_err(|error| BlobError::Backend(error.to_string()))?;
        Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }
}

fn path(key: &BlobKey) -> ObjectPath {
    ObjectPath::from(key.as_str())
}

/// Deletes blobs whose [`StagedBlob`] was dropped without being kept. Ends with the last handle to the store.
async fn delete_dropped(
    objects: Arc<dyn ObjectStore>,
    mut dropped: mpsc::UnboundedReceiver<BlobKey>,
) {
    while let Some(key) = dropped.recv().await {
        if let Err(error) = objects.delete(&path(&key)).await {
            tracing::debug!(blob.key = %key, %error, "an unused blob was not deleted; the collector will find it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG's first bytes, enough for the probe, followed by `length` bytes of filling.
    fn png(width: u32, height: u32, length: usize) -> Bytes {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend((0..length).map(|k| u8::try_from(k % 251).expect("below 251")));
        bytes.into()
    }

    async fn read_all(blobs: &Blobs, key: &BlobKey, range: Range<u64>) -> Vec<u8> {
        let blocks = blobs.read(key, range).await.expect("it is there");
        blocks
            .try_fold(Vec::new(), |mut all, block| async move {
                all.extend(block);
                Ok(all)
            })
            .await
            .expect("it reads")
    }

    #[tokio::test]
    async fn a_blob_reads_back_in_whole_and_in_part() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::local(folder.path()).expect("a store");
        for length in [0, 1000, PART_BYTES - 24, PART_BYTES, 700_000] {
            let bytes = png(640, 480, length);
            let mut writer = blobs.writer(1 << 20);
            for chunk in bytes.chunks(7001) {
                writer
                    .write(Bytes::copy_from_slice(chunk))
                    .await
                    .expect("room");
            }
            let picture = writer.finish().await.expect("an image").keep();
            assert_eq!(
                (picture.width, picture.height, picture.bytes),
                (640, 480, bytes.len() as u64)
            );
            assert_eq!(picture.hash, blake3::hash(&bytes).to_hex().to_string());
            assert_eq!(
                read_all(&blobs, &picture.blob, 0..picture.bytes).await,
                bytes
            );
            assert_eq!(read_all(&blobs, &picture.blob, 5..20).await, bytes[5..20]);
        }
    }

    #[tokio::test]
    async fn what_is_read_once_can_be_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::local(folder.path()).expect("a store");
        let bytes = png(640, 480, 700_000);
        let picture = blobs.put(bytes.clone()).await.expect("staged").keep();
        for _ in 0..2 {
            let blocks = blobs.read_once(&picture).await.expect("it is there");
            let read: Vec<Bytes> = blocks.try_collect().await.expect("it reads");
            assert_eq!(read.concat(), bytes);
        }
    }

    #[tokio::test]
    async fn what_is_dropped_or_refused_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::local(folder.path()).expect("a store");
        drop(blobs.put(png(1, 1, 10)).await.expect("staged"));
        let mut writer = blobs.writer(1000);
        assert!(matches!(
            writer.write(png(1, 1, 1000)).await,
            Err(BlobError::TooLarge(1000))
        ));
        drop(writer);
        let mut unfinished = blobs.writer(u64::MAX);
        unfinished.write(png(1, 1, 400_000)).await.expect("room");
        drop(unfinished);
        assert!(matches!(
            blobs.put(Bytes::from_static(b"<svg/>")).await,
            Err(BlobError::NotAnImage(_))
        ));
        for _ in 0..200 {
            if files_below(folder.path()) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} files are left", files_below(folder.path()));
    }

    #[tokio::test]
    async fn what_a_killed_process_was_writing_is_found_as_an_orphan() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::local(folder.path()).expect("a store");
        let mut unfinished = blobs.writer(u64::MAX);
        unfinished.write(png(1, 1, 400_000)).await.expect("room");
        // Dropping it would delete it, as a killed process cannot.
        std::mem::forget(unfinished);
        let older = |age| blobs.list_older_than(age).try_collect::<Vec<_>>();
        assert_eq!(
            older(Duration::from_secs(60)).await.expect("listed").len(),
            0
        );
        // Files know when they were written to a few milliseconds.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let found = older(Duration::ZERO).await.expect("listed");
        assert_eq!(found.len(), 1);
        blobs.delete(&found[0]).await.expect("deleted");
        assert_eq!(files_below(folder.path()), 0);
    }

    #[tokio::test]
    async fn a_file_that_is_taken_away_while_it_is_written_is_no_blob() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::local(folder.path()).expect("a store");
        let mut writer = blobs.writer(u64::MAX);
        writer.write(png(1, 1, 400_000)).await.expect("room");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let older = blobs.list_older_than(Duration::ZERO);
        let found: Vec<_> = older.try_collect().await.expect("listed");
        blobs.delete(&found[0]).await.expect("deleted");
        assert!(matches!(writer.finish().await, Err(BlobError::Backend(_))));
    }

    fn files_below(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path());
        entries
            .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
            .sum()
    }
}
