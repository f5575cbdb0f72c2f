//! Opening: what is kept, what is refused, and who else may have the file open.

use super::Folder;
use crate::store::conformance::fixtures::{Customer, NOW, cents};
use crate::store::sqlite::SqliteStore;
use crate::store::sqlite::open::{APPLICATION_ID, MIGRATIONS};
use crate::store::{Store, new_account};
use crate::types::CreditLine;
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let folder = Folder::new();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let customer = Customer::prepaid(&store, cents(100)).await;
    let hold = customer.start(cents(12)).await;
    store
        .settle(&hold, customer.completed(&hold.task, cents(8)))
        .await
        .unwrap();
    store.admit(customer.waiting(cents(5))).await.unwrap();
    let before = (
        customer.task(&hold.task).await,
        store.list_attempts(&hold.task).await.unwrap(),
        store.list_keys(None).await.unwrap(),
        store.list_accounts().await.unwrap(),
        store.generation().await.unwrap(),
        store.audit().await.unwrap(),
    );
    drop((store, customer.store));
    let log = folder.path().with_extension("db-wal");
    assert!(!log.exists(), "the last one to close empties the log");

    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(store.rows_written(), 0);
    let after = (
        store
            .find_task(&customer.account.id, &hold.task)
            .await
            .unwrap()
            .unwrap(),
        store.list_attempts(&hold.task).await.unwrap(),
        store.list_keys(None).await.unwrap(),
        store.list_accounts().await.unwrap(),
        store.generation().await.unwrap(),
        store.audit().await.unwrap(),
    );
    assert_eq!(after, before);
}

/// The migration that makes the table of transfers anew must lose none, and leave them as unchangeable as they were.
#[tokio::test]
async fn the_ledger_of_an_older_version_is_carried_over() {
    let folder = Folder::new();
    let old = folder.beside();
    for migration in &MIGRATIONS[..9] {
        old.execute_batch(migration).unwrap();
    }
    old.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    old.pragma_update(None, "user_version", 9).unwrap();
    old.execute_batch(
        "INSERT INTO accounts (id, name, markup_basis_points, frozen, available, created_at) VALUES ('a', 'a', 0, 0, 12, 1);
         INSERT INTO transfers (kind, subject, debit, credit, amount, at) VALUES
             ('top_up', 'x', 'system:funding', 'a', 5, 1), ('top_up', 'y', 'system:funding', 'a', 7, 2);",
    )
    .unwrap();
    drop(old);
    let store = folder.open();
    let audit = store.audit().await.unwrap();
    assert_eq!(audit.transfers, 2);
    assert!(audit.is_clean(), "{audit:?}");
    let changed = folder
        .beside()
        .execute("UPDATE transfers SET amount = 1", []);
    assert!(changed.unwrap_err().to_string().contains("append-only"));
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = Folder::new();
    drop(folder.open());
    folder
        .beside()
        .pragma_update(None, "user_version", 900)
        .unwrap();
    let refusal = folder.refusal();
    assert!(
        refusal.contains("schema version 900") && refusal.contains("newer Pinhole"),
        "{refusal}"
    );
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let folder = Folder::new();
    std::fs::write(
        folder.path(),
        "not a database at all, but long enough to look at".repeat(99),
    )
    .unwrap();
    let refusal = folder.refusal();
    assert!(refusal.contains("is not a SQLite database"), "{refusal}");

    std::fs::remove_file(folder.path()).unwrap();
    folder
        .beside()
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    let before = std::fs::read(folder.path()).unwrap();
    let refusal = folder.refusal();
    assert!(refusal.contains("another program"), "{refusal}");
    assert_eq!(std::fs::read(folder.path()).unwrap(), before);
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = Folder::new();
    drop(folder.open());
    // The header survives and what it points to does not.
    let mut bytes = std::fs::read(folder.path()).unwrap();
    bytes[100..].fill(0xff);
    std::fs::write(folder.path(), bytes).unwrap();
    let refusal = folder.refusal();
    assert!(
        refusal.contains("is damaged") && refusal.contains("backup"),
        "{refusal}"
    );

    let nowhere = SqliteStore::open(folder.path().join("below a file"));
    assert!(
        nowhere
            .err()
            .unwrap()
            .to_string()
            .contains("cannot be opened")
    );
}

#[tokio::test]
async fn many_may_open_a_new_file_at_once() {
    let folder = Folder::new();
    let opened = (0..4).map(|_| {
        let path = folder.path();
        tokio::task::spawn_blocking(move || SqliteStore::open(path))
    });
    for store in join_all(opened).await {
        store.unwrap().unwrap().audit().await.unwrap();
    }
}

#[tokio::test]
async fn a_second_process_may_write_beside_us() {
    let folder = Folder::new();
    let (one, other) = (folder.open(), folder.open());
    let writes = (0..40).map(|number| {
        let store = if number % 2 == 0 { &one } else { &other };
        store.create_account(new_account(
            &format!("{number}"),
            CreditLine::Unlimited,
            NOW,
        ))
    });
    for outcome in join_all(writes).await {
        outcome.unwrap();
    }
    assert_eq!(one.list_accounts().await.unwrap().len(), 40);
    assert_eq!(
        one.generation().await.unwrap(),
        other.generation().await.unwrap()
    );
    // Closing one while the other works must not wait for it.
    drop(other);
    one.audit().await.unwrap();
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for() {
    let folder = Folder::new();
    let store = folder.open();
    let beside = folder.beside();
    beside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let write = store.create_account(new_account("patient", CreditLine::Unlimited, NOW));
    let release = async {
        // Reading needs no lock.
        assert_eq!(store.list_accounts().await.unwrap(), []);
        tokio::time::sleep(Duration::from_millis(50)).await;
        beside.execute_batch("COMMIT").unwrap();
    };
    let (written, ()) = tokio::join!(write, release);
    written.unwrap();
}
