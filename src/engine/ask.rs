//! Asking an upstream what became of a call whose end nobody knows: by the id of its job, or by our own names for it.
//! Nothing here sends anything that could be paid for.

use super::brought::{Brought, Done};
use super::hear::{Errand, Line};
use super::run::{Lost, Run};
use crate::provider::ProviderError;
use crate::types::{Attempt, AttemptEnd};
use std::time::{Duration, Instant};

/// The first pause between two questions is this part of the whole time, and no pause is longer than this.
const FIRST_PAUSE: u32 = 900;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Run<'_> {
    /// The end of a call that broke off, if its upstream can tell it.
    pub(super) async fn ask_after(&self, done: Done) -> Result<Done, Lost> {
        if !done.is_unknown() || !self.can_ask_after(&done.attempt, &done.brought) {
            return Ok(done);
        }
        match done.brought.job {
            Some(job) => self.follow(done.attempt, job).await,
            None => self.look_up(done.attempt).await,
        }
    }

    /// A task whose time is over asks nobody anything.
    pub(super) fn can_ask_after(&self, attempt: &Attempt, brought: &Brought) -> bool {
        let provider = self.engine.0.providers.find(&attempt.provider);
        let can_look_up = provider.is_some_and(|provider| provider.can_look_up());
        !self.is_late() && (brought.job.is_some() || can_look_up)
    }

    /// Asks by our own names for the call, again and again while the upstream does not know it yet.
    pub(super) async fn look_up(&self, attempt: Attempt) -> Result<Done, Lost> {
        let window = self.engine.0.limits.late;
        let until = Instant::now() + window;
        let mut pause = (window / FIRST_PAUSE).max(Duration::from_millis(1));
        loop {
            let done = self.look_up_once(attempt.clone()).await?;
            if !done.is_unknown() || Instant::now() + pause >= until {
                return Ok(done);
            }
            let waiting = tokio::time::sleep(pause);
            if self
                .engine
                .0
                .stop
                .run_until_cancelled(waiting)
                .await
                .is_none()
            {
                return Err(Lost);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn look_up_once(&self, attempt: Attempt) -> Result<Done, Lost> {
        let Some(provider) = self.engine.0.providers.find(&attempt.provider) else {
            let error = ProviderError::unknown("the provider that may have the call is turned off");
            return Ok(Done::given_up(attempt, error));
        };
        let line = Line {
            errand: Errand::Question,
            repeatable: false,
            place: self.place_at(&attempt.provider, Errand::Question).await,
        };
        let call = self.describe(&attempt);
        let (brought, verdict) = self.hear(&attempt, || provider.look_up(call), line).await?;
        let done = self.done(attempt, brought, verdict);
        Ok(Done {
            end: no_leave_to_send(done.end),
            ..done
        })
    }
}

/// What an upstream has not got it may still get, from a worker that sleeps. So no answer to a question is leave to ask
/// another target.
fn no_leave_to_send(end: AttemptEnd) -> AttemptEnd {
    match end {
        AttemptEnd::NotSent { failure }
        | AttemptEnd::Failed {
            failure,
            before_work: true,
        } => AttemptEnd::Failed {
            failure,
            before_work: false,
        },
        other => other,
    }
}
