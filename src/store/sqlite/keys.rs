//! API keys, found by the hash of their secret.

use super::accounts::bump_generation;
use super::rows::{all, columns, execute, first, insert, json};
use crate::store::{Result, SecretHash, StoreError};
use crate::types::{Account, AccountId, ApiKey, KeyId, Millis};
use rusqlite::{Connection, params};

pub(super) fn create(tx: &Connection, keys: &[(ApiKey, SecretHash)]) -> Result<()> {
    for (key, secret) in keys {
        create_one(tx, key, secret)?;
    }
    if keys.is_empty() {
        Ok(())
    } else {
        bump_generation(tx)
    }
}

fn create_one(tx: &Connection, key: &ApiKey, secret: &SecretHash) -> Result<()> {
    let account = first(
        tx,
        "SELECT 1 FROM accounts WHERE id = ?1",
        [key.account.as_str()],
        |_| Ok(()),
    )?;
    if account.is_none() {
        return Err(StoreError::NotFound(format!("account {}", key.account)));
    }
    insert(
        tx,
        "INSERT INTO api_keys (id, account, name, mode, last_four, limits, secret_hash, imported, created_at, \
         revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            key.id.as_str(),
            key.account.as_str(),
            key.name,
            key.mode.name(),
            key.last_four,
            json(&key.limits)?,
            secret,
            key.imported,
            key.created_at.0,
            key.revoked_at.map(|at| at.0)
        ],
        || format!("the secret of key {}", key.name),
    )
}

pub(super) fn find(tx: &Connection, secret: &SecretHash) -> Result<Option<(ApiKey, Account)>> {
    first(
        tx,
        concat!(
            "SELECT ",
            columns!(key),
            ", ",
            columns!(account),
            " FROM api_keys JOIN accounts ON accounts.id = api_keys.account WHERE secret_hash = ?1"
        ),
        [secret],
        |row| Ok((row.key()?, row.account()?)),
    )
}

/// Ids grow with time, so they order the keys of one millisecond.
pub(super) fn list(tx: &Connection, account: Option<&AccountId>) -> Result<Vec<ApiKey>> {
    match account {
        Some(account) => all(
            tx,
            concat!(
                "SELECT ",
                columns!(key),
                " FROM api_keys WHERE account = ?1 ORDER BY created_at DESC, id DESC"
            ),
            [account.as_str()],
            |row| row.key(),
        ),
        None => all(
            tx,
            concat!(
                "SELECT ",
                columns!(key),
                " FROM api_keys ORDER BY created_at DESC, id DESC"
            ),
            [],
            |row| row.key(),
        ),
    }
}

pub(super) fn revoke(tx: &Connection, key: &KeyId, at: Millis) -> Result<()> {
    let revoked = execute(
        tx,
        "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
        params![key.as_str(), at.0],
    )?;
    if revoked == 1 {
        return bump_generation(tx);
    }
    first(
        tx,
        "SELECT 1 FROM api_keys WHERE id = ?1",
        [key.as_str()],
        |_| Ok(()),
    )?
    .ok_or_else(|| StoreError::NotFound(format!("key {key}")))
}

pub(super) fn imported_secrets(tx: &Connection) -> Result<Vec<SecretHash>> {
    all(
        tx,
        "SELECT secret_hash FROM api_keys WHERE imported = 1",
        [],
        |row| row.get(),
    )
}
