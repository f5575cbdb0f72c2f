//! Stories of the queue: whose turn it is, who may run how many at once, and what becomes of tasks that wait too long or
//! bring the process down.

use crate::app::{Customer, Setup, TestApp, model, until};
use crate::client::{Client, Holder};
use crate::images::small_with;
use crate::scripted::{Scripted, Step, gate};
use pinhole::types::{Mode, Scope, TaskId};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// `paid` at the provider `alpha`, which runs so many tasks at once and delivers each time its gate opens.
struct Queue {
    app: TestApp,
    alpha: Arc<Scripted>,
    gate: Arc<Semaphore>,
}

async fn queue(slots: u32) -> Queue {
    let gate = gate();
    let shut = Arc::clone(&gate);
    let alpha = Scripted::bounded(slots, move |_| {
        vec![Step::Wait(Arc::clone(&shut)), Step::Deliver]
    });
    let app = Setup::new()
        .provider("alpha", alpha.clone())
        .model(&model("paid", "0.01", &[("alpha", 1, "0.01")]))
        .start()
        .await;
    Queue { app, alpha, gate }
}

/// Sends so many requests one after the other and waits for none.
async fn leave(client: &Client, tasks: usize) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for _ in 0..tasks {
        let reply = client
            .leave(&small_with("a cat", json!({"model": "paid"})))
            .await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        ids.push(reply.task_id());
    }
    ids
}

impl Queue {
    /// The tasks in the order of their start.
    fn started(&self) -> Vec<TaskId> {
        let asked = self.alpha.asked();
        asked.into_iter().map(|asked| asked.task).collect()
    }

    async fn until_started(&self, tasks: usize) {
        until("they start", async || {
            (self.started().len() >= tasks).then_some(())
        })
        .await;
    }

    /// Lets one call after the other end until so many tasks have started.
    async fn play(&self, tasks: usize) {
        while self.started().len() < tasks {
            let before = self.started().len();
            self.gate.add_permits(1);
            self.until_started(before + 1).await;
        }
    }

    async fn finish(self) {
        self.gate.add_permits(10_000);
        until("nothing is left", async || {
            let depths = self.app.store().queue().await.expect("rows");
            depths.is_empty().then_some(())
        })
        .await;
        self.app.finish().await;
    }
}

#[tokio::test]
async fn a_tenant_with_many_tasks_delays_another_by_one_turn() {
    let queue = queue(1).await;
    let (flood, other) = (queue.app.customer("1").await, queue.app.customer("1").await);
    let flooding = leave(&flood, 12).await;
    let others = leave(&other, 3).await;
    queue.play(8).await;
    let expected = [
        // The first took the free slot; its account's turn came before the other's.
        &flooding[0],
        &flooding[1],
        &others[0],
        &flooding[2],
        &others[1],
        &flooding[3],
        &others[2],
        &flooding[4],
    ];
    assert_eq!(queue.started().iter().collect::<Vec<_>>(), expected);
    queue.finish().await;
}

#[tokio::test]
async fn keys_of_an_account_take_turns_within_its_turn() {
    let queue = queue(1).await;
    let (one, stranger) = (queue.app.customer("1").await, queue.app.customer("1").await);
    let account = queue.app.store().find_account(one.account.as_str()).await;
    let account = account.expect("rows").expect("the account");
    let scopes = [Scope::Generate, Scope::Read];
    let second_key = queue.app.key_of(&account, Mode::Live, &scopes).await;
    let first = leave(&one, 4).await;
    let second = leave(&second_key, 2).await;
    let strange = leave(&stranger, 2).await;
    queue.play(7).await;
    let expected = [
        &first[0],
        &first[1],
        &strange[0],
        &second[0],
        &strange[1],
        &first[2],
        &second[1],
    ];
    assert_eq!(queue.started().iter().collect::<Vec<_>>(), expected);
    queue.finish().await;
}

#[tokio::test]
async fn turns_are_kept_over_a_restart_and_a_cancelled_task_holds_up_nobody() {
    let queue = queue(1).await;
    let (flood, other) = (queue.app.customer("1").await, queue.app.customer("1").await);
    let flooding = leave(&flood, 5).await;
    let others = leave(&other, 2).await;
    queue.until_started(1).await;
    let cancelled = &flooding[1];
    let path = format!("/api/v1/images/generations?task_id={cancelled}");
    let reply = crate::client::send(flood.request(reqwest::Method::DELETE, &path)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let Queue { app, alpha, gate } = queue;
    let app = app.crash().await.start().await;
    let queue = Queue { app, alpha, gate };
    // What ran when the process died ends as unknown and is not asked for again.
    queue.play(6).await;
    let mut order: Vec<usize> = Vec::new();
    for task in queue.started() {
        assert_ne!(task, *cancelled);
        order.push(usize::from(others.contains(&task)));
    }
    assert_eq!(order.iter().sum::<usize>(), 2);
    let of_other = order
        .iter()
        .rposition(|other| *other == 1)
        .expect("they ran");
    assert!(
        of_other <= 4,
        "both have started within two turns: {order:?}"
    );
    queue.finish().await;
}

#[tokio::test]
async fn a_task_that_waits_knows_how_many_start_before_it() {
    let queue = queue(1).await;
    let (flood, other) = (queue.app.customer("1").await, queue.app.customer("1").await);
    let body = small_with("a cat", json!({"model": "paid"}));
    let flooding = leave(&flood, 4).await;
    let reply = other.leave(&body).await;
    assert_eq!(
        reply.json()["tasks_ahead"],
        1,
        "one of the flood has its turn"
    );
    let others = [reply.task_id(), leave(&other, 1).await.remove(0)];
    let ahead = async |who: &Client, task: &TaskId| {
        let polled = who.get(&format!("/v1/images/generations/{task}")).await;
        let told = polled.json()["tasks_ahead"].clone();
        let path = format!("/api/v1/images/generations?task_id={task}");
        assert_eq!(who.get(&path).await.ok()["data"]["tasksAhead"], told);
        told
    };
    assert_eq!(ahead(&flood, &flooding[0]).await, json!(null), "it runs");
    let mut places = Vec::new();
    for (who, task) in [
        (&flood, &flooding[1]),
        (&other, &others[0]),
        (&flood, &flooding[2]),
        (&other, &others[1]),
        (&flood, &flooding[3]),
    ] {
        places.push(ahead(who, task).await);
    }
    assert_eq!(places, [0, 1, 2, 3, 4]);
    queue.play(2).await;
    assert_eq!(ahead(&other, &others[0]).await, 0);
    queue.finish().await;
}

async fn limited(app: &TestApp, change: impl FnOnce(&mut Customer)) -> Holder {
    app.customer_with("1", change).await
}

#[tokio::test]
async fn who_runs_as_many_as_they_may_waits_while_slots_are_free() {
    let queue = queue(4).await;
    let by_key = limited(&queue.app, |customer| customer.limits.concurrent = Some(1)).await;
    let by_account = limited(&queue.app, |customer| customer.account.concurrent = Some(1)).await;
    let free = queue.app.customer("1").await;
    let first = leave(&by_key, 3).await;
    let second = leave(&by_account, 2).await;
    queue.until_started(2).await;
    for waiting in [&first[1], &first[2]] {
        assert_eq!(by_key.task(waiting).await["state"], "pending");
    }
    assert_eq!(by_account.task(&second[1]).await["state"], "pending");
    // Nobody else waits behind them.
    let third = leave(&free, 1).await;
    queue.until_started(3).await;
    let mut running = queue.started();
    running.sort();
    let mut expected = vec![first[0].clone(), second[0].clone(), third[0].clone()];
    expected.sort();
    assert_eq!(running, expected);
    // Each end lets the next of the same owner start.
    queue.play(5).await;
    assert_eq!(by_key.task(&first[1]).await["state"], "processing");
    assert_eq!(by_key.task(&first[2]).await["state"], "pending");
    assert_eq!(by_account.task(&second[1]).await["state"], "processing");
    queue.finish().await;
}
