//! Work for the store's own threads: a closure, the caller that waits for its result, and the queue between.
//!
//! SQLite blocks, so no call of it runs on a thread of the runtime. A queue is never longer than there are callers
//! who wait for an answer; it needs no bound of its own.

use crate::store::{Result, StoreError};
use rusqlite::Connection;
use std::any::Any;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use tokio::sync::oneshot;

/// A closure to run on a connection, without its types.
pub(super) trait Command: Send {
    /// Runs it, and keeps its result for the answer. A failure is also returned, for whoever ends the transaction.
    fn run(&mut self, connection: &Connection) -> Result<()>;
    /// Keeps an error for the answer.
    fn fail(&mut self, error: StoreError);
    /// Answers the caller: with the result, or with the error that befell all commands of the transaction.
    fn answer(self: Box<Self>, befallen: Option<&StoreError>);
}

struct Call<T, W> {
    work: Option<W>,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T: Send, W: FnOnce(&Connection) -> Result<T> + Send> Command for Call<T, W> {
    fn run(&mut self, connection: &Connection) -> Result<()> {
        let work = self.work.take().expect("a command runs once");
        let result = work(connection);
        let outcome = result.as_ref().map(|_| ()).map_err(copy);
        self.result = Some(result);
        outcome
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Some(Err(error));
    }

    fn answer(self: Box<Self>, befallen: Option<&StoreError>) {
        let result = match (befallen, self.result) {
            (Some(error), _) => Err(copy(error)),
            (None, Some(result)) => result,
            (None, None) => Err(StoreError::Backend("the command did not run".to_owned())),
        };
        // A caller that has gone needs no answer; what it asked for is done all the same.
        let _ = self.caller.send(result);
    }
}

/// The same error for one more caller.
fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::Backend(what) => StoreError::Backend(what.clone()),
        other => StoreError::Backend(other.to_string()),
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// The receiving end, which several threads may share: who holds the lock waits for the next command.
pub(super) struct Commands(Mutex<Receiver<Box<dyn Command>>>);

impl Commands {
    pub fn lock(&self) -> MutexGuard<'_, Receiver<Box<dyn Command>>> {
        // A receiver has no state that a panic could leave half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn next(&self) -> Option<Box<dyn Command>> {
        self.lock().recv().ok()
    }
}

/// A queue and the threads that serve it. Dropping it lets them finish what is queued, and waits for them.
pub(super) struct Queue {
    commands: Option<Sender<Box<dyn Command>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Queue {
    /// Starts one thread for each of `servers`.
    pub fn start<S>(name: &str, servers: impl IntoIterator<Item = S>) -> io::Result<Self>
    where
        S: FnOnce(&Commands) + Send + 'static,
    {
        let (sender, receiver) = channel();
        let commands = Arc::new(Commands(Mutex::new(receiver)));
        let mut queue = Self {
            commands: Some(sender),
            threads: Vec::new(),
        };
        for serve in servers {
            let commands = Arc::clone(&commands);
            let thread = Builder::new()
                .name(name.to_owned())
                .spawn(move || serve(&commands))?;
            queue.threads.push(thread);
        }
        Ok(queue)
    }

    /// Queues the work and waits for its result.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (caller, answer) = oneshot::channel();
        let call = Call {
            work: Some(work),
            result: None,
            caller,
        };
        let gone = || StoreError::Backend("the store's thread has ended".to_owned());
        self.commands
            .as_ref()
            .expect("the queue is open until it is dropped")
            .send(Box::new(call))
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.commands = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
    }
}
