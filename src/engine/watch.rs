//! Watching a task: waiting, leaving and coming back are the same thing.

use crate::error::Error;
use crate::provider::Preview;
use crate::types::{Picture, Task, TaskId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, watch};

/// How many live events a slow watcher may lag behind before the oldest are dropped for it. Previews are whole small
/// files in memory, so this bounds what a stalled reader can hold; finished images are never lost, they are read from
/// the task in the end.
const LAG: usize = 4;

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

/// Something to show before the end.
#[derive(Clone, Debug)]
pub enum Live {
    /// An unfinished image.
    Preview(Arc<Preview>),
    /// A finished image: stored, not settled.
    Image(Arc<Shown>),
}

/// A finished image as it can be shown before the task has ended.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Which of the task's images, from 0.
    pub index: u32,
    /// The picture.
    pub picture: Picture,
    /// The prompt as the model changed it.
    pub revised_prompt: Option<String>,
}

/// One watcher's two ends.
pub(super) struct Watch {
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) live: broadcast::Receiver<Live>,
}

struct Watched {
    progress: watch::Sender<Progress>,
    live: broadcast::Sender<Live>,
    previews: u32,
}

/// Everybody who watches a task of this process.
#[derive(Default)]
pub(super) struct Watchers(Mutex<HashMap<TaskId, Watched>>);

impl Watchers {
    /// Opens a task for watching; `previews` of each image are wanted.
    pub(super) fn open(&self, task: &TaskId, previews: u32) -> Watch {
        let (progress, progress_seen) = watch::channel(Progress::Running);
        let (live, live_seen) = broadcast::channel(LAG);
        self.lock().insert(
            task.clone(),
            Watched {
                progress,
                live,
                previews,
            },
        );
        Watch {
            progress: progress_seen,
            live: live_seen,
        }
    }

    /// Watches a task that may or may not run here. Whoever joins one that has ended must tell itself so, with
    /// [`Watchers::ended`].
    pub(super) fn join(&self, task: &TaskId) -> Watch {
        if let Some(watched) = self.lock().get(task) {
            return Watch {
                progress: watched.progress.subscribe(),
                live: watched.live.subscribe(),
            };
        }
        self.open(task, 0)
    }

    /// How many previews of each image somebody wants to see.
    pub(super) fn previews(&self, task: &TaskId) -> u32 {
        self.lock().get(task).map_or(0, |watched| watched.previews)
    }

    /// Shows something to everybody who keeps up.
    pub(super) fn show(&self, task: &TaskId, live: Live) {
        if let Some(watched) = self.lock().get(task) {
            // Nobody watches: nothing is shown.
            let _ = watched.live.send(live);
        }
    }

    /// Tells everybody why it does not go on.
    pub(super) fn stuck(&self, task: &TaskId, why: Error) {
        if let Some(watched) = self.lock().get(task) {
            watched.progress.send_replace(Progress::Stuck(why));
        }
    }

    /// Takes back that it is stuck.
    pub(super) fn goes_on(&self, task: &TaskId) {
        if let Some(watched) = self.lock().get(task) {
            watched.progress.send_replace(Progress::Running);
        }
    }

    /// Tells everybody how it ended, and forgets it.
    pub(super) fn ended(&self, task: Arc<Task>) {
        if let Some(watched) = self.lock().remove(&task.id) {
            watched.progress.send_replace(Progress::Ended(task));
        }
    }

    /// Tells everybody whose task has not ended this instead, in words about that task.
    pub(super) fn dismiss(&self, why: impl Fn(&TaskId) -> Error) {
        for (task, watched) in self.lock().iter() {
            watched.progress.send_replace(Progress::Stuck(why(task)));
        }
    }

    /// Forgets a task that was never accepted.
    pub(super) fn forget(&self, task: &TaskId) {
        self.lock().remove(task);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<TaskId, Watched>> {
        // A panic elsewhere cannot leave a map half-changed: each use is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
