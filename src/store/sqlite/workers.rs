//! Workers: who lives, and whose work is taken over.

use super::rows::{all, execute, first};
use super::tasks;
use crate::store::{Claimed, Result};
use crate::types::{TaskId, WorkerBeat};
use rusqlite::{Connection, params};

pub(super) fn beat(tx: &Connection, worker: &str) -> Result<()> {
    execute(
        tx,
        "INSERT INTO workers (name, beat) VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET beat = beat + 1",
        [worker],
    )?;
    Ok(())
}

/// Goes through what runs, which is little, and looks up the worker of each; then through those that run nothing, because
/// what they have accepted may wait.
pub(super) fn others(tx: &Connection, worker: &str) -> Result<Vec<WorkerBeat>> {
    all(
        tx,
        "SELECT DISTINCT worker, coalesce(beat, 0) FROM tasks LEFT JOIN workers ON name = worker \
         WHERE state = 'processing' AND worker <> ?1 \
         UNION SELECT name, beat FROM workers WHERE name <> ?1",
        [worker],
        |row| {
            Ok(WorkerBeat {
                worker: row.get()?,
                beat: row.get()?,
            })
        },
    )
}

/// Gives what all other workers left behind to this one.
pub(super) fn recover(tx: &Connection, worker: &str) -> Result<Vec<Claimed>> {
    let left = all(
        tx,
        "SELECT id FROM tasks WHERE state = 'processing' AND worker <> ?1 ORDER BY created_at, id",
        [worker],
        |row| row.task_id(),
    )?;
    execute(tx, "DELETE FROM workers WHERE name <> ?1", [worker])?;
    give(tx, &left, worker)
}

/// Gives what one worker left behind to this one, unless it lives.
pub(super) fn take_over(
    tx: &Connection,
    from: &WorkerBeat,
    worker: &str,
) -> Result<Option<Vec<Claimed>>> {
    let beat: Option<i64> = first(
        tx,
        "SELECT beat FROM workers WHERE name = ?1",
        [from.worker.as_str()],
        |row| row.get(),
    )?;
    if beat.unwrap_or(0) != from.beat {
        return Ok(None);
    }
    let left = all(
        tx,
        "SELECT id FROM tasks WHERE state = 'processing' AND worker = ?1 ORDER BY created_at, id",
        [from.worker.as_str()],
        |row| row.task_id(),
    )?;
    execute(
        tx,
        "DELETE FROM workers WHERE name = ?1",
        [from.worker.as_str()],
    )?;
    give(tx, &left, worker).map(Some)
}

/// Counts a crash for each: who was only paused cannot be told from who died.
fn give(tx: &Connection, tasks: &[TaskId], worker: &str) -> Result<Vec<Claimed>> {
    for task in tasks {
        execute(
            tx,
            "UPDATE tasks SET worker = ?2, fence = fence + 1, crashes = crashes + 1, \
             lone_crashes = lone_crashes + alone, alone = 0 WHERE id = ?1 AND state = 'processing'",
            params![task.as_str(), worker],
        )?;
    }
    tasks.iter().map(|task| tasks::claimed(tx, task)).collect()
}
