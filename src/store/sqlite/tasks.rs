//! Tasks from acceptance to the hand of a worker.

use super::money::{Transfer, count_spend, transfer};
use super::rows::{all, columns, execute, first, insert, json};
use super::{assets, attempts, files, idempotency, texts};
use crate::store::ledger::Kind;
use crate::store::{
    Admission, Admitted, Claim, Claimed, FIRST_FENCE, QueueDepth, Result, StoreError, TaskHold,
    UnansweredTask, Waiting,
};
use crate::types::{
    AccountId, KeyId, KeyLimits, MOST_LONE_CRASHES, Millis, Modality, Money, Owner, Request, Task,
    TaskId, TaskState,
};
use rusqlite::{Connection, params};

/// Accepts a task: its row, what it reads, its hold, and the intents of its first attempts.
pub(super) fn admit(tx: &Connection, admission: &Admission) -> Result<Admitted> {
    if let Some(asked) = &admission.idempotency {
        let (account, mode) = (&admission.account, admission.mode);
        if let Some(known) = idempotency::find(tx, account, mode, asked, admission.at)? {
            return Ok(Admitted::Known(known));
        }
    }
    if admission.start.is_none() {
        check_room(tx, &admission.key, admission.most_waiting)?;
    }
    files::check_all(tx, &admission.account, &admission.files)?;
    assets::check_all(tx, &admission.results, admission.at)?;
    insert_task(tx, admission)?;
    insert_inputs(tx, &admission.task, &admission.request)?;
    if let Some(window) = &admission.spend {
        count_spend(tx, &admission.key, window, admission.hold)?;
    }
    transfer(
        tx,
        &Transfer {
            kind: Kind::Hold,
            account: &admission.account,
            subject: admission.task.as_str(),
            amount: admission.hold,
            at: admission.at,
        },
    )?;
    if let Some(start) = &admission.start {
        attempts::insert_intents(tx, &admission.task, &start.attempts)?;
    }
    idempotency::note(tx, admission)?;
    Ok(Admitted::New)
}

fn check_room(tx: &Connection, key: &KeyId, most: u32) -> Result<()> {
    let waiting: u32 = first(
        tx,
        "SELECT count(*) FROM tasks WHERE state = 'pending' AND key = ?1",
        [key.as_str()],
        |row| row.get(),
    )?
    .unwrap_or(0);
    if waiting < most {
        Ok(())
    } else {
        Err(StoreError::QueueFull(waiting))
    }
}

fn insert_task(tx: &Connection, admission: &Admission) -> Result<()> {
    check_payer(tx, admission)?;
    let (state, fence, started_at) = match &admission.start {
        Some(_) => (TaskState::Processing, FIRST_FENCE, Some(admission.at.0)),
        None => (TaskState::Pending, FIRST_FENCE - 1, None),
    };
    insert(
        tx,
        "INSERT INTO tasks (id, account, key, mode, request, quote_unit, quote_total, hold, lane, public_url, \
         spend_window, state, worker, fence, created_at, started_at, model, quote_rates, asked, callback) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        params![
            admission.task.as_str(),
            admission.account.as_str(),
            admission.key.as_str(),
            admission.mode.name(),
            json(&*admission.request)?,
            admission.quote.unit.micros(),
            admission.quote.total.micros(),
            admission.hold.micros(),
            admission.lane,
            admission.public_url,
            admission.spend.as_ref().map(|window| &window.name),
            state.name(),
            admission.start.as_ref().map(|start| &start.worker),
            fence,
            admission.at.0,
            started_at,
            admission.request.model(),
            admission.quote.rates.as_ref().map(json).transpose()?,
            admission.asked,
            admission.callback.as_ref().map(json).transpose()?,
        ],
        || format!("task {}", admission.task),
    )
}

/// The key must be one of the account that pays.
fn check_payer(tx: &Connection, admission: &Admission) -> Result<()> {
    first(
        tx,
        "SELECT 1 FROM api_keys WHERE id = ?1 AND account = ?2",
        [admission.key.as_str(), admission.account.as_str()],
        |_| Ok(()),
    )?
    .ok_or_else(|| {
        StoreError::NotFound(format!(
            "key {} of account {}",
            admission.key, admission.account
        ))
    })
}

/// Keeps the pictures that a task reads, until it ends.
fn insert_inputs(tx: &Connection, task: &TaskId, request: &Request) -> Result<()> {
    for picture in request.images().iter().chain(request.mask()) {
        execute(
            tx,
            "INSERT INTO task_inputs (task, blob) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            [task.as_str(), picture.blob.as_str()],
        )?;
    }
    Ok(())
}

/// Gives the oldest waiting tasks of these keys to a worker, with the intents of their first calls.
pub(super) fn claim(tx: &Connection, claim: &Claim) -> Result<Vec<Claimed>> {
    let mut taken = Vec::new();
    for (key, most) in &claim.picks {
        taken.extend(all(
            tx,
            "SELECT id FROM tasks WHERE state = 'pending' AND lane = ?1 AND key = ?2 ORDER BY created_at, id LIMIT ?3",
            params![claim.lane, key.as_str(), most],
            |row| row.task_id(),
        )?);
    }
    taken
        .iter()
        .map(|task| claim_one(tx, task, claim))
        .collect()
}

fn claim_one(tx: &Connection, task: &TaskId, claim: &Claim) -> Result<Claimed> {
    execute(
        tx,
        "UPDATE tasks SET state = 'processing', worker = ?2, fence = fence + 1, started_at = ?3 \
         WHERE id = ?1 AND state = 'pending'",
        params![task.as_str(), claim.worker, claim.at.0],
    )?;
    let task = get(tx, task)?;
    let attempts = (claim.plan)(&task);
    attempts::insert_intents(tx, &task.id, &attempts)?;
    Ok(Claimed { task, attempts })
}

/// Adds up what waits in the index, then looks at each key once.
pub(super) fn list_waiting(tx: &Connection) -> Result<Vec<Waiting>> {
    all(
        tx,
        "SELECT lane, api_keys.account, api_keys.id, accounts.concurrent, limits, waiting \
         FROM (SELECT lane, key, count(*) AS waiting FROM tasks WHERE state = 'pending' GROUP BY lane, key) \
         JOIN api_keys ON api_keys.id = key JOIN accounts ON accounts.id = api_keys.account \
         ORDER BY lane, key",
        [],
        |row| {
            Ok(Waiting {
                lane: row.get()?,
                owner: Owner {
                    account: row.account_id()?,
                    key: row.key_id()?,
                    most_of_account: row.get()?,
                    most_of_key: row.json::<KeyLimits>()?.concurrent,
                },
                tasks: row.unsigned()?,
            })
        },
    )
}

pub(super) fn count_waiting(tx: &Connection, lane: &str, key: &KeyId) -> Result<u64> {
    let count = first(
        tx,
        "SELECT count(*) FROM tasks WHERE state = 'pending' AND lane = ?1 AND key = ?2",
        [lane, key.as_str()],
        |row| row.unsigned(),
    )?;
    Ok(count.unwrap_or(0))
}

pub(super) fn list_in_lane(tx: &Connection, lane: &str) -> Result<Vec<(AccountId, TaskId)>> {
    all(
        tx,
        "SELECT account, id FROM tasks WHERE state = 'pending' AND lane = ?1 ORDER BY key, created_at, id",
        [lane],
        |row| Ok((row.account_id()?, row.task_id()?)),
    )
}

pub(super) fn waits_in(tx: &Connection, task: &TaskId, lane: &str) -> Result<bool> {
    let found = first(
        tx,
        "SELECT 1 FROM tasks WHERE id = ?1 AND lane = ?2 AND state = 'pending'",
        [task.as_str(), lane],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

pub(super) fn move_waiting(
    tx: &Connection,
    task: &TaskId,
    (from, to): (&str, &str),
    request: &Request,
) -> Result<bool> {
    if !waits_in(tx, task, from)? {
        return Ok(false);
    }
    execute(
        tx,
        "UPDATE tasks SET lane = ?2, request = ?3 WHERE id = ?1",
        params![task.as_str(), to, json(request)?],
    )?;
    insert_inputs(tx, task, request)?;
    Ok(true)
}

pub(super) fn count_ahead(
    tx: &Connection,
    lane: &str,
    key: &KeyId,
    at: Millis,
    task: &TaskId,
) -> Result<u64> {
    let count = first(
        tx,
        "SELECT count(*) FROM tasks WHERE state = 'pending' AND lane = ?1 AND key = ?2 AND (created_at, id) < (?3, ?4)",
        params![lane, key.as_str(), at.0, task.as_str()],
        |row| row.unsigned(),
    )?;
    Ok(count.unwrap_or(0))
}

pub(super) fn note_alone(tx: &Connection, hold: &TaskHold) -> Result<()> {
    check_hold(tx, hold)?;
    execute(
        tx,
        "UPDATE tasks SET alone = 1 WHERE id = ?1",
        [hold.task.as_str()],
    )?;
    Ok(())
}

/// The bound stands in the statement as in the index: SQLite compares them by their words.
pub(super) fn list_poison(tx: &Connection, most: u32) -> Result<Vec<Task>> {
    const {
        assert!(
            MOST_LONE_CRASHES == 3,
            "the index `tasks_poison` and the statement below say so"
        )
    };
    all(
        tx,
        concat!(
            "SELECT ",
            columns!(task),
            " FROM tasks WHERE lone_crashes >= 3 AND completed_at IS NOT NULL \
             ORDER BY completed_at DESC, id DESC LIMIT ?1"
        ),
        [most],
        |row| row.task(),
    )
}

pub(super) fn claimed(tx: &Connection, task: &TaskId) -> Result<Claimed> {
    Ok(Claimed {
        task: get(tx, task)?,
        attempts: attempts::list(tx, task)?,
    })
}

/// What ending a task needs to know of it.
pub(super) struct Bill {
    pub account: AccountId,
    pub key: KeyId,
    pub hold: Money,
    pub spend_window: Option<String>,
    pub state: TaskState,
    pub fence: i64,
}

pub(super) fn find_bill(tx: &Connection, task: &TaskId) -> Result<Option<Bill>> {
    first(
        tx,
        "SELECT account, key, hold, spend_window, state, fence FROM tasks WHERE id = ?1",
        [task.as_str()],
        |row| {
            Ok(Bill {
                account: row.account_id()?,
                key: row.key_id()?,
                hold: row.money()?,
                spend_window: row.get()?,
                state: row.state()?,
                fence: row.get()?,
            })
        },
    )
}

/// The bill of a task, if this hold is still the one that counts.
pub(super) fn check_hold(tx: &Connection, hold: &TaskHold) -> Result<Bill> {
    find_bill(tx, &hold.task)?
        .filter(|bill| bill.state == TaskState::Processing && bill.fence == hold.fence)
        .ok_or(StoreError::Fenced)
}

pub(super) fn find(tx: &Connection, account: &AccountId, task: &TaskId) -> Result<Option<Task>> {
    let task = first(
        tx,
        concat!(
            "SELECT ",
            columns!(task),
            " FROM tasks WHERE id = ?1 AND account = ?2"
        ),
        [task.as_str(), account.as_str()],
        |row| row.task(),
    )?;
    task.map(|task| with_results(tx, task)).transpose()
}

/// A task that is known to exist, whoever owns it.
pub(super) fn get(tx: &Connection, task: &TaskId) -> Result<Task> {
    let found = first(
        tx,
        concat!("SELECT ", columns!(task), " FROM tasks WHERE id = ?1"),
        [task.as_str()],
        |row| row.task(),
    )?;
    with_results(
        tx,
        found.ok_or_else(|| StoreError::NotFound(format!("task {task}")))?,
    )
}

pub(super) fn with_results(tx: &Connection, task: Task) -> Result<Task> {
    let answers = match task.request.modality() {
        Modality::Text => texts::of_task(tx, &task.id)?,
        _ => texts::Answers::default(),
    };
    Ok(Task {
        assets: assets::of_task(tx, &task.id)?,
        text: answers.in_time,
        late_text: answers.late,
        ..task
    })
}

/// Both parts of the statement go through what is unfinished, not through the history.
pub(super) fn unanswered(tx: &Connection, since: Millis) -> Result<Vec<UnansweredTask>> {
    all(
        tx,
        "SELECT id, key, asked, created_at FROM tasks \
         WHERE state = 'pending' AND asked IS NOT NULL AND created_at > ?1 \
         UNION ALL \
         SELECT id, key, asked, created_at FROM tasks \
         WHERE state = 'processing' AND asked IS NOT NULL AND created_at > ?1",
        [since.0],
        |row| {
            Ok(UnansweredTask {
                task: row.task_id()?,
                key: row.key_id()?,
                asked: row.get()?,
                created_at: row.millis()?,
            })
        },
    )
}

pub(super) fn queue(tx: &Connection) -> Result<Vec<QueueDepth>> {
    all(
        tx,
        "SELECT lane, sum(pending), sum(processing) FROM ( \
           SELECT lane, count(*) AS pending, 0 AS processing FROM tasks WHERE state = 'pending' GROUP BY lane \
           UNION ALL \
           SELECT lane, 0, count(*) FROM tasks WHERE state = 'processing' GROUP BY lane \
         ) GROUP BY lane ORDER BY lane",
        [],
        |row| {
            Ok(QueueDepth {
                lane: row.get()?,
                pending: row.get::<i64>()?.cast_unsigned(),
                processing: row.get::<i64>()?.cast_unsigned(),
            })
        },
    )
}
