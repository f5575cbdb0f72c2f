//! What an account used, added up from an index of its tasks: no row of them is read.

use super::rows::{Cells, all};
use crate::store::{Result, StoreError};
use crate::types::{AccountId, Period, Usage, UsageBy, Used, UsedBy};
use rusqlite::{Connection, params};

/// The statement for groups of this expression, with what else is said of one.
macro_rules! by {
    ($group:literal, $title:literal) => {
        concat!(
            "SELECT ",
            $group,
            ", ",
            $title,
            ", sum(state = 'completed'), sum(state = 'failed'), sum(images), sum(input_text_tokens), \
             sum(input_image_tokens), sum(output_tokens), sum(captured) FROM tasks \
             WHERE account = ?1 AND completed_at >= ?2 AND completed_at < ?3 GROUP BY 1 ORDER BY 1 LIMIT ?4"
        )
    };
}

pub(super) fn used(
    tx: &Connection,
    account: &AccountId,
    period: Period,
    by: Option<UsageBy>,
    most: u32,
) -> Result<Vec<UsedBy>> {
    let sql = match by {
        None => by!("''", "NULL"),
        Some(UsageBy::Model) => by!("model", "NULL"),
        Some(UsageBy::Key) => by!(
            "key",
            "(SELECT name FROM api_keys WHERE api_keys.id = tasks.key)"
        ),
        Some(UsageBy::Day) => by!("date(completed_at / 1000, 'unixepoch')", "NULL"),
        Some(UsageBy::Mode) => by!("mode", "NULL"),
    };
    // One more than wanted tells that there are more.
    let limit = i64::from(most) + 1;
    let ends = params![account.as_str(), period.start.0, period.end.0, limit];
    let groups = all(tx, sql, ends, used_by)?;
    if groups.len() > most as usize {
        return Err(StoreError::TooManyGroups(most));
    }
    Ok(groups)
}

fn used_by(row: &mut Cells<'_>) -> Result<UsedBy> {
    Ok(UsedBy {
        group: row.get()?,
        title: row.get()?,
        used: Used {
            completed: row.unsigned()?,
            failed: row.unsigned()?,
            images: row.unsigned()?,
            tokens: Usage {
                input_text_tokens: row.unsigned()?,
                input_image_tokens: row.unsigned()?,
                output_tokens: row.unsigned()?,
            },
            charged: row.money()?,
        },
    })
}
