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

/// The text of a task. One whose words are deleted is empty and has expired.
pub(super) fn of_task(tx: &Connection, task: &TaskId) -> Result<Option<Text>> {
    first(
        tx,
        "SELECT content, finish, expires_at FROM texts WHERE task = ?1",
        [task.as_str()],
        |row| row.text(),
    )
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
