//! Accounts and their credits.

use super::money::{self, Transfer, transfer};
use super::rows::{all, columns, credit_line_micros, execute, first, insert};
use crate::store::ledger::Kind;
use crate::store::{Result, StoreError};
use crate::types::{Account, AccountId, Balance, Millis, Money};
use rusqlite::{Connection, params};

pub(super) fn create(tx: &Connection, account: &Account) -> Result<()> {
    insert(
        tx,
        "INSERT INTO accounts (id, name, credit_line, markup_basis_points, frozen, concurrent, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            account.id.as_str(),
            account.name,
            credit_line_micros(account.credit_line),
            account.markup_basis_points,
            account.frozen,
            account.concurrent,
            account.created_at.0
        ],
        || format!("account {}", account.name),
    )?;
    bump_generation(tx)
}

/// An id wins over a name, should somebody call an account by another one's id.
pub(super) fn find(tx: &Connection, name_or_id: &str) -> Result<Option<Account>> {
    first(
        tx,
        concat!(
            "SELECT ",
            columns!(account),
            " FROM accounts WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC LIMIT 1"
        ),
        [name_or_id],
        |row| row.account(),
    )
}

pub(super) fn list(tx: &Connection) -> Result<Vec<(Account, Balance)>> {
    all(
        tx,
        concat!(
            "SELECT ",
            columns!(account),
            ", available, held FROM accounts ORDER BY name"
        ),
        [],
        |row| Ok((row.account()?, row.balance()?)),
    )
}

/// Adds credits, once for each reference.
pub(super) fn top_up(
    tx: &Connection,
    account: &AccountId,
    amount: Money,
    reference: &str,
    at: Millis,
) -> Result<Balance> {
    let before = money::balance(tx, account)?;
    let booked = first(
        tx,
        "SELECT credit, amount FROM transfers WHERE kind = 'top_up' AND subject = ?1",
        [reference],
        |row| Ok((row.account_id()?, row.money()?)),
    )?;
    match booked {
        Some((to, same)) if to == *account && same == amount => return Ok(before),
        // Saying "done" here would lose a payment.
        Some((to, other)) => {
            return Err(StoreError::Exists(format!(
                "a top-up of {other} to {to} with reference {reference}"
            )));
        }
        None => {}
    }
    transfer(
        tx,
        &Transfer {
            kind: Kind::TopUp,
            account,
            subject: reference,
            amount,
            at,
        },
    )?;
    money::balance(tx, account)
}

/// Tells every process that caches accounts or keys that they have changed.
pub(super) fn bump_generation(tx: &Connection) -> Result<()> {
    execute(
        tx,
        "UPDATE meta SET value = value + 1 WHERE name = 'generation'",
        [],
    )?;
    Ok(())
}

pub(super) fn generation(tx: &Connection) -> Result<i64> {
    first(
        tx,
        "SELECT value FROM meta WHERE name = 'generation'",
        [],
        |row| row.get(),
    )?
    .ok_or_else(|| StoreError::Backend("the row of the generation is gone".to_owned()))
}
