//! Uploaded files: whose they are, how many, and what becomes of their blobs.

use super::fixtures::{Customer, NOW, cents, file, request};
use crate::store::{Admission, Admitted, FileBounds, FilePage, Freed, Store, StoreError};
use crate::types::{FileId, InputFile, Millis};
use std::sync::Arc;

const ANY: FileBounds = FileBounds {
    files: 1000,
    bytes: u64::MAX,
};

async fn add(store: &Arc<dyn Store>, files: &[&InputFile]) {
    for file in files {
        store.add_file((*file).clone(), ANY).await.unwrap();
    }
}

/// A task that reads this file.
fn reading(customer: &Customer, file: &InputFile) -> Admission {
    Admission {
        request: Arc::new(request(std::slice::from_ref(&file.picture))),
        files: vec![file.id.clone()],
        ..customer.waiting(cents(1))
    }
}

pub async fn a_file_is_found_by_its_account_until_it_expires(store: Arc<dyn Store>) {
    let owner = Customer::prepaid(&store, cents(10)).await;
    let other = Customer::prepaid(&store, cents(10)).await;
    let kept = file(&owner.account, 5);
    add(&store, &[&kept]).await;
    let (owner, other) = (&owner.account.id, &other.account.id);
    let last = Millis(kept.expires_at.0 - 1);
    let find = async |account, at| store.find_file(account, &kept.id, at).await.unwrap();
    assert_eq!(find(owner, last).await, Some(kept.clone()));
    assert_eq!(find(owner, kept.expires_at).await, None);
    assert_eq!(find(other, NOW).await, None);
    let delete = async |account, at| store.delete_file(account, &kept.id, at).await.unwrap();
    assert_eq!(delete(other, NOW).await, None);
    assert_eq!(delete(owner, kept.expires_at).await, None);
    let freed = Freed {
        files: 1,
        blobs: vec![kept.picture.blob.clone()],
    };
    assert_eq!(delete(owner, last).await, Some(freed));
    assert_eq!(delete(owner, last).await, None);
    assert_eq!(find(owner, NOW).await, None);
}

pub async fn files_are_listed_in_pages_both_ways(store: Arc<dyn Store>) {
    let owner = Customer::prepaid(&store, cents(10)).await;
    let other = Customer::prepaid(&store, cents(10)).await;
    let [first, second, third] = [1, 2, 3].map(|bytes| file(&owner.account, bytes));
    let expired = InputFile {
        expires_at: NOW,
        ..file(&owner.account, 4)
    };
    let second = InputFile {
        purpose: "user_data".to_owned(),
        ..second
    };
    let strangers = file(&other.account, 5);
    add(&store, &[&first, &second, &third, &expired, &strangers]).await;
    let list = async |page: FilePage| {
        let listed = store.list_files(&owner.account.id, &page, NOW).await;
        listed.unwrap()
    };
    let page = |most| FilePage {
        most,
        ..FilePage::default()
    };
    assert_eq!(
        list(page(9)).await,
        [third.clone(), second.clone(), first.clone()]
    );
    assert_eq!(list(page(1)).await, std::slice::from_ref(&third));
    let behind = FilePage {
        after: Some(third.id.clone()),
        ..page(1)
    };
    assert_eq!(list(behind).await, std::slice::from_ref(&second));
    let upward = FilePage {
        oldest_first: true,
        after: Some(first.id.clone()),
        ..page(9)
    };
    assert_eq!(list(upward).await, [second.clone(), third]);
    let purpose = FilePage {
        purpose: Some("user_data".to_owned()),
        ..page(9)
    };
    assert_eq!(list(purpose).await, [second]);
}

pub async fn an_account_keeps_so_many_files_and_bytes(store: Arc<dyn Store>) {
    let owner = Customer::prepaid(&store, cents(10)).await;
    let other = Customer::prepaid(&store, cents(10)).await;
    let most = FileBounds {
        files: 3,
        bytes: 100,
    };
    let add = async |file: &InputFile| store.add_file(file.clone(), most).await;
    let full = async |file: &InputFile| match add(file).await {
        Err(StoreError::FilesFull { files, bytes }) => (files, bytes),
        other => panic!("there was room: {other:?}"),
    };
    let kept = file(&owner.account, 60);
    add(&kept).await.unwrap();
    assert_eq!(full(&file(&owner.account, 41)).await, (1, 60));
    add(&file(&owner.account, 40)).await.unwrap();
    add(&file(&owner.account, 0)).await.unwrap();
    assert_eq!(full(&file(&owner.account, 0)).await, (3, 100));
    // Others have bounds of their own, and what is gone or expired counts no more.
    add(&file(&other.account, 100)).await.unwrap();
    let later = InputFile {
        created_at: kept.expires_at,
        ..file(&owner.account, 100)
    };
    add(&later).await.unwrap();
    let account = &owner.account.id;
    assert!(
        store
            .delete_file(account, &kept.id, NOW)
            .await
            .unwrap()
            .is_some()
    );
    let also_later = InputFile {
        created_at: NOW,
        ..file(&owner.account, 60)
    };
    assert_eq!(full(&also_later).await, (3, 140));
}

pub async fn a_task_keeps_what_it_reads_and_a_deleted_file_is_not_read(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let (read, unread) = (file(&customer.account, 1), file(&customer.account, 2));
    add(&store, &[&read, &unread]).await;
    let blobs = [read.picture.blob.clone(), unread.picture.blob.clone()];
    let needed = async || store.referenced(&blobs).await.unwrap();
    assert_eq!(needed().await, blobs);
    let admission = reading(&customer, &read);
    let task = admission.task.clone();
    store.admit(admission).await.unwrap();

    let at = read.expires_at;
    let early = store
        .delete_expired_files(Millis(at.0 - 1), 9)
        .await
        .unwrap();
    assert_eq!(early, Freed::default());
    let freed = store.delete_expired_files(at, 9).await.unwrap();
    assert_eq!((freed.files, &freed.blobs[..]), (2, &blobs[1..]));
    // The task reads on; when it ends, nobody needs the blob.
    assert_eq!(needed().await, blobs[..1]);
    let account = &customer.account.id;
    store.cancel(account, &task, NOW).await.unwrap();
    assert_eq!(needed().await, []);

    let before = customer.balance().await;
    let refused = store.admit(reading(&customer, &read)).await;
    assert!(matches!(refused, Err(StoreError::FileGone(id)) if id == read.id));
    let stranger = Customer::prepaid(&store, cents(10)).await;
    let theirs = file(&stranger.account, 3);
    add(&store, &[&theirs]).await;
    let refused = store.admit(reading(&customer, &theirs)).await;
    assert!(matches!(refused, Err(StoreError::FileGone(id)) if id == theirs.id));
    let never = Admission {
        files: vec![FileId::new()],
        ..customer.waiting(cents(1))
    };
    assert!(matches!(
        store.admit(never).await,
        Err(StoreError::FileGone(_))
    ));
    assert_eq!(customer.balance().await, before);
}

/// Whoever comes first: either the task is refused, or its blob is not named as freed.
pub async fn deleting_and_admitting_never_lose_a_blob(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    for round in 0..40 {
        let file = file(&customer.account, 1);
        add(&store, &[&file]).await;
        let admit = store.admit(reading(&customer, &file));
        let account = &customer.account.id;
        let delete = async {
            if round % 2 == 0 {
                let freed = store.delete_file(account, &file.id, NOW).await.unwrap();
                freed.unwrap().blobs
            } else {
                let freed = store.delete_expired_files(file.expires_at, 9).await;
                freed.unwrap().blobs
            }
        };
        let (admitted, freed) = if round % 4 < 2 {
            tokio::join!(admit, delete)
        } else {
            let (freed, admitted) = tokio::join!(delete, admit);
            (admitted, freed)
        };
        let is_admitted = matches!(admitted, Ok(Admitted::New));
        assert_ne!(
            is_admitted,
            freed.contains(&file.picture.blob),
            "{admitted:?}"
        );
    }
}
