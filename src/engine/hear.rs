//! Listening to one upstream: what it says is shown to whoever watches and kept for the end, as long as there is patience.

use super::brought::Brought;
use super::place::Place;
use super::run::{Lost, Run};
use super::watch::{Live, Shown};
use crate::provider::{Event, EventStream, Image, ProviderError, Verdict};
use crate::types::{Attempt, FailKind, Modality, UpstreamId, Usage};
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How an upstream's answer ended.
pub(super) type Heard = Result<Usage, ProviderError>;

/// What an upstream is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// A call that makes something.
    Call,
    /// A question after one that was made.
    Question,
}

/// The connection to an upstream, as far as listening goes.
pub(super) struct Line {
    pub(super) errand: Errand,
    /// It costs nothing, so nothing about it is unknown.
    pub(super) repeatable: bool,
    /// Its place among the provider's calls.
    pub(super) place: Option<Place>,
}

impl Line {
    /// What is known of a call that ends without a word.
    fn verdict(&self) -> Verdict {
        match self.repeatable {
            true => Verdict::Failed,
            false => Verdict::Unknown,
        }
    }
}

impl Run<'_> {
    /// Listens to an upstream until it is over, panics or takes too long.
    pub(super) async fn hear(
        &self,
        attempt: &Attempt,
        stream: impl FnOnce() -> EventStream + Send,
        line: Line,
    ) -> Result<(Brought, Heard), Lost> {
        let mut brought = Brought::default();
        let mut heard_from = None;
        let listening = async {
            let stream = heard_from.insert(stream());
            self.listen(attempt, stream, &mut brought).await
        };
        let listening = AssertUnwindSafe(listening).catch_unwind();
        let heard = match tokio::time::timeout(self.patience(line.errand), listening).await {
            Ok(Ok(heard)) => heard?,
            Ok(Err(_panic)) => {
                tracing::error!(task.id = %self.task.id, provider = attempt.provider, "the provider panicked");
                let message = "something went wrong on our side";
                Err(ProviderError::new(
                    line.verdict(),
                    FailKind::Internal,
                    message,
                ))
            }
            Err(_elapsed) => {
                let why = self.unheard(&line);
                self.leave(attempt, &brought, heard_from, line);
                Err(why)
            }
        };
        Ok((brought, heard))
    }

    /// How long an upstream is listened to. A job that is asked after was paid for already, so it has the time of a call of
    /// its own.
    fn patience(&self, errand: Errand) -> Duration {
        let limit = self.engine.0.limits.attempt;
        match errand {
            Errand::Call => limit.min(self.deadline.saturating_duration_since(Instant::now())),
            Errand::Question => limit,
        }
    }

    /// What is said of a call that took too long.
    fn unheard(&self, line: &Line) -> ProviderError {
        let is_late = line.errand == Errand::Call && self.is_late();
        let kind = match (line.repeatable, is_late) {
            (false, _) => FailKind::OutcomeUnknown,
            (true, true) => FailKind::DeadlineExceeded,
            (true, false) => FailKind::UpstreamTimeout,
        };
        let message = match is_late {
            true => "the task's time was over before the upstream had answered",
            false => "the upstream did not answer in time",
        };
        ProviderError::new(line.verdict(), kind, message)
    }

    /// Leaves a call that took too long: what may be paid for and cannot be asked after is heard on.
    fn leave(&self, attempt: &Attempt, brought: &Brought, stream: Option<EventStream>, line: Line) {
        let is_asked_after = line.errand == Errand::Call && self.can_ask_after(attempt, brought);
        if let Some(stream) = stream
            && !line.repeatable
            && !is_asked_after
        {
            self.hear_on(attempt, brought, stream, line.place);
        }
    }

    async fn listen(
        &self,
        attempt: &Attempt,
        stream: &mut EventStream,
        brought: &mut Brought,
    ) -> Result<Heard, Lost> {
        while let Some(event) = stream.next().await {
            match event {
                Ok(Event::Accepted(id)) => self.note_job(attempt, brought, id).await?,
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
                // Of a model of images no text is wanted.
                Ok(Event::Text(_) | Event::TextEnd(_)) if !self.makes_text() => {}
                Ok(Event::Text(piece)) => match brought.words.hear(&piece) {
                    Ok(true) => self.engine.0.watchers.say(&self.task.id, &piece),
                    Ok(false) => {}
                    Err(error) => return Ok(Err(error)),
                },
                Ok(Event::TextEnd(finish)) => brought.words.end(finish),
                Ok(Event::Done(usage)) => return Ok(Ok(usage)),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Err(ProviderError::unknown(
            "the upstream's answer broke off",
        )))
    }

    /// Keeps what the upstream calls its job: from now on it can be followed.
    async fn note_job(
        &self,
        attempt: &Attempt,
        brought: &mut Brought,
        id: UpstreamId,
    ) -> Result<(), Lost> {
        let store = &self.engine.0.store;
        self.persist(|| store.note_upstream_id(&self.hold, attempt.number, &id))
            .await?;
        brought.job = Some(id);
        Ok(())
    }

    pub(super) fn makes_text(&self) -> bool {
        self.task.request.modality() == Modality::Text
    }

    /// Whether an image of this index is asked for and has not come yet.
    fn is_wanted(&self, attempt: &Attempt, brought: &Brought, index: u32) -> bool {
        !self.makes_text() && attempt.part.indices().contains(&index) && !brought.has(index)
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
