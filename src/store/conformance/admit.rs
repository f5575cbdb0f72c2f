//! Accepting a task: what is stored, and what is refused.

use super::fixtures::{Customer, NOW, balance, cents, failed, intent, picture, request, secret};
use crate::store::{Admission, Admitted, FIRST_FENCE, Idempotency, Store, StoreError, new_key};
use crate::types::account::KeyLimits;
use crate::types::{AccountId, CreditLine, FailKind, KeyId, Mode, Money, Task, TaskState, Usage};
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;

pub async fn a_task_reads_back_as_it_was_admitted(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let admission = Admission {
        request: Arc::new(request(&[picture(), picture()])),
        mode: Mode::Test,
        ..customer.waiting(cents(5))
    };
    store.admit(admission.clone()).await.unwrap();
    let expected = Task {
        id: admission.task,
        account: customer.account.id.clone(),
        key: customer.key.id.clone(),
        mode: Mode::Test,
        request: admission.request,
        quote: admission.quote,
        lane: "openai".to_owned(),
        public_url: "https://images.example".to_owned(),
        callback: admission.callback,
        state: TaskState::Pending,
        fence: 0,
        crashes: 0,
        lone_crashes: 0,
        created_at: NOW,
        started_at: None,
        completed_at: None,
        failure: None,
        captured: Money::ZERO,
        usage: Usage::default(),
        upstream_ms: 0,
        assets: Vec::new(),
        text: None,
        late_text: None,
    };
    assert_eq!(customer.task(&expected.id).await, expected);

    let started = customer.starting(cents(5));
    store.admit(started.clone()).await.unwrap();
    let expected = Task {
        id: started.task,
        mode: Mode::Live,
        request: started.request,
        state: TaskState::Processing,
        fence: FIRST_FENCE,
        started_at: Some(NOW),
        ..expected
    };
    assert_eq!(customer.task(&expected.id).await, expected);
    let attempts = store.list_attempts(&expected.id).await.unwrap();
    assert_eq!(attempts, [intent(0)]);
    assert_eq!(customer.balance().await, balance(cents(90), cents(10)));
}

pub async fn a_refused_admission_leaves_nothing(store: Arc<dyn Store>) {
    let poor = Customer::prepaid(&store, cents(3)).await;
    let admission = Customer::capped(poor.starting(cents(4)), "total", cents(100));
    let task = admission.task.clone();
    let refused = store.admit(admission).await;
    assert!(
        matches!(refused, Err(StoreError::InsufficientCredits { available, needed })
            if available == cents(3) && needed == cents(4)),
        "{refused:?}"
    );
    assert_eq!(
        store.find_task(&poor.account.id, &task).await.unwrap(),
        None
    );
    assert_eq!(store.list_attempts(&task).await.unwrap(), []);
    assert_eq!(poor.balance().await, balance(cents(3), Money::ZERO));
    // Nor does it count as spent.
    let within = Customer::capped(poor.starting(cents(3)), "total", cents(3));
    store.admit(within.clone()).await.unwrap();

    let again = store
        .admit(Admission {
            hold: Money::ZERO,
            spend: None,
            ..within
        })
        .await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    let nobody = Admission {
        account: AccountId::new(),
        ..poor.starting(Money::ZERO)
    };
    let foreign_key = Admission {
        key: KeyId::new(),
        ..poor.starting(Money::ZERO)
    };
    for stray in [nobody, foreign_key] {
        let refused = store.admit(stray).await;
        assert!(
            matches!(refused, Err(StoreError::NotFound(_))),
            "{refused:?}"
        );
    }
    let negative = store.admit(poor.starting(cents(-1))).await;
    assert!(
        matches!(negative, Err(StoreError::Backend(_))),
        "{negative:?}"
    );
}

pub async fn an_unlimited_account_pays_without_end(store: Arc<dyn Store>) {
    let customer = Customer::with_line(&store, CreditLine::Unlimited).await;
    customer.start(cents(100_000)).await;
    assert_eq!(
        customer.balance().await,
        balance(cents(-100_000), cents(100_000))
    );
}

pub async fn a_credit_line_is_used_to_its_end(store: Arc<dyn Store>) {
    let customer = Customer::with_line(&store, CreditLine::UpTo(cents(10))).await;
    customer.start(cents(10)).await;
    let refused = store.admit(customer.starting(Money::from_micros(1))).await;
    assert!(
        matches!(refused, Err(StoreError::InsufficientCredits { .. })),
        "{refused:?}"
    );
    customer.start(Money::ZERO).await;
    assert_eq!(customer.balance().await, balance(cents(-10), cents(10)));
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn a_key_spends_its_cap_and_no_more(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1000)).await;
    let admit = async |hold, window: &str, cap| {
        let admission = Customer::capped(customer.starting(hold), window, cap);
        store.admit(admission).await
    };
    admit(cents(6), "2026-11-21", cents(10)).await.unwrap();
    let refused = admit(cents(5), "2026-11-21", cents(10)).await;
    assert!(
        matches!(refused, Err(StoreError::SpendCap { cap, spent })
            if cap == cents(10) && spent == cents(6)),
        "{refused:?}"
    );
    admit(cents(4), "2026-11-21", cents(10)).await.unwrap();
    admit(Money::ZERO, "2026-11-21", cents(10)).await.unwrap();
    admit(cents(10), "2026-11-22", cents(10)).await.unwrap();
    let too_dear = admit(cents(11), "2026-11-23", cents(10)).await;
    assert!(
        matches!(
            too_dear,
            Err(StoreError::SpendCap {
                spent: Money::ZERO,
                ..
            })
        ),
        "{too_dear:?}"
    );
    // Another key of the account has a cap of its own.
    let second = new_key(
        &customer.account.id,
        "b",
        Mode::Live,
        "abcd",
        KeyLimits::default(),
        NOW,
    );
    store
        .create_keys(vec![(second.clone(), secret())])
        .await
        .unwrap();
    let admission = Customer::capped(customer.starting(cents(10)), "2026-11-21", cents(10));
    store
        .admit(Admission {
            key: second.id,
            ..admission
        })
        .await
        .unwrap();
    assert_eq!(customer.balance().await, balance(cents(970), cents(30)));
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn what_is_released_may_be_spent_again(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1000)).await;
    let capped = |hold| Customer::capped(customer.starting(hold), "total", cents(10));
    let fails = capped(cents(10));
    let task = fails.task.clone();
    store.admit(fails).await.unwrap();
    let hold = customer.hold_of(&task).await;
    store
        .settle(&hold, failed(FailKind::Upstream))
        .await
        .unwrap();

    let partly = capped(cents(10));
    let task = partly.task.clone();
    store.admit(partly).await.unwrap();
    let hold = customer.hold_of(&task).await;
    store
        .settle(&hold, customer.completed(&task, cents(4)))
        .await
        .unwrap();

    let waits = Admission {
        start: None,
        ..capped(cents(6))
    };
    let task = waits.task.clone();
    store.admit(waits).await.unwrap();
    let refused = store.admit(capped(Money::from_micros(1))).await;
    assert!(
        matches!(refused, Err(StoreError::SpendCap { spent, .. }) if spent == cents(10)),
        "{refused:?}"
    );
    store
        .cancel(&customer.account.id, &task, NOW)
        .await
        .unwrap();
    store.admit(capped(cents(6))).await.unwrap();
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn too_many_waiting_tasks_are_refused(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let waiting = |hold| Admission {
        most_waiting: 2,
        ..customer.waiting(hold)
    };
    store.admit(waiting(cents(1))).await.unwrap();
    store.admit(waiting(cents(1))).await.unwrap();
    let refused = store.admit(waiting(cents(1))).await;
    assert!(
        matches!(refused, Err(StoreError::QueueFull(2))),
        "{refused:?}"
    );
    // One that need not wait is not counted, and a claim makes room.
    store
        .admit(Admission {
            most_waiting: 2,
            ..customer.starting(cents(1))
        })
        .await
        .unwrap();
    customer.claim(1).await.unwrap();
    store.admit(waiting(cents(1))).await.unwrap();
    assert_eq!(customer.balance().await, balance(cents(96), cents(4)));
}

pub async fn many_at_once_never_overdraw(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(40)).await;
    let admissions = (0..64).map(|_| store.admit(customer.starting(cents(4))));
    let outcomes = join_all(admissions).await;
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(accepted, 10);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert!(
            matches!(
                refused,
                StoreError::InsufficientCredits {
                    available: Money::ZERO,
                    ..
                }
            ),
            "{refused:?}"
        );
    }
    assert_eq!(customer.balance().await, balance(Money::ZERO, cents(40)));
    assert!(store.audit().await.unwrap().is_clean());
}

fn with_key(admission: Admission, key: &str, print: u8) -> Admission {
    Admission {
        idempotency: Some(Idempotency {
            key: key.to_owned(),
            fingerprint: [print; 32],
            expires_at: NOW.after(Duration::from_secs(60)),
        }),
        ..admission
    }
}

pub async fn a_repeated_key_stands_for_the_first_task(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let first = with_key(customer.starting(cents(4)), "order-1", 1);
    assert_eq!(store.admit(first.clone()).await.unwrap(), Admitted::New);
    let repeats =
        (0..100).map(|_| store.admit(with_key(customer.starting(cents(4)), "order-1", 1)));
    for repeat in join_all(repeats).await {
        assert_eq!(repeat.unwrap(), Admitted::Known(first.task.clone()));
    }
    let other = store
        .admit(with_key(customer.starting(cents(4)), "order-1", 2))
        .await;
    assert!(matches!(other, Err(StoreError::KeyReused)), "{other:?}");
    assert_eq!(customer.balance().await, balance(cents(6), cents(4)));
}

pub async fn a_key_is_per_account_and_mode_and_expires(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let other = Customer::prepaid(&store, cents(100)).await;
    let of = |admission| with_key(admission, "order-1", 1);
    assert_eq!(
        store.admit(of(customer.waiting(cents(1)))).await.unwrap(),
        Admitted::New
    );
    assert_eq!(
        store.admit(of(other.waiting(cents(1)))).await.unwrap(),
        Admitted::New
    );
    let test = Admission {
        mode: Mode::Test,
        ..customer.waiting(Money::ZERO)
    };
    assert_eq!(store.admit(of(test)).await.unwrap(), Admitted::New);
    let late = Admission {
        at: NOW.after(Duration::from_secs(60)),
        ..of(customer.waiting(cents(1)))
    };
    assert_eq!(store.admit(late).await.unwrap(), Admitted::New);
    // Sweeping takes what has expired, and nothing before its time.
    assert_eq!(store.forget_expired_keys(NOW, 10).await.unwrap(), 0);
    let at = NOW.after(Duration::from_secs(60));
    let swept = store.forget_expired_keys(at, 1).await.unwrap()
        + store.forget_expired_keys(at, 10).await.unwrap();
    assert_eq!(store.forget_expired_keys(at, 10).await.unwrap(), 0);
    assert_eq!(
        swept, 3,
        "the keys of the customer, of the other and of the test have expired"
    );
    // A refused request leaves no key behind.
    let poor = of(Customer::prepaid(&store, cents(0)).await.waiting(cents(1)));
    assert!(store.admit(poor.clone()).await.is_err());
    assert!(matches!(
        store.admit(poor).await,
        Err(StoreError::InsufficientCredits { .. })
    ));
}
