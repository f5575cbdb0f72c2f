//! Taking up what a dead process left.

use super::Engine;
use super::unanswered::{JOINED_FOR, Sent};
use crate::store::StoreError;
use crate::types::Millis;
use std::time::Instant;

impl Engine {
    /// Gives every interrupted task to this process and runs it to its end: calls of repeatable providers are made
    /// again, jobs with an upstream id are resumed, all others end as unknown and are never sent again.
    pub(super) async fn recover(&self) -> Result<(), StoreError> {
        let started = Instant::now();
        let interrupted = self.0.store.recover(&self.0.worker).await?;
        let count = interrupted.len();
        for one in interrupted {
            drop(self.0.watchers.open(&one.task.id, 0));
            let slot = self.0.lanes.slot_of(&one.task);
            self.spawn_run(one, slot);
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
