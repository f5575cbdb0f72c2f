//! Calls that the operator may have paid for nothing: what became known of them later.

use super::assets;
use super::money::{Transfer, transfer};
use super::rows::{execute, first};
use crate::store::ledger::Kind;
use crate::store::{Late, LateImage, Resolve, Result, StoreError};
use crate::types::{AccountId, AttemptNumber, AttemptState, Money, Resolution, TaskId};
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

/// Keeps an image that came when its task was over. Nothing is booked: the possible loss was, and is a certain one now.
pub(super) fn keep_late(tx: &Connection, late: &LateImage) -> Result<Late> {
    let (task, number) = (&late.asset.task, late.number);
    let Some(call) = find(tx, task, number)? else {
        return Ok(Late::Refused);
    };
    if !call.is_over {
        return Ok(Late::NotOver);
    }
    let index = late.asset.index;
    let is_its = (call.first_image..call.first_image + call.images).contains(&index);
    let there = assets::of_task(tx, task)?;
    // Offered again by somebody who did not hear that it was taken.
    if there.iter().any(|asset| asset.id == late.asset.id) {
        return Ok(Late::Kept);
    }
    let is_there = there.iter().any(|asset| asset.index == index);
    if !call.is_lost || !is_its || is_there {
        return Ok(Late::Refused);
    }
    let asset = std::slice::from_ref(&late.asset);
    assets::insert_all(tx, task, &call.account, asset)?;
    execute(
        tx,
        "UPDATE assets SET late = 1 WHERE id = ?1",
        [late.asset.id.as_str()],
    )?;
    execute(
        tx,
        "UPDATE attempts SET resolution = 'delivered', billed = loss, resolved_at = ?3 \
         WHERE task = ?1 AND number = ?2 AND resolution IS NULL",
        params![task.as_str(), number, late.asset.created_at.0],
    )?;
    Ok(Late::Kept)
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
