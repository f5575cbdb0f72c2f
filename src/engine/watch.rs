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

/// One watcher's ends.
pub(super) struct Watch {
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) live: broadcast::Receiver<Live>,
    pub(super) text: Heard,
}

impl Watch {
    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) {
        let has_ended = |progress: &Progress| matches!(progress, Progress::Ended(_));
        if self.progress.wait_for(has_ended).await.is_err() {
            // Nobody will ever say so.
            std::future::pending().await
        }
    }
}

/// A text as one watcher hears it. The text so far lies beside the task once, and every watcher has its own place in it:
/// a slow one hears larger pieces and misses nothing, and whoever joins late hears it from the beginning.
pub(super) struct Heard {
    so_far: watch::Receiver<String>,
    /// How many bytes were heard.
    place: usize,
}

impl Heard {
    /// The next piece. Resolves to `None` when there will be none from here: the task has ended or is not run here.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            self.so_far.changed().await.ok()?;
            let piece = rest(&self.so_far.borrow_and_update(), self.place);
            if let Some(piece) = piece {
                self.place += piece.len();
                return Some(piece);
            }
        }
    }

    /// What was not heard of the whole text.
    pub(super) fn rest_of(&mut self, whole: &str) -> Option<String> {
        let piece = rest(whole, self.place)?;
        self.place += piece.len();
        Some(piece)
    }
}

/// What stands behind a place, if anything does.
fn rest(text: &str, place: usize) -> Option<String> {
    text.get(place..)
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
}

struct Watched {
    progress: watch::Sender<Progress>,
    live: broadcast::Sender<Live>,
    text: watch::Sender<String>,
    previews: u32,
}

impl Watched {
    fn new(previews: u32) -> Self {
        Self {
            progress: watch::channel(Progress::Running).0,
            live: broadcast::channel(LAG).0,
            text: watch::channel(String::new()).0,
            previews,
        }
    }

    fn watch(&self) -> Watch {
        let mut so_far = self.text.subscribe();
        // What was said before counts as news for whoever joins.
        so_far.mark_changed();
        Watch {
            progress: self.progress.subscribe(),
            live: self.live.subscribe(),
            text: Heard { so_far, place: 0 },
        }
    }
}

/// Everybody who watches a task of this process.
#[derive(Default)]
pub(super) struct Watchers(Mutex<HashMap<TaskId, Watched>>);

impl Watchers {
    /// Opens a task for watching; `previews` of each image are wanted.
    pub(super) fn open(&self, task: &TaskId, previews: u32) -> Watch {
        let watched = Watched::new(previews);
        let watch = watched.watch();
        self.lock().insert(task.clone(), watched);
        watch
    }

    /// Watches a task that may or may not run here. Whoever joins one that has ended must tell itself so, with
    /// [`Watchers::ended`]. Looking and opening are one step: two who join at once must not open it twice, because the
    /// first would then watch what nobody tells anything any more.
    pub(super) fn join(&self, task: &TaskId) -> Watch {
        let mut all = self.lock();
        all.entry(task.clone())
            .or_insert_with(|| Watched::new(0))
            .watch()
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

    /// Says the next piece of a text.
    pub(super) fn say(&self, task: &TaskId, piece: &str) {
        if let Some(watched) = self.lock().get(task) {
            watched.text.send_modify(|text| text.push_str(piece));
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

    /// Forgets a task that somebody joined in vain, unless others watch it.
    pub(super) fn forget_unwatched(&self, task: &TaskId) {
        let mut all = self.lock();
        // The one that is about to be dropped still counts.
        if all
            .get(task)
            .is_some_and(|watched| watched.progress.receiver_count() <= 1)
        {
            all.remove(task);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_text_is_heard_whole_however_slowly_and_however_late() {
        let (watchers, task) = (Watchers::default(), TaskId::new());
        let mut quick = watchers.open(&task, 0).text;
        watchers.say(&task, "für ");
        assert_eq!(quick.next().await.as_deref(), Some("für "));
        let mut late = watchers.join(&task).text;
        for piece in ["Elise", ", ", "in a minor"] {
            watchers.say(&task, piece);
        }
        assert_eq!(late.next().await.as_deref(), Some("für Elise, in a minor"));
        watchers.say(&task, " key");
        watchers.forget(&task);
        // Who did not look before the end hears what is left then.
        assert_eq!(quick.next().await.as_deref(), Some("Elise, in a minor key"));
        assert_eq!(quick.next().await, None);
        assert_eq!(late.next().await.as_deref(), Some(" key"));
        let mut slow = watchers.join(&task).text;
        assert_eq!(
            slow.rest_of("für Elise").as_deref(),
            Some("für Elise"),
            "the ended task has all of it"
        );
        assert_eq!(slow.rest_of("für Elise"), None);
    }

    #[test]
    fn who_joins_at_once_watches_the_same() {
        let (watchers, task) = (Arc::new(Watchers::default()), TaskId::new());
        for _ in 0..200 {
            let joining: Vec<_> = (0..4)
                .map(|_| {
                    let (watchers, task) = (Arc::clone(&watchers), task.clone());
                    std::thread::spawn(move || watchers.join(&task))
                })
                .collect();
            let watches: Vec<Watch> = joining
                .into_iter()
                .map(|one| one.join().expect("no panic"))
                .collect();
            watchers.stuck(&task, Error::internal());
            for watch in &watches {
                assert!(
                    matches!(*watch.progress.borrow(), Progress::Stuck(_)),
                    "somebody watches nothing"
                );
            }
            watchers.forget(&task);
        }
    }
}
