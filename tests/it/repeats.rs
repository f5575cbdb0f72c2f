//! Stories of calls that are repeated, left early, or looked at later.

use crate::app::{Setup, TestApp, model};
use crate::client::{Client, GENERATIONS, Reply, send};
use crate::images::{small, small_with};
use crate::scripted::{Scripted, Step};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Semaphore;

async fn keyed(client: &Client, key: &str, body: &Value) -> Reply {
    send(client.generation(body).header("idempotency-key", key)).await
}

async fn preferring(client: &Client, preference: &str, body: &Value) -> Reply {
    send(client.generation(body).header("prefer", preference)).await
}

/// An application with the model `paid` at 0.04, served as `provider` says.
async fn paid_by(provider: Arc<Scripted>) -> TestApp {
    let model = model("paid", "0.04", &[("alpha", 4, "0.01")]);
    Setup::new()
        .provider("alpha", provider)
        .model(&model)
        .start()
        .await
}

fn paid() -> Value {
    small_with("a cat", json!({"model": "paid"}))
}

#[tokio::test]
async fn a_thousand_repeats_at_once_are_one_task_one_hold_one_call() {
    let gate = Arc::new(Semaphore::new(0));
    let provider = Scripted::new(&[Step::Wait(Arc::clone(&gate)), Step::Deliver]);
    let app = paid_by(Arc::clone(&provider)).await;
    let customer = app.customer("1.00").await;
    let body = paid();
    let repeats = futures::future::join_all((0..1000).map(|_| keyed(&customer, "order 1", &body)));
    let (replies, ()) = tokio::join!(repeats, async {
        while provider.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        gate.add_permits(1);
    });
    let tasks: HashSet<_> = replies.iter().map(Reply::task_id).collect();
    let pictures: HashSet<_> = replies.iter().map(Reply::pictures).collect();
    assert_eq!(
        (tasks.len(), pictures.len(), provider.asked().len()),
        (1, 1, 1)
    );
    customer.has("0.960000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_repeat_is_known_after_a_restart_and_another_request_under_its_key_is_refused() {
    let app = paid_by(Scripted::obliging()).await;
    let customer = app.customer("1.00").await;
    let first = keyed(&customer, "order 1", &paid()).await;
    assert_eq!(first.pictures().len(), 1);
    let app = app.stop().await.start().await;
    let customer = customer.at(&app.url);
    let again = keyed(&customer, "order 1", &paid()).await;
    assert_eq!(
        (again.task_id(), again.pictures()),
        (first.task_id(), first.pictures())
    );
    let other = small_with("a dog", json!({"model": "paid"}));
    keyed(&customer, "order 1", &other)
        .await
        .refused(422, "idempotency_key_reused");
    let reordered = json!({"size": paid()["size"], "model": "paid", "prompt": "a cat"});
    assert_eq!(
        keyed(&customer, "order 1", &reordered).await.task_id(),
        first.task_id()
    );
    customer.has("0.960000").await;
    keyed(&customer, "", &paid())
        .await
        .refused(400, "invalid_body");
    app.finish().await;
}

#[tokio::test]
async fn a_refusal_is_not_remembered_and_a_failure_is() {
    let app = TestApp::start().await;
    let client = app.test_key();
    keyed(&client, "k", &json!({"model": "gpt-image-2"}))
        .await
        .refused(400, "missing_parameter");
    let failing = small("[pinhole:fail=upstream] x");
    let failed = keyed(&client, "k", &failing).await;
    failed.refused(502, "upstream_failed");
    let again = keyed(&client, "k", &failing).await;
    again.refused(502, "upstream_failed");
    assert_eq!(again.task_id(), failed.task_id());
    app.finish().await;
}

#[tokio::test]
async fn who_leaves_early_fetches_the_same_answer_later() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let left = preferring(
        &client,
        "respond-async",
        &small("[pinhole:delay=300ms] a lake"),
    )
    .await;
    assert_eq!((left.status, left.header("retry-after")), (202, "1"));
    let place = left.header("location").to_owned();
    assert_eq!(place, format!("{GENERATIONS}/{}", left.task_id()));
    let body = left.json();
    assert_eq!(
        (body["object"].as_str(), body["id"].as_str()),
        (Some("image.task"), Some(left.task_id().as_str()))
    );
    assert_eq!(client.get(&place).await.status, 202);
    let waited = preferring(&client, "wait=30", &small("a lake")).await;
    assert_eq!(waited.status, 200);
    let later = loop {
        let reply = client.get(&place).await;
        if reply.status != 202 {
            break reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(later.pictures(), waited.pictures());
    assert_eq!(later.header("x-pinhole-cost"), "0.000000");

    let failed = client
        .generate(small("[pinhole:fail=content_policy] x"))
        .await;
    let seen = client
        .get(&format!("{GENERATIONS}/{}", failed.task_id()))
        .await;
    assert_eq!((seen.status, &seen.body), (failed.status, &failed.body));
    let stranger = app.customer("0").await;
    stranger.get(&place).await.refused(404, "task_not_found");
    app.finish().await;
}

#[tokio::test]
async fn a_quote_is_what_is_charged_and_costs_nothing() {
    let app = paid_by(Scripted::obliging()).await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat", json!({"model": "paid", "n": 3}));
    let quote = send(customer.request(Method::POST, "/v1/quote").json(&body))
        .await
        .ok();
    assert_eq!(
        (quote["amount"].as_str(), quote["currency"].as_str()),
        (Some("0.120000"), Some("USD"))
    );
    customer.has("1.000000").await;
    let made = customer.generate(body).await;
    assert_eq!(made.header("x-pinhole-cost"), "0.120000");
    customer.has("0.880000").await;
    let wrong = send(
        customer
            .request(Method::POST, "/v1/quote")
            .json(&json!({"model": "paid", "n": 0})),
    )
    .await;
    assert_eq!(wrong.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_form_that_wants_a_stream_gets_one() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let stream = async || {
        let picture = Part::bytes(crate::app::small_png()).file_name("a.png");
        let form = Form::new()
            .text("model", "sketch")
            .text("prompt", "a lake")
            .text("size", "64x64")
            .text("stream", "true")
            .part("image", picture);
        let request = client.request(Method::POST, "/v1/images/edits");
        send(request.header("idempotency-key", "edit 1").multipart(form)).await
    };
    let (first, again) = (stream().await, stream().await);
    assert_eq!(first.task_id(), again.task_id());
    for reply in [first, again] {
        assert_eq!(reply.header("content-type"), "text/event-stream");
        assert!(
            reply.text().contains("image_edit.completed"),
            "{}",
            reply.text()
        );
    }
    app.finish().await;
}
