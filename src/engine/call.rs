//! One upstream call: waiting for leave, making it or asking after it, and what it amounts to.

use super::brought::{Brought, Done, not_sent};
use super::hear::{Errand, Heard, Line};
use super::place::Place;
use super::run::{Lost, Run};
use crate::failpoint::failpoint;
use crate::provider::{Call, ProviderError};
use crate::types::{Attempt, FailKind, UpstreamId};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Run<'_> {
    /// Makes a call and hears it out.
    pub(super) async fn call(&self, attempt: Attempt) -> Result<Done, Lost> {
        let place = self.place_at(&attempt.provider, Errand::Call).await;
        if let Some(why) = self.why_not_send() {
            return Ok(Done::given_up(attempt, why));
        }
        let unavailable = |why| not_sent(FailKind::Unavailable, why);
        let Some(provider) = self.engine.0.providers.find(&attempt.provider) else {
            let why = unavailable("no provider that can serve this request is turned on");
            return Ok(Done::given_up(attempt, why));
        };
        let Some(passage) = self.engine.0.passages.enter(&attempt.provider).await else {
            let why = unavailable("the upstream takes no calls now; nothing was sent");
            return Ok(Done::given_up(attempt, why));
        };
        self.before_a_call().await?;
        let call = self.describe(&attempt);
        let line = Line {
            errand: Errand::Call,
            repeatable: provider.traits().repeatable,
            place,
        };
        let (brought, verdict) = self
            .hear(&attempt, || provider.generate(call), line)
            .await?;
        passage.report(&verdict);
        Ok(self.done(attempt, brought, verdict))
    }

    /// Follows a job from the id that its upstream gave it. That is no new call, so no passage is asked for.
    pub(super) async fn follow(&self, attempt: Attempt, job: UpstreamId) -> Result<Done, Lost> {
        let place = self.place_at(&attempt.provider, Errand::Question).await;
        let Some(provider) = self.engine.0.providers.find(&attempt.provider) else {
            let why = ProviderError::unknown("the provider that has the job is turned off");
            return Ok(Done::given_up(attempt, why));
        };
        self.before_a_call().await?;
        let call = self.describe(&attempt);
        let line = Line {
            errand: Errand::Question,
            repeatable: provider.traits().repeatable,
            place,
        };
        let (mut brought, verdict) = self
            .hear(&attempt, || provider.resume(job, call), line)
            .await?;
        // Who was asked by this id once is not asked again.
        brought.job = None;
        Ok(self.done(attempt, brought, verdict))
    }

    /// The last moment before something is sent.
    async fn before_a_call(&self) -> Result<(), Lost> {
        if self.engine.may_be_taken_for_dead() {
            // Nothing is paid for a task that others have by now: writing nothing looks at the fence.
            self.persist(|| self.engine.0.store.begin_attempts(&self.hold, Vec::new()))
                .await?;
        }
        failpoint("intent");
        // A test makes one model the reason why processes die.
        failpoint(self.task.request.model());
        Ok(())
    }

    /// What a call amounts to.
    pub(super) fn done(&self, attempt: Attempt, brought: Brought, heard: Heard) -> Done {
        let done = Done::of(attempt, brought, heard, self.task.request.modality());
        if done.is_refused_by_policy() {
            self.refused.store(true, Ordering::Relaxed);
        }
        done
    }

    /// Waits until the provider takes one more call; with a new one, no longer than the task has time.
    pub(super) async fn place_at(&self, provider: &str, errand: Errand) -> Option<Place> {
        let place = self.engine.0.places.take(provider);
        match errand {
            Errand::Question => place.await,
            Errand::Call => {
                let in_time = tokio::time::timeout_at(self.deadline.into(), place).await;
                in_time.ok()?
            }
        }
    }

    pub(super) fn may_send(&self) -> bool {
        self.why_not_send().is_none()
    }

    /// Why nothing more is sent for this task, if nothing is.
    fn why_not_send(&self) -> Option<ProviderError> {
        if self.refused.load(Ordering::Relaxed) {
            let message = "another image of this request was refused";
            return Some(not_sent(FailKind::ContentPolicy, message));
        }
        if self.is_lost() {
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

    /// What a provider is told.
    pub(super) fn describe(&self, attempt: &Attempt) -> Call {
        let fields = self.route.as_ref().map(|route| route.fields(attempt));
        Call {
            task: self.task.id.clone(),
            attempt: attempt.number,
            request: Arc::clone(&self.task.request),
            part: attempt.part,
            upstream_model: attempt.upstream_model.clone(),
            fields: fields.unwrap_or_default(),
            blobs: self.engine.0.blobs.clone(),
            outbound: self.engine.0.outbound.for_results(),
            previews: self.engine.0.watchers.previews(&self.task.id),
        }
    }
}
