//! Watching a task: waiting, leaving and coming back are the same thing.

use crate::error::Error;
use crate::types::{Task, TaskId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How far a task is, as those who watch it see it.
#[derive(Clone, Debug)]
pub enum Progress {
    /// It waits or runs.
    Running,
    /// It ended, and that is durable.
    Ended(Arc<Task>),
    /// It cannot end for now (the disk is full); it will later, and those who wait are told why not yet.
    Stuck(Error),
}

/// Everybody who watches a task of this process.
#[derive(Default)]
pub(super) struct Watchers(Mutex<HashMap<TaskId, watch::Sender<Progress>>>);

impl Watchers {
    /// Opens a task for watching.
    pub(super) fn open(&self, task: &TaskId) -> watch::Receiver<Progress> {
        let (sender, receiver) = watch::channel(Progress::Running);
        self.lock().insert(task.clone(), sender);
        receiver
    }

    /// Tells everybody why it does not go on.
    pub(super) fn stuck(&self, task: &TaskId, why: Error) {
        if let Some(sender) = self.lock().get(task) {
            sender.send_replace(Progress::Stuck(why));
        }
    }

    /// Tells everybody how it ended, and forgets it.
    pub(super) fn ended(&self, task: Arc<Task>) {
        if let Some(sender) = self.lock().remove(&task.id) {
            sender.send_replace(Progress::Ended(task));
        }
    }

    /// Forgets a task that was never accepted.
    pub(super) fn forget(&self, task: &TaskId) {
        self.lock().remove(task);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, watch::Sender<Progress>>> {
        // A panic elsewhere cannot leave a map half-changed: each use is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
