//! Calls that may have been paid for nothing, and what became known of them.

use super::fixtures::{Customer, NOW, balance, cents, ended, failed, intent};
use crate::store::{
    Admission, EndedAttempt, Late, LateImage, Resolve, Settlement, Start, Store, StoreError,
};
use crate::types::{
    Asset, AttemptNumber, AttemptState, FailKind, Millis, Money, Part, Resolution, TaskId,
    TaskState,
};
use std::sync::Arc;

/// A task of two calls for two images and one, that failed: nobody knows of the first, the second refused.
async fn lost_one(customer: &Customer) -> TaskId {
    let mut attempts = vec![intent(0), intent(1)];
    attempts[0].part = Part { first: 0, count: 2 };
    attempts[1].part = Part { first: 2, count: 1 };
    let admission = Admission {
        start: Some(Start {
            worker: "worker-1".to_owned(),
            attempts,
        }),
        ..customer.waiting(cents(12))
    };
    let task = admission.task.clone();
    customer.store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let late = LateImage {
        number: 0,
        asset: customer.asset(&task, 0),
    };
    let early = customer.store.keep_late(late).await.unwrap();
    assert_eq!(early, Late::NotOver, "its task goes on");
    let settlement = Settlement {
        attempts: vec![
            EndedAttempt {
                loss: cents(8),
                ..ended(0, AttemptState::Unknown)
            },
            ended(1, AttemptState::Failed),
        ],
        ..failed(FailKind::OutcomeUnknown)
    };
    customer.store.settle(&hold, settlement).await.unwrap();
    task
}

fn resolve(task: &TaskId, number: AttemptNumber, billed: Option<Money>) -> Resolve {
    Resolve {
        task: task.clone(),
        number,
        billed,
        note: Some("as the bill of November says".to_owned()),
        at: Millis(NOW.0 + 60_000),
    }
}

pub async fn a_late_image_is_kept_and_charged_to_nobody(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let task = lost_one(&customer).await;
    let offer = async |number, asset: Asset| {
        let late = LateImage { number, asset };
        store.keep_late(late).await.unwrap()
    };
    let first = customer.asset(&task, 0);
    assert_eq!(offer(0, first.clone()).await, Late::Kept);
    assert_eq!(
        offer(0, first.clone()).await,
        Late::Kept,
        "the same one, offered again"
    );
    assert_eq!(
        offer(0, customer.asset(&task, 0)).await,
        Late::Refused,
        "it is there"
    );
    assert_eq!(
        offer(0, customer.asset(&task, 1)).await,
        Late::Kept,
        "the call made two"
    );
    assert_eq!(
        offer(0, customer.asset(&task, 2)).await,
        Late::Refused,
        "not its image"
    );
    assert_eq!(
        offer(1, customer.asset(&task, 2)).await,
        Late::Refused,
        "it was refused"
    );
    assert_eq!(
        offer(7, customer.asset(&task, 0)).await,
        Late::Refused,
        "no such call"
    );
    let nobodys = customer.asset(&TaskId::new(), 0);
    assert_eq!(offer(0, nobodys).await, Late::Refused, "no such task");

    let seen = customer.task(&task).await;
    assert_eq!(
        (seen.state, seen.captured),
        (TaskState::Failed, Money::ZERO)
    );
    let first = Asset {
        is_late: true,
        ..first
    };
    assert_eq!((seen.assets.len(), &seen.assets[0]), (2, &first));
    assert_eq!(seen.results().count(), 0, "they came late");
    assert_eq!(customer.balance().await, balance(cents(100), Money::ZERO));
    let known = store.list_lost_calls(NOW, 9).await.unwrap()[0]
        .resolved
        .clone();
    let known = known.expect("it is known");
    assert_eq!(
        (known.resolution, known.billed),
        (Resolution::Delivered, cents(8))
    );
    let audit = store.audit().await.unwrap();
    assert_eq!(
        (audit.operator_loss, audit.captured),
        (cents(8), Money::ZERO)
    );
    assert!(audit.is_clean(), "{audit:?}");
    let again = store.resolve(resolve(&task, 0, None)).await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
}

pub async fn a_lost_call_is_resolved_once_and_the_books_follow(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let mut lost = 0;
    for (billed, resolution, cost) in [
        (None, Resolution::Billed, 8),
        (Some(Money::ZERO), Resolution::NotBilled, 0),
        (Some(cents(8)), Resolution::Billed, 8),
        (Some(cents(3)), Resolution::Billed, 3),
        (Some(cents(20)), Resolution::Billed, 20),
    ] {
        let task = lost_one(&customer).await;
        let number = 0;
        assert_eq!(
            store.resolve(resolve(&task, number, billed)).await.unwrap(),
            cents(cost)
        );
        lost += cost;
        let audit = store.audit().await.unwrap();
        assert_eq!(audit.operator_loss, cents(lost), "{billed:?}");
        assert!(audit.is_clean(), "{billed:?}: {audit:?}");
        let all = store.list_lost_calls(NOW, 99).await.unwrap();
        let one = all
            .iter()
            .find(|call| call.task == task)
            .expect("it is listed");
        let known = one.resolved.clone().expect("it is known");
        assert_eq!((one.loss, known.billed), (cents(8), cents(cost)));
        assert_eq!(
            (known.resolution, known.at),
            (resolution, Millis(NOW.0 + 60_000))
        );
        assert_eq!(known.note.as_deref(), Some("as the bill of November says"));
        let again = store.resolve(resolve(&task, number, Some(cents(1)))).await;
        assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
        for (task, number) in [(&task, 1), (&task, 7), (&TaskId::new(), 0)] {
            let none = store.resolve(resolve(task, number, None)).await;
            assert!(matches!(none, Err(StoreError::NotFound(_))), "{none:?}");
        }
    }
    // One that goes on may still tell itself.
    let running = customer.start(cents(5)).await;
    let none = store.resolve(resolve(&running.task, 0, None)).await;
    assert!(matches!(none, Err(StoreError::NotFound(_))), "{none:?}");
    assert_eq!(customer.balance().await.held, cents(5));
}
