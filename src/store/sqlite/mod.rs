//! Rows in one SQLite file: the store of an installation that is one process.
//!
//! Each method of [`Store`] is a plain function over a connection, in the file of its resource, and reads as the
//! statements it makes, in order. `writer.rs` runs those that write, one after the other on one thread, with shared
//! commits; `readers.rs` runs the others beside it. A second process (an administration command) may write to the
//! same file in short transactions: SQLite's own lock orders the two.

mod accounts;
mod assets;
mod attempts;
mod audit;
pub mod backup;
mod files;
mod history;
mod idempotency;
mod keys;
mod lost;
mod money;
mod open;
mod outbox;
mod readers;
mod rows;
mod settle;
mod signing;
mod tasks;
#[cfg(test)]
mod tests;
mod texts;
mod usage;
mod work;
mod workers;
mod writer;

use crate::store::ledger::Audit;
use crate::store::{
    Abandoned, Admission, Admitted, Claim, Claimed, EndedAttempt, FileBounds, FilePage, Freed,
    Idempotency, Late, LateResult, Listing, QueueDepth, Resolve, Result, SecretHash, Settlement,
    Store, StoreError, TaskHold, UnansweredTask, Waiting,
};
use crate::types::{
    Account, AccountId, ApiKey, Asset, AssetId, Attempt, AttemptNumber, Balance, BlobKey, Failure,
    FileId, InputFile, KeyId, LostCall, Millis, Mode, Money, Period, Request, Task, TaskId,
    TaskPage, UpstreamId, UsageBy, UsedBy, WorkerBeat,
};
use async_trait::async_trait;
use open::Durability;
use readers::Readers;
use std::path::Path;
use std::sync::Arc;
use writer::Writer;

/// Threads that read. Two, so that an audit does not keep everybody waiting.
const READERS: usize = 2;

/// The store in a SQLite file. Dropping it waits for what is queued and closes the file.
pub struct SqliteStore {
    // Dropped in this order: the last connection to close empties the log, and a reader may not write.
    readers: Readers,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the file, makes it if there is none, and brings its schema up to date. Refuses a file that is damaged,
    /// that another program made, or that a newer Pinhole has used.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path.as_ref(), Durability::Full)
    }

    fn open_with(path: &Path, durability: Durability) -> Result<Self> {
        let writing = open::writer(path, durability)?;
        let reading = (0..READERS)
            .map(|_| open::reader(path))
            .collect::<Result<Vec<_>>>()?;
        let no_thread = |error| StoreError::Backend(format!("a thread cannot be started: {error}"));
        Ok(Self {
            readers: Readers::start(reading).map_err(no_thread)?,
            writer: Writer::start(writing).map_err(no_thread)?,
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_account(&self, account: Account) -> Result<()> {
        self.writer
            .run(move |tx| accounts::create(tx, &account))
            .await
    }

    async fn find_account(&self, name_or_id: &str) -> Result<Option<Account>> {
        let name_or_id = name_or_id.to_owned();
        self.readers
            .run(move |tx| accounts::find(tx, &name_or_id))
            .await
    }

    async fn list_accounts(&self) -> Result<Vec<(Account, Balance)>> {
        self.readers.run(accounts::list).await
    }

    async fn balance(&self, account: &AccountId) -> Result<Balance> {
        let account = account.clone();
        self.readers
            .run(move |tx| money::balance(tx, &account))
            .await
    }

    async fn top_up(
        &self,
        account: &AccountId,
        amount: Money,
        reference: &str,
        at: Millis,
    ) -> Result<Balance> {
        let (account, reference) = (account.clone(), reference.to_owned());
        self.writer
            .run(move |tx| accounts::top_up(tx, &account, amount, &reference, at))
            .await
    }

    async fn create_keys(&self, keys: Vec<(ApiKey, SecretHash)>) -> Result<()> {
        self.writer.run(move |tx| keys::create(tx, &keys)).await
    }

    async fn find_key(&self, secret: &SecretHash) -> Result<Option<(ApiKey, Account)>> {
        let secret = *secret;
        self.readers.run(move |tx| keys::find(tx, &secret)).await
    }

    async fn list_keys(&self, account: Option<&AccountId>) -> Result<Vec<ApiKey>> {
        let account = account.cloned();
        self.readers
            .run(move |tx| keys::list(tx, account.as_ref()))
            .await
    }

    async fn revoke_key(&self, key: &KeyId, at: Millis) -> Result<()> {
        let key = key.clone();
        self.writer.run(move |tx| keys::revoke(tx, &key, at)).await
    }

    async fn imported_secrets(&self) -> Result<Vec<SecretHash>> {
        self.readers.run(keys::imported_secrets).await
    }

    async fn generation(&self) -> Result<i64> {
        self.readers.run(accounts::generation).await
    }

    async fn admit(&self, admission: Admission) -> Result<Admitted> {
        self.writer
            .run(move |tx| tasks::admit(tx, &admission))
            .await
    }

    async fn find_repeated(
        &self,
        account: &AccountId,
        mode: Mode,
        asked: &Idempotency,
        at: Millis,
    ) -> Result<Option<TaskId>> {
        let (account, asked) = (account.clone(), asked.clone());
        self.readers
            .run(move |tx| idempotency::find(tx, &account, mode, &asked, at))
            .await
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>> {
        self.writer.run(move |tx| tasks::claim(tx, &claim)).await
    }

    async fn list_waiting(&self) -> Result<Vec<Waiting>> {
        self.readers.run(tasks::list_waiting).await
    }

    async fn list_in_lane(&self, lane: &str) -> Result<Vec<(AccountId, TaskId)>> {
        let lane = lane.to_owned();
        self.readers
            .run(move |tx| tasks::list_in_lane(tx, &lane))
            .await
    }

    async fn move_waiting(
        &self,
        task: &TaskId,
        from: &str,
        to: &str,
        request: Arc<Request>,
    ) -> Result<bool> {
        let (task, from, to) = (task.clone(), from.to_owned(), to.to_owned());
        self.writer
            .run(move |tx| tasks::move_waiting(tx, &task, (&from, &to), &request))
            .await
    }

    async fn fail_waiting(
        &self,
        task: &TaskId,
        lane: &str,
        why: Failure,
        at: Millis,
    ) -> Result<Option<Task>> {
        let (task, lane) = (task.clone(), lane.to_owned());
        self.writer
            .run(move |tx| settle::fail_waiting(tx, &task, &lane, why, at))
            .await
    }

    async fn count_waiting(&self, lane: &str, key: &KeyId) -> Result<u64> {
        let (lane, key) = (lane.to_owned(), key.clone());
        self.readers
            .run(move |tx| tasks::count_waiting(tx, &lane, &key))
            .await
    }

    async fn count_ahead(&self, task: &Task) -> Result<u64> {
        let (lane, key) = (task.lane.clone(), task.key.clone());
        let (at, id) = (task.created_at, task.id.clone());
        self.readers
            .run(move |tx| tasks::count_ahead(tx, &lane, &key, at, &id))
            .await
    }

    async fn recover(&self, worker: &str) -> Result<Vec<Claimed>> {
        let worker = worker.to_owned();
        self.writer
            .run(move |tx| workers::recover(tx, &worker))
            .await
    }

    async fn beat(&self, worker: &str) -> Result<()> {
        let worker = worker.to_owned();
        self.writer.run(move |tx| workers::beat(tx, &worker)).await
    }

    async fn other_workers(&self, worker: &str) -> Result<Vec<WorkerBeat>> {
        let worker = worker.to_owned();
        self.readers
            .run(move |tx| workers::others(tx, &worker))
            .await
    }

    async fn take_over(&self, from: &WorkerBeat, worker: &str) -> Result<Option<Vec<Claimed>>> {
        let (from, worker) = (from.clone(), worker.to_owned());
        self.writer
            .run(move |tx| workers::take_over(tx, &from, &worker))
            .await
    }

    async fn note_alone(&self, hold: &TaskHold) -> Result<()> {
        let hold = hold.clone();
        self.writer
            .run(move |tx| tasks::note_alone(tx, &hold))
            .await
    }

    async fn list_poison(&self, most: u32) -> Result<Vec<Task>> {
        self.readers
            .run(move |tx| tasks::list_poison(tx, most))
            .await
    }

    async fn begin_attempts(&self, hold: &TaskHold, attempts: Vec<Attempt>) -> Result<()> {
        let hold = hold.clone();
        self.writer
            .run(move |tx| attempts::begin(tx, &hold, &attempts))
            .await
    }

    async fn fail_over(&self, hold: &TaskHold, ended: EndedAttempt, next: Attempt) -> Result<()> {
        let hold = hold.clone();
        self.writer
            .run(move |tx| attempts::fail_over(tx, &hold, &ended, &next))
            .await
    }

    async fn note_upstream_id(
        &self,
        hold: &TaskHold,
        number: AttemptNumber,
        id: &UpstreamId,
    ) -> Result<()> {
        let (hold, id) = (hold.clone(), id.clone());
        self.writer
            .run(move |tx| attempts::note_upstream_id(tx, &hold, number, &id))
            .await
    }

    async fn end_attempt(
        &self,
        hold: &TaskHold,
        ended: EndedAttempt,
        assets: Vec<Asset>,
    ) -> Result<()> {
        let hold = hold.clone();
        self.writer
            .run(move |tx| attempts::end(tx, &hold, &ended, &assets))
            .await
    }

    async fn settle(&self, hold: &TaskHold, settlement: Settlement) -> Result<Task> {
        let hold = hold.clone();
        self.writer
            .run(move |tx| settle::settle(tx, &hold, &settlement))
            .await
    }

    async fn cancel(&self, account: &AccountId, task: &TaskId, at: Millis) -> Result<Option<Task>> {
        let (account, task) = (account.clone(), task.clone());
        self.writer
            .run(move |tx| settle::cancel(tx, &account, &task, at))
            .await
    }

    async fn expire_waiting(&self, before: Millis, at: Millis, most: u32) -> Result<Vec<Task>> {
        self.writer
            .run(move |tx| settle::expire_waiting(tx, before, at, most))
            .await
    }

    async fn abandon_unfinished(&self, why: Failure, at: Millis) -> Result<Abandoned> {
        self.writer
            .run(move |tx| settle::abandon_unfinished(tx, &why, at))
            .await
    }

    async fn find_task(&self, account: &AccountId, task: &TaskId) -> Result<Option<Task>> {
        let (account, task) = (account.clone(), task.clone());
        self.readers
            .run(move |tx| tasks::find(tx, &account, &task))
            .await
    }

    async fn list_tasks(&self, account: &AccountId, listing: &Listing) -> Result<TaskPage> {
        let (account, listing) = (account.clone(), listing.clone());
        self.readers
            .run(move |tx| history::list(tx, &account, &listing))
            .await
    }

    async fn list_lost_calls(&self, since: Millis, most: u32) -> Result<Vec<LostCall>> {
        self.readers
            .run(move |tx| history::lost_calls(tx, since, most))
            .await
    }

    async fn keep_late(&self, late: LateResult) -> Result<Late> {
        self.writer.run(move |tx| lost::keep_late(tx, &late)).await
    }

    async fn resolve(&self, resolve: Resolve) -> Result<Money> {
        self.writer.run(move |tx| lost::resolve(tx, &resolve)).await
    }

    async fn list_attempts(&self, task: &TaskId) -> Result<Vec<Attempt>> {
        let task = task.clone();
        self.readers.run(move |tx| attempts::list(tx, &task)).await
    }

    async fn unanswered(&self, since: Millis) -> Result<Vec<UnansweredTask>> {
        self.readers
            .run(move |tx| tasks::unanswered(tx, since))
            .await
    }

    async fn queue(&self) -> Result<Vec<QueueDepth>> {
        self.readers.run(tasks::queue).await
    }

    async fn find_asset(&self, asset: &AssetId) -> Result<Option<Asset>> {
        let asset = asset.clone();
        self.readers.run(move |tx| assets::find(tx, &asset)).await
    }

    async fn referenced(&self, blobs: &[BlobKey]) -> Result<Vec<BlobKey>> {
        let blobs = blobs.to_vec();
        self.readers
            .run(move |tx| assets::referenced(tx, &blobs))
            .await
    }

    async fn expire_assets(&self, at: Millis, most: u32) -> Result<Vec<Asset>> {
        self.writer
            .run(move |tx| assets::expire(tx, at, most))
            .await
    }

    async fn forget_expired_keys(&self, at: Millis, most: u32) -> Result<usize> {
        self.writer
            .run(move |tx| idempotency::forget_expired(tx, at, most))
            .await
    }

    async fn forget_texts(&self, at: Millis, most: u32) -> Result<usize> {
        self.writer.run(move |tx| texts::forget(tx, at, most)).await
    }

    async fn usage(
        &self,
        account: &AccountId,
        period: Period,
        by: Option<UsageBy>,
        most: u32,
    ) -> Result<Vec<UsedBy>> {
        let account = account.clone();
        self.readers
            .run(move |tx| usage::used(tx, &account, period, by, most))
            .await
    }

    async fn add_file(&self, file: InputFile, most: FileBounds) -> Result<()> {
        self.writer.run(move |tx| files::add(tx, &file, most)).await
    }

    async fn find_file(
        &self,
        account: &AccountId,
        file: &FileId,
        at: Millis,
    ) -> Result<Option<InputFile>> {
        let (account, file) = (account.clone(), file.clone());
        self.readers
            .run(move |tx| files::find(tx, &account, &file, at))
            .await
    }

    async fn list_files(
        &self,
        account: &AccountId,
        page: &FilePage,
        at: Millis,
    ) -> Result<Vec<InputFile>> {
        let (account, page) = (account.clone(), page.clone());
        self.readers
            .run(move |tx| files::list(tx, &account, &page, at))
            .await
    }

    async fn delete_file(
        &self,
        account: &AccountId,
        file: &FileId,
        at: Millis,
    ) -> Result<Option<Freed>> {
        let (account, file) = (account.clone(), file.clone());
        self.writer
            .run(move |tx| files::delete(tx, &account, &file, at))
            .await
    }

    async fn delete_expired_files(&self, at: Millis, most: u32) -> Result<Freed> {
        self.writer
            .run(move |tx| files::delete_expired(tx, at, most))
            .await
    }

    async fn audit(&self) -> Result<Audit> {
        self.readers.run(audit::audit).await
    }

    fn rows_written(&self) -> u64 {
        self.writer.rows_written()
    }
}
