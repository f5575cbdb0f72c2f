//! Calls that the operator may have paid for nothing: what became known of them later.

use super::assets;
use super::money::{Transfer, transfer};
use super::rows::{execute, first};
use super::texts::{self, Answers};
use crate::store::ledger::Kind;
use crate::store::{Late, LateContent, LateResult, Resolve, Result, StoreError};
use crate::types::{
    AccountId, Asset, AttemptNumber, AttemptState, Money, Resolution, TaskId, Text,
};
use rusqlite::{Connection, params};

/// What a later word about a call needs to know of it.
struct Call {
    account: AccountId,
    first_image: u32,
    images: u32,
    loss: Money,
    resolution: Option<Resolution>,
    /// Neither it nor its task goes on.
    is_over: bool,
    /// Whether the operator may have paid for nothing.
    is_lost: bool,
}

fn find(tx: &Connection, task: &TaskId, number: AttemptNumber) -> Result<Option<Call>> {
    first(
        tx,
        "SELECT account, first_image, attempts.images, attempts.state, loss, resolution, completed_at IS NOT NULL \
         FROM attempts JOIN tasks ON id = task WHERE task = ?1 AND number = ?2",
        params![task.as_str(), number],
        |row| {
            let (account, first_image, images) = (row.account_id()?, row.get()?, row.get()?);
            let state = row.word(AttemptState::from_name)?;
            let loss = row.money()?;
            let resolution: Option<String> = row.get()?;
            let has_task_ended: bool = row.get()?;
            Ok(Call {
                account,
                first_image,
                images,
                loss,
                resolution: resolution.as_deref().and_then(Resolution::from_name),
                is_over: state.is_final() && has_task_ended,
                is_lost: state == AttemptState::Unknown || loss > Money::ZERO,
            })
        },
    )
}

/// Keeps a result that came when its task was over. Nothing is booked: the possible loss was, and is a certain one now.
pub(super) fn keep_late(tx: &Connection, late: &LateResult) -> Result<Late> {
    let Some(call) = find(tx, &late.task, late.number)? else {
        return Ok(Late::Refused);
    };
    if !call.is_over {
        return Ok(Late::NotOver);
    }
    let kept = match &late.content {
        LateContent::Image(asset) => keep_image(tx, &late.task, &call, asset)?,
        LateContent::Text(text) => keep_text(tx, &late.task, &call, text)?,
    };
    if kept == Late::Kept {
        note_delivered(tx, late)?;
    }
    Ok(kept)
}

fn keep_image(tx: &Connection, task: &TaskId, call: &Call, asset: &Asset) -> Result<Late> {
    let there = assets::of_task(tx, task)?;
    // Offered again by somebody who did not hear that it was taken.
    if there.iter().any(|one| one.id == asset.id) {
        return Ok(Late::Kept);
    }
    let is_its = (call.first_image..call.first_image + call.images).contains(&asset.index);
    let is_there = there.iter().any(|one| one.index == asset.index);
    if !call.is_lost || !is_its || is_there {
        return Ok(Late::Refused);
    }
    assets::insert_all(tx, task, &call.account, std::slice::from_ref(asset))?;
    execute(
        tx,
        "UPDATE assets SET late = 1 WHERE id = ?1",
        [asset.id.as_str()],
    )?;
    Ok(Late::Kept)
}

fn keep_text(tx: &Connection, task: &TaskId, call: &Call, text: &Text) -> Result<Late> {
    match texts::of_task(tx, task)? {
        Answers {
            late: Some(there), ..
        } if there == *text => Ok(Late::Kept),
        Answers {
            in_time: None,
            late: None,
        } if call.is_lost => {
            texts::put_late(tx, task, text)?;
            Ok(Late::Kept)
        }
        _ => Ok(Late::Refused),
    }
}

/// What became of the call is known now, unless somebody knew it before.
fn note_delivered(tx: &Connection, late: &LateResult) -> Result<()> {
    execute(
        tx,
        "UPDATE attempts SET resolution = 'delivered', billed = loss, resolved_at = ?3 \
         WHERE task = ?1 AND number = ?2 AND resolution IS NULL",
        params![late.task.as_str(), late.number, late.at.0],
    )?;
    Ok(())
}

/// Notes what the operator found out, and books the difference to what was booked, once.
pub(super) fn resolve(tx: &Connection, resolve: &Resolve) -> Result<Money> {
    let (task, number) = (&resolve.task, resolve.number);
    let call = find(tx, task, number)?.filter(|call| call.is_over && call.is_lost);
    let call = call.ok_or_else(|| {
        StoreError::NotFound(format!("a call {number} of {task} that may have been lost"))
    })?;
    if let Some(known) = call.resolution {
        return Err(StoreError::Exists(format!(
            "what became of call {number} of {task} ({})",
            known.name()
        )));
    }
    let billed = resolve.billed.unwrap_or(call.loss);
    let resolution = match billed {
        Money::ZERO => Resolution::NotBilled,
        _ => Resolution::Billed,
    };
    correct(tx, resolve, &call, billed)?;
    execute(
        tx,
        "UPDATE attempts SET resolution = ?3, billed = ?4, resolved_at = ?5, resolution_note = ?6 \
         WHERE task = ?1 AND number = ?2",
        params![
            task.as_str(),
            number,
            resolution.name(),
            billed.micros(),
            resolve.at.0,
            resolve.note
        ],
    )?;
    Ok(billed)
}

fn correct(tx: &Connection, resolve: &Resolve, call: &Call, billed: Money) -> Result<()> {
    let difference = billed.micros() - call.loss.micros();
    let kind = match difference {
        1.. => Kind::LossAdded,
        _ => Kind::LossReturned,
    };
    transfer(
        tx,
        &Transfer {
            kind,
            account: &call.account,
            subject: &format!("{}/{}", resolve.task, resolve.number),
            amount: Money::from_micros(difference.abs()),
            at: resolve.at,
        },
    )
}
