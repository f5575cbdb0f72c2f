//! The documents for machines: what they say is what the service does, and public tools find nothing to say about them.

use crate::app::{Setup, TestApp, model, small_png, until};
use crate::client::{Client, GENERATIONS, Reply, send};
use crate::sdks::installed;
use pinhole::error;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

const EDITS: &str = "/v1/images/edits";
const CHAT: &str = "/v1/chat/completions";
const TASKS: &str = "/api/v1/images/generations";

/// A model of text.
const TEXTS: &str = "gemini-3.5-flash";

/// An operator's model whose id is no legal name for a component.
const ODD_ID: &str = "org/odd:id";

async fn start() -> TestApp {
    let odd = model(ODD_ID, "0.01", &[("sketch", 1, "0")]);
    Setup::new().model(&odd).start().await
}

async fn document(app: &TestApp) -> Value {
    app.nobody().get("/openapi.json").await.ok()
}

/// The reply is what the document says of this path, method and status.
fn check(document: &Value, method: &str, path: &str, reply: &Reply) {
    let status = reply.status.to_string();
    let described = &document["paths"][path][method]["responses"][&status];
    assert!(described.is_object(), "{method} {path} {status}");
    let media_type = reply.header("content-type").split(';').next();
    let media_type = media_type.unwrap_or_default();
    let described_body = &described["content"][media_type]["schema"];
    assert!(
        described_body.is_object(),
        "{method} {path} {status} {media_type}"
    );
    for name in described["headers"].as_object().expect("headers").keys() {
        let reference = described["headers"][name]["$ref"]
            .as_str()
            .expect("a reference");
        let header = document.pointer(&reference[1..]).expect("a header");
        assert!(
            header["required"] != true || !reply.header(name).is_empty(),
            "{method} {path} {status} has no {name}"
        );
    }
    if media_type == "application/json" {
        conforms(document, described_body, &reply.json());
    }
}

/// A value is as a schema of the document says.
fn conforms(document: &Value, schema: &Value, value: &Value) {
    let wrong: Vec<String> = validator(document, schema)
        .iter_errors(value)
        .map(|it| format!("{}: {it}", it.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{value:.300}");
}

fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    jsonschema::draft202012::new(&schema).expect("a schema")
}

async fn call(client: &Client, method: &str, path: &str, body: Option<&Value>) -> Reply {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
    let request = client.request(method, path);
    send(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn every_route_is_in_the_document_and_no_other() {
    let app = start().await;
    let document = document(&app).await;
    let client = app.test_key();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let address = path
            .replace("{id}", "gpt-image-2")
            .replace("{task}", "none")
            .replace("{asset}", "none");
        for method in METHODS {
            let name = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let reply = send(client.request(name, &address)).await;
            let is_served = reply.status != 405 && !reply.text().contains("there is nothing at");
            assert_eq!(
                is_served,
                operations[method].is_object(),
                "{method} {path}: {}",
                reply.text()
            );
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn replies_are_as_described() {
    let app = start().await;
    let document = document(&app).await;
    let client = app.test_key();
    let body = json!({"model": "sketch", "prompt": "a lighthouse", "size": "64x64", "response_format": "both"});
    let made = client.generate(body.clone()).await;
    check(&document, "post", GENERATIONS, &made);
    let task = made.task_id();
    let one = "/v1/images/generations/{task}";
    check(
        &document,
        "get",
        one,
        &client.get(&format!("{GENERATIONS}/{task}")).await,
    );
    let reply = client.get(&format!("/api/v1/tasks/{task}")).await;
    check(&document, "get", "/api/v1/tasks/{id}", &reply);
    let left = client.leave(&body).await;
    assert_eq!(left.status, 202);
    check(&document, "post", GENERATIONS, &left);
    let place = left.header("location").to_owned();
    until("the task that was left ends", async || {
        let reply = client.get(&place).await;
        check(&document, "get", one, &reply);
        (reply.status == 200).then_some(())
    })
    .await;
    check(
        &document,
        "post",
        GENERATIONS,
        &client.generate(json!({"model": "sketch", "sise": 1})).await,
    );
    check(
        &document,
        "get",
        "/api/v1/tasks/{id}",
        &client.get("/api/v1/tasks/none").await,
    );
    let quoted = send(client.request(Method::POST, "/v1/quote").json(&body)).await;
    check(&document, "post", "/v1/quote", &quoted);
    for path in [
        "/v1/models",
        "/v1/balance",
        "/readyz",
        "/healthz",
        "/openapi.json",
        "/llms.txt",
        "/metrics",
    ] {
        check(&document, "get", path, &client.get(path).await);
    }
    for id in ["gpt-image-2", ODD_ID] {
        check(
            &document,
            "get",
            "/v1/models/{id}",
            &client.get(&format!("/v1/models/{id}")).await,
        );
        let schema = client.get(&format!("/v1/models/{id}/schema")).await;
        check(&document, "get", "/v1/models/{id}/schema", &schema);
    }
    check(
        &document,
        "get",
        "/files/{asset}",
        &client.get(&made.links()[0]).await,
    );
    check(
        &document,
        "get",
        "/files/{asset}",
        &client.get("/files/none").await,
    );
    app.finish().await;
}

#[tokio::test]
async fn texts_are_as_described() {
    let app = start().await;
    let document = document(&app).await;
    let client = app.test_key();
    let body = json!({"model": TEXTS, "prompt": "a lighthouse"});
    check(
        &document,
        "post",
        GENERATIONS,
        &client.generate(body.clone()).await,
    );
    for path in ["/v1/quote", TASKS] {
        check(
            &document,
            "post",
            path,
            &call(&client, "post", path, Some(&body)).await,
        );
    }
    let said = json!([{"role": "user", "content": "a lighthouse"}]);
    let chats = [
        (json!({"model": TEXTS, "messages": said}), 200),
        (
            json!({"model": "sketch", "size": "64x64", "messages": said, "modalities": ["image"]}),
            200,
        ),
        (json!({"model": "sketch", "messages": said}), 400),
        (json!({"model": TEXTS}), 400),
    ];
    for (body, status) in chats {
        let reply = call(&client, "post", CHAT, Some(&body)).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        check(&document, "post", CHAT, &reply);
    }
    app.stop().await;
}

#[tokio::test]
async fn tasks_are_as_described() {
    let app = start().await;
    let document = document(&app).await;
    let client = app.test_key();
    let body =
        json!({"model": "sketch", "prompt": "a lighthouse", "size": "64x64", "metadata": {"a": 1}});
    let created = call(&client, "post", TASKS, Some(&body)).await;
    check(&document, "post", TASKS, &created);
    let id = created.json()["data"]["taskId"]
        .as_str()
        .expect("an id")
        .to_owned();
    for (method, query) in [
        ("get", format!("task_id={id}&wait=30")),
        ("delete", format!("task_id={id}")),
        ("get", "task_id=none".to_owned()),
    ] {
        let reply = call(&client, method, &format!("{TASKS}?{query}"), None).await;
        check(&document, method, TASKS, &reply);
    }
    let failed =
        json!({"model": "sketch", "prompt": "[pinhole:fail=content_policy]", "size": "64x64"});
    let waited = client
        .request(Method::POST, TASKS)
        .header("prefer", "wait=30");
    check(&document, "post", TASKS, &send(waited.json(&failed)).await);
    for query in ["limit=1", "state=failed", "stat=failed"] {
        let reply = client.get(&format!("/api/v1/tasks?{query}")).await;
        check(&document, "get", "/api/v1/tasks", &reply);
    }
    let one = client.get(&format!("/api/v1/tasks/{id}")).await;
    assert!(one.json()["data"]["metadata"].is_object(), "{}", one.text());
    check(&document, "get", "/api/v1/tasks/{id}", &one);
    for query in ["", "?group_by=key", "?group_by=day", "?group_by=week"] {
        let reply = client.get(&format!("/v1/usage{query}")).await;
        check(&document, "get", "/v1/usage", &reply);
    }
    app.finish().await;
}

#[tokio::test]
async fn uploaded_files_are_as_described() {
    let app = start().await;
    let document = document(&app).await;
    let client = app.test_key();
    let form = Form::new()
        .part("file", Part::bytes(small_png()).file_name("a.png"))
        .text("purpose", "vision");
    let kept = send(client.request(Method::POST, "/v1/files").multipart(form)).await;
    check(&document, "post", "/v1/files", &kept);
    let empty = client
        .request(Method::POST, "/v1/files")
        .multipart(Form::new());
    check(&document, "post", "/v1/files", &send(empty).await);
    for query in ["", "?limit=0"] {
        check(
            &document,
            "get",
            "/v1/files",
            &client.get(&format!("/v1/files{query}")).await,
        );
    }
    let path = format!("/v1/files/{}", kept.ok()["id"].as_str().expect("an id"));
    let content = format!("{path}/content");
    check(
        &document,
        "get",
        "/v1/files/{id}/content",
        &client.get(&content).await,
    );
    let part = client.get_with(&content, "range", "bytes=0-3").await;
    check(&document, "get", "/v1/files/{id}/content", &part);
    check(&document, "get", "/v1/files/{id}", &client.get(&path).await);
    // The second time it is gone.
    for _ in 0..2 {
        let reply = call(&client, "delete", &path, None).await;
        check(&document, "delete", "/v1/files/{id}", &reply);
    }
    app.finish().await;
}

#[tokio::test]
async fn an_edit_needs_a_picture_in_the_document_as_in_the_service() {
    let app = start().await;
    let document = document(&app).await;
    let request = &document["components"]["schemas"]["EditRequest"];
    let validator = validator(&document, request);
    let client = app.test_key();
    let picture = format!(
        "data:image/png;base64,{}",
        base64_simd::STANDARD.encode_to_string(small_png())
    );
    let said = json!({"text": "autumn"});
    let shown = json!({"image": picture});
    let talk = |parts: &[&Value]| json!([{"role": "user", "content": parts}]);
    let bodies = [
        (json!({"prompt": "autumn"}), false),
        (json!({"prompt": "autumn", "image": null}), false),
        (json!({"prompt": "autumn", "image": []}), false),
        (json!({"prompt": "autumn", "mask": picture}), false),
        (json!({"prompt": "autumn", "image": picture}), true),
        (json!({"prompt": "autumn", "images": [picture]}), true),
        (json!({"messages": talk(&[&said])}), false),
        (
            json!({"messages": talk(&[&said, &json!({"text": "red", "image": null})])}),
            false,
        ),
        (json!({"messages": talk(&[&said, &shown])}), true),
        (json!({"messages": talk(&[&said]), "image": picture}), true),
        (json!({"input": {"prompt": "autumn"}}), false),
        (json!({"input": {"messages": talk(&[&said, &shown])}}), true),
        (
            json!({"input": {"prompt": "autumn", "image": picture}}),
            true,
        ),
    ];
    for (mut body, is_edit) in bodies {
        body["model"] = "gpt-image-2".into();
        assert_eq!(validator.is_valid(&body), is_edit, "{body:.200}");
        let edit = client.request(Method::POST, EDITS).json(&body);
        let reply = send(edit.header("prefer", "respond-async")).await;
        assert_eq!(
            reply.status == 202,
            is_edit,
            "{body:.200}: {}",
            reply.text()
        );
        check(&document, "post", EDITS, &reply);
    }
    app.stop().await;
}

#[tokio::test]
async fn events_of_a_stream_are_as_described() {
    let app = start().await;
    let document = document(&app).await;
    let client = app.test_key();
    let said = json!([{"role": "user", "content": "a lighthouse"}]);
    let usage = json!({"include_usage": true});
    let streams = [
        (
            GENERATIONS,
            "ImageEvents",
            json!({"model": "gpt-image-2", "prompt": "a lighthouse", "partial_images": 1, "size": "1024x1024"}),
        ),
        (
            GENERATIONS,
            "ImageEvents",
            json!({"model": TEXTS, "prompt": "a lighthouse"}),
        ),
        (
            CHAT,
            "CompletionEvents",
            json!({"model": TEXTS, "messages": said, "stream_options": usage}),
        ),
        (
            CHAT,
            "CompletionEvents",
            json!({"model": "sketch", "messages": said, "modalities": ["image"], "size": "64x64"}),
        ),
    ];
    for (path, name, mut body) in streams {
        body["stream"] = true.into();
        let reply = call(&client, "post", path, Some(&body)).await;
        check(&document, "post", path, &reply);
        let text = String::from_utf8_lossy(&reply.body);
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let data: Vec<&str> = data.filter(|data| *data != "[DONE]").collect();
        assert!(data.len() >= 2, "{path} {body}: {text:.300}");
        let events = &document["components"]["schemas"][name]["contentSchema"];
        for event in data {
            conforms(
                &document,
                events,
                &serde_json::from_str(event).expect("JSON"),
            );
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn the_list_of_models_reads_its_query() {
    let app = start().await;
    let client = app.test_key();
    for query in ["", "?all=false", "?limit=20&order=desc&after=sketch"] {
        assert_eq!(
            client.get(&format!("/v1/models{query}")).await.status,
            200,
            "{query}"
        );
    }
    for (query, param, code) in [
        ("all=maybe", "all", "invalid_value"),
        ("all=true&all=false", "all", "duplicate_parameter"),
        ("al=true", "al", "unknown_parameter"),
    ] {
        let reply = client.get(&format!("/v1/models?{query}")).await;
        let error = reply.refused(400, code);
        assert_eq!(error["param"], param, "{query}");
    }
    app.finish().await;
}

#[tokio::test]
async fn documents_are_public_and_need_not_be_loaded_twice() {
    let app = start().await;
    let client = app.nobody();
    for path in ["/openapi.json", "/llms.txt"] {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        let etag = reply.header("etag").to_owned();
        assert!(etag.starts_with('"'), "{path} {etag}");
        let again = client.get_with(path, "if-none-match", &etag).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_page_for_language_models_names_this_server_and_its_models() {
    let app = start().await;
    let text = String::from_utf8(app.nobody().get("/llms.txt").await.body.to_vec()).expect("text");
    assert!(text.starts_with("# Pinhole\n\n> "), "{text:.200}");
    for part in [
        format!("curl {}/v1/images/generations", app.url),
        format!("({}/v1/models/{ODD_ID}/schema)", app.url),
        format!("]({}/openapi.json)", app.url),
        format!("curl {}/v1/chat/completions", app.url),
        error::table_in_markdown(),
    ] {
        assert!(text.contains(&part), "{part}");
    }
    for line in text.lines().filter(|line| line.starts_with("- `POST /")) {
        let path = line.split([' ', '`', ',']).nth(3).expect("a path");
        assert!(document(&app).await["paths"][path].is_object(), "{line}");
    }
    app.finish().await;
}

#[tokio::test]
async fn too_many_header_fields_are_answered_431() {
    let app = Setup::new().start().await;
    let request = app.nobody().request(Method::GET, "/healthz");
    let request = (0..200).fold(request, |request, k| request.header(format!("x-{k}"), "1"));
    assert_eq!(send(request).await.status, 431);
    app.finish().await;
}

#[test]
fn the_table_of_errors_in_the_documentation_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(root.join("docs/errors.md")).expect("docs/errors.md");
    let table = error::table_in_markdown();
    assert!(
        written.contains(&table),
        "docs/errors.md should have this table:\n\n{table}"
    );
}

/// Runs a program to its end in a folder of its own.
async fn run(mut command: Command) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    command
        .current_dir(folder.path())
        .env("NO_PROXY", "127.0.0.1");
    let output = tokio::task::spawn_blocking(move || command.output().expect("the program starts"));
    output.await.expect("it ends")
}

fn assert_success(output: &Output) {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
}

#[tokio::test]
async fn a_public_linter_finds_nothing() {
    let Some(clients) = installed("redocly") else {
        return;
    };
    let app = start().await;
    let file = tempfile::Builder::new()
        .suffix(".json")
        .tempfile()
        .expect("a file");
    std::fs::write(file.path(), document(&app).await.to_string()).expect("room for it");
    let mut command = Command::new(clients.join("node_modules/.bin/redocly"));
    command
        .args(["lint", "--extends=recommended", "--max-problems=20"])
        .arg(file.path());
    command.envs([
        ("REDOCLY_TELEMETRY", "off"),
        ("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true"),
    ]);
    let output = run(command).await;
    assert_success(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !said.to_lowercase().contains("warning was generated"),
        "{said}"
    );
    app.finish().await;
}

/// A short run; CONTRIBUTING.md tells of a longer one.
#[tokio::test]
async fn schemathesis_finds_no_fault_and_nothing_undocumented() {
    let Some(clients) = installed("schemathesis") else {
        return;
    };
    let app = start().await;
    let mut command = Command::new(clients.join("venv/bin/python"));
    command
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{}/openapi.json", app.url))
        .arg("--header")
        .arg(format!(
            "Authorization: Bearer {}",
            app.test_secret().reveal()
        ))
        // Without adaptation the models' schemas are exact.
        .args(["--header", "x-pinhole-params: reject"])
        // What is accepted is told at once, and what becomes of it is not waited for.
        .args(["--header", "Prefer: respond-async"])
        // What a schema cannot say of a picture or an id is still refused.
        .args(["--checks=all", "--exclude-checks=positive_data_acceptance"])
        .args([
            "--phases=coverage,fuzzing",
            "--max-examples=3",
            "--max-time=40",
        ])
        .args([
            "--seed=1",
            "--no-shrink",
            "--suppress-health-check=all",
            "--warnings=off",
        ])
        .env("SCHEMATHESIS_HOOKS", "openapi_hooks")
        .env(
            "PYTHONPATH",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients"),
        )
        .env("PYTHONDONTWRITEBYTECODE", "1");
    assert_success(&run(command).await);
    // Calls that did not wait may still be in the queue.
    app.stop().await;
}
