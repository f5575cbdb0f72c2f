//! Input images and results behind links, from the client's side: the application as it comes, with no network allowed.

use super::dns::name;
use super::world::{PUBLIC, World, alone, inside};
use crate::app::{Setup, TestApp, small_png, until};
use crate::client::{Client, Reply, send};
use crate::images::small_with;
use crate::receiver::{OK, Receiver};
use crate::upstream::{Mock, model};
use pinhole::app::App;
use pinhole::config::Settings;
use pinhole::fetch::FetchError;
use pinhole::types::{Mode, Scope};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

/// What public servers answer besides the picture: head and body, and whether zeros follow without end.
pub const ANSWERS: &[(&str, (&[u8], bool))] = &[
    ("/page.html", (b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n<html></html>", false)),
    ("/missing.png", (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", false)),
    ("/gzip.png", (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b", false)),
    ("/short.png", (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n\x89PNG", false)),
    (
        "/vast.png",
        (b"HTTP/1.1 200 OK\r\n\r\n\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x4e\x20\0\0\x4e\x20\x08\x02\0\0\0", false),
    ),
    (
        "/endless.png",
        (b"HTTP/1.1 200 OK\r\n\r\n\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08\x08\x02\0\0\0", true),
    ),
];

const EDITS: &str = "/v1/images/edits";
const TASKS: &str = "/api/v1/images/generations";

fn home() -> String {
    format!("http://{}", name(&[PUBLIC[0]]))
}

async fn post(client: &Client, path: &str, body: &Value) -> Reply {
    send(client.request(Method::POST, path).json(body)).await
}

async fn edit(client: &Client, more: Value) -> Reply {
    post(client, EDITS, &small_with("autumn", more)).await
}

async fn polled(client: &Client, created: &Value) -> Value {
    let id = created["data"]["taskId"].as_str().expect("a task");
    let poll = client.get(&format!("{TASKS}?task_id={id}&wait=60")).await;
    poll.ok()["data"].clone()
}

/// Runs a story with the application inside, and looks that nobody came where nobody may.
fn with_app(story: impl AsyncFnOnce(&World, &TestApp)) {
    alone(|| {
        inside(async |world| {
            let app = TestApp::start().await;
            story(world, &app).await;
            app.finish().await;
            world.expect_nobody().await;
        });
    });
}

#[test]
fn linked_images_are_fetched_once_before_the_task_runs() {
    with_app(async |world, app| {
        let customer = app.customer("1.00").await;
        let (a, b) = (format!("{}/a.png", home()), format!("{}/b.png", home()));
        let fetched = || {
            let mut asked = world.asked();
            asked.sort();
            asked
        };
        let reply = edit(&customer, json!({"image": a})).await;
        assert_eq!(reply.pictures().len(), 1);
        assert_eq!(reply.header("x-pinhole-adapted"), "");
        assert_eq!(fetched(), ["/a.png"]);

        // All spellings of a link, the mask too, side by side.
        let more = json!({"images": [a, {"image_url": b}], "mask": {"image_url": b}});
        edit(&customer, more).await.ok();
        assert_eq!(fetched(), ["/a.png", "/b.png", "/b.png"]);
        let parts = json!([
            {"type": "text", "text": "autumn"},
            {"type": "image_url", "image_url": {"url": a}},
        ]);
        let chat = json!({"model": "sketch", "messages": [{"role": "user", "content": parts}]});
        customer.generate(chat).await.ok();
        assert_eq!(fetched(), ["/a.png"]);

        let body = small_with("autumn", json!({"image_urls": [a, b]}));
        let created = post(&customer, TASKS, &body).await.ok();
        assert_eq!(polled(&customer, &created).await["state"], "completed");
        assert_eq!(fetched(), ["/a.png", "/b.png"]);

        // Redirects lead to it too.
        let path = world.redirect(302, &b);
        let link = format!("{}{path}", home());
        edit(&customer, json!({"image": link})).await.ok();
        assert_eq!(fetched(), ["/b.png", path.as_str()]);
    });
}

#[test]
fn what_cannot_be_fetched_is_refused_at_its_field_and_fails_a_task_for_nothing() {
    with_app(async |world, app| {
        let customer = app.customer("1.00").await;
        let open = format!("{}/a.png", home());
        let inner = world.redirect(302, "http://169.254.169.254/latest");
        for (path, words) in [
            ("/page.html", "not a PNG"),
            ("/missing.png", "answers with status 404"),
            ("/gzip.png", "compressed"),
            ("/short.png", "broke off"),
            ("/vast.png", "20000 x 20000 pixels"),
            ("/endless.png", "more than 20971520 bytes"),
            (inner.as_str(), "PINHOLE_ALLOW_PRIVATE_NETWORKS"),
        ] {
            refused(&customer, &open, &format!("{}{path}", home()), words).await;
        }
        for (url, words) in [
            ("http://127.0.0.1/a.png", "is loopback"),
            ("http://10.0.0.1/", "is private"),
            ("http://[fd00:ec2::254]/", "a cloud's metadata service"),
            (
                "http://nobody.example/secret",
                "http://nobody.example cannot be found",
            ),
            (
                "http://user:secret@example.com/",
                "must not carry a user name",
            ),
            ("ftp://example.com/secret", "must begin with `https://`"),
            ("a picture", "it is no URL"),
        ] {
            refused(&customer, &open, url, words).await;
        }
        customer.has("1.000000").await;
    });
}

#[test]
fn a_task_that_fails_for_its_inputs_is_counted_like_any_other() {
    with_app(async |_, app| {
        let customer = app.customer("1.00").await;
        let admin = app.scoped(Mode::Live, &[Scope::Admin]).await;
        let failed = async || {
            let metrics = admin.get("/metrics").await;
            let text = String::from_utf8_lossy(&metrics.body).into_owned();
            let count = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
            let mut lines = text.lines();
            let line = lines.find(|line| {
                line.starts_with("pinhole_tasks_total{")
                    && line.contains("failed")
                    && line.contains("live")
            });
            line.and_then(count).unwrap_or(0)
        };
        let before = failed().await;
        let link = json!({"image": "http://127.0.0.1/a.png"});
        let created = post(&customer, TASKS, &small_with("autumn", link)).await;
        assert_eq!(polled(&customer, &created.ok()).await["state"], "failed");
        assert_eq!(failed().await, before + 1);
    });
}

/// As the second of two images: a refusal that names it, or a task that fails, at no cost.
async fn refused(client: &Client, open: &str, url: &str, words: &str) {
    let images = json!({"images": [open, {"image_url": url}]});
    let error = edit(client, images.clone())
        .await
        .refused(400, "input_not_fetched");
    assert_eq!(error["param"], "images[1].image_url", "{url}: {error}");
    let message = error["message"].as_str().expect("words");
    assert!(message.contains(words), "{url}: {message}");
    assert!(!message.contains("secret"), "{message}");
    let created = post(client, TASKS, &small_with("autumn", images))
        .await
        .ok();
    let task = polled(client, &created).await;
    assert_eq!(
        (&task["state"], &task["failCode"]),
        (&json!("failed"), &json!("input_not_fetched")),
        "{task}"
    );
    assert_eq!(task["failMsg"], message);
}

/// Needs no network of its own: what the setting allows is this machine's loopback.
#[tokio::test]
async fn an_operator_may_open_a_network_and_never_the_server_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serving = tokio::task::spawn_blocking(move || serve_once(&listener));
    let app = Setup::new()
        .set(|settings| {
            settings.allow_private_networks = vec!["127.0.0.0/8".parse().expect("a network")];
        })
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let link = format!("http://127.0.0.1:{port}/a.png");
    edit(&customer, json!({"image": link})).await.ok();
    serving.await.expect("it was asked");
    let own = json!({"image_url": format!("{}/metrics", app.url)});
    let error = edit(&customer, own).await.refused(400, "input_not_fetched");
    assert_eq!(error["param"], "image_url");
    let message = error["message"].as_str().expect("words");
    assert!(
        message.ends_with("leads to this server itself"),
        "{message}"
    );
    app.finish().await;
}

/// A command that makes pictures by itself goes by the same guard as the server, which comes after its engine.
#[tokio::test]
async fn where_the_server_would_listen_nobody_is_sent_before_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings::defaults(folder.path().join("data"));
    settings.listen = ([127, 0, 0, 1], 7070).into();
    settings.metrics_listen = Some(([127, 0, 0, 1], 7071).into());
    settings.allow_private_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let app = App::open(settings).await.expect("it opens");
    let guard = app.engine().outbound();
    for port in [7070, 7071] {
        let refused = guard.check(&format!("http://127.0.0.1:{port}/")).await;
        assert!(matches!(refused, Err(FetchError::Own(_))), "{refused:?}");
    }
    assert_eq!(guard.check("http://127.0.0.1:7072/").await, Ok(()));
    app.close().await;
}

#[tokio::test]
async fn a_task_that_fails_for_its_inputs_is_told_to_its_callback() {
    let app = Setup::new()
        .set(|settings| {
            settings.allow_private_networks = vec!["127.0.0.0/8".parse().expect("a network")];
        })
        .start()
        .await;
    let receiver = Receiver::new(|_| OK).await;
    let customer = app.customer("1.00").await;
    let inline = base64_simd::STANDARD.encode_to_string(small_png());
    let images = [
        format!("data:image/png;base64,{inline}"),
        "ftp://example.com/".to_owned(),
    ];
    let more = json!({"images": images, "callback_url": receiver.url()});
    let created = post(&customer, TASKS, &small_with("autumn", more)).await;
    let id = created.ok()["data"]["taskId"].clone();
    let heard = until("the end is told", async || receiver.heard().pop()).await;
    let told = heard.body();
    assert_eq!((&told["code"], &told["data"]["taskId"]), (&json!(501), &id));
    assert_eq!(told["data"]["failCode"], "input_not_fetched", "{told}");
    // What came with the call is named by what it was, not by where it lay.
    let param = told["data"]["param"].as_str().expect("JSON in a text");
    assert!(
        param.contains("blake3:") && !param.contains("blob"),
        "{param}"
    );
    app.finish().await;
}

fn serve_once(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let answer = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &small_png()].concat();
    stream.write_all(&answer).expect("somebody listens");
}

#[test]
fn a_test_key_fetches_nothing() {
    with_app(async |world, app| {
        let link = format!("{}/a.png", home());
        let reply = edit(&app.test_key(), json!({"image": link})).await;
        reply.ok();
        assert_eq!(reply.header("x-pinhole-adapted"), "image_url=stand-in");
        assert_eq!(world.asked(), [""; 0]);
    });
}

#[test]
fn a_result_that_lies_elsewhere_is_fetched_past_the_guard() {
    alone(|| {
        inside(async |world| {
            let mock = Mock::start();
            let links = mock.settings("links", "/local/v1", &[("variant", "sd-server")]);
            let app = Setup::new()
                .set(|settings| settings.providers.push(links))
                .model(&model("linked", &["links"]))
                .start()
                .await;
            let customer = app.customer("1.00").await;
            let made = async |home: &str| {
                let prompt = format!("a boat [mock:elsewhere={home}]");
                customer
                    .generate(json!({"model": "linked", "prompt": prompt, "size": "1024x640"}))
                    .await
            };
            let reply = made(&home()).await;
            assert_eq!(reply.pictures(), [world.picture()]);
            assert_eq!(world.asked(), ["/pictures/1024x640.png"]);
            made("http://10.0.0.1")
                .await
                .refused(504, "outcome_unknown");
            let inner = world.redirect(302, "http://127.0.0.1/");
            made(&format!("{}{inner}?", home()))
                .await
                .refused(504, "outcome_unknown");
            customer.has("0.960000").await;
            app.finish().await;
            world.expect_nobody().await;
        });
    });
}
