//! Opens the file: is it ours, is it of our version, and how are its connections set up.

use super::rows::fault;
use crate::store::{Result, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Forward only: the first `n` of these make a database of version `n`, which `PRAGMA user_version` holds.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_first.sql"),
    include_str!("../../../migrations/sqlite/0002_idempotency.sql"),
    include_str!("../../../migrations/sqlite/0003_text.sql"),
    include_str!("../../../migrations/sqlite/0004_files.sql"),
    include_str!("../../../migrations/sqlite/0005_history.sql"),
    include_str!("../../../migrations/sqlite/0006_usage.sql"),
    include_str!("../../../migrations/sqlite/0007_queue.sql"),
    include_str!("../../../migrations/sqlite/0008_webhooks.sql"),
    include_str!("../../../migrations/sqlite/0009_leases.sql"),
    include_str!("../../../migrations/sqlite/0010_resolutions.sql"),
    include_str!("../../../migrations/sqlite/0011_late_texts.sql"),
];

/// The version that [`MIGRATIONS`] make.
pub(super) fn newest_version() -> usize {
    MIGRATIONS.len()
}

/// `PNHL`: tells our files from any other SQLite database.
pub(super) const APPLICATION_ID: i32 = 0x504e_484c;

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// When a committed transaction is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Before the commit returns.
    Full,
    /// When the system feels like it, for tests that measure something else.
    #[cfg(test)]
    Eventual,
}

/// Opens the one connection that writes, and brings the schema up to date.
pub(super) fn writer(path: &Path, durability: Durability) -> Result<Connection> {
    let opened = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        set_up(&connection)?;
        Ok(connection)
    };
    let mut connection = opened().map_err(|error| refusal(path, &error))?;
    check_origin(path, &connection)?;
    use_wal(&connection, durability).map_err(|error| refusal(path, &error))?;
    migrate(path, &mut connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a connection that reads, on a file that [`writer`] has opened before.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .and_then(|connection| set_up(&connection).map(|()| connection))
    .map_err(|error| refusal(path, &error))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// What holds for every connection. The caches are small: rows are, and the system caches the file anyway.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Plans do not depend on what is bound, so a statement that is kept is never compiled again for other values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA cache_size = -1024; PRAGMA mmap_size = 0;")
}

fn use_wal(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |row| {
        row.get::<_, String>(0)
    })?;
    // Full: a WAL without it may lose what it has just committed when the power goes.
    let synchronous = match durability {
        Durability::Full => "FULL",
        #[cfg(test)]
        Durability::Eventual => "OFF",
    };
    // In memory lies what undoes one command of a batch, the pages as they were: SQLite would else make a file for them in a
    // folder for temporary ones, in most batches.
    connection.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous}; PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = MEMORY;"
    ))
}

/// Refuses a file that another program made: an empty one is new, any other must carry our mark.
pub(super) fn check_origin(path: &Path, connection: &Connection) -> Result<()> {
    let read = || -> rusqlite::Result<(i32, i64)> {
        let mark = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let tables =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((mark, tables))
    };
    let (mark, tables) = read().map_err(|error| refusal(path, &error))?;
    if mark == APPLICATION_ID || (mark == 0 && tables == 0) {
        return Ok(());
    }
    Err(StoreError::Backend(format!(
        "{} is a SQLite database of another program, not one of Pinhole",
        path.display()
    )))
}

/// Applies the migrations that this file has not seen, each in a transaction of its own.
fn migrate(path: &Path, connection: &mut Connection) -> Result<()> {
    for (target, migration) in (1..).zip(MIGRATIONS) {
        bring_to(connection, target, migration).map_err(|error| {
            StoreError::Backend(format!(
                "{} cannot be brought to schema version {target}: {error}",
                path.display(),
            ))
        })?;
    }
    let version = version(connection).map_err(fault)?;
    if usize::try_from(version) == Ok(MIGRATIONS.len()) {
        return Ok(());
    }
    Err(StoreError::Backend(format!(
        "{} has schema version {version} and this program knows versions up to {}: \
         a newer Pinhole has used it, run that one",
        path.display(),
        MIGRATIONS.len()
    )))
}

fn bring_to(connection: &mut Connection, target: i64, migration: &str) -> rusqlite::Result<()> {
    if version(connection)? >= target {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again under the lock: another process may have been faster.
    if version(&transaction)? < target {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", target)?;
    }
    transaction.commit()
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Why the file cannot be opened, in words for whoever started the program.
fn refusal(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.display();
    StoreError::Backend(match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => format!("{path} is not a SQLite database"),
        Some(ErrorCode::DatabaseCorrupt) => format!(
            "{path} is damaged ({error}): restore it from a backup, and keep the damaged file"
        ),
        _ => format!("{path} cannot be opened: {error}"),
    })
}
