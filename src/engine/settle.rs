//! Making ends durable: of one call, of the whole task; and writing until it is written.

use super::Engine;
use super::brought::{Done, Words};
use super::run::{Lost, Run};
use crate::error::{Error, Kind};
use crate::failpoint::failpoint;
use crate::provider::Image;
use crate::store::{EndedAttempt, Settlement, StoreError};
use crate::types::{
    Asset, AssetId, AttemptEnd, AttemptState, FailKind, Failure, Millis, Mode, Money, Task,
    TaskEnd, TaskId, Text, Usage,
};
use std::sync::Arc;
use std::time::Duration;

/// A database that fails for less than about this long, twice over, is not worth telling anybody.
const PATIENCE: Duration = Duration::from_millis(800);

impl Run<'_> {
    /// Stores the end of a call while the task goes on.
    pub(super) async fn store_done(&self, done: Done) -> Result<(), Lost> {
        let ended = self.ended(&done);
        let assets = assets(self.engine, &self.task, &done.brought.images);
        let store = &self.engine.0.store;
        let stored = self
            .persist(|| store.end_attempt(&self.hold, ended.clone(), assets.clone()))
            .await;
        match stored {
            Ok(()) => keep(done.brought.images),
            Err(Lost) => {
                self.hand_over(done);
                return Err(Lost);
            }
        }
        Ok(())
    }

    /// Ends the task: one transaction, then everybody who waits.
    pub(super) async fn settle(
        &self,
        last: Option<Done>,
        ends: &[AttemptEnd],
        usage: Usage,
        upstream: Duration,
    ) -> Result<(), Lost> {
        let settlement = self.settlement(last.as_ref(), ends, usage, upstream);
        failpoint("settling");
        let store = &self.engine.0.store;
        let settled = self
            .persist(|| store.settle(&self.hold, settlement.clone()))
            .await;
        let Ok(task) = settled else {
            last.into_iter().for_each(|done| self.hand_over(done));
            return Err(Lost);
        };
        if let Some(done) = last {
            keep(done.brought.images);
        }
        failpoint("settled");
        note_end(&task);
        self.engine.note_callback(&task);
        self.engine.0.watchers.ended(Arc::new(task));
        Ok(())
    }

    /// What is written when the task ends, with the call that ended last.
    fn settlement(
        &self,
        last: Option<&Done>,
        ends: &[AttemptEnd],
        usage: Usage,
        upstream: Duration,
    ) -> Settlement {
        let images = last.map(|done| assets(self.engine, &self.task, &done.brought.images));
        let delivered = ends.iter().map(AttemptEnd::delivered).sum();
        Settlement {
            attempts: last.into_iter().map(|done| self.ended(done)).collect(),
            assets: images.unwrap_or_default(),
            text: last.and_then(|done| text_of(self.engine, &self.task, &done.brought.words)),
            captured: match self.task.mode {
                Mode::Live => self.task.quote.charge(delivered, &usage),
                Mode::Test => Money::ZERO,
            },
            usage,
            upstream_ms: i64::try_from(upstream.as_millis()).unwrap_or(i64::MAX),
            at: self.engine.now(),
            end: self.end_of_task(ends),
        }
    }

    fn end_of_task(&self, ends: &[AttemptEnd]) -> TaskEnd {
        match (&self.route, ends.is_empty()) {
            (None, true) => {
                let why = self.engine.why_there_is_no_route(self.task.request.model());
                TaskEnd::Failed(Failure::new(FailKind::Unavailable, why))
            }
            _ => TaskEnd::of_parts(ends),
        }
    }

    pub(super) fn ended(&self, done: &Done) -> EndedAttempt {
        let state = done.end.state();
        let images = |count| done.attempt.unit_cost.times(count).unwrap_or(Money::ZERO);
        // Counted tokens are what the call cost, delivered or not. Where none were counted only the most that it may have
        // cost is known, if the target has such a bound.
        let counted = self.cost_of_tokens(done);
        EndedAttempt {
            number: done.attempt.number,
            state,
            cost: match state {
                AttemptState::Succeeded => {
                    counted.unwrap_or_else(|| images(done.brought.delivered()))
                }
                _ => Money::ZERO,
            },
            loss: match state {
                AttemptState::Unknown | AttemptState::Failed => {
                    counted.unwrap_or_else(|| images(done.lost))
                }
                _ => images(done.lost),
            },
            failure: done.end.failure().cloned(),
            at: self.engine.now(),
        }
    }

    /// What a call cost whose target counts tokens. `None` where images have a price, and where none were counted.
    fn cost_of_tokens(&self, done: &Done) -> Option<Money> {
        let rates = self.route.as_ref()?.rates_of(&done.attempt)?;
        if done.usage != Usage::default() {
            return rates.of(&done.usage);
        }
        if done.end.state() == AttemptState::Succeeded {
            tracing::warn!(
                task.id = %self.task.id,
                provider = done.attempt.provider,
                "the upstream delivered and counted no tokens: the client pays nothing, the cost is booked as the most it can be"
            );
        }
        None
    }

    /// Writes until it is written. A database that cannot write for now must not lose a result that is paid for: those
    /// who wait are told, and the write is tried again.
    pub(super) async fn persist<T, W>(&self, write: impl Fn() -> W) -> Result<T, Lost>
    where
        W: Future<Output = Result<T, StoreError>> + Send,
    {
        self.engine.persist(&self.task.id, write).await
    }
}

impl Engine {
    /// For a task that waited, and whose targets went meanwhile.
    pub(super) fn why_there_is_no_route(&self, model: &str) -> &'static str {
        match self.catalogue().find(model) {
            None => "the model was taken out of the catalogue while the task waited",
            Some(_) => "no provider that can serve this request is turned on",
        }
    }

    /// The same for any task.
    pub(super) async fn persist<T, W>(
        &self,
        task: &TaskId,
        write: impl Fn() -> W,
    ) -> Result<T, Lost>
    where
        W: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut pause = Duration::from_millis(100);
        let watchers = &self.0.watchers;
        loop {
            match write().await {
                Ok(written) => {
                    if pause > PATIENCE {
                        watchers.goes_on(task);
                    }
                    return Ok(written);
                }
                Err(StoreError::Fenced) => return Err(Lost),
                Err(error @ (StoreError::Exists(_) | StoreError::NotFound(_))) => {
                    // The same write would fail for ever: a fault of ours, which the next start looks at anew.
                    tracing::error!(task.id = %task, %error, "the task cannot be written as it is");
                    return Err(Lost);
                }
                Err(error) if pause <= PATIENCE => {
                    tracing::warn!(task.id = %task, %error, "the task cannot be written; trying again");
                }
                Err(error) => {
                    tracing::error!(task.id = %task, %error, "the task still cannot be written");
                    let why = match error {
                        StoreError::Full => stuck_on_a_full_disk(task),
                        _ => Error::internal(),
                    };
                    let why = why.while_the_task_goes_on();
                    watchers.stuck(task, why);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }
}

/// Until when a task's results are kept.
fn expiry(engine: &Engine, task: &Task) -> Millis {
    let keep = match task.mode {
        Mode::Live => engine.0.limits.keep_results,
        Mode::Test => engine.0.limits.keep_test_results,
    };
    engine.now().after(keep)
}

/// The rows of these images.
pub(super) fn assets(engine: &Engine, task: &Task, images: &[Image]) -> Vec<Asset> {
    let (at, expires_at) = (engine.now(), expiry(engine, task));
    let asset = |image: &Image| Asset {
        id: AssetId::new(),
        task: task.id.clone(),
        account: task.account.clone(),
        index: image.index,
        picture: image.blob.picture().clone(),
        revised_prompt: image.revised_prompt.clone(),
        created_at: at,
        expires_at: Some(expires_at),
        is_late: false,
    };
    images.iter().map(asset).collect()
}

/// The row of a text, if it is whole.
pub(super) fn text_of(engine: &Engine, task: &Task, words: &Words) -> Option<Text> {
    let (content, finish) = words.whole()?;
    Some(Text {
        content: content.to_owned(),
        finish,
        expires_at: Some(expiry(engine, task)),
    })
}

/// Tells the operator of an end, in the log and in the metrics.
pub(super) fn note_end(task: &Task) {
    tracing::info!(
        task.id = %task.id,
        model.id = task.request.model(),
        task.state = task.state.name(),
        failure = task.failure.as_ref().map(|failure| failure.kind.name()),
        cost = %task.captured,
        duration_ms = task.completed_at.map(|at| at.since(task.created_at).as_millis()),
        "the task has ended"
    );
    metrics::counter!("pinhole_tasks_total", "state" => task.state.name(), "mode" => task.mode.name()).increment(1);
}

fn stuck_on_a_full_disk(task: &TaskId) -> Error {
    Error::new(
        Kind::StorageFull,
        format!(
            "the disk is full; the task ends when there is room: fetch it later at /api/v1/tasks/{task}"
        ),
    )
}

/// Their rows are durable: the blobs are no orphans any more.
fn keep(images: Vec<Image>) {
    for image in images {
        image.blob.keep();
    }
}
