//! The end of a task and its money.

use super::fixtures::{
    Customer, NOW, WORKER, balance, cents, claim, ended, failed, intent, text_request,
};
use super::outbox::callback;
use crate::store::{Abandoned, Admission, EndedAttempt, Settlement, Start, Store, StoreError};
use crate::types::{
    AttemptState, DeliveryState, FailKind, Failure, Finish, Millis, Money, Quote, Task, TaskEnd,
    TaskState, Text, TokenRates,
};
use futures::future::{join, join_all};
use std::sync::Arc;

pub async fn a_completed_task_pays_for_what_was_delivered(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let hold = customer.start(cents(12)).await;
    let before = customer.task(&hold.task).await;
    let mut settlement = customer.completed(&hold.task, cents(8));
    settlement.attempts[0].cost = cents(5);
    // Later images may be reported first; they come back by index.
    settlement.assets.insert(0, customer.asset(&hold.task, 1));
    let settled = store.settle(&hold, settlement.clone()).await.unwrap();
    let mut assets = settlement.assets.clone();
    assets.reverse();
    let expected = Task {
        state: TaskState::Completed,
        completed_at: Some(settlement.at),
        captured: cents(8),
        usage: settlement.usage,
        upstream_ms: 8400,
        assets,
        ..before
    };
    assert_eq!(settled, expected);
    assert_eq!(customer.task(&hold.task).await, expected);
    assert_eq!(customer.balance().await, balance(cents(92), Money::ZERO));
    let attempts = store.list_attempts(&hold.task).await.unwrap();
    assert_eq!(attempts[0].state, AttemptState::Succeeded);
    let audit = store.audit().await.unwrap();
    assert_eq!((audit.captured, audit.held), (cents(8), Money::ZERO));
    assert!(audit.is_clean(), "{audit:?}");
}

pub async fn a_text_is_kept_with_the_rates_of_its_acceptance(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let rates = TokenRates {
        input_text: cents(150),
        input_image: cents(151),
        output: cents(900),
    };
    let quote = Quote {
        unit: cents(12),
        total: cents(12),
        rates: Some(rates),
    };
    let ask = async || {
        let admission = Admission {
            request: Arc::new(text_request()),
            quote,
            ..customer.starting(cents(12))
        };
        let task = admission.task.clone();
        store.admit(admission).await.unwrap();
        customer.hold_of(&task).await
    };
    for (at, finish) in (10..).zip(Finish::ALL) {
        let hold = ask().await;
        let before = customer.task(&hold.task).await;
        assert_eq!((before.quote, before.text), (quote, None));
        let text = Text {
            content: "because of \u{1f30c} \"Rayleigh\"\n\0".to_owned(),
            finish,
            expires_at: Some(Millis(at)),
        };
        let settlement = Settlement {
            assets: Vec::new(),
            text: Some(text.clone()),
            ..customer.completed(&hold.task, cents(2))
        };
        let settled = store.settle(&hold, settlement).await.unwrap();
        assert_eq!(settled.text, Some(text));
        assert_eq!(customer.task(&hold.task).await, settled);
        // Its time comes, once; that it was there is still known.
        assert_eq!(store.forget_texts(Millis(at - 1), 9).await.unwrap(), 0);
        assert_eq!(store.forget_texts(Millis(at), 9).await.unwrap(), 1);
        assert_eq!(store.forget_texts(Millis(at), 9).await.unwrap(), 0);
        let expected = Text {
            content: String::new(),
            finish,
            expires_at: Some(Millis(at)),
        };
        assert_eq!(customer.task(&hold.task).await.text, Some(expected));
    }
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn a_failed_task_is_free(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    for kind in FailKind::ALL {
        let hold = customer.start(cents(12)).await;
        let settlement = failed(kind);
        let settled = store.settle(&hold, settlement.clone()).await.unwrap();
        assert_eq!(settled.state, TaskState::Failed);
        assert_eq!(TaskEnd::Failed(settled.failure.unwrap()), settlement.end);
        assert_eq!(settled.captured, Money::ZERO);
    }
    assert_eq!(customer.balance().await, balance(cents(100), Money::ZERO));

    let hold = customer.start(cents(12)).await;
    let dear = Settlement {
        captured: cents(1),
        ..failed(FailKind::Upstream)
    };
    let refused = store.settle(&hold, dear).await;
    assert!(
        matches!(refused, Err(StoreError::Backend(_))),
        "{refused:?}"
    );
    assert_eq!(customer.balance().await, balance(cents(88), cents(12)));
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn a_task_is_settled_once(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let hold = customer.start(cents(12)).await;
    let settlements =
        (0..8).map(|_| store.settle(&hold, customer.completed(&hold.task, cents(12))));
    let outcomes = join_all(settlements).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, StoreError::Fenced), "{refused:?}");
    }
    assert_eq!(customer.task(&hold.task).await.assets.len(), 1);
    assert_eq!(customer.balance().await, balance(cents(88), Money::ZERO));
}

pub async fn more_than_the_hold_is_never_captured(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let hold = customer.start(cents(12)).await;
    for captured in [
        cents(12).plus(Money::from_micros(1)).unwrap(),
        cents(-1),
        Money::from_micros(i64::MIN),
    ] {
        let refused = store
            .settle(&hold, customer.completed(&hold.task, captured))
            .await;
        assert!(
            matches!(refused, Err(StoreError::Backend(_))),
            "{refused:?}"
        );
    }
    // Nothing of the refused ones is left: not even the end of the attempt or the asset.
    assert_eq!(customer.task(&hold.task).await.state, TaskState::Processing);
    assert_eq!(store.list_attempts(&hold.task).await.unwrap(), [intent(0)]);
    store
        .settle(&hold, customer.completed(&hold.task, cents(12)))
        .await
        .unwrap();
    assert_eq!(customer.balance().await, balance(cents(88), Money::ZERO));
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn parts_end_one_by_one(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let admission = Admission {
        start: Some(Start {
            worker: WORKER.to_owned(),
            attempts: vec![intent(0), intent(1)],
        }),
        ..customer.waiting(cents(20))
    };
    let task = admission.task.clone();
    store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;

    let first = EndedAttempt {
        cost: cents(4),
        ..ended(1, AttemptState::Succeeded)
    };
    let image = customer.asset(&task, 1);
    store
        .end_attempt(&hold, first.clone(), vec![image.clone()])
        .await
        .unwrap();
    let running = customer.task(&task).await;
    assert_eq!(
        (running.state, running.assets),
        (TaskState::Processing, vec![image.clone()])
    );
    for wrong in [
        first,
        ended(7, AttemptState::Failed),
        ended(0, AttemptState::Intent),
    ] {
        let refused = store.end_attempt(&hold, wrong, Vec::new()).await;
        assert!(
            matches!(refused, Err(StoreError::Backend(_))),
            "{refused:?}"
        );
    }
    let refused = Failure::new(FailKind::Rejected, "the upstream takes no seed");
    let second = EndedAttempt {
        failure: Some(refused.clone()),
        ..ended(0, AttemptState::Failed)
    };
    let settlement = Settlement {
        attempts: vec![second],
        ..customer.completed(&task, cents(10))
    };
    let settled = store.settle(&hold, settlement).await.unwrap();
    let attempts = store.list_attempts(&task).await.unwrap();
    let failures: Vec<_> = attempts.iter().map(|one| one.failure.clone()).collect();
    assert_eq!(failures, [Some(refused), None]);
    let indices: Vec<u32> = settled.assets.iter().map(|asset| asset.index).collect();
    assert_eq!(indices, [0, 1]);
    assert_eq!(settled.assets[1], image);
    let audit = store.audit().await.unwrap();
    assert!(audit.is_clean(), "{audit:?}");
}

pub async fn an_unknown_outcome_is_the_operators_loss(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let hold = customer.start(cents(12)).await;
    let settlement = Settlement {
        attempts: vec![EndedAttempt {
            loss: cents(4),
            ..ended(0, AttemptState::Unknown)
        }],
        ..failed(FailKind::OutcomeUnknown)
    };
    store.settle(&hold, settlement).await.unwrap();
    let audit = store.audit().await.unwrap();
    assert_eq!(
        (audit.operator_loss, audit.captured),
        (cents(4), Money::ZERO)
    );
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(customer.balance().await, balance(cents(100), Money::ZERO));
}

pub async fn a_waiting_task_is_cancelled(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let admission = customer.waiting(cents(12));
    let task = admission.task.clone();
    store.admit(admission).await.unwrap();
    let at = Millis(NOW.0 + 77);
    let cancelled = store
        .cancel(&customer.account.id, &task, at)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (cancelled.state, cancelled.completed_at),
        (TaskState::Failed, Some(at))
    );
    assert_eq!(
        cancelled.failure.as_ref().unwrap().kind,
        FailKind::Cancelled
    );
    assert_eq!(customer.balance().await, balance(cents(100), Money::ZERO));
    // Again: as it is, and nothing is given back twice.
    let again = store
        .cancel(&customer.account.id, &task, NOW)
        .await
        .unwrap();
    assert_eq!(again, Some(cancelled));
    assert!(
        store
            .claim(claim("openai", &[(customer.key.id.clone(), 9)], WORKER))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(customer.balance().await, balance(cents(100), Money::ZERO));
}

pub async fn tasks_that_wait_too_long_end_at_no_cost(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let since = |age: i64| Admission {
        at: Millis(NOW.0 - age),
        ..customer.waiting(cents(12))
    };
    let runs = Admission {
        at: Millis(NOW.0 - 90),
        ..customer.starting(cents(12))
    };
    let waiting = [since(30), since(20), since(10)];
    let ids: Vec<_> = waiting.iter().map(|one| one.task.clone()).collect();
    for admission in waiting.into_iter().chain([runs]) {
        store.admit(admission).await.unwrap();
    }
    let expire = async |age, most| {
        let before = Millis(NOW.0 - age);
        let ended = store.expire_waiting(before, NOW, most).await.unwrap();
        for task in &ended {
            let kind = task.failure.as_ref().unwrap().kind;
            assert_eq!(kind, FailKind::DeadlineExceeded);
            assert_eq!(task.completed_at, Some(NOW));
            assert_eq!(*task, customer.task(&task.id).await);
        }
        ended.into_iter().map(|task| task.id).collect::<Vec<_>>()
    };
    assert_eq!(expire(31, 9).await, []);
    assert_eq!(expire(20, 1).await, ids[..1]);
    assert_eq!(expire(20, 9).await, ids[1..2]);
    assert_eq!(expire(20, 9).await, []);
    assert_eq!(customer.balance().await, balance(cents(76), cents(24)));
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn a_running_task_is_not_cancelled(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let hold = customer.start(cents(12)).await;
    let running = customer.task(&hold.task).await;
    let unchanged = store
        .cancel(&customer.account.id, &hold.task, NOW)
        .await
        .unwrap();
    assert_eq!(unchanged, Some(running));
    let settled = store
        .settle(&hold, customer.completed(&hold.task, cents(12)))
        .await
        .unwrap();
    let unchanged = store
        .cancel(&customer.account.id, &hold.task, NOW)
        .await
        .unwrap();
    assert_eq!(unchanged, Some(settled));
}

pub async fn what_is_abandoned_is_free_and_tells_nobody(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let asking = |admission: Admission| Admission {
        callback: callback("https://receiver.example"),
        ..Customer::capped(admission, "total", cents(100))
    };
    let mut parts = asking(customer.starting(cents(12)));
    if let Some(start) = &mut parts.start {
        start.attempts.push(intent(1));
    }
    let (told, waits) = (
        asking(customer.starting(cents(1))),
        asking(customer.waiting(cents(3))),
    );
    let [told_id, parts_id, waits_id] = [&told, &parts, &waits].map(|one| one.task.clone());
    for admission in [told, parts, waits] {
        store.admit(admission).await.unwrap();
    }
    let hold = customer.hold_of(&told_id).await;
    let settled = store.settle(&hold, customer.completed(&told_id, cents(1)));
    let settled = settled.await.unwrap();
    let hold = customer.hold_of(&parts_id).await;
    let image = vec![customer.asset(&parts_id, 0)];
    let first = store.end_attempt(&hold, ended(0, AttemptState::Succeeded), image);
    first.await.unwrap();

    let why = Failure::new(FailKind::OutcomeUnknown, "restored");
    let at = Millis(NOW.0 + 70_000);
    let abandoned = store.abandon_unfinished(why.clone(), at).await.unwrap();
    let mut expected = vec![parts_id.clone(), waits_id.clone()];
    expected.sort();
    assert_eq!((abandoned.tasks, abandoned.deliveries), (expected, 1));
    for id in [&parts_id, &waits_id] {
        let task = customer.task(id).await;
        assert_eq!(
            (task.state, task.completed_at),
            (TaskState::Failed, Some(at))
        );
        assert_eq!(task.failure.as_ref(), Some(&why));
        assert_eq!(store.find_delivery(id).await.unwrap(), None);
    }
    let attempts = store.list_attempts(&parts_id).await.unwrap();
    let states: Vec<_> = attempts.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Succeeded, AttemptState::Unknown]);
    assert_eq!(customer.task(&told_id).await, settled);
    let delivery = store.find_delivery(&told_id).await.unwrap().unwrap();
    assert_eq!(delivery.delivery.state, DeliveryState::Exhausted);
    assert_eq!(store.list_destinations().await.unwrap(), []);
    assert_eq!(customer.balance().await, balance(cents(99), Money::ZERO));
    let audit = store.audit().await.unwrap();
    assert_eq!(audit.operator_loss, cents(4));
    assert!(audit.is_clean(), "{audit:?}");
    let late = store.settle(&hold, customer.completed(&parts_id, cents(12)));
    assert!(matches!(late.await, Err(StoreError::Fenced)));
    let again = store.abandon_unfinished(why, at).await.unwrap();
    assert_eq!(again, Abandoned::default());
}

pub async fn cancel_and_claim_never_both_win(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1000)).await;
    for round in 0..20 {
        let admission = customer.waiting(cents(5));
        let task = admission.task.clone();
        store.admit(admission).await.unwrap();
        let cancel = store.cancel(&customer.account.id, &task, NOW);
        let claim = customer.claim(1);
        let (cancelled, claimed) = if round % 2 == 0 {
            join(cancel, claim).await
        } else {
            let (claimed, cancelled) = join(claim, cancel).await;
            (cancelled, claimed)
        };
        let cancelled = cancelled.unwrap().unwrap().state == TaskState::Failed;
        assert_ne!(cancelled, !claimed.unwrap().is_empty());
    }
    let held = customer.balance().await.held;
    let running: u64 = store
        .queue()
        .await
        .unwrap()
        .iter()
        .map(|lane| lane.processing)
        .sum();
    assert_eq!(
        held,
        cents(5).times(u32::try_from(running).unwrap()).unwrap()
    );
    assert!(store.audit().await.unwrap().is_clean());
}
