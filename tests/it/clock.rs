//! Clocks that jump.

use crate::app::{Setup, TestApp, model, until};
use crate::images::small_with;
use crate::scripted::{Scripted, Step, gate};
use pinhole::types::Millis;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const HOUR: i64 = 3_600_000;

/// One of several processes on a folder, whose clock is off by so many milliseconds.
async fn start(data: &Path, alpha: &Arc<Scripted>, off: &Arc<AtomicI64>) -> TestApp {
    // The lock of the one before is lost.
    let _ = std::fs::remove_file(data.join("engine.lock"));
    let (system, off) = (pinhole::engine::system_clock(), Arc::clone(off));
    Setup::with_data(tempfile::tempdir().expect("a folder"), data)
        .set(|settings| settings.timeouts.lease = Duration::from_millis(600))
        .clock(Arc::new(move || {
            Millis(system().0 + off.load(Ordering::Relaxed))
        }))
        .provider("alpha", alpha.clone())
        .model(&model("paid", "0.04", &[("alpha", 1, "0.01")]))
        .start()
        .await
}

/// Two processes show each other that they live, so often.
async fn beats(data: &Path, more: i64) {
    let rows = crate::server::read_only(data);
    let beats = || -> i64 {
        let least = "SELECT CASE count(*) WHEN 2 THEN min(beat) ELSE 0 END FROM workers";
        rows.query_row(least, [], |row| row.get(0)).expect("rows")
    };
    let before = beats();
    until("both have lived on", async || {
        (beats() >= before + more).then_some(())
    })
    .await;
}

#[tokio::test]
async fn clocks_that_jump_by_an_hour_cost_no_lease_and_end_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let shut = gate();
    let waits = Arc::clone(&shut);
    let alpha = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let off = [(); 2].map(|()| Arc::new(AtomicI64::new(0)));
    let first = start(&data, &alpha, &off[0]).await;
    let second = start(&data, &alpha, &off[1]).await;
    let customer = first.customer("1.00").await;
    let mut tasks = Vec::new();
    // One runs, one waits.
    for _ in 0..2 {
        let body = small_with("a cat", json!({"model": "paid"}));
        tasks.push(customer.leave(&body).await.task_id());
    }
    for jumps in [[HOUR, -HOUR], [-HOUR, HOUR], [HOUR, HOUR]] {
        for (off, jump) in off.iter().zip(jumps) {
            off.store(jump, Ordering::Relaxed);
        }
        // Longer than two leases, by what both have shown.
        beats(&data, 7).await;
    }
    shut.add_permits(2);
    for task in &tasks {
        let task = first.end_of(&customer, task).await;
        let seen = (task.state.name(), task.fence, task.crashes);
        assert_eq!(seen, ("completed", 1, 0), "{:?}", task.failure);
    }
    assert_eq!(alpha.asked().len(), 2, "each once");
    customer.has("0.920000").await;
    second.finish().await;
    first.finish().await;
}
