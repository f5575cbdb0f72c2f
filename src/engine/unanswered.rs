//! Calls that wait for their answer, and those whose clients left without one.
//!
//! OpenAI's SDKs give up on a slow call and send it again, with `x-stainless-retry-count`. The first call's task runs and
//! will be charged, so the second one joins it. [`Unanswered`] is noted before anything of a task is written and goes with
//! the acceptance to whoever answers; dropped at any moment before the reply was handed over, it leaves the call to be
//! joined.
//!
//! Kept in memory. A task's row remembers what was asked, so that after a restart the calls that the old process owed an
//! answer are noted again. Those that had just ended are not: they would be answered calls as well, nearly all of them,
//! and somebody who asks for another picture must not be given an old one.

use super::Clock;
use crate::types::{Fingerprint, KeyId, Millis, TaskId};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long after its beginning a call may be joined.
pub(super) const JOINED_FOR: Duration = Duration::from_secs(30 * 60);

/// How long a repetition waits for us to notice that the client of the same call is gone: the closing of one connection
/// and the opening of the next reach us side by side.
const NOTICE: Duration = Duration::from_secs(1);

/// More clients than these are not remembered; the first that left are forgotten.
const MOST: usize = 10_000;

/// What was sent, and with which key. A repetition is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub key: KeyId,
    pub asked: Fingerprint,
}

/// Whether the store took the task, once that is known.
type Verdict = Option<bool>;

/// Says what became of the admission; dropped without a word, it was refused.
pub(super) type Judge = watch::Sender<Verdict>;

struct Call {
    task: TaskId,
    at: Millis,
    stage: Stage,
}

enum Stage {
    /// Nothing is written for it yet.
    Checked,
    /// Its task is written, or being written, and its client waits.
    Waiting(watch::Receiver<Verdict>),
    /// Its client left.
    Left(watch::Receiver<Verdict>),
}

/// Every such call of this process.
pub(super) struct Calls {
    clock: Clock,
    /// [`NOTICE`].
    patience: Duration,
    state: Mutex<State>,
    /// Some call was answered, or its client left.
    changed: Notify,
}

#[derive(Default)]
struct State {
    calls: HashMap<Sent, Vec<Call>>,
    /// Those whose clients left, in this order; a call that was joined since may stand here too.
    left: VecDeque<(Sent, TaskId, Millis)>,
}

/// A call that is owed an answer. Dropping it means that its client left.
pub struct Unanswered {
    calls: Arc<Calls>,
    sent: Sent,
    task: TaskId,
}

/// What is known of a call that is said to be a repetition.
enum Earlier {
    /// It was never sent, or is answered.
    None,
    /// Its client waits, as far as we know.
    Waiting,
    /// Its client left.
    Left(Unanswered, watch::Receiver<Verdict>),
}

impl Calls {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Self::patient(clock, NOTICE)
    }

    fn patient(clock: Clock, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock,
            patience,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Notes a call that nothing is written for yet, and chooses the id that its task will have.
    pub(super) fn open(self: &Arc<Self>, sent: Sent) -> Unanswered {
        let call = Call {
            task: TaskId::new(),
            at: (self.clock)(),
            stage: Stage::Checked,
        };
        let unanswered = self.owed(&sent, call.task.clone());
        self.lock().calls.entry(sent).or_default().push(call);
        unanswered
    }

    /// Notes a call that an earlier process accepted and did not answer.
    pub(super) fn note_left(&self, sent: Sent, task: TaskId, at: Millis) {
        let (_, accepted) = watch::channel(Some(true));
        let call = Call {
            task,
            at,
            stage: Stage::Left(accepted),
        };
        let mut state = self.lock();
        state.left.push_back((sent.clone(), call.task.clone(), at));
        state.calls.entry(sent).or_default().push(call);
        state.forget_old((self.clock)());
    }

    /// The call that this one repeats: its client left, and its task was accepted. The repetition's client waits for it
    /// from now on.
    pub(super) async fn rejoin(self: &Arc<Self>, sent: &Sent) -> Option<Unanswered> {
        let mut patience = std::pin::pin!(tokio::time::sleep(self.patience));
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.look(sent) {
                Earlier::None => return None,
                Earlier::Left(call, verdict) => match is_accepted(verdict).await {
                    true => return Some(call),
                    false => call.answered(),
                },
                Earlier::Waiting => tokio::select! {
                    () = changed => {}
                    () = &mut patience => return None,
                },
            }
        }
    }

    fn look(self: &Arc<Self>, sent: &Sent) -> Earlier {
        let now = (self.clock)();
        let mut state = self.lock();
        let calls = state.calls.get_mut(sent).into_iter().flatten();
        let mut earlier = Earlier::None;
        for call in calls.filter(|call| now.since(call.at) < JOINED_FOR) {
            let Stage::Left(verdict) = &call.stage else {
                earlier = Earlier::Waiting;
                continue;
            };
            let verdict = verdict.clone();
            call.stage = Stage::Waiting(verdict.clone());
            return Earlier::Left(self.owed(sent, call.task.clone()), verdict);
        }
        earlier
    }

    fn owed(self: &Arc<Self>, sent: &Sent, task: TaskId) -> Unanswered {
        Unanswered {
            calls: Arc::clone(self),
            sent: sent.clone(),
            task,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave it half-changed: nothing in between panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn is_accepted(mut verdict: watch::Receiver<Verdict>) -> bool {
    let known = verdict.wait_for(Option::is_some).await;
    known.is_ok_and(|verdict| *verdict == Some(true))
}

impl State {
    fn find(&mut self, sent: &Sent, task: &TaskId) -> Option<&mut Call> {
        let calls = self.calls.get_mut(sent)?;
        calls.iter_mut().find(|call| call.task == *task)
    }

    fn remove(&mut self, sent: &Sent, task: &TaskId) {
        if let Some(calls) = self.calls.get_mut(sent) {
            calls.retain(|call| call.task != *task);
            if calls.is_empty() {
                self.calls.remove(sent);
            }
        }
    }

    /// Its client is gone. What nothing was written for, or was refused, is forgotten.
    fn leave(&mut self, sent: &Sent, task: &TaskId, now: Millis) {
        let Some(call) = self.find(sent, task) else {
            return;
        };
        match &call.stage {
            Stage::Waiting(verdict) if *verdict.borrow() != Some(false) => {
                call.stage = Stage::Left(verdict.clone());
                let at = call.at;
                self.left.push_back((sent.clone(), task.clone(), at));
                metrics::counter!("pinhole_calls_left_total").increment(1);
            }
            _ => self.remove(sent, task),
        }
        self.forget_old(now);
    }

    fn forget_old(&mut self, now: Millis) {
        while let Some((sent, task, at)) = self.left.front() {
            if self.left.len() <= MOST && now.since(*at) < JOINED_FOR {
                return;
            }
            let (sent, task) = (sent.clone(), task.clone());
            self.left.pop_front();
            let call = self.find(&sent, &task);
            if call.is_some_and(|call| matches!(call.stage, Stage::Left(_))) {
                self.remove(&sent, &task);
            }
        }
    }
}

impl Unanswered {
    /// The id of its task, chosen before the task is written.
    pub fn task(&self) -> &TaskId {
        &self.task
    }

    /// From now on there may be a task, even if the client leaves.
    pub(super) fn admitting(&self) -> Judge {
        let (judge, verdict) = watch::channel(None);
        if let Some(call) = self.calls.lock().find(&self.sent, &self.task) {
            call.stage = Stage::Waiting(verdict);
        }
        judge
    }

    /// The client has its answer. The same call once more is a new one.
    pub fn answered(self) {
        self.calls.lock().remove(&self.sent, &self.task);
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let now = (self.calls.clock)();
        // Finds nothing if it was answered.
        self.calls.lock().leave(&self.sent, &self.task, now);
        self.calls.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// Calls, and a clock in minutes.
    fn calls(patience: Duration) -> (Arc<Calls>, Arc<AtomicI64>) {
        let minutes = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&minutes);
        let clock = move || Millis(clock.load(Ordering::Relaxed) * 60_000);
        (Calls::patient(Arc::new(clock), patience), minutes)
    }

    fn sent(asked: u8) -> Sent {
        Sent {
            key: KeyId::trusted("key"),
            asked: [asked; 32],
        }
    }

    /// Opens a call that the store accepts, and leaves it.
    fn leave(calls: &Arc<Calls>, sent: Sent) -> TaskId {
        let call = calls.open(sent);
        call.admitting().send_replace(Some(true));
        call.task().clone()
    }

    #[tokio::test]
    async fn a_call_is_joined_by_one_repetition_at_a_time() {
        let (calls, _) = calls(Duration::ZERO);
        let task = leave(&calls, sent(1));
        assert!(calls.rejoin(&sent(2)).await.is_none());
        let stranger = Sent {
            key: KeyId::trusted("other"),
            ..sent(1)
        };
        assert!(calls.rejoin(&stranger).await.is_none());
        let first = calls.rejoin(&sent(1)).await.expect("it was left");
        assert_eq!(*first.task(), task);
        // Its client waits again; a second repetition is patient for a moment and then a call of its own.
        assert!(calls.rejoin(&sent(1)).await.is_none());
        drop(first);
        let second = calls.rejoin(&sent(1)).await.expect("it was left again");
        assert_eq!(*second.task(), task);
        second.answered();
        assert!(calls.rejoin(&sent(1)).await.is_none());
        assert!(calls.lock().calls.is_empty());
    }

    #[tokio::test]
    async fn a_repetition_waits_for_the_leave_and_for_the_verdict() {
        let (calls, _) = calls(Duration::from_secs(600));
        let call = calls.open(sent(1));
        let task = call.task().clone();
        let leaving = async {
            tokio::task::yield_now().await;
            let judge = call.admitting();
            tokio::task::yield_now().await;
            drop(call);
            tokio::task::yield_now().await;
            judge.send_replace(Some(true));
        };
        let repetition = sent(1);
        let (joined, ()) = tokio::join!(calls.rejoin(&repetition), leaving);
        assert_eq!(joined.map(|joined| joined.task().clone()), Some(task));
    }

    #[tokio::test]
    async fn what_was_never_accepted_is_not_joined() {
        let (calls, _) = calls(Duration::ZERO);
        drop(calls.open(sent(1)));
        assert!(calls.rejoin(&sent(1)).await.is_none(), "never written");
        let refused = calls.open(sent(1));
        let judge = refused.admitting();
        drop(refused);
        let verdict = async { judge.send_replace(Some(false)) };
        let repetition = sent(1);
        let (joined, _) = tokio::join!(calls.rejoin(&repetition), verdict);
        assert!(joined.is_none(), "refused after its client had left");
        let lost = calls.open(sent(1));
        drop(lost.admitting());
        drop(lost);
        assert!(calls.rejoin(&sent(1)).await.is_none(), "nobody knows");
        let known = calls.open(sent(1));
        known.admitting().send_replace(Some(false));
        drop(known);
        assert!(calls.lock().calls.is_empty());
    }

    #[tokio::test]
    async fn a_call_is_remembered_for_half_an_hour_and_so_are_so_many() {
        let (calls, minutes) = calls(Duration::ZERO);
        leave(&calls, sent(1));
        minutes.store(30, Ordering::Relaxed);
        assert!(calls.rejoin(&sent(1)).await.is_none());
        calls.note_left(sent(2), TaskId::new(), Millis(29 * 60_000));
        assert!(calls.rejoin(&sent(2)).await.is_some());
        for _ in 0..MOST + 100 {
            leave(&calls, sent(3));
        }
        let state = calls.lock();
        assert_eq!((state.left.len(), state.calls.len()), (MOST, 1));
        assert_eq!(state.calls[&sent(3)].len(), MOST);
    }
}
