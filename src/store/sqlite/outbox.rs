//! Deliveries: written with the end of a task, claimed by destination, ended attempt by attempt.

use super::SqliteStore;
use super::rows::{all, columns, execute, first, insert};
use crate::store::outbox::{
    After, ClaimedDeliveries, DeliveryHold, DeliveryListing, Due, Outbox, Taking, WINDOW,
};
use crate::store::{Result, StoreError};
use crate::types::{
    AccountId, Callback, Delivery, DeliveryAttempt, DeliveryId, DeliveryLog, DeliveryState, Millis,
    Signing, SigningSecret, TaskId,
};
use async_trait::async_trait;
use rusqlite::{Connection, params};
use std::time::Duration;

/// What the log says of an attempt whose worker died, or was so slow that it counts as dead.
const INTERRUPTED: &str = "interrupted; it may or may not have arrived";

#[async_trait]
impl Outbox for SqliteStore {
    async fn recover_deliveries(&self, worker: &str, at: Millis, grace: Millis) -> Result<u64> {
        let worker = worker.to_owned();
        self.writer
            .run(move |tx| recover(tx, &worker, at, grace))
            .await
    }

    async fn expire_deliveries(
        &self,
        before: Millis,
        at: Millis,
        most: u32,
    ) -> Result<Vec<Delivery>> {
        self.writer
            .run(move |tx| expire(tx, before, at, most))
            .await
    }

    async fn list_destinations(&self) -> Result<Vec<Due>> {
        self.readers.run(destinations).await
    }

    async fn claim_deliveries(
        &self,
        picks: &[(String, u32)],
        taking: Taking,
    ) -> Result<Vec<ClaimedDeliveries>> {
        let picks = picks.to_vec();
        self.writer
            .run(move |tx| {
                let claims = picks.iter();
                claims
                    .map(|(destination, most)| claim(tx, destination, *most, &taking))
                    .collect()
            })
            .await
    }

    async fn release_delivery(&self, hold: &DeliveryHold, due_at: Millis) -> Result<()> {
        let hold = hold.clone();
        self.writer.run(move |tx| release(tx, &hold, due_at)).await
    }

    async fn end_delivery_attempt(
        &self,
        hold: &DeliveryHold,
        attempt: DeliveryAttempt,
        after: After,
    ) -> Result<()> {
        let hold = hold.clone();
        self.writer
            .run(move |tx| end_attempt(tx, &hold, &attempt, after))
            .await
    }

    async fn find_delivery(&self, task: &TaskId) -> Result<Option<DeliveryLog>> {
        let task = task.clone();
        self.readers.run(move |tx| log_of(tx, &task)).await
    }

    async fn list_deliveries(&self, listing: &DeliveryListing) -> Result<Vec<Delivery>> {
        let listing = listing.clone();
        self.readers.run(move |tx| list(tx, &listing)).await
    }

    async fn resend_delivery(
        &self,
        task: &TaskId,
        at: Millis,
        window: Duration,
    ) -> Result<Option<Delivery>> {
        let task = task.clone();
        self.writer
            .run(move |tx| {
                let Some(delivery) = of_task(tx, &task)? else {
                    return Ok(None);
                };
                again(tx, &delivery, at, window)?;
                of_task(tx, &task)
            })
            .await
    }

    async fn resend_failed_deliveries(
        &self,
        since: Millis,
        at: Millis,
        window: Duration,
        most: u32,
    ) -> Result<u32> {
        self.writer
            .run(move |tx| {
                let failed = given_up(tx, since, most)?;
                for delivery in &failed {
                    again(tx, delivery, at, window)?;
                }
                Ok(u32::try_from(failed.len()).unwrap_or(most))
            })
            .await
    }

    async fn signing_secrets(&self, account: &AccountId, at: Millis) -> Result<Vec<Signing>> {
        let account = account.clone();
        let reading = account.clone();
        let found = self
            .readers
            .run(move |tx| super::signing::current(tx, &reading, at))
            .await?;
        if !found.is_empty() {
            return Ok(found);
        }
        self.writer
            .run(move |tx| super::signing::first(tx, &account, at))
            .await
    }

    async fn rotate_signing_secret(
        &self,
        account: &AccountId,
        secret: SigningSecret,
        at: Millis,
        retires_at: Millis,
    ) -> Result<()> {
        let account = account.clone();
        self.writer
            .run(move |tx| super::signing::rotate(tx, &account, &secret, at, retires_at))
            .await
    }
}

/// Writes what is to be told of a task that ends now, if somebody asked.
pub(super) fn enqueue(
    tx: &Connection,
    task: &TaskId,
    account: &AccountId,
    at: Millis,
) -> Result<()> {
    let asked = first(
        tx,
        "SELECT callback FROM tasks WHERE id = ?1 AND callback IS NOT NULL",
        [task.as_str()],
        |row| row.json::<Callback>(),
    )?;
    let Some(callback) = asked else { return Ok(()) };
    let id = DeliveryId::new();
    insert(
        tx,
        "INSERT INTO deliveries (id, task, account, url, destination, state, due_at, ends_at, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7, ?6)",
        params![
            id.as_str(),
            task.as_str(),
            account.as_str(),
            callback.url,
            callback.destination,
            at.0,
            at.after(WINDOW).0,
        ],
        || format!("the delivery of task {task}"),
    )
}

fn recover(tx: &Connection, worker: &str, at: Millis, grace: Millis) -> Result<u64> {
    execute(
        tx,
        "UPDATE deliveries SET ends_at = ?1 WHERE state = 'pending' AND ends_at < ?1",
        [grace.0],
    )?;
    let left = all(
        tx,
        concat!(
            "SELECT ",
            columns!(delivery),
            " FROM deliveries WHERE worker IS NOT NULL AND worker <> ?1"
        ),
        [worker],
        |row| row.delivery(),
    )?;
    for delivery in &left {
        note_interrupted(tx, delivery, at)?;
        execute(
            tx,
            "UPDATE deliveries SET worker = NULL, sent_at = NULL, fence = fence + 1, due_at = ?2 WHERE id = ?1",
            params![delivery.id.as_str(), at.0],
        )?;
    }
    Ok(left.len() as u64)
}

fn expire(tx: &Connection, before: Millis, at: Millis, most: u32) -> Result<Vec<Delivery>> {
    let mut late = all(
        tx,
        concat!(
            "SELECT ",
            columns!(delivery),
            " FROM deliveries WHERE state = 'pending' AND ends_at < ?1 AND worker IS NULL AND tries > 0 LIMIT ?2"
        ),
        params![before.0, most],
        |row| row.delivery(),
    )?;
    for delivery in &mut late {
        execute(
            tx,
            "UPDATE deliveries SET state = 'exhausted', due_at = NULL, ended_at = ?2 WHERE id = ?1",
            params![delivery.id.as_str(), at.0],
        )?;
        delivery.state = DeliveryState::Exhausted;
        (delivery.due_at, delivery.ended_at) = (None, Some(at));
    }
    Ok(late)
}

/// Gives up whatever is to be sent, also what a worker was sending.
pub(super) fn give_up_all(tx: &Connection, at: Millis) -> Result<u64> {
    let pending = all(
        tx,
        concat!(
            "SELECT ",
            columns!(delivery),
            " FROM deliveries WHERE state = 'pending'"
        ),
        [],
        |row| row.delivery(),
    )?;
    for delivery in &pending {
        note_interrupted(tx, delivery, at)?;
        execute(
            tx,
            "UPDATE deliveries SET state = 'exhausted', due_at = NULL, ended_at = ?2, worker = NULL, sent_at = NULL, \
             fence = fence + 1 WHERE id = ?1",
            params![delivery.id.as_str(), at.0],
        )?;
    }
    Ok(pending.len() as u64)
}

fn note_interrupted(tx: &Connection, delivery: &Delivery, at: Millis) -> Result<()> {
    let Some(started_at) = delivery.sent_at else {
        return Ok(());
    };
    let attempt = DeliveryAttempt {
        number: delivery.attempts,
        started_at,
        ended_at: at,
        status: None,
        problem: Some(INTERRUPTED.to_owned()),
        answer: String::new(),
    };
    note(tx, &delivery.id, &attempt)
}

/// Goes from one destination to the next in the index, however many deliveries wait for each.
fn destinations(tx: &Connection) -> Result<Vec<Due>> {
    all(
        tx,
        "WITH RECURSIVE each(destination) AS ( \
           SELECT min(destination) FROM deliveries WHERE state = 'pending' \
           UNION ALL \
           SELECT (SELECT min(destination) FROM deliveries WHERE state = 'pending' AND destination > each.destination) \
           FROM each WHERE each.destination IS NOT NULL \
         ) \
         SELECT destination, (SELECT min(due_at) FROM deliveries \
           WHERE state = 'pending' AND deliveries.destination = each.destination) \
         FROM each WHERE destination IS NOT NULL",
        [],
        |row| {
            Ok(Due {
                destination: row.get()?,
                at: row.millis()?,
            })
        },
    )
}

fn claim(
    tx: &Connection,
    destination: &str,
    most: u32,
    taking: &Taking,
) -> Result<ClaimedDeliveries> {
    let mut due = all(
        tx,
        concat!(
            "SELECT ",
            columns!(delivery),
            " FROM deliveries WHERE state = 'pending' AND destination = ?1 AND due_at <= ?2 \
             AND (due_at <= ?3 OR (tries = 0 AND worker IS NULL)) ORDER BY due_at, id LIMIT ?4"
        ),
        params![
            destination,
            taking.at.max(taking.told).0,
            taking.at.0,
            most.saturating_add(1)
        ],
        |row| row.delivery(),
    )?;
    // One more than is taken: then more is due now, whatever its clock says.
    let is_more = due.len() > most as usize;
    due.truncate(most as usize);
    let mut deliveries = Vec::with_capacity(due.len());
    for delivery in due {
        deliveries.push(take(tx, delivery, taking)?);
    }
    let next_at = match is_more {
        true => Some(taking.at),
        false => next_due(tx, destination)?,
    };
    Ok(ClaimedDeliveries {
        destination: destination.to_owned(),
        deliveries,
        next_at,
    })
}

fn next_due(tx: &Connection, destination: &str) -> Result<Option<Millis>> {
    let next = first(
        tx,
        "SELECT min(due_at) FROM deliveries WHERE state = 'pending' AND destination = ?1",
        [destination],
        |row| row.get::<Option<i64>>(),
    )?;
    Ok(next.flatten().map(Millis))
}

/// Counts the attempt and gives it to the worker.
fn take(tx: &Connection, delivery: Delivery, taking: &Taking) -> Result<Delivery> {
    note_interrupted(tx, &delivery, taking.told)?;
    execute(
        tx,
        "UPDATE deliveries SET worker = ?2, sent_at = ?3, due_at = ?4, fence = fence + 1, attempts = attempts + 1 \
         WHERE id = ?1",
        params![
            delivery.id.as_str(),
            taking.worker,
            taking.told.0,
            taking.until.0
        ],
    )?;
    Ok(Delivery {
        attempts: delivery.attempts + 1,
        fence: delivery.fence + 1,
        sent_at: Some(taking.told),
        due_at: Some(taking.until),
        ..delivery
    })
}

fn release(tx: &Connection, hold: &DeliveryHold, due_at: Millis) -> Result<()> {
    let written = execute(
        tx,
        "UPDATE deliveries SET due_at = ?3, attempts = attempts - 1, worker = NULL, sent_at = NULL \
         WHERE id = ?1 AND fence = ?2 AND worker IS NOT NULL",
        params![hold.delivery.as_str(), hold.fence, due_at.0],
    )?;
    match written {
        0 => Err(StoreError::Fenced),
        _ => Ok(()),
    }
}

fn end_attempt(
    tx: &Connection,
    hold: &DeliveryHold,
    attempt: &DeliveryAttempt,
    after: After,
) -> Result<()> {
    let (state, due_at, ended_at) = match after {
        After::End(state) => (state, None, Some(attempt.ended_at.0)),
        After::Again(at) => (DeliveryState::Pending, Some(at.0), None),
    };
    let has_failed = u32::from(state != DeliveryState::Delivered);
    let written = execute(
        tx,
        "UPDATE deliveries SET state = ?3, due_at = ?4, ended_at = ?5, tries = tries + ?6, worker = NULL, sent_at = NULL \
         WHERE id = ?1 AND fence = ?2 AND worker IS NOT NULL",
        params![
            hold.delivery.as_str(),
            hold.fence,
            state.name(),
            due_at,
            ended_at,
            has_failed
        ],
    )?;
    match written {
        0 => Err(StoreError::Fenced),
        _ => note(tx, &hold.delivery, attempt),
    }
}

fn note(tx: &Connection, delivery: &DeliveryId, attempt: &DeliveryAttempt) -> Result<()> {
    insert(
        tx,
        "INSERT INTO delivery_attempts (delivery, number, started_at, ended_at, status, problem, answer) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            delivery.as_str(),
            attempt.number,
            attempt.started_at.0,
            attempt.ended_at.0,
            attempt.status,
            attempt.problem,
            attempt.answer,
        ],
        || format!("attempt {} of {delivery}", attempt.number),
    )
}

fn of_task(tx: &Connection, task: &TaskId) -> Result<Option<Delivery>> {
    first(
        tx,
        concat!(
            "SELECT ",
            columns!(delivery),
            " FROM deliveries WHERE task = ?1"
        ),
        [task.as_str()],
        |row| row.delivery(),
    )
}

fn log_of(tx: &Connection, task: &TaskId) -> Result<Option<DeliveryLog>> {
    let Some(delivery) = of_task(tx, task)? else {
        return Ok(None);
    };
    let attempts = all(
        tx,
        "SELECT number, started_at, ended_at, status, problem, answer FROM delivery_attempts \
         WHERE delivery = ?1 ORDER BY number",
        [delivery.id.as_str()],
        |row| row.delivery_attempt(),
    )?;
    Ok(Some(DeliveryLog { delivery, attempts }))
}

/// An id says when it was made, so the newest are at the end of its index.
fn list(tx: &Connection, listing: &DeliveryListing) -> Result<Vec<Delivery>> {
    all(
        tx,
        concat!(
            "SELECT ",
            columns!(delivery),
            " FROM deliveries WHERE id > '' AND (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR account = ?2) \
             AND created_at >= ?3 ORDER BY id DESC LIMIT ?4"
        ),
        params![
            listing.state.map(DeliveryState::name),
            listing.account.as_ref().map(AccountId::as_str),
            listing.since.map_or(i64::MIN, |at| at.0),
            listing.most
        ],
        |row| row.delivery(),
    )
}

fn given_up(tx: &Connection, since: Millis, most: u32) -> Result<Vec<Delivery>> {
    all(
        tx,
        concat!(
            "SELECT ",
            columns!(delivery),
            " FROM deliveries WHERE state = 'exhausted' AND ended_at >= ?1 ORDER BY ended_at, id LIMIT ?2"
        ),
        params![since.0, most],
        |row| row.delivery(),
    )
}

/// From the beginning, but for the id and the count of all attempts. One that is being sent is left to its worker.
fn again(tx: &Connection, delivery: &Delivery, at: Millis, window: Duration) -> Result<()> {
    execute(
        tx,
        "UPDATE deliveries SET state = 'pending', due_at = ?2, ends_at = ?3, tries = 0, ended_at = NULL \
         WHERE id = ?1 AND worker IS NULL",
        params![delivery.id.as_str(), at.0, at.after(window).0],
    )?;
    Ok(())
}
