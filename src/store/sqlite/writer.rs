//! The writer: one thread, one connection, and a queue of transactions that share their commits.
//!
//! A commit waits for the disk, a millisecond or two, whatever it holds. So the thread takes everything that has
//! queued up meanwhile into one transaction, each command in a savepoint of its own, and answers after the commit.
//! An idle writer commits a lone command at once: nothing waits for company.

use super::rows::{execute, fault, prepare};
use super::work::{Command, Commands, Queue, panic_message};
use crate::store::{Result, StoreError};
use rusqlite::{Connection, ErrorCode};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

/// The most commands that share a commit.
const MOST_IN_A_BATCH: usize = 256;

/// The queue of the writer thread. Dropping it lets the thread finish what is queued, then closes the file.
pub(super) struct Writer {
    queue: Queue,
    rows: Arc<AtomicU64>,
}

impl Writer {
    pub fn start(connection: Connection) -> io::Result<Self> {
        let rows = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&rows);
        let queue = Queue::start(
            "store-writer",
            [move |commands: &Commands| {
                serve(&connection, &commands.lock(), &counter);
                close(&connection);
            }],
        )?;
        Ok(Self { queue, rows })
    }

    /// Carries out one transaction. When this returns `Ok`, it is on disk.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue.run(work).await
    }

    pub fn rows_written(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

fn serve(connection: &Connection, commands: &Receiver<Box<dyn Command>>, rows: &AtomicU64) {
    let before = connection.total_changes();
    while let Ok(first) = commands.recv() {
        let mut batch = vec![first];
        batch.extend(commands.try_iter().take(MOST_IN_A_BATCH - 1));
        let outcome = carry_out(connection, &mut batch);
        rows.store(connection.total_changes() - before, Ordering::Relaxed);
        if let Err(error) = &outcome {
            tracing::error!(
                commands = batch.len(),
                "a store transaction failed: {error}"
            );
            undo(connection);
        }
        for command in batch {
            command.answer(outcome.as_ref().err());
        }
    }
}

/// One transaction with all of the batch. An error means that nothing of it is stored.
fn carry_out(connection: &Connection, batch: &mut [Box<dyn Command>]) -> Result<()> {
    // Another process had the lock for longer than the timeout: nothing has begun yet, so one more try is clean.
    retrying_once(connection, "BEGIN IMMEDIATE")?;
    for command in batch {
        in_savepoint(connection, command.as_mut())?;
    }
    retrying_once(connection, "COMMIT")
}

/// Runs a command so that its failure undoes its own rows and no others.
fn in_savepoint(connection: &Connection, command: &mut dyn Command) -> Result<()> {
    execute(connection, "SAVEPOINT command", [])?;
    let done = catch_unwind(AssertUnwindSafe(|| command.run(connection)));
    let outcome = done.unwrap_or_else(|panic| {
        let message = format!("a store command panicked: {}", panic_message(&*panic));
        tracing::error!("{message}");
        command.fail(StoreError::Backend(message.clone()));
        Err(StoreError::Backend(message))
    });
    match outcome {
        Ok(()) => {}
        Err(StoreError::Full) => return Err(StoreError::Full),
        // SQLite itself has ended the transaction, and the commands before this one went with it.
        Err(error) if connection.is_autocommit() => return Err(error),
        Err(_) => {
            execute(connection, "ROLLBACK TO command", [])?;
        }
    }
    execute(connection, "RELEASE command", [])?;
    Ok(())
}

fn retrying_once(connection: &Connection, sql: &'static str) -> Result<()> {
    let mut statement = prepare(connection, sql)?;
    match statement.execute([]) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            statement.execute([])
        }
        other => other,
    }
    .map(|_| ())
    .map_err(fault)
}

/// Leaves the transaction, if there still is one, so that the next batch can begin.
fn undo(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!("a store transaction could not be rolled back: {error}");
    }
}

/// Moves what is in the log into the file. Whoever still reads, another process perhaps, is not waited for.
fn close(connection: &Connection) {
    connection.flush_prepared_statement_cache();
    let emptied = connection
        .busy_timeout(std::time::Duration::ZERO)
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    if let Err(error) = emptied {
        tracing::warn!("the write-ahead log could not be emptied: {error}");
    }
}
