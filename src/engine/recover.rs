//! Taking up what a dead process left.

use super::route::Route;
use super::unanswered::{JOINED_FOR, Sent};
use super::{Engine, run};
use crate::failpoint::failpoint;
use crate::store::{Claimed, StoreError};
use crate::types::Millis;
use std::sync::Arc;
use std::time::Instant;

impl Engine {
    /// Gives every interrupted task to this process and runs it to its end: calls of repeatable providers are made
    /// again, jobs with an upstream id are resumed, all others end as unknown and are never sent again.
    pub(super) async fn recover(&self) -> Result<(), StoreError> {
        let started = Instant::now();
        let interrupted = self.0.store.recover(&self.0.worker).await?;
        failpoint("recovered");
        let count = interrupted.len();
        for one in interrupted {
            drop(self.0.watchers.open(&one.task.id, 0));
            self.take_up(one);
        }
        if count > 0 {
            tracing::info!(
                tasks = count,
                duration_ms = started.elapsed().as_millis(),
                "interrupted tasks go on"
            );
        }
        Ok(())
    }

    /// Runs an interrupted task: at once if it was interrupted for the first time, alone if it was there whenever
    /// processes died of late. Waiting for that takes no slot.
    pub(super) fn take_up(&self, one: Claimed) {
        let engine = self.clone();
        self.0.tracker.spawn(async move {
            let alone = match one.task.is_suspect() && !one.task.is_poison() {
                true => Arc::clone(&engine.0.alone).acquire_owned().await.ok(),
                false => None,
            };
            let slot = engine.0.lanes.slot_of(&one.task);
            let route = Route::of_task(&engine.catalogue(), &engine.0.providers, &one.task);
            run::run(&engine, one, route, slot).await;
            drop(alone);
        });
    }

    /// The clients of these lost their connections with the process that had accepted their calls.
    pub(super) async fn note_unanswered(&self) -> Result<(), StoreError> {
        let span = i64::try_from(JOINED_FOR.as_millis()).unwrap_or(i64::MAX);
        let since = Millis(self.now().0.saturating_sub(span));
        for left in self.0.store.unanswered(since).await? {
            let sent = Sent {
                key: left.key,
                asked: left.asked,
            };
            self.0.calls.note_left(sent, left.task, left.created_at);
        }
        Ok(())
    }
}
