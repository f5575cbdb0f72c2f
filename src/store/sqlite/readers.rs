//! The readers: a few threads, each with a connection that only reads, in the order of arrival.

use super::rows::execute;
use super::work::{Commands, Queue, panic_message};
use crate::store::{Result, StoreError};
use rusqlite::Connection;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The queue of the reader threads.
pub(super) struct Readers(Queue);

impl Readers {
    pub fn start(connections: Vec<Connection>) -> io::Result<Self> {
        let servers = connections
            .into_iter()
            .map(|connection| move |commands: &Commands| serve(&connection, commands));
        Queue::start("store-reader", servers).map(Self)
    }

    /// Reads one consistent state: everything committed before the call, and nothing of what comes after.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0
            .run(move |connection| {
                execute(connection, "BEGIN", [])?;
                work(connection)
            })
            .await
    }
}

fn serve(connection: &Connection, commands: &Commands) {
    while let Some(mut command) = commands.next() {
        let done = catch_unwind(AssertUnwindSafe(|| command.run(connection)));
        if let Err(panic) = done {
            let message = format!("a store query panicked: {}", panic_message(&*panic));
            tracing::error!("{message}");
            command.fail(StoreError::Backend(message));
        }
        // Whatever happened, the next one begins with a new view.
        if !connection.is_autocommit()
            && let Err(error) = execute(connection, "COMMIT", [])
        {
            tracing::error!("a store query could not be ended: {error}");
        }
        command.answer(None);
    }
}
