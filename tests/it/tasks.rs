//! Stories of tasks: they queue, run, survive, and end, whoever waits for them.

use crate::app::{Setup, TestApp, model, until};
use crate::images::{small, small_with};
use crate::scripted::{Scripted, Step, gate};
use pinhole::app::StartError;
use pinhole::types::{FailKind, TaskId};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Every task of this account's store, in the order in which they were admitted: id, state, start and end.
fn history(app: &TestApp) -> Vec<(String, String, Option<i64>, Option<i64>)> {
    let rows = crate::server::read_only(&app.setup().file("data"));
    let mut statement = rows
        .prepare("SELECT id, state, started_at, completed_at FROM tasks ORDER BY created_at, id")
        .expect("the schema");
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    rows.expect("rows").collect::<Result<_, _>>().expect("rows")
}

fn states(app: &TestApp) -> Vec<String> {
    history(app)
        .into_iter()
        .map(|(_, state, ..)| state)
        .collect()
}

#[tokio::test]
async fn tasks_beyond_the_slots_wait_in_order() {
    let app = TestApp::start().await;
    let client = app.test_key();
    // The first two hold both slots until everybody is there.
    let long = small("first [pinhole:delay=1.5s]");
    let first = futures::future::join_all([client.generate(long.clone()), client.generate(long)]);
    let rest = async {
        until("both slots are taken", async || {
            (states(&app) == ["processing"; 2]).then_some(())
        })
        .await;
        let (app, client) = (&app, &client);
        let numbered = |k: usize| async move {
            // Arriving one after the other: each is admitted before the next one is sent.
            until("its turn has come", async || {
                (states(app).len() == k).then_some(())
            })
            .await;
            client.generate(small(&format!("number {k}"))).await
        };
        let watch = async {
            until("everybody is there", async || {
                (states(app).len() == 20).then_some(())
            })
            .await;
            let waiting = states(app)
                .iter()
                .filter(|state| *state == "pending")
                .count();
            let last = history(app).pop().expect("twenty tasks").0;
            let shown = client.task(&TaskId::parse(&last).expect("an id")).await;
            (waiting, shown["state"].clone())
        };
        tokio::join!(futures::future::join_all((2..20).map(numbered)), watch)
    };
    let (first, (rest, (waiting, shown))) = tokio::join!(first, rest);
    for reply in first.iter().chain(&rest) {
        reply.ok();
    }
    assert_eq!(waiting, 18, "two of twenty run");
    assert_eq!(shown, "pending");
    let history = history(&app);
    let starts: Vec<i64> = history
        .iter()
        .map(|(_, _, started, _)| started.expect("it started"))
        .collect();
    assert!(starts.is_sorted(), "in the order of admission: {starts:?}");
    for (task, _, started, _) in &history {
        let beside = history
            .iter()
            .filter(|other| other.0 != *task && other.2 <= *started && other.3 > *started);
        assert!(
            beside.count() <= 1,
            "never more than two at once: {history:#?}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn a_task_is_seen_pending_then_processing_then_completed() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let provider = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let app = Setup::new()
        .provider("alpha", provider.clone())
        .model(&model("paid", "0.04", &[("alpha", 4, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat", json!({"model": "paid"}));
    let (one, two) = (
        customer.generate(body.clone()),
        customer.generate(body.clone()),
    );
    let watch = async {
        until("one runs and one waits", async || {
            let mut states = states(&app);
            states.sort();
            (states == ["pending", "processing"]).then_some(())
        })
        .await;
        let waiting = history(&app).into_iter().find(|task| task.1 == "pending");
        let id = TaskId::parse(&waiting.expect("one waits").0).expect("an id");
        assert_eq!(customer.task(&id).await["state"], "pending");
        assert_eq!(
            customer.balance().await.1,
            "0.080000",
            "what waits is held too"
        );
        shut.add_permits(1);
        until("the second one runs", async || {
            (customer.task(&id).await["state"] == "processing").then_some(())
        })
        .await;
        until("it is asked for", async || {
            (provider.asked().len() == 2).then_some(())
        })
        .await;
        shut.add_permits(1);
        id
    };
    let (one, two, id) = tokio::join!(one, two, watch);
    one.ok();
    two.ok();
    assert_eq!(customer.task(&id).await["state"], "completed");
    customer.has("0.920000").await;
    app.finish().await;
}

#[tokio::test]
async fn what_waits_at_a_crash_runs_after_the_restart() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let provider = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let app = Setup::new()
        .provider("alpha", provider.clone())
        .model(&model("paid", "0.04", &[("alpha", 4, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat", json!({"model": "paid", "n": 2}));
    let watch = async {
        until("one runs and two wait", async || {
            (states(&app)
                .iter()
                .filter(|state| *state == "pending")
                .count()
                == 2)
                .then_some(())
        })
        .await;
    };
    let calls = futures::future::join_all((0..3).map(|_| customer.try_generate(body.clone())));
    tokio::select! { _ = calls => panic!("nobody opened the gate"), () = watch => {} }
    let setup = app.crash().await;
    shut.add_permits(2);
    let app = setup.start().await;
    until("all have ended", async || {
        states(&app)
            .iter()
            .all(|state| state == "completed" || state == "failed")
            .then_some(())
    })
    .await;
    let mut ends = states(&app);
    ends.sort();
    assert_eq!(
        ends,
        ["completed", "completed", "failed"],
        "the call that was under way is not repeated"
    );
    assert_eq!(provider.asked().len(), 3);
    let customer = customer.at(&app.url);
    customer.has("0.840000").await;
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.020000");
    app.finish().await;
}

#[tokio::test]
async fn a_drain_lets_what_runs_end_and_takes_nothing_new() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let provider = Scripted::by(move |_| vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]);
    let mut app = Setup::new()
        .provider("alpha", provider.clone())
        .model(&model("paid", "0.04", &[("alpha", 1, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat", json!({"model": "paid"}));
    let running = customer.generate(body.clone());
    let draining = async {
        until("it runs", async || {
            (provider.asked().len() == 1).then_some(())
        })
        .await;
        app.drain();
        let nobody = app.nobody();
        until("it is not ready", async || {
            (nobody.get("/readyz").await.status == 503).then_some(())
        })
        .await;
        assert_eq!(nobody.get("/healthz").await.status, 200);
        assert!(!nobody.get("/readyz").await.header("retry-after").is_empty());
        let refused = customer.generate(body.clone()).await;
        refused.refused(503, "overloaded");
        assert!(!refused.header("retry-after").is_empty());
        customer.get("/v1/models").await.ok();
        shut.add_permits(1);
    };
    let (reply, ()) = tokio::join!(running, draining);
    assert_eq!(
        reply.pictures().len(),
        1,
        "who was waiting gets the picture"
    );
    assert_eq!(reply.header("x-pinhole-cost"), "0.040000");
    app.ended().await;
    app.finish().await;
}

#[tokio::test]
async fn a_drain_does_not_keep_those_waiting_whose_task_waits_for_the_next_start() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let provider = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let mut app = Setup::new()
        .provider("alpha", provider.clone())
        .model(&model("paid", "0.04", &[("alpha", 1, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat", json!({"model": "paid"}));
    let both =
        futures::future::join_all([customer.generate(body.clone()), customer.generate(body)]);
    let draining = async {
        until("one runs and one waits", async || {
            states(&app).contains(&"pending".to_owned()).then_some(())
        })
        .await;
        app.drain();
        shut.add_permits(1);
    };
    let (replies, ()) = tokio::join!(both, draining);
    let (done, waits): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((done.len(), waits.len()), (1, 1));
    // It cannot be said to have failed: it goes on at the next start.
    waits[0].refused(504, "still_running");
    assert_eq!(waits[0].header("x-should-retry"), "false");
    let id = waits[0].task_id();
    app.ended().await;
    let setup = app.stop().await;
    shut.add_permits(1);
    let app = setup.start().await;
    let task = app.end_of(&customer, &id).await;
    assert_eq!(task.state.name(), "completed");
    customer.at(&app.url).has("0.920000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_drain_ends_in_time_and_says_what_became_of_the_task() {
    let provider = Scripted::new(&[Step::Wait(gate()), Step::Deliver]);
    let mut app = Setup::new()
        .set(|settings| settings.drain = Duration::from_millis(200))
        .provider("alpha", provider.clone())
        .model(&model("paid", "0.04", &[("alpha", 1, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let asking = customer.generate(small_with("a cat", json!({"model": "paid"})));
    let draining = async {
        until("it runs", async || {
            (provider.asked().len() == 1).then_some(())
        })
        .await;
        app.drain();
    };
    let (reply, ()) = tokio::join!(asking, draining);
    reply.refused(504, "still_running");
    assert_eq!(reply.header("x-should-retry"), "false");
    app.ended().await;
    let app = app.crash().await.start().await;
    let task = app.end_of(&customer, &reply.task_id()).await;
    let failure = task.failure.expect("the call was cut off");
    assert_eq!(failure.kind, FailKind::OutcomeUnknown);
    assert_eq!(provider.asked().len(), 1);
    customer.at(&app.url).has("1.000000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_second_engine_on_the_same_folder_is_told_where_the_first_one_listens() {
    let app = TestApp::start().await;
    // Once it answers, it has said where it listens.
    app.nobody().get("/readyz").await.ok();
    let folder = app.setup().file("data");
    let twin = Setup::new().set(|settings| settings.data = folder);
    match twin.try_start().await.map(|app| app.url.clone()) {
        Err(StartError::Locked(Some(address))) => assert_eq!(format!("http://{address}"), app.url),
        other => panic!("the folder is taken: {other:?}"),
    }
    app.test_key().generate(small("undisturbed")).await.ok();
    app.finish().await;
}

#[tokio::test]
async fn a_key_may_have_a_thousand_tasks_waiting() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let provider = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let app = Setup::new()
        .provider("alpha", provider)
        .model(&model("paid", "0.001", &[("alpha", 1, "0")]))
        .start()
        .await;
    let customer = app.customer("10.00").await;
    let body: Value = small_with("a cat", json!({"model": "paid", "response_format": "url"}));
    for _ in 0..1_001 {
        assert_eq!(customer.leave(&body).await.status, 202);
    }
    let refused = customer.generate(body.clone()).await;
    refused.refused(429, "too_many_waiting_tasks");
    assert!(!refused.header("retry-after").is_empty());
    shut.add_permits(2_000);
    until("the queue is empty", async || {
        (customer.balance().await == ("8.999000".to_owned(), "0.000000".to_owned())).then_some(())
    })
    .await;
    app.finish().await;
}
