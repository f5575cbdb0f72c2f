//! A provider that fails is left alone, and second tries have a budget: seen from the client, the books and the upstreams.

use crate::app::{Setup, TestApp, model, until};
use crate::client::{Holder, Reply};
use crate::images::small_with;
use crate::scripted::{Scripted, Step, gate};
use futures::future::join_all;
use pinhole::engine::Standing;
use pinhole::provider::Verdict;
use pinhole::types::{FailKind, Mode, Scope, TaskState};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// `alone` costs 0.04 and goes to `alpha` alone; `paid` has `beta` as its second target.
struct Story {
    app: TestApp,
    customer: Holder,
    alpha: Arc<Scripted>,
    beta: Arc<Scripted>,
}

impl Story {
    async fn of(alpha: Arc<Scripted>) -> Self {
        let beta = Scripted::obliging();
        let (first, second) = (("alpha", 1, "0.01"), ("beta", 1, "0.01"));
        let app = Setup::new()
            .provider("alpha", alpha.clone())
            .provider("beta", beta.clone())
            .model(&model("alone", "0.04", &[first]))
            .model(&model("paid", "0.04", &[first, second]))
            .start()
            .await;
        let customer = app.customer("10.00").await;
        Self {
            app,
            customer,
            alpha,
            beta,
        }
    }

    async fn ask(&self, model: &str, n: u32) -> Reply {
        let body = small_with("a cat", json!({"model": model, "n": n}));
        self.customer.generate(body).await
    }

    fn asked(&self) -> (usize, usize) {
        (self.alpha.asked().len(), self.beta.asked().len())
    }

    fn standing(&self) -> Standing {
        let standings = self.app.engine().standings();
        let alpha = standings.into_iter().find(|(name, _)| name == "alpha");
        alpha.expect("it does paid work").1
    }

    async fn finish(self, available: &str) {
        self.customer.has(available).await;
        self.app.finish().await;
    }
}

/// Answers its calls one after the other as these say, and the last of them for ever.
fn in_turn(scripts: Vec<Vec<Step>>) -> Arc<Scripted> {
    let turn = AtomicUsize::new(0);
    Scripted::bounded(1, move |_| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        scripts[turn.min(scripts.len() - 1)].clone()
    })
}

fn later(seconds: u64) -> Vec<Step> {
    vec![Step::Later(Duration::from_secs(seconds))]
}

#[tokio::test]
async fn who_failed_ten_times_is_passed_over_and_nothing_is_held_where_nobody_is_left() {
    let failing = Scripted::failing(Verdict::Failed, FailKind::Upstream);
    let story = Story::of(failing).await;
    for _ in 0..10 {
        story.ask("paid", 1).await.refused(502, "upstream_failed");
    }
    assert!(matches!(story.standing(), Standing::Open(_)));
    assert_eq!(story.ask("paid", 1).await.pictures().len(), 1);
    assert_eq!(story.asked(), (10, 1), "the second target came first");

    let reply = story.ask("alone", 1).await;
    let error = reply.refused(503, "overloaded");
    assert_eq!(error["type"], "server_error");
    let wait: u64 = reply.header("retry-after").parse().expect("seconds");
    assert!((1..=15).contains(&wait), "{wait}");
    assert_eq!(
        reply.header("x-pinhole-task-id"),
        "",
        "nothing was admitted"
    );
    assert_eq!(story.asked(), (10, 1));
    story.finish("9.960000").await;
}

#[tokio::test]
async fn refusals_for_content_and_full_disks_open_nothing() {
    for (verdict, kind) in [
        (Verdict::Failed, FailKind::ContentPolicy),
        (Verdict::Failed, FailKind::Rejected),
        (Verdict::Unknown, FailKind::StorageFull),
    ] {
        let story = Story::of(Scripted::failing(verdict, kind)).await;
        for _ in 0..12 {
            assert!(story.ask("alone", 1).await.status >= 400);
        }
        assert_eq!(story.standing(), Standing::Closed, "{kind:?}");
        assert_eq!(story.asked(), (12, 0));
        story.finish("10.000000").await;
    }
}

#[tokio::test]
async fn a_pause_that_an_upstream_asks_for_is_kept() {
    let story = Story::of(in_turn(vec![later(7)])).await;
    story.ask("paid", 1).await.ok();
    assert_eq!(story.asked(), (1, 1), "the first time it had to say so");
    for _ in 0..3 {
        story.ask("paid", 1).await.ok();
    }
    assert_eq!(story.asked(), (1, 4));
    let reply = story.ask("alone", 1).await;
    reply.refused(503, "overloaded");
    let wait: u64 = reply.header("retry-after").parse().expect("seconds");
    assert!((1..=7).contains(&wait), "{wait}");
    story.finish("9.840000").await;
}

#[tokio::test]
async fn an_operator_sees_who_is_paused() {
    let story = Story::of(in_turn(vec![later(200)])).await;
    let admin = story.app.scoped(Mode::Live, &[Scope::Admin]).await;
    let all = async || {
        let body = admin.get("/admin/v1/providers").await.ok();
        let data = body["data"].as_array().expect("a list").clone();
        let tell = |one: &Value| {
            let is_paused = one["pause_s"].as_u64().is_some_and(|pause| pause > 0);
            (one["name"].clone(), one["breaker"].clone(), is_paused)
        };
        data.iter().map(tell).collect::<Vec<_>>()
    };
    let rows = |alpha: &str, paused| {
        [
            (json!("alpha"), json!(alpha), paused),
            (json!("beta"), json!("closed"), false),
            (json!("sketch"), Value::Null, false),
        ]
    };
    let nobody = story.app.nobody();
    assert_eq!(all().await, rows("closed", false));
    assert_eq!(nobody.get("/readyz").await.ok(), json!({"ready": true}));
    story.ask("paid", 1).await.ok();
    assert_eq!(all().await, rows("open", true));
    assert_eq!(
        nobody.get("/readyz").await.ok(),
        json!({"ready": true, "paused_providers": 1})
    );
    let path = "/admin/v1/providers";
    nobody.get(path).await.refused(401, "invalid_api_key");
    story.customer.get(path).await.refused(403, "forbidden");
    story.finish("9.960000").await;
}

#[tokio::test]
async fn the_command_asks_a_running_server_who_is_paused() {
    let story = Story::of(in_turn(vec![later(200)])).await;
    story.ask("paid", 1).await.ok();
    let config = story.app.setup().file("pinhole.toml");
    let section = "[provider.alpha]\nkind = \"openai\"\napi_key = \"k\"\n";
    std::fs::write(&config, section).expect("room for a file");
    let states = async |key: Option<&Holder>| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pinhole"));
        command
            .args(["providers", "--json", "--config"])
            .arg(&config);
        command
            .arg("--data")
            .arg(story.app.setup().file("elsewhere"));
        command.env_clear().env("PINHOLE_URL", &story.app.url);
        if let Some(key) = key {
            command.env("PINHOLE_API_KEY", key.secret.reveal());
        }
        let ran = command.output().await.expect("it runs");
        let words = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{words}");
        let rows: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        [rows[0]["state"].clone(), rows[1]["state"].clone()]
    };
    let admin = story.app.scoped(Mode::Live, &[Scope::Admin]).await;
    let [alpha, sketch] = states(Some(&admin)).await;
    assert!(
        alpha.as_str().expect("a state").starts_with("paused for "),
        "{alpha}"
    );
    assert_eq!(sketch, "in use");
    // Who may not ask gets the rest all the same.
    assert_eq!(
        states(Some(&story.customer)).await,
        [Value::Null, Value::Null]
    );
    assert_eq!(states(None).await, [Value::Null, Value::Null]);
    story.finish("9.960000").await;
}

#[tokio::test]
async fn the_pictures_of_one_request_wait_for_the_one_that_is_on_trial() {
    let gate = gate();
    let deliver = vec![Step::Wait(gate.clone()), Step::Deliver];
    let turn = AtomicUsize::new(0);
    let alpha = Scripted::by(move |_| match turn.fetch_add(1, Ordering::Relaxed) {
        0 => later(0),
        1 => deliver.clone(),
        _ => vec![Step::Deliver],
    });
    let story = Story::of(alpha).await;
    story.ask("alone", 1).await.refused(503, "overloaded");
    assert_eq!(story.standing(), Standing::HalfOpen);
    let on_trial = async {
        until("one call is made", async || {
            (story.asked().0 == 2).then_some(())
        })
        .await;
        assert_eq!(story.standing(), Standing::OnTrial);
        // Somebody else is not let through meanwhile.
        story.ask("alone", 1).await.refused(503, "overloaded");
        assert_eq!(story.asked(), (2, 0), "the other two parts wait");
        gate.add_permits(1);
    };
    let (reply, ()) = tokio::join!(story.ask("alone", 3), on_trial);
    assert_eq!(reply.pictures().len(), 3);
    assert_eq!(story.standing(), Standing::Closed);
    assert_eq!(story.asked(), (4, 0));
    story.finish("9.880000").await;
}

#[tokio::test]
async fn a_trial_that_fails_keeps_the_others_out() {
    let failing = vec![Step::Fail(Verdict::NotSent, FailKind::Unavailable)];
    let story = Story::of(in_turn(vec![later(0), failing])).await;
    story.ask("alone", 1).await.refused(503, "overloaded");
    story.ask("alone", 3).await.refused(503, "overloaded");
    assert_eq!(story.asked(), (2, 0), "one of the three was tried");
    assert!(matches!(story.standing(), Standing::Open(_)));
    story.finish("10.000000").await;
}

#[tokio::test]
async fn tasks_that_waited_outlast_the_pause() {
    let gate = gate();
    let first = vec![
        Step::Wait(gate.clone()),
        Step::Later(Duration::from_secs(1)),
    ];
    let story = Story::of(in_turn(vec![first, vec![Step::Deliver]])).await;
    let leave = async || {
        let body = small_with("a cat", json!({"model": "alone"}));
        story.customer.leave(&body).await.task_id()
    };
    let (refused, waited) = (leave().await, leave().await);
    gate.add_permits(1);
    let refused = story.app.end_of(&story.customer, &refused).await;
    assert_eq!(refused.state, TaskState::Failed);
    let waited = story.app.end_of(&story.customer, &waited).await;
    assert_eq!(waited.state, TaskState::Completed, "{:?}", waited.failure);
    assert_eq!(story.asked(), (2, 0));
    story.finish("9.960000").await;
}

#[tokio::test]
async fn a_task_that_waits_for_its_upstream_is_left_to_the_next_start() {
    let gate = gate();
    let first = vec![
        Step::Wait(gate.clone()),
        Step::Later(Duration::from_secs(200)),
    ];
    let story = Story::of(in_turn(vec![first, vec![Step::Deliver]])).await;
    let leave = async || {
        let body = small_with("a cat", json!({"model": "alone"}));
        story.customer.leave(&body).await.task_id()
    };
    let (refused, waited) = (leave().await, leave().await);
    gate.add_permits(1);
    story.app.end_of(&story.customer, &refused).await;
    let (store, account) = (story.app.store().clone(), story.customer.account.clone());
    until("the other is claimed", async || {
        let task = store.find_task(&account, &waited).await.expect("rows")?;
        (task.state == TaskState::Processing).then_some(())
    })
    .await;
    drop(store);
    let Story {
        app,
        customer,
        alpha,
        ..
    } = story;
    // A new process has not seen the refusal.
    let app = app.stop().await.start().await;
    let waited = app.end_of(&customer, &waited).await;
    assert_eq!(waited.state, TaskState::Completed, "{:?}", waited.failure);
    assert_eq!(alpha.asked().len(), 2, "nothing was sent twice");
    app.finish().await;
}

#[tokio::test]
async fn a_storm_of_failures_asks_a_bounded_number_of_second_targets() {
    // It says that it was not asked, so its breaker has nothing to count.
    let story = Story::of(Scripted::failing(Verdict::NotSent, FailKind::Rejected)).await;
    let replies = join_all((0..40).map(|_| story.ask("paid", 1))).await;
    let fine = replies.iter().filter(|reply| reply.status == 200).count();
    let (first, second) = story.asked();
    assert_eq!((first, second), (40, fine));
    assert!((10..=18).contains(&second), "{second}");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        reply.refused(400, "invalid_parameter");
    }
    let left = 10_000_000 - 40_000 * second;
    story
        .finish(&format!("{}.{:06}", left / 1_000_000, left % 1_000_000))
        .await;
}

#[tokio::test]
async fn the_built_in_renderer_is_never_paused() {
    let app = TestApp::start().await;
    let failing = small_with("[pinhole:fail=upstream]", json!({}));
    for _ in 0..12 {
        app.test_key()
            .generate(failing.clone())
            .await
            .refused(502, "upstream_failed");
    }
    app.test_key()
        .generate(small_with("a cat", json!({})))
        .await
        .ok();
    assert!(app.engine().standings().is_empty());
    app.finish().await;
}
