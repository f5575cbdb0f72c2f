//! What the audit counts; what it finds is tested by each store, behind its back.

use super::fixtures::{Customer, cents};
use crate::store::Store;
use crate::store::ledger::Audit;
use crate::types::Money;
use std::sync::Arc;

pub async fn an_empty_store_is_clean(store: Arc<dyn Store>) {
    let audit = store.audit().await.unwrap();
    assert_eq!(audit, Audit::default());
    assert!(audit.is_clean());
}

pub async fn the_books_say_what_happened(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let done = customer.start(cents(12)).await;
    let mut settlement = customer.completed(&done.task, cents(8));
    settlement.attempts[0].cost = cents(5);
    settlement.attempts[0].loss = cents(1);
    store.settle(&done, settlement).await.unwrap();
    customer.start(cents(7)).await;
    let expected = Audit {
        // The top-up, two holds, a capture, a release, a cost and a loss.
        transfers: 7,
        sum: Money::ZERO,
        held: cents(7),
        captured: cents(8),
        operator_loss: cents(1),
        findings: Vec::new(),
    };
    assert_eq!(store.audit().await.unwrap(), expected);
}
