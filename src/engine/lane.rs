//! Lanes: one queue for each provider and one for all tests, each with so many slots.
//!
//! A task that finds a free slot starts in the transaction that accepts it. Otherwise it waits in the store, and the
//! lane's server claims it when its turn comes ([`super::turns`]). A new task takes no slot that somebody waits for.

use super::Engine;
use super::turns::{Seat, Turns};
use crate::failpoint::failpoint;
use crate::provider::Providers;
use crate::store::{Claim, Claimed, StoreError};
use crate::types::{AccountId, KeyId, Owner, Task, TaskState};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The lane of every task with a test key.
pub(super) const TEST: &str = "test";

/// Where tasks wait whose input images are not here yet ([`super::linked`]): nobody claims from it. No provider may be
/// called so.
pub(super) const INPUTS: &str = "(inputs)";

/// The most tasks that one claim takes.
const CLAIM: usize = 64;

/// How long to wait when the rows cannot be had.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// All lanes of this process.
pub(super) struct Lanes {
    turns: Mutex<Turns>,
    /// For each lane: somebody's turn may have come.
    wake: Mutex<HashMap<String, Arc<Notify>>>,
}

/// A running task's place in its lane; dropping it frees it.
pub(super) struct Slot {
    lanes: Arc<Lanes>,
    seat: Seat,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let lanes = self.lanes.turns().leave(&self.seat);
        lanes.iter().for_each(|lane| self.lanes.wake(lane));
    }
}

impl Lanes {
    pub(super) fn new(providers: &Providers, test_concurrency: u32) -> Arc<Self> {
        let mut turns = Turns::default();
        turns.open(TEST, test_concurrency);
        for (name, provider) in providers.iter() {
            turns.open(name, provider.traits().concurrency);
        }
        Arc::new(Self {
            turns: Mutex::new(turns),
            wake: Mutex::default(),
        })
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.turns().names()
    }

    /// A slot for a new task, if it need not wait.
    pub(super) fn try_slot(self: &Arc<Self>, lane: &str, owner: &Owner) -> Option<Slot> {
        let seat = self.turns().sit(lane, owner)?;
        Some(self.slot(seat))
    }

    /// The slot of a task that a dead process ran.
    pub(super) fn slot_of(self: &Arc<Self>, task: &Task) -> Slot {
        let seat = self.turns().take(&task.lane, &task.account, &task.key);
        self.slot(seat)
    }

    /// Says that a task waits, once the store has it.
    pub(super) fn wait(&self, lane: &str, owner: &Owner) {
        self.turns().wait(lane, owner);
        self.wake(lane);
    }

    /// Takes the limits of an owner whose task waits in no lane yet; [`Lanes::try_slot`] and [`Lanes::wait`] do it themselves.
    pub(super) fn know(&self, owner: &Owner) {
        self.turns().know(owner);
    }

    /// How many tasks start before one that comes now, if nothing changes.
    pub(super) fn ahead_of_next(&self, lane: &str, owner: &Owner) -> u64 {
        let mut turns = self.turns();
        let own = turns.waiting(lane, &owner.account, &owner.key);
        turns.ahead(lane, &owner.account, &owner.key, own)
    }

    fn slot(self: &Arc<Self>, seat: Seat) -> Slot {
        Slot {
            lanes: Arc::clone(self),
            seat,
        }
    }

    fn pick(self: &Arc<Self>, lane: &str) -> Vec<Slot> {
        let seats = self.turns().pick(lane, CLAIM);
        seats.into_iter().map(|seat| self.slot(seat)).collect()
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        // Its counts may be off by one after a panic, which a claim that finds fewer tasks puts right.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, lane: &str) {
        self.waker(lane).notify_one();
    }

    fn waker(&self, lane: &str) -> Arc<Notify> {
        let mut wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(wake.entry(lane.to_owned()).or_default())
    }
}

impl Engine {
    /// Counts what waits, and starts a server for each lane; one whose provider is turned off now has a single slot, in
    /// which its tasks end.
    pub(super) async fn serve_lanes(&self) -> Result<(), StoreError> {
        let lanes = &self.0.lanes;
        for waiting in self.0.store.list_waiting().await? {
            let (mut turns, owner) = (lanes.turns(), &waiting.owner);
            turns.know(owner);
            let whose = (&owner.account, &owner.key);
            if waiting.lane != INPUTS {
                turns.correct(&waiting.lane, whose, waiting.tasks, 0);
            }
        }
        for lane in lanes.names() {
            let (engine, stop) = (self.clone(), self.0.stop.clone());
            self.0
                .tracker
                .spawn(stop.run_until_cancelled_owned(engine.serve_lane(lane)));
        }
        Ok(())
    }

    /// Learns from the rows what others have left waiting.
    pub(super) async fn count_all_again(&self) {
        let waiting = loop {
            match self.0.store.list_waiting().await {
                Ok(waiting) => break waiting,
                Err(error) => {
                    tracing::error!(%error, "what waits could not be read; trying again in a second");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        for one in waiting {
            self.0.lanes.turns().know(&one.owner);
            self.count_again(&one.lane, &one.owner.account, &one.owner.key)
                .await;
        }
    }

    /// Claims waiting tasks of a lane as their turns come, for ever.
    async fn serve_lane(self, lane: String) {
        let turn = self.0.lanes.waker(&lane);
        loop {
            while self.claim_some(&lane).await {}
            turn.notified().await;
        }
    }

    /// Starts whose turn it is. `false` if it was nobody's.
    async fn claim_some(&self, lane: &str) -> bool {
        let slots = self.0.lanes.pick(lane);
        if slots.is_empty() {
            return false;
        }
        // The claim and the runs belong together: stopping between them would leave tasks to the next start.
        let (engine, lane) = (self.clone(), lane.to_owned());
        let claiming = self
            .0
            .tracker
            .spawn(async move { engine.claim_into(&lane, slots).await });
        // It ends with a panic or not at all; the next turn is another's.
        let _ = claiming.await;
        true
    }

    async fn claim_into(&self, lane: &str, mut slots: Vec<Slot>) {
        let planner = self.planner();
        let claim = Claim {
            lane: lane.to_owned(),
            picks: picks(&slots),
            worker: self.0.worker.clone(),
            plan: Arc::clone(&planner).plan(),
            at: self.now(),
        };
        let claimed = match self.0.store.claim(claim).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, lane, "waiting tasks could not be claimed; trying again in a second");
                tokio::time::sleep(PAUSE).await;
                Vec::new()
            }
        };
        failpoint("claimed");
        for one in claimed {
            if let Some(slot) = slot_for(&one, &mut slots) {
                let route = planner.route(&one.task);
                self.spawn_run(one, route, slot);
            }
        }
        // Fewer waited than were counted: somebody cancelled.
        let unused: Vec<Seat> = slots.iter().map(|slot| slot.seat.clone()).collect();
        drop(slots);
        for seat in unused {
            self.count_again(lane, &seat.account, &seat.key).await;
        }
    }

    /// How many tasks start before this one, as far as can be told: if nobody comes, nobody goes and nobody meets a
    /// limit. `None` for one that does not wait, or waits for its input images.
    pub async fn tasks_ahead(&self, task: &Task) -> Option<u64> {
        if task.state != TaskState::Pending || task.lane == INPUTS {
            return None;
        }
        // Without the rows there is no estimate, which no poll should fail for.
        let own = self.0.store.count_ahead(task).await.ok()?;
        let mut turns = self.0.lanes.turns();
        Some(turns.ahead(&task.lane, &task.account, &task.key, own))
    }

    /// Reads how many tasks of a key wait, after some have gone in another way than by starting.
    pub(super) async fn count_again(&self, lane: &str, account: &AccountId, key: &KeyId) {
        if lane == INPUTS {
            return;
        }
        let lanes = &self.0.lanes;
        loop {
            let changed = lanes.turns().changed(lane, account, key);
            match self.0.store.count_waiting(lane, key).await {
                Ok(tasks) => {
                    if lanes.turns().correct(lane, (account, key), tasks, changed) {
                        lanes.wake(lane);
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, lane, "waiting tasks could not be counted; trying again in a second");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// How many tasks of each key these slots are for.
fn picks(slots: &[Slot]) -> Vec<(KeyId, u32)> {
    let mut picks: Vec<(KeyId, u32)> = Vec::new();
    for slot in slots {
        match picks.iter_mut().find(|(key, _)| *key == slot.seat.key) {
            Some((_, count)) => *count += 1,
            None => picks.push((slot.seat.key.clone(), 1)),
        }
    }
    picks
}

/// Takes a slot that was picked for this task's key.
fn slot_for(claimed: &Claimed, slots: &mut Vec<Slot>) -> Option<Slot> {
    let mut all = slots.iter();
    let at = all.position(|slot| slot.seat.key == claimed.task.key)?;
    Some(slots.swap_remove(at))
}
