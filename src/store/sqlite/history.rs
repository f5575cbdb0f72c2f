//! Reading back: the tasks of an account, and the calls that the operator may have paid for nothing.

use super::rows::{all, columns, first};
use super::tasks::with_results;
use crate::store::{Listing, Result};
use crate::types::{AccountId, LostCall, Millis, TaskId, TaskPage, TaskPlace};
use rusqlite::{Connection, params};

/// A page: everything in it lies between two places of the index, so it costs what it looks at and no more.
pub(super) fn list(tx: &Connection, account: &AccountId, listing: &Listing) -> Result<TaskPage> {
    let filter = &listing.filter;
    let above = upper_end(listing);
    let since = filter.since.unwrap_or(Millis(i64::MIN));
    let last = if filter.is_selective() {
        last_looked_at(tx, account, &above, since, listing.look_at)?
    } else {
        None
    };
    let below = last.clone().unwrap_or_else(|| before_all(since));
    let wanted = listing.most.saturating_add(1);
    let found = all(
        tx,
        concat!(
            "SELECT ",
            columns!(task),
            " FROM tasks WHERE account = ?1 AND (created_at, id) < (?2, ?3) AND (created_at, id) >= (?4, ?5) \
             AND (?6 IS NULL OR state = ?6) AND (?7 IS NULL OR model = ?7) AND (?8 IS NULL OR key = ?8) \
             ORDER BY created_at DESC, id DESC LIMIT ?9"
        ),
        params![
            account.as_str(),
            above.created_at.0,
            above.task.as_str(),
            below.created_at.0,
            below.task.as_str(),
            filter.state.map(|state| state.name()),
            filter.model,
            filter.key.as_ref().map(|key| key.as_str()),
            wanted,
        ],
        |row| row.task(),
    )?;
    let is_full = found.len() as u64 == u64::from(wanted);
    let tasks = found
        .into_iter()
        .take(listing.most as usize)
        .map(|task| with_results(tx, task))
        .collect::<Result<Vec<_>>>()?;
    let next = if is_full {
        tasks.last().map(TaskPlace::of)
    } else {
        last
    };
    Ok(TaskPage { tasks, next })
}

/// Where the page begins: below the place that was reached and below the end of the stretch of time.
fn upper_end(listing: &Listing) -> TaskPlace {
    let until = before_all(listing.filter.until.unwrap_or(Millis(i64::MAX)));
    match &listing.after {
        Some(after) => after.clone().min(until),
        None => until,
    }
}

/// The place before every task of this moment.
fn before_all(at: Millis) -> TaskPlace {
    TaskPlace {
        created_at: at,
        task: TaskId::trusted(""),
    }
}

/// The last task that the filter is held against; `None` if there are fewer than that.
fn last_looked_at(
    tx: &Connection,
    account: &AccountId,
    above: &TaskPlace,
    since: Millis,
    look_at: u32,
) -> Result<Option<TaskPlace>> {
    first(
        tx,
        "SELECT created_at, id FROM tasks WHERE account = ?1 AND (created_at, id) < (?2, ?3) AND created_at >= ?4 \
         ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?5",
        params![
            account.as_str(),
            above.created_at.0,
            above.task.as_str(),
            since.0,
            look_at.saturating_sub(1),
        ],
        |row| {
            Ok(TaskPlace {
                created_at: row.millis()?,
                task: row.task_id()?,
            })
        },
    )
}

pub(super) fn lost_calls(tx: &Connection, since: Millis, most: u32) -> Result<Vec<LostCall>> {
    all(
        tx,
        concat!(
            "SELECT tasks.id, tasks.model, loss, ended_at, resolution, billed, resolved_at, resolution_note, ",
            columns!(account),
            ", ",
            columns!(attempt),
            " FROM attempts JOIN tasks ON tasks.id = attempts.task JOIN accounts ON accounts.id = tasks.account \
             WHERE (attempts.state = 'unknown' OR loss > 0) AND ended_at >= ?1 \
             ORDER BY ended_at DESC, attempts.task DESC, number DESC LIMIT ?2"
        ),
        params![since.0, most],
        |row| {
            Ok(LostCall {
                task: row.task_id()?,
                model: row.get()?,
                loss: row.money()?,
                ended_at: row.millis()?,
                resolved: row.resolved()?,
                account: row.account()?,
                attempt: row.attempt()?,
            })
        },
    )
}
