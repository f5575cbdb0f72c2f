//! What an account used: the same as its ledger says, told apart, within bounds.

use super::fixtures::{Customer, NOW, cents, failed, secret};
use crate::store::{Admission, Settlement, Store, StoreError, new_key};
use crate::types::{FailKind, KeyLimits, Millis, Mode, Money, Period, UsageBy, Used, UsedBy};
use std::sync::Arc;

const DAY: i64 = 24 * 3_600_000;

const ALL: Period = Period {
    start: Millis(0),
    end: Millis(i64::MAX),
};

/// A task that ends so many days later and brings one image.
async fn paid(customer: &Customer, admission: Admission, captured: Money, days: i64) {
    let task = admission.task.clone();
    customer.store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let settlement = Settlement {
        at: Millis(NOW.0 + days * DAY),
        ..customer.completed(&task, captured)
    };
    customer.store.settle(&hold, settlement).await.unwrap();
}

fn sum(groups: &[UsedBy]) -> Used {
    let sum = groups
        .iter()
        .try_fold(Used::default(), |sum, group| sum.plus(group.used));
    sum.unwrap()
}

pub async fn what_was_used_is_what_the_ledger_captured(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1000)).await;
    let test = new_key(
        &customer.account.id,
        "second",
        Mode::Test,
        "abcd",
        KeyLimits::default(),
        NOW,
    );
    store
        .create_keys(vec![(test.clone(), secret())])
        .await
        .unwrap();
    paid(&customer, customer.starting(cents(12)), cents(12), 0).await;
    paid(&customer, customer.starting(cents(12)), cents(8), 0).await;
    paid(&customer, customer.starting(cents(5)), cents(5), 1).await;
    let free = Admission {
        key: test.id.clone(),
        mode: Mode::Test,
        ..customer.starting(Money::ZERO)
    };
    paid(&customer, free, Money::ZERO, 1).await;
    let fails = customer.start(cents(7)).await;
    store
        .settle(&fails, failed(FailKind::Upstream))
        .await
        .unwrap();
    // What has not ended is not used yet.
    let runs = customer.start(cents(9)).await;

    let account = &customer.account.id;
    let used = async |period, by| store.usage(account, period, by, 9).await.unwrap();
    let total = sum(&used(ALL, None).await);
    assert_eq!((total.completed, total.failed, total.images), (4, 1, 4));
    assert_eq!(total.tokens.output_tokens, 4 * 4160);
    assert_eq!(total.charged, cents(25));
    assert_eq!(total.charged, store.audit().await.unwrap().captured);
    let mut names = Vec::new();
    for by in UsageBy::ALL {
        let groups = used(ALL, Some(by)).await;
        assert_eq!(sum(&groups), total, "{by:?}");
        names.push(
            groups
                .iter()
                .map(|group| (group.group.clone(), group.used.charged))
                .collect::<Vec<_>>(),
        );
    }
    let named = |name: &str, charged| (name.to_owned(), cents(charged));
    let mut keys = vec![
        named(customer.key.id.as_str(), 25),
        named(test.id.as_str(), 0),
    ];
    keys.sort();
    let days = vec![named("2027-01-15", 20), named("2027-01-16", 5)];
    let modes = vec![named("live", 25), named("test", 0)];
    assert_eq!(names, [vec![named("gpt-image-2", 25)], keys, days, modes]);
    let titles = used(ALL, Some(UsageBy::Key)).await;
    assert!(
        titles
            .iter()
            .any(|key| key.title.as_deref() == Some("second"))
    );

    // The end is not in it.
    let at = |days| Millis(NOW.0 + days * DAY);
    let second_day = Period {
        start: at(1),
        end: at(2),
    };
    assert_eq!(sum(&used(second_day, None).await).charged, cents(5));
    let before = Period {
        start: at(0),
        end: at(1),
    };
    assert_eq!(sum(&used(before, None).await).charged, cents(20));
    let stranger = Customer::prepaid(&store, cents(1)).await;
    let theirs = store.usage(&stranger.account.id, ALL, None, 9).await;
    assert_eq!(theirs.unwrap(), []);
    store
        .settle(&runs, failed(FailKind::Upstream))
        .await
        .unwrap();
}

pub async fn more_groups_than_wanted_are_refused(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    for day in 0..3 {
        paid(&customer, customer.starting(cents(1)), cents(1), day).await;
    }
    let account = &customer.account.id;
    let by_day = async |most| store.usage(account, ALL, Some(UsageBy::Day), most).await;
    assert_eq!(by_day(3).await.unwrap().len(), 3);
    assert!(matches!(by_day(2).await, Err(StoreError::TooManyGroups(2))));
}
