//! The time a task has: from its acceptance to its end, waiting included.
//!
//! One that waits when it is over ends at no cost. One that runs sends nothing more; a call that is under way may have
//! been paid for, so it ends as unknown ([`super::run`]).

use super::Engine;
use crate::types::{Millis, Task};
use std::sync::Arc;
use std::time::Duration;

/// How often waiting tasks are looked at, at least and at most.
const OFTEN: Duration = Duration::from_millis(50);
const SELDOM: Duration = Duration::from_secs(5);

/// How many end in one transaction.
const BATCH: u32 = 100;

impl Engine {
    pub(super) fn expire_in_background(&self) {
        let (engine, stop) = (self.clone(), self.0.stop.clone());
        let every = (self.0.limits.task / 20).clamp(OFTEN, SELDOM);
        self.0
            .tracker
            .spawn(stop.run_until_cancelled_owned(async move {
                loop {
                    tokio::time::sleep(every).await;
                    while engine.expire_some().await {}
                }
            }));
    }

    /// Ends some waiting tasks whose time is over. `false` if that were all.
    async fn expire_some(&self) -> bool {
        let limit = i64::try_from(self.0.limits.task.as_millis()).unwrap_or(i64::MAX);
        let before = Millis(self.steady_now().0.saturating_sub(limit));
        let store = &self.0.store;
        match store.expire_waiting(before, self.now(), BATCH).await {
            Ok(ended) => {
                let is_full = ended.len() == BATCH as usize;
                for task in ended {
                    self.note_expired(task).await;
                }
                is_full
            }
            Err(error) => {
                tracing::error!(%error, "tasks that waited too long could not be ended; trying again");
                false
            }
        }
    }

    async fn note_expired(&self, task: Task) {
        tracing::info!(task.id = %task.id, model.id = task.request.model(), "the task waited until its time was over");
        metrics::counter!("pinhole_tasks_total", "state" => task.state.name(), "mode" => task.mode.name()).increment(1);
        self.note_callback(&task);
        let task = Arc::new(task);
        self.0.watchers.ended(Arc::clone(&task));
        self.count_again(&task.lane, &task.account, &task.key).await;
    }

    fn steady_now(&self) -> Millis {
        let (at, since) = self.0.started;
        steady(self.now(), at.after(since.elapsed()))
    }

    /// How much of a task's time is left.
    pub(super) fn time_left(&self, task: &Task) -> Duration {
        let ends_at = task.created_at.after(self.0.limits.task);
        ends_at.since(self.steady_now())
    }
}

/// The clock, but never ahead of the time that has really passed since the start: a clock that is set forward by an hour
/// must not end everything that waits, and one that is set back only lets it wait longer.
fn steady(clock: Millis, passed: Millis) -> Millis {
    clock.min(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ends_nothing_early() {
        let real = Millis(1_000_000_000);
        let hour = 3_600_000;
        assert_eq!(steady(real, real), real);
        assert_eq!(steady(Millis(real.0 + hour), real), real);
        assert!(steady(Millis(real.0 - hour), real) <= real);
    }
}
