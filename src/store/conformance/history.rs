//! Looking back at tasks, page by page, and at calls that may have been paid for nothing.

use super::fixtures::{Customer, NOW, balance, cents, ended, failed, intent, request};
use crate::store::{Admission, EndedAttempt, Listing, Settlement, Start, Store};
use crate::types::{
    AttemptState, FailKind, KeyId, Millis, Money, Request, TaskFilter, TaskId, TaskPage, TaskState,
};
use std::sync::Arc;

fn listing(filter: TaskFilter, most: u32) -> Listing {
    Listing {
        filter,
        after: None,
        most,
        look_at: 1000,
    }
}

fn ids(page: &TaskPage) -> Vec<TaskId> {
    page.tasks.iter().map(|task| task.id.clone()).collect()
}

/// Admits a waiting task so many milliseconds after [`NOW`].
async fn admit(customer: &Customer, after: i64) -> TaskId {
    let admission = Admission {
        at: Millis(NOW.0 + after),
        ..customer.waiting(cents(1))
    };
    let task = admission.task.clone();
    customer.store.admit(admission).await.unwrap();
    task
}

pub async fn the_history_of_an_account_is_listed_newest_first(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let stranger = Customer::prepaid(&store, cents(100)).await;
    admit(&stranger, 5).await;
    let mut tasks = Vec::new();
    // The last two are of one millisecond: their ids order them.
    for after in [3, 1, 2, 2] {
        tasks.push(admit(&customer, after).await);
    }
    let hold = customer.start(cents(1)).await;
    store
        .settle(&hold, customer.completed(&hold.task, cents(1)))
        .await
        .unwrap();
    let all = store
        .list_tasks(&customer.account.id, &listing(TaskFilter::default(), 100))
        .await
        .unwrap();
    let expected = [&tasks[0], &tasks[3], &tasks[2], &tasks[1], &hold.task];
    assert_eq!(ids(&all).iter().collect::<Vec<_>>(), expected);
    assert_eq!(all.next, None);
    // A listed task is the task, with its results.
    assert_eq!(all.tasks[4], customer.task(&hold.task).await);
    assert_eq!(all.tasks[4].assets.len(), 1);
}

pub async fn a_page_goes_on_where_the_last_one_ended_while_new_tasks_arrive(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let mut expected = Vec::new();
    for after in [0, 1, 1, 1, 2, 3, 4] {
        expected.insert(0, admit(&customer, after).await);
    }
    let mut wanted = listing(TaskFilter::default(), 2);
    let mut seen = Vec::new();
    loop {
        let page = store
            .list_tasks(&customer.account.id, &wanted)
            .await
            .unwrap();
        seen.extend(ids(&page));
        admit(&customer, 10).await;
        wanted.after = page.next;
        if wanted.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
    // A page that ends with the last task says so.
    let exactly = listing(TaskFilter::default(), 11);
    let page = store
        .list_tasks(&customer.account.id, &exactly)
        .await
        .unwrap();
    assert_eq!((page.tasks.len(), page.next), (11, None));
}

pub async fn filters_narrow_together(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let waiting = admit(&customer, 1).await;
    let running = customer.start(cents(1)).await.task;
    let ended_hold = customer.start(cents(1)).await;
    store
        .settle(&ended_hold, failed(FailKind::Upstream))
        .await
        .unwrap();
    let other: Request = serde_json::from_value(serde_json::json!({
        "model": "sketch", "operation": "generate", "n": 1, "parameters": {}, "envelope": {},
    }))
    .unwrap();
    let admission = Admission {
        request: Arc::new(other),
        ..customer.starting(cents(1))
    };
    let sketched = admission.task.clone();
    store.admit(admission).await.unwrap();

    let none = TaskFilter::default;
    let check = async |filter: TaskFilter, expected: &[&TaskId]| {
        let page = store
            .list_tasks(&customer.account.id, &listing(filter.clone(), 100))
            .await
            .unwrap();
        assert_eq!(
            ids(&page).iter().collect::<Vec<_>>(),
            expected,
            "{filter:?}"
        );
    };
    let state = |state| TaskFilter {
        state: Some(state),
        ..none()
    };
    check(state(TaskState::Pending), &[&waiting]).await;
    check(state(TaskState::Failed), &[&ended_hold.task]).await;
    check(state(TaskState::Completed), &[]).await;
    check(state(TaskState::Processing), &[&sketched, &running]).await;
    let sketches = TaskFilter {
        model: Some("sketch".to_owned()),
        ..none()
    };
    check(sketches.clone(), &[&sketched]).await;
    let both = TaskFilter {
        model: sketches.model,
        ..state(TaskState::Failed)
    };
    check(both, &[]).await;
    for (key, expected) in [
        (
            customer.key.id.clone(),
            &[&waiting, &sketched, &ended_hold.task, &running][..],
        ),
        (KeyId::new(), &[]),
    ] {
        let of_key = TaskFilter {
            key: Some(key),
            ..none()
        };
        check(of_key, expected).await;
    }
    let later = TaskFilter {
        since: Some(Millis(NOW.0 + 1)),
        ..none()
    };
    check(later, &[&waiting]).await;
    let before = TaskFilter {
        until: Some(Millis(NOW.0 + 1)),
        ..none()
    };
    check(before, &[&sketched, &ended_hold.task, &running]).await;
}

pub async fn a_rare_thing_is_looked_for_a_bounded_stretch_at_a_time(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1000)).await;
    let mut rare = Vec::new();
    for after in 0..30 {
        if after % 10 == 0 {
            rare.insert(0, customer.start(cents(1)).await.task);
        } else {
            admit(&customer, after - 100).await;
        }
    }
    let mut wanted = Listing {
        filter: TaskFilter {
            state: Some(TaskState::Processing),
            ..TaskFilter::default()
        },
        after: None,
        most: 2,
        look_at: 4,
    };
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = store
            .list_tasks(&customer.account.id, &wanted)
            .await
            .unwrap();
        pages += 1;
        seen.extend(ids(&page));
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, rare, "short pages lose nothing and repeat nothing");
    assert!(pages >= 30 / 4, "{pages} pages looked at 30 tasks");
}

pub async fn what_the_operator_may_have_paid_for_nothing_is_listed(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let end = |number, state, loss, at| EndedAttempt {
        loss,
        at: Millis(NOW.0 + at),
        ..ended(number, state)
    };
    let admission = Admission {
        start: Some(Start {
            worker: "worker-1".to_owned(),
            attempts: vec![intent(0), intent(1), intent(2)],
        }),
        ..customer.waiting(cents(12))
    };
    let task = admission.task.clone();
    store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let settlement = Settlement {
        attempts: vec![
            end(0, AttemptState::Unknown, cents(4), 10),
            end(1, AttemptState::Failed, Money::ZERO, 20),
            // It brought a picture and may have been billed for two.
            end(2, AttemptState::Succeeded, cents(3), 30),
        ],
        ..customer.completed(&task, cents(1))
    };
    store.settle(&hold, settlement).await.unwrap();
    let free = customer.start(cents(5)).await;
    let settlement = Settlement {
        attempts: vec![end(0, AttemptState::Unknown, Money::ZERO, 40)],
        ..failed(FailKind::OutcomeUnknown)
    };
    store.settle(&free, settlement).await.unwrap();

    let lost = store.list_lost_calls(NOW, 100).await.unwrap();
    let told: Vec<_> = lost
        .iter()
        .map(|call| {
            (
                &call.task,
                call.attempt.number,
                call.loss,
                call.is_unknown(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (&free.task, 0, Money::ZERO, true),
            (&task, 2, cents(3), false),
            (&task, 0, cents(4), true),
        ]
    );
    assert_eq!(
        (&lost[2].account, lost[2].model.as_str()),
        (&customer.account, request(&[]).model())
    );
    assert_eq!(lost[2].ended_at, Millis(NOW.0 + 10));
    assert_eq!(lost[2].attempt.provider, "openai");
    let booked: i64 = lost.iter().map(|call| call.loss.micros()).sum();
    assert_eq!(
        store.audit().await.unwrap().operator_loss,
        Money::from_micros(booked)
    );
    assert_eq!(store.list_lost_calls(NOW, 1).await.unwrap(), lost[..1]);
    let late = store
        .list_lost_calls(Millis(NOW.0 + 31), 100)
        .await
        .unwrap();
    assert_eq!(late, lost[..1]);
    assert_eq!(customer.balance().await, balance(cents(99), Money::ZERO));
}
