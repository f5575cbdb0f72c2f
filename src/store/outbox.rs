//! What is to be told to clients after the fact: deliveries, the log of their attempts, the secrets that sign them.
//!
//! A delivery is written where its task ends ([`super::Store::settle`], [`super::Store::cancel`],
//! [`super::Store::expire_waiting`]), in the same transaction, so there is one for each end that somebody asked about and
//! none for an end that was not stored. A worker takes what is due with [`Outbox::claim_deliveries`], which counts an
//! attempt *before* anything of it is sent; what it writes later is refused if another has taken it over meanwhile.

use super::Result;
use crate::types::{
    AccountId, Delivery, DeliveryAttempt, DeliveryId, DeliveryLog, DeliveryState, Millis, Signing,
    SigningSecret, TaskId,
};
use async_trait::async_trait;
use std::time::Duration;

/// How long deliveries are sent after their task has ended, or after somebody asked for them again.
pub const WINDOW: Duration = Duration::from_secs(30 * 60);

/// Deliveries. Every method is one transaction, as those of [`super::Store`].
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Frees what dead workers of this store were sending: it is due now. Each attempt that broke off stands in the log as
    /// interrupted. What was missed while nobody ran may be sent until `grace`. Returns how many were freed. Call it once at
    /// start, under the engine lock.
    async fn recover_deliveries(&self, worker: &str, at: Millis, grace: Millis) -> Result<u64>;
    /// Gives up to `most` deliveries up whose window closed before `before` and that nobody sends: their next turn never came,
    /// because too many before them found nobody. One that has not failed yet is kept until it has. Returns them.
    async fn expire_deliveries(
        &self,
        before: Millis,
        at: Millis,
        most: u32,
    ) -> Result<Vec<Delivery>>;
    /// Every destination for which something is to be sent, and when its first is due.
    async fn list_destinations(&self) -> Result<Vec<Due>>;
    /// Gives what is due to this worker, so many of each of these destinations, the longest due first. Each is counted as
    /// an attempt and is the worker's for a while.
    async fn claim_deliveries(
        &self,
        picks: &[(String, u32)],
        taking: Taking,
    ) -> Result<Vec<ClaimedDeliveries>>;
    /// Gives back what was claimed and not sent: it was no attempt, and is due again then. [`super::StoreError::Fenced`] if
    /// it is not this worker's any more.
    async fn release_delivery(&self, hold: &DeliveryHold, due_at: Millis) -> Result<()>;
    /// Stores what became of an attempt. [`super::StoreError::Fenced`] if the delivery is not this worker's any more.
    async fn end_delivery_attempt(
        &self,
        hold: &DeliveryHold,
        attempt: DeliveryAttempt,
        after: After,
    ) -> Result<()>;
    /// The delivery of a task with its attempts, whoever's it is; `None` if nobody was to be told, or not yet.
    async fn find_delivery(&self, task: &TaskId) -> Result<Option<DeliveryLog>>;
    /// Deliveries, the newest first.
    async fn list_deliveries(&self, listing: &DeliveryListing) -> Result<Vec<Delivery>>;
    /// Sends a task's delivery once more, from now on for `window`, whatever became of it; its id stays. `None` if the task
    /// has none. One that is pending is sent now; one that is being sent is left alone, and its `sent_at` says so.
    async fn resend_delivery(
        &self,
        task: &TaskId,
        at: Millis,
        window: Duration,
    ) -> Result<Option<Delivery>>;
    /// The same for up to `most` deliveries that were given up at `since` or later; returns how many.
    async fn resend_failed_deliveries(
        &self,
        since: Millis,
        at: Millis,
        window: Duration,
        most: u32,
    ) -> Result<u32>;
    /// The secrets that sign an account's deliveries now, the present one first; its first one is made here.
    async fn signing_secrets(&self, account: &AccountId, at: Millis) -> Result<Vec<Signing>>;
    /// Makes this the present secret. The one before it signs on until `retires_at`, an older one no more.
    async fn rotate_signing_secret(
        &self,
        account: &AccountId,
        secret: SigningSecret,
        at: Millis,
        retires_at: Millis,
    ) -> Result<()>;
}

/// Who takes deliveries, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    /// The worker.
    pub worker: String,
    /// Now, by the worker's own clock, which nothing sets: what failed before is due by it.
    pub at: Millis,
    /// Now, by the system's clock: what did not fail yet is due by this one too, because it was written by it.
    pub told: Millis,
    /// When the worker counts as dead, by its own clock.
    pub until: Millis,
}

/// When something is to be sent to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The destination.
    pub destination: String,
    /// When the first is due.
    pub at: Millis,
}

/// What was given to a worker of one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedDeliveries {
    /// The destination.
    pub destination: String,
    /// Its deliveries, each as it is with this attempt counted.
    pub deliveries: Vec<Delivery>,
    /// When the next one there is due, counting these.
    pub next_at: Option<Millis>,
}

/// Proof of holding a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryHold {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The fence of the claim that gave it to us.
    pub fence: i64,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It was the last one.
    End(DeliveryState),
    /// Another one, then.
    Again(Millis),
}

/// Which deliveries are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryListing {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of tasks that ended at this time or later.
    pub since: Option<Millis>,
    /// At most so many.
    pub most: u32,
}
