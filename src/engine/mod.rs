//! Every generation is a task: accept it, run it, settle it, and pick it up again after a crash.
//!
//! ```text
//! admit ─ one transaction ─► run ─ provider events ─► blobs ─► settle ─ one transaction ─► whoever waits
//!   │ (no free slot)          ▲                                   ▲
//!   └──────► pending ─ claim ─┘            recover (at start) ────┘
//! ```
//!
//! `admit` checks, prices, routes and writes the task with its hold and the intents of its first calls; `run`
//! makes the calls and settles it; `recover` does both for what a dead process left. The runner is a
//! tracked task of its own: whoever asked may leave at any moment. This module knows no HTTP and no SQL.

mod accepted;
mod admit;
mod ask;
mod breaker;
mod brought;
mod budget;
mod call;
mod callback;
mod check;
mod collect;
mod entry;
mod expire;
mod files;
mod hear;
mod inputs;
mod lane;
mod late;
mod later;
mod lease;
mod linked;
#[cfg(test)]
mod model;
mod passage;
mod place;
mod plan;
mod recent;
mod recover;
mod repeat;
mod route;
mod run;
mod settle;
mod turns;
mod unanswered;
mod usage;
mod watch;

pub use accepted::{Accepted, Seen, Streaming};
pub use admit::{Ask, Origin, Repeats};
pub use breaker::Standing;
pub use check::Quoted;
pub use files::{KEEP_FILES, MOST_FILES, NewFile};
pub use unanswered::Unanswered;
pub use usage::{Consumption, MOST_GROUPS, consumption};
pub use watch::{Progress, Shown};

use crate::blob::Blobs;
use crate::catalogue::{Catalogue, Problems};
use crate::error::{Error, Kind};
use crate::fetch::Outbound;
use crate::provider::Providers;
use crate::store::{Store, StoreError};
use crate::types::Millis;
use arc_swap::{ArcSwap, ArcSwapOption};
use lane::Lanes;
use linked::Fetching;
use passage::Passages;
use place::Places;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use unanswered::Calls;
use watch::Watchers;

/// What the engine is built from.
pub struct Parts {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The pictures.
    pub blobs: Blobs,
    /// The models.
    pub catalogue: Arc<Catalogue>,
    /// The upstreams.
    pub providers: Providers,
    /// The way to what clients link to.
    pub outbound: Outbound,
    /// The tracker that every task runs on; `app` waits for it.
    pub tracker: TaskTracker,
    /// Its limits.
    pub limits: Limits,
    /// The clock, so that tests can set it.
    pub clock: Clock,
    /// Is told the destination of each callback that a task has just left behind.
    pub ended: mpsc::UnboundedSender<String>,
}

/// The bounds the engine keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tasks of test keys that run at once.
    pub test_concurrency: u32,
    /// Nothing is admitted with less free space.
    pub min_free_bytes: u64,
    /// How long results of live tasks are kept.
    pub keep_results: Duration,
    /// How long results of test tasks are kept.
    pub keep_test_results: Duration,
    /// How many tasks of one key may wait.
    pub most_waiting: u32,
    /// How long one upstream call may take before nobody waits for it any more.
    pub attempt: Duration,
    /// How long a task may take from its acceptance to its end.
    pub task: Duration,
    /// How long a call that was given up is heard on, and how long an upstream is asked whether it knows a call.
    pub late: Duration,
    /// How long another worker may show no life before its tasks are taken over.
    pub lease: Duration,
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| Millis(jiff::Timestamp::now().as_millisecond()))
}

/// The engine. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    blobs: Blobs,
    catalogue: ArcSwap<Catalogue>,
    /// Why the operator's files as they are now are not in use.
    refused_catalogue: ArcSwapOption<Problems>,
    providers: Providers,
    outbound: Outbound,
    tracker: TaskTracker,
    limits: Limits,
    clock: Clock,
    ended: mpsc::UnboundedSender<String>,
    lanes: Arc<Lanes>,
    passages: Passages,
    watchers: Watchers,
    fetching: Fetching,
    calls: Arc<Calls>,
    /// This process's name in leases: new at every start.
    worker: String,
    /// When this process last showed that it lives.
    last_beat: Mutex<Instant>,
    /// When this process began, by the clock and by what no clock change moves.
    started: (Millis, Instant),
    /// How many calls each provider takes at once.
    places: Places,
    /// Held by the one task that runs alone.
    alone: Arc<Semaphore>,
    draining: AtomicBool,
    /// Ends the loops that run beside the tasks.
    stop: CancellationToken,
}

impl Engine {
    /// Builds the engine. Nothing runs before [`Engine::start`].
    pub fn new(parts: Parts) -> Self {
        let lanes = Lanes::new(&parts.providers, parts.limits.test_concurrency);
        let passages = Passages::new(&parts.providers);
        let started = ((parts.clock)(), Instant::now());
        let places = Places::new(&parts.providers);
        Self(Arc::new(Inner {
            store: parts.store,
            blobs: parts.blobs,
            catalogue: ArcSwap::new(parts.catalogue),
            refused_catalogue: ArcSwapOption::empty(),
            providers: parts.providers,
            outbound: parts.outbound,
            tracker: parts.tracker,
            limits: parts.limits,
            calls: Calls::new(Arc::clone(&parts.clock)),
            clock: parts.clock,
            ended: parts.ended,
            lanes,
            passages,
            watchers: Watchers::default(),
            fetching: Fetching::default(),
            worker: format!("engine_{}", uuid::Uuid::now_v7().simple()),
            last_beat: Mutex::new(started.1),
            started,
            places,
            alone: Arc::new(Semaphore::new(1)),
            draining: AtomicBool::new(false),
            stop: CancellationToken::new(),
        }))
    }

    /// Takes up what a dead process left, then starts to serve the queues. Call it once, under the engine lock.
    pub async fn start(&self) -> Result<(), StoreError> {
        self.beat().await?;
        self.recover().await?;
        self.note_unanswered().await?;
        self.serve_lanes().await?;
        self.fetch_what_is_left().await?;
        self.collect_in_background();
        self.expire_in_background();
        self.keep_lease_in_background();
        self.watch_others_in_background();
        Ok(())
    }

    /// Admits nothing more and starts no waiting task; what runs goes on. Waiting tasks stay for the next start.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.stop.cancel();
    }

    /// Lets those go who wait for a task that will not end in this process: it goes on at the next start.
    pub fn dismiss_watchers(&self) {
        self.0.watchers.dismiss(accepted::still_running);
    }

    /// Whether new tasks are refused because the process is about to end.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// The models, as they are now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.0.catalogue.load_full()
    }

    /// Takes what became of the operator's files: a catalogue that holds for every call from now on, or the reasons why
    /// the one in use stays. Who was checked against a model keeps it.
    pub fn change_catalogue(&self, loaded: Result<Catalogue, Problems>) {
        match loaded {
            Ok(catalogue) => {
                self.0.catalogue.store(Arc::new(catalogue));
                self.0.refused_catalogue.store(None);
            }
            Err(problems) => self.0.refused_catalogue.store(Some(Arc::new(problems))),
        }
    }

    /// Why the operator's files as they are now are not in use; `None` if they are.
    pub fn refused_catalogue(&self) -> Option<Arc<Problems>> {
        self.0.refused_catalogue.load_full()
    }

    /// The names of all queues.
    pub fn lanes(&self) -> Vec<String> {
        let mut names = self.0.lanes.names();
        names.push(lane::INPUTS.to_owned());
        names
    }

    /// The providers that do paid work, and how each may be called now.
    pub fn standings(&self) -> Vec<(String, Standing)> {
        self.0.passages.standings().collect()
    }

    /// Everything that is turned on.
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// The guarded way out, for whatever else is sent on a client's behalf.
    pub fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// The rows, for what only reads.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The pictures, for what only reads.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// What time it is.
    pub fn now(&self) -> Millis {
        (self.0.clock)()
    }

    /// Waits until every task that runs has settled, at most `limit`. `false` if some were left.
    pub async fn idle(&self, limit: Duration) -> bool {
        self.0.tracker.close();
        let settled = async {
            tokio::select! {
                () = self.0.tracker.wait() => true,
                // What still runs is not to be taken over.
                () = self.keep_beating() => false,
            }
        };
        let done = tokio::time::timeout(limit, settled).await == Ok(true);
        self.0.tracker.reopen();
        done
    }
}

/// How a refused transaction is answered.
fn refusal(error: StoreError) -> Error {
    match error {
        StoreError::InsufficientCredits { available, needed } => Error::new(
            Kind::InsufficientCredits,
            format!(
                "this request may cost {needed} USD and the account has {available} USD; add credits or ask for less"
            ),
        ),
        StoreError::SpendCap { cap, spent } => Error::new(
            Kind::RateLimited,
            format!("this key may spend {cap} USD in its window and has spent {spent} USD"),
        )
        .retry_after(Duration::from_secs(3600)),
        StoreError::QueueFull(waiting) => Error::new(
            Kind::QueueFull,
            format!("{waiting} tasks of this key are waiting; let some finish first"),
        )
        .retry_after(Duration::from_secs(5)),
        StoreError::KeyReused => Error::new(
            Kind::IdempotencyKeyReused,
            "this Idempotency-Key was sent before with another request; use a new key for a new request",
        ),
        StoreError::Full => storage_full(),
        StoreError::Exists(_)
        | StoreError::FileGone(_)
        | StoreError::ResultGone(_)
        | StoreError::FilesFull { .. }
        | StoreError::NotFound(_)
        | StoreError::TooManyGroups(_)
        | StoreError::Fenced
        | StoreError::Backend(_) => {
            tracing::error!(%error, "a transaction failed");
            Error::internal()
        }
    }
}

fn storage_full() -> Error {
    Error::new(
        Kind::StorageFull,
        "the disk is nearly full; nothing is accepted until there is room again",
    )
    .retry_after(Duration::from_secs(60))
}
