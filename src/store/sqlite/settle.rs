//! The end of a task: its state and its money in one transaction.

use super::money::{Transfer, transfer, uncount_spend};
use super::rows::{all, execute};
use super::tasks::{self, Bill, check_hold, find_bill};
use super::{assets, attempts, outbox, texts};
use crate::store::ledger::Kind;
use crate::store::{Abandoned, EndedAttempt, Result, Settlement, StoreError, TaskHold};
use crate::types::{
    AccountId, AttemptState, FailKind, Failure, Millis, Money, Task, TaskEnd, TaskId, TaskState,
    Usage,
};
use rusqlite::{Connection, params};

/// Ends a task that a worker holds.
pub(super) fn settle(tx: &Connection, hold: &TaskHold, settlement: &Settlement) -> Result<Task> {
    let bill = check_hold(tx, hold)?;
    for ended in &settlement.attempts {
        attempts::end_one(tx, &hold.task, &bill, ended)?;
    }
    assets::insert_all(tx, &hold.task, &bill.account, &settlement.assets)?;
    if let Some(text) = &settlement.text {
        texts::put(tx, &hold.task, text)?;
    }
    finish(
        tx,
        &hold.task,
        &bill,
        &Ending {
            end: &settlement.end,
            captured: settlement.captured,
            usage: settlement.usage,
            upstream_ms: settlement.upstream_ms,
            at: settlement.at,
        },
    )?;
    tasks::get(tx, &hold.task)
}

/// Ends a task that still waits. One that has started is returned as it is.
pub(super) fn cancel(
    tx: &Connection,
    account: &AccountId,
    task: &TaskId,
    at: Millis,
) -> Result<Option<Task>> {
    let Some(bill) = find_bill(tx, task)?.filter(|bill| bill.account == *account) else {
        return Ok(None);
    };
    if bill.state == TaskState::Pending {
        let cancelled = Failure::new(
            FailKind::Cancelled,
            "the task was cancelled before it started",
        );
        end_unstarted(tx, task, &bill, cancelled, at)?;
    }
    tasks::get(tx, task).map(Some)
}

/// Ends the longest waiting tasks whose time is over.
pub(super) fn expire_waiting(
    tx: &Connection,
    before: Millis,
    at: Millis,
    most: u32,
) -> Result<Vec<Task>> {
    let late = all(
        tx,
        "SELECT id FROM tasks WHERE state = 'pending' AND created_at <= ?1 ORDER BY created_at LIMIT ?2",
        params![before.0, most],
        |row| row.task_id(),
    )?;
    let mut ended = Vec::new();
    for task in &late {
        let Some(bill) = find_bill(tx, task)? else {
            continue;
        };
        let failure = Failure::new(
            FailKind::DeadlineExceeded,
            "the task waited for its turn until its time was over",
        );
        end_unstarted(tx, task, &bill, failure, at)?;
        ended.push(tasks::get(tx, task)?);
    }
    Ok(ended)
}

/// Ends all that is unfinished, and tells nobody.
pub(super) fn abandon_unfinished(tx: &Connection, why: &Failure, at: Millis) -> Result<Abandoned> {
    let mut tasks = all(
        tx,
        "SELECT id FROM tasks WHERE state = 'pending' UNION ALL SELECT id FROM tasks WHERE state = 'processing'",
        [],
        |row| row.task_id(),
    )?;
    tasks.sort();
    for task in &tasks {
        abandon(tx, task, why, at)?;
    }
    let deliveries = outbox::give_up_all(tx, at)?;
    Ok(Abandoned { tasks, deliveries })
}

fn abandon(tx: &Connection, task: &TaskId, why: &Failure, at: Millis) -> Result<()> {
    let bill = find_bill(tx, task)?;
    let bill = bill.ok_or_else(|| StoreError::NotFound(format!("task {task}")))?;
    for attempt in attempts::list(tx, task)? {
        if attempt.state == AttemptState::Intent {
            let unknown = EndedAttempt {
                number: attempt.number,
                state: AttemptState::Unknown,
                cost: Money::ZERO,
                loss: (attempt.unit_cost.times(attempt.part.count)).unwrap_or(Money::ZERO),
                failure: Some(why.clone()),
                at,
            };
            attempts::end_one(tx, task, &bill, &unknown)?;
        }
    }
    let ending = Ending {
        end: &TaskEnd::Failed(why.clone()),
        captured: Money::ZERO,
        usage: Usage::default(),
        upstream_ms: 0,
        at,
    };
    close(tx, task, &bill, &ending)
}

/// Ends a task that waits in this lane.
pub(super) fn fail_waiting(
    tx: &Connection,
    task: &TaskId,
    lane: &str,
    why: Failure,
    at: Millis,
) -> Result<Option<Task>> {
    let bill = match tasks::waits_in(tx, task, lane)? {
        true => find_bill(tx, task)?,
        false => None,
    };
    let Some(bill) = bill else { return Ok(None) };
    end_unstarted(tx, task, &bill, why, at)?;
    tasks::get(tx, task).map(Some)
}

/// Ends a task that waits: nothing was done for it.
fn end_unstarted(
    tx: &Connection,
    task: &TaskId,
    bill: &Bill,
    failure: Failure,
    at: Millis,
) -> Result<()> {
    finish(
        tx,
        task,
        bill,
        &Ending {
            end: &TaskEnd::Failed(failure),
            captured: Money::ZERO,
            usage: Usage::default(),
            upstream_ms: 0,
            at,
        },
    )
}

/// What the row of a finished task says.
struct Ending<'a> {
    end: &'a TaskEnd,
    captured: Money,
    usage: Usage,
    upstream_ms: i64,
    at: Millis,
}

fn finish(tx: &Connection, task: &TaskId, bill: &Bill, ending: &Ending<'_>) -> Result<()> {
    close(tx, task, bill, ending)?;
    outbox::enqueue(tx, task, &bill.account, ending.at)
}

/// Ends a task and tells nobody.
fn close(tx: &Connection, task: &TaskId, bill: &Bill, ending: &Ending<'_>) -> Result<()> {
    pay(tx, task, bill, ending)?;
    write_end(tx, task, bill, ending)?;
    execute(
        tx,
        "DELETE FROM task_inputs WHERE task = ?1",
        [task.as_str()],
    )?;
    Ok(())
}

/// Captures what was delivered and gives the rest of the hold back.
fn pay(tx: &Connection, task: &TaskId, bill: &Bill, ending: &Ending<'_>) -> Result<()> {
    let captured = ending.captured;
    let wrong = |why: &str| {
        let hold = bill.hold;
        Err(StoreError::Backend(format!(
            "task {task} holds {hold} and would capture {captured}: {why}"
        )))
    };
    if captured < Money::ZERO || captured > bill.hold {
        return wrong("that is not a part of the hold");
    }
    if captured > Money::ZERO && ending.end.state() == TaskState::Failed {
        return wrong("a failed task is free");
    }
    let Some(released) = bill.hold.minus(captured) else {
        return wrong("the difference overflows");
    };
    for (kind, amount) in [(Kind::Capture, captured), (Kind::Release, released)] {
        transfer(
            tx,
            &Transfer {
                kind,
                account: &bill.account,
                subject: task.as_str(),
                amount,
                at: ending.at,
            },
        )?;
    }
    uncount_spend(tx, &bill.key, bill.spend_window.as_deref(), released)
}

fn write_end(tx: &Connection, task: &TaskId, bill: &Bill, ending: &Ending<'_>) -> Result<()> {
    let state = ending.end.state();
    if !bill.state.may_become(state) {
        return Err(StoreError::Fenced);
    }
    let failure = match ending.end {
        TaskEnd::Completed => None,
        TaskEnd::Failed(failure) => Some(failure),
    };
    execute(
        tx,
        "UPDATE tasks SET state = ?2, completed_at = ?3, fail_kind = ?4, fail_message = ?5, captured = ?6, \
         input_text_tokens = ?7, input_image_tokens = ?8, output_tokens = ?9, upstream_ms = ?10, \
         images = (SELECT count(*) FROM assets WHERE assets.task = ?1) WHERE id = ?1",
        params![
            task.as_str(),
            state.name(),
            ending.at.0,
            failure.map(|failure| failure.kind.name()),
            failure.map(|failure| &failure.message),
            ending.captured.micros(),
            ending.usage.input_text_tokens.cast_signed(),
            ending.usage.input_image_tokens.cast_signed(),
            ending.usage.output_tokens.cast_signed(),
            ending.upstream_ms
        ],
    )?;
    Ok(())
}
