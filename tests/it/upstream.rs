//! Stories of a real upstream: the provider `openai` against a strict stand-in of OpenAI's service, a process of its own.
//!
//! The stand-in's log is the witness of what was sent and what would have been billed.

use crate::app::{Setup, TestApp, noise_png};
use crate::client::{Holder, Reply, send};
use crate::late;
use crate::server::{Site, read_only};
use futures::StreamExt;
use image::{GenericImageView, ImageFormat};
use pinhole::config::ProviderSettings;
use pinhole::types::Money;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The smallest sort of picture that the model makes.
const SIZE: &str = "1024x640";

pub const KEY: &str = "sk-upstream-0123456789";

/// The stand-in. Dropping it ends it.
pub struct Mock {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub home: String,
    folder: TempDir,
}

impl Mock {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(example("openai_mock"))
            .args(["--key", KEY, "--log"])
            .arg(folder.path().join("calls.jsonl"))
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the stand-in starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let home = line
            .trim()
            .strip_suffix("/v1")
            .expect("a base URL")
            .to_owned();
        Self {
            child,
            home,
            folder,
        }
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Value> {
        let log =
            std::fs::read_to_string(self.folder.path().join("calls.jsonl")).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Lets one event go, or one reply that is held.
    async fn go(&self) {
        let client = reqwest::Client::builder().no_proxy().build();
        let go = client
            .expect("a client")
            .post(format!("{}/mock/go", self.home));
        go.send().await.expect("it listens");
    }

    /// The only call so far.
    fn only_call(&self) -> Value {
        let calls = self.calls();
        assert_eq!(calls.len(), 1, "{calls:#?}");
        calls[0].clone()
    }

    /// A `[provider.NAME]` section that leads here.
    pub fn settings(&self, name: &str, path: &str, more: &[(&str, &str)]) -> ProviderSettings {
        provider(name, &format!("{}{path}", self.home), more)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Examples are built with all tests, beside the folder that the tests run from.
pub fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("this program has a path");
    let target = tests
        .parent()
        .and_then(Path::parent)
        .expect("it lies in target/debug/deps");
    let program = target.join("examples").join(name);
    assert!(
        program.exists(),
        "build it first: cargo build --example {name} --features failpoints"
    );
    program
}

pub fn provider(name: &str, base_url: &str, more: &[(&str, &str)]) -> ProviderSettings {
    let usual = [("api_key", KEY), ("base_url", base_url), ("proxy", "none")];
    ProviderSettings {
        name: name.to_owned(),
        kind: "openai".to_owned(),
        options: usual
            .iter()
            .chain(more)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// A model that takes what `gpt-image-2` takes, for 0.04 an image, at these providers in this order; each image costs the
/// operator 0.01.
pub fn model(id: &str, providers: &[&str]) -> String {
    let mut text = format!(
        "id = \"{id}\"\nextends = \"gpt-image-2\"\nname = \"{id}\"\n\n\
         [[price]]\nunit = \"image\"\namount = \"0.04\"\nsource = \"this test\"\ndate = 2026-11-21\n"
    );
    for (priority, provider) in providers.iter().enumerate() {
        text += &format!(
            "\n[[target]]\nprovider = \"{provider}\"\nmodel = \"gpt-image-2\"\npriority = {priority}\nmax_images = 10\n\
             [[target.cost]]\nunit = \"image\"\namount = \"0.01\"\nsource = \"this test\"\ndate = 2026-11-21\n"
        );
    }
    text
}

/// An application with these providers, a model for each of them and the calm stand-in as second choice, under the first
/// one's name.
pub async fn app(mock: &Mock, providers: &[ProviderSettings]) -> TestApp {
    let calm = mock.settings("calm", "/calm/v1", &[]);
    let all: Vec<_> = providers.iter().cloned().chain([calm]).collect();
    let mut setup = Setup::new().set(move |settings| settings.providers.extend(all));
    for one in providers {
        setup = setup.model(&model(&format!("two-{}", one.name), &[&one.name, "calm"]));
    }
    setup.start().await
}

fn body(model: &str, prompt: &str, more: Value) -> Value {
    let mut body = json!({"model": model, "prompt": prompt, "size": SIZE});
    let fields = body.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    body
}

/// What the operator was charged by providers in all.
fn provider_cost(app: &TestApp) -> i64 {
    let rows = read_only(&app.setup().file("data"));
    let sql = "SELECT coalesce(sum(amount), 0) FROM transfers WHERE kind = 'cost'";
    rows.query_row(sql, [], |row| row.get(0)).expect(sql)
}

async fn lost(app: &TestApp) -> Money {
    let audit = app.store().audit().await.expect("rows");
    assert!(audit.is_clean(), "{audit:#?}");
    audit.operator_loss
}

fn dimensions(bytes: &[u8], format: ImageFormat) -> (u32, u32) {
    let picture = image::load_from_memory_with_format(bytes, format);
    picture.expect("a real picture of this format").dimensions()
}

#[tokio::test]
async fn three_pictures_come_and_tokens_are_what_they_cost() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    let customer = app.customer("1.00").await;
    let prompt = "three boats on a calm lake";
    let more = json!({"n": 3, "output_format": "webp", "output_compression": 80, "safety_identifier": "user-1"});
    let reply = customer.generate(body("gpt-image-2", prompt, more)).await;
    let pictures = reply.pictures();
    assert_eq!(pictures.len(), 3);
    for picture in &pictures {
        assert_eq!(dimensions(picture, ImageFormat::WebP), (1024, 640));
    }
    let usage = &reply.json()["usage"];
    let text = prompt.len() as u64;
    assert_eq!(usage["input_tokens"], text);
    assert_eq!(usage["output_tokens"], 3000);
    assert_eq!(usage["total_tokens"], text + 3000);
    // The account pays by the image, the operator by the token: 5 and 30 dollars a million.
    assert_eq!(
        reply.header("x-pinhole-cost"),
        reply.header("x-pinhole-quote")
    );
    assert_eq!(
        provider_cost(&app),
        i64::try_from(5 * text + 30 * 3000).expect("a few")
    );

    let call = mock.only_call();
    assert_eq!(
        (&call["call"], &call["paid"]),
        (&json!("generations"), &json!(true))
    );
    assert_eq!(
        call["ask"]["fields"],
        json!({
            "model": "gpt-image-2", "prompt": prompt, "n": 3, "size": SIZE, "background": "auto", "quality": "medium",
            "moderation": "auto", "output_format": "webp", "output_compression": 80, "safety_identifier": "user-1",
        }),
        "what the form declares, and nothing else"
    );
    app.finish().await;
}

#[tokio::test]
async fn tokens_that_were_counted_for_nothing_are_the_operators_loss() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    let customer = app.customer("1.00").await;
    // The stand-in counts 1 token of text, 1000 of images that went in and 1000 of output, and brings no image.
    let reply = customer
        .generate(body("gpt-image-2", "a boat [mock:zero]", json!({})))
        .await;
    reply.refused(504, "outcome_unknown");
    let micros = 5 + 8 * 1000 + 30 * 1000;
    assert_eq!(lost(&app).await, Money::from_micros(micros));
    // Of one that broke off before it was counted nothing is known.
    let reply = customer
        .generate(body("gpt-image-2", "a boat [mock:close]", json!({})))
        .await;
    reply.refused(504, "outcome_unknown");
    assert_eq!(lost(&app).await, Money::from_micros(micros));
    assert_eq!(provider_cost(&app), 0);
    customer.has("1.000000").await;
    app.finish().await;
}

#[tokio::test]
async fn every_format_and_transparency_is_the_upstreams_own() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    let customer = app.customer("1.00").await;
    for (format, background, read) in [
        ("png", "opaque", ImageFormat::Png),
        ("png", "transparent", ImageFormat::Png),
        ("jpeg", "auto", ImageFormat::Jpeg),
        ("webp", "transparent", ImageFormat::WebP),
    ] {
        let more = json!({"output_format": format, "background": background});
        let reply = customer.generate(body("gpt-image-2", "a boat", more)).await;
        assert_eq!(reply.ok()["output_format"], format);
        let picture = &reply.pictures()[0];
        assert_eq!(dimensions(picture, read), (1024, 640));
        let has_alpha = image::load_from_memory(picture)
            .expect("it decodes")
            .color()
            .has_alpha();
        assert_eq!(
            has_alpha,
            background == "transparent",
            "{format} {background}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn sixteen_images_and_a_mask_arrive_as_files_of_their_type() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    let customer = app.customer("1.00").await;
    let mut files = vec![noise_png(64); 14];
    for format in [ImageFormat::Jpeg, ImageFormat::WebP] {
        let mut file = std::io::Cursor::new(Vec::new());
        let picture = image::DynamicImage::new_rgb8(40, 30);
        picture.write_to(&mut file, format).expect("it encodes");
        files.push(file.into_inner());
    }
    let part = |bytes: &[u8]| Part::bytes(bytes.to_vec()).file_name("blob");
    let mut form = Form::new()
        .text("model", "gpt-image-2")
        .text("prompt", "join them")
        .text("size", SIZE)
        .part("mask", part(&noise_png(64)));
    for file in &files {
        form = form.part("image[]", part(file));
    }
    let edit = |form| {
        send(
            customer
                .request(Method::POST, "/v1/images/edits")
                .multipart(form),
        )
    };
    let reply = edit(form).await;
    assert_eq!(
        dimensions(&reply.pictures()[0], ImageFormat::Png),
        (1024, 640)
    );
    assert_eq!(
        reply.json()["usage"]["input_tokens_details"]["image_tokens"],
        1700
    );

    let call = mock.only_call();
    assert_eq!(call["call"], "edits");
    let sent = call["ask"]["files"].as_array().expect("files").clone();
    assert_eq!(sent.len(), 17);
    for (k, file) in files.iter().enumerate() {
        let kind = ["png", "jpeg", "webp"][k.saturating_sub(13).min(2)];
        let expected = json!({
            "name": "image[]", "file_name": format!("image-{}.{kind}", k + 1), "type": format!("image/{kind}"), "bytes": file.len(),
        });
        assert_eq!(sent[k], expected);
    }
    assert_eq!(
        (&sent[16]["name"], &sent[16]["type"]),
        (&json!("mask"), &json!("image/png"))
    );
    assert_eq!(
        call["ask"]["fields"]["moderation"],
        Value::Null,
        "edits have no such choice"
    );

    // A single one goes under its single name.
    let single = |mask: Option<u32>| {
        let form = Form::new()
            .text("model", "gpt-image-2")
            .text("prompt", "mend it")
            .text("size", SIZE);
        let form = form.part("image", part(&noise_png(64)));
        match mask {
            Some(side) => form.part("mask", part(&noise_png(side))),
            None => form,
        }
    };
    edit(single(None)).await.ok();
    assert_eq!(mock.calls()[1]["ask"]["files"][0]["name"], "image");
    // One of another size does not even leave.
    edit(single(Some(32))).await.refused(400, "wrong_size");
    assert_eq!(mock.calls().len(), 2);
    app.finish().await;
}

/// A streaming reply, read as it comes.
struct Stream {
    bytes: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    read: String,
}

impl Stream {
    /// The next event: its name and its data.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((frame, rest)) = self.read.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.read = rest;
                if let Some((name, data)) = frame.split_once('\n') {
                    let name = name.strip_prefix("event: ").expect("a name").to_owned();
                    let data = data.strip_prefix("data: ").expect("data");
                    return Some((name, serde_json::from_str(data).expect("JSON")));
                }
                continue;
            }
            let chunk = self.bytes.next().await?.expect("the stream does not break");
            self.read += std::str::from_utf8(&chunk).expect("ASCII");
        }
    }
}

#[tokio::test]
async fn partial_images_pass_one_by_one_while_the_upstream_still_works() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    let customer = app.customer("1.00").await;
    let more = json!({"stream": true, "partial_images": 2});
    let request = customer.generation(&body("gpt-image-2", "a boat [mock:gate]", more));
    let go = async || mock.go().await;
    let (response, ()) = tokio::join!(request.send(), go());
    let response = response.expect("a reply");
    assert_eq!(response.status().as_u16(), 200);
    let mut stream = Stream {
        bytes: Box::pin(response.bytes_stream()),
        read: String::new(),
    };
    // Each event is let go only when the one before it was read.
    for number in 0..2 {
        let (name, data) = stream.next().await.expect("an event");
        assert_eq!(
            (name.as_str(), &data["partial_image_index"]),
            ("image_generation.partial_image", &json!(number))
        );
        go().await;
    }
    let (name, data) = stream.next().await.expect("an event");
    assert_eq!(name, "image_generation.completed");
    assert_eq!(data["usage"]["output_tokens"], 1000);
    assert!(data["pinhole"]["cost"].is_string());
    assert!(stream.next().await.is_none());
    let fields = &mock.only_call()["ask"]["fields"];
    assert_eq!(
        (&fields["stream"], &fields["partial_images"]),
        (&json!(true), &json!(2))
    );
    app.finish().await;
}

#[tokio::test]
async fn a_stream_that_fails_late_or_has_no_end_is_told_so() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    let customer = app.customer("1.00").await;
    for (fault, code, loss) in [
        ("nolast", "outcome_unknown", "0.010000"),
        ("latefail", "upstream_failed", "0.010000"),
        (
            "latefail=moderation_blocked",
            "content_policy_violation",
            "0.010000",
        ),
    ] {
        let more = json!({"stream": true, "partial_images": 1});
        let prompt = format!("a boat [mock:{fault}]");
        let reply = customer.generate(body("two-openai", &prompt, more)).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(
            text.contains("image_generation.partial_image"),
            "{fault}: {}",
            reply.text()
        );
        let (_, error) = text
            .split_once("event: error\ndata: ")
            .expect("an error event");
        let error: Value = serde_json::from_str(error.trim()).expect("JSON");
        assert_eq!(error["error"]["code"], code, "{fault}");
        assert_eq!(lost(&app).await.to_string(), loss, "{fault}");
    }
    customer.has("1.000000").await;
    assert_eq!(mock.calls().len(), 3, "nobody else was asked");
    app.finish().await;
}

/// What a fault must lead to.
pub struct Expected {
    pub status: u16,
    /// Of the error; empty for a success.
    pub code: &'static str,
    /// Images in the reply.
    pub images: usize,
    /// Whether the second target was asked.
    pub goes_on: bool,
    pub charged: &'static str,
    pub lost: &'static str,
}

/// Refused before any work: the second target delivers.
pub const SECOND: Expected = Expected {
    status: 200,
    code: "",
    images: 1,
    goes_on: true,
    charged: "0.040000",
    lost: "0.000000",
};
/// Said and final.
pub const POLICY: Expected = Expected {
    status: 400,
    code: "content_policy_violation",
    images: 0,
    goes_on: false,
    charged: "0.000000",
    lost: "0.000000",
};
pub const REJECTED: Expected = Expected {
    code: "invalid_parameter",
    ..POLICY
};
pub const FAILED: Expected = Expected {
    status: 502,
    code: "upstream_failed",
    ..POLICY
};
pub const UNKNOWN: Expected = Expected {
    status: 504,
    code: "outcome_unknown",
    lost: "0.010000",
    ..POLICY
};
pub const FINE: Expected = Expected {
    goes_on: false,
    ..SECOND
};

/// One call with a fault: what the client gets, who was asked, what was booked.
pub async fn check(
    app: &TestApp,
    mock: &Mock,
    model: &str,
    fault: &str,
    n: u32,
    expected: &Expected,
) {
    let (calls, loss) = (mock.calls().len(), lost(app).await);
    let customer = app.customer("1.00").await;
    let reply = customer
        .generate(body(model, &format!("a boat {fault}"), json!({"n": n})))
        .await;
    let told = format!("{model} {fault}: {} {}", reply.status, reply.text());
    if expected.code.is_empty() {
        assert_eq!(reply.status, expected.status, "{told}");
        assert_eq!(reply.pictures().len(), expected.images, "{told}");
        assert_eq!(reply.header("x-pinhole-cost"), expected.charged, "{told}");
    } else {
        assert_eq!(reply.json()["error"]["code"], expected.code, "{told}");
        assert_eq!(reply.status, expected.status, "{told}");
    }
    if expected.status == 504 {
        assert_eq!(reply.header("x-should-retry"), "false", "{told}");
    }
    assert!(
        !reply.text().contains("As the prompt asked"),
        "the upstream's own words: {told}"
    );

    let new = mock.calls().split_off(calls);
    let of = |manner: &str| new.iter().filter(|call| call["manner"] == manner).count();
    assert_eq!(
        of("calm"),
        usize::from(expected.goes_on),
        "{told}\n{new:#?}"
    );
    assert!(
        of("strict") + of("early") <= 1,
        "sent twice: {told}\n{new:#?}"
    );
    let paid = new.iter().filter(|call| call["paid"] == true).count();
    assert!(paid <= 1, "paid twice: {told}\n{new:#?}");
    let left: Money = "1.00".parse().expect("an amount");
    let charged: Money = expected.charged.parse().expect("an amount");
    customer.has(&minus(left, charged)).await;
    assert_eq!(minus(lost(app).await, loss), expected.lost, "{told}");
}

fn minus(more: Money, less: Money) -> String {
    more.minus(less).expect("it grows").to_string()
}

#[tokio::test]
async fn what_was_refused_before_any_work_goes_to_the_next_target() {
    let mock = Mock::start();
    let other = [
        mock.settings("openai", "/v1", &[]),
        mock.settings("declared", "/v1", &[("retry_503", "true")]),
        mock.settings("wrong-key", "/v1", &[("api_key", "sk-wrong")]),
        mock.settings("wrong-path", "/nothing/here", &[]),
        provider("refuses", "http://127.0.0.1:1/v1", &[]),
        provider("nameless", "http://nobody.invalid/v1", &[]),
        // A server without TLS cannot be spoken to in TLS.
        provider(
            "no-tls",
            &format!("{}/v1", mock.home.replace("http:", "https:")),
            &[],
        ),
    ];
    let app = app(&mock, &other).await;
    for fault in [
        "[mock:status=401]",
        "[mock:status=402]",
        "[mock:status=403]",
        "[mock:status=404]",
        "[mock:status=429]",
        "[mock:status=429][mock:code=insufficient_quota]",
        "[mock:status=400][mock:code=billing_hard_limit_reached]",
    ] {
        check(&app, &mock, "two-openai", fault, 1, &SECOND).await;
    }
    check(
        &app,
        &mock,
        "two-declared",
        "[mock:status=503][mock:free]",
        1,
        &SECOND,
    )
    .await;
    for model in [
        "two-wrong-key",
        "two-wrong-path",
        "two-refuses",
        "two-nameless",
        "two-no-tls",
    ] {
        check(&app, &mock, model, "", 1, &SECOND).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn what_was_said_is_final_and_goes_nowhere_else() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    for (fault, expected) in [
        ("", &FINE),
        ("[mock:slow=5]", &FINE),
        ("[mock:moderation]", &POLICY),
        (
            "[mock:status=400][mock:code=content_policy_violation]",
            &POLICY,
        ),
        ("[mock:error200][mock:code=moderation_blocked]", &POLICY),
        ("[mock:status=400]", &REJECTED),
        ("[mock:status=422]", &REJECTED),
        ("[mock:status=500]", &FAILED),
        ("[mock:status=503]", &FAILED),
        ("[mock:status=307]", &FAILED),
        ("[mock:error200]", &FAILED),
        ("[mock:error200][mock:code=insufficient_quota]", &FAILED),
    ] {
        check(&app, &mock, "two-openai", fault, 1, expected).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn what_nobody_can_tell_is_unknown_booked_as_a_loss_and_never_sent_again() {
    let mock = Mock::start();
    let other = [
        mock.settings("openai", "/v1", &[]),
        mock.settings("another", "/v1", &[]),
        mock.settings("early", "/early/v1", &[]),
        mock.settings(
            "hasty",
            "/v1",
            &[("response_timeout_s", "1"), ("idle_timeout_s", "1")],
        ),
    ];
    let app = app(&mock, &other).await;
    // By two, so that the breaker of neither opens.
    let models = ["two-openai", "two-another"].into_iter().cycle();
    let faults = [
        "[mock:status=408]",
        "[mock:status=502]",
        "[mock:status=504]",
        "[mock:proxy=502]",
        "[mock:proxy=503]",
        "[mock:html]",
        "[mock:zero]",
        "[mock:count=0]",
        "[mock:truncated]",
        "[mock:cut]",
        "[mock:huge]",
        "[mock:close]",
    ];
    for (fault, model) in faults.into_iter().zip(models) {
        check(&app, &mock, model, fault, 1, &UNKNOWN).await;
    }
    check(&app, &mock, "two-early", "", 1, &UNKNOWN).await;
    for fault in ["[mock:silence]", "[mock:stall]"] {
        check(&app, &mock, "two-hasty", fault, 1, &UNKNOWN).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a_reply_whose_head_comes_after_the_time_of_its_call_is_kept_and_free() {
    let mock = Mock::start();
    let only = mock.settings("openai", "/v1", &[]);
    let app = Setup::new()
        .set(|settings| {
            settings.providers.push(only);
            settings.timeouts.attempt = Duration::from_millis(100);
        })
        .model(&model("slow", &["openai"]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let reply = customer
        .generate(body("slow", "a boat [mock:held]", json!({})))
        .await;
    let task = reply.task_id();
    reply.refused(504, "outcome_unknown");
    mock.go().await;
    let picture = late::kept(&app, &customer, &task).await;
    assert_eq!(dimensions(&picture, ImageFormat::Png), (1024, 640));
    app.finish().await;
}

#[tokio::test]
async fn what_came_is_delivered_and_charged_as_it_is() {
    let mock = Mock::start();
    let app = app(&mock, &[mock.settings("openai", "/v1", &[])]).await;
    let two = |lost| Expected {
        images: 2,
        charged: "0.080000",
        lost,
        ..FINE
    };
    // Fewer than asked, and said so: nothing is lost.
    check(
        &app,
        &mock,
        "two-openai",
        "[mock:count=2]",
        3,
        &two("0.000000"),
    )
    .await;
    // The third was made and did not arrive.
    check(&app, &mock, "two-openai", "[mock:cut]", 3, &two("0.010000")).await;
    check(
        &app,
        &mock,
        "two-openai",
        "[mock:truncated]",
        3,
        &two("0.010000"),
    )
    .await;
    // More than asked are not charged.
    check(
        &app,
        &mock,
        "two-openai",
        "[mock:count=5]",
        2,
        &two("0.000000"),
    )
    .await;

    let customer = app.customer("1.00").await;
    let prompt = "a boat [mock:pixels=320x200][mock:format=jpeg]";
    let reply = customer
        .generate(body("two-openai", prompt, json!({})))
        .await;
    assert_eq!(reply.ok()["pinhole"]["size"], "320x200", "the real pixels");
    assert_eq!(
        dimensions(&reply.pictures()[0], ImageFormat::Jpeg),
        (320, 200)
    );
    app.finish().await;
}

#[tokio::test]
async fn servers_like_openais_are_asked_in_their_own_way() {
    let mock = Mock::start();
    let azure = [("variant", "azure"), ("api_version", "2025-04-01-preview")];
    let app = app(
        &mock,
        &[
            mock.settings("azure", "", &azure),
            mock.settings(
                "local",
                "/local/v1",
                &[("variant", "vllm-omni"), ("api_key", "")],
            ),
            mock.settings("links", "/local/v1", &[("variant", "sd-server")]),
            mock.settings("sglang", "/local/v1", &[("variant", "sglang")]),
            mock.settings("localai", "/local/v1", &[("variant", "localai")]),
        ],
    )
    .await;
    let customer = app.customer("1.00").await;
    let picture =
        async |model: &str, prompt: &str| customer.generate(body(model, prompt, json!({}))).await;
    let last = || mock.calls().pop().expect("a call");

    assert_eq!(picture("two-azure", "a boat").await.pictures().len(), 1);
    assert_eq!(last()["manner"], "azure");

    assert_eq!(picture("two-local", "a boat").await.pictures().len(), 1);
    assert_eq!(last()["ask"]["fields"]["response_format"], "b64_json");

    // It answers a link, which is fetched without the key; the stand-in refuses whoever shows it.
    let reply = picture("two-links", "a boat").await;
    assert_eq!(
        dimensions(&reply.pictures()[0], ImageFormat::Png),
        (1024, 640)
    );
    assert_eq!(last()["ask"]["fields"]["response_format"], Value::Null);
    check(&app, &mock, "two-links", "[mock:elsewhere]", 1, &UNKNOWN).await;
    // A picture that is away for a moment is asked for again.
    let reply = picture("two-links", "a boat [mock:away=1]").await;
    assert_eq!(reply.pictures().len(), 1);
    // Knobs are not for clients: another target takes the prompt as the words that it is.
    check(
        &app,
        &mock,
        "two-links",
        "<sd_cpp_extra_args>{}</sd_cpp_extra_args>",
        1,
        &SECOND,
    )
    .await;

    picture("two-sglang", "a boat").await.ok();
    let seed = last()["ask"]["fields"]["seed"].clone();
    picture("two-sglang", "a boat").await.ok();
    assert!(
        seed.is_u64() && seed != last()["ask"]["fields"]["seed"],
        "{seed}"
    );

    // What it cannot do is not sent to it.
    let edit = async |model: &str| {
        let part = || Part::bytes(noise_png(64)).file_name("blob");
        let form = Form::new()
            .text("model", model.to_owned())
            .text("prompt", "mend it")
            .text("size", SIZE);
        let form = form.part("image", part()).part("mask", part());
        send(
            customer
                .request(Method::POST, "/v1/images/edits")
                .multipart(form),
        )
        .await
    };
    for model in ["two-sglang", "two-localai"] {
        edit(model).await.ok();
        assert_eq!(last()["manner"], "calm", "{model}");
    }
    edit("two-local").await.ok();
    assert_eq!(last()["ask"]["files"][1]["name"], "mask_image");
    app.finish().await;
}

/// The real program, turned on by the variables of OpenAI's SDKs.
async fn site(mock: &Mock, key: &str) -> (Site, Holder) {
    let site = Site::new(Duration::ZERO)
        .variable("OPENAI_API_KEY", key)
        .variable("OPENAI_BASE_URL", &format!("{}/v1", mock.home));
    let holder = site.customer("1.00").await;
    (site, holder)
}

#[tokio::test]
async fn the_program_calls_openai_when_the_sdks_variables_are_set() {
    let mock = Mock::start();
    let (site, holder) = site(&mock, KEY).await;
    let server = site.start("").await;
    let client = server.client(&holder);
    let models = client.get("/v1/models").await.ok();
    let ids: Vec<&str> = models["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["id"].as_str())
        .collect();
    assert!(ids.contains(&"gpt-image-2"), "{ids:?}");
    let reply: Reply = client
        .generate(body("gpt-image-2", "a boat", json!({})))
        .await;
    assert_eq!(
        dimensions(&reply.pictures()[0], ImageFormat::Png),
        (1024, 640)
    );
    assert!(server.terminate().await.success());
    assert_eq!(mock.only_call()["paid"], true);
}

#[tokio::test]
async fn the_log_says_why_and_shows_neither_key_nor_prompt() {
    let mock = Mock::start();
    let secret = "sk-wrong-s3cret-words";
    let (site, holder) = site(&mock, secret).await;
    let server = site.start("").await;
    let reply = server
        .client(&holder)
        .generate(body("gpt-image-2", "a private zeppelin", json!({})))
        .await;
    reply.refused(503, "overloaded");
    assert!(server.terminate().await.success());
    let log = site.log_text();
    assert!(
        log.contains("invalid_api_key") && log.contains("401"),
        "{log}"
    );
    for hidden in ["s3cret", "zeppelin", "sk-wr"] {
        assert!(!log.contains(hidden), "{hidden} in {log}");
    }
}

#[test]
fn providers_are_listed_without_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("pinhole.toml");
    let section = "[provider.my-azure]\nkind = \"openai\"\nvariant = \"azure\"\nbase_url = \"https://r.openai.azure.com\"\n\
                   api_version = \"2025-04-01-preview\"\napi_key = \"s3cret\"\nconcurrency = 4\n";
    std::fs::write(&config, section).expect("room for a file");
    let run = |arguments: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_pinhole"))
            .arg("providers")
            .args(arguments)
            .arg("--config")
            .arg(&config)
            .env_clear()
            .env("HOME", folder.path())
            .env("OPENAI_API_KEY", KEY)
            .output()
            .expect("it runs");
        let (out, words) = (
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr),
        );
        assert!(ran.status.success(), "{words}");
        for text in [&out, &words] {
            assert!(!text.contains(KEY) && !text.contains("s3cret"), "{text}");
        }
        out.into_owned()
    };
    let listed: Value = serde_json::from_str(&run(&["--json"])).expect("JSON");
    let of = |name: &str| {
        let rows = listed.as_array().into_iter().flatten();
        rows.clone()
            .find(|row| row["name"] == name)
            .cloned()
            .expect(name)
    };
    assert_eq!(of("my-azure")["base_url"], "https://r.openai.azure.com/");
    assert_eq!(
        (&of("my-azure")["concurrency"], &of("my-azure")["models"]),
        (&json!(4), &json!([]))
    );
    assert_eq!(of("openai")["base_url"], "https://api.openai.com/v1");
    assert!(
        of("openai")["models"]
            .as_array()
            .is_some_and(|all| all.contains(&json!("gpt-image-2")))
    );
    assert_eq!(
        (&of("sketch")["kind"], &of("sketch")["base_url"]),
        (&json!("sketch"), &Value::Null)
    );
    let table = run(&[]);
    assert!(
        table.contains("https://api.openai.com/v1") && table.contains("gpt-image-2"),
        "{table}"
    );
}
