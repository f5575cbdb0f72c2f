//! Stories of `/v1/chat/completions`: texts, and pictures beside a message.

use crate::app::TestApp;
use crate::client::{Client, Reply, send};
use crate::text::{chunks, said};
use reqwest::Method;
use serde_json::{Value, json};

async fn complete(client: &Client, body: Value) -> Reply {
    let request = client.request(Method::POST, "/v1/chat/completions");
    send(request.json(&body)).await
}

/// Width and height of the picture in a data URL.
fn pixels(url: &Value) -> (u32, u32) {
    let url = url["image_url"]["url"].as_str().expect("a URL");
    let base64 = url.strip_prefix("data:image/png;base64,").expect("a PNG");
    let bytes = base64_simd::STANDARD.decode_to_vec(base64).expect("base64");
    let picture = image::load_from_memory(&bytes).expect("a picture");
    (picture.width(), picture.height())
}

#[tokio::test]
async fn a_text_answers_as_chat_does_and_is_found_later() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let body = json!({"model": "gemini-3.5-flash", "messages": [{"role": "user", "content": "x"}]});
    let reply = complete(&client, body.clone()).await;
    let answer = reply.ok();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer.get("data"), None, "that is the image service's word");
    assert_eq!(answer["usage"]["prompt_tokens"], 0);
    let later = client
        .get(&format!("/v1/images/generations/{}", reply.task_id()))
        .await;
    assert_eq!(later.ok()["choices"], answer["choices"]);
    let mut streaming = body.clone();
    streaming["stream"] = true.into();
    streaming["modalities"] = json!(["text"]);
    let streamed = chunks(&complete(&client, streaming).await);
    assert_eq!(said(&streamed), answer["choices"][0]["message"]["content"]);
    app.finish().await;
}

#[tokio::test]
async fn a_picture_comes_beside_the_message_as_image_tools_ask_for_it() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let picture = json!({"type": "image_url", "image_url": {"url": "https://a.example/a.png"}});
    let body = json!({
        "model": "NBP",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a harbour"}, picture]}],
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "16:9"},
    });
    let reply = complete(&client, body.clone()).await;
    assert_eq!(
        reply.header("x-pinhole-adapted"),
        "size=16:9, image_url=stand-in"
    );
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    let message = &reply.ok()["choices"][0]["message"];
    assert_eq!(message["content"], "");
    let images = message["images"].as_array().expect("a list");
    assert_eq!((images.len(), pixels(&images[0])), (1, (1376, 768)));

    let mut streaming = body;
    streaming["stream"] = true.into();
    streaming["stream_options"] = json!({"include_usage": true});
    let streamed = chunks(&complete(&client, streaming).await);
    assert_eq!(streamed.len(), 3);
    assert_eq!(streamed[2]["choices"], json!([]));
    assert_eq!(streamed[2]["usage"]["total_tokens"], 0);
    let delta = &streamed[0]["choices"][0]["delta"];
    assert_eq!(delta["images"][0], images[0]);
    assert_eq!(streamed[1]["choices"][0]["finish_reason"], "stop");

    let several = json!({
        "model": "gpt-image-2", "n": 2, "modalities": ["image"], "image_config": {"aspect_ratio": "3:2"},
        "messages": [{"role": "user", "content": "a harbour"}],
    });
    let answer = complete(&client, several).await.ok();
    let images = answer["choices"][0]["message"]["images"].as_array();
    let sizes: Vec<_> = images.expect("a list").iter().map(pixels).collect();
    assert_eq!(sizes, [(1536, 1024); 2]);
    app.finish().await;
}

#[tokio::test]
async fn what_a_model_does_not_make_is_refused_by_name() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let said = json!([{"role": "user", "content": "x"}]);
    for (more, param, code) in [
        (json!({"model": "gpt-image-2"}), "model", "not_supported"),
        (
            json!({"model": "gemini-3.5-flash", "modalities": ["image", "text"]}),
            "model",
            "not_supported",
        ),
        (
            json!({"model": "NBP", "modalities": ["audio"]}),
            "modalities",
            "invalid_type",
        ),
        (
            json!({"model": "NBP", "modalities": ["image"], "image_config": {"seed": 1}}),
            "image_config.seed",
            "unknown_parameter",
        ),
        (
            json!({"model": "gpt-image-2", "modalities": ["image"], "image_config": {"aspect_ratio": "16:9"}}),
            "image_config.aspect_ratio",
            "invalid_enum",
        ),
        (
            json!({"model": "gemini-3.5-flash", "tools": []}),
            "tools",
            "unknown_parameter",
        ),
        (
            json!({"model": "gemini-3.5-flash", "messages": null}),
            "messages",
            "missing_parameter",
        ),
    ] {
        let mut body = json!({"messages": said});
        let fields = body.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let error = complete(&client, body).await.refused(400, code);
        assert_eq!(error["param"], param, "{more}");
    }
    app.finish().await;
}
