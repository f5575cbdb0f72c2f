//! Running a task: make its calls, store what they bring, settle.
//!
//! Whatever happens to a call, exactly one of the four outcomes of [`AttemptEnd`] is written for it, and whether
//! another target may be asked is decided by [`AttemptEnd::next`] alone. Every write carries the task's fence; one
//! that is refused ends the run, because then somebody else holds the task.
//!
//! Here is the task as a whole; one call of it is in [`super::call`], listening to an upstream in [`super::hear`].

use super::Engine;
use super::brought::{Done, set_aside};
use super::lane::Slot;
use super::route::Route;
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::provider::{ProviderError, Verdict};
use crate::store::{Claimed, TaskHold};
use crate::types::{Attempt, AttemptEnd, Memory, Next, Recovery, Task, Usage, after_crash};
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How many calls of one task are under way at once.
const PARTS_AT_ONCE: usize = 4;

/// How long a task that waited waits on when its upstreams are paused.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The task is held by somebody else now, or left to the next start; whatever we still have of it is dropped.
pub(super) struct Lost;

/// One task being run.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) task: Task,
    pub(super) hold: TaskHold,
    /// `None` if no target that is turned on can do it any more.
    pub(super) route: Option<Route>,
    next_number: AtomicU32,
    /// From then on nothing more is sent.
    pub(super) deadline: Instant,
    /// A part was refused by policy: parts that are not sent yet stay so.
    pub(super) refused: AtomicBool,
    /// The task is not ours any more: what is not sent yet stays so.
    lost: AtomicBool,
    /// Whoever has a weak handle to it can tell whether the run goes on.
    pub(super) goes_on: Arc<()>,
}

/// How to begin with an open attempt.
#[derive(Clone, Copy)]
enum Begin {
    /// It was written by us just now and not sent.
    Send,
    /// It was found after a crash.
    AfterCrash,
}

/// What the parts of a task have come to.
#[derive(Default)]
struct Parts {
    ends: Vec<AttemptEnd>,
    usage: Usage,
    /// The one that ended last: it is stored by the settlement.
    last: Option<Done>,
}

/// Runs a task to its end, then frees its slot.
pub(super) async fn run(engine: &Engine, claimed: Claimed, route: Option<Route>, slot: Slot) {
    let id = claimed.task.id.clone();
    tracing::debug!(task.id = %id, model.id = claimed.task.request.model(), "the task runs");
    if let Err(Lost) = Run::new(engine, claimed.task, &claimed.attempts, route)
        .run_to_end(claimed.attempts)
        .await
    {
        tracing::warn!(task.id = %id, "the task is held by another worker, or left to the next start; this run ends without a trace");
        let why = Error::internal().while_the_task_goes_on();
        engine.0.watchers.stuck(&id, why);
        engine.0.watchers.forget(&id);
    }
    drop(slot);
}

impl Engine {
    /// Runs a claimed task beside everything else.
    pub(super) fn spawn_run(&self, claimed: Claimed, route: Option<Route>, slot: Slot) {
        let engine = self.clone();
        self.0
            .tracker
            .spawn(async move { run(&engine, claimed, route, slot).await });
    }
}

impl<'a> Run<'a> {
    fn new(engine: &'a Engine, task: Task, attempts: &[Attempt], route: Option<Route>) -> Self {
        let next_number = attempts
            .iter()
            .map(|attempt| attempt.number + 1)
            .max()
            .unwrap_or(0);
        Self {
            engine,
            hold: TaskHold {
                task: task.id.clone(),
                fence: task.fence,
            },
            route,
            deadline: Instant::now() + engine.time_left(&task),
            task,
            next_number: AtomicU32::new(next_number),
            refused: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            goes_on: Arc::new(()),
        }
    }

    async fn run_to_end(mut self, attempts: Vec<Attempt>) -> Result<(), Lost> {
        let started = Instant::now();
        if self.task.is_poison() && attempts.is_empty() {
            let ends = [set_aside(Verdict::Failed).into()];
            return self
                .settle(None, &ends, Usage::default(), started.elapsed())
                .await;
        }
        self.note_if_alone().await?;
        let (attempts, begin) = self.begin(attempts).await?;
        let mut ends = self.stored_ends(&attempts);
        let is_open = |attempt: &Attempt| !attempt.state.is_final();
        let open = attempts.into_iter().filter(is_open).collect();
        let parts = self.run_parts(open, begin).await?;
        ends.extend(parts.ends);
        self.settle(parts.last, &ends, parts.usage, started.elapsed())
            .await
    }

    /// Who is suspected of bringing processes down runs alone, and the store knows it before it begins.
    async fn note_if_alone(&self) -> Result<(), Lost> {
        if self.task.is_suspect() && !self.task.is_poison() {
            self.persist(|| self.engine.0.store.note_alone(&self.hold))
                .await?;
            failpoint("alone");
        }
        Ok(())
    }

    /// The intents to begin with: those that are there, or new ones.
    async fn begin(&mut self, attempts: Vec<Attempt>) -> Result<(Vec<Attempt>, Begin), Lost> {
        if attempts.is_empty() {
            self.wait_for_an_upstream().await?;
            return Ok((self.write_first_intents().await?, Begin::Send));
        }
        let begin = match self.task.crashes {
            0 => Begin::Send,
            _ => Begin::AfterCrash,
        };
        Ok((attempts, begin))
    }

    /// Makes the calls of all parts that are open, a few at a time.
    async fn run_parts(&self, open: Vec<Attempt>, begin: Begin) -> Result<Parts, Lost> {
        let mut left = open.len();
        let mut calls = futures::stream::iter(open)
            .map(|attempt| self.run_part(attempt, begin))
            .buffer_unordered(PARTS_AT_ONCE);
        let mut parts = Parts::default();
        while let Some(done) = calls.next().await {
            left -= 1;
            match done {
                Ok(done) => self.take_in(done, left == 0, &mut parts).await,
                // What is under way is heard out all the same: somebody may have paid for it.
                Err(Lost) => self.lost.store(true, Ordering::Relaxed),
            }
        }
        drop(calls);
        match self.is_lost() {
            true => Err(Lost),
            false => Ok(parts),
        }
    }

    /// Takes the end of a part in. The last one is stored by the settlement; those before it at once, because a crash would
    /// lose them.
    async fn take_in(&self, done: Done, is_last: bool, parts: &mut Parts) {
        // Failed work is free, also where the upstream counted tokens for it.
        if let AttemptEnd::Succeeded { .. } = done.end {
            parts.usage = parts.usage + done.usage;
        }
        parts.ends.push(done.end.clone());
        if is_last && !self.is_lost() {
            parts.last = Some(done);
        } else if let Err(Lost) = self.store_done(done).await {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// A task that waited in its lane waits here while nobody who could serve it may be called: nothing is written for its
    /// calls yet, so it can be left to the next start at any moment. After a while it goes on, and is told.
    async fn wait_for_an_upstream(&mut self) -> Result<(), Lost> {
        let engine = self.engine;
        let until = Instant::now() + LONGEST_WAIT;
        while let Some(route) = &self.route {
            match route
                .clone()
                .without_paused(|provider| engine.0.passages.pause(provider))
            {
                Ok(route) => {
                    self.route = Some(route);
                    break;
                }
                Err(_) if Instant::now() >= until => break,
                Err(wait) => {
                    let change = engine.0.passages.change(wait);
                    let stopped = engine.0.stop.run_until_cancelled(change).await.is_none();
                    if stopped {
                        return Err(Lost);
                    }
                }
            }
        }
        Ok(())
    }

    /// Plans the first calls of a task that waited, and writes their intents.
    async fn write_first_intents(&self) -> Result<Vec<Attempt>, Lost> {
        let Some(route) = &self.route else {
            return Ok(Vec::new());
        };
        let attempts = route.first_attempts(self.task.request.n(), self.engine.now());
        self.persist(|| {
            self.engine
                .0
                .store
                .begin_attempts(&self.hold, attempts.clone())
        })
        .await?;
        let written = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        self.next_number.store(written, Ordering::Relaxed);
        Ok(attempts)
    }

    /// The ends of parts that a former run has stored. Of a part that went to several targets the last one speaks.
    fn stored_ends(&self, attempts: &[Attempt]) -> Vec<AttemptEnd> {
        let is_last = |attempt: &Attempt| {
            !attempts.iter().any(|other| {
                other.part.first == attempt.part.first && other.number > attempt.number
            })
        };
        let delivered = |attempt: &Attempt| {
            let range = attempt.part.indices();
            let count = self
                .task
                .assets
                .iter()
                .filter(|asset| range.contains(&asset.index))
                .count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        attempts
            .iter()
            .filter(|attempt| is_last(attempt))
            .filter_map(|attempt| AttemptEnd::of_stored(attempt, delivered(attempt)))
            .collect()
    }

    /// Makes one part's calls: the first target, then the next as long as nothing paid was done.
    async fn run_part(&self, mut attempt: Attempt, begin: Begin) -> Result<Done, Lost> {
        self.engine.0.passages.first_call();
        let done = match begin {
            Begin::Send => self.call(attempt.clone()).await?,
            Begin::AfterCrash => self.after_crash(attempt.clone()).await?,
        };
        let mut done = self.ask_after(done).await?;
        while let Some(next) = self.next_after(&attempt, &done) {
            attempt = next;
            self.fail_over(&done, &attempt).await?;
            done = self.call(attempt.clone()).await?;
            done = self.ask_after(done).await?;
        }
        Ok(done)
    }

    /// What an attempt needs that a dead process began: sending, asking after, or giving up.
    async fn after_crash(&self, attempt: Attempt) -> Result<Done, Lost> {
        let memory = self.memory_of(&attempt);
        if self.task.is_poison() {
            let verdict = match memory {
                Memory::Repeatable => Verdict::Failed,
                _ => Verdict::Unknown,
            };
            return Ok(Done::given_up(attempt, set_aside(verdict)));
        }
        match after_crash(attempt.upstream_id.as_ref(), memory) {
            Recovery::RunAgain => self.call(attempt).await,
            Recovery::Resume(job) => self.follow(attempt, job).await,
            Recovery::LookUp => self.look_up(attempt).await,
            Recovery::GiveUp => {
                let error = ProviderError::unknown(
                    "the server stopped while the upstream worked; the call is not repeated",
                );
                Ok(Done::given_up(attempt, error))
            }
        }
    }

    fn memory_of(&self, attempt: &Attempt) -> Memory {
        match self.engine.0.providers.find(&attempt.provider) {
            Some(one) if one.traits().repeatable => Memory::Repeatable,
            Some(one) if one.can_look_up() => Memory::CanLookUp,
            _ => Memory::Nothing,
        }
    }

    /// The call that follows one that did nothing: to the next target, if there is one and not too much fails at once.
    fn next_after(&self, attempt: &Attempt, done: &Done) -> Option<Attempt> {
        let passages = &self.engine.0.passages;
        let route = self.route.as_ref()?;
        let hop = route.after(attempt, |provider| passages.pause(provider));
        let next = done.end.next(hop.is_some() && self.may_send());
        let (Next::AskNextTarget, Some(hop)) = (next, hop) else {
            return None;
        };
        if !passages.may_go_on() {
            tracing::warn!(task.id = %self.task.id, "too much fails at once: no second target is asked");
            return None;
        }
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        Some(hop.attempt(number, attempt.part, self.engine.now()))
    }

    /// Writes the end of a call that did nothing, and the intent of the next one.
    async fn fail_over(&self, done: &Done, next: &Attempt) -> Result<(), Lost> {
        let ended = self.ended(done);
        let store = &self.engine.0.store;
        failpoint("failing_over");
        self.persist(|| store.fail_over(&self.hold, ended.clone(), next.clone()))
            .await?;
        failpoint("failed_over");
        Ok(())
    }
}
