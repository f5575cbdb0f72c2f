//! Copies of the file, and looks at one that change nothing: for backups, restores and check-ups, whether or not a server
//! runs on it.

use super::rows::fault;
use super::{audit, open};
use crate::store::ledger::Audit;
use crate::store::{NeededBlob, Result, StoreError};
use crate::types::BlobKey;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::path::Path;
use std::time::Duration;

/// How long a copy waits for a lock before it tries again, and how often.
const PAUSE: Duration = Duration::from_millis(100);
const MOST_TRIES: u32 = 100;

/// Copies all rows as they are at one moment into a new file that is one file alone, without a log beside it. Writers go
/// on in the meantime.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let source = open::reader(from)?;
    let mut target = Connection::open(to).map_err(fault)?;
    let copying = Backup::new(&source, &mut target).map_err(fault)?;
    for _ in 0..MOST_TRIES {
        // All pages in one step: it reads one state, and there is nothing to begin anew when somebody writes.
        match copying.step(-1).map_err(fault)? {
            StepResult::Done => {
                drop(copying);
                return target
                    .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
                    .map_err(fault);
            }
            _ => std::thread::sleep(PAUSE),
        }
    }
    Err(StoreError::Backend(format!(
        "{} stayed locked",
        from.display()
    )))
}

/// What a look at a file finds.
#[derive(Debug)]
pub struct Looked {
    /// What is wrong with its pages and references, in SQLite's words.
    pub faults: Vec<String>,
    /// What is wrong with the books.
    pub audit: Audit,
    /// Every blob that a row needs.
    pub blobs: Vec<NeededBlob>,
    /// When the newest task came, in milliseconds since 1970.
    pub newest_task: Option<i64>,
    /// The version of its schema.
    pub version: usize,
}

/// The version of the schema that this program writes.
pub fn schema_version() -> usize {
    open::newest_version()
}

/// The version of a file's schema. One below [`schema_version`] is brought up to date by the next start.
pub fn version(path: &Path) -> Result<usize> {
    let connection = open::reader(path)?;
    open::check_origin(path, &connection)?;
    Ok(usize::try_from(open::version(&connection).map_err(fault)?).unwrap_or(0))
}

/// Looks at a file from its first page to its last. One of an older version is not brought up to date: its books and
/// blobs are then as its own program wrote them, which the queries may not know.
pub fn look(path: &Path) -> Result<Looked> {
    let connection = open::reader(path)?;
    open::check_origin(path, &connection)?;
    // One state for all of it.
    connection.execute_batch("BEGIN").map_err(fault)?;
    let mut faults = lines(&connection, "PRAGMA integrity_check")?;
    faults.retain(|line| line != "ok");
    faults.extend(
        lines(&connection, "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' names a row of ' || parent || ' that is not there' FROM pragma_foreign_key_check")?,
    );
    Ok(Looked {
        faults,
        version: usize::try_from(open::version(&connection).map_err(fault)?).unwrap_or(0),
        audit: audit::audit(&connection)?,
        blobs: needed_blobs(&connection)?,
        newest_task: newest_task(&connection)?,
    })
}

fn lines(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(sql).map_err(fault)?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(fault)?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault)
}

/// Results, uploaded files, and what unfinished tasks read.
fn needed_blobs(connection: &Connection) -> Result<Vec<NeededBlob>> {
    let sql = "SELECT blob, max(hash) FROM (
            SELECT blob, hash FROM assets WHERE blob_deleted = 0
            UNION ALL SELECT blob, hash FROM files
            UNION ALL SELECT blob, NULL FROM task_inputs
        ) GROUP BY blob ORDER BY blob";
    let mut statement = connection.prepare(sql).map_err(fault)?;
    let rows = statement.query_map([], |row| {
        Ok(NeededBlob {
            key: BlobKey::trusted(row.get::<_, String>(0)?),
            hash: row.get(1)?,
        })
    });
    rows.map_err(fault)?
        .collect::<rusqlite::Result<_>>()
        .map_err(fault)
}

fn newest_task(connection: &Connection) -> Result<Option<i64>> {
    connection
        .query_row("SELECT max(created_at) FROM tasks", [], |row| row.get(0))
        .map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Store, new_account};
    use crate::types::{CreditLine, Millis, Money};

    #[tokio::test]
    async fn a_copy_of_a_file_in_use_is_whole_and_stands_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let store = SqliteStore::open(&from).expect("it opens");
        let account = new_account("team", CreditLine::UpTo(Money::ZERO), Millis(1));
        store.create_account(account.clone()).await.expect("made");
        let grant = store.top_up(&account.id, Money::from_micros(7), "a", Millis(2));
        grant.await.expect("granted");
        // The rows are in the log still: the writer has the file open.
        copy(&from, &to).expect("copied");
        store
            .top_up(&account.id, Money::from_micros(5), "b", Millis(3))
            .await
            .expect("writers go on");
        let looked = look(&to).expect("it can be read");
        assert_eq!((looked.faults.len(), looked.audit.transfers), (0, 1));
        assert!(looked.audit.is_clean() && looked.version == schema_version());
        let beside = std::fs::read_dir(folder.path())
            .expect("a folder")
            .flatten();
        let beside = beside.filter(|entry| entry.file_name().to_string_lossy().starts_with("b.db"));
        assert_eq!(beside.count(), 1, "no log beside the copy");
    }

    #[test]
    fn damage_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        drop(SqliteStore::open(&path).expect("it opens"));
        let mut bytes = std::fs::read(&path).expect("read");
        let at = bytes.len() / 2;
        bytes[at..at + 8192].fill(0x55);
        std::fs::write(&path, bytes).expect("written");
        let is_found = match look(&path) {
            Err(_) => true,
            Ok(looked) => !looked.faults.is_empty(),
        };
        assert!(is_found);
    }
}
