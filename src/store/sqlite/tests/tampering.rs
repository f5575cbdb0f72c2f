//! The audit against rows that somebody changed behind the store's back.

use super::Folder;
use crate::store::conformance::fixtures::{Customer, NOW, cents, failed};
use crate::store::{Resolve, Store};
use crate::types::{AttemptState, FailKind, Money};
use std::sync::Arc;

/// What the audit says after somebody changed the rows behind our back.
async fn findings(vandalism: &str) -> String {
    let folder = Folder::new();
    let store: Arc<dyn Store> = folder.open();
    let customer = Customer::prepaid(&store, cents(100)).await;
    let done = customer.start(cents(12)).await;
    let mut settlement = customer.completed(&done.task, cents(8));
    settlement.attempts[0].cost = cents(5);
    store.settle(&done, settlement).await.unwrap();
    let lost = customer.start(cents(12)).await;
    let mut settlement = failed(FailKind::OutcomeUnknown);
    settlement.attempts[0].state = AttemptState::Unknown;
    settlement.attempts[0].loss = cents(9);
    store.settle(&lost, settlement).await.unwrap();
    let resolve = Resolve {
        task: lost.task,
        number: 0,
        billed: Some(cents(2)),
        note: None,
        at: NOW,
    };
    store.resolve(resolve).await.unwrap();
    let running = Customer::capped(customer.starting(cents(7)), "total", cents(50));
    store.admit(running).await.unwrap();
    assert!(store.audit().await.unwrap().is_clean());
    let beside = folder.beside();
    let unlocked = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; \
        DROP TRIGGER transfers_are_not_changed; DROP TRIGGER transfers_are_not_deleted; \
        DROP TRIGGER tasks_end_once;";
    beside.execute_batch(unlocked).unwrap();
    beside.execute_batch(vandalism).unwrap();
    let audit = store.audit().await.unwrap();
    assert!(!audit.is_clean());
    let sum = (audit.sum != Money::ZERO).then(|| format!("the sum is {}", audit.sum));
    audit
        .findings
        .into_iter()
        .chain(sum)
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn the_audit_finds_what_was_tampered_with() {
    for (vandalism, finding) in [
        (
            "UPDATE accounts SET available = available + 1",
            "available and its transfers come to",
        ),
        (
            "UPDATE accounts SET available = available + 1",
            "the sum is 0.000001",
        ),
        (
            "UPDATE accounts SET held = held + 1",
            "held and its transfers come to",
        ),
        (
            "UPDATE accounts SET held = held + 1",
            "held and its unfinished tasks hold 0.070000",
        ),
        (
            "UPDATE accounts SET held = -1",
            "holds -0.000001, which is below zero",
        ),
        (
            "UPDATE accounts SET available = -1",
            "below its credit line of 0.000000",
        ),
        (
            "UPDATE transfers SET debit = 'x' WHERE kind = 'hold'",
            "is a hold from x to acct_",
        ),
        (
            "UPDATE transfers SET kind = 'gift' WHERE kind = 'top_up'",
            "which no gift may be",
        ),
        (
            "UPDATE transfers SET amount = -amount WHERE kind = 'cost'",
            "moves -0.050000",
        ),
        (
            "DELETE FROM transfers WHERE kind = 'release'",
            "of which 0.080000 is captured and released",
        ),
        (
            "DELETE FROM transfers WHERE kind = 'hold'",
            "and its hold is 0.000000 of nobody",
        ),
        (
            "DELETE FROM transfers WHERE kind = 'cost'",
            "and its transfers say 0.000000 and 0.000000",
        ),
        (
            "UPDATE transfers SET subject = 'task_x' WHERE kind = 'capture'",
            "for task task_x, which is not",
        ),
        (
            "UPDATE transfers SET subject = 'task_x/0' WHERE kind = 'cost'",
            "for task_x/0, which is no attempt",
        ),
        (
            "UPDATE tasks SET captured = 1 WHERE captured > 0",
            "says that 0.000001 is captured",
        ),
        (
            "UPDATE tasks SET state = 'failed' WHERE captured > 0",
            "has failed and 0.080000 is captured",
        ),
        (
            "UPDATE tasks SET state = 'pending'",
            "is not finished and 0.120000 of its hold",
        ),
        (
            "UPDATE tasks SET state = 'failed'",
            "is still open and its task has ended",
        ),
        (
            "UPDATE key_spend SET spent = 1",
            "has spent 0.000001 in total and its tasks come to 0.070000",
        ),
        (
            "UPDATE attempts SET billed = 1 WHERE billed > 0",
            "was billed 0.000001 as became known, and its losses come to 0.020000",
        ),
        (
            "UPDATE attempts SET resolution = NULL, billed = NULL",
            "was billed 0.090000 as became known, and its losses come to 0.020000",
        ),
        (
            "UPDATE attempts SET resolution = NULL, billed = NULL",
            "is unknown and its loss was corrected by 0.070000",
        ),
        (
            "DELETE FROM transfers WHERE kind = 'loss_returned'",
            "was billed 0.020000 as became known, and its losses come to 0.090000",
        ),
        ("DELETE FROM key_spend", "has spent 0.000000 in total"),
    ] {
        let found = findings(vandalism).await;
        assert!(found.contains(finding), "{vandalism}:\n{found}");
    }
}
