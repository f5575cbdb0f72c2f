//! Uploaded files: input images that are sent once and named in later calls.
//!
//! They belong to an account, and its live and test keys share them: a picture costs nothing until a task reads it. Each
//! is kept for a day at most, all of an account within [`MOST_FILES`].

use super::{Engine, refusal};
use crate::blob::StagedBlob;
use crate::error::{Error, Kind};
use crate::store::{FileBounds, FilePage, Freed, StoreError};
use crate::types::{BlobKey, Caller, FileId, InputFile, Scope};
use std::time::Duration;

/// How long a file is kept at most, and if nobody says less.
pub const KEEP_FILES: Duration = Duration::from_secs(24 * 3600);

/// What an account may keep at a time: a gibibyte, and so many that counting them stays cheap.
pub const MOST_FILES: FileBounds = FileBounds {
    files: 10_000,
    bytes: 1 << 30,
};

/// A file that was read and is not kept yet.
#[derive(Debug)]
pub struct NewFile {
    /// What its owner calls it.
    pub name: String,
    /// What its owner says it is for.
    pub purpose: String,
    /// How long it is wanted.
    pub keep: Duration,
    /// Its bytes.
    pub blob: StagedBlob,
}

impl Engine {
    /// Keeps a file. When this returns `Ok`, it is durable.
    pub async fn keep_file(&self, caller: &Caller, new: NewFile) -> Result<InputFile, Error> {
        self.may_admit(caller)?;
        let created_at = self.now();
        let file = InputFile {
            id: FileId::new(),
            account: caller.account.id.clone(),
            name: new.name,
            purpose: new.purpose,
            picture: new.blob.picture().clone(),
            created_at,
            expires_at: created_at.after(new.keep.min(KEEP_FILES)),
        };
        let (engine, row, blob) = (self.clone(), file.clone(), new.blob);
        // On a task of its own: a client that leaves between row and blob must not take the blob with it.
        let stored = self.0.tracker.spawn(async move {
            let stored = engine.0.store.add_file(row, MOST_FILES).await;
            if stored.is_ok() {
                blob.keep();
            }
            stored
        });
        match stored.await.map_err(|_| Error::internal())? {
            Ok(()) => Ok(file),
            Err(StoreError::FilesFull { files, bytes }) => Err(no_room(&file, files, bytes)),
            Err(error) => Err(refusal(error)),
        }
    }

    /// A file of the caller's account.
    pub async fn find_file(&self, caller: &Caller, id: &str) -> Result<InputFile, Error> {
        let id = FileId::parse(id).ok_or_else(unknown)?;
        self.live_file(caller, &id).await?.ok_or_else(unknown)
    }

    /// The files of the caller's account.
    pub async fn list_files(
        &self,
        caller: &Caller,
        page: &FilePage,
    ) -> Result<Vec<InputFile>, Error> {
        let store = &self.0.store;
        let listed = store.list_files(&caller.account.id, page, self.now()).await;
        listed.map_err(refusal)
    }

    /// Deletes a file of the caller's account. Tasks that were accepted with it go on.
    pub async fn delete_file(&self, caller: &Caller, id: &str) -> Result<FileId, Error> {
        if !caller.may(Scope::Generate) {
            let message = "this key may not delete files; its scopes do not include `generate`";
            return Err(Error::new(Kind::Forbidden, message));
        }
        let id = FileId::parse(id).ok_or_else(unknown)?;
        let (store, account) = (&self.0.store, &caller.account.id);
        let freed = store
            .delete_file(account, &id, self.now())
            .await
            .map_err(refusal)?
            .ok_or_else(unknown)?;
        self.delete_freed(&freed.blobs).await;
        Ok(id)
    }

    pub(super) async fn live_file(
        &self,
        caller: &Caller,
        id: &FileId,
    ) -> Result<Option<InputFile>, Error> {
        let store = &self.0.store;
        let found = store.find_file(&caller.account.id, id, self.now()).await;
        found.map_err(refusal)
    }

    /// Deletes up to `most` expired files; returns how many there were.
    pub(super) async fn delete_expired_files(&self, most: u32) -> Result<usize, StoreError> {
        let Freed { files, blobs } = self.0.store.delete_expired_files(self.now(), most).await?;
        self.delete_freed(&blobs).await;
        Ok(files)
    }

    /// Their rows are gone. A blob that cannot be deleted now is an orphan, which the collector finds.
    async fn delete_freed(&self, blobs: &[BlobKey]) {
        for blob in blobs {
            if let Err(error) = self.0.blobs.delete(blob).await {
                tracing::warn!(blob.key = %blob, %error, "the blob of a deleted file is left to the collector");
            }
        }
    }
}

/// Another account's file answers as one that never was, and so does one that has expired.
fn unknown() -> Error {
    let message = "there is no such file; files are kept for a day and seen by their own account";
    Error::new(Kind::NotFound, message)
}

fn no_room(file: &InputFile, files: u64, bytes: u64) -> Error {
    let message = format!(
        "an account may keep {} files of {} bytes together; this one keeps {files} files of {bytes} bytes and the new \
         one has {} bytes: delete some, or let them expire",
        MOST_FILES.files, MOST_FILES.bytes, file.picture.bytes
    );
    Error::new(Kind::TooLarge, message)
}
