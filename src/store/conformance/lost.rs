//! Calls that may have been paid for nothing, and what became known of them.

use super::fixtures::{Customer, NOW, balance, cents, ended, failed, intent, text_request};
use crate::store::{
    Admission, EndedAttempt, Late, LateContent, LateResult, Resolve, Settlement, Start, Store,
    StoreError,
};
use crate::types::{
    Asset, AttemptNumber, AttemptState, FailKind, Finish, Millis, Money, Part, Resolution, TaskId,
    TaskState, Text,
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
    let early = late(0, customer.asset(&task, 0));
    let early = customer.store.keep_late(early).await.unwrap();
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

fn late(number: AttemptNumber, asset: Asset) -> LateResult {
    LateResult {
        task: asset.task.clone(),
        number,
        content: LateContent::Image(asset),
        at: NOW,
    }
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
    let offer = async |number, asset: Asset| store.keep_late(late(number, asset)).await.unwrap();
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

/// A question to a model of text whose one call ended like this, with so much lost.
async fn unanswered(customer: &Customer, state: AttemptState, loss: Money) -> TaskId {
    let admission = Admission {
        request: Arc::new(text_request()),
        ..customer.starting(cents(12))
    };
    let task = admission.task.clone();
    customer.store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let settlement = Settlement {
        attempts: vec![EndedAttempt {
            loss,
            ..ended(0, state)
        }],
        ..failed(FailKind::OutcomeUnknown)
    };
    customer.store.settle(&hold, settlement).await.unwrap();
    task
}

pub async fn a_late_text_is_kept_and_charged_to_nobody(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let text = |content: &str| Text {
        content: content.to_owned(),
        finish: Finish::Stop,
        expires_at: Some(Millis(NOW.0 + 1000)),
    };
    let offer = async |task: &TaskId, number, text: Text| {
        let late = LateResult {
            task: task.clone(),
            number,
            content: LateContent::Text(text),
            at: NOW,
        };
        store.keep_late(late).await.unwrap()
    };
    let refused = unanswered(&customer, AttemptState::Failed, Money::ZERO).await;
    assert_eq!(offer(&refused, 0, text("x")).await, Late::Refused);
    let task = unanswered(&customer, AttemptState::Unknown, cents(8)).await;
    assert_eq!(offer(&task, 7, text("x")).await, Late::Refused, "no call");
    assert_eq!(customer.task(&task).await.late_text, None);
    let answer = text("because of \"Rayleigh\"");
    for _ in 0..2 {
        // Offered again by who did not hear that it was taken.
        assert_eq!(offer(&task, 0, answer.clone()).await, Late::Kept);
    }
    assert_eq!(offer(&task, 0, text("another")).await, Late::Refused);

    let seen = customer.task(&task).await;
    assert_eq!(
        (seen.state, seen.captured, seen.text, seen.late_text),
        (TaskState::Failed, Money::ZERO, None, Some(answer))
    );
    assert_eq!(customer.balance().await, balance(cents(100), Money::ZERO));
    let all = store.list_lost_calls(NOW, 9).await.unwrap();
    let call = all.iter().find(|call| call.task == task).unwrap();
    let known = call.resolved.clone().expect("it is known");
    assert_eq!(
        (known.resolution, known.billed),
        (Resolution::Delivered, cents(8))
    );
    let again = store.resolve(resolve(&task, 0, None)).await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    let audit = store.audit().await.unwrap();
    assert_eq!(audit.operator_loss, cents(8));
    assert!(audit.is_clean(), "{audit:?}");
    // Its words are deleted when their time is over, as those that came in time.
    let over = Millis(NOW.0 + 1000);
    assert_eq!(store.forget_texts(over, 9).await.unwrap(), 1);
    let left = customer.task(&task).await.late_text;
    assert_eq!(left, Some(text("")));

    // A task that has its answer takes no other.
    let admission = Admission {
        request: Arc::new(text_request()),
        ..customer.starting(cents(12))
    };
    let answered = admission.task.clone();
    store.admit(admission).await.unwrap();
    assert_eq!(offer(&answered, 0, text("x")).await, Late::NotOver);
    let hold = customer.hold_of(&answered).await;
    let settlement = Settlement {
        assets: Vec::new(),
        text: Some(text("yes")),
        ..customer.completed(&answered, cents(2))
    };
    store.settle(&hold, settlement).await.unwrap();
    assert_eq!(offer(&answered, 0, text("yes")).await, Late::Refused);
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
