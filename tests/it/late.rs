//! Calls whose end is not known at once: asked after, heard on, kept when they come late, resolved by the operator.

use crate::app::{Setup, TestApp, model, until};
use crate::cli::Ran;
use crate::client::{Client, Holder, send};
use crate::images::small_with;
use crate::scripted::{Asked, BY_OUR_NAMES, Scripted, Step, gate};
use pinhole::provider::Verdict;
use pinhole::types::{FailKind, Mode, Resolution, Scope, Task, TaskId};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// `paid` costs 0.04; `alpha` (cost 0.01) serves it first, `beta` second. A call may take so long, and be late by so much.
async fn start(
    alpha: &Arc<Scripted>,
    beta: &Arc<Scripted>,
    call: Duration,
    late: Duration,
) -> TestApp {
    Setup::new()
        .set(|settings| {
            settings.timeouts.attempt = call;
            settings.timeouts.late = late;
        })
        .provider("alpha", alpha.clone())
        .provider("beta", beta.clone())
        .model(&model(
            "paid",
            "0.04",
            &[("alpha", 1, "0.01"), ("beta", 1, "0.02")],
        ))
        .start()
        .await
}

const MOMENT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(900);

/// How each call was made: new, or asked after.
fn ways(alpha: &Scripted) -> Vec<Option<String>> {
    let asked = alpha.asked().into_iter();
    asked.map(|asked| asked.resumed).collect()
}

async fn detail(app: &TestApp, customer: &Holder, task: &TaskId) -> Value {
    let client = customer.at(&app.url);
    client.get(&format!("/api/v1/tasks/{task}")).await.ok()["data"].clone()
}

async fn came_late(app: &TestApp, customer: &Holder, task: &TaskId) {
    assert_eq!(kept(app, customer, task).await, crate::app::small_png());
}

/// The image has come, the task is as it ended, nobody has paid but the operator; which image it is.
pub async fn kept(app: &TestApp, customer: &Holder, task: &TaskId) -> Vec<u8> {
    let detail = until("the image is kept", async || {
        let detail = detail(app, customer, task).await;
        (detail["assets"].as_array().map(Vec::len) == Some(1)).then_some(detail)
    })
    .await;
    assert_eq!(
        (&detail["state"], &detail["failCode"]),
        (&json!("failed"), &json!("outcome_unknown"))
    );
    assert_eq!(detail["assets"][0]["late"], true);
    let url = detail["assets"][0]["url"].as_str().expect("a link");
    let path = &url[url.find("/files/").expect("a link to a file")..];
    let served = app.nobody().get(path).await;
    assert_eq!(served.status, 200);
    customer.at(&app.url).has("1.000000").await;
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(
        (audit.captured.to_string(), audit.operator_loss.to_string()),
        ("0.000000".into(), "0.010000".into())
    );
    let lost = app
        .store()
        .list_lost_calls(pinhole::types::Millis(0), 9)
        .await
        .expect("rows");
    let known = lost[0].resolved.as_ref().expect("it is known");
    assert_eq!((lost.len(), known.resolution), (1, Resolution::Delivered));
    served.body.to_vec()
}

#[tokio::test]
async fn an_image_that_comes_after_the_time_of_its_call_is_kept_and_free() {
    let shut = gate();
    let alpha = Scripted::new(&[Step::Wait(Arc::clone(&shut)), Step::Deliver]);
    let beta = Scripted::obliging();
    let app = start(&alpha, &beta, MOMENT, LONG).await;
    let customer = app.customer("1.00").await;
    let reply = customer
        .generate(small_with("a cat", json!({"model": "paid"})))
        .await;
    let task = reply.task_id();
    reply.refused(504, "outcome_unknown");
    assert_eq!(detail(&app, &customer, &task).await["assets"], json!([]));
    shut.add_permits(1);
    came_late(&app, &customer, &task).await;
    assert_eq!((ways(&alpha), beta.asked().len()), (vec![None], 0));
    app.finish().await;
}

#[tokio::test]
async fn an_image_that_is_being_noted_when_the_drain_begins_is_kept() {
    let (shut, heard) = (gate(), gate());
    heard.add_permits(1);
    let alpha = Scripted::new(&[
        Step::Wait(Arc::clone(&shut)),
        Step::Image(0),
        Step::Wait(Arc::clone(&heard)),
        Step::Done,
    ]);
    let app = start(&alpha, &Scripted::obliging(), MOMENT, LONG).await;
    let customer = app.customer("1.00").await;
    let reply = customer
        .generate(small_with("a cat", json!({"model": "paid"})))
        .await;
    let task = reply.task_id();
    reply.refused(504, "outcome_unknown");
    // Somebody else writes, so what is to be noted waits.
    let rows = app.setup().file("data").join("pinhole.db");
    let rows = rusqlite::Connection::open(rows).expect("the rows");
    rows.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    shut.add_permits(1);
    until("the image was heard", async || {
        (heard.available_permits() == 0).then_some(())
    })
    .await;
    app.drain();
    until("the drain begins", async || {
        app.engine().is_draining().then_some(())
    })
    .await;
    rows.execute_batch("COMMIT").expect("the lock is ours");
    let app = app.stop().await.start().await;
    came_late(&app, &customer, &task).await;
    app.finish().await;
}

#[tokio::test]
async fn an_image_that_comes_late_changes_no_answer_that_was_final() {
    let shut = gate();
    let first = Arc::clone(&shut);
    let alpha = Scripted::by(move |asked| match asked.part.first {
        0 => vec![Step::Wait(Arc::clone(&first)), Step::Deliver],
        _ => vec![Step::Deliver],
    });
    let time = Duration::from_secs(2);
    let app = start(&alpha, &Scripted::obliging(), time, LONG).await;
    let customer = app.customer("1.00").await;
    let body = small_with(
        "a cat",
        json!({"model": "paid", "n": 3, "response_format": "url"}),
    );
    let ask = async || send(customer.generation(&body).header("idempotency-key", "late")).await;
    let reply = ask().await;
    let task = reply.task_id();
    let data = |body: Value| body["data"].clone();
    let told = data(reply.ok());
    assert_eq!(told.as_array().map(Vec::len), Some(2));
    let poll = format!("/api/v1/images/generations?task_id={task}");
    let polled = customer.get(&poll).await.ok();
    assert_eq!(
        polled["data"]["resultUrls"].as_array().map(Vec::len),
        Some(2)
    );

    shut.add_permits(1);
    let assets = until("the image is kept", async || {
        let assets = detail(&app, &customer, &task).await["assets"].clone();
        (assets.as_array().map(Vec::len) == Some(3)).then_some(assets)
    })
    .await;
    let late: Vec<bool> = (0..3).map(|k| assets[k]["late"] == true).collect();
    assert_eq!(late, [true, false, false]);
    assert_eq!(customer.get(&poll).await.ok(), polled);
    let replayed = data(ask().await.ok());
    let fetched = format!("/v1/images/generations/{task}");
    let fetched = data(customer.get(&fetched).await.ok());
    assert_eq!((&replayed, &fetched), (&told, &told));
    customer.has("0.920000").await;
    app.finish().await;
}

/// The upstream works on it still, so what is sent meanwhile would only queue up behind it.
#[tokio::test]
async fn a_call_that_is_heard_on_keeps_its_place_at_the_provider() {
    let (late, rest) = (gate(), gate());
    let is_first = AtomicBool::new(true);
    let (first, others) = (Arc::clone(&late), Arc::clone(&rest));
    let alpha = Scripted::bounded(2, move |_| {
        let gate = match is_first.swap(false, Ordering::Relaxed) {
            true => Arc::clone(&first),
            false => Arc::clone(&others),
        };
        vec![Step::Wait(gate), Step::Deliver]
    });
    let time = Duration::from_secs(2);
    let app = start(&alpha, &Scripted::obliging(), time, LONG).await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat", json!({"model": "paid"}));
    let lost = customer.generate(body.clone()).await;
    lost.refused(504, "outcome_unknown");
    let mut tasks = Vec::new();
    for _ in 0..2 {
        tasks.push(customer.leave(&body).await.task_id());
    }
    until("one of them is called", async || {
        (alpha.asked().len() >= 2).then_some(())
    })
    .await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(alpha.asked().len(), 2, "the other has no place");
    late.add_permits(1);
    until("its place is free", async || {
        (alpha.asked().len() == 3).then_some(())
    })
    .await;
    rest.add_permits(2);
    for task in &tasks {
        let task = app.end_of(&customer, task).await;
        assert_eq!(task.state.name(), "completed", "{:?}", task.failure);
    }
    app.finish().await;
}

#[tokio::test]
async fn an_operator_notes_over_http_what_became_of_a_call_once() {
    let alpha = Scripted::failing(Verdict::Unknown, FailKind::OutcomeUnknown);
    let app = start(&alpha, &Scripted::obliging(), LONG, LONG).await;
    let customer = app.customer("1.00").await;
    let reply = customer
        .generate(small_with("a cat", json!({"model": "paid"})))
        .await;
    let task = reply.task_id();
    let admin = app.scoped(Mode::Live, &[Scope::Admin]).await;
    let resolve = async |client: &Client, query: &str| {
        let path = format!("/admin/v1/tasks/resolve?{query}");
        send(client.request(reqwest::Method::POST, &path)).await
    };
    let ours = format!("task={task}&attempt=0");
    let stranger = resolve(&customer, &format!("{ours}&outcome=billed")).await;
    stranger.refused(403, "forbidden");
    for (query, code) in [
        (ours.clone(), "missing_parameter"),
        (format!("{ours}&outcome=delivered"), "invalid_value"),
        (
            format!("{ours}&outcome=billed&amount=1000.01"),
            "invalid_value",
        ),
        (format!("{ours}&outcome=billed&amount=-1"), "invalid_value"),
        (
            format!("{ours}&outcome=not_billed&amount=0"),
            "invalid_value",
        ),
        (
            format!("{ours}&outcome=billed&billed=0"),
            "unknown_parameter",
        ),
        (format!("task={task}&outcome=billed"), "missing_parameter"),
    ] {
        resolve(&admin, &query).await.refused(400, code);
    }
    let none = format!("task={task}&attempt=7&outcome=billed");
    resolve(&admin, &none).await.refused(404, "task_not_found");
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.010000");

    let billed = format!("{ours}&outcome=billed&amount=0.004&note=bill%2017");
    let booked = resolve(&admin, &billed).await.ok();
    let expected = json!({
        "taskId": task.as_str(), "number": 0, "billed": "0.004000", "currency": "USD",
    });
    assert_eq!(booked, expected);
    let again = resolve(&admin, &billed).await;
    again.refused(409, "already_resolved");
    let lost = app.store().list_lost_calls(pinhole::types::Millis(0), 9);
    let known = lost.await.expect("rows")[0].resolved.clone();
    let known = known.expect("it is known");
    assert_eq!(
        (known.resolution, known.note.as_deref()),
        (Resolution::Billed, Some("bill 17"))
    );
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.004000");

    // The command asks the server that is named, and does not touch the rows of this machine.
    let reply = customer
        .generate(small_with("a cat", json!({"model": "paid"})))
        .await;
    let task = reply.task_id();
    let command = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pinhole"));
        let command = command
            .args([
                "task",
                "resolve",
                task.as_str(),
                "--attempt",
                "0",
                "--not-billed",
            ])
            .arg("--data")
            .arg(app.setup().file("elsewhere"))
            .env_clear()
            .env("PINHOLE_URL", &app.url)
            .env("PINHOLE_API_KEY", admin.secret.reveal());
        Ran::of(command.output().expect("it starts"))
    };
    let _ = command().exits(0).says(&["booked as $0.0000 from now on"]);
    let _ = command().exits(1).says(&["known already"]);
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.004000");
    crate::app::check_books(&**app.store()).await;
    app.finish().await;
}

#[tokio::test]
async fn a_job_that_is_done_after_its_task_failed_is_kept_and_free() {
    let shut = gate();
    let (waits, never) = (Arc::clone(&shut), gate());
    let alpha = Scripted::by(move |asked| match &asked.resumed {
        Some(_) => vec![Step::Wait(Arc::clone(&waits)), Step::Deliver],
        None => vec![Step::Accept("job-1"), Step::Wait(Arc::clone(&never))],
    });
    let app = start(&alpha, &Scripted::obliging(), MOMENT, LONG).await;
    let customer = app.customer("1.00").await;
    let reply = customer
        .generate(small_with("a cat", json!({"model": "paid"})))
        .await;
    let task = reply.task_id();
    reply.refused(504, "outcome_unknown");
    shut.add_permits(1);
    came_late(&app, &customer, &task).await;
    assert_eq!(ways(&alpha), [None, Some("job-1".to_owned())]);
    app.finish().await;
}

#[tokio::test]
async fn a_job_whose_answer_broke_off_is_asked_after_at_once() {
    let alpha = Scripted::by(|asked| match &asked.resumed {
        Some(_) => vec![Step::Deliver],
        None => vec![Step::Accept("job-2")],
    });
    let app = start(&alpha, &Scripted::obliging(), LONG, LONG).await;
    let customer = app.customer("1.00").await;
    let reply = customer
        .generate(small_with("a cat", json!({"model": "paid"})))
        .await;
    assert_eq!(reply.pictures().len(), 1);
    assert_eq!(ways(&alpha), [None, Some("job-2".to_owned())]);
    customer.has("0.960000").await;
    app.finish().await;
}

/// Calls, dies in the middle of the call, starts again.
async fn after_a_crash(
    answer: impl Fn(u32) -> Vec<Step> + Send + Sync + 'static,
    late: Duration,
) -> (TestApp, Holder, Task, [usize; 3]) {
    let (never, questions) = (gate(), AtomicU32::new(0));
    let script = move |asked: &Asked| match asked.resumed.as_deref() {
        Some(BY_OUR_NAMES) => answer(questions.fetch_add(1, Ordering::Relaxed)),
        _ => vec![Step::Wait(Arc::clone(&never)), Step::Deliver],
    };
    let (alpha, beta) = (Scripted::that_looks_up(script), Scripted::obliging());
    let app = start(&alpha, &beta, LONG, late).await;
    let customer = app.customer("1.00").await;
    let left = customer
        .leave(&small_with("a cat", json!({"model": "paid"})))
        .await;
    let task = left.task_id();
    until("the call is under way", async || {
        (!alpha.asked().is_empty()).then_some(())
    })
    .await;
    let app = app.crash().await.start().await;
    let task = app.end_of(&customer, &task).await;
    let all = ways(&alpha);
    let new = all.iter().filter(|way| way.is_none()).count();
    let counts = [new, all.len() - new, beta.asked().len()];
    (app, customer, task, counts)
}

#[tokio::test]
async fn after_a_crash_an_upstream_that_can_is_asked_until_it_knows() {
    let unknown = Step::Fail(Verdict::Unknown, FailKind::OutcomeUnknown);
    let answer = move |question| match question {
        0 | 1 => vec![unknown.clone()],
        _ => vec![Step::Deliver],
    };
    let (app, customer, task, counts) = after_a_crash(answer, Duration::from_secs(9)).await;
    assert_eq!((task.state.name(), counts), ("completed", [1, 3, 0]));
    customer.at(&app.url).has("0.960000").await;
    app.finish().await;
}

#[tokio::test]
async fn an_upstream_that_never_knows_leaves_the_call_unknown() {
    let unknown = Step::Fail(Verdict::Unknown, FailKind::OutcomeUnknown);
    let (app, customer, task, counts) = after_a_crash(move |_| vec![unknown.clone()], MOMENT).await;
    let failure = task.failure.expect("it failed");
    assert_eq!(
        (failure.kind, counts[0], counts[2]),
        (FailKind::OutcomeUnknown, 1, 0)
    );
    assert!(counts[1] > 1, "it is asked more than once");
    customer.at(&app.url).has("1.000000").await;
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.010000");
    app.finish().await;
}

/// It may get it yet, from a worker that sleeps: two targets would then be paid.
#[tokio::test]
async fn an_upstream_that_says_it_got_nothing_is_no_leave_to_ask_another() {
    let nothing = Step::Fail(Verdict::NotSent, FailKind::Unavailable);
    let (app, customer, task, counts) = after_a_crash(move |_| vec![nothing.clone()], LONG).await;
    assert_eq!((task.state.name(), counts), ("failed", [1, 1, 0]));
    customer.at(&app.url).has("1.000000").await;
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.000000");
    app.finish().await;
}
