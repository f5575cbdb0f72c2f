//! The words every other module speaks: ids, money, drafts and requests, tasks and attempts, assets.
//!
//! Plain data and pure rules. This module imports nothing of ours, does no I/O and reads no clock.

pub mod account;
pub mod asset;
pub mod attempt;
pub mod consumption;
pub mod delivery;
pub mod file;
pub mod history;
pub mod ids;
pub mod lease;
pub mod money;
pub mod request;
pub mod secret;
pub mod task;
pub mod text;
pub mod time;
pub mod tokens;
pub mod words;

pub use account::{
    Account, ApiKey, Balance, Caller, CreditLine, KeyLimits, Mode, Owner, Scope, SpendCap,
    SpendPeriod,
};
pub use asset::{Asset, Format, Picture};
pub use attempt::{Attempt, AttemptEnd, AttemptState, Memory, Next, Part, Recovery, after_crash};
pub use consumption::{NotAPeriod, Period, UsageBy, Used, UsedBy};
pub use delivery::{
    Callback, Delivery, DeliveryAttempt, DeliveryLog, DeliveryState, MOST_OF_ANSWER, Signing,
    SigningSecret,
};
pub use file::InputFile;
pub use history::{LostCall, MOST_BILLED, Resolution, Resolved, TaskFilter, TaskPage, TaskPlace};
pub use ids::{
    AccountId, AssetId, AttemptNumber, BlobKey, DeliveryId, FileId, KeyId, RequestId, TaskId,
    UpstreamId,
};
pub use lease::{Vigil, WorkerBeat};
pub use money::Money;
pub use request::{
    Draft, Envelope, Field, Fingerprint, Link, Modality, Operation, Request, ResponseFormat,
};
pub use secret::Secret;
pub use task::{FailKind, Failure, MOST_LONE_CRASHES, Quote, Task, TaskEnd, TaskState};
pub use text::{Finish, Text};
pub use time::Millis;
pub use tokens::{TokenRates, Usage};
