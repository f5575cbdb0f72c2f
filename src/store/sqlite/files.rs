//! Uploaded files. A row keeps its blob; a task that was accepted with it keeps the blob too, by rows of its own, so
//! that a file may go at any moment.

use super::rows::{Cells, all, columns, execute, first, insert};
use crate::store::{FileBounds, FilePage, Freed, Result, StoreError};
use crate::types::{AccountId, BlobKey, FileId, InputFile, Millis};
use rusqlite::{Connection, params};

pub(super) fn add(tx: &Connection, file: &InputFile, most: FileBounds) -> Result<()> {
    check_room(tx, file, most)?;
    let picture = &file.picture;
    insert(
        tx,
        "INSERT INTO files (id, account, name, purpose, blob, bytes, hash, format, width, height, created_at, \
         expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            file.id.as_str(),
            file.account.as_str(),
            file.name,
            file.purpose,
            picture.blob.as_str(),
            picture.bytes.cast_signed(),
            picture.hash,
            picture.format.name(),
            picture.width,
            picture.height,
            file.created_at.0,
            file.expires_at.0
        ],
        || format!("file {}", file.id),
    )
}

/// The bounds count what lives at the moment of the upload, deleted by the collector or not.
fn check_room(tx: &Connection, file: &InputFile, most: FileBounds) -> Result<()> {
    let kept = first(
        tx,
        "SELECT count(*), coalesce(sum(bytes), 0) FROM files WHERE account = ?1 AND expires_at > ?2",
        params![file.account.as_str(), file.created_at.0],
        |row| Ok((row.unsigned()?, row.unsigned()?)),
    )?;
    let (files, bytes) = kept.unwrap_or_default();
    if files < most.files && bytes.saturating_add(file.picture.bytes) <= most.bytes {
        Ok(())
    } else {
        Err(StoreError::FilesFull { files, bytes })
    }
}

pub(super) fn find(
    tx: &Connection,
    account: &AccountId,
    file: &FileId,
    at: Millis,
) -> Result<Option<InputFile>> {
    first(
        tx,
        concat!(
            "SELECT ",
            columns!(file),
            " FROM files WHERE id = ?1 AND account = ?2 AND expires_at > ?3"
        ),
        params![file.as_str(), account.as_str(), at.0],
        |row| row.file(),
    )
}

/// Ids are ordered by time, so they are what is paged by.
pub(super) fn list(
    tx: &Connection,
    account: &AccountId,
    page: &FilePage,
    at: Millis,
) -> Result<Vec<InputFile>> {
    let sql = if page.oldest_first {
        concat!(
            "SELECT ",
            columns!(file),
            " FROM files WHERE account = ?1 AND expires_at > ?2 AND id > coalesce(?3, '') \
             AND (?4 IS NULL OR purpose = ?4) ORDER BY id LIMIT ?5"
        )
    } else {
        concat!(
            "SELECT ",
            columns!(file),
            // Behind every id: ids are ASCII.
            " FROM files WHERE account = ?1 AND expires_at > ?2 AND id < coalesce(?3, char(127)) \
             AND (?4 IS NULL OR purpose = ?4) ORDER BY id DESC LIMIT ?5"
        )
    };
    let after = page.after.as_ref().map(FileId::as_str);
    all(
        tx,
        sql,
        params![account.as_str(), at.0, after, page.purpose, page.most],
        |row| row.file(),
    )
}

/// A request may read these; asked in the transaction that makes their blobs the task's own.
pub(super) fn check_all(tx: &Connection, account: &AccountId, files: &[FileId]) -> Result<()> {
    for file in files {
        first(
            tx,
            "SELECT 1 FROM files WHERE id = ?1 AND account = ?2",
            [file.as_str(), account.as_str()],
            |_| Ok(()),
        )?
        .ok_or_else(|| StoreError::FileGone(file.clone()))?;
    }
    Ok(())
}

pub(super) fn delete(
    tx: &Connection,
    account: &AccountId,
    file: &FileId,
    at: Millis,
) -> Result<Option<Freed>> {
    let found = first(
        tx,
        "SELECT id, blob FROM files WHERE id = ?1 AND account = ?2 AND expires_at > ?3",
        params![file.as_str(), account.as_str(), at.0],
        id_and_blob,
    )?;
    found.map(|found| delete_all(tx, &[found])).transpose()
}

pub(super) fn delete_expired(tx: &Connection, at: Millis, most: u32) -> Result<Freed> {
    let expired = all(
        tx,
        "SELECT id, blob FROM files WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
        params![at.0, most],
        id_and_blob,
    )?;
    delete_all(tx, &expired)
}

fn id_and_blob(row: &mut Cells<'_>) -> Result<(FileId, BlobKey)> {
    Ok((row.file_id()?, row.blob_key()?))
}

/// Deletes the rows, and names the blobs that no unfinished task reads.
fn delete_all(tx: &Connection, files: &[(FileId, BlobKey)]) -> Result<Freed> {
    let mut freed = Freed::default();
    for (file, blob) in files {
        freed.files += execute(tx, "DELETE FROM files WHERE id = ?1", [file.as_str()])?;
        let read = first(
            tx,
            "SELECT 1 FROM task_inputs WHERE blob = ?1 LIMIT 1",
            [blob.as_str()],
            |_| Ok(()),
        )?;
        if read.is_none() {
            freed.blobs.push(blob.clone());
        }
    }
    Ok(freed)
}
