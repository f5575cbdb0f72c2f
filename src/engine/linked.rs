//! Input images that lie at somebody else's server.
//!
//! ```text
//! admit ─► pending, held, in the lane of inputs ─ fetch ─► one transaction: pictures and lane ─► as any that waits
//!                        ▲          │                        (or failed, free)
//!                        └─ a crash ┘
//! ```
//!
//! A task that links to some is accepted first: whoever cannot pay makes nobody fetch, an answer that is due at once is not
//! kept waiting, and what else the task reads is its own by then. So many tasks are fetched for at once, so many of an
//! account; the others wait where they are, can be cancelled, and have their time like any that waits. Links are fetched
//! through the guard, straight into the blob store; what does not come fails the task at no cost. A process that dies in
//! between leaves a task that waits: the next start fetches anew, and nothing was paid before.

use super::inputs::wrong_mask;
use super::route::Route;
use super::watch::Watch;
use super::{Engine, lane, settle};
use crate::blob::{BlobError, StagedBlob};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::fetch::{Bounds, FetchError};
use crate::intake::Limits;
use crate::store::StoreError;
use crate::types::{AccountId, FailKind, Failure, Link, Request, Task, TaskId, TaskState};
use futures::{FutureExt, StreamExt, TryStreamExt};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long all pictures of one request may take together.
const WHOLE: Duration = Duration::from_secs(30);

/// How many of one request are fetched at once.
const AT_ONCE: usize = 4;

/// How many tasks are fetched for at once.
const TASKS: usize = 64;

/// How many of these are of one account.
const OF_AN_ACCOUNT: usize = 16;

/// How long to wait when what came cannot be stored.
const PAUSE: Duration = Duration::from_secs(5);

const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(10),
    whole: WHOLE,
    most_bytes: Limits::CLIENT.image,
    slowest: 8 * 1024,
};

/// For whom this process fetches, and how much at once.
pub(super) struct Fetching {
    all: Arc<Semaphore>,
    accounts: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
    tasks: Mutex<HashSet<TaskId>>,
}

impl Default for Fetching {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(TASKS)),
            accounts: Mutex::default(),
            tasks: Mutex::default(),
        }
    }
}

/// A task that is fetched for here, and by nobody else of this process until this is dropped.
struct Begun(Engine, TaskId);

impl Drop for Begun {
    fn drop(&mut self) {
        let tasks = self.0.0.fetching.tasks.lock();
        let mut tasks = tasks.unwrap_or_else(PoisonError::into_inner);
        tasks.remove(&self.1);
    }
}

impl Fetching {
    /// `false` if somebody fetches for it already.
    fn begin(&self, task: &TaskId) -> bool {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.insert(task.clone())
    }

    /// Its account's place first: who waits for that takes nothing from the others.
    async fn place(&self, account: &AccountId) -> Option<[OwnedSemaphorePermit; 2]> {
        let of_account = self.of_account(account).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some([of_account, of_all])
    }

    /// The places of an account. Those that nobody has or waits for are forgotten.
    fn of_account(&self, account: &AccountId) -> Arc<Semaphore> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_used = |it: &Arc<Semaphore>| {
            Arc::strong_count(it) > 1 || it.available_permits() < OF_AN_ACCOUNT
        };
        accounts.retain(|_, places| is_used(places));
        let places = accounts.entry(account.clone());
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(OF_AN_ACCOUNT))))
    }
}

/// What was fetched for a task, in the order of its links, or why it fails.
struct Fetched {
    task: Task,
    /// Held until it is written: to whoever tells the task's end, this is one who watches it.
    watch: Watch,
    came: Result<Vec<StagedBlob>, Failure>,
}

impl Engine {
    /// Fetches for every waiting task that nobody fetches for here.
    pub(super) async fn fetch_what_is_left(&self) -> Result<(), StoreError> {
        for (account, task) in self.0.store.list_in_lane(lane::INPUTS).await? {
            self.fetch_later(account, task);
        }
        Ok(())
    }

    /// Fetches what a task links to when there is room; then it waits for its turn to run, or has failed. A drain leaves it
    /// to the next start.
    pub(super) fn fetch_later(&self, account: AccountId, id: TaskId) {
        if !self.0.fetching.begin(&id) {
            return;
        }
        let begun = Begun(self.clone(), id);
        let stop = self.0.stop.clone();
        self.0.tracker.spawn(async move {
            let Begun(engine, id) = &begun;
            let fetching = engine.fetch_for(&account, id);
            // What is written and whose blobs these are belong together: nothing interrupts that.
            if let Some(Some(fetched)) = stop.run_until_cancelled(fetching).await {
                failpoint("fetched");
                engine.note_fetched(fetched).await;
            }
        });
    }

    /// `None` if the task does not wait for its inputs any more.
    async fn fetch_for(&self, account: &AccountId, id: &TaskId) -> Option<Fetched> {
        let _place = self.0.fetching.place(account).await?;
        // Watching first: an end between the two look-ups is then seen.
        let mut watch = self.0.watchers.join(id);
        let found = self.persist(id, || self.0.store.find_task(account, id));
        let found = found.await.ok().flatten();
        let waits = |task: &Task| task.state == TaskState::Pending && task.lane == lane::INPUTS;
        let Some(task) = found.filter(waits) else {
            self.0.watchers.forget_unwatched(id);
            return None;
        };
        let came = tokio::select! {
            () = watch.ended() => return None,
            came = self.fetch_all(&task) => came,
        };
        Some(Fetched { task, watch, came })
    }

    /// Everything that a task links to. As long as it cannot be stored, by a fault of ours, it is tried again.
    async fn fetch_all(&self, task: &Task) -> Result<Vec<StagedBlob>, Failure> {
        loop {
            // Others may have filled the disk since it was accepted.
            let fetched = match self.guard_space() {
                Ok(()) => self.fetch_links(task.request.links()).await,
                Err(full) => Err(Why::Here(full)),
            };
            match fetched {
                Ok(blobs) => return Ok(blobs),
                Err(Why::There(error)) => {
                    return Err(Failure::new(FailKind::InputNotFetched, error.message));
                }
                Err(Why::Here(error)) => {
                    let why = error.while_the_task_goes_on();
                    self.0.watchers.stuck(&task.id, why);
                }
            }
            tokio::time::sleep(PAUSE).await;
            self.0.watchers.goes_on(&task.id);
        }
    }

    /// All pictures in the order of the links, side by side. All of them have the time of one.
    async fn fetch_links(&self, links: &[Link]) -> Result<Vec<StagedBlob>, Why> {
        let until = Instant::now() + WHOLE;
        let fetching = links.iter().cloned().map(|link| {
            let engine = self.clone();
            async move { engine.fetch_link(&link, until).await }.boxed()
        });
        let fetching = futures::stream::iter(fetching).buffered(AT_ONCE);
        fetching.try_collect().await
    }

    async fn fetch_link(&self, link: &Link, until: Instant) -> Result<StagedBlob, Why> {
        let bounds = Bounds {
            whole: until.saturating_duration_since(Instant::now()),
            ..BOUNDS
        };
        let mut reply = match self.0.outbound.get(&link.url, &bounds).await {
            Ok(reply) => reply,
            Err(error) => return Err(not_fetched(link, &error)),
        };
        let mut writer = Box::new(self.0.blobs.writer(bounds.most_bytes));
        loop {
            match reply.chunk().await {
                Ok(Some(chunk)) => {
                    let written = writer.write(chunk).await;
                    written.map_err(|error| not_stored(link, error))?;
                }
                Ok(None) => break,
                Err(error) => return Err(not_fetched(link, &error)),
            }
        }
        let finished = writer.finish().await;
        finished.map_err(|error| not_stored(link, error))
    }

    /// Writes what has become of a task's links.
    async fn note_fetched(&self, fetched: Fetched) {
        let Fetched {
            task,
            watch: _watch,
            came,
        } = fetched;
        let came = came.and_then(|blobs| Ok((complete(&task.request, &blobs)?, blobs)));
        match came {
            Ok((request, blobs)) => self.let_it_run(&task, request, blobs).await,
            Err(why) => self.fail_unfetched(&task, why).await,
        }
    }

    /// The task has all that it reads, and waits where the catalogue sends it now.
    async fn let_it_run(&self, task: &Task, request: Request, blobs: Vec<StagedBlob>) {
        let request = Arc::new(request);
        let Some(lane) = self.lane_now(task, &request) else {
            let why = self.why_there_is_no_route(request.model());
            let why = Failure::new(FailKind::Unavailable, why);
            return self.fail_unfetched(task, why).await;
        };
        let (id, store) = (&task.id, &self.0.store);
        let moving = || store.move_waiting(id, lane::INPUTS, &lane, Arc::clone(&request));
        if let Ok(true) = self.persist(id, moving).await {
            blobs.into_iter().for_each(|blob| {
                blob.keep();
            });
            self.count_again(&lane, &task.account, &task.key).await;
        } else {
            // It was cancelled, or another process was faster: these pictures are nobody's.
            self.0.watchers.forget_unwatched(id);
        }
    }

    fn lane_now(&self, task: &Task, request: &Request) -> Option<String> {
        let (catalogue, providers) = (self.catalogue(), &self.0.providers);
        let route = Route::of_request(&catalogue, providers, request, task.mode)?;
        Some(route.lane(task.mode).to_owned())
    }

    async fn fail_unfetched(&self, task: &Task, why: Failure) {
        let (id, store) = (&task.id, &self.0.store);
        let failing = || store.fail_waiting(id, lane::INPUTS, why.clone(), self.now());
        if let Ok(Some(ended)) = self.persist(id, failing).await {
            settle::note_end(&ended);
            self.note_callback(&ended);
            self.0.watchers.ended(Arc::new(ended));
        } else {
            self.0.watchers.forget_unwatched(id);
        }
    }
}

/// The request with everything that it links to, if that fits together.
fn complete(request: &Request, blobs: &[StagedBlob]) -> Result<Request, Failure> {
    let pictures = blobs.iter().map(|blob| blob.picture().clone()).collect();
    let request = request.clone().with_fetched(pictures);
    match wrong_mask(request.images().first(), request.mask()) {
        Some(message) => Err(Failure::new(FailKind::InputNotFetched, message)),
        None => Ok(request),
    }
}

/// Why a picture is not in the store.
enum Why {
    /// It did not come, or is no picture that is taken: the client's affair.
    There(Error),
    /// It came.
    Here(Error),
}

fn not_fetched(link: &Link, error: &FetchError) -> Why {
    tracing::info!(param = link.path, %error, "an input image was not fetched");
    Why::There(Error::input_not_fetched(&link.path, &error.to_string()))
}

fn not_stored(link: &Link, error: BlobError) -> Why {
    match error {
        BlobError::NotAnImage(error) => {
            let why = format!("what its URL leads to: {error}");
            Why::There(Error::input_not_fetched(&link.path, &why))
        }
        BlobError::Full => Why::Here(super::storage_full()),
        error => {
            tracing::error!(%error, "an input image could not be stored; trying again");
            Why::Here(Error::internal())
        }
    }
}
