//! Attempts: an intent before the first byte leaves, one end after.

use super::assets;
use super::money::{Transfer, transfer};
use super::rows::{all, columns, execute, insert};
use super::tasks::{Bill, check_hold};
use crate::store::ledger::Kind;
use crate::store::{EndedAttempt, Result, StoreError, TaskHold};
use crate::types::{Asset, Attempt, AttemptNumber, AttemptState, TaskId, UpstreamId};
use rusqlite::{Connection, params};

pub(super) fn begin(tx: &Connection, hold: &TaskHold, attempts: &[Attempt]) -> Result<()> {
    check_hold(tx, hold)?;
    insert_intents(tx, &hold.task, attempts)
}

pub(super) fn insert_intents(tx: &Connection, task: &TaskId, attempts: &[Attempt]) -> Result<()> {
    for attempt in attempts {
        insert_intent(tx, task, attempt)?;
    }
    Ok(())
}

fn insert_intent(tx: &Connection, task: &TaskId, attempt: &Attempt) -> Result<()> {
    if attempt.state != AttemptState::Intent {
        return Err(StoreError::Backend(format!(
            "attempt {task}/{} begins as {}, not as an intent",
            attempt.number,
            attempt.state.name()
        )));
    }
    insert(
        tx,
        "INSERT INTO attempts (task, number, first_image, images, provider, upstream_model, unit_cost, state, \
         upstream_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'intent', ?8, ?9)",
        params![
            task.as_str(),
            attempt.number,
            attempt.part.first,
            attempt.part.count,
            attempt.provider,
            attempt.upstream_model,
            attempt.unit_cost.micros(),
            attempt.upstream_id.as_ref().map(|id| &id.0),
            attempt.created_at.0
        ],
        || format!("attempt {task}/{}", attempt.number),
    )
}

pub(super) fn note_upstream_id(
    tx: &Connection,
    hold: &TaskHold,
    number: AttemptNumber,
    id: &UpstreamId,
) -> Result<()> {
    check_hold(tx, hold)?;
    let noted = execute(
        tx,
        "UPDATE attempts SET upstream_id = ?3 WHERE task = ?1 AND number = ?2",
        params![hold.task.as_str(), number, id.0],
    )?;
    if noted == 1 {
        return Ok(());
    }
    Err(StoreError::NotFound(format!(
        "attempt {}/{number}",
        hold.task
    )))
}

pub(super) fn fail_over(
    tx: &Connection,
    hold: &TaskHold,
    ended: &EndedAttempt,
    next: &Attempt,
) -> Result<()> {
    let bill = check_hold(tx, hold)?;
    end_one(tx, &hold.task, &bill, ended)?;
    insert_intent(tx, &hold.task, next)
}

/// Ends one attempt of a task that goes on.
pub(super) fn end(
    tx: &Connection,
    hold: &TaskHold,
    ended: &EndedAttempt,
    assets: &[Asset],
) -> Result<()> {
    let bill = check_hold(tx, hold)?;
    end_one(tx, &hold.task, &bill, ended)?;
    assets::insert_all(tx, &hold.task, &bill.account, assets)
}

/// Writes how an attempt ended, and books what it costs the operator.
pub(super) fn end_one(
    tx: &Connection,
    task: &TaskId,
    bill: &Bill,
    ended: &EndedAttempt,
) -> Result<()> {
    let subject = format!("{task}/{}", ended.number);
    let changed = execute(
        tx,
        "UPDATE attempts SET state = ?3, cost = ?4, loss = ?5, fail_kind = ?6, fail_message = ?7, ended_at = ?8 \
         WHERE task = ?1 AND number = ?2 AND state = 'intent'",
        params![
            task.as_str(),
            ended.number,
            ended.state.name(),
            ended.cost.micros(),
            ended.loss.micros(),
            ended.failure.as_ref().map(|failure| failure.kind.name()),
            ended.failure.as_ref().map(|failure| &failure.message),
            ended.at.0
        ],
    )?;
    if changed != 1 || !ended.state.is_final() {
        return Err(StoreError::Backend(format!(
            "attempt {subject} is not open, or would not end as {}",
            ended.state.name()
        )));
    }
    for (kind, amount) in [(Kind::Cost, ended.cost), (Kind::Loss, ended.loss)] {
        let account = &bill.account;
        let (subject, at) = (subject.as_str(), ended.at);
        transfer(
            tx,
            &Transfer {
                kind,
                account,
                subject,
                amount,
                at,
            },
        )?;
    }
    Ok(())
}

pub(super) fn list(tx: &Connection, task: &TaskId) -> Result<Vec<Attempt>> {
    all(
        tx,
        concat!(
            "SELECT ",
            columns!(attempt),
            " FROM attempts WHERE task = ?1 ORDER BY number"
        ),
        [task.as_str()],
        |row| row.attempt(),
    )
}
