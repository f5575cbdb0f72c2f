//! Where money moves: [`transfer`] is the one function that changes a balance, [`count_spend`] and [`uncount_spend`]
//! are the two that change what a key has spent.

use super::rows::{execute, first, insert};
use crate::store::ledger::Kind;
use crate::store::{Result, SpendWindow, StoreError};
use crate::types::{AccountId, Balance, KeyId, Millis, Money};
use rusqlite::{Connection, params};

/// One row of the ledger.
pub(super) struct Transfer<'a> {
    pub kind: Kind,
    pub account: &'a AccountId,
    /// What it is for, once for each kind: see [`crate::store::ledger`].
    pub subject: &'a str,
    pub amount: Money,
    pub at: Millis,
}

/// Moves credits: the account's row, guarded by its credit line, and the transfer. Moving nothing writes nothing.
pub(super) fn transfer(tx: &Connection, transfer: &Transfer<'_>) -> Result<()> {
    let amount = transfer.amount.micros();
    if amount == 0 {
        return Ok(());
    }
    if amount < 0 {
        return Err(StoreError::Backend(format!(
            "a {} of {} was asked for {}: an amount is never negative",
            transfer.kind.name(),
            transfer.amount,
            transfer.subject
        )));
    }
    if let Some((available, held)) = effect(transfer.kind, amount) {
        change_balance(tx, transfer, available, held)?;
    }
    let (debit, credit) = transfer.kind.sides(transfer.account);
    insert(
        tx,
        "INSERT INTO transfers (kind, subject, debit, credit, amount, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            transfer.kind.name(),
            transfer.subject,
            debit,
            credit,
            amount,
            transfer.at.0
        ],
        || format!("the {} of {}", transfer.kind.name(), transfer.subject),
    )
}

/// What a transfer adds to its account's available and held credits, if it touches them.
fn effect(kind: Kind, amount: i64) -> Option<(i64, i64)> {
    match kind {
        Kind::TopUp => Some((amount, 0)),
        Kind::Hold => Some((-amount, amount)),
        Kind::Capture => Some((0, -amount)),
        Kind::Release => Some((amount, -amount)),
        Kind::Cost | Kind::Loss | Kind::LossAdded | Kind::LossReturned => None,
    }
}

/// The guard stands in the statement, so that no order of commands can pass it. A sum that overflows is refused by
/// the STRICT table, a hold below zero by its CHECK.
fn change_balance(
    tx: &Connection,
    transfer: &Transfer<'_>,
    available: i64,
    held: i64,
) -> Result<()> {
    let changed = execute(
        tx,
        "UPDATE accounts SET available = available + ?2, held = held + ?3 WHERE id = ?1 \
         AND (?2 >= 0 OR credit_line IS NULL OR available + ?2 >= -credit_line)",
        params![transfer.account.as_str(), available, held],
    )?;
    if changed == 1 {
        return Ok(());
    }
    Err(StoreError::InsufficientCredits {
        available: balance(tx, transfer.account)?.available,
        needed: transfer.amount,
    })
}

/// What an account has.
pub(super) fn balance(tx: &Connection, account: &AccountId) -> Result<Balance> {
    first(
        tx,
        "SELECT available, held FROM accounts WHERE id = ?1",
        [account.as_str()],
        |row| row.balance(),
    )?
    .ok_or_else(|| StoreError::NotFound(format!("account {account}")))
}

/// Counts a hold as spent by the key, unless that would pass its cap.
pub(super) fn count_spend(
    tx: &Connection,
    key: &KeyId,
    window: &SpendWindow,
    hold: Money,
) -> Result<()> {
    if hold == Money::ZERO {
        return Ok(());
    }
    let changed = execute(
        tx,
        "INSERT INTO key_spend (key, spend_window, spent) SELECT ?1, ?2, ?3 WHERE ?3 <= ?4 \
         ON CONFLICT (key, spend_window) DO UPDATE SET spent = key_spend.spent + excluded.spent \
         WHERE key_spend.spent + excluded.spent <= ?4",
        params![
            key.as_str(),
            window.name,
            hold.micros(),
            window.cap.micros()
        ],
    )?;
    if changed == 1 {
        return Ok(());
    }
    Err(StoreError::SpendCap {
        cap: window.cap,
        spent: spent(tx, key, &window.name)?,
    })
}

fn spent(tx: &Connection, key: &KeyId, window: &str) -> Result<Money> {
    let spent = first(
        tx,
        "SELECT spent FROM key_spend WHERE key = ?1 AND spend_window = ?2",
        [key.as_str(), window],
        |row| row.money(),
    )?;
    Ok(spent.unwrap_or(Money::ZERO))
}

/// Takes back what was counted and not captured, in the window that counted it.
pub(super) fn uncount_spend(
    tx: &Connection,
    key: &KeyId,
    window: Option<&str>,
    released: Money,
) -> Result<()> {
    let (Some(window), true) = (window, released > Money::ZERO) else {
        return Ok(());
    };
    execute(
        tx,
        "UPDATE key_spend SET spent = spent - ?3 WHERE key = ?1 AND spend_window = ?2",
        params![key.as_str(), window, released.micros()],
    )?;
    Ok(())
}
