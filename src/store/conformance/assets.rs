//! Stored results and the blobs that are still needed.

use super::fixtures::{Customer, NOW, cents, failed, picture, request};
use crate::store::{Admission, Store, StoreError};
use crate::types::{Asset, AssetId, BlobKey, FailKind, Millis, TaskState};
use std::sync::Arc;

pub async fn a_result_is_found_by_its_name(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let hold = customer.start(cents(1)).await;
    let mut settlement = customer.completed(&hold.task, cents(1));
    let kept = Asset {
        revised_prompt: None,
        expires_at: None,
        ..customer.asset(&hold.task, 1)
    };
    settlement.assets.push(kept);
    store.settle(&hold, settlement.clone()).await.unwrap();
    for asset in settlement.assets {
        assert_eq!(store.find_asset(&asset.id).await.unwrap(), Some(asset));
    }
    assert_eq!(store.find_asset(&AssetId::new()).await.unwrap(), None);
}

pub async fn blobs_of_results_and_of_unfinished_inputs_are_needed(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let (input, orphan) = (picture(), BlobKey::random());
    let admission = Admission {
        // The same picture twice, and as a mask.
        request: Arc::new(request(&[input.clone(), input.clone()])),
        ..customer.starting(cents(1))
    };
    let task = admission.task.clone();
    store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let settlement = customer.completed(&task, cents(1));
    let output = settlement.assets[0].picture.blob.clone();
    let asked = [output.clone(), orphan, input.blob.clone()];
    let needed = async || store.referenced(&asked).await.unwrap();
    assert_eq!(needed().await, asked[2..]);
    store.settle(&hold, settlement.clone()).await.unwrap();
    // Nobody reads the input any more; the result is kept.
    assert_eq!(needed().await, [output]);
    let given_up = store.expire_assets(Millis(i64::MAX), 9).await.unwrap();
    assert_eq!(given_up, settlement.assets);
    assert_eq!(needed().await, []);
    assert_eq!(store.referenced(&[]).await.unwrap(), []);

    let waits = Admission {
        request: Arc::new(request(std::slice::from_ref(&input))),
        ..customer.waiting(cents(1))
    };
    let task = waits.task.clone();
    store.admit(waits).await.unwrap();
    assert_eq!(needed().await, [input.blob]);
    store
        .cancel(&customer.account.id, &task, NOW)
        .await
        .unwrap();
    assert_eq!(needed().await, []);
}

pub async fn the_blob_of_an_expired_result_is_given_up_once(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let hold = customer.start(cents(1)).await;
    let expiring = |index, at| Asset {
        expires_at: at,
        ..customer.asset(&hold.task, index)
    };
    let assets = vec![
        expiring(0, Some(Millis(30))),
        expiring(1, Some(Millis(10))),
        expiring(2, None),
        expiring(3, Some(Millis(20))),
    ];
    let mut settlement = customer.completed(&hold.task, cents(1));
    settlement.assets.clone_from(&assets);
    store.settle(&hold, settlement).await.unwrap();
    let expire = async |at, most| store.expire_assets(Millis(at), most).await.unwrap();
    assert_eq!(expire(9, 9).await, []);
    // At the very moment, as whoever asks is told so.
    assert_eq!(expire(10, 9).await, [assets[1].clone()]);
    assert_eq!(expire(99, 1).await, [assets[3].clone()]);
    assert_eq!(expire(99, 9).await, [assets[0].clone()]);
    assert_eq!(expire(99, 9).await, []);
    let blobs: Vec<_> = assets
        .iter()
        .map(|asset| asset.picture.blob.clone())
        .collect();
    assert_eq!(store.referenced(&blobs).await.unwrap(), [blobs[2].clone()]);
    // The rows stay, so that the answer is "gone" and not "never heard of it".
    assert_eq!(
        store.find_asset(&assets[1].id).await.unwrap(),
        Some(assets[1].clone())
    );
}

pub async fn a_task_reads_no_result_that_has_expired(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let hold = customer.start(cents(1)).await;
    let mut settlement = customer.completed(&hold.task, cents(1));
    let end = Millis(NOW.0 + 10);
    settlement.assets[0].expires_at = Some(end);
    let kept = settlement.assets[0].clone();
    store.settle(&hold, settlement).await.unwrap();
    let reading = |asset: &Asset, at| Admission {
        request: Arc::new(request(std::slice::from_ref(&asset.picture))),
        results: vec![asset.id.clone()],
        at,
        ..customer.waiting(cents(1))
    };
    let in_time = reading(&kept, NOW);
    let task = in_time.task.clone();
    store.admit(in_time).await.unwrap();
    // Its time ends while the task waits, which keeps it all the same.
    assert_eq!(store.expire_assets(end, 9).await.unwrap(), []);
    let before = customer.balance().await;
    let late = store.admit(reading(&kept, end)).await;
    assert!(matches!(late, Err(StoreError::ResultGone(id)) if id == kept.id));
    assert_eq!(customer.balance().await, before);
    store
        .cancel(&customer.account.id, &task, NOW)
        .await
        .unwrap();
    assert_eq!(store.expire_assets(end, 9).await.unwrap().len(), 1);
    // Nobody gets what is about to be deleted, whatever the clock says that they go by.
    let too_late = store.admit(reading(&kept, NOW)).await;
    assert!(matches!(too_late, Err(StoreError::ResultGone(id)) if id == kept.id));
}

pub async fn a_strangers_asset_is_refused(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let (one, other) = (
        customer.start(cents(1)).await,
        customer.start(cents(1)).await,
    );
    let refused = store
        .settle(&one, customer.completed(&other.task, cents(1)))
        .await;
    assert!(
        matches!(refused, Err(StoreError::Backend(_))),
        "{refused:?}"
    );
    assert_eq!(customer.task(&one.task).await.state, TaskState::Processing);
    store
        .settle(&one, failed(FailKind::Internal))
        .await
        .unwrap();
}
