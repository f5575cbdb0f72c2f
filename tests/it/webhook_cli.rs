//! `pinhole webhook` from outside, the receivers of `examples/webhook`, and the official libraries on what was sent.

use crate::app::until;
use crate::cli::{Place, Ran, Server, wait_for};
use crate::receiver::{OK, Receiver};
use crate::sdks::installed;
use crate::webhook::{setup, tell};
use pinhole::types::{Mode, SigningSecret};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A place whose server may call loopback.
fn place() -> Place {
    let place = Place::new();
    let settings = "allow_private_networks = [\"127.0.0.0/8\"]\n";
    std::fs::write(place.work().join("pinhole.toml"), settings).expect("room for a file");
    place
}

/// A program that receives, and what it prints. Dropping it ends it.
struct Listening {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    port: String,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listening {
    fn line(&mut self) -> String {
        let line = self.lines.next().expect("it prints a line");
        line.expect("text")
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
}

/// `pinhole webhook listen`, which says on stderr where it listens.
fn listen(place: &Place, more: &[&str]) -> Listening {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole"));
    let mut child = command
        .args(["webhook", "listen", "--port", "0", "--json"])
        .args(more)
        .env_clear()
        .env("HOME", place.root.path())
        .env("PINHOLE_DATA", place.data())
        .current_dir(place.work())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let told = stderr.lines().next().expect("it says where").expect("text");
    let port = told.split("127.0.0.1:").nth(1).expect("an address");
    let port = port.split('/').next().expect("a port").to_owned();
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    Listening { child, lines, port }
}

fn submit(place: &Place, url: &str) -> String {
    let callback = format!("callback_url={url}");
    let arguments = [
        "task", "submit", "-m", "sketch", "--size", "64x64", "-p", &callback, "a kite",
    ];
    place.run(&arguments).exits(0).out()
}

fn state(place: &Place, task: &str) -> Value {
    let told = place.json(&["task", "get", task, "--json"]);
    told["deliveries"][0].clone()
}

fn is_delivered(place: &Place, task: &str, attempts: u64) {
    wait_for(PATIENCE, || {
        let told = state(place, task);
        let over = told["state"] == "delivered" && told["attempts"].as_u64() >= Some(attempts);
        over.then_some(())
    });
}

#[test]
fn a_desk_receives_lists_and_repeats() {
    let place = place();
    let _server = Server::start(&place);
    let mut desk = listen(&place, &[]);
    let task = submit(&place, &desk.url());
    let heard: Value = serde_json::from_str(&desk.line()).expect("JSON");
    assert_eq!(heard["signature"], "good", "{heard}");
    assert_eq!(
        (&heard["path"], &heard["answered"]),
        (&json!("/hook"), &json!(200))
    );
    assert_eq!(heard["body"]["data"]["taskId"], json!(task));
    is_delivered(&place, &task, 1);
    let told = place.run(&["task", "get", &task]).exits(0).out();
    assert!(
        told.contains("delivered after 1 attempt (status 200)"),
        "{told}"
    );

    let list = place.json(&["webhook", "ls", "--json"]);
    assert_eq!(list["deliveries"][0]["taskId"], json!(task));
    let table = place
        .run(&["webhook", "ls", "--state", "delivered"])
        .exits(0);
    assert!(table.out().contains(&desk.url()));
    let none = place
        .run(&["webhook", "ls", "--state", "exhausted"])
        .exits(0);
    assert_eq!(none.out(), "");

    // On the folder, beside the server, which finds it at its next look.
    place
        .run(&["webhook", "resend", &task])
        .exits(0)
        .says(&["1 callback is sent again"]);
    let again: Value = serde_json::from_str(&desk.line()).expect("JSON");
    assert_eq!(again["id"], heard["id"], "receivers know it by its id");
    is_delivered(&place, &task, 2);
    let all = [
        "webhook",
        "resend",
        "--failed",
        "--since",
        "2026-01-01",
        "--json",
    ];
    assert_eq!(place.json(&all)["resent"], 0);

    // One that always fails, and one that fails at times.
    let angry = listen(&place, &["--status", "503", "-n", "1"]);
    let came = place.run(&["webhook", "test", &angry.url()]).exits(5);
    came.says(&["answered 503"]);
    let fickle = listen(&place, &["--fail", "100%", "-n", "1"]);
    place
        .run(&["webhook", "test", &fickle.url()])
        .exits(5)
        .says(&["500"]);
    place.run(&["webhook", "test", &desk.url()]).exits(0);
    let test: Value = serde_json::from_str(&desk.line()).expect("JSON");
    assert_eq!(
        (&test["signature"], &test["body"]["code"]),
        (&json!("good"), &json!(200))
    );

    for (arguments, words) in [
        (&["webhook", "resend"][..], "TASK"),
        (&["webhook", "resend", "task_1"], "no id of a task"),
        (&["webhook", "resend", "--failed"], "--since"),
        (&["webhook", "ls", "--state", "done"], "pending, delivered"),
        (&["webhook", "listen", "--fail", "120%"], "30%"),
        (&["webhook", "listen", "--secret", "x"], "whsec_"),
    ] {
        place.run(arguments).exits(2).says(&[words]);
    }
    let nobody = ["webhook", "resend", "task_00000000000000000000000000000000"];
    place.run(&nobody).exits(1).says(&["no callback"]);
}

#[test]
fn a_test_is_made_by_the_server_that_runs_and_by_its_settings() {
    let test = |place: &Place, url: &str, allowed: &str| {
        let mut command = place.command(&["webhook", "test", url]);
        command.env("PINHOLE_ALLOW_PRIVATE_NETWORKS", allowed);
        Ran::of(command.output().expect("it runs"))
    };
    let open = place();
    let desk = listen(&open, &[]);
    let _server = Server::start(&open);
    test(&open, &desk.url(), "10.0.0.0/8").exits(0);
    let unknown = ["webhook", "test", &desk.url(), "--account", "nobody"];
    open.run(&unknown).exits(2).says(&["account"]);

    let strict = Place::new();
    let server = Server::start(&strict);
    let came = test(&strict, &desk.url(), "127.0.0.0/8").exits(5);
    came.says(&["PINHOLE_ALLOW_PRIVATE_NETWORKS"]);
    // What it signs in with is the owner's alone, and good for one process.
    let word = strict.data().join("operator-key");
    let mode = std::fs::metadata(&word).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&word).expect("a text");
    drop(server);
    let _server = Server::start(&strict);
    assert_ne!(before, std::fs::read_to_string(&word).expect("a text"));
    // None runs: then it is made from here.
    let alone = Place::new();
    test(&alone, &desk.url(), "127.0.0.0/8").exits(0);
}

#[test]
fn a_test_goes_through_the_guard() {
    let place = Place::new();
    let came = place.run(&["webhook", "test", "http://127.0.0.1:8099/hook"]);
    // Nothing was sent, so no receiver is at fault.
    came.exits(2).says(&["PINHOLE_ALLOW_PRIVATE_NETWORKS"]);
    for wrong in ["not-a-url", "ftp://example.com/hook"] {
        let came = place.run(&["webhook", "test", wrong]);
        came.exits(2)
            .says(&["cannot be called back", "callback_url"]);
    }
}

#[test]
fn secrets_are_shown_replaced_and_checked_with() {
    let place = place();
    let show = |more: &[&str]| {
        let arguments = [&["webhook", "secret", "show"], more].concat();
        place.run(&arguments).exits(0).out()
    };
    let first = show(&[]);
    assert!(SigningSecret::parse(&first).is_some(), "{first}");
    assert_eq!(show(&[]), first);
    place.run(&["accounts", "create", "shop"]).exits(0);
    assert_ne!(show(&["--account", "shop"]), first);
    let told = place.json(&["webhook", "secret", "rotate", "--overlap", "2", "--json"]);
    let secrets = told["secrets"].as_array().expect("a list");
    assert_eq!((secrets.len(), &secrets[1]["secret"]), (2, &json!(first)));
    let second = show(&[]);
    assert_ne!(second, first);

    // The specification's own example, which is old by now.
    let folder = place.work();
    std::fs::write(folder.join("body"), br#"{"test": 2432232314}"#).expect("room");
    let headers = "Content-Type: application/json\r\nWebhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n\
        webhook-timestamp: 1614265330\r\nwebhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n";
    std::fs::write(folder.join("headers"), headers).expect("room");
    let verify = |more: &[&str]| {
        let given = ["webhook", "verify", "body", "--headers", "headers"];
        place.run(&[&given, more].concat())
    };
    let secret = ["--secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
    let aged = [&secret[..], &["--any-age"]].concat();
    assert_eq!(verify(&aged).exits(0).out(), "good");
    verify(&secret).exits(1).says(&["signed", "s ago"]);
    verify(&["--any-age"])
        .exits(1)
        .says(&["no signature is by this secret"]);
    std::fs::write(folder.join("body"), b"{}").expect("room");
    verify(&aged).exits(1).says(&["exactly these bytes"]);
    let missing = ["webhook", "verify", "nothing", "--headers", "headers"];
    place.run(&missing).exits(2).says(&["cannot be read"]);
}

#[tokio::test]
async fn operators_do_the_same_over_http() {
    let app = setup().start().await;
    let admin = app
        .scoped(Mode::Live, &[pinhole::types::Scope::Admin])
        .await;
    let receiver = Receiver::new(|_| OK).await;
    let (task, log) = tell(&app, &receiver).await;
    let told = admin.get("/admin/v1/webhooks").await.ok();
    assert_eq!(told["data"][0]["id"], json!(log.delivery.id.as_str()));
    let post = async |path: &str| {
        let request = admin.request(reqwest::Method::POST, path);
        crate::client::send(request).await
    };
    let again = post(&format!("/admin/v1/webhooks/resend?task={task}")).await;
    assert_eq!(again.ok()["resent"], 1);
    until("it is heard again", async || {
        (receiver.heard().len() == 2).then_some(())
    })
    .await;
    let tested = post(&format!("/admin/v1/webhooks/test?url={}", receiver.url())).await;
    assert_eq!(tested.ok()["delivered"], true);
    let shown = admin.get("/admin/v1/webhooks/secret").await.ok();
    let secret = shown["secrets"][0]["secret"].as_str().expect("a secret");
    let secret = SigningSecret::parse(secret).expect("one of ours");
    assert!(receiver.heard().iter().all(|one| one.is_signed_by(&secret)));
    let rotated = post("/admin/v1/webhooks/secret?overlap_s=60").await.ok();
    assert_eq!(rotated["secrets"].as_array().map(Vec::len), Some(2));
    for (path, status, code) in [
        ("/admin/v1/webhooks/resend", 400, "missing_parameter"),
        ("/admin/v1/webhooks/resend?task=x", 400, "invalid_value"),
        ("/admin/v1/webhooks/test", 400, "missing_parameter"),
        (
            "/admin/v1/webhooks/secret?acount=x",
            400,
            "unknown_parameter",
        ),
        ("/admin/v1/webhooks/secret?account=x", 400, "invalid_value"),
    ] {
        post(path).await.refused(status, code);
    }
    let unknown = "/admin/v1/webhooks/resend?task=task_00000000000000000000000000000000";
    post(unknown).await.refused(404, "task_not_found");
    let stranger = app.test_key().get("/admin/v1/webhooks/secret").await;
    stranger.refused(403, "forbidden");
    until("it is delivered again", async || {
        let log = app.store().find_delivery(&task).await.expect("rows")?;
        (log.attempts.len() == 2).then_some(())
    })
    .await;
    app.finish().await;
}

/// Starts a receiver of `examples/webhook` on a free port.
fn example(mut command: Command, secret: &str) -> Listening {
    let mut child = command
        .arg("0")
        .env("WEBHOOK_SECRET", secret)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let told = lines.next().expect("it says where").expect("text");
    let port = told
        .strip_prefix("listening on ")
        .expect("a port")
        .to_owned();
    Listening { child, lines, port }
}

/// The receiver takes what is signed, once, and nothing else.
fn receives(program: impl Fn() -> Command) {
    let place = place();
    let server = Server::start(&place);
    let secret = place.run(&["webhook", "secret", "show"]).exits(0).out();
    let mut good = example(program(), &secret);
    let task = submit(&place, &good.url());
    let line = good.line();
    let start = format!("{task} completed {}/files/asset_", server.url());
    assert!(line.starts_with(&start), "{line}");
    is_delivered(&place, &task, 1);
    // A repetition is taken and not told again.
    place.run(&["webhook", "resend", &task]).exits(0);
    is_delivered(&place, &task, 2);
    place.run(&["webhook", "test", &good.url()]).exits(0);
    assert!(
        good.line()
            .starts_with("task_00000000000000000000000000000000 completed")
    );
    // During a change of secrets it goes on; afterwards it refuses.
    place.run(&["webhook", "secret", "rotate"]).exits(0);
    place.run(&["webhook", "test", &good.url()]).exits(0);
    place
        .run(&["webhook", "secret", "rotate", "--overlap", "0"])
        .exits(0);
    place
        .run(&["webhook", "test", &good.url()])
        .exits(5)
        .says(&["401"]);
}

fn example_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/webhook")
        .join(name)
}

#[test]
fn the_example_receiver_in_python_checks_signatures() {
    receives(|| {
        let mut command = Command::new("python3");
        command.arg(example_file("receiver.py"));
        command
    });
}

#[test]
fn the_example_receiver_in_node_checks_signatures() {
    receives(|| {
        let mut command = Command::new("node");
        command.arg(example_file("receiver.mjs"));
        command
    });
}

#[test]
fn the_example_receiver_in_rust_checks_signatures() {
    let program = crate::upstream::example("webhook");
    receives(|| Command::new(&program));
}

/// What the official library of a language says of a delivery that two secrets have signed.
async fn official(interpreter: &str, script: &str) {
    let Some(installed) = installed(script) else {
        return;
    };
    let app = setup().start().await;
    let receiver = Receiver::new(|_| OK).await;
    let account = app.store().find_account("default").await.expect("rows");
    let account = account.expect("a fresh install has it").id;
    let (store, now) = (app.store(), crate::app::now());
    let old = store
        .signing_secrets(&account, now)
        .await
        .expect("rows")
        .remove(0)
        .secret;
    let new = SigningSecret::generate();
    let until = now.after(Duration::from_secs(60));
    let rotated = store.rotate_signing_secret(&account, new.clone(), now, until);
    rotated.await.expect("rows");
    tell(&app, &receiver).await;
    let heard = receiver.heard().remove(0);
    let given = json!({
        "secrets": [old.reveal(), new.reveal()],
        "stranger": SigningSecret::generate().reveal(),
        "headers": {
            "webhook-id": heard.id,
            "webhook-timestamp": heard.timestamp,
            "webhook-signature": heard.signature,
        },
        "body": heard.raw,
    });
    // Modules are found beside the script, so it runs as a copy beside them.
    let copy = installed.join(script);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    std::fs::copy(source, &copy).expect("room for a script");
    let program = interpreter.replace("CLIENTS", &installed.to_string_lossy());
    let output = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(program)
            .arg(copy)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        let mut stdin = child.stdin.take().expect("piped");
        stdin
            .write_all(given.to_string().as_bytes())
            .expect("it reads");
        drop(stdin);
        child.wait_with_output().expect("it ends")
    });
    let output = output.await.expect("it ends");
    assert!(
        output.status.success() && output.stdout == b"passed\n",
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    app.finish().await;
}

#[tokio::test]
async fn the_official_library_for_python_trusts_what_is_sent() {
    official("CLIENTS/venv/bin/python", "standardwebhooks_python.py").await;
}

#[tokio::test]
async fn the_official_library_for_javascript_trusts_what_is_sent() {
    official("node", "standardwebhooks_node.mjs").await;
}
