//! Stories of the task service: tasks are created, polled, cancelled, and found again in the history.

use crate::app::{Setup, TestApp, model, small_png, until};
use crate::client::{Client, Reply, send};
use crate::images::{small, small_with};
use crate::scripted::{Scripted, Step, gate};
use futures::StreamExt;
use image::GenericImageView;
use pinhole::provider::Verdict;
use pinhole::types::{FailKind, Mode, Scope, TaskId};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

const TASKS: &str = "/api/v1/images/generations";

/// Well below the minute that a poll waits at most: who needs longer was not told of the end.
const TOLD: Duration = Duration::from_secs(40);

/// The documentation's commands, as written there.
const DOCUMENTED: &str = include_str!("seeds/task_service.sh");

pub async fn create(client: &Client, body: &Value) -> Reply {
    send(client.request(Method::POST, TASKS).json(body)).await
}

async fn create_with(client: &Client, header: (&'static str, &str), body: &Value) -> Reply {
    let request = client.request(Method::POST, TASKS).json(body);
    send(request.header(header.0, header.1)).await
}

async fn poll(client: &Client, task: &TaskId, more: &str) -> Reply {
    client.get(&format!("{TASKS}?task_id={task}{more}")).await
}

pub async fn cancel(client: &Client, task: &TaskId) -> Reply {
    let path = format!("{TASKS}?task_id={task}");
    send(client.request(Method::DELETE, &path)).await
}

/// The task that a create call has answered with.
pub fn created(reply: &Reply) -> TaskId {
    let body = reply.ok();
    let id = body["data"]["taskId"].as_str().and_then(TaskId::parse);
    let id = id.expect("an id");
    let expected =
        json!({"code": 200, "msg": "success", "data": {"taskId": id.as_str(), "state": "pending"}});
    assert_eq!(body, expected);
    assert_eq!(reply.task_id(), id);
    id
}

/// The end of a task, by a poll that waits for it.
async fn end(client: &Client, task: &TaskId) -> Value {
    let waiting = poll(client, task, "&wait=60");
    let reply = tokio::time::timeout(TOLD, waiting).await;
    let body = reply.expect("the end is told").ok();
    let state = body["data"]["state"].as_str();
    assert!(matches!(state, Some("completed" | "failed")), "{body}");
    body["data"].clone()
}

/// A refusal in this shape: the status twice, words, and no data.
fn refused(reply: &Reply, status: u16, words: &[&str]) {
    let body = reply.json();
    assert_eq!(reply.status, status, "{body}");
    assert_eq!(keys(&body), ["code", "data", "msg"], "{body}");
    assert_eq!(
        (&body["code"], &body["data"]),
        (&json!(status), &Value::Null)
    );
    let message = body["msg"].as_str().expect("words");
    assert!(!message.is_empty());
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    let names: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    names.into_iter().collect()
}

/// `paid` at 0.04, made one at a time by calls that wait for the gate.
async fn one_at_a_time(gate: &Arc<Semaphore>) -> (TestApp, Arc<Scripted>) {
    let waits = Arc::clone(gate);
    let provider = Scripted::bounded(1, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let app = Setup::new()
        .provider("alpha", provider.clone())
        .model(&model("paid", "0.04", &[("alpha", 4, "0.01")]))
        .start()
        .await;
    (app, provider)
}

fn paid() -> Value {
    small_with("a cat", json!({"model": "paid"}))
}

async fn is_asked(provider: &Scripted, calls: usize) {
    until("the upstream is asked", async || {
        (provider.asked().len() == calls).then_some(())
    })
    .await;
}

/// One of the documented commands, run by `bash` and `curl`: the status and the body.
pub async fn run_documented(app: &TestApp, number: usize, task: &str) -> (u16, Value) {
    let title = format!("# ─── {number}.");
    let start = DOCUMENTED.find(&title).expect("the command");
    let text = &DOCUMENTED[start..];
    let length = text[title.len()..].find("# ───").map(|at| at + title.len());
    let command = text[..length.unwrap_or(text.len())]
        .replace("https://apimodels.app", &app.url)
        .replace("YOUR_API_KEY", app.test_secret().reveal())
        .replace("TASK_ID", task);
    // The command stays as it is; what the test needs beside the body is added around it.
    let script = format!(
        "curl() {{ command curl --silent --show-error --noproxy '*' --write-out '\\n%{{http_code}}' \"$@\"; }}\n{command}"
    );
    let output = tokio::task::spawn_blocking(move || {
        std::process::Command::new("bash")
            .args(["-euc", &script])
            .output()
    });
    let output = output.await.expect("it ends").expect("bash starts");
    let text = String::from_utf8(output.stdout).expect("text");
    let complaint = String::from_utf8_lossy(&output.stderr);
    let (body, status) = text
        .rsplit_once('\n')
        .unwrap_or_else(|| panic!("{complaint}"));
    let status = status.parse().expect("a status");
    (status, serde_json::from_str(body).expect("JSON"))
}

#[tokio::test]
async fn the_documented_commands_work_with_only_host_and_key_changed() {
    let app = TestApp::start().await;
    for (number, wider) in [(1, true), (2, true), (3, false), (4, false)] {
        let (status, body) = run_documented(&app, number, "").await;
        assert_eq!(
            (status, keys(&body["data"])),
            (200, vec!["state", "taskId"]),
            "{body}"
        );
        let id = body["data"]["taskId"].as_str().expect("an id");
        let done = until("it is completed", async || {
            let (status, body) = run_documented(&app, 5, id).await;
            assert_eq!(
                (status, &body["code"], &body["msg"]),
                (200, &json!(200), &json!("success"))
            );
            let state = body["data"]["state"].as_str().expect("a state").to_owned();
            match state.as_str() {
                "completed" => Some(body["data"].clone()),
                "pending" => None,
                "processing" => {
                    assert_eq!(keys(&body["data"]), ["createTime", "state", "taskId"]);
                    None
                }
                other => panic!("{other}"),
            }
        })
        .await;
        let fields = [
            "completeTime",
            "createTime",
            "resultUrls",
            "state",
            "taskId",
        ];
        assert_eq!(
            (keys(&done), &done["taskId"]),
            (fields.to_vec(), &json!(id))
        );
        assert!(
            done["createTime"].as_i64() > Some(1_700_000_000_000),
            "milliseconds"
        );
        assert!(done["completeTime"].as_i64() >= done["createTime"].as_i64());
        let urls = done["resultUrls"].as_array().expect("a list");
        assert_eq!(urls.len(), 1);
        let file = app.nobody().get(urls[0].as_str().expect("a link")).await;
        let picture = image::load_from_memory(&file.body).expect("a picture");
        assert_eq!(
            picture.width() > picture.height(),
            wider,
            "command {number}"
        );
    }
    // The sixth, a callback, is a story of `webhook.rs`.
    app.finish().await;
}

#[tokio::test]
async fn every_model_and_every_shape_of_body_becomes_a_task() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let models = client.get("/v1/models").await.ok();
    let models = models["data"].as_array().expect("models").clone();
    assert!(models.len() >= 7);
    let picture = data_url();
    let mut tasks = Vec::new();
    for model in &models {
        let mut body = json!({"model": model["id"], "prompt": "a fox"});
        let generates = model["operations"]
            .as_array()
            .is_some_and(|all| all.contains(&json!("generate")));
        if !generates {
            body["image_url"] = json!(picture);
        }
        tasks.push(created(&create(&client, &body).await));
    }
    let chat = json!({"model": "NBP", "messages": [{"role": "user", "content": "a fox"}]});
    tasks.push(created(&create(&client, &chat).await));
    let dashscope = json!({"model": "qwen-image-plus", "input": {"messages": [{"role": "user", "content": [{"text": "a fox"}]}]}});
    tasks.push(created(&create(&client, &dashscope).await));
    for task in &tasks {
        let end = end(&client, task).await;
        assert_eq!(end["state"], "completed", "{end}");
    }
    app.finish().await;
}

fn data_url() -> String {
    let text = base64_simd::STANDARD.encode_to_string(small_png());
    format!("data:image/png;base64,{text}")
}

#[tokio::test]
async fn pictures_in_the_body_are_taken_out_and_used() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let body = small_with(
        "brighter",
        json!({"image_urls": [data_url(), data_url()], "mask_url": data_url()}),
    );
    let task = created(&create(&client, &body).await);
    assert_eq!(end(&client, &task).await["state"], "completed");
    let told = client.task(&task).await;
    assert_eq!(
        (&told["operation"], &told["param"]["prompt"]),
        (&json!("edit"), &json!("brighter"))
    );
    assert!(!told.to_string().contains("base64"), "{told}");

    let many: Vec<String> = (0..17)
        .map(|_| "https://example.com/a.png".to_owned())
        .collect();
    let body = json!({"model": "gpt-image-2-beta", "prompt": "x", "image_urls": many});
    refused(&create(&client, &body).await, 400, &["image_urls", "16"]);
    let body = json!({"model": "gpt-image-2-beta", "prompt": "x", "image_url": "data:image/png;base64,bm8="});
    refused(&create(&client, &body).await, 400, &["image_url"]);
    app.finish().await;
}

#[tokio::test]
async fn refusals_have_this_shape_and_name_the_field() {
    let app = Setup::new()
        .provider("alpha", Scripted::obliging())
        .model(&model("paid", "0.04", &[("alpha", 1, "0.01")]))
        .start()
        .await;
    let client = app.test_key();
    let beta = |more: Value| {
        let mut body = json!({"model": "gpt-image-2-beta", "prompt": "x"});
        let more = more.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(more);
        body
    };
    for (body, words) in [
        (json!({"model": "gpt-image-2-beta"}), &["`prompt`"][..]),
        (json!({"prompt": "x"}), &["`model`"]),
        (
            beta(json!({"aspect_ratio": "7:7"})),
            &["`aspect_ratio`", "16:9"],
        ),
        (
            beta(json!({"aspect_ratio": 3, "nsfw_checker": "maybe"})),
            &["`aspect_ratio`", "`nsfw_checker`"],
        ),
        (
            beta(json!({"aspect_ration": "1:1"})),
            &["`aspect_ration`", "`aspect_ratio`"],
        ),
        (beta(json!({"stream": true})), &["`stream`", "polled"]),
        (
            beta(json!({"callback_url": "http://127.0.0.1/hook"})),
            &["`callback_url`", "allow_private_networks"],
        ),
        (beta(json!({"max_cost": "free"})), &["`max_cost`"]),
        (json!([1]), &["JSON object"]),
    ] {
        refused(&create(&client, &body).await, 400, words);
    }
    for (text, words) in [("{\"model\":", "ends too early"), ("", "empty")] {
        let request = client.request(Method::POST, TASKS).body(text);
        refused(&send(request).await, 400, &[words]);
    }
    let typed = client
        .request(Method::POST, TASKS)
        .header("content-type", "text/csv")
        .body("a");
    refused(&send(typed).await, 415, &["application/json"]);
    refused(
        &create(&app.nobody(), &small("x")).await,
        401,
        &["Authorization"],
    );
    let poor = app.customer("0.01").await;
    refused(&create(&poor, &paid()).await, 402, &["0.040000"]);
    let reader = app.scoped(Mode::Test, &[Scope::Read]).await;
    refused(&create(&reader, &small("x")).await, 403, &["generate"]);
    let unknown = json!({"model": "gpt-image-3", "prompt": "x"});
    refused(
        &create(&client, &unknown).await,
        404,
        &["gpt-image-3", "gpt-image-2"],
    );
    let unserved = json!({"model": "gpt-image-2-beta", "prompt": "x"});
    refused(&create(&poor, &unserved).await, 404, &["price"]);
    let put = send(client.request(Method::PUT, TASKS)).await;
    refused(&put, 405, &["method"]);
    refused(
        &client.get("/api/v1/nothing").await,
        404,
        &["/api/v1/nothing"],
    );

    for (query, words) in [
        ("", &["`task_id` is missing"][..]),
        ("?task_id=", &["`task_id`"]),
        ("?task_id=clxxx", &["`task_id`", "clxxx"]),
        (
            "?taskId=task_00000000000000000000000000000000",
            &["`task_id` is missing"],
        ),
        (
            "?task_id=task_00000000000000000000000000000000&wait=x",
            &["`wait`"],
        ),
        (
            "?task_id=task_00000000000000000000000000000000&wait=-1",
            &["`wait`"],
        ),
        (
            "?task_id=task_00000000000000000000000000000000&wiat=3",
            &["`wiat`", "did you mean `wait`?"],
        ),
    ] {
        refused(&client.get(&format!("{TASKS}{query}")).await, 400, words);
    }
    let path = format!("{TASKS}?task_id=task_00000000000000000000000000000000&force=1");
    let refusal = send(client.request(Method::DELETE, &path)).await;
    refused(&refusal, 400, &["`force`", "task_id"]);
    let strange = TaskId::new();
    refused(&poll(&client, &strange, "").await, 404, &["no such task"]);
    refused(
        &poll(&client, &strange, "&wait=60").await,
        404,
        &["no such task"],
    );
    refused(&cancel(&client, &strange).await, 404, &["no such task"]);
    let nameless = send(client.request(Method::DELETE, TASKS)).await;
    refused(&nameless, 400, &["`task_id` is missing"]);
    poor.has("0.010000").await;
    app.finish().await;
}

#[tokio::test]
async fn who_prefers_to_wait_gets_what_a_poll_would_say() {
    let shut = gate();
    let (app, provider) = one_at_a_time(&shut).await;
    let customer = app.customer("1.00").await;
    // It does not end while it is waited for, so the answer is that of any new task.
    let left = create_with(&customer, ("prefer", "wait=0"), &paid()).await;
    let running = created(&left);
    assert_eq!(left.header("x-pinhole-quote"), "0.040000");
    let body = paid();
    let waiting = create_with(&customer, ("prefer", "wait"), &body);
    let opening = async {
        is_asked(&provider, 1).await;
        shut.add_permits(2);
    };
    let (waited, ()) = tokio::join!(tokio::time::timeout(TOLD, waiting), opening);
    let waited = waited.expect("the end is told");
    let body = waited.ok();
    assert_eq!(body["data"]["state"], "completed");
    assert_eq!(waited.header("x-pinhole-cost"), "0.040000");
    let polled = poll(&customer, &waited.task_id(), "").await;
    assert_eq!(polled.ok(), body);
    assert_eq!(polled.header("x-pinhole-cost"), "0.040000");
    assert_eq!(end(&customer, &running).await["state"], "completed");
    // A failure is told in the same way: the call went well, the task did not.
    let failing = small("[pinhole:fail=content_policy] x");
    let failed = create_with(&app.test_key(), ("prefer", "wait=60"), &failing).await;
    let data = failed.ok()["data"].clone();
    let fields = [
        "completeTime",
        "createTime",
        "failCode",
        "failMsg",
        "state",
        "taskId",
    ];
    assert_eq!(keys(&data), fields);
    assert_eq!(
        (&data["state"], &data["failCode"]),
        (&json!("failed"), &json!("content_policy_violation"))
    );
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_create_names_the_same_task() {
    let (app, provider) = one_at_a_time(&Arc::new(Semaphore::new(9))).await;
    let customer = app.customer("1.00").await;
    let order = ("idempotency-key", "order 1");
    let first = create_with(&customer, order, &paid()).await;
    let task = created(&first);
    let repeats = (0..20).map(|_| async { create_with(&customer, order, &paid()).await.body });
    for body in futures::future::join_all(repeats).await {
        assert_eq!(body, first.body);
    }
    end(&customer, &task).await;
    assert_eq!(
        create_with(&customer, order, &paid()).await.body,
        first.body
    );
    let other = small_with("a dog", json!({"model": "paid"}));
    let reused = create_with(&customer, order, &other).await;
    refused(&reused, 422, &["Idempotency-Key"]);
    let nothing = create_with(&customer, ("idempotency-key", ""), &paid()).await;
    refused(&nothing, 400, &["Idempotency-Key"]);
    assert_eq!(provider.asked().len(), 1);
    customer.has("0.960000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_poll_that_waits_is_told_of_the_end_at_once() {
    let shut = gate();
    let (app, provider) = one_at_a_time(&shut).await;
    let customer = app.customer("1.00").await;
    let task = created(&create(&customer, &paid()).await);
    is_asked(&provider, 1).await;
    let unfinished = poll(&customer, &task, "&wait=0").await;
    assert_eq!(unfinished.ok()["data"]["state"], "processing");
    assert_eq!(
        keys(&unfinished.ok()["data"]),
        ["createTime", "state", "taskId"]
    );
    assert_eq!(unfinished.header("cache-control"), "no-store");
    assert_eq!(unfinished.header("retry-after"), "1");
    // Many wait for one end, some of them longer than they may.
    let polls = (0..10).map(|k| {
        let wait = if k % 2 == 0 {
            "&wait=60"
        } else {
            "&wait=86400"
        };
        poll(&customer, &task, wait)
    });
    let opening = async {
        assert_eq!(
            poll(&customer, &task, "").await.ok()["data"]["state"],
            "processing"
        );
        shut.add_permits(1);
    };
    let polls = tokio::time::timeout(TOLD, futures::future::join_all(polls));
    let (ends, ()) = tokio::join!(polls, opening);
    for reply in ends.expect("the end is told") {
        assert_eq!(reply.ok()["data"]["state"], "completed");
        assert_eq!(reply.header("retry-after"), "");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_drain_lets_go_who_polls_a_task_that_waits_for_the_next_start() {
    let shut = gate();
    let (mut app, provider) = one_at_a_time(&shut).await;
    let customer = app.customer("1.00").await;
    let running = created(&create(&customer, &paid()).await);
    is_asked(&provider, 1).await;
    let waits = created(&create(&customer, &paid()).await);
    let polling = tokio::time::timeout(TOLD, poll(&customer, &waits, "&wait=60"));
    let draining = async {
        app.drain();
        // While what runs ends, the server answers; the poll above is there by now.
        for _ in 0..20 {
            customer.task(&waits).await;
        }
        let refused_now = create(&customer, &paid()).await;
        refused(&refused_now, 503, &["restart"]);
        assert!(!refused_now.header("retry-after").is_empty());
        shut.add_permits(1);
    };
    let (polled, ()) = tokio::join!(polling, draining);
    let polled = polled.expect("it is let go");
    assert_eq!(polled.ok()["data"]["state"], "pending");
    assert_eq!(polled.header("retry-after"), "1");
    app.ended().await;
    let setup = app.stop().await;
    shut.add_permits(1);
    let app = setup.start().await;
    let customer = customer.at(&app.url);
    for task in [&running, &waits] {
        assert_eq!(end(&customer, task).await["state"], "completed");
    }
    customer.has("0.920000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_waiting_task_is_cancelled_at_no_cost_and_a_running_one_is_not() {
    let shut = gate();
    let (app, provider) = one_at_a_time(&shut).await;
    let customer = app.customer("1.00").await;
    let running = created(&create(&customer, &paid()).await);
    is_asked(&provider, 1).await;
    let waiting = created(&create(&customer, &paid()).await);
    // One that somebody waits for, made by another call.
    let synchronous = customer.generate(paid());
    let cancelling = async {
        until("all three are held", async || {
            (customer.balance().await.1 == "0.120000").then_some(())
        })
        .await;
        let stranger = app.customer("0").await;
        refused(&cancel(&stranger, &waiting).await, 404, &["no such task"]);
        let listed = customer.get("/api/v1/tasks?state=pending").await.ok();
        let ids: Vec<TaskId> = ids(&listed);
        assert_eq!(ids.len(), 2);
        let other = ids
            .iter()
            .find(|id| **id != waiting)
            .expect("the other one");
        let polling = tokio::time::timeout(TOLD, poll(&customer, other, "&wait=60"));
        let (polled, cancelled) = tokio::join!(polling, cancel(&customer, other));
        assert_eq!(cancelled.ok()["data"]["failCode"], "cancelled");
        let polled = polled.expect("it is told").ok();
        assert_eq!(polled["data"]["failCode"], "cancelled");
    };
    let (answered, ()) = tokio::join!(synchronous, cancelling);
    answered.refused(409, "cancelled");
    assert_eq!(customer.balance().await.1, "0.080000");

    let cancelled = cancel(&customer, &waiting).await;
    let data = cancelled.ok()["data"].clone();
    let fields = [
        "completeTime",
        "createTime",
        "failCode",
        "failMsg",
        "state",
        "taskId",
    ];
    assert_eq!(
        (keys(&data), &data["state"]),
        (fields.to_vec(), &json!("failed"))
    );
    assert_eq!(cancelled.header("x-pinhole-cost"), "0.000000");
    assert_eq!(
        cancel(&customer, &waiting).await.body,
        cancelled.body,
        "again: as it is"
    );
    assert_eq!(poll(&customer, &waiting, "").await.ok()["data"], data);
    refused(
        &cancel(&customer, &running).await,
        409,
        &["can no longer be cancelled"],
    );
    assert_eq!(
        customer.balance().await,
        ("0.960000".to_owned(), "0.040000".to_owned())
    );

    shut.add_permits(1);
    let completed = end(&customer, &running).await;
    assert_eq!(completed["state"], "completed");
    assert_eq!(cancel(&customer, &running).await.ok()["data"], completed);
    customer.has("0.960000").await;
    assert_eq!(
        provider.asked().len(),
        1,
        "nothing was sent for what was cancelled"
    );
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.captured.to_string(), "0.040000");
    app.finish().await;
}

#[tokio::test]
async fn a_key_that_only_reads_does_not_cancel() {
    let shut = gate();
    let (app, provider) = one_at_a_time(&shut).await;
    let reader = app
        .customer_with("0", |who| who.limits.scopes = vec![Scope::Read])
        .await;
    refused(
        &cancel(&reader, &TaskId::new()).await,
        403,
        &["cancel", "generate"],
    );
    assert!(provider.asked().is_empty());
    app.finish().await;
}

#[tokio::test]
async fn cancel_claim_and_settle_have_one_winner() {
    const COUNT: usize = 60;
    let gate = gate();
    let waits = Arc::clone(&gate);
    let provider = Scripted::bounded(4, move |_| {
        vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
    });
    let app = Setup::new()
        .provider("alpha", provider.clone())
        .model(&model("paid", "0.04", &[("alpha", 4, "0.01")]))
        .start()
        .await;
    let customer = app.customer("10.00").await;
    let mut tasks = Vec::new();
    for _ in 0..COUNT {
        tasks.push(created(&create(&customer, &paid()).await));
    }
    is_asked(&provider, 4).await;
    // From the oldest on and a few at a time, so that they keep pace with the claims; each is cancelled twice, by two at
    // once.
    gate.add_permits(COUNT);
    let cancels = tasks.iter().flat_map(|task| [task, task]);
    let customer = &customer;
    let cancels = cancels.map(|task| async move {
        let reply = cancel(customer, task).await;
        match (reply.status, reply.json()["data"]["failCode"].as_str()) {
            (200, Some("cancelled")) => (task, "cancelled"),
            (200, None) => (task, "completed"),
            (409, None) => (task, "runs"),
            other => panic!("{other:?}"),
        }
    });
    let said: Vec<_> = futures::stream::iter(cancels)
        .buffer_unordered(4)
        .collect()
        .await;
    let mut completed = HashSet::new();
    for task in &tasks {
        let end = end(customer, task).await;
        if end["state"] == "completed" {
            completed.insert(task.clone());
        } else {
            assert_eq!(end["failCode"], "cancelled");
        }
    }
    for (task, word) in said {
        assert_eq!(
            completed.contains(task),
            word != "cancelled",
            "{task}: {word}"
        );
    }
    eprintln!("{} of {COUNT} were cancelled", COUNT - completed.len());
    let asked: Vec<TaskId> = provider.asked().into_iter().map(|one| one.task).collect();
    assert_eq!(asked.len(), completed.len());
    assert_eq!(asked.into_iter().collect::<HashSet<_>>(), completed);
    let left = 10_000_000 - 40_000 * i64::try_from(completed.len()).expect("few");
    customer
        .has(&pinhole::types::Money::from_micros(left).to_string())
        .await;
    app.finish().await;
}

#[tokio::test]
async fn results_that_are_gone_answer_410_and_stay_in_the_history() {
    let app = Setup::new()
        .set(|settings| settings.keep_test_results = Duration::ZERO)
        .start()
        .await;
    let client = app.test_key();
    let order = ("idempotency-key", "order 1");
    let task = created(&create_with(&client, order, &small("a lake")).await);
    app.engine()
        .look(&caller(&app).await, &task, TOLD)
        .await
        .expect("rows");
    refused(&poll(&client, &task, "").await, 410, &["deleted"]);
    let told = client.task(&task).await;
    assert_eq!(told["state"], "completed");
    assert!(told["assets"][0]["expireTime"].is_i64());
    assert_eq!(
        cancel(&client, &task).await.ok()["data"]["state"],
        "completed"
    );
    app.finish().await;
}

/// Whoever holds the first test key.
async fn caller(app: &TestApp) -> pinhole::types::Caller {
    let found = app.store().find_key(&app.test_secret().hash()).await;
    let (key, account) = found.expect("rows").expect("the key");
    pinhole::types::Caller {
        account: Arc::new(account),
        key: Arc::new(key),
    }
}

fn ids(listed: &Value) -> Vec<TaskId> {
    let tasks = listed["data"]["tasks"].as_array().expect("a list");
    let id = |task: &Value| TaskId::parse(task["taskId"].as_str().expect("an id"));
    tasks.iter().map(|task| id(task).expect("an id")).collect()
}

#[tokio::test]
async fn the_history_is_paged_while_new_tasks_arrive() {
    let app = TestApp::start().await;
    let client = app.scoped(Mode::Test, &[Scope::Generate]).await;
    let mut expected = Vec::new();
    for k in 0..7 {
        let made = client.generate(small(&format!("number {k}"))).await;
        expected.insert(0, made.task_id());
    }
    app.test_key().generate(small("somebody else's")).await.ok();
    let (mut seen, mut path) = (Vec::new(), "/api/v1/tasks?limit=2".to_owned());
    loop {
        let reply = client.get(&path).await;
        let listed = reply.ok();
        assert_eq!(reply.header("cache-control"), "no-store");
        seen.extend(ids(&listed));
        client.generate(small("a new one")).await.ok();
        match listed["data"]["nextCursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/tasks?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    let all = client.get("/api/v1/tasks?limit=100").await.ok();
    assert_eq!(
        (ids(&all).len(), &all["data"]["nextCursor"]),
        (11, &Value::Null)
    );
    app.finish().await;
}

#[tokio::test]
async fn the_history_is_filtered_and_wrong_filters_are_named() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let one = client.generate(small("one")).await.task_id();
    let two = client
        .generate(small("[pinhole:fail=upstream] two"))
        .await
        .task_id();
    let other_key = caller(&app).await.key.id.clone();
    let row = client.task(&one).await;
    for (query, expected) in [
        ("state=completed", vec![&one]),
        ("state=failed", vec![&two]),
        ("state=pending", vec![]),
        ("model=sketch", vec![&two, &one]),
        ("model=NBP", vec![]),
        ("model=of-an-older-catalogue", vec![]),
        (&format!("key={other_key}"), vec![&two, &one]),
        ("key=key_00000000000000000000000000000000", vec![]),
        ("since=2020-01-01&until=2020-01-02T00:00:00Z", vec![]),
        (&format!("since={}", row["createTime"]), vec![&two, &one]),
        (&format!("until={}", row["createTime"]), vec![]),
        ("limit=1&state=completed", vec![&one]),
    ] {
        let listed = client.get(&format!("/api/v1/tasks?{query}")).await.ok();
        assert_eq!(ids(&listed).iter().collect::<Vec<_>>(), expected, "{query}");
    }
    for (query, words) in [
        ("state=done", &["`state`", "pending", "done"][..]),
        ("stat=failed", &["`stat`", "`state`"]),
        ("model=", &["`model`"]),
        ("key=sk-test-1", &["`key`"]),
        ("since=yesterday", &["`since`", "2026-11-21"]),
        ("since=2026-02-01&until=2026-01-01", &["`since`", "`until`"]),
        ("limit=0", &["`limit`", "100"]),
        ("limit=101", &["`limit`", "100"]),
        ("limit=ten", &["`limit`"]),
        ("cursor=abc", &["`cursor`"]),
        ("cursor=", &["`cursor`"]),
        ("state=failed&state=pending", &["`state`", "twice"]),
    ] {
        refused(
            &client.get(&format!("/api/v1/tasks?{query}")).await,
            400,
            words,
        );
    }
    refused(&app.nobody().get("/api/v1/tasks").await, 401, &[]);
    app.finish().await;
}

#[tokio::test]
async fn the_history_tells_all_of_a_task_and_nothing_of_the_operators_affairs() {
    let provider = Scripted::by(|asked| match asked.part.first {
        0 => vec![Step::Deliver],
        _ => vec![Step::Fail(Verdict::Unknown, FailKind::OutcomeUnknown)],
    });
    let app = Setup::new()
        .provider("secret-upstream", provider)
        .model(&model("paid", "0.04", &[("secret-upstream", 1, "0.013")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let body = small_with(
        "a cat",
        json!({"model": "paid", "n": 2, "metadata": {"order": 7}}),
    );
    let task = created(&create(&customer, &body).await);
    assert_eq!(end(&customer, &task).await["state"], "completed");
    let told = customer.task(&task).await;
    assert_eq!(
        (&told["model"], &told["mode"]),
        (&json!("paid"), &json!("live"))
    );
    assert_eq!(
        (&told["quote"], &told["cost"]),
        (&json!("0.080000"), &json!("0.040000"))
    );
    assert_eq!(
        (&told["n"], &told["metadata"]),
        (&json!(2), &json!({"order": 7}))
    );
    assert_eq!(told["keyId"], customer.key.as_str());
    let times = ["createTime", "startTime", "completeTime"].map(|name| told[name].as_i64());
    assert!(
        times.iter().all(Option::is_some) && times.is_sorted(),
        "{told}"
    );
    let asset = &told["assets"][0];
    assert_eq!(
        (&asset["url"], &asset["width"]),
        (&told["resultUrls"][0], &json!(8))
    );
    let picture = customer.get(asset["url"].as_str().expect("a link")).await;
    let picture = image::load_from_memory(&picture.body).expect("a picture");
    assert_eq!(picture.dimensions(), (8, 8));
    let states: Vec<&Value> = told["attempts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|attempt| &attempt["state"])
        .collect();
    assert_eq!(states, ["succeeded", "unknown"]);
    assert_eq!(told["attempts"][1]["failCode"], "outcome_unknown");
    let text = told.to_string();
    for secret in ["secret-upstream", "0.013", "paid-upstream"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    refused(
        &app.test_key().get(&format!("/api/v1/tasks/{task}")).await,
        404,
        &["no such task"],
    );
    refused(
        &poll(&app.test_key(), &task, "").await,
        404,
        &["no such task"],
    );
    app.finish().await;
}

#[tokio::test]
async fn a_create_that_was_answered_is_not_joined_by_the_same_body() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let body = small("a cat");
    let first = created(&create(&client, &body).await);
    let again = create_with(&client, ("x-stainless-retry-count", "1"), &body).await;
    assert_ne!(created(&again), first);
    app.finish().await;
}
