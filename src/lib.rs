//! Pinhole: one small opening through which an application reaches every image model.
//!
//! Every generation is a *task*. A request comes in as an [`intake::Intake`] and goes one way:
//!
//! ```text
//! intake → dialect.decode → Draft → catalogue.check → Request → quote → route → admit (task + hold + intents)
//!        → provider → events → blobs → settle (one transaction) → reply
//! ```
//!
//! The modules, lowest first; none imports one below it in this list (`tests/it/architecture.rs` sees to that):
//!
//! - [`types`] — the words that all others speak. Plain data and pure rules.
//! - [`error`] — what can go wrong for a caller, and the one table of answers.
//! - [`config`] — settings from flags, environment and file.
//! - [`fetch`] — whatever leaves on a client's behalf, past a guard that knows where it may go.
//! - [`failpoint`] — named places where a test lets the process die.
//! - [`blob`] — where pictures lie, with their hash and what their header says.
//! - [`intake`] — a body becomes a skeleton and staged blobs.
//! - [`catalogue`] — models from files: what each takes and costs; the schema check.
//! - [`dialect`] — the wire shapes that clients speak.
//! - [`provider`] — the upstreams, and `sketch`, which draws.
//! - [`store`] — what must survive a crash, as business transactions; the ledger.
//! - [`engine`] — admit, run, settle, recover.
//! - [`webhook`] — tells receivers that a task has ended.
//! - [`api`] — HTTP.
//! - [`app`] — builds the handles, starts the workers, drains, stops.
//! - [`cli`] — the command line.
//! - `fuzz` — what holds for any bytes; compiled for tests and fuzzers alone.

pub mod api;
pub mod app;
pub mod blob;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod engine;
pub mod error;
pub mod failpoint;
pub mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod intake;
pub mod provider;
pub mod store;
pub mod types;
pub mod webhook;
