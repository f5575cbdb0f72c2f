//! What is SQLite's own: the suite of every store, then the file, the plans, the writer and its faults.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use super::open::Durability;
use super::rows::PREPARED;
use super::{SqliteStore, accounts, tasks};
use crate::store::conformance::fixtures::{Customer, NOW, cents};
use crate::store::conformance::{self, model};
use crate::store::{Admission, Store, StoreError, new_account};
use crate::types::{CreditLine, Money, TaskState};
use futures::future::join_all;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Files in a folder that goes with them. Their stores do not wait for the disk.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("pinhole.db")
    }

    fn open(&self) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open_with(&self.path(), Durability::Eventual).unwrap())
    }

    /// A connection beside the store, as another program would have it.
    fn beside(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// Why the file is refused.
    fn refusal(&self) -> String {
        match SqliteStore::open(self.path()) {
            Ok(_) => panic!("the file was opened"),
            Err(error) => error.to_string(),
        }
    }
}

async fn run_suite() {
    let folders = tempfile::tempdir().unwrap();
    let number = std::cell::Cell::new(0);
    conformance::run(async || {
        let path = folders.path().join(format!("{}.db", number.get()));
        number.set(number.get() + 1);
        Arc::new(SqliteStore::open_with(&path, Durability::Eventual).unwrap()) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn passes_the_suite_of_every_store() {
    run_suite().await;
}

/// Ten thousand operations; a million with `PINHOLE_LONG` set.
#[tokio::test]
async fn the_ledger_is_its_model() {
    #[allow(
        clippy::disallowed_methods,
        reason = "a setting of the test run, not of the program"
    )]
    let long = std::env::var_os("PINHOLE_LONG").is_some();
    let sequences = if long { 500 } else { 5 };
    for seed in 0..sequences {
        let folder = Folder::new();
        model::run(folder.open(), seed, 2000, 16).await;
    }
}

// --- the file ---

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

// --- the statements ---

#[tokio::test]
async fn no_statement_scans_what_grows() {
    run_suite().await;
    let folder = Folder::new();
    let _store = folder.open();
    let beside = folder.beside();
    // These list all of a table, or count what is not finished, because that is what they are asked.
    let meant = [
        "FROM accounts ORDER BY name",
        "FROM api_keys ORDER BY",
        "UNION ALL SELECT lane",
    ];
    let statements = PREPARED.lock().unwrap().clone();
    assert!(statements.len() > 40, "{}", statements.len());
    for sql in statements
        .iter()
        .filter(|sql| !meant.iter().any(|part| sql.contains(part)))
    {
        let first = sql.split_whitespace().next().unwrap();
        if !["SELECT", "INSERT", "UPDATE", "DELETE"].contains(&first) {
            continue;
        }
        let mut explained = beside
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let nothing = vec![rusqlite::types::Null; explained.parameter_count()];
        let steps: Vec<String> = explained
            .query_map(rusqlite::params_from_iter(nothing), |row| row.get("detail"))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let scans = |step: &String| step.starts_with("SCAN") && step != "SCAN CONSTANT ROW";
        assert!(!steps.iter().any(scans), "{sql}\n{steps:#?}");
        let claims = sql.contains("state = 'pending' AND lane");
        let sorts = |step: &String| step.contains("TEMP B-TREE");
        assert!(!(claims && steps.iter().any(sorts)), "{sql}\n{steps:#?}");
    }
}

#[tokio::test]
async fn one_image_writes_at_most_twelve_rows() {
    let folder = Folder::new();
    let store: Arc<dyn Store> = folder.open();
    let customer = Customer::prepaid(&store, cents(100)).await;
    let admission = Customer::capped(customer.starting(cents(12)), "total", cents(50));
    let task = admission.task.clone();
    let before = store.rows_written();
    store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let mut settlement = customer.completed(&task, cents(12));
    settlement.attempts[0].cost = cents(4);
    store.settle(&hold, settlement).await.unwrap();
    // admit: task, key_spend, account, hold, attempt; settle: attempt, cost, asset, account, capture, task.
    assert_eq!(store.rows_written() - before, 11);
}

#[tokio::test]
async fn the_ledger_is_append_only_and_finished_tasks_stay() {
    let folder = Folder::new();
    let store: Arc<dyn Store> = folder.open();
    let customer = Customer::prepaid(&store, cents(100)).await;
    let hold = customer.start(cents(12)).await;
    store
        .settle(&hold, customer.completed(&hold.task, cents(8)))
        .await
        .unwrap();
    let beside = folder.beside();
    for (sql, why) in [
        ("UPDATE transfers SET amount = 1", "append-only"),
        ("DELETE FROM transfers", "append-only"),
        ("UPDATE tasks SET state = 'processing'", "keeps its state"),
        ("UPDATE accounts SET held = -1", "CHECK"),
        ("UPDATE accounts SET available = 0.5", "REAL"),
    ] {
        let error = beside.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains(why), "{sql}: {error}");
    }
}

// --- the audit ---

/// What the audit says after somebody changed the rows behind our back.
async fn findings(vandalism: &str) -> String {
    let folder = Folder::new();
    let store: Arc<dyn Store> = folder.open();
    let customer = Customer::prepaid(&store, cents(100)).await;
    let done = customer.start(cents(12)).await;
    let mut settlement = customer.completed(&done.task, cents(8));
    settlement.attempts[0].cost = cents(5);
    store.settle(&done, settlement).await.unwrap();
    let running = Customer::capped(customer.starting(cents(7)), "total", cents(50));
    store.admit(running).await.unwrap();
    assert!(store.audit().await.unwrap().is_clean());
    let beside = folder.beside();
    let unlocked = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; \
        DROP TRIGGER transfers_are_not_changed; DROP TRIGGER transfers_are_not_deleted; \
        DROP TRIGGER tasks_end_once;";
    beside.execute_batch(unlocked).unwrap();
    beside.execute_batch(vandalism).unwrap();
    let audit = store.audit().await.unwrap();
    assert!(!audit.is_clean());
    let sum = (audit.sum != Money::ZERO).then(|| format!("the sum is {}", audit.sum));
    audit
        .findings
        .into_iter()
        .chain(sum)
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test]
async fn the_audit_finds_what_was_tampered_with() {
    for (vandalism, finding) in [
        (
            "UPDATE accounts SET available = available + 1",
            "available and its transfers come to",
        ),
        (
            "UPDATE accounts SET available = available + 1",
            "the sum is 0.000001",
        ),
        (
            "UPDATE accounts SET held = held + 1",
            "held and its transfers come to",
        ),
        (
            "UPDATE accounts SET held = held + 1",
            "held and its unfinished tasks hold 0.070000",
        ),
        (
            "UPDATE accounts SET held = -1",
            "holds -0.000001, which is below zero",
        ),
        (
            "UPDATE accounts SET available = -1",
            "below its credit line of 0.000000",
        ),
        (
            "UPDATE transfers SET debit = 'x' WHERE kind = 'hold'",
            "is a hold from x to acct_",
        ),
        (
            "UPDATE transfers SET kind = 'gift' WHERE kind = 'top_up'",
            "which no gift may be",
        ),
        (
            "UPDATE transfers SET amount = -amount WHERE kind = 'cost'",
            "moves -0.050000",
        ),
        (
            "DELETE FROM transfers WHERE kind = 'release'",
            "of which 0.080000 is captured and released",
        ),
        (
            "DELETE FROM transfers WHERE kind = 'hold'",
            "and its hold is 0.000000 of nobody",
        ),
        (
            "DELETE FROM transfers WHERE kind = 'cost'",
            "and its transfers say 0.000000 and 0.000000",
        ),
        (
            "UPDATE transfers SET subject = 'task_x' WHERE kind = 'capture'",
            "for task task_x, which is not",
        ),
        (
            "UPDATE transfers SET subject = 'task_x/0' WHERE kind = 'cost'",
            "for task_x/0, which is no attempt",
        ),
        (
            "UPDATE tasks SET captured = 1 WHERE captured > 0",
            "says that 0.000001 is captured",
        ),
        (
            "UPDATE tasks SET state = 'failed' WHERE captured > 0",
            "has failed and 0.080000 is captured",
        ),
        (
            "UPDATE tasks SET state = 'pending'",
            "is not finished and 0.120000 of its hold",
        ),
        (
            "UPDATE tasks SET state = 'failed'",
            "is still open and its task has ended",
        ),
        (
            "UPDATE key_spend SET spent = 1",
            "has spent 0.000001 in total and its tasks come to 0.070000",
        ),
        ("DELETE FROM key_spend", "has spent 0.000000 in total"),
    ] {
        let found = findings(vandalism).await;
        assert!(found.contains(finding), "{vandalism}:\n{found}");
    }
}

// --- the writer ---

/// Stops the writer until something is sent, so that what is called meanwhile shares one commit.
async fn pause(store: &SqliteStore) -> std::sync::mpsc::Sender<()> {
    let (go, wait) = std::sync::mpsc::channel::<()>();
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
    let panics = store.writer.run(|tx| -> crate::store::Result<()> {
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
            .run(|_| -> crate::store::Result<()> { panic!("on purpose") });
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
            tx.query_row(&sql, [], |_| Ok(()))
                .map_err(super::rows::fault)
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
