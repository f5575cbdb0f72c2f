//! Showing that this process lives, and taking over from those that do not: see [`crate::types::lease`].
//!
//! On an embedded database there is one process, by the engine lock, and the next one takes up everything at its start
//! ([`super::recover`]). This is for rows that several processes share, and for a lock that was lost.

use super::Engine;
use super::lane::PAUSE;
use crate::failpoint::failpoint;
use crate::store::StoreError;
use crate::types::lease::{heartbeat, look_every};
use crate::types::{Vigil, WorkerBeat};
use std::sync::PoisonError;
use std::time::Instant;

impl Engine {
    pub(super) fn keep_lease_in_background(&self) {
        let (engine, stop) = (self.clone(), self.0.stop.clone());
        self.0
            .tracker
            .spawn(stop.run_until_cancelled_owned(async move { engine.keep_beating().await }));
    }

    /// Shows that this process lives, for ever.
    pub(super) async fn keep_beating(&self) {
        loop {
            if let Err(error) = self.beat().await {
                tracing::error!(%error, "this process cannot show that it lives; trying again");
            }
            tokio::time::sleep(heartbeat(self.0.limits.lease)).await;
        }
    }

    pub(super) async fn beat(&self) -> Result<(), StoreError> {
        // What counts is when it was begun: others have seen nothing later.
        let begun = Instant::now();
        self.0.store.beat(&self.0.worker).await?;
        let mut last = self.0.last_beat.lock();
        **last.as_mut().unwrap_or_else(|broken| broken.get_mut()) = begun;
        Ok(())
    }

    /// Whether others may believe by now that this process is dead.
    pub(super) fn may_be_taken_for_dead(&self) -> bool {
        let last = self.0.last_beat.lock();
        let last = *last.unwrap_or_else(PoisonError::into_inner);
        last.elapsed() >= self.0.limits.lease
    }

    pub(super) fn watch_others_in_background(&self) {
        let (engine, stop) = (self.clone(), self.0.stop.clone());
        self.0
            .tracker
            .spawn(stop.run_until_cancelled_owned(async move { engine.watch_others().await }));
    }

    async fn watch_others(&self) {
        let lease = self.0.limits.lease;
        let (mut vigil, mut looked) = (Vigil::default(), Instant::now());
        loop {
            tokio::time::sleep(look_every(lease)).await;
            let passed = looked.elapsed();
            looked = Instant::now();
            match self.0.store.other_workers(&self.0.worker).await {
                Ok(others) => {
                    for dead in vigil.look(others, passed, lease) {
                        if self.take_over(&dead).await {
                            vigil.forget(&dead.worker);
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "other workers could not be looked at"),
            }
        }
    }

    /// Takes over from a worker. `false` if nothing came of it.
    async fn take_over(&self, dead: &WorkerBeat) -> bool {
        let taken = match self.0.store.take_over(dead, &self.0.worker).await {
            Ok(Some(taken)) => taken,
            // It lives after all.
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(%error, worker = dead.worker, "the tasks of a worker that shows no life could not be taken over; trying again");
                return false;
            }
        };
        failpoint("taken_over");
        tracing::warn!(
            worker = dead.worker,
            tasks = taken.len(),
            "a worker shows no life: what it ran is taken over, what it had accepted is counted"
        );
        for one in taken {
            // Somebody may watch it here already.
            drop(self.0.watchers.join(&one.task.id));
            self.take_up(one);
        }
        // What it had accepted and not started waits for us now, also if nothing of it ran. Nobody will tell us again.
        self.count_all_again().await;
        while let Err(error) = self.fetch_what_is_left().await {
            tracing::error!(%error, "what waits for its input images could not be listed; trying again in a second");
            tokio::time::sleep(PAUSE).await;
        }
        true
    }
}
