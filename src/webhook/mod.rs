//! Webhooks: telling receivers that a task has ended.
//!
//! ```text
//! settle ─ one transaction ─► delivery ─ claim (attempt counted) ─► post ─► end of the attempt
//!    └────── wake ──────────────────┘▲                                 └─ again, after 1, 2, 4, 15 … s
//! ```
//!
//! The rows are the truth ([`crate::store::Outbox`]); what the engine says about a task that has just ended is a hint that
//! saves a look. One loop decides whom to send to (`destinations`), every attempt is a task of its own (`send`), when it
//! is made again is a pure function ([`schedule`]). An attempt that a crash interrupts is made again under the same id, so a
//! receiver may hear the same twice and knows it by that id. This module knows no HTTP server, no provider and no SQL.

mod bodies;
mod destinations;
pub mod post;
pub mod schedule;
mod send;
pub mod sign;
mod time;
pub mod told;

use crate::engine::Clock;
use crate::fetch::Outbound;
use crate::store::outbox::{ClaimedDeliveries, Taking};
use crate::store::{Store, StoreError};
use crate::types::Millis;
use bodies::Bodies;
use destinations::{Destinations, Room};
use schedule::Schedule;
use send::{Finished, Sender};
use std::sync::Arc;
use std::time::Duration;
use time::Time;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a claim holds. An attempt is over long before; then somebody has died.
const LEASE: Duration = Duration::from_secs(30);

/// How often the rows are looked at even if nobody says that something is there: another process may have written it.
const LOOK: Duration = Duration::from_secs(5);

/// How long what was missed while nobody ran is sent after a start.
const GRACE: Duration = Duration::from_secs(60);

/// A delivery is not given up for want of a turn before its window has been closed for so long: its last attempt may be due
/// at the very end.
const SLACK_MS: i64 = 15_000;

/// How many deliveries are given up in one transaction.
const BATCH: u32 = 500;

/// What the sender is built from.
pub struct Parts {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The way out.
    pub outbound: Outbound,
    /// The clock.
    pub clock: Clock,
    /// The tracker that every attempt runs on; `app` waits for it.
    pub tracker: TaskTracker,
    /// Destinations of tasks that have just ended, in the words of their rows.
    pub ended: mpsc::UnboundedReceiver<String>,
    /// How long an attempt may take.
    pub attempt: Duration,
    /// How long a second of the schedule is.
    pub second: Duration,
}

/// The sender of deliveries.
pub struct Webhooks {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Webhooks {
    /// Frees what a dead process was sending, and begins to send. Call it once, under the engine lock.
    pub async fn start(parts: Parts) -> Result<Self, StoreError> {
        let worker = format!("sender_{}", uuid::Uuid::now_v7().simple());
        let time = Time::new(parts.clock);
        let now = time.told();
        let grace = now.after(GRACE);
        let freed = parts.store.recover_deliveries(&worker, now, grace).await?;
        if freed > 0 {
            tracing::info!(deliveries = freed, "interrupted deliveries are sent again");
        }
        let stop = CancellationToken::new();
        let (finished, done) = mpsc::unbounded_channel();
        let sender = Sender {
            store: parts.store,
            outbound: parts.outbound,
            time,
            bodies: Bodies::new(),
            tracker: parts.tracker.clone(),
            worker,
            attempt: parts.attempt,
            schedule: Schedule {
                second: parts.second,
            },
            finished,
        };
        let turns = Turns {
            sender: Arc::new(sender),
            destinations: Destinations::new(room()),
            ended: parts.ended,
            done,
            stop: stop.clone(),
        };
        parts.tracker.spawn(turns.run());
        Ok(Self {
            stop,
            tracker: parts.tracker,
        })
    }

    /// Sends what is due at this moment, waits for every attempt that is under way, at most so long, and begins no more.
    /// What remains is sent after the next start.
    pub async fn drain(&self, limit: Duration) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some deliveries did not end in time; the next start sends them again");
        }
    }
}

/// As many attempts at once as this process may have files open, with room for everything else.
fn room() -> Room {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let whole = files.map_or(2048, |files| u32::try_from(files / 4).unwrap_or(2048));
    let whole = whole.clamp(64, 2048);
    Room {
        whole,
        reserved: whole / 8,
        unanswering: whole / 4,
        each: 16,
    }
}

/// The loop that decides who is sent to.
struct Turns {
    sender: Arc<Sender>,
    destinations: Destinations,
    ended: mpsc::UnboundedReceiver<String>,
    done: mpsc::UnboundedReceiver<Finished>,
    stop: CancellationToken,
}

impl Turns {
    async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK);
        let stop = self.stop.clone();
        loop {
            let pause = self.pause();
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick() => self.look().await,
                Some(destination) = self.ended.recv() => self.note_ended(&destination),
                Some(finished) = self.done.recv() => self.note_finished(&finished),
                () = tokio::time::sleep(pause) => {}
            }
            self.claim().await;
        }
        while let Ok(destination) = self.ended.try_recv() {
            self.note_ended(&destination);
        }
        self.claim().await;
        while self.destinations.at_once() > 0
            && let Some(finished) = self.done.recv().await
        {
            self.note_finished(&finished);
        }
    }

    /// How long nobody is due.
    fn pause(&self) -> Duration {
        let next = self.destinations.next_at();
        next.map_or(LOOK, |at| at.since(self.now()))
    }

    fn now(&self) -> Millis {
        self.sender.time.now()
    }

    fn note_ended(&mut self, destination: &str) {
        let now = self.now();
        self.destinations.due(destination, now);
        // A busy moment tells of many at once.
        while let Ok(destination) = self.ended.try_recv() {
            self.destinations.due(&destination, now);
        }
    }

    fn note_finished(&mut self, finished: &Finished) {
        let (name, now) = (&finished.destination, self.now());
        match finished.has_answered {
            Some(has_answered) => {
                if let Some(at) = finished.next_at {
                    self.destinations.due(name, at);
                }
                self.destinations.finished(name, has_answered, now);
            }
            // Nobody was asked, by a fault of ours.
            None => self.destinations.claimed(name, 1, finished.next_at),
        }
    }

    /// Looks at the rows, whoever wrote them, and gives up those whose time was over before their turn came.
    async fn look(&mut self) {
        self.give_up().await;
        let (now, told) = (self.now(), self.sender.time.told());
        match self.sender.store.list_destinations().await {
            Ok(all) => {
                for due in all {
                    // By which clock it was written shows when it is claimed.
                    let at = if due.at <= told {
                        due.at.min(now)
                    } else {
                        due.at
                    };
                    self.destinations.due(&due.destination, at);
                }
            }
            Err(error) => tracing::error!(%error, "deliveries could not be read; trying again"),
        }
    }

    async fn give_up(&self) {
        let (store, time) = (&self.sender.store, &self.sender.time);
        loop {
            let before = Millis(time.earliest().0.saturating_sub(SLACK_MS));
            match store.expire_deliveries(before, time.told(), BATCH).await {
                Ok(given_up) => {
                    for delivery in &given_up {
                        send::tell_given_up(delivery, None, Some("its time was over"));
                    }
                    if given_up.len() < BATCH as usize {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "deliveries could not be given up; trying again");
                    return;
                }
            }
        }
    }

    /// Sends what is due and has room.
    async fn claim(&mut self) {
        loop {
            let now = self.now();
            let picks = self.destinations.pick(now);
            if picks.is_empty() {
                return;
            }
            let sender = &self.sender;
            let taking = Taking {
                worker: sender.worker.clone(),
                at: now,
                told: sender.time.told(),
                until: now.after(LEASE),
            };
            match sender.store.claim_deliveries(&picks, taking).await {
                Ok(claims) => self.begin(&picks, claims),
                Err(error) => {
                    tracing::error!(%error, "deliveries could not be claimed; trying again");
                    for (name, places) in picks {
                        let later = now.after(LOOK);
                        self.destinations.claimed(&name, places, Some(later));
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    return;
                }
            }
        }
    }

    fn begin(&mut self, picks: &[(String, u32)], claims: Vec<ClaimedDeliveries>) {
        for ((name, places), claim) in picks.iter().zip(claims) {
            let found = u32::try_from(claim.deliveries.len()).unwrap_or(*places);
            let unused = places.saturating_sub(found);
            self.destinations.claimed(name, unused, claim.next_at);
            for delivery in claim.deliveries {
                let sender = Arc::clone(&self.sender);
                let work = async move { sender.send(delivery).await };
                self.sender.tracker.spawn(work);
            }
        }
    }
}
