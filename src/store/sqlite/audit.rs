//! The audit: reads every row that has to do with money and says what is wrong with it.
//!
//! It shares no SQL and no constant with the code that writes: a mistake there must not be repeated here.

use super::rows::fault;
use crate::store::Result;
use crate::store::ledger::Audit;
use crate::types::Money;
use rusqlite::Connection;

/// A sort of mistake: a query that finds the rows with it, and the sentence about each. `{1}`, `{2}` … stand for the
/// query's columns, `{$1}` … for columns that are amounts.
struct Check {
    sentence: &'static str,
    sql: &'static str,
}

/// At most so many findings of one sort: who has thousands needs the first hundred.
const MOST_FINDINGS: usize = 100;

const CHECKS: &[Check] = &[
    Check {
        sentence: "transfer {1} is a {2} from {3} to {4}, which no {2} may be",
        sql: "SELECT id, kind, debit, credit FROM transfers WHERE NOT CASE kind
                WHEN 'top_up'  THEN debit = 'system:funding' AND credit IN (SELECT id FROM accounts)
                WHEN 'hold'    THEN credit = debit || ':held' AND debit IN (SELECT id FROM accounts)
                WHEN 'capture' THEN credit = 'system:revenue' AND debit IN (SELECT id || ':held' FROM accounts)
                WHEN 'release' THEN debit = credit || ':held' AND credit IN (SELECT id FROM accounts)
                WHEN 'cost'    THEN debit = 'system:provider_cost' AND credit = 'system:providers'
                WHEN 'loss'    THEN debit = 'system:operator_loss' AND credit = 'system:providers'
                WHEN 'loss_added'    THEN debit = 'system:operator_loss' AND credit = 'system:providers'
                WHEN 'loss_returned' THEN debit = 'system:providers' AND credit = 'system:operator_loss'
                ELSE 0 END",
    },
    Check {
        sentence: "transfer {1} moves {$2}; an amount is above zero",
        sql: "SELECT id, amount FROM transfers WHERE amount <= 0",
    },
    Check {
        sentence: "transfer {1} is a second {2} of {3}",
        sql: "SELECT max(id), kind, subject FROM transfers GROUP BY kind, subject HAVING count(*) > 1",
    },
    Check {
        sentence: "account {1} says {$2} available and its transfers come to {$3}",
        sql: "WITH moves AS (SELECT credit AS name, amount FROM transfers
                             UNION ALL SELECT debit, -amount FROM transfers),
                   sums AS (SELECT name, sum(amount) AS total FROM moves GROUP BY name)
              SELECT id, available, coalesce(total, 0) FROM accounts LEFT JOIN sums ON sums.name = id
              WHERE available <> coalesce(total, 0)",
    },
    Check {
        sentence: "account {1} says {$2} held and its transfers come to {$3}",
        sql: "WITH moves AS (SELECT credit AS name, amount FROM transfers
                             UNION ALL SELECT debit, -amount FROM transfers),
                   sums AS (SELECT name, sum(amount) AS total FROM moves GROUP BY name)
              SELECT id, held, coalesce(total, 0) FROM accounts LEFT JOIN sums ON sums.name = id || ':held'
              WHERE held <> coalesce(total, 0)",
    },
    Check {
        sentence: "account {1} says {$2} held and its unfinished tasks hold {$3}",
        sql: "WITH holds AS (SELECT account, sum(hold) AS total FROM tasks
                             WHERE state NOT IN ('completed', 'failed') GROUP BY account)
              SELECT id, held, coalesce(total, 0) FROM accounts LEFT JOIN holds ON holds.account = id
              WHERE held <> coalesce(total, 0)",
    },
    Check {
        sentence: "account {1} holds {$2}, which is below zero",
        sql: "SELECT id, held FROM accounts WHERE held < 0",
    },
    Check {
        sentence: "account {1} has {$2} available, below its credit line of {$3}",
        sql: "SELECT id, available, credit_line FROM accounts WHERE available < -credit_line",
    },
    Check {
        sentence: "task {1} should hold {$2} of {3}, and its hold is {$4} of {5}",
        sql: "SELECT tasks.id, hold, account, coalesce(amount, 0), coalesce(debit, 'nobody')
              FROM tasks LEFT JOIN transfers ON kind = 'hold' AND subject = tasks.id
              WHERE hold <> coalesce(amount, 0) OR account <> coalesce(debit, account)",
    },
    Check {
        sentence: "task {1} is not finished and {$2} of its hold is captured or released",
        sql: "SELECT tasks.id, sum(amount) FROM tasks JOIN transfers ON subject = tasks.id
              WHERE state NOT IN ('completed', 'failed') AND kind IN ('capture', 'release') GROUP BY tasks.id",
    },
    Check {
        sentence: "task {1} is finished and held {$2}, of which {$3} is captured and released",
        sql: "SELECT tasks.id, hold, coalesce(sum(amount), 0) AS resolved
              FROM tasks LEFT JOIN transfers ON kind IN ('capture', 'release') AND subject = tasks.id
              WHERE state IN ('completed', 'failed') GROUP BY tasks.id HAVING resolved <> hold",
    },
    Check {
        sentence: "task {1} says that {$2} is captured and its capture is {$3}",
        sql: "SELECT tasks.id, captured, coalesce(amount, 0)
              FROM tasks LEFT JOIN transfers ON kind = 'capture' AND subject = tasks.id
              WHERE captured <> coalesce(amount, 0)",
    },
    Check {
        sentence: "task {1} has failed and {$2} is captured for it",
        sql: "SELECT tasks.id, amount FROM tasks JOIN transfers ON kind = 'capture' AND subject = tasks.id
              WHERE state = 'failed'",
    },
    Check {
        sentence: "transfer {1} is a {2} for task {3}, which is not a task of that account",
        sql: "SELECT transfers.id, kind, subject FROM transfers LEFT JOIN tasks ON tasks.id = subject
              WHERE kind IN ('hold', 'capture', 'release')
                AND (account IS NULL OR account || ':held' NOT IN (debit, credit))",
    },
    Check {
        sentence: "attempt {1}/{2} cost {$3} and lost {$4}, and its transfers say {$5} and {$6}",
        sql: "SELECT task, number, cost, loss, coalesce(costs.amount, 0), coalesce(losses.amount, 0)
              FROM attempts
              LEFT JOIN transfers AS costs ON costs.kind = 'cost' AND costs.subject = task || '/' || number
              LEFT JOIN transfers AS losses ON losses.kind = 'loss' AND losses.subject = task || '/' || number
              WHERE cost <> coalesce(costs.amount, 0) OR loss <> coalesce(losses.amount, 0)",
    },
    Check {
        sentence: "transfer {1} is a {2} for {3}, which is no attempt",
        sql: "SELECT id, kind, subject FROM transfers WHERE kind IN ('cost', 'loss', 'loss_added', 'loss_returned')
              AND NOT EXISTS (SELECT 1 FROM attempts WHERE task = substr(subject, 1, instr(subject, '/') - 1)
                              AND number = CAST(substr(subject, instr(subject, '/') + 1) AS INTEGER))",
    },
    Check {
        sentence: "attempt {1}/{2} was billed {$3} as became known, and its losses come to {$4}",
        sql: "SELECT task, number, coalesce(billed, loss) AS known,
                     coalesce((SELECT sum(CASE kind WHEN 'loss_returned' THEN -amount ELSE amount END) FROM transfers
                               WHERE kind IN ('loss', 'loss_added', 'loss_returned') AND subject = task || '/' || number), 0)
                     AS booked
              FROM attempts WHERE (resolution IS NOT NULL OR loss > 0) AND known <> booked",
    },
    Check {
        sentence: "attempt {1}/{2} is {3} and its loss was corrected by {$4}",
        sql: "SELECT task, number, coalesce(resolution, state), amount FROM transfers
              JOIN attempts ON task || '/' || number = subject
              WHERE kind IN ('loss_added', 'loss_returned') AND coalesce(resolution, 'delivered') = 'delivered'",
    },
    Check {
        sentence: "attempt {1}/{2} is still open and its task has ended",
        sql: "SELECT task, number FROM tasks JOIN attempts ON task = id
              WHERE tasks.state IN ('completed', 'failed') AND attempts.state = 'intent'",
    },
    Check {
        sentence: "key {1} has spent {$3} in {2} and its tasks come to {$4}",
        sql: "WITH counted AS (SELECT key, spend_window,
                                      sum(CASE WHEN state IN ('completed', 'failed') THEN captured ELSE hold END) AS total
                               FROM tasks WHERE spend_window IS NOT NULL GROUP BY key, spend_window)
              SELECT key, spend_window, coalesce(spent, 0), coalesce(total, 0)
              FROM key_spend FULL JOIN counted USING (key, spend_window)
              WHERE coalesce(spent, 0) <> coalesce(total, 0)",
    },
];

pub(super) fn audit(tx: &Connection) -> Result<Audit> {
    Ok(Audit {
        transfers: number(tx, "SELECT count(*) FROM transfers")?.cast_unsigned(),
        // The customers' accounts as their rows say, the system's as the transfers do: zero if nothing was lost.
        sum: amount(
            tx,
            "SELECT coalesce(sum(part), 0) FROM (
               SELECT available + held AS part FROM accounts
               UNION ALL SELECT sum(amount) FROM transfers WHERE credit LIKE 'system:%'
               UNION ALL SELECT -sum(amount) FROM transfers WHERE debit LIKE 'system:%')",
        )?,
        held: amount(
            tx,
            "SELECT coalesce(sum(hold), 0) FROM tasks WHERE state NOT IN ('completed', 'failed')",
        )?,
        captured: amount(
            tx,
            "SELECT coalesce(sum(amount), 0) FROM transfers WHERE kind = 'capture'",
        )?,
        operator_loss: amount(
            tx,
            "SELECT coalesce(sum(CASE kind WHEN 'loss_returned' THEN -amount ELSE amount END), 0) FROM transfers
             WHERE kind IN ('loss', 'loss_added', 'loss_returned')",
        )?,
        findings: findings(tx)?,
    })
}

fn number(tx: &Connection, sql: &str) -> Result<i64> {
    tx.query_row(sql, [], |row| row.get(0)).map_err(fault)
}

fn amount(tx: &Connection, sql: &str) -> Result<Money> {
    number(tx, sql).map(Money::from_micros)
}

fn findings(tx: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for check in CHECKS {
        let mut statement = tx.prepare(check.sql).map_err(fault)?;
        let columns = statement.column_count();
        let sentences = statement
            .query_map([], |row| {
                let mut sentence = check.sentence.to_owned();
                for column in 0..columns {
                    let place = column + 1;
                    let (text, amount) = cell(row, column)?;
                    sentence = sentence
                        .replace(&format!("{{{place}}}"), &text)
                        .replace(&format!("{{${place}}}"), &amount);
                }
                Ok(sentence)
            })
            .map_err(fault)?;
        for sentence in sentences.take(MOST_FINDINGS) {
            found.push(sentence.map_err(fault)?);
        }
    }
    Ok(found)
}

/// A cell as plain text and, if it is a number, as an amount of money.
fn cell(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<(String, String)> {
    use rusqlite::types::Value;
    Ok(match row.get(column)? {
        Value::Integer(number) => (number.to_string(), Money::from_micros(number).to_string()),
        Value::Text(text) => (text.clone(), text),
        other => (format!("{other:?}"), format!("{other:?}")),
    })
}
