//! One attempt from the claim to what is stored of it.

use super::bodies::Bodies;
use super::post::{self, Message, Outcome};
use super::schedule::{Failed, Schedule};
use super::time::Time;
use crate::dialect::callback;
use crate::failpoint::failpoint;
use crate::fetch::Outbound;
use crate::store::outbox::{After, DeliveryHold};
use crate::store::{Store, StoreError};
use crate::types::{Delivery, DeliveryAttempt, DeliveryState, Millis};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// How often the end of an attempt is written before its lease is left to run out.
const MOST_WRITES: u32 = 5;

/// When what could not be sent by a fault of ours is due again.
const NOT_SENT: Duration = Duration::from_secs(1);

/// What an attempt needs.
pub(super) struct Sender {
    pub(super) store: Arc<dyn Store>,
    pub(super) outbound: Outbound,
    pub(super) time: Time,
    pub(super) bodies: Bodies,
    pub(super) tracker: TaskTracker,
    /// This process's name in claims: new at every start.
    pub(super) worker: String,
    pub(super) attempt: Duration,
    pub(super) schedule: Schedule,
    pub(super) finished: mpsc::UnboundedSender<Finished>,
}

/// The end of an attempt.
pub(super) struct Finished {
    pub(super) destination: String,
    /// `None` if it was not asked, by a fault of ours.
    pub(super) has_answered: Option<bool>,
    /// When this delivery is due again.
    pub(super) next_at: Option<Millis>,
}

/// Tells of the end of an attempt when it is dropped, also by a panic: else its destination would be busy for ever.
struct Ending<'a> {
    told: &'a mpsc::UnboundedSender<Finished>,
    finished: Option<Finished>,
}

impl<'a> Ending<'a> {
    fn of(delivery: &Delivery, told: &'a mpsc::UnboundedSender<Finished>) -> Self {
        let finished = Finished {
            destination: delivery.destination.clone(),
            has_answered: None,
            // Whoever looks at the rows finds it when its lease is over.
            next_at: None,
        };
        Self {
            told,
            finished: Some(finished),
        }
    }

    fn is(&mut self, has_answered: Option<bool>, next_at: Option<Millis>) {
        if let Some(finished) = &mut self.finished {
            finished.has_answered = has_answered;
            finished.next_at = next_at;
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if let Some(finished) = self.finished.take() {
            // Nobody listens any more when the process ends.
            let _ = self.told.send(finished);
        }
    }
}

/// Why nothing was sent: it is no attempt, and the receiver has done nothing.
enum NotSent {
    /// The rows could not be read.
    Unread,
    /// There is no room for its body.
    NoRoom,
}

impl Sender {
    /// Makes one attempt that is counted already, and stores what became of it.
    pub(super) async fn send(&self, delivery: Delivery) {
        let mut ending = Ending::of(&delivery, &self.finished);
        let sent = self.try_once(&delivery).await;
        failpoint("posted");
        let outcome = match sent {
            Ok(outcome) => outcome,
            // A row that nobody will ever be able to read is not tried for ever.
            Err(NotSent::Unread) if self.time.earliest() > delivery.ends_at => {
                Outcome::failed("a fault of ours: the task could not be read")
            }
            Err(_) => {
                let next_at = self.time.now().after(NOT_SENT);
                self.release(&delivery, next_at).await;
                ending.is(None, Some(next_at));
                return;
            }
        };
        let ended_at = self.time.told();
        let after = self.after(&delivery, &outcome);
        tell(&delivery, &outcome, after);
        let next_at = match after {
            After::Again(at) => Some(at),
            After::End(_) => None,
        };
        ending.is(Some(outcome.status.is_some()), next_at);
        let attempt = DeliveryAttempt {
            number: delivery.attempts,
            started_at: delivery.sent_at.unwrap_or(delivery.created_at),
            ended_at,
            status: outcome.status,
            problem: outcome.problem,
            answer: outcome.answer,
        };
        let hold = hold_of(&delivery);
        let store = &self.store;
        let end = || store.end_delivery_attempt(&hold, attempt.clone(), after);
        self.write(&delivery, end).await;
    }

    async fn try_once(&self, delivery: &Delivery) -> Result<Outcome, NotSent> {
        let turn = self.bodies.turn().await;
        let at = self.time.told();
        let read = async {
            let task = self.store.find_task(&delivery.account, &delivery.task);
            let secrets = self.store.signing_secrets(&delivery.account, at);
            Ok::<_, StoreError>((task.await?, secrets.await?))
        };
        let (task, secrets) = read.await.map_err(|error| {
            tracing::error!(delivery.id = %delivery.id, %error, "a delivery could not be read; trying again");
            NotSent::Unread
        })?;
        let told = task.and_then(|task| Some(callback::body(&task, task.callback.as_ref()?)));
        let Some(body) = told.map(Bytes::from) else {
            return Ok(Outcome::failed("a fault of ours: there is no such task"));
        };
        let Some(place) = self.bodies.place(body.len()) else {
            tracing::debug!(delivery.id = %delivery.id, "a large callback waits for room");
            return Err(NotSent::NoRoom);
        };
        drop(turn);
        let message = Message {
            url: &delivery.url,
            id: delivery.id.as_str(),
            body,
            secrets: &secrets,
            at,
        };
        let outcome = post::post(&self.outbound, message, self.attempt).await;
        drop(place);
        Ok(outcome)
    }

    fn after(&self, delivery: &Delivery, outcome: &Outcome) -> After {
        if outcome.is_delivered() {
            return After::End(DeliveryState::Delivered);
        }
        if outcome.status == Some(410) {
            return After::End(DeliveryState::Gone);
        }
        let next = self.schedule.next(Failed {
            tries: delivery.tries + 1,
            // Rounded up: no wait is a part of a millisecond too short.
            at: self.time.now().after(Duration::from_millis(1)),
            ends_at: self.time.end(delivery.ends_at),
            retry_after: outcome.retry_after,
            chance: chance(),
        });
        next.map_or(After::End(DeliveryState::Exhausted), After::Again)
    }

    async fn release(&self, delivery: &Delivery, due_at: Millis) {
        let hold = hold_of(delivery);
        self.write(delivery, || self.store.release_delivery(&hold, due_at))
            .await;
    }

    /// A database that fails for a moment must not make a receiver hear the same twice.
    async fn write<T>(&self, delivery: &Delivery, write: impl Fn() -> T)
    where
        T: Future<Output = Result<(), StoreError>>,
    {
        for _ in 0..MOST_WRITES {
            match write().await {
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

fn hold_of(delivery: &Delivery) -> DeliveryHold {
    DeliveryHold {
        delivery: delivery.id.clone(),
        fence: delivery.fence,
    }
}

/// A line of the log, without the path of the URL, which may hold a secret of the receiver.
fn tell(delivery: &Delivery, outcome: &Outcome, after: After) {
    let problem = outcome.problem.as_deref();
    let name = match after {
        After::End(DeliveryState::Exhausted) => {
            return tell_given_up(delivery, outcome.status, problem);
        }
        After::End(state) => state.name(),
        After::Again(_) => "failed",
    };
    metrics::counter!("pinhole_webhook_attempts_total", "outcome" => name).increment(1);
    tracing::info!(
        delivery.id = %delivery.id, task.id = %delivery.task, destination = delivery.destination,
        http.status = outcome.status, problem, attempt = delivery.attempts, outcome = name,
        "a callback was sent"
    );
}

/// The same for the last line of one that nobody took.
pub(super) fn tell_given_up(delivery: &Delivery, status: Option<u16>, problem: Option<&str>) {
    let name = DeliveryState::Exhausted.name();
    metrics::counter!("pinhole_webhook_attempts_total", "outcome" => name).increment(1);
    tracing::warn!(
        delivery.id = %delivery.id, task.id = %delivery.task, destination = delivery.destination,
        http.status = status, problem, attempts = delivery.attempts,
        "a callback was given up; `pinhole webhook resend` sends it again"
    );
}

fn chance() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system's random source works");
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AccountId, DeliveryId, TaskId};

    fn delivery() -> Delivery {
        Delivery {
            id: DeliveryId::new(),
            task: TaskId::new(),
            account: AccountId::new(),
            url: "https://receiver.example/hook".to_owned(),
            destination: "https://receiver.example".to_owned(),
            state: DeliveryState::Pending,
            attempts: 1,
            tries: 0,
            fence: 1,
            due_at: Some(Millis(30_000)),
            sent_at: Some(Millis(0)),
            ends_at: Millis(60_000),
            created_at: Millis(0),
            ended_at: None,
        }
    }

    #[tokio::test]
    async fn a_panic_frees_its_destination() {
        let (told, mut ends) = mpsc::unbounded_channel();
        let tracker = TaskTracker::new();
        let attempt = tracker.spawn(async move {
            let _ending = Ending::of(&delivery(), &told);
            panic!("a fault of ours");
        });
        assert!(attempt.await.is_err());
        let end = ends.recv().await.expect("it is told");
        assert_eq!(end.destination, "https://receiver.example");
        assert_eq!((end.has_answered, end.next_at), (None, None));
    }
}
