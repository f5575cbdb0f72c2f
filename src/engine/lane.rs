//! Lanes: one queue for each provider and one for all tests, each with so many slots.
//!
//! A task that finds a free slot starts in the transaction that accepts it. Otherwise it waits in the store, and the
//! lane's server claims it when a slot comes free. Slots are handed out in order, so a new task cannot overtake the
//! server while others wait.

use super::Engine;
use crate::provider::Providers;
use crate::store::StoreError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The lane of every task with a test key.
pub(super) const TEST: &str = "test";

/// The most tasks that one claim takes.
const CLAIM: u32 = 64;

/// All lanes of this process.
pub(super) struct Lanes(Mutex<HashMap<String, Arc<Lane>>>);

/// One lane.
pub(super) struct Lane {
    name: String,
    slots: Arc<Semaphore>,
    /// Somebody was queued, or may have been.
    wake: Notify,
}

/// A slot of a lane; dropping it frees it.
pub(super) type Slot = OwnedSemaphorePermit;

impl Lanes {
    pub(super) fn new(providers: &Providers, test_concurrency: u32) -> Self {
        let test = (TEST.to_owned(), Lane::new(TEST, test_concurrency));
        let others = providers
            .iter()
            .map(|(name, one)| (name.to_owned(), Lane::new(name, one.traits().concurrency)));
        Self(Mutex::new(std::iter::once(test).chain(others).collect()))
    }

    /// The lane of this name. One whose provider is turned off now gets a single slot, in which its tasks end.
    pub(super) fn get(&self, name: &str) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            lanes
                .entry(name.to_owned())
                .or_insert_with(|| Lane::new(name, 1)),
        )
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.all().iter().map(|lane| lane.name.clone()).collect()
    }

    fn all(&self) -> Vec<Arc<Lane>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }
}

impl Lane {
    fn new(name: &str, slots: u32) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            slots: Arc::new(Semaphore::new(slots.max(1) as usize)),
            wake: Notify::new(),
        })
    }

    /// A slot, if one is free and nobody is in front.
    pub(super) fn try_slot(&self) -> Option<Slot> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// The next free slot.
    pub(super) async fn slot(&self) -> Slot {
        Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed")
    }

    /// Says that a task waits.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

impl Engine {
    /// Starts a server for each lane, and for lanes that only waiting tasks know by now.
    pub(super) async fn serve_lanes(&self) -> Result<(), StoreError> {
        for depth in self.0.store.queue().await? {
            self.0.lanes.get(&depth.lane);
        }
        for lane in self.0.lanes.all() {
            let (engine, stop) = (self.clone(), self.0.stop.clone());
            self.0
                .tracker
                .spawn(stop.run_until_cancelled_owned(engine.serve_lane(lane)));
        }
        Ok(())
    }

    /// Claims waiting tasks of a lane as slots come free, for ever.
    async fn serve_lane(self, lane: Arc<Lane>) {
        loop {
            while self.claim_some(&lane).await {}
            lane.wake.notified().await;
        }
    }

    /// Takes as many waiting tasks as there are free slots, at least one slot. `false` if nothing waited.
    async fn claim_some(&self, lane: &Arc<Lane>) -> bool {
        let mut slots = vec![lane.slot().await];
        while slots.len() < CLAIM as usize
            && let Some(slot) = lane.try_slot()
        {
            slots.push(slot);
        }
        let most = u32::try_from(slots.len()).unwrap_or(CLAIM);
        // The claim and the runs belong together: stopping between them would leave tasks to the next start.
        let (engine, lane) = (self.clone(), Arc::clone(lane));
        let claiming = self
            .0
            .tracker
            .spawn(async move { engine.claim_into(&lane.name, slots, most).await });
        claiming.await.unwrap_or(false)
    }

    async fn claim_into(&self, lane: &str, slots: Vec<Slot>, most: u32) -> bool {
        match self
            .0
            .store
            .claim(lane, &self.0.worker, most, self.now())
            .await
        {
            Ok(claimed) => {
                let some = !claimed.is_empty();
                for (one, slot) in claimed.into_iter().zip(slots) {
                    self.spawn_run(one, slot);
                }
                some
            }
            Err(error) => {
                tracing::error!(%error, lane, "waiting tasks could not be claimed; trying again in a second");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                true
            }
        }
    }
}
