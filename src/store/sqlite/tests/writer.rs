//! Commands that share a commit, and what goes wrong among them.

use super::Folder;
use crate::store::conformance::fixtures::{Customer, NOW, cents};
use crate::store::sqlite::rows::fault;
use crate::store::sqlite::{SqliteStore, accounts, tasks};
use crate::store::{Admission, Result, Store, StoreError, new_account};
use crate::types::{CreditLine, Money, TaskState};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

/// Stops the writer until something is sent, so that what is called meanwhile shares one commit.
async fn pause(store: &SqliteStore) -> Sender<()> {
    let (go, wait) = channel::<()>();
    let (begun, stopped) = tokio::sync::oneshot::channel();
    let stop = store.writer.run(move |_| {
        let _ = begun.send(());
        let _ = wait.recv();
        Ok(())
    });
    // Called, and nobody waits for the answer.
    assert!(futures::poll!(Box::pin(stop)).is_pending());
    stopped.await.unwrap();
    go
}

#[tokio::test]
async fn a_failed_command_undoes_its_own_rows_only() {
    let folder = Folder::new();
    let store = folder.open();
    let create = |name: &str| store.create_account(new_account(name, CreditLine::Unlimited, NOW));
    let half_done = store.writer.run(|tx| {
        accounts::create(tx, &new_account("half", CreditLine::Unlimited, NOW))?;
        Err::<(), _>(StoreError::Fenced)
    });
    let panics = store.writer.run(|tx| -> Result<()> {
        accounts::create(tx, &new_account("panicked", CreditLine::Unlimited, NOW))?;
        panic!("on purpose")
    });
    let go = pause(&store).await;
    let all = async {
        tokio::join!(
            create("a"),
            half_done,
            panics,
            create("a"),
            create("b"),
            async {
                go.send(()).unwrap();
            }
        )
    };
    let (a, half_done, panics, again, b, ()) = all.await;
    a.unwrap();
    b.unwrap();
    assert!(matches!(half_done, Err(StoreError::Fenced)));
    assert!(
        panics
            .unwrap_err()
            .to_string()
            .contains("panicked: on purpose")
    );
    assert!(matches!(again, Err(StoreError::Exists(_))));
    let names: Vec<_> = store.list_accounts().await.unwrap();
    let names: Vec<_> = names
        .iter()
        .map(|(account, _)| account.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn a_reader_that_panics_reads_on() {
    let folder = Folder::new();
    let store = folder.open();
    for _ in 0..4 {
        let outcome = store
            .readers
            .run(|_| -> Result<()> { panic!("on purpose") });
        assert!(
            outcome
                .await
                .unwrap_err()
                .to_string()
                .contains("on purpose")
        );
    }
    assert_eq!(store.generation().await.unwrap(), 0);
}

#[tokio::test]
async fn a_full_disk_fails_the_batch_and_is_survived() {
    let folder = Folder::new();
    let store = folder.open();
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    let customer = Customer::prepaid(&shared, cents(1000)).await;
    let limit = |pages: u32| {
        store.writer.run(move |tx| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            tx.query_row(&sql, [], |_| Ok(())).map_err(fault)
        })
    };
    limit(1).await.unwrap();
    let large = |size| Admission {
        public_url: "x".repeat(size),
        ..customer.waiting(cents(1))
    };
    let go = pause(&store).await;
    let (small, large_one, ()) = tokio::join!(
        store.admit(customer.waiting(cents(1))),
        store.admit(large(100_000)),
        async { go.send(()).unwrap() }
    );
    for outcome in [small, large_one] {
        assert!(matches!(outcome, Err(StoreError::Full)), "{outcome:?}");
    }
    assert_eq!(customer.balance().await.held, Money::ZERO);
    limit(1_000_000).await.unwrap();
    store.admit(large(100_000)).await.unwrap();
    assert!(store.audit().await.unwrap().is_clean());
}

#[tokio::test]
async fn what_was_queued_is_done_when_the_store_closes() {
    let folder = Folder::new();
    let store = folder.open();
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    let customer = Customer::prepaid(&shared, cents(1000)).await;
    let admission = customer.waiting(cents(1));
    let task = admission.task.clone();
    let go = pause(&store).await;
    let queued = store.writer.run(move |tx| tasks::admit(tx, &admission));
    assert!(futures::poll!(Box::pin(queued)).is_pending());
    go.send(()).unwrap();
    drop((store, shared, customer.store));
    let found = folder
        .open()
        .find_task(&customer.account.id, &task)
        .await
        .unwrap();
    assert_eq!(found.unwrap().state, TaskState::Pending);
}

/// The files that the system deletes when this process closes them, in the folder that SQLite takes for its own.
#[cfg(target_os = "linux")]
fn temporary_files() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let is_temporary = |link: &std::path::PathBuf| {
        let name = link.to_string_lossy();
        name.starts_with("/var/tmp/") && name.ends_with("(deleted)")
    };
    links.filter(is_temporary).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_that_changes_many_pages_makes_no_temporary_file() {
    let folder = Folder::new();
    let store = folder.open();
    let run = |sql: &'static str| {
        store.writer.run(move |tx| {
            tx.execute_batch(sql).map_err(fault)?;
            Ok(temporary_files())
        })
    };
    run("CREATE TABLE large (bytes)").await.unwrap();
    run(
        "WITH RECURSIVE k (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM k WHERE k < 100) \
         INSERT INTO large SELECT zeroblob(3000) FROM k",
    )
    .await
    .unwrap();
    // Each of a hundred pages is kept as it was until the command has succeeded.
    let files = run("UPDATE large SET bytes = randomblob(3000)").await;
    assert_eq!(files.unwrap(), 0);
}
