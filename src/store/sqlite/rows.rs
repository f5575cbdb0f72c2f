//! Rows become types and back, and SQLite's errors become the store's.

use crate::store::{Result, StoreError};
use crate::types::{
    Account, AccountId, ApiKey, Asset, AssetId, Attempt, AttemptState, Balance, BlobKey,
    CreditLine, Delivery, DeliveryAttempt, DeliveryId, DeliveryState, FailKind, Failure, FileId,
    Finish, Format, InputFile, KeyId, Millis, Mode, Money, Part, Picture, Quote, Resolution,
    Resolved, Signing, SigningSecret, Task, TaskId, TaskState, Text, UpstreamId, Usage,
};
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The columns of a table in the order in which this file reads them, to be put into a statement by `concat!`.
macro_rules! columns {
    (account) => {
        "accounts.id, accounts.name, credit_line, markup_basis_points, frozen, accounts.concurrent, \
         accounts.created_at"
    };
    (key) => {
        "api_keys.id, account, api_keys.name, mode, last_four, limits, imported, api_keys.created_at, revoked_at"
    };
    (task) => {
        "id, account, key, mode, request, quote_unit, quote_total, quote_rates, lane, public_url, callback, state, fence, crashes, \
         lone_crashes, created_at, started_at, completed_at, fail_kind, fail_message, captured, \
         input_text_tokens, input_image_tokens, output_tokens, upstream_ms"
    };
    (attempt) => {
        "number, first_image, attempts.images, provider, upstream_model, unit_cost, attempts.state, upstream_id, \
         attempts.fail_kind, attempts.fail_message, attempts.created_at"
    };
    (asset) => {
        "id, task, account, image_index, blob, bytes, hash, format, width, height, revised_prompt, \
         created_at, expires_at, late"
    };
    (delivery) => {
        "id, task, account, url, destination, state, attempts, tries, fence, due_at, sent_at, ends_at, created_at, \
         ended_at"
    };
    (file) => {
        "id, account, name, purpose, blob, bytes, hash, format, width, height, created_at, expires_at"
    };
}
pub(super) use columns;

/// Every statement that was prepared, for the test that looks at their plans.
#[cfg(test)]
pub(super) static PREPARED: std::sync::Mutex<std::collections::BTreeSet<&'static str>> =
    std::sync::Mutex::new(std::collections::BTreeSet::new());

/// Prepares a statement, or takes it from the connection's cache. Every statement on a caller's path is got here.
pub(super) fn prepare<'c>(
    connection: &'c Connection,
    sql: &'static str,
) -> Result<CachedStatement<'c>> {
    #[cfg(test)]
    PREPARED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .insert(sql);
    connection.prepare_cached(sql).map_err(fault)
}

/// Carries out a statement and returns how many rows it changed.
pub(super) fn execute(tx: &Connection, sql: &'static str, params: impl Params) -> Result<usize> {
    prepare(tx, sql)?.execute(params).map_err(fault)
}

/// Inserts a row; `what` names it if it, or one with the same unique value, exists.
pub(super) fn insert(
    tx: &Connection,
    sql: &'static str,
    params: impl Params,
    what: impl FnOnce() -> String,
) -> Result<()> {
    match prepare(tx, sql)?.execute(params) {
        Ok(_) => Ok(()),
        Err(error) if is_duplicate(&error) => Err(StoreError::Exists(what())),
        Err(error) => Err(fault(error)),
    }
}

/// The first row, if there is one.
pub(super) fn first<T>(
    tx: &Connection,
    sql: &'static str,
    params: impl Params,
    read: impl FnOnce(&mut Cells<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = prepare(tx, sql)?;
    let mut rows = statement.query(params).map_err(fault)?;
    match rows.next().map_err(fault)? {
        Some(row) => read(&mut Cells { row, next: 0 }).map(Some),
        None => Ok(None),
    }
}

/// Every row.
pub(super) fn all<T>(
    tx: &Connection,
    sql: &'static str,
    params: impl Params,
    mut read: impl FnMut(&mut Cells<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = prepare(tx, sql)?;
    let mut rows = statement.query(params).map_err(fault)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(fault)? {
        found.push(read(&mut Cells { row, next: 0 })?);
    }
    Ok(found)
}

/// A row that is read from left to right.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl Cells<'_> {
    /// The next cell.
    pub fn get<T: FromSql>(&mut self) -> Result<T> {
        let cell = self.row.get(self.next).map_err(fault)?;
        self.next += 1;
        Ok(cell)
    }

    pub fn money(&mut self) -> Result<Money> {
        self.get().map(Money::from_micros)
    }

    pub fn millis(&mut self) -> Result<Millis> {
        self.get().map(Millis)
    }

    fn optional_millis(&mut self) -> Result<Option<Millis>> {
        Ok(self.get::<Option<i64>>()?.map(Millis))
    }

    pub fn unsigned(&mut self) -> Result<u64> {
        self.get::<i64>().map(i64::cast_unsigned)
    }

    /// A word of ours, or an error that names it: then a newer program wrote the row.
    pub fn word<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let word: String = self.get()?;
        read(&word)
            .ok_or_else(|| StoreError::Backend(format!("a row says {word:?}, which means nothing")))
    }

    /// A JSON text. Its error says where and not what: a request holds a prompt.
    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let text = self
            .row
            .get_ref(self.next)
            .map_err(fault)?
            .as_str()
            .map_err(|error| StoreError::Backend(format!("a JSON cell is no text: {error}")))?;
        self.next += 1;
        serde_json::from_str(text).map_err(|error| {
            StoreError::Backend(format!(
                "a JSON cell of {} bytes cannot be read at column {}",
                text.len(),
                error.column()
            ))
        })
    }

    fn optional_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let cell = self.row.get_ref(self.next).map_err(fault)?;
        if cell == ValueRef::Null {
            self.next += 1;
            return Ok(None);
        }
        self.json().map(Some)
    }

    pub fn account_id(&mut self) -> Result<AccountId> {
        self.get::<String>().map(AccountId::trusted)
    }

    pub fn key_id(&mut self) -> Result<KeyId> {
        self.get::<String>().map(KeyId::trusted)
    }

    pub fn task_id(&mut self) -> Result<TaskId> {
        self.get::<String>().map(TaskId::trusted)
    }

    pub fn file_id(&mut self) -> Result<FileId> {
        self.get::<String>().map(FileId::trusted)
    }

    pub fn blob_key(&mut self) -> Result<BlobKey> {
        self.get::<String>().map(BlobKey::trusted)
    }

    pub fn state(&mut self) -> Result<TaskState> {
        self.word(TaskState::from_name)
    }

    fn mode(&mut self) -> Result<Mode> {
        self.word(|word| {
            [Mode::Live, Mode::Test]
                .into_iter()
                .find(|mode| mode.name() == word)
        })
    }

    pub fn balance(&mut self) -> Result<Balance> {
        Ok(Balance {
            available: self.money()?,
            held: self.money()?,
        })
    }

    pub fn account(&mut self) -> Result<Account> {
        Ok(Account {
            id: self.account_id()?,
            name: self.get()?,
            credit_line: credit_line(self.get()?),
            markup_basis_points: self.get()?,
            frozen: self.get()?,
            concurrent: self.get()?,
            created_at: self.millis()?,
        })
    }

    pub fn key(&mut self) -> Result<ApiKey> {
        Ok(ApiKey {
            id: self.key_id()?,
            account: self.account_id()?,
            name: self.get()?,
            mode: self.mode()?,
            last_four: self.get()?,
            limits: self.json()?,
            imported: self.get()?,
            created_at: self.millis()?,
            revoked_at: self.optional_millis()?,
        })
    }

    pub fn text(&mut self) -> Result<Text> {
        Ok(Text {
            content: self.get::<Option<String>>()?.unwrap_or_default(),
            finish: self.word(Finish::from_name)?,
            expires_at: self.optional_millis()?,
        })
    }

    /// A task without its assets and its text, which stand in rows of their own.
    pub fn task(&mut self) -> Result<Task> {
        Ok(Task {
            id: self.task_id()?,
            account: self.account_id()?,
            key: self.key_id()?,
            mode: self.mode()?,
            request: Arc::new(self.json()?),
            quote: Quote {
                unit: self.money()?,
                total: self.money()?,
                rates: self.optional_json()?,
            },
            lane: self.get()?,
            public_url: self.get()?,
            callback: self.optional_json()?,
            state: self.state()?,
            fence: self.get()?,
            crashes: self.get()?,
            lone_crashes: self.get()?,
            created_at: self.millis()?,
            started_at: self.optional_millis()?,
            completed_at: self.optional_millis()?,
            failure: self.failure()?,
            captured: self.money()?,
            usage: Usage {
                input_text_tokens: self.unsigned()?,
                input_image_tokens: self.unsigned()?,
                output_tokens: self.unsigned()?,
            },
            upstream_ms: self.get()?,
            assets: Vec::new(),
            text: None,
            late_text: None,
        })
    }

    fn failure(&mut self) -> Result<Option<Failure>> {
        let kind: Option<String> = self.get()?;
        let message: Option<String> = self.get()?;
        let Some(kind) = kind else { return Ok(None) };
        let kind = FailKind::from_name(&kind)
            .ok_or_else(|| StoreError::Backend(format!("no failure is called {kind:?}")))?;
        Ok(Some(Failure::new(kind, message.unwrap_or_default())))
    }

    pub fn attempt(&mut self) -> Result<Attempt> {
        Ok(Attempt {
            number: self.get()?,
            part: Part {
                first: self.get()?,
                count: self.get()?,
            },
            provider: self.get()?,
            upstream_model: self.get()?,
            unit_cost: self.money()?,
            state: self.word(AttemptState::from_name)?,
            upstream_id: self.get::<Option<String>>()?.map(UpstreamId),
            failure: self.failure()?,
            created_at: self.millis()?,
        })
    }

    /// Four columns; none of them is set where nothing became known.
    pub fn resolved(&mut self) -> Result<Option<Resolved>> {
        let (name, billed): (Option<String>, Option<i64>) = (self.get()?, self.get()?);
        let (at, note) = (self.optional_millis()?, self.get()?);
        let resolution = name.as_deref().and_then(Resolution::from_name);
        Ok(resolution.map(|resolution| Resolved {
            resolution,
            billed: Money::from_micros(billed.unwrap_or(0)),
            at: at.unwrap_or(Millis(0)),
            note,
        }))
    }

    pub fn asset(&mut self) -> Result<Asset> {
        Ok(Asset {
            id: self.get::<String>().map(AssetId::trusted)?,
            task: self.task_id()?,
            account: self.account_id()?,
            index: self.get()?,
            picture: self.picture()?,
            revised_prompt: self.get()?,
            created_at: self.millis()?,
            expires_at: self.optional_millis()?,
            is_late: self.get()?,
        })
    }

    pub fn delivery(&mut self) -> Result<Delivery> {
        Ok(Delivery {
            id: self.get::<String>().map(DeliveryId::trusted)?,
            task: self.task_id()?,
            account: self.account_id()?,
            url: self.get()?,
            destination: self.get()?,
            state: self.word(DeliveryState::from_name)?,
            attempts: self.get()?,
            tries: self.get()?,
            fence: self.get()?,
            due_at: self.optional_millis()?,
            sent_at: self.optional_millis()?,
            ends_at: self.millis()?,
            created_at: self.millis()?,
            ended_at: self.optional_millis()?,
        })
    }

    pub fn delivery_attempt(&mut self) -> Result<DeliveryAttempt> {
        Ok(DeliveryAttempt {
            number: self.get()?,
            started_at: self.millis()?,
            ended_at: self.millis()?,
            status: self.get()?,
            problem: self.get()?,
            answer: self.get()?,
        })
    }

    /// A secret that signs. What cannot be read is not shown: it may be a secret all the same.
    pub fn signing(&mut self) -> Result<Signing> {
        let secret = SigningSecret::parse(&self.get::<String>()?);
        let unreadable = || StoreError::Backend("a signing secret cannot be read".to_owned());
        Ok(Signing {
            secret: secret.ok_or_else(unreadable)?,
            created_at: self.millis()?,
            retires_at: self.optional_millis()?,
        })
    }

    fn picture(&mut self) -> Result<Picture> {
        Ok(Picture {
            blob: self.blob_key()?,
            bytes: self.unsigned()?,
            hash: self.get()?,
            format: self.word(Format::from_name)?,
            width: self.get()?,
            height: self.get()?,
        })
    }

    pub fn file(&mut self) -> Result<InputFile> {
        Ok(InputFile {
            id: self.file_id()?,
            account: self.account_id()?,
            name: self.get()?,
            purpose: self.get()?,
            picture: self.picture()?,
            created_at: self.millis()?,
            expires_at: self.millis()?,
        })
    }
}

fn credit_line(bound: Option<i64>) -> CreditLine {
    bound.map_or(CreditLine::Unlimited, |micros| {
        CreditLine::UpTo(Money::from_micros(micros))
    })
}

/// The column of a credit line: `NULL` is unlimited.
pub(super) fn credit_line_micros(line: CreditLine) -> Option<i64> {
    match line {
        CreditLine::Unlimited => None,
        CreditLine::UpTo(bound) => Some(bound.micros()),
    }
}

/// A value as JSON text.
pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Backend(format!("a value cannot be written as JSON: {error}")))
}

/// SQLite's error as the store's.
pub(super) fn fault(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        _ => StoreError::Backend(error.to_string()),
    }
}

/// Whether a unique value stands in the table already.
fn is_duplicate(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
    )
}
