//! A task on its way into the rows: what is written, and what follows at once.

use super::admit::{Origin, Ready, Repeats};
use super::inputs::Inputs;
use super::lane::Slot;
use super::repeat::idempotency;
use super::route::Route;
use super::unanswered::Judge;
use super::{Engine, lane, run};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::store::{Admission, Admitted, Claimed, FIRST_FENCE, SpendWindow, Start, StoreError};
use crate::types::{
    Caller, Millis, Mode, Money, Owner, SpendCap, SpendPeriod, Task, TaskId, TaskState, Usage,
};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A task that is to be written, and what its run needs.
pub(super) struct Entry {
    pub(super) admission: Admission,
    pub(super) inputs: Inputs,
    pub(super) beginning: Beginning,
    pub(super) route: Route,
    pub(super) owner: Owner,
}

/// How a task begins.
pub(super) enum Beginning {
    /// At once, in this slot.
    Starts(Slot),
    /// In its lane, behind so many others.
    Waits { ahead: u64 },
    /// With what it links to, which is fetched first.
    Fetches,
}

impl Beginning {
    /// The state that it is accepted in.
    pub(super) fn state(&self) -> TaskState {
        match self {
            Self::Starts(_) => TaskState::Processing,
            Self::Waits { .. } | Self::Fetches => TaskState::Pending,
        }
    }

    pub(super) fn ahead(&self) -> Option<u64> {
        match self {
            Self::Waits { ahead } => Some(*ahead),
            Self::Starts(_) | Self::Fetches => None,
        }
    }

    /// Where its task is queued.
    fn lane<'a>(&self, route: &'a Route, mode: Mode) -> &'a str {
        match self {
            Self::Starts(_) | Self::Waits { .. } => route.lane(mode),
            Self::Fetches => lane::INPUTS,
        }
    }
}

/// Those who wait for what becomes of an admission.
struct Outcome {
    /// Repetitions of the call, now and later.
    judge: Option<Judge>,
    /// Whoever asked.
    reply: oneshot::Sender<Result<Admitted, StoreError>>,
}

impl Outcome {
    /// Whoever asked may have left; the task runs all the same.
    fn tell(self, is_new: bool, verdict: Result<Admitted, StoreError>) {
        if let Some(judge) = self.judge {
            judge.send_replace(Some(is_new));
        }
        let _ = self.reply.send(verdict);
    }
}

impl Engine {
    /// What is written for a request. `own_id`: the id that was chosen for its task, if one was.
    pub(super) fn admission(
        &self,
        caller: &Caller,
        ready: &Ready,
        beginning: &Beginning,
        origin: &Origin,
        own_id: Option<TaskId>,
    ) -> Admission {
        let (mode, at) = (caller.key.mode, self.now());
        let cap = caller.key.limits.spend_cap;
        let start = match beginning {
            Beginning::Starts(_) => Some(Start {
                worker: self.0.worker.clone(),
                attempts: ready.route.first_attempts(ready.request.n(), at),
            }),
            Beginning::Waits { .. } | Beginning::Fetches => None,
        };
        Admission {
            task: own_id.unwrap_or_else(TaskId::new),
            account: caller.account.id.clone(),
            key: caller.key.id.clone(),
            mode,
            request: Arc::clone(&ready.request),
            quote: ready.quote,
            hold: match mode {
                Mode::Live => ready.quote.total,
                Mode::Test => Money::ZERO,
            },
            lane: beginning.lane(&ready.route, mode).to_owned(),
            public_url: origin.public_url.clone(),
            spend: cap
                .filter(|_| mode == Mode::Live)
                .map(|cap| spend_window(cap, at)),
            idempotency: match &origin.repeats {
                Repeats::Keyed(key) => Some(idempotency(key, origin, at)),
                Repeats::Alike { .. } | Repeats::Never => None,
            },
            asked: match &origin.repeats {
                Repeats::Alike { .. } if origin.waits => Some(origin.asked),
                _ => None,
            },
            callback: ready.callback.clone(),
            files: ready.named.files(),
            results: ready.named.results(),
            most_waiting: self.0.limits.most_waiting,
            start,
            at,
        }
    }

    /// Writes a task and runs it, on a task of its own. Answers when it is written, or refused.
    pub(super) async fn enter(
        &self,
        entry: Entry,
        judge: Option<Judge>,
    ) -> Result<Result<Admitted, StoreError>, Error> {
        let (reply, admitted) = oneshot::channel();
        let (engine, outcome) = (self.clone(), Outcome { judge, reply });
        self.0
            .tracker
            .spawn(async move { entry.write(&engine, outcome).await });
        admitted.await.map_err(|_| Error::internal())
    }
}

impl Entry {
    async fn write(self, engine: &Engine, outcome: Outcome) {
        let (id, lane) = (self.admission.task.clone(), self.admission.lane.clone());
        let account = self.admission.account.clone();
        let start = self.admission.start.as_ref();
        let started = start.map(|start| claimed(&self.admission, start));
        let verdict = engine.0.store.admit(self.admission).await;
        let is_new = matches!(verdict, Ok(Admitted::New));
        if is_new {
            self.inputs.keep();
            failpoint("admitted");
        } else {
            engine.0.watchers.forget(&id);
        }
        outcome.tell(is_new, verdict);
        if !is_new {
            return;
        }
        match (self.beginning, started) {
            // By the route it was admitted with, whatever the catalogue says by now.
            (Beginning::Starts(slot), Some(one)) => {
                run::run(engine, one, Some(self.route), slot).await;
            }
            (Beginning::Fetches, _) => engine.fetch_later(account, id),
            (Beginning::Starts(_) | Beginning::Waits { .. }, _) => {
                engine.0.lanes.wait(&lane, &self.owner);
            }
        }
    }
}

/// The started task as the store now has it, so that it need not be read back.
fn claimed(admission: &Admission, start: &Start) -> Claimed {
    let task = Task {
        id: admission.task.clone(),
        account: admission.account.clone(),
        key: admission.key.clone(),
        mode: admission.mode,
        request: Arc::clone(&admission.request),
        quote: admission.quote,
        lane: admission.lane.clone(),
        public_url: admission.public_url.clone(),
        callback: admission.callback.clone(),
        state: TaskState::Processing,
        fence: FIRST_FENCE,
        crashes: 0,
        lone_crashes: 0,
        created_at: admission.at,
        started_at: Some(admission.at),
        completed_at: None,
        failure: None,
        captured: Money::ZERO,
        usage: Usage::default(),
        upstream_ms: 0,
        assets: Vec::new(),
        text: None,
        late_text: None,
    };
    Claimed {
        task,
        attempts: start.attempts.clone(),
    }
}

/// The window that a cap counts in at this moment.
fn spend_window(cap: SpendCap, at: Millis) -> SpendWindow {
    let day = jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let name = match cap.per {
        SpendPeriod::Total => "total".to_owned(),
        SpendPeriod::Day => day.to_string(),
        SpendPeriod::Month => day.strftime("%Y-%m").to_string(),
    };
    SpendWindow {
        name,
        cap: cap.amount,
    }
}
