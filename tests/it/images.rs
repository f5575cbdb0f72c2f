//! Stories of `POST /v1/images/generations` with a test key: what comes back, and what is refused.

use crate::app::{Setup, TestApp};
use crate::client::{GENERATIONS, send};
use image::{GenericImageView, ImageFormat};
use reqwest::Method;
use serde_json::{Value, json};

/// The body of the documentation's example, without the streaming that this version does not have.
fn documented_example() -> Value {
    json!({
        "model": "gpt-image-2",
        "prompt": "A vibrant lifestyle fashion poster featuring a bright and stylish young female model wearing a clean oversized graphic T-shirt, standing confidently in a sunlit urban setting. She has a fresh, energetic expression, natural makeup, healthy glowing skin, and slightly windswept hair. Her pose feels relaxed and playful, capturing the spirit of youth, freedom, and summer energy. The T-shirt is clearly visible as the visual focus, with a modern streetwear silhouette and enough clean space on the fabric for a logo or custom print design. Bright daylight, soft shadows, vivid but natural colors, dynamic composition, commercial fashion campaign style, high-end editorial photography, crisp fabric texture, realistic details, youthful atmosphere, clean poster layout, premium lifestyle branding, high resolution.",
        "size": "1024x1024",
        "background": "auto",
        "moderation": "auto",
        "n": 1,
        "quality": "high",
        "output_format": "png",
        "output_compression": 100,
        "partial_images": 0,
        "stream": false
    })
}

/// A request that is drawn in no time.
pub fn small(prompt: &str) -> Value {
    json!({"model": "sketch", "prompt": prompt, "size": "64x64"})
}

/// `small`, with these fields over it.
pub fn small_with(prompt: &str, more: Value) -> Value {
    let mut body = small(prompt);
    let (Value::Object(body_fields), Value::Object(more)) = (&mut body, more) else {
        panic!("objects")
    };
    body_fields.extend(more);
    body
}

#[tokio::test]
async fn the_documented_example_works_as_written_with_a_test_key() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let reply = client.generate(documented_example()).await;
    let body = reply.ok();
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    assert_eq!(reply.header("x-pinhole-mode"), "test");
    assert_eq!(reply.header("x-pinhole-cost"), "0.000000");
    assert!(
        reply.header("x-request-id").starts_with("req_"),
        "{:?}",
        reply.headers
    );
    assert!(!reply.header("x-pinhole-quote").is_empty());
    assert_eq!(
        (&body["size"], &body["quality"]),
        (&json!("1024x1024"), &json!("high"))
    );
    assert!(
        body["created"]
            .as_i64()
            .is_some_and(|at| at > 1_700_000_000)
    );

    let pictures = reply.pictures();
    assert_eq!(pictures.len(), 1);
    let picture = image::load_from_memory_with_format(&pictures[0], ImageFormat::Png);
    assert_eq!(picture.expect("a real PNG").dimensions(), (1024, 1024));

    let task = client.task(&reply.task_id()).await;
    assert_eq!(task["state"], "completed");
    assert_eq!(task["model"], "gpt-image-2");
    assert_eq!(task["cost"], "0.000000");
    assert!(task["completeTime"].as_i64() >= task["createTime"].as_i64());
    let link = task["resultUrls"][0].as_str().expect("a link");
    assert_eq!(client.get(link).await.body, pictures[0]);
    app.finish().await;
}

#[tokio::test]
async fn a_picture_comes_as_link_or_base64_or_both() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let with = async |form: &str| {
        let body = small_with("a lighthouse", json!({"response_format": form}));
        client.generate(body).await
    };
    let (base64, link, both) = (
        with("b64_json").await,
        with("url").await,
        with("both").await,
    );
    assert_eq!((base64.pictures().len(), base64.links().len()), (1, 0));
    assert_eq!((link.pictures().len(), link.links().len()), (0, 1));
    assert_eq!((both.pictures().len(), both.links().len()), (1, 1));
    for links in [link.links(), both.links()] {
        let file = app.nobody().get(&links[0]).await;
        assert_eq!(
            (file.status, file.header("content-type")),
            (200, "image/png")
        );
        assert_eq!(file.body, both.pictures()[0]);
    }
    app.finish().await;
}

#[tokio::test]
async fn three_pictures_differ_and_come_in_order() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let body = small_with("three boats", json!({"n": 3, "response_format": "both"}));
    let reply = client.generate(body.clone()).await;
    let pictures = reply.pictures();
    assert_eq!(pictures.len(), 3);
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2] && pictures[0] != pictures[2]);
    for (picture, link) in pictures.iter().zip(reply.links()) {
        assert_eq!(client.get(&link).await.body, *picture);
    }
    // The first of three is the one that a request for one brings.
    let alone = client.generate(small("three boats")).await.pictures();
    assert_eq!(alone[0], pictures[0]);
    // The same request gives the same bytes.
    assert_eq!(client.generate(body).await.pictures(), pictures);
    app.finish().await;
}

#[tokio::test]
async fn every_format_is_what_it_says() {
    let app = TestApp::start().await;
    for (name, format) in [
        ("png", ImageFormat::Png),
        ("jpeg", ImageFormat::Jpeg),
        ("webp", ImageFormat::WebP),
    ] {
        let more = json!({"output_format": name, "response_format": "both", "size": "128x64"});
        let reply = app.test_key().generate(small_with("a mill", more)).await;
        let picture = &reply.pictures()[0];
        let decoded = image::load_from_memory_with_format(picture, format).expect(name);
        assert_eq!(decoded.dimensions(), (128, 64), "{name}");
        assert_eq!(reply.json()["output_format"], name);
        let file = app.nobody().get(&reply.links()[0]).await;
        assert_eq!(file.header("content-type"), format!("image/{name}"));
    }
    app.finish().await;
}

#[tokio::test]
async fn all_faults_are_named_at_once_with_their_paths() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let body = json!({
        "model": "gpt-image-2", "prompt": "", "size": "7x7", "n": 0, "colour": "red", "quality": 4,
    });
    let reply = client.generate(body).await;
    let details = reply.json()["error"]["details"].clone();
    let mut found: Vec<(&str, &str)> = details
        .as_array()
        .expect("details")
        .iter()
        .map(|fault| (text(&fault["param"]), text(&fault["code"])))
        .collect();
    found.sort_unstable();
    let expected = [
        ("colour", "unknown_parameter"),
        ("n", "out_of_range"),
        ("prompt", "too_short"),
        ("quality", "invalid_type"),
        ("size", "out_of_range"),
    ];
    assert_eq!(found, expected, "{details:#}");
    let error = reply.refused(400, text(&details[0]["code"]));
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["param"], details[0]["param"]);
    assert_eq!(error["message"], details[0]["message"]);
    assert_eq!(
        reply.header("x-pinhole-task-id"),
        "",
        "nothing was admitted"
    );

    let missing = client.generate(json!({"model": "sketch"})).await;
    assert_eq!(missing.refused(400, "missing_parameter")["param"], "prompt");
    let missing = client.generate(json!({"prompt": "a cat"})).await;
    assert_eq!(missing.refused(400, "missing_parameter")["param"], "model");
    let twice = client
        .generate_raw(
            Some("application/json"),
            r#"{"model":"sketch","prompt":"a","prompt":"b"}"#,
        )
        .await;
    assert_eq!(twice.refused(400, "duplicate_parameter")["param"], "prompt");
    app.finish().await;
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn form_is_adapted_and_said_so_or_refused_if_the_client_wishes() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let body = small_with("a cat", json!({"n": "2", "style": "vivid"}));
    let adapted = client.generate(body.clone()).await;
    assert_eq!(adapted.pictures().len(), 2);
    let told = adapted.header("x-pinhole-adapted");
    assert!(
        told.contains("n=2") && told.contains("style=dropped"),
        "{told}"
    );
    let strict = client
        .generation(&body)
        .header("x-pinhole-params", "reject");
    let strict = send(strict).await;
    assert_eq!(strict.status, 400, "{}", strict.text());
    let neither = client
        .generation(&body)
        .header("x-pinhole-params", "perhaps");
    send(neither).await.refused(400, "invalid_body");
    app.finish().await;
}

#[tokio::test]
async fn an_unknown_model_is_answered_with_those_that_exist() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let error = client
        .generate(json!({"model": "gpt-image-9", "prompt": "a cat"}))
        .await
        .refused(404, "model_not_found");
    let message = text(&error["message"]);
    assert!(
        message.contains("gpt-image-9") && message.contains("gpt-image-2"),
        "{message}"
    );
    client
        .get("/v1/models/none")
        .await
        .refused(404, "model_not_found");
    let models = client.get("/v1/models").await.ok();
    assert!(
        models["data"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["id"] == "sketch"))
    );
    let wrong = client.get("/v1/models?all=perhaps").await;
    assert_eq!(wrong.refused(400, "invalid_value")["param"], "all");
    let all = client.get("/v1/models?all=true").await.ok();
    assert!(all["data"].as_array().map(Vec::len) >= models["data"].as_array().map(Vec::len));
    // A dated name of OpenAI's means the same model.
    let card = client.get("/v1/models/gpt-image-2-2026-04-21").await.ok();
    assert_eq!(card["id"], "gpt-image-2");
    app.finish().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_without_a_key_in_the_shape_of_their_path() {
    let app = TestApp::start().await;
    let nobody = app.nobody();
    for path in ["/v1/nothing", "/", "/wp-login.php", "/v1/images", "/files"] {
        let error = nobody.get(path).await.refused(404, "not_found");
        assert_eq!(error["type"], "invalid_request_error", "{path}");
    }
    let task_shape = nobody.get("/api/v1/nothing").await;
    assert_eq!(task_shape.status, 404);
    let body = task_shape.json();
    assert_eq!((&body["code"], &body["data"]), (&json!(404), &Value::Null));
    assert!(!text(&body["msg"]).is_empty());

    let wrong = nobody.get(GENERATIONS).await;
    wrong.refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), "POST");
    let wrong = send(nobody.request(Method::DELETE, "/api/v1/tasks/task_1")).await;
    assert_eq!((wrong.status, &wrong.json()["code"]), (405, &json!(405)));
    app.finish().await;
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_by_what_is_wrong_with_them() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let json_type = Some("application/json");
    for broken in [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{\"model\":}",
        "\u{feff}{}",
        "nonsense",
    ] {
        let reply = client.generate_raw(json_type, broken).await;
        let error = reply.refused(400, "invalid_body");
        assert_eq!(error["param"], Value::Null, "{broken}");
    }
    let deep = "[".repeat(100_000);
    let deep = format!("{{\"model\":\"sketch\",\"prompt\":{deep}");
    client
        .generate_raw(json_type, deep)
        .await
        .refused(400, "invalid_body");

    let huge = format!("{{\"prompt\":\"{}\"}}", "x".repeat(1 << 20));
    client
        .generate_raw(json_type, huge)
        .await
        .refused(413, "too_large");

    let body = small("a cat").to_string();
    for other in ["text/html", "image/png", "multipart/form-data; boundary=x"] {
        let reply = client.generate_raw(Some(other), body.clone()).await;
        reply.refused(415, "unsupported_media_type");
    }
    for fine in [
        None,
        Some("application/json; charset=utf-8"),
        Some("application/x-www-form-urlencoded"),
    ] {
        client.generate_raw(fine, body.clone()).await.ok();
    }
    app.finish().await;
}

#[tokio::test]
async fn a_refusal_is_read_by_clients_that_send_their_whole_body_first() {
    let app = TestApp::start().await;
    let huge = format!("{{\"prompt\":\"{}\"}}", "x".repeat(8 << 20));
    for _ in 0..5 {
        let json_type = Some("application/json");
        let (client, nobody) = (app.test_key(), app.nobody());
        let refused = client.generate_raw(json_type, huge.clone()).await;
        refused.refused(413, "too_large");
        let other = client.generate_raw(Some("text/html"), huge.clone()).await;
        other.refused(415, "unsupported_media_type");
        let keyless = nobody.generate_raw(json_type, huge.clone()).await;
        keyless.refused(401, "invalid_api_key");
        let nowhere = nobody
            .request(Method::POST, "/v1/nothing")
            .body(huge.clone());
        send(nowhere).await.refused(404, "not_found");
    }
    app.finish().await;
}

#[tokio::test]
async fn directives_in_the_prompt_fail_as_they_say_and_cost_nothing() {
    let app = Setup::new()
        .model(&crate::app::model(
            "drawn",
            "0.04",
            &[("sketch", 10, "0.01")],
        ))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    for (directive, status, kind, code, retry) in [
        (
            "content_policy",
            400,
            "image_generation_user_error",
            "content_policy_violation",
            "",
        ),
        ("upstream", 502, "upstream_error", "upstream_failed", ""),
        ("timeout", 504, "upstream_error", "upstream_timeout", ""),
        ("unknown", 504, "upstream_error", "outcome_unknown", "false"),
    ] {
        let prompt = format!("a cat [pinhole:fail={directive}]");
        for client in [&app.test_key(), &customer.client] {
            let reply = client
                .generate(small_with(&prompt, json!({"model": "drawn"})))
                .await;
            assert_eq!(reply.refused(status, code)["type"], kind, "{directive}");
            assert_eq!(reply.header("x-should-retry"), retry, "{directive}");
            assert_eq!(reply.header("x-pinhole-cost"), "0.000000", "{directive}");
            let task = client.task(&reply.task_id()).await;
            assert_eq!(
                (text(&task["state"]), text(&task["failCode"])),
                ("failed", code)
            );
            assert_eq!(task["cost"], "0.000000");
            assert_eq!(task.get("resultUrls"), None);
        }
    }
    customer.has("1.000000").await;
    let wrong = customer.generate(small("a cat [pinhole:fail=maybe]")).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text());
    app.finish().await;
}

#[tokio::test]
async fn a_ratio_and_a_tier_become_exactly_the_pixels_of_the_table() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let catalogue = pinhole::catalogue::Catalogue::embedded().expect("a sound catalogue");
    let model = catalogue.find("NBP").expect("a model");
    let first_tier = model.sizes.iter().filter(|(_, row)| row["quality"] == "1K");
    let calls = first_tier.map(|(size, row)| {
        let client = &client;
        async move {
            let body =
                json!({"model": "NBP", "prompt": "a hill", "size": row["size"], "quality": "1K"});
            let drawn = client.generate(body).await.pictures();
            let picture = image::load_from_memory(&drawn[0]).expect("a picture");
            let (width, height) = picture.dimensions();
            assert_eq!(format!("{width}x{height}"), *size, "{row:?}");
        }
    });
    assert_eq!(futures::future::join_all(calls).await.len(), 10);
    app.finish().await;
}
