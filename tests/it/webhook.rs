//! Stories of callbacks: a real receiver on loopback hears of the end of real tasks.

use crate::app::{Setup, TestApp, until};
use crate::client::{Client, Holder, Reply};
use crate::images::{small, small_with};
use crate::receiver::{Answer, Heard, OK, Receiver};
use crate::server::Site;
use crate::task_service::{cancel, create, created, run_documented};
use pinhole::store::outbox::WINDOW;
use pinhole::types::{
    AccountId, DeliveryLog, DeliveryState, Millis, Mode, Scope, SigningSecret, TaskId,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// An application that may call loopback, and for which a second between attempts is short.
pub fn setup() -> Setup {
    Setup::new().set(|settings| {
        settings.allow_private_networks = vec!["127.0.0.0/8".parse().expect("a network")];
        settings.timeouts.callback_second = Duration::from_millis(10);
    })
}

/// A small picture whose end is told there.
fn told_at(url: &str, prompt: &str) -> Value {
    small_with(prompt, json!({"callback_url": url}))
}

/// What has become of a task's callback once it is over.
async fn over(app: &TestApp, task: &TaskId) -> DeliveryLog {
    until("the callback is over", async || {
        let log = app.store().find_delivery(task).await.expect("rows")?;
        (log.delivery.state != DeliveryState::Pending).then_some(log)
    })
    .await
}

/// One task that tells this receiver of its end; how that ended.
pub async fn tell(app: &TestApp, receiver: &Receiver) -> (TaskId, DeliveryLog) {
    let reply = create(&app.test_key(), &told_at(&receiver.url(), "a kite")).await;
    let task = created(&reply);
    let log = over(app, &task).await;
    (task, log)
}

/// What signs the callbacks of the account that the test key belongs to.
async fn secrets(app: &TestApp, account: &AccountId) -> Vec<SigningSecret> {
    let now = crate::app::now();
    let signing = app.store().signing_secrets(account, now).await;
    let signing = signing.expect("rows").into_iter();
    signing.map(|one| one.secret).collect()
}

async fn default_account(app: &TestApp) -> AccountId {
    let found = app.store().find_account("default").await.expect("rows");
    found.expect("a fresh install has it").id
}

fn statuses(log: &DeliveryLog) -> Vec<Option<u16>> {
    log.attempts.iter().map(|one| one.status).collect()
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("a text")).expect("JSON in it")
}

#[tokio::test]
async fn a_completed_task_is_told_in_the_documented_shape_and_signed() {
    let app = setup().start().await;
    let receiver = Receiver::new(|_| OK).await;
    let client = app.test_key();
    let image = base64_simd::STANDARD.encode_to_string(crate::app::small_png());
    let body = json!({
        "model": "gpt-image-2-beta", "prompt": "brighter", "aspect_ratio": "1:1",
        "image_urls": ["https://example.com/a.png", format!("data:image/png;base64,{image}")],
        "callback_url": receiver.url(),
    });
    let task = created(&create(&client, &body).await);
    let log = over(&app, &task).await;
    assert_eq!(statuses(&log), [Some(200)]);
    assert_eq!(log.delivery.state, DeliveryState::Delivered);
    let heard = receiver.heard();
    assert_eq!(heard.len(), 1);
    let [first] = &heard[..] else { panic!() };
    assert_eq!(first.content_type, "application/json");
    assert_eq!(first.path, "/hook");
    assert_eq!(first.id, log.delivery.id.as_str());
    let account = default_account(&app).await;
    assert!(first.is_signed_by(&secrets(&app, &account).await[0]));
    assert!(!first.is_signed_by(&SigningSecret::generate()));

    let told = first.body();
    let shown = client.task(&task).await;
    let data = &told["data"];
    assert_eq!(
        (&told["code"], &told["msg"]),
        (&json!(200), &json!("success"))
    );
    let fields: Vec<&String> = data.as_object().expect("an object").keys().collect();
    let expected = [
        "completeTime",
        "costTime",
        "createTime",
        "failCode",
        "failMsg",
        "model",
        "param",
        "resultJson",
        "state",
        "taskId",
    ];
    assert_eq!(fields, expected);
    assert_eq!(data["taskId"], json!(task.as_str()));
    assert_eq!(data["state"], "completed");
    let model = data["model"].as_str().expect("a text");
    assert!(model.ends_with("/gpt-image-2-beta"), "{model}");
    assert_eq!(
        parsed(&data["resultJson"])["resultUrls"],
        shown["resultUrls"]
    );
    let param = parsed(&data["param"]);
    assert_eq!(param["prompt"], "brighter");
    assert_eq!(param["image_urls"][0], "https://example.com/a.png");
    let inline = param["image_urls"][1].as_str().expect("a name");
    assert!(
        inline.starts_with("blake3:") && inline.len() == 71,
        "{inline}"
    );
    assert_eq!(
        (&data["failCode"], &data["failMsg"]),
        (&Value::Null, &Value::Null)
    );
    for time in ["createTime", "completeTime"] {
        assert_eq!(data[time], shown[time]);
    }
    let cost = data["completeTime"].as_i64().unwrap() - data["createTime"].as_i64().unwrap();
    assert_eq!(data["costTime"], json!(cost));

    // The account sees all of it.
    let delivery = &shown["deliveries"][0];
    assert_eq!(shown["callbackUrl"], json!(receiver.url()));
    assert_eq!(
        (&delivery["state"], &delivery["attempts"]),
        (&json!("delivered"), &json!(1))
    );
    assert_eq!(delivery["id"], json!(first.id));
    let entry = &delivery["log"][0];
    assert_eq!(
        (&entry["status"], &entry["answer"]),
        (&json!(200), &json!("ok"))
    );
    app.finish().await;
}

#[tokio::test]
async fn every_sort_of_end_is_told_once() {
    let app = setup()
        .set(|settings| settings.test_concurrency = 1)
        .start()
        .await;
    let receiver = Receiver::new(|_| OK).await;
    let (client, url) = (app.test_key(), receiver.url());
    let refused = created(&create(&client, &told_at(&url, "[pinhole:fail=content_policy]")).await);
    over(&app, &refused).await;
    // One runs, so the next one waits and can be cancelled.
    let slow = created(&create(&client, &told_at(&url, "[pinhole:delay=300ms] x")).await);
    let waits = created(&create(&client, &told_at(&url, "never")).await);
    assert_eq!(cancel(&client, &waits).await.status, 200);
    assert_eq!(cancel(&client, &waits).await.status, 200);
    // A synchronous call is told too, besides its answer; a stream as well.
    let waited = client.generate(told_at(&url, "a fox")).await;
    assert_eq!(waited.pictures().len(), 1);
    let streamed = small_with("a cat", json!({"callback_url": url, "stream": true}));
    let streamed = client.generate(streamed).await;
    assert_eq!(streamed.status, 200, "{}", streamed.text());
    // And a text.
    let text = json!({"model": "gemini-3.5-flash", "prompt": "why?", "callback_url": url});
    let text = created(&create(&client, &text).await);
    // One that nobody asked about.
    client.generate(small("quiet")).await.ok();
    let (waited, streamed) = (waited.task_id(), streamed.task_id());
    for task in [&slow, &waits, &waited, &streamed, &text] {
        let log = over(&app, task).await;
        assert_eq!(log.delivery.state, DeliveryState::Delivered);
    }
    let heard = receiver.heard();
    let of = |task: &TaskId| -> Value {
        let mut bodies = heard.iter().map(Heard::body);
        let of_task = |body: &Value| body["data"]["taskId"] == json!(task.as_str());
        assert_eq!(
            bodies.clone().filter(|body| of_task(body)).count(),
            1,
            "{task}"
        );
        bodies.find(of_task).expect("it was told")
    };
    assert_eq!(heard.len(), 6);
    let failed = |task: &TaskId, code: &str| {
        let told = of(task);
        let data = &told["data"];
        assert_eq!(
            (&told["code"], &told["msg"]),
            (&json!(501), &json!("failed"))
        );
        assert_eq!(
            (&data["state"], &data["failCode"]),
            (&json!("failed"), &json!(code))
        );
        assert!(data["failMsg"].is_string() && data["resultJson"].is_null());
    };
    failed(&refused, "content_policy_violation");
    failed(&waits, "cancelled");
    assert_eq!(of(&slow)["code"], 200);
    assert_eq!(of(&waited)["code"], 200);
    assert_eq!(of(&streamed)["code"], 200);
    let written = parsed(&of(&text)["data"]["resultJson"]);
    assert!(written["resultText"].is_string(), "{written}");
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_call_is_told_once() {
    let app = setup().start().await;
    let receiver = Receiver::new(|_| OK).await;
    let client = app.test_key();
    let body = told_at(&receiver.url(), "twice");
    let send = async || {
        let request = client
            .generation(&body)
            .header("idempotency-key", "order 7");
        crate::client::send(request).await
    };
    let (first, second) = (send().await, send().await);
    assert_eq!(first.task_id(), second.task_id());
    over(&app, &first.task_id()).await;
    let third = send().await;
    assert_eq!(third.task_id(), first.task_id());
    app.finish().await;
    assert_eq!(receiver.heard().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_fails_hears_the_same_again_until_it_says_yes() {
    let app = setup().start().await;
    let answers = [
        Answer::Says(500, "", "no"),
        Answer::Reset,
        Answer::Says(302, "location: http://127.0.0.1:1/x\r\n", ""),
        Answer::Says(404, "", ""),
        Answer::Says(204, "", ""),
    ];
    let receiver = Receiver::new(move |number| answers[number].clone()).await;
    let (_, log) = tell(&app, &receiver).await;
    let expected = [Some(500), None, Some(302), Some(404), Some(204)];
    assert_eq!(statuses(&log), expected);
    assert_eq!((log.delivery.attempts, log.delivery.tries), (5, 4));
    assert_eq!(log.attempts[0].answer, "no");
    assert!(log.attempts[1].problem.is_some());
    let numbers: Vec<u32> = log.attempts.iter().map(|one| one.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    // The waits: 1, 2, 4 units, then about 15.
    for (pair, units) in log.attempts.windows(2).zip([1, 2, 4, 13]) {
        let waited = pair[1].started_at.since(pair[0].ended_at);
        assert!(waited >= Duration::from_millis(units * 10), "{waited:?}");
    }
    let heard = receiver.heard();
    let ids: HashSet<&str> = heard.iter().map(|one| one.id.as_str()).collect();
    let bodies: HashSet<&[u8]> = heard.iter().map(|one| one.raw.as_slice()).collect();
    assert_eq!((heard.len(), ids.len(), bodies.len()), (5, 1, 1));
    let account = default_account(&app).await;
    let secret = secrets(&app, &account).await.remove(0);
    assert!(heard.iter().all(|one| one.is_signed_by(&secret)));
    app.finish().await;
}

#[tokio::test]
async fn nobody_is_followed_where_a_redirect_leads() {
    let app = setup().start().await;
    let elsewhere = Receiver::new(|_| OK).await;
    let lead = format!("location: {}\r\n", elsewhere.url());
    let lead: &'static str = Box::leak(lead.into_boxed_str());
    let receiver = Receiver::new(move |number| match number {
        0..3 => Answer::Says([301, 307, 308][number], lead, ""),
        _ => OK,
    })
    .await;
    let (_, log) = tell(&app, &receiver).await;
    assert_eq!(statuses(&log), [Some(301), Some(307), Some(308), Some(200)]);
    assert_eq!(elsewhere.heard().len(), 0);
    app.finish().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_hears_nothing_more() {
    let app = setup().start().await;
    let receiver = Receiver::new(|_| Answer::Says(410, "", "")).await;
    let (task, log) = tell(&app, &receiver).await;
    assert_eq!(statuses(&log), [Some(410)]);
    assert_eq!(log.delivery.state, DeliveryState::Gone);
    let shown = app.test_key().task(&task).await;
    assert_eq!(shown["deliveries"][0]["state"], "gone");
    app.finish().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let app = setup().start().await;
    let receiver = Receiver::new(|number| match number {
        0 => Answer::Says(429, "retry-after: 1\r\n", ""),
        1 => Answer::Says(503, "retry-after: 0\r\n", ""),
        _ => OK,
    })
    .await;
    let (_, log) = tell(&app, &receiver).await;
    assert_eq!(statuses(&log), [Some(429), Some(503), Some(200)]);
    let waited = |number: usize| {
        let attempts = &log.attempts;
        attempts[number]
            .started_at
            .since(attempts[number - 1].ended_at)
    };
    assert!(waited(1) >= Duration::from_secs(1), "{:?}", waited(1));
    assert!(waited(2) >= Duration::from_millis(20), "{:?}", waited(2));
    app.finish().await;
}

#[tokio::test]
async fn a_receiver_that_never_says_yes_is_given_up_after_fourteen_and_can_be_asked_again() {
    let app = setup()
        .set(|settings| settings.timeouts.callback_second = Duration::from_millis(1))
        .start()
        .await;
    let receiver = Receiver::new(|number| match number {
        0..14 => Answer::Says(500, "", ""),
        _ => OK,
    })
    .await;
    let (task, log) = tell(&app, &receiver).await;
    assert_eq!(log.delivery.state, DeliveryState::Exhausted);
    assert_eq!(statuses(&log), [Some(500); 14]);
    let now = crate::app::now();
    let again = app.store().resend_delivery(&task, now, WINDOW).await;
    assert!(again.expect("rows").is_some());
    let log = until("it is delivered", async || {
        let log = app.store().find_delivery(&task).await.expect("rows")?;
        (log.delivery.state == DeliveryState::Delivered).then_some(log)
    })
    .await;
    assert_eq!(log.attempts.len(), 15);
    let heard = receiver.heard();
    let ids: HashSet<&str> = heard.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), 1, "receivers know a repetition by its id");
    app.finish().await;
}

#[tokio::test]
async fn slow_endless_and_silent_receivers_are_cut_off() {
    let limit = Duration::from_millis(700);
    let app = setup()
        .set(|settings| settings.timeouts.callback = limit)
        .start()
        .await;
    let check = async |answer: Answer, first: Option<u16>, attempts: usize| {
        let receiver = Receiver::new(move |number| match number {
            0 => answer.clone(),
            _ => OK,
        })
        .await;
        let (_, log) = tell(&app, &receiver).await;
        assert_eq!(log.attempts.len(), attempts, "{log:?}");
        assert_eq!(log.attempts[0].status, first);
        let took = log.attempts[0].ended_at.since(log.attempts[0].started_at);
        assert!(took <= Duration::from_secs(20), "{took:?}");
        (receiver, log)
    };
    // What was asked for was said; the rest of the answer is nobody's affair.
    let (_, log) = check(Answer::Drip, Some(200), 1).await;
    assert!(log.attempts[0].answer.starts_with('x'));
    let (endless, log) = check(Answer::Endless, Some(200), 1).await;
    assert_eq!(log.attempts[0].answer.len(), 1024);
    // Some of it stands in the buffers of two sockets; most of the GiB was never taken.
    let taken = endless.sent.load(Ordering::Relaxed);
    assert!(taken < 32 << 20, "{taken}");
    let (_, log) = check(Answer::DripHead, None, 2).await;
    assert!(log.attempts[0].problem.is_some());
    let (_, log) = check(Answer::Nothing, None, 2).await;
    let problem = log.attempts[0].problem.clone().expect("a reason");
    assert!(problem.contains("too long"), "{problem}");
    app.finish().await;
}

#[tokio::test]
async fn refused_addresses_are_refused_at_once_and_again_when_they_are_called() {
    let app = TestApp::start().await;
    let client = app.test_key();
    for url in [
        "http://127.0.0.1/hook",
        "http://localhost:8099/hook",
        "http://0x7f.1/hook",
        "http://[::1]/hook",
        "http://10.1.2.3/hook",
        "http://169.254.169.254/latest",
    ] {
        let refused = client.generate(told_at(url, "a cat")).await;
        let error = refused.refused(400, "refused_address");
        assert_eq!(error["param"], "callback_url", "{url}");
    }
    for url in [
        "https://user:word@example.com/hook",
        "http://example.com:25/",
    ] {
        let refused = client.generate(told_at(url, "a cat")).await;
        let error = refused.refused(400, "invalid_url");
        assert_eq!(error["param"], "callback_url", "{url}");
    }
    let refused = client.generate(told_at("http://127.0.0.1/hook", "x")).await;
    let error = refused.refused(400, "refused_address");
    let words = error["message"].as_str().expect("words");
    assert!(words.contains("PINHOLE_ALLOW_PRIVATE_NETWORKS"), "{words}");
    assert_eq!(
        client.get("/api/v1/tasks").await.ok()["data"]["tasks"],
        json!([])
    );
    app.finish().await;

    // Allowed when it was accepted, and no more when it is called.
    let receiver = Receiver::new(|_| Answer::Says(500, "", "")).await;
    let app = setup()
        .set(|settings| settings.timeouts.callback_second = Duration::from_secs(1))
        .start()
        .await;
    let task = created(&create(&app.test_key(), &told_at(&receiver.url(), "x")).await);
    until("it is called", async || {
        (!receiver.heard().is_empty()).then_some(())
    })
    .await;
    let setup = app.stop().await;
    let before = receiver.heard().len();
    let app = setup
        .set(|settings| settings.allow_private_networks = Vec::new())
        .start()
        .await;
    let log = until("it is refused", async || {
        let log = app.store().find_delivery(&task).await.expect("rows")?;
        let last = log.attempts.last()?.problem.clone()?;
        last.contains("allow_private_networks").then_some(log)
    })
    .await;
    assert_eq!(log.delivery.state, DeliveryState::Pending);
    app.stop().await;
    assert_eq!(receiver.heard().len(), before);
}

#[tokio::test]
async fn the_documented_callback_works_as_written_though_its_name_leads_nowhere() {
    let app = setup().start().await;
    let (status, body) = run_documented(&app, 6, "").await;
    assert_eq!(status, 200, "{body}");
    let id = body["data"]["taskId"].as_str().and_then(TaskId::parse);
    let id = id.expect("an id");
    let log = until("somebody tried", async || {
        let log = app.store().find_delivery(&id).await.expect("rows")?;
        (!log.attempts.is_empty()).then_some(log)
    })
    .await;
    assert_eq!(log.delivery.url, "https://your-domain.com/webhook/image");
    let task = app.test_key().task(&id).await;
    assert_eq!(task["state"], "completed");
    app.stop().await;
}

#[tokio::test]
async fn two_secrets_sign_while_they_change() {
    let app = setup().start().await;
    let receiver = Receiver::new(|_| OK).await;
    let account = default_account(&app).await;
    let old = secrets(&app, &account).await.remove(0);
    let new = SigningSecret::generate();
    let now = crate::app::now();
    let until = now.after(Duration::from_secs(3600));
    let rotated = app
        .store()
        .rotate_signing_secret(&account, new.clone(), now, until);
    rotated.await.expect("rows");
    tell(&app, &receiver).await;
    let both = &receiver.heard()[0];
    assert_eq!(both.signature.split(' ').count(), 2);
    assert!(both.is_signed_by(&old) && both.is_signed_by(&new));
    // At once: the old one signs no more.
    let last = SigningSecret::generate();
    let now = crate::app::now();
    let rotated = app
        .store()
        .rotate_signing_secret(&account, last.clone(), now, now);
    rotated.await.expect("rows");
    tell(&app, &receiver).await;
    let one = &receiver.heard()[1];
    assert!(one.is_signed_by(&last) && !one.is_signed_by(&new) && !one.is_signed_by(&old));
    // Another account's callbacks are signed with its own.
    let other = app
        .scoped(Mode::Test, &[Scope::Generate, Scope::Read])
        .await;
    let task = created(&create(&other, &told_at(&receiver.url(), "x")).await);
    over(&app, &task).await;
    let theirs = &receiver.heard()[2];
    assert!(!theirs.is_signed_by(&last));
    assert!(theirs.is_signed_by(&secrets(&app, &other.account).await[0]));
    app.finish().await;
}

#[tokio::test]
async fn receivers_that_do_not_answer_hold_nobody_up() {
    let app = setup().start().await;
    let hole = Receiver::new(|_| Answer::Nothing).await;
    let healthy = Receiver::new(|_| OK).await;
    let client = app.test_key();
    // Each address of loopback is a destination of its own, and nobody answers at any.
    let port = hole.address.port();
    let _others = tokio::net::TcpListener::bind(("0.0.0.0", 0))
        .await
        .expect("a port");
    let silent = _others.local_addr().expect("an address").port();
    let mut waiting = Vec::new();
    for number in 0..40 {
        let url = match number {
            0 => format!("http://127.0.0.1:{port}/hook"),
            _ => format!("http://127.0.1.{number}:{silent}/hook"),
        };
        waiting.push(created(&create(&client, &told_at(&url, "x")).await));
    }
    let started = Instant::now();
    let (_, log) = tell(&app, &healthy).await;
    assert_eq!(statuses(&log), [Some(200)]);
    // None of the forty has had its ten seconds by now.
    assert!(
        started.elapsed() < Duration::from_secs(9),
        "{:?}",
        started.elapsed()
    );
    app.crash().await;
    assert!(hole.heard().len() <= 1);
    drop(waiting);
}

#[tokio::test]
async fn a_clock_that_jumps_gives_nobody_up_and_lets_nobody_wait() {
    const HOUR: i64 = 3_600_000;
    let off = Arc::new(AtomicI64::new(0));
    let (system, moved) = (pinhole::engine::system_clock(), Arc::clone(&off));
    let clock = move || Millis(system().0 + moved.load(Ordering::Relaxed));
    let app = setup().clock(Arc::new(clock)).start().await;
    for jump in [HOUR, -HOUR] {
        // While it is sent for the first time.
        let jumps = Arc::clone(&off);
        let receiver = Receiver::new(move |number| {
            jumps.store(jump, Ordering::Relaxed);
            match number {
                0..3 => Answer::Says(500, "", ""),
                _ => OK,
            }
        })
        .await;
        let (_, log) = tell(&app, &receiver).await;
        let expected = [Some(500), Some(500), Some(500), Some(200)];
        assert_eq!(statuses(&log), expected, "{jump}");
        // And what ends after it.
        let later = Receiver::new(|number| match number {
            0 => Answer::Says(500, "", ""),
            _ => OK,
        })
        .await;
        let (_, log) = tell(&app, &later).await;
        assert_eq!(statuses(&log), [Some(500), Some(200)], "{jump}");
        assert_eq!((receiver.heard().len(), later.heard().len()), (4, 2));
    }
    app.finish().await;
}

#[tokio::test]
async fn a_fault_of_ours_is_no_attempt() {
    let app = setup().start().await;
    let rows = Connection::open(app.setup().file("data/pinhole.db")).expect("rows");
    rows.busy_timeout(Duration::from_secs(5)).expect("a time");
    let change = |sql: &str| rows.execute_batch(sql).expect("it is changed");
    change("ALTER TABLE signing_secrets RENAME TO lost");
    let receiver = Receiver::new(|_| OK).await;
    let task = created(&create(&app.test_key(), &told_at(&receiver.url(), "x")).await);
    until("it was given back", async || {
        let log = app.store().find_delivery(&task).await.expect("rows")?;
        (log.delivery.fence > 0 && log.delivery.sent_at.is_none()).then_some(())
    })
    .await;
    change("ALTER TABLE lost RENAME TO signing_secrets");
    let log = over(&app, &task).await;
    assert_eq!(statuses(&log), [Some(200)]);
    assert_eq!((log.delivery.attempts, log.delivery.tries), (1, 0));
    app.finish().await;
}

#[tokio::test]
async fn one_that_is_being_sent_is_not_sent_again() {
    let app = setup().start().await;
    let hole = Receiver::new(|_| Answer::Nothing).await;
    let task = created(&create(&app.test_key(), &told_at(&hole.url(), "x")).await);
    until("it is sent", async || {
        (!hole.heard().is_empty()).then_some(())
    })
    .await;
    let holder = app.scoped(Mode::Live, &[Scope::Admin]).await;
    let path = format!("/admin/v1/webhooks/resend?task={task}");
    let request = holder.request(reqwest::Method::POST, &path);
    let again = crate::client::send(request).await.ok();
    assert_eq!(again["resent"], 0);
    assert!(
        again["note"]
            .as_str()
            .is_some_and(|note| note.contains("being sent"))
    );
    app.crash().await;
}

#[tokio::test]
async fn a_drain_tells_of_what_ends_in_it() {
    let mut app = setup().start().await;
    let receiver = Receiver::new(|_| OK).await;
    let body = told_at(&receiver.url(), "[pinhole:delay=200ms] slow");
    let task = created(&create(&app.test_key(), &body).await);
    until("it runs", async || {
        let queue = app.store().queue().await.expect("rows");
        (queue.iter().any(|depth| depth.processing > 0)).then_some(())
    })
    .await;
    app.drain();
    app.ended().await;
    let heard = receiver.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].body()["data"]["taskId"], json!(task.as_str()));
    app.finish().await;
}

/// A site whose program may call loopback.
fn site() -> Site {
    Site::new(Duration::from_millis(5)).variable("PINHOLE_ALLOW_PRIVATE_NETWORKS", "127.0.0.0/8")
}

async fn ask(client: &Client, url: &str) -> Reply {
    let body = json!({"model": "paid", "prompt": "a boat", "size": "64x64", "callback_url": url});
    create(client, &body).await
}

async fn customer(site: &Site) -> Holder {
    site.customer("10.00").await
}

#[tokio::test]
async fn a_process_that_dies_between_send_and_record_sends_the_same_again() {
    let site = site();
    let receiver = Receiver::new(|_| OK).await;
    let holder = customer(&site).await;
    let mut server = site.start("posted=return").await;
    let reply = ask(&server.client(&holder), &receiver.url()).await;
    let task = created(&reply);
    let died = server.death(Duration::from_secs(20)).await;
    assert!(died.is_some(), "{}", site.log_text());
    assert_eq!(receiver.heard().len(), 1);
    // And once more: each death costs one attempt, which was counted before it was made.
    let mut server = site.spawn("posted=return", &[]);
    let died = server.death(Duration::from_secs(20)).await;
    assert!(died.is_some(), "{}", site.log_text());
    assert_eq!(receiver.heard().len(), 2);
    let server = site.start("").await;
    let client = server.client(&holder);
    let shown = until("it is delivered", async || {
        let shown = client.task(&task).await;
        (shown["deliveries"][0]["state"] == "delivered").then_some(shown)
    })
    .await;
    assert_eq!(shown["deliveries"][0]["attempts"], 3);
    let log = shown["deliveries"][0]["log"].as_array().expect("a log");
    let told: Vec<_> = log.iter().map(|one| one["status"].as_u64()).collect();
    assert_eq!(told, [None, None, Some(200)]);
    let heard = receiver.heard();
    let ids: HashSet<&str> = heard.iter().map(|one| one.id.as_str()).collect();
    let bodies: HashSet<&[u8]> = heard.iter().map(|one| one.raw.as_slice()).collect();
    assert_eq!((heard.len(), ids.len(), bodies.len()), (3, 1, 1));
    assert!(server.terminate().await.success());
}

#[tokio::test]
async fn a_process_that_dies_after_the_end_of_a_task_tells_of_it_after_the_next_start() {
    let site = site();
    let receiver = Receiver::new(|_| OK).await;
    let holder = customer(&site).await;
    let mut server = site.start("settled=return").await;
    let task = created(&ask(&server.client(&holder), &receiver.url()).await);
    let died = server.death(Duration::from_secs(20)).await;
    assert!(died.is_some(), "{}", site.log_text());
    assert_eq!(receiver.heard().len(), 0);
    let server = site.start("").await;
    until("it is told", async || {
        (!receiver.heard().is_empty()).then_some(())
    })
    .await;
    let told = receiver.heard().remove(0).body();
    assert_eq!(told["data"]["taskId"], json!(task.as_str()));
    assert!(server.terminate().await.success());
    // Neither the path nor the query of a URL stands in the log: receivers keep secrets there.
    assert!(!site.log_text().contains("/hook"), "{}", site.log_text());
}
