//! Running a task: make its calls, store what they bring, settle.
//!
//! Whatever happens to a call, exactly one of the four outcomes of [`AttemptEnd`] is written for it, and whether
//! another target may be asked is decided by [`AttemptEnd::next`] alone. Every write carries the task's fence; one
//! that is refused ends the run, because then somebody else holds the task.

use super::Engine;
use super::lane::Slot;
use super::route::Route;
use super::watch::{Live, Shown};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::provider::{Call, Event, EventStream, Image, ProviderError, Verdict};
use crate::store::{Claimed, TaskHold};
use crate::types::{
    Attempt, AttemptEnd, FailKind, Failure, Finish, MOST_LONE_CRASHES, Memory, Modality, Mode,
    Next, Recovery, Request, Task, UpstreamId, Usage, after_crash,
};
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// How many calls of one task are under way at once.
const PARTS_AT_ONCE: usize = 4;

/// How long a task that waited waits on when its upstreams are paused.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// No model writes more bytes than this; a stream that does is out of order.
const LONGEST_TEXT: usize = 4 * 1024 * 1024;

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
    deadline: Instant,
    /// A part was refused by policy: parts that are not sent yet stay so.
    refused: AtomicBool,
    /// The task is not ours any more: what is not sent yet stays so.
    lost: AtomicBool,
    /// Whoever has a weak handle to it can tell whether the run goes on.
    pub(super) goes_on: Arc<()>,
}

/// How to begin with an open attempt.
enum Begin {
    /// It was written by us just now and not sent.
    Send,
    /// It was found after a crash.
    AfterCrash,
}

/// A call that is over and not stored yet.
pub(super) struct Done {
    pub(super) attempt: Attempt,
    pub(super) end: AttemptEnd,
    pub(super) brought: Brought,
    /// Images, or the text, that the upstream may bill and did not deliver.
    pub(super) lost: u32,
    pub(super) usage: Usage,
}

/// What a call has brought so far.
#[derive(Default)]
pub(super) struct Brought {
    pub(super) images: Vec<Image>,
    /// A text as far as it came.
    text: String,
    /// Why it ends, once it is whole.
    finish: Option<Finish>,
    /// What the upstream calls the job, if it said so in this call.
    pub(super) job: Option<UpstreamId>,
}

impl Brought {
    /// How many images or texts are whole.
    pub(super) fn delivered(&self) -> u32 {
        let images = u32::try_from(self.images.len()).unwrap_or(u32::MAX);
        images.saturating_add(u32::from(self.finish.is_some()))
    }

    /// The text, if it is whole.
    pub(super) fn text(&self) -> Option<(&str, Finish)> {
        Some((&self.text, self.finish?))
    }

    /// Whether a part of it has come, which is proof of work however the upstream calls its end.
    fn has_begun(&self) -> bool {
        !self.text.is_empty()
    }
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
    /// Runs a claimed task beside everything else, where the catalogue sends it now.
    pub(super) fn spawn_run(&self, claimed: Claimed, slot: Slot) {
        let engine = self.clone();
        let route = self.route_now(&claimed.task);
        self.0
            .tracker
            .spawn(async move { run(&engine, claimed, route, slot).await });
    }

    /// Where the catalogue sends a task now.
    pub(super) fn route_now(&self, task: &Task) -> Option<Route> {
        self.route_of(&task.request, task.mode)
    }

    /// Where the catalogue sends a request now.
    pub(super) fn route_of(&self, request: &Request, mode: Mode) -> Option<Route> {
        let catalogue = self.catalogue();
        let model = catalogue.find(request.model()).map(|model| &**model);
        Route::of(model, &self.0.providers, request, mode)
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
        if self.task.is_suspect() && !self.task.is_poison() {
            self.persist(|| self.engine.0.store.note_alone(&self.hold))
                .await?;
        }
        let begin = if self.task.crashes > 0 {
            Begin::AfterCrash
        } else {
            Begin::Send
        };
        let (attempts, begin) = if attempts.is_empty() {
            self.wait_for_an_upstream().await?;
            (self.write_first_intents().await?, Begin::Send)
        } else {
            (attempts, begin)
        };
        let mut ends = self.stored_ends(&attempts);
        let open: Vec<Attempt> = attempts
            .into_iter()
            .filter(|attempt| !attempt.state.is_final())
            .collect();
        let mut left = open.len();
        let mut calls = futures::stream::iter(open)
            .map(|attempt| self.run_part(attempt, &begin))
            .buffer_unordered(PARTS_AT_ONCE);
        let mut last = None;
        let mut usage = Usage::default();
        while let Some(done) = calls.next().await {
            left -= 1;
            // What is under way is heard out all the same: somebody may have paid for it.
            let Ok(done) = done else {
                self.lost.store(true, Ordering::Relaxed);
                continue;
            };
            // Failed work is free, also where the upstream counted tokens for it.
            if let AttemptEnd::Succeeded { .. } = done.end {
                usage = usage + done.usage;
            }
            ends.push(done.end.clone());
            // The last call is stored by the settlement; those before it at once, because a crash would lose them.
            if left > 0 || self.lost.load(Ordering::Relaxed) {
                if let Err(Lost) = self.store_done(done).await {
                    self.lost.store(true, Ordering::Relaxed);
                }
            } else {
                last = Some(done);
            }
        }
        drop(calls);
        if self.lost.load(Ordering::Relaxed) {
            return Err(Lost);
        }
        self.settle(last, &ends, usage, started.elapsed()).await
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
            let range = attempt.part.first..attempt.part.first + attempt.part.count;
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
    async fn run_part(&self, mut attempt: Attempt, begin: &Begin) -> Result<Done, Lost> {
        let passages = &self.engine.0.passages;
        passages.first_call();
        let done = self.first_call(attempt.clone(), begin).await?;
        let mut done = self.ask_after(done).await?;
        loop {
            let after = self
                .route
                .as_ref()
                .and_then(|route| route.after(&attempt, |provider| passages.pause(provider)));
            let next = done.end.next(after.is_some() && self.may_send());
            let (Next::AskNextTarget, Some(hop)) = (next, after) else {
                return Ok(done);
            };
            if !passages.may_go_on() {
                tracing::warn!(task.id = %self.task.id, "too much fails at once: no second target is asked");
                return Ok(done);
            }
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            attempt = hop.attempt(number, attempt.part, self.engine.now());
            let ended = self.ended(&done);
            let store = &self.engine.0.store;
            self.persist(|| store.fail_over(&self.hold, ended.clone(), attempt.clone()))
                .await?;
            done = self.call(attempt.clone(), None).await?;
            done = self.ask_after(done).await?;
        }
    }

    /// What an open attempt needs: sending, asking after, or giving up.
    async fn first_call(&self, attempt: Attempt, begin: &Begin) -> Result<Done, Lost> {
        if let Begin::Send = begin {
            return self.call(attempt, None).await;
        }
        let memory = self.memory_of(&attempt);
        if self.task.is_poison() {
            let verdict = match memory {
                Memory::Repeatable => Verdict::Failed,
                _ => Verdict::Unknown,
            };
            return Ok(given_up(attempt, set_aside(verdict)));
        }
        match after_crash(attempt.upstream_id.as_ref(), memory) {
            Recovery::RunAgain => self.call(attempt, None).await,
            Recovery::Resume(id) => self.call(attempt, Some(id)).await,
            Recovery::LookUp => self.look_up(attempt).await,
            Recovery::GiveUp => {
                let error = ProviderError::unknown(
                    "the server stopped while the upstream worked; the call is not repeated",
                );
                Ok(given_up(attempt, error))
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

    /// Makes or resumes one call and hears it out.
    pub(super) async fn call(
        &self,
        attempt: Attempt,
        resume: Option<UpstreamId>,
    ) -> Result<Done, Lost> {
        let nothing = |attempt, error: ProviderError| Done {
            attempt,
            lost: 0,
            end: error.into(),
            brought: Brought::default(),
            usage: Usage::default(),
        };
        let is_new = resume.is_none();
        let _turn = self.turn_at(&attempt.provider, is_new).await;
        if is_new && let Some(why) = self.why_not_send() {
            return Ok(nothing(attempt, why));
        }
        let Some(provider) = self.engine.0.providers.find(&attempt.provider) else {
            let error = match resume {
                Some(_) => ProviderError::unknown("the provider that has the job is turned off"),
                None => not_sent(
                    FailKind::Unavailable,
                    "no provider that can serve this request is turned on",
                ),
            };
            let lost = lost(&attempt, &Brought::default(), &Err(error.clone()));
            return Ok(Done {
                lost,
                ..nothing(attempt, error)
            });
        };
        // Who is asked after a job is not called anew.
        let passage = match resume {
            Some(_) => None,
            None => {
                let passage = self.engine.0.passages.enter(&attempt.provider).await;
                let Some(passage) = passage else {
                    let error = not_sent(
                        FailKind::Unavailable,
                        "the upstream takes no calls now; nothing was sent",
                    );
                    return Ok(nothing(attempt, error));
                };
                Some(passage)
            }
        };
        if self.engine.may_be_taken_for_dead() {
            // Nothing is paid for a task that others have by now: writing nothing looks at the fence.
            self.persist(|| self.engine.0.store.begin_attempts(&self.hold, Vec::new()))
                .await?;
        }
        failpoint("intent");
        // A test makes one model the reason why processes die.
        failpoint(self.task.request.model());
        let call = self.describe(&attempt);
        let stream = || match resume {
            Some(id) => provider.resume(id, call),
            None => provider.generate(call),
        };
        let (brought, verdict) = self
            .hear(&attempt, stream, provider.traits().repeatable, is_new)
            .await?;
        if let Some(passage) = passage {
            passage.report(&verdict);
        }
        let done = self.done(attempt, brought, verdict);
        // Who was asked by this id once is not asked again.
        let job = done.brought.job.clone().filter(|_| is_new);
        Ok(Done {
            brought: Brought {
                job,
                ..done.brought
            },
            ..done
        })
    }

    /// What a call amounts to.
    pub(super) fn done(
        &self,
        attempt: Attempt,
        brought: Brought,
        verdict: Result<Usage, ProviderError>,
    ) -> Done {
        let end = end_of(&brought, &verdict, self.task.request.modality());
        let lost = lost(&attempt, &brought, &verdict);
        if end
            .failure()
            .is_some_and(|failure| failure.kind == FailKind::ContentPolicy)
        {
            self.refused.store(true, Ordering::Relaxed);
        }
        Done {
            attempt,
            end,
            brought,
            lost,
            usage: verdict.unwrap_or_else(|error| error.usage),
        }
    }

    /// Waits until the provider takes one more call; a new one, no longer than the task has time.
    pub(super) async fn turn_at(
        &self,
        provider: &str,
        is_new: bool,
    ) -> Option<OwnedSemaphorePermit> {
        let at_once = self.engine.0.at_once.get(provider)?;
        let turn = Arc::clone(at_once).acquire_owned();
        if is_new {
            let in_time = tokio::time::timeout_at(self.deadline.into(), turn).await;
            in_time.ok()?.ok()
        } else {
            turn.await.ok()
        }
    }

    fn may_send(&self) -> bool {
        self.why_not_send().is_none()
    }

    /// Why nothing more is sent for this task, if nothing is.
    fn why_not_send(&self) -> Option<ProviderError> {
        if self.refused.load(Ordering::Relaxed) {
            let message = "another image of this request was refused";
            return Some(not_sent(FailKind::ContentPolicy, message));
        }
        if self.lost.load(Ordering::Relaxed) {
            let message = "the task is another worker's";
            return Some(not_sent(FailKind::Unavailable, message));
        }
        self.is_late().then(|| {
            let message = "the task's time was over before an upstream could do it";
            not_sent(FailKind::DeadlineExceeded, message)
        })
    }

    pub(super) fn is_late(&self) -> bool {
        self.deadline <= Instant::now()
    }

    /// How long a call is heard. A job that is asked after was paid for already, so it has the time of a call of its own.
    fn patience(&self, is_new: bool) -> Duration {
        let limit = self.engine.0.limits.attempt;
        match is_new {
            true => limit.min(self.deadline.saturating_duration_since(Instant::now())),
            false => limit,
        }
    }

    pub(super) fn describe(&self, attempt: &Attempt) -> Call {
        Call {
            task: self.task.id.clone(),
            attempt: attempt.number,
            request: Arc::clone(&self.task.request),
            part: attempt.part,
            upstream_model: attempt.upstream_model.clone(),
            fields: self
                .route
                .as_ref()
                .map(|route| route.fields(attempt))
                .unwrap_or_default(),
            blobs: self.engine.0.blobs.clone(),
            outbound: self.engine.0.outbound.for_results(),
            previews: self.engine.0.watchers.previews(&self.task.id),
        }
    }

    /// Listens to a call until it is over, panics or takes too long.
    pub(super) async fn hear(
        &self,
        attempt: &Attempt,
        stream: impl FnOnce() -> EventStream + Send,
        repeatable: bool,
        is_new: bool,
    ) -> Result<(Brought, Result<Usage, ProviderError>), Lost> {
        let mut brought = Brought::default();
        let mut heard_from = None;
        let listening = async {
            let stream = heard_from.insert(stream());
            self.listen(attempt, stream, &mut brought).await
        };
        let listening = AssertUnwindSafe(listening).catch_unwind();
        let heard = tokio::time::timeout(self.patience(is_new), listening).await;
        // A repeatable call costs nothing, so nothing about it is unknown.
        let verdict = if repeatable {
            Verdict::Failed
        } else {
            Verdict::Unknown
        };
        let outcome = match heard {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_panic)) => {
                tracing::error!(task.id = %self.task.id, provider = attempt.provider, "the provider panicked");
                Err(ProviderError::new(
                    verdict,
                    FailKind::Internal,
                    "something went wrong on our side",
                ))
            }
            Err(_elapsed) => {
                if let Some(stream) = heard_from
                    && !repeatable
                    && !(is_new && self.can_ask_after(attempt, &brought))
                {
                    self.hear_on(attempt, &brought, stream);
                }
                Err(self.unheard(verdict, repeatable, is_new))
            }
        };
        Ok((brought, outcome))
    }

    /// The end of a call that took too long.
    fn unheard(&self, verdict: Verdict, repeatable: bool, is_new: bool) -> ProviderError {
        let is_late = is_new && self.is_late();
        let kind = match (repeatable, is_late) {
            (false, _) => FailKind::OutcomeUnknown,
            (true, true) => FailKind::DeadlineExceeded,
            (true, false) => FailKind::UpstreamTimeout,
        };
        let message = match is_late {
            true => "the task's time was over before the upstream had answered",
            false => "the upstream did not answer in time",
        };
        ProviderError::new(verdict, kind, message)
    }

    async fn listen(
        &self,
        attempt: &Attempt,
        stream: &mut EventStream,
        brought: &mut Brought,
    ) -> Result<Result<Usage, ProviderError>, Lost> {
        while let Some(event) = stream.next().await {
            match event {
                Ok(Event::Accepted(id)) => {
                    let store = &self.engine.0.store;
                    self.persist(|| store.note_upstream_id(&self.hold, attempt.number, &id))
                        .await?;
                    brought.job = Some(id);
                }
                Ok(Event::Preview(preview)) => {
                    if self.is_wanted(attempt, brought, preview.index) {
                        self.show(Live::Preview(Arc::new(preview)));
                    }
                }
                Ok(Event::Image(image)) => {
                    // An image too many, or the same one twice, is dropped with its blob.
                    if self.is_wanted(attempt, brought, image.index) {
                        self.show(Live::Image(Arc::new(shown(&image))));
                        brought.images.push(image);
                    }
                }
                Ok(Event::Text(piece)) => {
                    if let Err(error) = self.hear_text(brought, &piece) {
                        return Ok(Err(error));
                    }
                }
                Ok(Event::TextEnd(finish)) => {
                    if self.task.request.modality() == Modality::Text {
                        brought.finish = Some(finish);
                    }
                }
                Ok(Event::Done(usage)) => return Ok(Ok(usage)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Err(ProviderError::unknown(
            "the upstream's answer broke off",
        )))
    }

    /// Whether an image of this index is asked for and has not come yet.
    fn is_wanted(&self, attempt: &Attempt, brought: &Brought, index: u32) -> bool {
        let part = attempt.part.first..attempt.part.first + attempt.part.count;
        self.task.request.modality() != Modality::Text
            && part.contains(&index)
            && !brought.images.iter().any(|one| one.index == index)
    }

    /// One more piece of a text. Nothing is heard behind its end, nor from a model of images.
    fn hear_text(&self, brought: &mut Brought, piece: &str) -> Result<(), ProviderError> {
        if self.task.request.modality() != Modality::Text || brought.finish.is_some() {
            return Ok(());
        }
        if brought.text.len() + piece.len() > LONGEST_TEXT {
            return Err(ProviderError::unknown("the upstream's text has no end"));
        }
        brought.text.push_str(piece);
        self.engine.0.watchers.say(&self.task.id, piece);
        Ok(())
    }

    fn show(&self, live: Live) {
        self.engine.0.watchers.show(&self.task.id, live);
    }
}

fn shown(image: &Image) -> Shown {
    Shown {
        index: image.index,
        picture: image.blob.picture().clone(),
        revised_prompt: image.revised_prompt.clone(),
    }
}

/// The end of a call that nobody asks after any more.
pub(super) fn given_up(attempt: Attempt, error: ProviderError) -> Done {
    Done {
        lost: lost(&attempt, &Brought::default(), &Err(error.clone())),
        attempt,
        end: error.into(),
        brought: Brought::default(),
        usage: Usage::default(),
    }
}

/// Why a task is not run any more that brought the process down each time it ran alone.
fn set_aside(verdict: Verdict) -> ProviderError {
    let message = format!(
        "the task was set aside: the server stopped {MOST_LONE_CRASHES} times while it ran alone; it is free of charge, and the operator can see why"
    );
    ProviderError::new(verdict, FailKind::Internal, message)
}

fn not_sent(kind: FailKind, message: &str) -> ProviderError {
    ProviderError::new(Verdict::NotSent, kind, message)
}

/// One image is a success, and so is a whole text, whatever came after it; nothing is a failure, whatever the upstream
/// called it. One that has begun a text was at work: it is not asked elsewhere, even if it says that it did nothing.
fn end_of(
    brought: &Brought,
    verdict: &Result<Usage, ProviderError>,
    modality: Modality,
) -> AttemptEnd {
    let delivered = brought.delivered();
    let failed = |failure| AttemptEnd::Failed {
        failure,
        before_work: false,
    };
    match verdict {
        _ if delivered > 0 => AttemptEnd::Succeeded { delivered },
        Err(error) if brought.has_begun() && error.verdict != Verdict::Unknown => {
            failed(error.failure.clone())
        }
        Err(error) => error.clone().into(),
        Ok(_) => failed(Failure::new(
            FailKind::Upstream,
            match modality {
                Modality::Text => "the upstream answered without a whole text",
                _ => "the upstream answered without an image",
            },
        )),
    }
}

/// How much of a call is lost to an unknown outcome: all that was not delivered.
fn lost(attempt: &Attempt, brought: &Brought, verdict: &Result<Usage, ProviderError>) -> u32 {
    match verdict {
        Err(error) if error.verdict == Verdict::Unknown => {
            attempt.part.count.saturating_sub(brought.delivered())
        }
        _ => 0,
    }
}
