//! Stories of the queue: whose turn it is, who may run how many at once, and what becomes of tasks that wait too long or
//! bring the process down.

use crate::app::{Customer, Setup, TestApp, check_books, model, until};
use crate::client::{Client, Holder, try_send};
use crate::images::small_with;
use crate::scripted::{Scripted, Step, gate};
use crate::server::{Server, Site};
use pinhole::types::{AttemptState, FailKind, Mode, Money, Scope, Task, TaskId};
use rusqlite::Connection;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
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

/// What a process had accepted and not started is started by the others, also if nothing of it ran when it ended.
#[tokio::test]
async fn what_waits_at_a_process_that_ends_is_started_by_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let gate = gate();
    let shut = Arc::clone(&gate);
    let alpha = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&shut)), Step::Deliver]
    });
    let start = async || {
        // As when a lock is lost on a network disk.
        let _ = std::fs::remove_file(data.join("engine.lock"));
        Setup::with_data(tempfile::tempdir().expect("a folder"), &data)
            .set(|settings| settings.timeouts.lease = Duration::from_millis(600))
            .provider("alpha", alpha.clone())
            .model(&model("paid", "0.01", &[("alpha", 1, "0.01")]))
            .start()
            .await
    };
    let mut first = start().await;
    let second = start().await;
    let customer = first.customer("1.00").await;
    let tasks = leave(&customer, 3).await;
    let rows = crate::server::read_only(&data);
    until("one runs, and both have shown that they live", async || {
        let known = rows.query_row("SELECT count(*) FROM workers", [], |row| row.get(0));
        (alpha.asked().len() == 1 && known == Ok(2)).then_some(())
    })
    .await;
    // The drain waits for the one that runs and leaves the others.
    first.drain();
    gate.add_permits(1);
    first.ended().await;
    gate.add_permits(2);
    for task in &tasks {
        let task = second.end_of(&customer, task).await;
        assert_eq!(task.state.name(), "completed", "{:?}", task.failure);
        assert_eq!(task.crashes, 0, "nothing was taken from under it");
    }
    assert_eq!(alpha.asked().len(), 3, "each once");
    first.finish().await;
    second.finish().await;
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

/// So many deaths tell which task it is: two that say little, three while it runs alone.
const DEATHS: usize = 2 + 3;

#[tokio::test]
async fn a_task_that_kills_the_process_is_set_aside_and_the_others_complete() {
    let site = Site::new(Duration::from_millis(20));
    let poison = model("poison", "0.03", &[("sketch", 2, "0")]);
    std::fs::write(site.file("catalogue/poison.toml"), poison).expect("room for a file");
    let holder = site.customer("1.00").await;
    let ask = async |server: &Server, models: &[&str]| {
        let client = server.client(&holder);
        let bodies = models
            .iter()
            .map(|model| small_with("a boat", json!({"model": model})));
        let sent = bodies.map(|body| {
            let request = client.generation(&body).header("prefer", "respond-async");
            try_send(request)
        });
        futures::future::join_all(sent).await;
    };
    let mut server = site.start("poison=return").await;
    let mut first = vec!["drawn"; 9];
    first.insert(4, "poison");
    ask(&server, &first).await;
    let mut deaths = 0;
    loop {
        let left = "SELECT count(*) FROM tasks WHERE state IN ('pending', 'processing')";
        let count =
            |sql: &str| -> i64 { site.rows().query_row(sql, [], |row| row.get(0)).expect(sql) };
        let over = until("it dies or all is over", async || {
            let died = server.death(Duration::from_millis(50)).await.is_some();
            (died || count(left) == 0).then_some(!died)
        });
        if over.await {
            break;
        }
        deaths += 1;
        assert!(deaths <= DEATHS, "{}", site.log_text());
        server = site.spawn("poison=return", &[]);
    }
    assert_eq!(deaths, DEATHS);
    server.kill();
    let server = site.start("").await;
    let others = site.rows();
    let count = |sql: &str| -> i64 { others.query_row(sql, [], |row| row.get(0)).expect(sql) };
    let good = count("SELECT count(*) FROM tasks WHERE model = 'drawn'");
    ask(
        &server,
        &vec!["drawn"; usize::try_from(20 - good).expect("no more than were sent")],
    )
    .await;
    until("all is over", async || {
        let completed = "SELECT count(*) FROM tasks WHERE model = 'drawn' AND state = 'completed'";
        (count(completed) == 20).then_some(())
    })
    .await;
    let store = pinhole::app::open_store(&site.data()).expect("the store opens");
    let set_aside = store.list_poison(9).await.expect("rows");
    let [task] = set_aside.as_slice() else {
        panic!("{set_aside:?}")
    };
    let failure = task.failure.as_ref().expect("it failed");
    assert_eq!(failure.kind, FailKind::Internal);
    assert!(failure.message.contains("set aside"), "{}", failure.message);
    assert_eq!((task.lone_crashes, task.captured), (3, Money::ZERO));
    server.client(&holder).has("0.600000").await;
    check_books(&*store).await;
    server.kill();
}

#[tokio::test]
async fn a_task_whose_time_is_over_ends_whether_it_waits_or_runs() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let alpha = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let beta = Scripted::obliging();
    let targets = [("alpha", 1, "0.01"), ("beta", 1, "0.01")];
    let app = Setup::new()
        .set(|settings| settings.task_deadline = Duration::from_millis(1_500))
        .provider("alpha", alpha.clone())
        .provider("beta", beta.clone())
        .model(&model("paid", "0.04", &targets))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    // Two images: one call is under way and one waits for its turn at the provider; then a whole task waits.
    let body = small_with("a cat", json!({"model": "paid", "n": 2}));
    let runs = customer.leave(&body).await.task_id();
    let waits = leave(&customer, 1).await.remove(0);
    // As if it had come long before the other, so that its time is over before that one frees its place.
    let beside = Connection::open(app.setup().file("data").join("pinhole.db")).expect("the rows");
    let aged = beside.execute(
        "UPDATE tasks SET created_at = 0 WHERE id = ?1",
        [waits.as_str()],
    );
    assert_eq!(aged.expect("a row"), 1);
    let (ran, waited) = (
        app.end_of(&customer, &runs).await,
        app.end_of(&customer, &waits).await,
    );
    let kind = |task: &Task| task.failure.as_ref().map(|failure| failure.kind);
    assert_eq!(kind(&ran), Some(FailKind::OutcomeUnknown), "it may be paid");
    assert_eq!(kind(&waited), Some(FailKind::DeadlineExceeded));
    assert_eq!((alpha.asked().len(), beta.asked().len()), (1, 0));
    let told = customer
        .get(&format!("/v1/images/generations/{waits}"))
        .await;
    told.refused(504, "deadline_exceeded");
    let attempts = app.store().list_attempts(&runs).await.expect("rows");
    let states: Vec<_> = attempts.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Unknown, AttemptState::NotSent]);
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.010000");
    customer.has("1.000000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_provider_is_asked_no_more_at_once_than_it_takes() {
    let queue = queue(2).await;
    let customer = queue.app.customer("1").await;
    let body = small_with("a cat", json!({"model": "paid", "n": 4}));
    let ids = [
        customer.leave(&body).await.task_id(),
        customer.leave(&body).await.task_id(),
    ];
    queue.until_started(2).await;
    for answered in 1..=6 {
        queue.gate.add_permits(1);
        queue.until_started(2 + answered).await;
        let asked = queue.started().len();
        assert_eq!(
            asked,
            2 + answered,
            "two tasks of four calls, two calls at once"
        );
    }
    queue.gate.add_permits(2);
    for id in &ids {
        assert_eq!(queue.app.end_of(&customer, id).await.assets.len(), 4);
    }
    queue.finish().await;
}
