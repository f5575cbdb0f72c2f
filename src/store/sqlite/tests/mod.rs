//! What is SQLite's own: the suite of every store, then the file, the statements, the audit and the writer.

mod file;
mod statements;
mod tampering;
mod writer;

use super::SqliteStore;
use super::open::Durability;
use crate::store::Store;
use crate::store::conformance::{self, model};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Files in a folder that goes with them. Their stores do not wait for the disk.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("pinhole.db")
    }

    fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open_with(&self.path(), Durability::Eventual).unwrap())
    }

    /// A connection beside the store, as another program would have it.
    fn beside(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// Why the file is refused.
    fn refusal(&self) -> String {
        match SqliteStore::open(self.path()) {
            Ok(_) => panic!("the file was opened"),
            Err(error) => error.to_string(),
        }
    }
}

async fn run_suite() {
    let folders = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    conformance::run(async || {
        let path = folders.path().join(format!("{}.db", number.get()));
        number.set(number.get() + 1);
        Arc::new(SqliteStore::open_with(&path, Durability::Eventual).unwrap()) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn passes_the_suite_of_every_store() {
    run_suite().await;
}

/// Ten thousand operations; a million with `PINHOLE_LONG` set.
#[tokio::test]
async fn the_ledger_is_its_model() {
    #[allow(
        clippy::disallowed_methods,
        reason = "a setting of the test run, not of the program"
    )]
    let long = std::env::var_os("PINHOLE_LONG").is_some();
    let sequences = if long { 500 } else { 5 };
    for seed in 0..sequences {
        let folder = Folder::new();
        model::run(folder.open(), seed, 2000, 16).await;
    }
}
