//! Deleting what nobody needs any more: expired results and files, and blobs that no row names.

use super::Engine;
use crate::types::BlobKey;
use futures::StreamExt;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(600);

/// A blob without a row is younger than this while a request or a call still works on it.
const ORPHAN_AGE: Duration = Duration::from_secs(24 * 3600);

/// How many rows or blobs are handled at once.
const BATCH: usize = 500;

/// What one round deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Results whose time was over.
    pub expired: usize,
    /// Uploaded files whose time was over.
    pub files: usize,
    /// Blobs that no row named.
    pub orphans: usize,
}

impl Engine {
    pub(super) fn collect_in_background(&self) {
        let (engine, stop) = (self.clone(), self.0.stop.clone());
        self.0
            .tracker
            .spawn(stop.run_until_cancelled_owned(async move {
                loop {
                    tokio::time::sleep(EVERY).await;
                    let collected = engine.collect(ORPHAN_AGE).await;
                    if collected != Collected::default() {
                        tracing::info!(
                            collected.expired,
                            collected.files,
                            collected.orphans,
                            "old results and unused blobs were deleted"
                        );
                    }
                }
            }));
    }

    /// One round: expired results and files, then blobs older than `orphan_age` that no row names. What cannot be deleted now
    /// is logged and left to the next round.
    pub async fn collect(&self, orphan_age: Duration) -> Collected {
        self.forget_expired_keys().await;
        Collected {
            expired: self.collect_expired().await + self.collect_texts().await,
            files: self.collect_files().await,
            orphans: self.collect_orphans(orphan_age).await,
        }
    }

    /// Expired idempotency keys mean nothing already; this keeps their table small, off every caller's path.
    async fn forget_expired_keys(&self) {
        loop {
            match self
                .0
                .store
                .forget_expired_keys(self.now(), BATCH as u32)
                .await
            {
                Ok(BATCH..) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, "expired idempotency keys could not be deleted");
                    return;
                }
            }
        }
    }

    async fn collect_files(&self) -> usize {
        let mut deleted = 0;
        loop {
            match self.delete_expired_files(BATCH as u32).await {
                Ok(0) => return deleted,
                Ok(some) => deleted += some,
                Err(error) => {
                    tracing::error!(%error, "expired files could not be deleted");
                    return deleted;
                }
            }
        }
    }

    /// First the rows give a blob up, then it is deleted: a new task cannot come in between. What is not deleted is an orphan.
    async fn collect_expired(&self) -> usize {
        let mut deleted = 0;
        loop {
            let expired = match self.0.store.expire_assets(self.now(), BATCH as u32).await {
                Ok(expired) => expired,
                Err(error) => {
                    tracing::error!(%error, "expired results could not be given up");
                    return deleted;
                }
            };
            for asset in &expired {
                match self.0.blobs.delete(&asset.picture.blob).await {
                    Ok(()) => deleted += 1,
                    Err(error) => {
                        tracing::error!(task.id = %asset.task, %error, "an expired result was not deleted")
                    }
                }
            }
            if expired.len() < BATCH {
                return deleted;
            }
        }
    }

    async fn collect_texts(&self) -> usize {
        let mut deleted = 0;
        loop {
            match self.0.store.forget_texts(self.now(), BATCH as u32).await {
                Ok(found) => {
                    deleted += found;
                    if found < BATCH {
                        return deleted;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "expired texts could not be deleted");
                    return deleted;
                }
            }
        }
    }

    async fn collect_orphans(&self, age: Duration) -> usize {
        let mut deleted = 0;
        let mut batches = self.0.blobs.list_older_than(age).ready_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let (keys, errors): (Vec<_>, Vec<_>) = batch.into_iter().partition(Result::is_ok);
            if let Some(Err(error)) = errors.first() {
                tracing::error!(%error, "the blob store could not be listed");
            }
            let keys: Vec<BlobKey> = keys.into_iter().flatten().collect();
            deleted += self.delete_unreferenced(keys).await;
        }
        deleted
    }

    async fn delete_unreferenced(&self, keys: Vec<BlobKey>) -> usize {
        let referenced = match self.0.store.referenced(&keys).await {
            Ok(referenced) => referenced,
            Err(error) => {
                // In doubt, nothing is deleted.
                tracing::error!(%error, "references to blobs could not be read");
                return 0;
            }
        };
        let mut deleted = 0;
        for key in keys.iter().filter(|key| !referenced.contains(key)) {
            match self.0.blobs.delete(key).await {
                Ok(()) => deleted += 1,
                Err(error) => {
                    tracing::error!(blob.key = %key, %error, "an unused blob was not deleted")
                }
            }
        }
        deleted
    }
}
