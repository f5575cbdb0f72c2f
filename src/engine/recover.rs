//! Taking up what a dead process left.

use super::Engine;
use crate::store::StoreError;
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
            let lane = self.0.lanes.get(&one.task.lane);
            let engine = self.clone();
            self.0.tracker.spawn(async move {
                let slot = lane.slot().await;
                engine.spawn_run(one, slot);
            });
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
}
