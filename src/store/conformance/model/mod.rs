//! The ledger against a model of it: random operations on a store and on a few numbers in memory must come to the
//! same results, operation by operation, and the audit must stay clean.

mod books;
mod invent;

use super::fixtures::{NOW, claim, intent, secret};
use crate::store::{Admission, Claimed, Settlement, Store, StoreError, TaskHold};
use crate::types::{Account, KeyId, Money, TaskId, TaskState};
use books::Model;
use futures::future::join_all;
use invent::{Dice, invent_customer};
use std::sync::Arc;

/// Runs one sequence. `together`: how many operations are called at once; a store that carries out calls in the
/// order in which they are made can take more than one. The same seed makes the same sequence.
pub async fn run(store: Arc<dyn Store>, seed: u64, operations: usize, together: usize) {
    let mut dice = Dice(seed);
    let mut model = Model::default();
    for _ in 0..3 {
        open(&store, &mut model, &mut dice).await;
    }
    let mut done = 0;
    while done < operations {
        if model.customers.len() < 8 && dice.below(200) == 0 {
            open(&store, &mut model, &mut dice).await;
        }
        let batch: Vec<(Operation, Outcome)> = (0..1 + dice.below(together))
            .map(|_| {
                let operation = model.invent(&mut dice);
                let expected = model.apply(&operation);
                (operation, expected)
            })
            .collect();
        done += batch.len();
        let outcomes = join_all(
            batch
                .iter()
                .map(|(operation, _)| carry_out(&store, operation)),
        )
        .await;
        for (outcome, (operation, expected)) in outcomes.iter().zip(&batch) {
            assert_eq!(
                outcome, expected,
                "seed {seed}, before {done}: {operation:?}"
            );
        }
        if dice.below(50) == 0 {
            compare(&store, &model, seed).await;
        }
    }
    compare(&store, &model, seed).await;
    let audit = store.audit().await.unwrap();
    assert!(audit.is_clean(), "seed {seed}: {audit:?}");
    assert_eq!(
        audit.held.micros(),
        model.customers.iter().map(|one| one.held).sum::<i64>()
    );
    assert_eq!(audit.captured.micros(), model.captured);
}

#[derive(Debug)]
enum Operation {
    TopUp {
        customer: usize,
        account: Account,
        amount: i64,
        reference: String,
    },
    Admit {
        customer: usize,
        admission: Box<Admission>,
    },
    Claim {
        lane: &'static str,
        worker: &'static str,
        picks: Vec<(KeyId, u32)>,
    },
    Recover {
        worker: &'static str,
    },
    Begin {
        hold: TaskHold,
        number: u32,
    },
    Settle {
        hold: TaskHold,
        settlement: Box<Settlement>,
    },
    Cancel {
        account: Account,
        task: TaskId,
    },
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Done,
    Balance(i64, i64),
    Claimed(Vec<TaskId>),
    Settled(TaskState, i64),
    Refused(&'static str),
}

async fn carry_out(store: &Arc<dyn Store>, operation: &Operation) -> Outcome {
    let ids = |claimed: Vec<Claimed>| {
        Outcome::Claimed(claimed.into_iter().map(|one| one.task.id).collect())
    };
    let outcome = match operation {
        Operation::TopUp {
            account,
            amount,
            reference,
            ..
        } => store
            .top_up(&account.id, Money::from_micros(*amount), reference, NOW)
            .await
            .map(|now| Outcome::Balance(now.available.micros(), now.held.micros())),
        Operation::Admit { admission, .. } => store
            .admit((**admission).clone())
            .await
            .map(|_| Outcome::Done),
        Operation::Claim {
            lane,
            worker,
            picks,
        } => store.claim(claim(lane, picks, worker)).await.map(ids),
        Operation::Recover { worker } => store.recover(worker).await.map(ids),
        Operation::Begin { hold, number } => store
            .begin_attempts(hold, vec![intent(*number)])
            .await
            .map(|()| Outcome::Done),
        Operation::Settle { hold, settlement } => store
            .settle(hold, (**settlement).clone())
            .await
            .map(|task| Outcome::Settled(task.state, task.captured.micros())),
        Operation::Cancel { account, task } => store
            .cancel(&account.id, task, NOW)
            .await
            .map(|task| task.expect("the account owns the task"))
            .map(|task| Outcome::Settled(task.state, task.captured.micros())),
    };
    outcome.unwrap_or_else(|error| {
        Outcome::Refused(match error {
            StoreError::InsufficientCredits { .. } => "credits",
            StoreError::SpendCap { .. } => "cap",
            StoreError::QueueFull(_) => "queue",
            StoreError::Fenced => "fenced",
            StoreError::Exists(what) if what.contains("top-up") => "reference",
            StoreError::Backend(what) if what.contains("would capture") => "capture",
            other => panic!("{operation:?}: {other}"),
        })
    })
}

async fn open(store: &Arc<dyn Store>, model: &mut Model, dice: &mut Dice) {
    let customer = invent_customer(model.customers.len(), dice);
    store
        .create_account(customer.account.clone())
        .await
        .unwrap();
    let keys = vec![(customer.key.clone(), secret())];
    store.create_keys(keys).await.unwrap();
    model.customers.push(customer);
}

async fn compare(store: &Arc<dyn Store>, model: &Model, seed: u64) {
    for one in &model.customers {
        let stored = store.balance(&one.account.id).await.unwrap();
        let stored = (stored.available.micros(), stored.held.micros());
        assert_eq!(
            stored,
            (one.available, one.held),
            "seed {seed}: {}",
            one.account.name
        );
    }
}
