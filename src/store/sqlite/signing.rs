//! The secrets that sign an account's deliveries.

use super::rows::{all, execute, insert};
use crate::store::{Result, StoreError};
use crate::types::{AccountId, Millis, Signing, SigningSecret};
use rusqlite::{Connection, params};

/// Those that sign at this moment, the present one first.
pub(super) fn current(tx: &Connection, account: &AccountId, at: Millis) -> Result<Vec<Signing>> {
    all(
        tx,
        "SELECT secret, created_at, retires_at FROM signing_secrets \
         WHERE account = ?1 AND (retires_at IS NULL OR retires_at > ?2) ORDER BY created_at DESC, retires_at IS NOT NULL",
        params![account.as_str(), at.0],
        |row| row.signing(),
    )
}

/// As [`current`]; an account that has none gets its first.
pub(super) fn first(tx: &Connection, account: &AccountId, at: Millis) -> Result<Vec<Signing>> {
    let found = current(tx, account, at)?;
    if !found.is_empty() {
        return Ok(found);
    }
    put(tx, account, &SigningSecret::generate(), at)?;
    current(tx, account, at)
}

pub(super) fn rotate(
    tx: &Connection,
    account: &AccountId,
    secret: &SigningSecret,
    at: Millis,
    retires_at: Millis,
) -> Result<()> {
    // Two sign at a time: receivers are told of one change, not of a history.
    execute(
        tx,
        "UPDATE signing_secrets SET retires_at = min(retires_at, ?2) WHERE account = ?1 AND retires_at IS NOT NULL",
        params![account.as_str(), at.0],
    )?;
    execute(
        tx,
        "UPDATE signing_secrets SET retires_at = ?2 WHERE account = ?1 AND retires_at IS NULL",
        params![account.as_str(), retires_at.0],
    )?;
    put(tx, account, secret, at)
}

fn put(tx: &Connection, account: &AccountId, secret: &SigningSecret, at: Millis) -> Result<()> {
    let is_there = super::rows::first(
        tx,
        "SELECT 1 FROM accounts WHERE id = ?1",
        [account.as_str()],
        |_| Ok(()),
    )?;
    is_there.ok_or_else(|| StoreError::NotFound(format!("account {account}")))?;
    insert(
        tx,
        "INSERT INTO signing_secrets (account, secret, created_at) VALUES (?1, ?2, ?3)",
        params![account.as_str(), secret.reveal(), at.0],
        || "the signing secret".to_owned(),
    )
}
