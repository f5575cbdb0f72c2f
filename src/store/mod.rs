//! What must survive a crash, as business transactions.
//!
//! [`Store`] is the only door to the rows: each method is one transaction, durable when it returns. Nothing above
//! this module knows SQL, and nothing in it knows a status code, a dialect, a model or a price. Two stores are
//! written by hand (SQLite now, PostgreSQL next) and one conformance suite (`conformance`) runs on both.
//!
//! Money moves in here and nowhere else: [`Store::admit`] holds, [`Store::settle`] captures and releases, and
//! [`ledger`] says which rows each of them writes. What is to be sent to clients afterwards has a trait of its own,
//! [`Outbox`], which every store is.

#[cfg(test)]
pub mod conformance;
pub mod ledger;
pub mod outbox;
pub mod sqlite;

pub use outbox::Outbox;

use crate::types::account::KeyLimits;
use crate::types::{
    Account, AccountId, ApiKey, Asset, AssetId, Attempt, AttemptNumber, AttemptState, Balance,
    BlobKey, Callback, CreditLine, Failure, FileId, Fingerprint, InputFile, KeyId, LostCall,
    Millis, Mode, Money, Owner, Period, Quote, Request, Task, TaskEnd, TaskFilter, TaskId,
    TaskPage, TaskPlace, Text, UpstreamId, Usage, UsageBy, UsedBy, WorkerBeat,
};
use async_trait::async_trait;
use std::sync::Arc;

/// The rows of one installation. Every method is one transaction; when it returns `Ok`, it is on disk.
#[async_trait]
pub trait Store: Outbox + Send + Sync {
    // --- accounts and keys ---

    /// Makes an account. [`StoreError::Exists`] if the name is taken.
    async fn create_account(&self, account: Account) -> Result<()>;
    /// The account of this name or id.
    async fn find_account(&self, name_or_id: &str) -> Result<Option<Account>>;
    /// All accounts with their balances, by name.
    async fn list_accounts(&self) -> Result<Vec<(Account, Balance)>>;
    /// What an account has. [`StoreError::NotFound`] if there is none.
    async fn balance(&self, account: &AccountId) -> Result<Balance>;
    /// Adds credits to an account. `reference` makes it happen once: a second call with the same one
    /// changes nothing and returns the balance; with another account or amount it is [`StoreError::Exists`].
    async fn top_up(
        &self,
        account: &AccountId,
        amount: Money,
        reference: &str,
        at: Millis,
    ) -> Result<Balance>;

    /// Stores keys under the SHA-256 of their secrets, all or none. [`StoreError::Exists`] if a secret is known.
    async fn create_keys(&self, keys: Vec<(ApiKey, SecretHash)>) -> Result<()>;
    /// The key with this secret, and its account. Revoked and expired keys are found too; the caller decides.
    async fn find_key(&self, secret: &SecretHash) -> Result<Option<(ApiKey, Account)>>;
    /// All keys, or those of one account, newest first.
    async fn list_keys(&self, account: Option<&AccountId>) -> Result<Vec<ApiKey>>;
    /// Refuses the key from now on. [`StoreError::NotFound`] if there is none; revoking twice keeps the first time.
    async fn revoke_key(&self, key: &KeyId, at: Millis) -> Result<()>;
    /// The hashes of secrets that we did not make ourselves (`keys import`), for the in-memory set that is asked
    /// before a secret of foreign form costs a look-up.
    async fn imported_secrets(&self) -> Result<Vec<SecretHash>>;
    /// Grows with every change of accounts and keys; whoever caches them empties the cache when it moves.
    async fn generation(&self) -> Result<i64>;

    // --- tasks ---

    /// Accepts a task: the row, the hold, and the intents of its first attempts, or nothing of it.
    /// [`StoreError::InsufficientCredits`] if the hold is not covered, [`StoreError::SpendCap`] if the key's cap is
    /// reached, [`StoreError::QueueFull`] if it would have to wait and too many of the key's tasks wait already.
    /// A repetition of an idempotency key writes nothing and names the task it stands for, or ends with
    /// [`StoreError::KeyReused`].
    async fn admit(&self, admission: Admission) -> Result<Admitted>;
    /// The task that an admission with this key would repeat; [`StoreError::KeyReused`] as for [`Store::admit`], which
    /// stays the judge where two come at once.
    async fn find_repeated(
        &self,
        account: &AccountId,
        mode: Mode,
        asked: &Idempotency,
        at: Millis,
    ) -> Result<Option<TaskId>>;
    /// Gives waiting tasks of a lane to a worker, so many of each of these keys, the oldest first: they become
    /// `processing`, each fence grows by one, and the intents that are planned for them are written with it. A key of which
    /// fewer wait gives what it has.
    async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>>;
    /// What waits, by lane and key.
    async fn list_waiting(&self) -> Result<Vec<Waiting>>;
    /// How many tasks of a key wait in a lane.
    async fn count_waiting(&self, lane: &str, key: &KeyId) -> Result<u64>;
    /// The tasks that wait in a lane, each key's oldest first.
    async fn list_in_lane(&self, lane: &str) -> Result<Vec<(AccountId, TaskId)>>;
    /// Makes a task that waits in the lane `from` wait in another one, with this request: what it links to is here, and is
    /// its own from now on. `false`, and nothing is written, if it does not wait there any more.
    async fn move_waiting(
        &self,
        task: &TaskId,
        from: &str,
        to: &str,
        request: Arc<Request>,
    ) -> Result<bool>;
    /// Ends a task that waits in this lane: `failed`, full release. `None`, and nothing is written, if it does not wait there
    /// any more.
    async fn fail_waiting(
        &self,
        task: &TaskId,
        lane: &str,
        why: Failure,
        at: Millis,
    ) -> Result<Option<Task>>;
    /// How many tasks of its key wait in front of this one, in its lane.
    async fn count_ahead(&self, task: &Task) -> Result<u64>;
    /// Gives every task that a dead worker of this store left `processing` to `worker`, with its attempts, and
    /// counts one crash each, and one lone crash each that ran alone. Call it once at start, under the engine lock: it waits
    /// for no lease.
    async fn recover(&self, worker: &str) -> Result<Vec<Claimed>>;
    /// Shows that this worker lives: its beat moves. The first one makes it known.
    async fn beat(&self, worker: &str) -> Result<()>;
    /// The other workers that are known or have something to lose, and their beats.
    async fn other_workers(&self, worker: &str) -> Result<Vec<WorkerBeat>>;
    /// Gives the tasks of a worker to another one, as [`Store::recover`] does, and forgets the first, which may have run
    /// nothing. `None` if its beat has moved in the meantime: then nothing is given and nothing is written.
    async fn take_over(&self, from: &WorkerBeat, worker: &str) -> Result<Option<Vec<Claimed>>>;
    /// Notes that the task runs alone from now on. [`StoreError::Fenced`] if it is not ours any more.
    async fn note_alone(&self, hold: &TaskHold) -> Result<()>;
    /// Up to `most` tasks of all accounts that were given up because the process died each time they ran alone
    /// ([`Task::is_poison`]), the latest first.
    async fn list_poison(&self, most: u32) -> Result<Vec<Task>>;
    /// Writes intents, before any byte of them leaves. [`StoreError::Fenced`] if the task is not ours any more.
    async fn begin_attempts(&self, hold: &TaskHold, attempts: Vec<Attempt>) -> Result<()>;
    /// Ends an attempt that did no paid work and writes the intent of the next one for the same images, together: a crash
    /// between the two would strand the task. [`StoreError::Fenced`] as above.
    async fn fail_over(&self, hold: &TaskHold, ended: EndedAttempt, next: Attempt) -> Result<()>;
    /// Stores the upstream's id of a job. [`StoreError::Fenced`] as above.
    async fn note_upstream_id(
        &self,
        hold: &TaskHold,
        number: AttemptNumber,
        id: &UpstreamId,
    ) -> Result<()>;
    /// Stores the end of one attempt and the assets it brought, while other parts of the task still run.
    async fn end_attempt(
        &self,
        hold: &TaskHold,
        ended: EndedAttempt,
        assets: Vec<Asset>,
    ) -> Result<()>;
    /// Ends a task: its state, the ends of the attempts that are still open, the last assets, and the money, which
    /// it works out itself from the hold, `captured` and the possible loss. Returns the task as it now is.
    /// [`StoreError::Fenced`] if it is not ours any more or has ended: then nothing is written.
    async fn settle(&self, hold: &TaskHold, settlement: Settlement) -> Result<Task>;
    /// Ends a task that still waits: `failed` with `cancelled`, full release. `Ok(None)` if there is no such task of
    /// this account, `Ok(Some(task))` with the task as it is: cancelled, or unchanged because it had started.
    async fn cancel(&self, account: &AccountId, task: &TaskId, at: Millis) -> Result<Option<Task>>;
    /// Ends up to `most` tasks that still wait and were accepted at `before` or earlier: `failed` with
    /// `deadline_exceeded`, full release. Returns them as they now are.
    async fn expire_waiting(&self, before: Millis, at: Millis, most: u32) -> Result<Vec<Task>>;
    /// Ends all that is unfinished without a word to anybody, for rows that are not what happened last: every such task
    /// fails with `why` and full release, its open attempts become unknown with all that they may have cost as the
    /// operator's loss, and what was to be delivered is given up, to be sent again by hand.
    async fn abandon_unfinished(&self, why: Failure, at: Millis) -> Result<Abandoned>;
    /// A task of this account.
    async fn find_task(&self, account: &AccountId, task: &TaskId) -> Result<Option<Task>>;
    /// A page of this account's history, newest first.
    async fn list_tasks(&self, account: &AccountId, listing: &Listing) -> Result<TaskPage>;
    /// Up to `most` calls of all accounts that were given up at `since` or later and that the operator may have paid for
    /// nothing, the latest first.
    async fn list_lost_calls(&self, since: Millis, most: u32) -> Result<Vec<LostCall>>;
    /// Keeps what a call brought that was given up, with its task, charged to nobody; the task stays as it is.
    async fn keep_late(&self, late: LateResult) -> Result<Late>;
    /// Notes, once, what became of a call that the operator may have paid for nothing, and corrects what is booked for it by
    /// a new row. Returns what it cost. [`StoreError::NotFound`] if there is no such call of a task that has ended,
    /// [`StoreError::Exists`] if it is known already.
    async fn resolve(&self, resolve: Resolve) -> Result<Money>;
    /// The attempts of a task, by number.
    async fn list_attempts(&self, task: &TaskId) -> Result<Vec<Attempt>>;
    /// The unfinished tasks that were accepted after `since` for clients who waited and had no idempotency key.
    async fn unanswered(&self, since: Millis) -> Result<Vec<UnansweredTask>>;
    /// How many tasks wait and how many run, by lane.
    async fn queue(&self) -> Result<Vec<QueueDepth>>;

    // --- assets and blobs ---

    /// A stored result, whoever asks: its name is the secret.
    async fn find_asset(&self, asset: &AssetId) -> Result<Option<Asset>>;
    /// Of these blobs, those that some row still needs. What it does not return may be collected.
    async fn referenced(&self, blobs: &[BlobKey]) -> Result<Vec<BlobKey>>;
    /// Gives up the blobs of up to `most` assets that have expired by `at` and that no task reads: no row needs them any
    /// more, and no new task may read them. The rows stay, so that the asset answers 410 and not 404.
    async fn expire_assets(&self, at: Millis, most: u32) -> Result<Vec<Asset>>;
    /// Deletes the words of up to `most` texts that have expired by `at`; returns how many it found. The rows stay.
    async fn forget_texts(&self, at: Millis, most: u32) -> Result<usize>;
    /// Deletes up to `most` idempotency keys that have expired by `at`; returns how many it found.
    async fn forget_expired_keys(&self, at: Millis, most: u32) -> Result<usize>;

    // --- usage ---

    /// What the account's tasks used that ended in this period, by group in the groups' order; without `by` there is one
    /// group at most. [`StoreError::TooManyGroups`] if there are more than `most`.
    async fn usage(
        &self,
        account: &AccountId,
        period: Period,
        by: Option<UsageBy>,
        most: u32,
    ) -> Result<Vec<UsedBy>>;

    // --- uploaded files ---

    /// Keeps an uploaded file. [`StoreError::FilesFull`] if the account's live files would then exceed `most`.
    async fn add_file(&self, file: InputFile, most: FileBounds) -> Result<()>;
    /// A file of this account that has not expired by `at`.
    async fn find_file(
        &self,
        account: &AccountId,
        file: &FileId,
        at: Millis,
    ) -> Result<Option<InputFile>>;
    /// The account's files that have not expired by `at`, as the page wants them.
    async fn list_files(
        &self,
        account: &AccountId,
        page: &FilePage,
        at: Millis,
    ) -> Result<Vec<InputFile>>;
    /// Deletes a file of this account that has not expired by `at`; `None` if there is none. From then on
    /// [`Store::admit`] refuses its use.
    async fn delete_file(
        &self,
        account: &AccountId,
        file: &FileId,
        at: Millis,
    ) -> Result<Option<Freed>>;
    /// Deletes up to `most` files that have expired by `at`, of whatever account.
    async fn delete_expired_files(&self, at: Millis, most: u32) -> Result<Freed>;

    // --- audit ---

    /// Audits the ledger with its own SQL: see [`ledger::Audit`].
    async fn audit(&self) -> Result<ledger::Audit>;
    /// Rows written since the store was opened, for the test that bounds them.
    fn rows_written(&self) -> u64;
}

/// A blob that some row needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededBlob {
    /// Which.
    pub key: BlobKey,
    /// Its BLAKE3 hash, where a row has noted it.
    pub hash: Option<String>,
}

/// SHA-256 of an API key's secret.
pub type SecretHash = [u8; 32];

/// What every transaction may end with.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why a transaction was not carried out. Nothing of it is then in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The account's credits do not cover the hold.
    #[error("the account has {available} available and the request holds {needed}")]
    InsufficientCredits {
        /// What it has.
        available: Money,
        /// What was to be held.
        needed: Money,
    },
    /// The key has spent what it may in this window.
    #[error("the key may spend {cap} and has spent {spent}")]
    SpendCap {
        /// What it may spend.
        cap: Money,
        /// What it has spent and holds.
        spent: Money,
    },
    /// The account keeps as many uploaded files as it may.
    #[error("the account keeps {files} files of {bytes} bytes")]
    FilesFull {
        /// How many it keeps.
        files: u64,
        /// How large they are together.
        bytes: u64,
    },
    /// The answer would have more groups than were asked for.
    #[error("there are more than {0} groups")]
    TooManyGroups(u32),
    /// An uploaded file that the request reads is not there any more.
    #[error("file {0} is not there any more")]
    FileGone(FileId),
    /// A stored result that the request reads has expired.
    #[error("result {0} is not there any more")]
    ResultGone(AssetId),
    /// Too many tasks of the key wait.
    #[error("{0} tasks of this key are waiting")]
    QueueFull(u32),
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A name or a secret is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such row.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The task is held by somebody else, or has ended.
    #[error("the task is no longer held by this worker")]
    Fenced,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Anything else: the database's own fault.
    #[error("the database failed: {0}")]
    Backend(String),
}

/// Everything that is written when a task is accepted.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The new task's id.
    pub task: TaskId,
    /// Who pays.
    pub account: AccountId,
    /// The key it came with.
    pub key: KeyId,
    /// Live or test.
    pub mode: Mode,
    /// What was asked.
    pub request: Arc<Request>,
    /// The price of the moment.
    pub quote: Quote,
    /// What is reserved: the quote's total, or zero for a test.
    pub hold: Money,
    /// The queue it belongs to.
    pub lane: String,
    /// Where its results will be fetched.
    pub public_url: String,
    /// The window of the key's spend cap that this counts against, if it has a cap.
    pub spend: Option<SpendWindow>,
    /// What makes a repetition of it known as one.
    pub idempotency: Option<Idempotency>,
    /// What was asked, if its client waits for an answer and can only repeat the call as it was.
    pub asked: Option<Fingerprint>,
    /// Where its end is to be reported.
    pub callback: Option<Callback>,
    /// The uploaded files among its inputs; each must still be there, else [`StoreError::FileGone`].
    pub files: Vec<FileId>,
    /// The stored results among its inputs; each must still be there, else [`StoreError::ResultGone`].
    pub results: Vec<AssetId>,
    /// How many tasks of the key may wait, this one included.
    pub most_waiting: u32,
    /// `Some`: it starts at once, held by this worker, with these intents. `None`: it waits.
    pub start: Option<Start>,
    /// Now.
    pub at: Millis,
}

/// What [`Store::admit`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// The task is accepted.
    New,
    /// It is a repetition: nothing was written, this task stands for it.
    Known(TaskId),
}

/// A client's idempotency key and what it was sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, unique for an account and mode.
    pub key: String,
    /// A hash of everything that must be the same in a repetition.
    pub fingerprint: Fingerprint,
    /// From then on the key means nothing any more.
    pub expires_at: Millis,
}

/// What an account may keep of uploaded files at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileBounds {
    /// So many.
    pub files: u64,
    /// So large together.
    pub bytes: u64,
}

/// Which of an account's files are listed, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePage {
    /// The oldest first; otherwise the newest.
    pub oldest_first: bool,
    /// Only those that come behind this one.
    pub after: Option<FileId>,
    /// Only those for this purpose.
    pub purpose: Option<String>,
    /// At most so many.
    pub most: u32,
}

/// What deleting files has freed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// How many files were deleted.
    pub files: usize,
    /// Their blobs, except those that unfinished tasks read: these are nobody's when the tasks end, and are collected.
    pub blobs: Vec<BlobKey>,
}

/// A task whose client had no answer when it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnansweredTask {
    /// The task.
    pub task: TaskId,
    /// The key it came with.
    pub key: KeyId,
    /// What was asked.
    pub asked: Fingerprint,
    /// When it was accepted.
    pub created_at: Millis,
}

/// A key's spend cap and the window it is counted in. What is held counts as spent; what is released does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendWindow {
    /// The window's name: `total`, a day (`2026-11-21`) or a month (`2026-11`), in UTC.
    pub name: String,
    /// What may be spent in it.
    pub cap: Money,
}

/// The fence of a task that starts in the transaction that accepts it: nobody has held it before.
pub const FIRST_FENCE: i64 = 1;

/// A task that starts in the transaction that accepts it. Its worker holds it with [`FIRST_FENCE`].
#[derive(Clone, Debug)]
pub struct Start {
    /// Who holds it.
    pub worker: String,
    /// The intents of its first calls.
    pub attempts: Vec<Attempt>,
}

/// Which waiting tasks a worker takes, and what it begins with.
#[derive(Clone)]
pub struct Claim {
    /// Their lane.
    pub lane: String,
    /// How many of which keys.
    pub picks: Vec<(KeyId, u32)>,
    /// Who takes them.
    pub worker: String,
    /// What to begin with.
    pub plan: Plan,
    /// Now.
    pub at: Millis,
}

/// The intents of a task's first calls; none, if they are to be written later by [`Store::begin_attempts`]. It is asked
/// in the middle of the transaction, so it must neither wait nor read rows.
pub type Plan = Arc<dyn Fn(&Task) -> Vec<Attempt> + Send + Sync>;

/// Proof of holding a task, checked by every write for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskHold {
    /// The task.
    pub task: TaskId,
    /// The fence of the claim that gave it to us.
    pub fence: i64,
}

/// A task that was given to a worker, with what was attempted for it so far.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The task; its `fence` is the worker's.
    pub task: Task,
    /// Its attempts, by number.
    pub attempts: Vec<Attempt>,
}

/// The end of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedAttempt {
    /// Which one.
    pub number: AttemptNumber,
    /// How it ended; never `Intent`.
    pub state: AttemptState,
    /// What the operator pays for what was delivered.
    pub cost: Money,
    /// What the operator may have paid for nothing (`unknown`).
    pub loss: Money,
    /// Why it brought nothing, if it did.
    pub failure: Option<Failure>,
    /// When.
    pub at: Millis,
}

/// A result that came when its call was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateResult {
    /// The task.
    pub task: TaskId,
    /// The call that made it.
    pub number: AttemptNumber,
    /// What it is.
    pub content: LateContent,
    /// When it came.
    pub at: Millis,
}

/// What came late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LateContent {
    /// An image.
    Image(Asset),
    /// A whole text.
    Text(Text),
}

/// What [`Store::keep_late`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It is kept.
    Kept,
    /// The call or its task goes on: it may be refused or kept later.
    NotOver,
    /// The call was not lost, or its result is there already.
    Refused,
}

/// What [`Store::abandon_unfinished`] ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// The tasks, the oldest first.
    pub tasks: Vec<TaskId>,
    /// How many deliveries are given up.
    pub deliveries: u64,
}

/// What the operator found out about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// The task.
    pub task: TaskId,
    /// The call.
    pub number: AttemptNumber,
    /// What the upstream took for it; `None`: what was booked.
    pub billed: Option<Money>,
    /// The operator's own words.
    pub note: Option<String>,
    /// Now.
    pub at: Millis,
}

/// Everything that is written when a task ends.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// How it ended.
    pub end: TaskEnd,
    /// The attempts that were still open.
    pub attempts: Vec<EndedAttempt>,
    /// The assets not stored yet.
    pub assets: Vec<Asset>,
    /// The answer of a text model.
    pub text: Option<Text>,
    /// What the account pays; must not exceed the hold. The rest of the hold is released.
    pub captured: Money,
    /// Tokens as the upstream counted them.
    pub usage: Usage,
    /// Time spent waiting for upstreams.
    pub upstream_ms: i64,
    /// Now.
    pub at: Millis,
}

/// Which page of a history is wanted.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Which tasks.
    pub filter: TaskFilter,
    /// Only what is older than this place.
    pub after: Option<TaskPlace>,
    /// How many at most.
    pub most: u32,
    /// How many tasks the filter may be held against. If so many bring fewer than `most`, the page is short and says
    /// where to go on: no question keeps a reader busy for long, however rare what it asks for is.
    pub look_at: u32,
}

/// What waits of one key in one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The lane.
    pub lane: String,
    /// Whose tasks they are.
    pub owner: Owner,
    /// How many.
    pub tasks: u64,
}

/// How full a lane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// Its name.
    pub lane: String,
    /// Tasks that wait.
    pub pending: u64,
    /// Tasks that run.
    pub processing: u64,
}

/// An account as `accounts create` makes it: prepaid, nothing added to prices.
pub fn new_account(name: &str, credit_line: CreditLine, at: Millis) -> Account {
    Account {
        id: AccountId::new(),
        name: name.to_owned(),
        credit_line,
        markup_basis_points: 0,
        frozen: false,
        concurrent: None,
        created_at: at,
    }
}

/// A key record for a secret whose last four characters are known.
pub fn new_key(
    account: &AccountId,
    name: &str,
    mode: Mode,
    last_four: &str,
    limits: KeyLimits,
    at: Millis,
) -> ApiKey {
    ApiKey {
        id: KeyId::new(),
        account: account.clone(),
        name: name.to_owned(),
        mode,
        last_four: last_four.to_owned(),
        limits,
        imported: false,
        created_at: at,
        revoked_at: None,
    }
}
