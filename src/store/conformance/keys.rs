//! API keys.

use super::fixtures::{Customer, NOW, cents, secret};
use crate::store::{Store, StoreError, new_key};
use crate::types::account::KeyLimits;
use crate::types::{
    AccountId, ApiKey, KeyId, Millis, Mode, ResponseFormat, Scope, SpendCap, SpendPeriod,
};
use std::sync::Arc;

fn key(customer: &Customer, name: &str) -> ApiKey {
    new_key(
        &customer.account.id,
        name,
        Mode::Live,
        "abcd",
        KeyLimits::default(),
        NOW,
    )
}

pub async fn a_key_is_found_by_its_secret_with_its_account(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1)).await;
    let limits = KeyLimits {
        scopes: vec![Scope::Admin],
        models: vec!["gpt-image-2".to_owned()],
        networks: vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ],
        expires_at: Some(Millis(NOW.0 + 1)),
        requests_per_minute: Some(60),
        concurrent: Some(4),
        spend_cap: Some(SpendCap {
            amount: cents(1000),
            per: SpendPeriod::Month,
        }),
        default_response_format: Some(ResponseFormat::Both),
    };
    let narrow = new_key(
        &customer.account.id,
        "narrow",
        Mode::Test,
        "9a_Z",
        limits,
        NOW,
    );
    let hash = secret();
    store
        .create_keys(vec![(narrow.clone(), hash)])
        .await
        .unwrap();
    let found = store.find_key(&hash).await.unwrap();
    assert_eq!(found, Some((narrow, customer.account)));
    assert_eq!(store.find_key(&secret()).await.unwrap(), None);
}

pub async fn keys_are_stored_all_or_none(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1)).await;
    let (known, fresh) = (secret(), secret());
    let first = key(&customer, "first");
    store
        .create_keys(vec![(first.clone(), known)])
        .await
        .unwrap();
    let refused = store
        .create_keys(vec![
            (key(&customer, "a"), fresh),
            (key(&customer, "b"), known),
        ])
        .await;
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    assert_eq!(store.find_key(&fresh).await.unwrap(), None);
    assert_eq!(store.find_key(&known).await.unwrap().unwrap().0, first);

    let stray = new_key(
        &AccountId::new(),
        "k",
        Mode::Live,
        "abcd",
        KeyLimits::default(),
        NOW,
    );
    let refused = store.create_keys(vec![(stray, fresh)]).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound(_))),
        "{refused:?}"
    );
}

pub async fn keys_are_listed_newest_first(store: Arc<dyn Store>) {
    let one = Customer::prepaid(&store, cents(1)).await;
    let other = Customer::prepaid(&store, cents(1)).await;
    let later = ApiKey {
        created_at: Millis(NOW.0 + 5),
        ..key(&one, "later")
    };
    let latest = ApiKey {
        created_at: Millis(NOW.0 + 6),
        ..key(&other, "latest")
    };
    let keys = vec![(latest.clone(), secret()), (later.clone(), secret())];
    store.create_keys(keys).await.unwrap();
    let of_one = store.list_keys(Some(&one.account.id)).await.unwrap();
    assert_eq!(of_one, [later.clone(), one.key.clone()]);
    let all = store.list_keys(None).await.unwrap();
    assert_eq!(all, [latest, later, other.key, one.key]);
    assert_eq!(store.list_keys(Some(&AccountId::new())).await.unwrap(), []);
}

pub async fn revoking_twice_keeps_the_first_time(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1)).await;
    let (key, hash) = (key(&customer, "k"), secret());
    store.create_keys(vec![(key.clone(), hash)]).await.unwrap();
    store.revoke_key(&key.id, Millis(5)).await.unwrap();
    store.revoke_key(&key.id, Millis(9)).await.unwrap();
    let (found, _) = store.find_key(&hash).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(Millis(5)));
    let refused = store.revoke_key(&KeyId::new(), NOW).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound(_))),
        "{refused:?}"
    );
}

pub async fn imported_secrets_are_told_apart(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(1)).await;
    let (ours, theirs) = (secret(), secret());
    let imported = ApiKey {
        imported: true,
        ..key(&customer, "from elsewhere")
    };
    let keys = vec![(imported.clone(), theirs), (key(&customer, "ours"), ours)];
    store.create_keys(keys).await.unwrap();
    assert_eq!(store.imported_secrets().await.unwrap(), [theirs]);
    assert_eq!(store.find_key(&theirs).await.unwrap().unwrap().0, imported);
}
