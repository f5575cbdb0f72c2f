//! Webhooks: telling receivers that a task has ended.
//!
//! ```text
//! settle ─ one transaction ─► delivery ─ claim (attempt counted) ─► post ─► end of the attempt
//!    └────── wake ──────────────────┘▲                                 └─ again, after 1, 2, 4, 15 … s
//! ```
//!
//! The rows are the truth ([`crate::store::Outbox`]); what the engine says about a task that has just ended is a hint that
//! saves a look. One loop decides whom to send to (`destinations`), every attempt is a task of its own ([`post`]), when it
//! is made again is a pure function ([`schedule`]). An attempt that a crash interrupts is made again under the same id, so a
//! receiver may hear the same twice and knows it by that id. This module knows no HTTP server, no provider and no SQL.

mod destinations;
pub mod post;
pub mod schedule;
pub mod sign;
pub mod told;

use crate::dialect::callback;
use crate::engine::Clock;
use crate::failpoint::failpoint;
use crate::fetch::Outbound;
use crate::store::outbox::{After, DeliveryHold};
use crate::store::{Store, StoreError};
use crate::types::{Delivery, DeliveryAttempt, DeliveryState, Millis};
use destinations::{Destinations, Room};
use post::{Message, Outcome};
use schedule::{Failed, Schedule};
use std::sync::Arc;
use std::time::{Duration, Instant};
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

/// How often the end of an attempt is written before its lease is left to run out.
const MOST_WRITES: u32 = 5;

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
        let now = (parts.clock)();
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
            clock: parts.clock,
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
            started: (now, Instant::now()),
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

/// What an attempt needs.
struct Sender {
    store: Arc<dyn Store>,
    outbound: Outbound,
    clock: Clock,
    tracker: TaskTracker,
    /// This process's name in claims: new at every start.
    worker: String,
    attempt: Duration,
    schedule: Schedule,
    finished: mpsc::UnboundedSender<Finished>,
}

/// The end of an attempt.
struct Finished {
    destination: String,
    has_answered: bool,
    /// When this delivery is due again.
    next_at: Option<Millis>,
}

/// The loop that decides who is sent to.
struct Turns {
    sender: Arc<Sender>,
    destinations: Destinations,
    ended: mpsc::UnboundedReceiver<String>,
    done: mpsc::UnboundedReceiver<Finished>,
    stop: CancellationToken,
    /// When this began, by the clock and by what no clock change moves.
    started: (Millis, Instant),
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
        (self.sender.clock)()
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
        if let Some(at) = finished.next_at {
            self.destinations.due(name, at);
        }
        self.destinations.finished(name, finished.has_answered, now);
    }

    /// Looks at the rows, whoever wrote them, and gives up those whose time was over before their turn came.
    async fn look(&mut self) {
        let store = &self.sender.store;
        let now = self.now();
        // A clock that is set forward by an hour must not give up everything at once.
        let (at, since) = self.started;
        let steady = now.min(at.after(since.elapsed()));
        let before = Millis(steady.0.saturating_sub(SLACK_MS));
        let expired = store.expire_deliveries(before, now, BATCH).await;
        if let Err(error) = expired {
            tracing::error!(%error, "deliveries could not be given up; trying again");
        }
        match store.list_destinations().await {
            Ok(all) => {
                for due in all {
                    self.destinations.due(&due.destination, due.at);
                }
            }
            Err(error) => tracing::error!(%error, "deliveries could not be read; trying again"),
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
            let lease_until = now.after(LEASE);
            let claimed = sender
                .store
                .claim_deliveries(&picks, &sender.worker, now, lease_until)
                .await;
            match claimed {
                Err(error) => {
                    tracing::error!(%error, "deliveries could not be claimed; trying again");
                    for (name, places) in picks {
                        let later = now.after(LOOK);
                        self.destinations.claimed(&name, places, Some(later));
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    return;
                }
                Ok(claims) => {
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
        }
    }
}

impl Sender {
    /// Makes one attempt that is counted already, and stores what became of it.
    async fn send(&self, delivery: Delivery) {
        let started_at = delivery.sent_at.unwrap_or(delivery.created_at);
        let outcome = self.try_once(&delivery).await;
        failpoint("posted");
        let ended_at = (self.clock)();
        let after = self.after(&delivery, &outcome, ended_at);
        tell(&delivery, &outcome, after);
        let has_answered = outcome.status.is_some();
        let attempt = DeliveryAttempt {
            number: delivery.attempts,
            started_at,
            ended_at,
            status: outcome.status,
            problem: outcome.problem,
            answer: outcome.answer,
        };
        self.store_end(&delivery, &attempt, after).await;
        // Nobody listens any more when the process ends.
        let _ = self.finished.send(Finished {
            destination: delivery.destination,
            has_answered,
            next_at: match after {
                After::Again(at) => Some(at),
                After::End(_) => None,
            },
        });
    }

    async fn try_once(&self, delivery: &Delivery) -> Outcome {
        let failed = |why: &str| Outcome {
            status: None,
            answer: String::new(),
            problem: Some(why.to_owned()),
            retry_after: None,
        };
        let at = (self.clock)();
        let read = async {
            let task = self.store.find_task(&delivery.account, &delivery.task);
            let secrets = self.store.signing_secrets(&delivery.account, at);
            Ok::<_, StoreError>((task.await?, secrets.await?))
        };
        let (task, secrets) = match read.await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(delivery.id = %delivery.id, %error, "a delivery could not be read");
                return failed("a fault of ours: the task could not be read");
            }
        };
        let told = task.and_then(|task| Some(callback::body(&task, task.callback.as_ref()?)));
        let Some(body) = told else {
            return failed("a fault of ours: there is no such task");
        };
        let message = Message {
            url: &delivery.url,
            id: delivery.id.as_str(),
            body: &body,
            secrets: &secrets,
            at,
        };
        post::post(&self.outbound, message, self.attempt).await
    }

    fn after(&self, delivery: &Delivery, outcome: &Outcome, at: Millis) -> After {
        if outcome.is_delivered() {
            return After::End(DeliveryState::Delivered);
        }
        if outcome.status == Some(410) {
            return After::End(DeliveryState::Gone);
        }
        let next = self.schedule.next(Failed {
            tries: delivery.tries + 1,
            at,
            ends_at: delivery.ends_at,
            retry_after: outcome.retry_after,
            chance: chance(),
        });
        next.map_or(After::End(DeliveryState::Exhausted), After::Again)
    }

    /// A database that fails for a moment must not make a receiver hear the same twice.
    async fn store_end(&self, delivery: &Delivery, attempt: &DeliveryAttempt, after: After) {
        let hold = DeliveryHold {
            delivery: delivery.id.clone(),
            fence: delivery.fence,
        };
        for _ in 0..MOST_WRITES {
            let store = &self.store;
            match store
                .end_delivery_attempt(&hold, attempt.clone(), after)
                .await
            {
                Ok(()) => return,
                Err(StoreError::Fenced) => {
                    tracing::warn!(delivery.id = %delivery.id, "a delivery was taken over while it was sent");
                    return;
                }
                Err(error) => {
                    tracing::error!(delivery.id = %delivery.id, %error, "the end of an attempt could not be stored");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

/// A line of the log, without the path of the URL, which may hold a secret of the receiver.
fn tell(delivery: &Delivery, outcome: &Outcome, after: After) {
    let (name, level) = match after {
        After::End(state) => (state.name(), state == DeliveryState::Exhausted),
        After::Again(_) => ("failed", false),
    };
    metrics::counter!("pinhole_webhook_attempts_total", "outcome" => name).increment(1);
    let problem = outcome.problem.as_deref();
    if level {
        tracing::warn!(
            delivery.id = %delivery.id, task.id = %delivery.task, destination = delivery.destination,
            http.status = outcome.status, problem, attempts = delivery.attempts,
            "a callback was given up; `pinhole webhook resend` sends it again"
        );
    } else {
        tracing::info!(
            delivery.id = %delivery.id, task.id = %delivery.task, destination = delivery.destination,
            http.status = outcome.status, problem, attempt = delivery.attempts, outcome = name,
            "a callback was sent"
        );
    }
}

fn chance() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system's random source works");
    u64::from_le_bytes(bytes)
}
