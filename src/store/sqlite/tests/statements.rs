//! The statements: how they find their rows, how many they write, and what the tables refuse.

use super::{Folder, run_suite};
use crate::store::conformance::fixtures::{Customer, NOW, cents};
use crate::store::outbox::{After, DeliveryHold, Taking};
use crate::store::sqlite::rows::PREPARED;
use crate::store::{Admission, Admitted, Idempotency, Store};
use crate::types::{Callback, DeliveryAttempt, DeliveryState, Millis, TaskId};
use std::sync::Arc;

#[tokio::test]
async fn no_statement_scans_what_grows() {
    run_suite().await;
    let folder = Folder::new();
    let _store = folder.open();
    let beside = folder.beside();
    // These list all of a table, or count what is not finished, because that is what they are asked; of workers there are
    // a few.
    let meant = [
        "DELETE FROM workers",
        "UNION SELECT name, beat FROM workers",
        "FROM accounts ORDER BY name",
        "FROM api_keys ORDER BY",
        "UNION ALL SELECT lane",
        "GROUP BY lane, key",
        "lone_crashes >= 3",
        "each(destination)",
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
        // What is taken from one end of something long is found in order, not sorted.
        let in_order = [
            "state = 'pending' AND lane",
            "(created_at, id) <",
            "loss > 0",
        ]
        .iter()
        .any(|part| sql.contains(part));
        let sorts = |step: &String| step.contains("TEMP B-TREE");
        assert!(!(in_order && steps.iter().any(sorts)), "{sql}\n{steps:#?}");
        let is_history = sql.contains("account = ?1 AND (created_at, id) <");
        let bounded = |step: &String| {
            step.contains("tasks_of_account (account=?") && step.contains("(created_at,id)<")
        };
        assert!(
            !is_history || steps.iter().any(bounded),
            "{sql}\n{steps:#?}"
        );
        let adds_up = sql.contains("sum(state = 'completed')");
        let index =
            "USING COVERING INDEX tasks_used (account=? AND completed_at>? AND completed_at<?)";
        let covered = |step: &String| step.contains(index);
        assert!(!adds_up || steps.iter().any(covered), "{sql}\n{steps:#?}");
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
async fn a_callback_is_one_row_more_and_an_attempt_three() {
    let folder = Folder::new();
    let store: Arc<dyn Store> = folder.open();
    let customer = Customer::prepaid(&store, cents(100)).await;
    let callback = Callback {
        url: "http://receiver/hook".to_owned(),
        destination: "http://receiver".to_owned(),
        model: "openai/gpt-image-2".to_owned(),
        inputs: serde_json::Map::new(),
    };
    let admission = Admission {
        callback: Some(callback),
        ..Customer::capped(customer.starting(cents(12)), "total", cents(50))
    };
    let task = admission.task.clone();
    let before = store.rows_written();
    store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let mut settlement = customer.completed(&task, cents(12));
    settlement.attempts[0].cost = cents(4);
    store.settle(&hold, settlement).await.unwrap();
    assert_eq!(store.rows_written() - before, 12);
    let picks = [("http://receiver".to_owned(), 9)];
    let at = Millis(NOW.0 + 9000);
    let taking = Taking {
        worker: "sender".to_owned(),
        at,
        told: at,
        until: Millis(NOW.0 + 39_000),
    };
    let claimed = store.claim_deliveries(&picks, taking).await;
    let delivery = claimed.unwrap().remove(0).deliveries.remove(0);
    let hold = DeliveryHold {
        delivery: delivery.id,
        fence: delivery.fence,
    };
    let attempt = DeliveryAttempt {
        number: delivery.attempts,
        started_at: at,
        ended_at: at,
        status: Some(200),
        problem: None,
        answer: String::new(),
    };
    let after = After::End(DeliveryState::Delivered);
    store
        .end_delivery_attempt(&hold, attempt, after)
        .await
        .unwrap();
    assert_eq!(store.rows_written() - before, 15);
}

#[tokio::test]
async fn an_idempotency_key_is_the_twelfth_row() {
    let folder = Folder::new();
    let store: Arc<dyn Store> = folder.open();
    let customer = Customer::prepaid(&store, cents(100)).await;
    let admission = Admission {
        idempotency: Some(Idempotency {
            key: "order 1".to_owned(),
            fingerprint: [1; 32],
            expires_at: Millis(NOW.0 + 1000),
        }),
        ..Customer::capped(customer.starting(cents(12)), "total", cents(50))
    };
    let task = admission.task.clone();
    let before = store.rows_written();
    store.admit(admission.clone()).await.unwrap();
    let hold = customer.hold_of(&task).await;
    let mut settlement = customer.completed(&task, cents(12));
    settlement.attempts[0].cost = cents(4);
    store.settle(&hold, settlement).await.unwrap();
    assert_eq!(store.rows_written() - before, 12);
    // A repetition writes nothing.
    let again = Admission {
        task: TaskId::new(),
        ..admission
    };
    assert_eq!(store.admit(again).await.unwrap(), Admitted::Known(task));
    assert_eq!(store.rows_written() - before, 12);
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
