//! Stored results, and which blobs some row still needs.

use super::rows::{all, columns, execute, first, insert};
use crate::store::{Result, StoreError};
use crate::types::{AccountId, Asset, AssetId, BlobKey, Millis, TaskId};
use rusqlite::{Connection, params};

pub(super) fn insert_all(
    tx: &Connection,
    task: &TaskId,
    account: &AccountId,
    assets: &[Asset],
) -> Result<()> {
    for asset in assets {
        if asset.task != *task || asset.account != *account {
            return Err(StoreError::Backend(format!(
                "asset {} names {} of {} and came with {task} of {account}",
                asset.id, asset.task, asset.account
            )));
        }
        insert_one(tx, asset)?;
    }
    Ok(())
}

fn insert_one(tx: &Connection, asset: &Asset) -> Result<()> {
    let picture = &asset.picture;
    insert(
        tx,
        "INSERT INTO assets (id, task, account, image_index, blob, bytes, hash, format, width, height, \
         revised_prompt, created_at, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            asset.id.as_str(),
            asset.task.as_str(),
            asset.account.as_str(),
            asset.index,
            picture.blob.as_str(),
            picture.bytes.cast_signed(),
            picture.hash,
            picture.format.name(),
            picture.width,
            picture.height,
            asset.revised_prompt,
            asset.created_at.0,
            asset.expires_at.map(|at| at.0)
        ],
        // Not its id, which is the name under which anybody may fetch it.
        || format!("result {} of task {}", asset.index, asset.task),
    )
}

/// The results of a task, by index.
pub(super) fn of_task(tx: &Connection, task: &TaskId) -> Result<Vec<Asset>> {
    all(
        tx,
        concat!(
            "SELECT ",
            columns!(asset),
            " FROM assets WHERE task = ?1 ORDER BY image_index, created_at, id"
        ),
        [task.as_str()],
        |row| row.asset(),
    )
}

pub(super) fn find(tx: &Connection, asset: &AssetId) -> Result<Option<Asset>> {
    first(
        tx,
        concat!("SELECT ", columns!(asset), " FROM assets WHERE id = ?1"),
        [asset.as_str()],
        |row| row.asset(),
    )
}

/// Whether a new task may still read each of these.
pub(super) fn check_all(tx: &Connection, assets: &[AssetId], at: Millis) -> Result<()> {
    for asset in assets {
        first(
            tx,
            "SELECT 1 FROM assets WHERE id = ?1 AND blob_deleted = 0 AND (expires_at IS NULL OR expires_at > ?2)",
            params![asset.as_str(), at.0],
            |_| Ok(()),
        )?
        .ok_or_else(|| StoreError::ResultGone(asset.clone()))?;
    }
    Ok(())
}

pub(super) fn referenced(tx: &Connection, blobs: &[BlobKey]) -> Result<Vec<BlobKey>> {
    let mut needed = Vec::new();
    for blob in blobs {
        let row = first(
            tx,
            "SELECT 1 FROM assets WHERE blob = ?1 AND blob_deleted = 0 \
             UNION ALL SELECT 1 FROM task_inputs WHERE blob = ?1 \
             UNION ALL SELECT 1 FROM files WHERE blob = ?1 LIMIT 1",
            [blob.as_str()],
            |_| Ok(()),
        )?;
        needed.extend(row.map(|()| blob.clone()));
    }
    Ok(needed)
}

pub(super) fn expire(tx: &Connection, at: Millis, most: u32) -> Result<Vec<Asset>> {
    let expired = all(
        tx,
        concat!(
            "SELECT ",
            columns!(asset),
            " FROM assets WHERE blob_deleted = 0 AND expires_at <= ?1 \
             AND NOT EXISTS (SELECT 1 FROM task_inputs WHERE task_inputs.blob = assets.blob) \
             ORDER BY expires_at LIMIT ?2"
        ),
        params![at.0, most],
        |row| row.asset(),
    )?;
    for asset in &expired {
        execute(
            tx,
            "UPDATE assets SET blob_deleted = 1 WHERE id = ?1",
            [asset.id.as_str()],
        )?;
    }
    Ok(expired)
}
