//! Calls whose end is not known at once: asked after, heard on, kept when they come late, resolved by the operator.

use crate::app::{Setup, TestApp, model, until};
use crate::client::{Holder, send};
use crate::images::small_with;
use crate::scripted::{Asked, BY_OUR_NAMES, Scripted, Step, gate};
use pinhole::provider::Verdict;
use pinhole::types::{FailKind, Resolution, Task, TaskId};
use serde_json::{Value, json};
use std::sync::Arc;
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
    let (never, questions) = (gate(), std::sync::atomic::AtomicU32::new(0));
    let script = move |asked: &Asked| match asked.resumed.as_deref() {
        Some(BY_OUR_NAMES) => answer(questions.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
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
