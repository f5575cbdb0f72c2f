//! Idempotency keys: which task a repetition stands for.

use super::rows::{execute, first};
use crate::store::{Admission, Idempotency, Result, StoreError};
use crate::types::{AccountId, Millis, Mode, TaskId};
use rusqlite::{Connection, params};

/// The task that this key stands for.
pub(super) fn find(
    tx: &Connection,
    account: &AccountId,
    mode: Mode,
    asked: &Idempotency,
    at: Millis,
) -> Result<Option<TaskId>> {
    let known = first(
        tx,
        "SELECT fingerprint, task FROM idempotency_keys \
         WHERE account = ?1 AND mode = ?2 AND key = ?3 AND expires_at > ?4",
        params![account.as_str(), mode.name(), asked.key, at.0],
        |row| Ok((row.get::<Vec<u8>>()?, row.task_id()?)),
    )?;
    match known {
        None => Ok(None),
        Some((fingerprint, task)) if fingerprint == asked.fingerprint => Ok(Some(task)),
        Some(_) => Err(StoreError::KeyReused),
    }
}

/// Keeps the key of a task that was just accepted, in the place of an expired one.
pub(super) fn note(tx: &Connection, admission: &Admission) -> Result<()> {
    let Some(asked) = &admission.idempotency else {
        return Ok(());
    };
    execute(
        tx,
        "INSERT OR REPLACE INTO idempotency_keys (account, mode, key, fingerprint, task, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            admission.account.as_str(),
            admission.mode.name(),
            asked.key,
            asked.fingerprint,
            admission.task.as_str(),
            asked.expires_at.0
        ],
    )?;
    Ok(())
}

/// Deletes keys that mean nothing any more; returns how many.
pub(super) fn forget_expired(tx: &Connection, at: Millis, most: u32) -> Result<usize> {
    execute(
        tx,
        "DELETE FROM idempotency_keys WHERE (account, mode, key) IN ( \
           SELECT account, mode, key FROM idempotency_keys WHERE expires_at <= ?1 LIMIT ?2)",
        params![at.0, most],
    )
}
