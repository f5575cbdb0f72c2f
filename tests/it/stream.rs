//! Stories of streaming: every model, previews, failures before and after the first event, readers that leave.

use crate::app::{TestApp, until};
use crate::client::{Client, Reply};
use crate::images::small_with;
use futures::StreamExt;
use serde_json::{Value, json};

/// The events of a stream: their names and their data.
fn events(reply: &Reply) -> Vec<(String, Value)> {
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, "text/event-stream"),
        "{}",
        reply.text()
    );
    let text = String::from_utf8(reply.body.to_vec()).expect("UTF-8");
    text.split("\n\n")
        .filter(|frame| !frame.is_empty() && !frame.starts_with(':'))
        .map(|frame| {
            let (name, data) = frame.split_once('\n').expect("a name and data");
            let name = name.strip_prefix("event: ").expect("a name").to_owned();
            let data =
                serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
            (name, data)
        })
        .collect()
}

async fn stream(client: &Client, prompt: &str, more: Value) -> Reply {
    let mut body = small_with(prompt, more);
    body["stream"] = true.into();
    client.generate(body).await
}

#[tokio::test]
async fn previews_come_first_then_one_completed_event_an_image_and_the_last_says_what_it_cost() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let reply = stream(&client, "a lake", json!({"n": 3, "partial_images": 2})).await;
    let events = events(&reply);
    for (name, data) in &events {
        assert_eq!(data["type"].as_str(), Some(name.as_str()));
        for field in [
            "b64_json",
            "created_at",
            "size",
            "quality",
            "background",
            "output_format",
            "image_index",
        ] {
            assert!(!data[field].is_null(), "{name} has no {field}");
        }
    }
    let completed: Vec<&Value> = events
        .iter()
        .filter(|(name, _)| name == "image_generation.completed")
        .map(|(_, data)| data)
        .collect();
    assert_eq!(completed.len(), 3);
    assert_eq!(events.len(), 3 + 3 * 2, "two previews an image");
    for (k, one) in completed.iter().enumerate() {
        assert_eq!(
            one["pinhole"].is_object(),
            k == 2,
            "the last one alone says what it cost"
        );
        assert!(one["usage"]["total_tokens"].is_u64());
    }
    assert_eq!(
        completed[2]["pinhole"]["task_id"].as_str(),
        Some(reply.task_id().as_str())
    );
    let plain = client.generate(small_with("a lake", json!({"n": 3}))).await;
    let mut streamed: Vec<(u64, &str)> = completed
        .iter()
        .map(|one| {
            (
                one["image_index"].as_u64().expect("an index"),
                one["b64_json"].as_str().expect("base64"),
            )
        })
        .collect();
    streamed.sort_unstable();
    let streamed: Vec<_> = streamed
        .iter()
        .map(|(_, text)| base64_simd::STANDARD.decode_to_vec(text).expect("base64"))
        .collect();
    assert_eq!(streamed, plain.pictures());
    app.finish().await;
}

#[tokio::test]
async fn a_stream_of_what_was_delivered_ends_with_the_cost() {
    let app = TestApp::start().await;
    let reply = stream(
        &app.test_key(),
        "[pinhole:partial=2/4] a lake",
        json!({"n": 4}),
    )
    .await;
    let events = events(&reply);
    assert_eq!(events.len(), 2);
    assert!(events[1].1["pinhole"].is_object(), "{}", events[1].0);
    app.finish().await;
}

#[tokio::test]
async fn links_are_streamed_where_they_are_asked_for() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let reply = stream(&client, "a lake", json!({"n": 2, "response_format": "url"})).await;
    for (_, data) in events(&reply) {
        assert!(data["b64_json"].is_null());
        assert_eq!(
            client
                .get(data["url"].as_str().expect("a link"))
                .await
                .status,
            200
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn an_early_failure_is_a_status_and_a_late_one_an_event() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let early = stream(&client, "[pinhole:fail=content_policy] x", json!({})).await;
    early.refused(400, "content_policy_violation");
    let late = stream(
        &client,
        "[pinhole:delay=5.2s][pinhole:fail=upstream] x",
        json!({}),
    )
    .await;
    let events = events(&late);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].0.as_str(), events[0].1["error"]["code"].as_str()),
        ("error", Some("upstream_failed"))
    );
    app.finish().await;
}

#[tokio::test]
async fn a_reader_that_leaves_in_the_middle_stops_nothing() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let mut body = small_with("[pinhole:delay=200ms] a lake", json!({"partial_images": 3}));
    body["stream"] = true.into();
    let response = client.generation(&body).send().await.expect("a reply");
    let task = response.headers()["x-pinhole-task-id"]
        .to_str()
        .expect("text")
        .to_owned();
    let mut bytes = response.bytes_stream();
    bytes.next().await.expect("a first byte").expect("whole");
    drop(bytes);
    let path = format!("/api/v1/tasks/{task}");
    until("the task has ended", async || {
        let state = client.get(&path).await.ok()["data"]["state"].clone();
        (state == "completed").then_some(())
    })
    .await;
    app.finish().await;
}
