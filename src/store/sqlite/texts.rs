//! What text models answered.

use super::rows::{execute, first, insert};
use crate::store::Result;
use crate::types::{Millis, TaskId, Text};
use rusqlite::{Connection, params};

pub(super) fn put(tx: &Connection, task: &TaskId, text: &Text) -> Result<()> {
    insert(
        tx,
        "INSERT INTO texts (task, content, finish, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            task.as_str(),
            text.content,
            text.finish.name(),
            text.expires_at.map(|at| at.0)
        ],
        || format!("the text of {task}"),
    )
}

/// Keeps the text of a task that was over when it came.
pub(super) fn put_late(tx: &Connection, task: &TaskId, text: &Text) -> Result<()> {
    put(tx, task, text)?;
    execute(
        tx,
        "UPDATE texts SET late = 1 WHERE task = ?1",
        [task.as_str()],
    )?;
    Ok(())
}

/// What a task was answered: one text at most.
#[derive(Default)]
pub(super) struct Answers {
    /// The one that it ended with.
    pub in_time: Option<Text>,
    /// The one that came when it was over.
    pub late: Option<Text>,
}

/// The text of a task. One whose words are deleted is empty and has expired.
pub(super) fn of_task(tx: &Connection, task: &TaskId) -> Result<Answers> {
    let found = first(
        tx,
        "SELECT content, finish, expires_at, late FROM texts WHERE task = ?1",
        [task.as_str()],
        |row| Ok((row.text()?, row.get()?)),
    )?;
    Ok(match found {
        None => Answers::default(),
        Some((text, false)) => Answers {
            in_time: Some(text),
            late: None,
        },
        Some((text, true)) => Answers {
            in_time: None,
            late: Some(text),
        },
    })
}

/// Deletes the words of texts whose time is over; returns how many.
pub(super) fn forget(tx: &Connection, at: Millis, most: u32) -> Result<usize> {
    execute(
        tx,
        "UPDATE texts SET content = NULL WHERE task IN ( \
           SELECT task FROM texts WHERE content IS NOT NULL AND expires_at <= ?1 LIMIT ?2)",
        params![at.0, most],
    )
}
