//! The documents for machines: what they say is what the service does, and public tools find nothing to say about them.

use crate::app::{Setup, TestApp, model, until};
use crate::client::{GENERATIONS, Reply, send};
use crate::sdks::installed;
use pinhole::error;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

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
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let wrong: Vec<String> = validator
        .iter_errors(value)
        .map(|it| format!("{}: {it}", it.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{value:.300}");
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
async fn events_of_a_stream_are_as_described() {
    let app = start().await;
    let document = document(&app).await;
    let body = json!({"model": "gpt-image-2", "prompt": "a lighthouse", "stream": true, "partial_images": 1, "size": "1024x1024"});
    let reply = app.test_key().generate(body).await;
    check(&document, "post", GENERATIONS, &reply);
    let events = &document["components"]["schemas"]["ImageEvents"]["contentSchema"];
    let text = String::from_utf8(reply.body.to_vec()).expect("text");
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(data.len(), 2);
    for event in data {
        conforms(
            &document,
            events,
            &serde_json::from_str(event).expect("JSON"),
        );
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
        error::table_in_markdown(),
    ] {
        assert!(text.contains(&part), "{part}");
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
            "--max-time=45",
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
