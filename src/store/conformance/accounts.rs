//! Accounts, and credits that are added.

use super::fixtures::{Customer, NOW, balance, cents, secret};
use crate::store::{Store, StoreError, new_account, new_key};
use crate::types::account::KeyLimits;
use crate::types::{Account, AccountId, CreditLine, Mode, Money};
use std::sync::Arc;

pub async fn an_account_is_found_by_name_and_by_id(store: Arc<dyn Store>) {
    let account = Account {
        markup_basis_points: 1250,
        frozen: true,
        concurrent: Some(3),
        ..new_account("acme", CreditLine::UpTo(cents(500)), NOW)
    };
    store.create_account(account.clone()).await.unwrap();
    let unlimited = new_account(account.id.as_str(), CreditLine::Unlimited, NOW);
    store.create_account(unlimited.clone()).await.unwrap();
    for (spelt, found) in [
        ("acme", Some(&account)),
        (account.id.as_str(), Some(&account)),
        (unlimited.id.as_str(), Some(&unlimited)),
        ("Acme", None),
        ("", None),
    ] {
        assert_eq!(
            store.find_account(spelt).await.unwrap().as_ref(),
            found,
            "{spelt:?}"
        );
    }
}

pub async fn a_name_is_taken_once(store: Arc<dyn Store>) {
    let first = new_account("acme", CreditLine::Unlimited, NOW);
    store.create_account(first.clone()).await.unwrap();
    let second = new_account("acme", CreditLine::Unlimited, NOW);
    let refused = store.create_account(second).await;
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    assert_eq!(store.find_account("acme").await.unwrap(), Some(first));
}

pub async fn accounts_are_listed_by_name_with_their_balances(store: Arc<dyn Store>) {
    for name in ["b", "c", "a"] {
        store
            .create_account(new_account(name, CreditLine::UpTo(Money::ZERO), NOW))
            .await
            .unwrap();
    }
    let b = store.find_account("b").await.unwrap().unwrap();
    store.top_up(&b.id, cents(7), "r", NOW).await.unwrap();
    let listed: Vec<_> = store
        .list_accounts()
        .await
        .unwrap()
        .into_iter()
        .map(|(account, balance)| (account.name, balance.available))
        .collect();
    let expected = [("a", Money::ZERO), ("b", cents(7)), ("c", Money::ZERO)];
    assert_eq!(
        listed,
        expected.map(|(name, credits)| (name.to_owned(), credits))
    );
}

pub async fn a_top_up_counts_once_for_each_reference(store: Arc<dyn Store>) {
    let one = Customer::prepaid(&store, cents(10)).await;
    let other = Customer::prepaid(&store, cents(10)).await;
    let top_up = async |who: &Customer, reference: &str| {
        store
            .top_up(&who.account.id, cents(5), reference, NOW)
            .await
    };
    let fifteen = balance(cents(15), Money::ZERO);
    assert_eq!(top_up(&one, "payment 1").await.unwrap(), fifteen);
    assert_eq!(top_up(&one, "payment 1").await.unwrap(), fifteen);
    assert_eq!(one.balance().await, fifteen);
    // The same payment cannot be booked to somebody else, and saying that it was would lose it.
    let refused = top_up(&other, "payment 1").await;
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    assert_eq!(top_up(&other, "payment 2").await.unwrap(), fifteen);
    // The same payment with another amount is not the same payment.
    let other_amount = store
        .top_up(&one.account.id, cents(6), "payment 1", NOW)
        .await;
    assert!(
        matches!(other_amount, Err(StoreError::Exists(_))),
        "{other_amount:?}"
    );

    let nothing = store
        .top_up(&one.account.id, Money::ZERO, "nothing", NOW)
        .await;
    assert_eq!(nothing.unwrap(), fifteen);
    let negative = store
        .top_up(&one.account.id, cents(-1), "negative", NOW)
        .await;
    assert!(
        matches!(negative, Err(StoreError::Backend(_))),
        "{negative:?}"
    );
    let stranger = AccountId::new();
    let nobody = store.top_up(&stranger, cents(1), "nobody", NOW).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(_))), "{nobody:?}");
    let nobody = store.balance(&stranger).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(_))), "{nobody:?}");
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn a_balance_never_wraps(store: Arc<dyn Store>) {
    let most = Money::from_micros(i64::MAX);
    let rich = Customer::prepaid(&store, most).await;
    let refused = store
        .top_up(&rich.account.id, cents(1), "one more", NOW)
        .await;
    assert!(
        matches!(refused, Err(StoreError::Backend(_))),
        "{refused:?}"
    );
    assert_eq!(rich.balance().await, balance(most, Money::ZERO));

    let endless = Customer::with_line(&store, CreditLine::Unlimited).await;
    endless.start(most).await;
    let refused = store.admit(endless.starting(most)).await;
    assert!(
        matches!(refused, Err(StoreError::Backend(_))),
        "{refused:?}"
    );
    let lowest = Money::from_micros(-i64::MAX);
    assert_eq!(endless.balance().await, balance(lowest, most));
}

pub async fn the_generation_moves_with_accounts_and_keys(store: Arc<dyn Store>) {
    let mut last = store.generation().await.unwrap();
    let mut moved = async || {
        let now = store.generation().await.unwrap();
        std::mem::replace(&mut last, now) < now
    };
    let account = new_account("acme", CreditLine::Unlimited, NOW);
    store.create_account(account.clone()).await.unwrap();
    assert!(moved().await, "an account was made");
    let key = new_key(
        &account.id,
        "k",
        Mode::Test,
        "abcd",
        KeyLimits::default(),
        NOW,
    );
    store
        .create_keys(vec![(key.clone(), secret())])
        .await
        .unwrap();
    assert!(moved().await, "a key was made");
    store.revoke_key(&key.id, NOW).await.unwrap();
    assert!(moved().await, "a key was revoked");
    store.top_up(&account.id, cents(1), "r", NOW).await.unwrap();
    assert!(!moved().await, "balances are in no cache");
}
