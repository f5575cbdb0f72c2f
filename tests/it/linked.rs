//! Stories of tasks whose input images are fetched once they are accepted: who pays, who waits, what a crash leaves.

use crate::app::{Setup, TestApp, check_books, model, noise_png, small_png, until};
use crate::client::{Client, Holder, Reply, send, try_send};
use crate::images::small_with;
use crate::server::Site;
use pinhole::types::TaskId;
use reqwest::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const EDITS: &str = "/v1/images/edits";
const TASKS: &str = "/api/v1/images/generations";

/// Somebody else's server with one picture at every path, once it is let.
struct Gallery {
    address: SocketAddr,
    counts: Arc<Counts>,
    gate: watch::Sender<bool>,
    _connections: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    /// How often it was asked.
    asked: AtomicUsize,
    /// How many wait for its answer.
    waiting: AtomicUsize,
}

impl Gallery {
    async fn new(is_open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let counts = Arc::new(Counts::default());
        let gate = watch::channel(is_open).0;
        let (counting, opening) = (Arc::clone(&counts), gate.subscribe());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&counting), opening.clone()));
            }
        });
        Self {
            address,
            counts,
            gate,
            _connections: accepting,
        }
    }

    fn link(&self) -> String {
        format!("http://{}/a.png", self.address)
    }

    fn asked(&self) -> usize {
        self.counts.asked.load(Ordering::SeqCst)
    }

    fn waiting(&self) -> usize {
        self.counts.waiting.load(Ordering::SeqCst)
    }

    /// Waits until so many wait for its answer.
    async fn is_waited_for(&self, many: usize) {
        let what = format!("{many} wait");
        until(&what, async || (self.waiting() == many).then_some(())).await;
    }

    fn open(&self) {
        self.gate.send_replace(true);
    }
}

/// Answers when the gate is open; who leaves before does not wait any more.
async fn answer(mut stream: TcpStream, counts: Arc<Counts>, mut gate: watch::Receiver<bool>) {
    let mut head = [0; 1024];
    let _ = stream.read(&mut head).await;
    counts.asked.fetch_add(1, Ordering::SeqCst);
    counts.waiting.fetch_add(1, Ordering::SeqCst);
    let is_open = tokio::select! {
        _ = gate.wait_for(|is_open| *is_open) => true,
        _ = stream.read(&mut head) => false,
    };
    counts.waiting.fetch_sub(1, Ordering::SeqCst);
    if is_open {
        let answer = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &small_png()].concat();
        let _ = stream.write_all(&answer).await;
    }
}

/// An application that may fetch from this machine, with a model that costs two cents and is drawn.
fn setup() -> Setup {
    Setup::new()
        .set(|settings| {
            settings.allow_private_networks = vec!["127.0.0.0/8".parse().expect("a network")];
        })
        .model(&model("drawn", "0.02", &[("sketch", 2, "0")]))
}

async fn post(client: &Client, path: &str, more: Value) -> Reply {
    let mut body = small_with("autumn", more);
    body["model"] = json!("drawn");
    send(client.request(Method::POST, path).json(&body)).await
}

fn linking(link: &str) -> Value {
    json!({"images": [link]})
}

/// Creates a task that reads a link.
async fn create(client: &Client, link: &str) -> TaskId {
    let created = post(client, TASKS, linking(link)).await.ok();
    let id = created["data"]["taskId"].as_str().expect("a task");
    TaskId::parse(id).expect("an id")
}

async fn state(client: &Client, id: &TaskId) -> Value {
    let polled = client.get(&format!("{TASKS}?task_id={id}")).await;
    polled.ok()["data"].clone()
}

async fn is_completed(app: &TestApp, customer: &Holder, id: &TaskId) {
    let task = app.end_of(customer, id).await;
    assert_eq!(task.failure, None);
    assert_eq!(task.request.images().len(), 1);
    assert_eq!(task.request.links(), []);
}

#[tokio::test]
async fn who_cannot_pay_makes_nobody_fetch() {
    let app = setup().start().await;
    let gallery = Gallery::new(true).await;
    let poor = app.customer("0.01").await;
    for path in [EDITS, TASKS] {
        let refused = post(&poor, path, linking(&gallery.link())).await;
        assert_eq!(refused.status, 402, "{}", refused.text());
    }
    let capped = app
        .customer_with("1.00", |customer| customer.limits.scopes.clear())
        .await;
    assert_eq!(
        post(&capped, EDITS, linking(&gallery.link())).await.status,
        403
    );
    assert_eq!(gallery.asked(), 0);
    app.finish().await;
}

#[tokio::test]
async fn a_task_is_created_before_what_it_links_to_comes_and_can_be_cancelled() {
    let app = setup().start().await;
    let gallery = Gallery::new(false).await;
    let customer = app.customer("0.02").await;
    let id = create(&customer, &gallery.link()).await;
    gallery.is_waited_for(1).await;
    let told = state(&customer, &id).await;
    assert_eq!(told["state"], "pending", "{told}");
    assert_eq!(told.get("tasksAhead"), None, "{told}");
    assert_eq!(
        customer.balance().await,
        ("0.000000".into(), "0.020000".into())
    );
    let place = format!("{TASKS}?task_id={id}");
    let cancelled = send(customer.request(Method::DELETE, &place)).await.ok();
    assert_eq!(cancelled["data"]["state"], "failed");
    assert_eq!(cancelled["data"]["failCode"], "cancelled", "{cancelled}");
    customer.has("0.020000").await;
    // Nobody goes on fetching for it.
    gallery.is_waited_for(0).await;
    gallery.open();
    let again = create(&customer, &gallery.link()).await;
    is_completed(&app, &customer, &again).await;
    customer.has("0.000000").await;
    assert_eq!(gallery.asked(), 2);
    app.finish().await;
}

#[tokio::test]
async fn no_account_takes_the_places_of_others() {
    const OF_AN_ACCOUNT: usize = 16;
    let app = setup().start().await;
    let gallery = Gallery::new(false).await;
    let (busy, other) = (app.customer("1.00").await, app.customer("1.00").await);
    let mut tasks = Vec::new();
    for _ in 0..OF_AN_ACCOUNT + 5 {
        tasks.push(create(&busy, &gallery.link()).await);
    }
    gallery.is_waited_for(OF_AN_ACCOUNT).await;
    let one = create(&other, &gallery.link()).await;
    gallery.is_waited_for(OF_AN_ACCOUNT + 1).await;
    gallery.open();
    for task in &tasks {
        is_completed(&app, &busy, task).await;
    }
    is_completed(&app, &other, &one).await;
    assert_eq!(gallery.asked(), tasks.len() + 1);
    app.finish().await;
}

#[tokio::test]
async fn a_drain_leaves_to_the_next_start_what_is_not_here() {
    let app = setup().start().await;
    let gallery = Gallery::new(false).await;
    let customer = app.customer("0.02").await;
    let id = create(&customer, &gallery.link()).await;
    gallery.is_waited_for(1).await;
    let setup = app.stop().await;
    gallery.is_waited_for(0).await;
    gallery.open();
    let app = setup.start().await;
    is_completed(&app, &customer, &id).await;
    app.finish().await;
}

#[tokio::test]
async fn a_result_that_expires_while_other_inputs_are_fetched_is_read_all_the_same() {
    let keep = |settings: &mut pinhole::config::Settings| {
        settings.keep_results = Duration::from_secs(1);
    };
    let app = setup().set(keep).start().await;
    let gallery = Gallery::new(false).await;
    let customer = app.customer("1.00").await;
    let made = post(
        &customer,
        "/v1/images/generations",
        json!({"response_format": "url"}),
    )
    .await;
    let link = made.links().remove(0);
    let both = json!({"images": [&link, gallery.link()]});
    let editing = post(&customer, EDITS, both);
    let story = async {
        gallery.is_waited_for(1).await;
        let nobody = app.nobody();
        until("its time is over", async || {
            (nobody.get(&link).await.status == 410).then_some(())
        })
        .await;
        let collected = app.engine().collect(Duration::from_secs(3600)).await;
        assert_eq!(collected.expired, 0, "a task reads it");
        gallery.open();
    };
    let (edited, ()) = tokio::join!(editing, story);
    assert_eq!(edited.pictures().len(), 1);
    // From then on it is gone, and so says who reads it.
    let gone = json!({"images": [link]});
    post(&customer, EDITS, gone).await.refused(400, "not_found");
    app.finish().await;
}

#[tokio::test]
async fn a_mask_that_does_not_fit_what_is_fetched_is_told_at_its_place() {
    let app = setup().start().await;
    let gallery = Gallery::new(true).await;
    let customer = app.customer("0.02").await;
    let mask = base64_simd::STANDARD.encode_to_string(noise_png(16));
    let more = json!({
        "image": gallery.link(),
        "mask": {"image_url": format!("data:image/png;base64,{mask}")},
    });
    let error = post(&customer, EDITS, more).await;
    let error = error.refused(400, "input_not_fetched");
    assert_eq!(error["param"], "mask", "{error}");
    customer.has("0.020000").await;
    app.finish().await;
}

/// Killed as soon as it is accepted, and when its picture is here and not yet its own.
#[tokio::test]
async fn a_crash_before_the_inputs_are_the_tasks_fetches_them_again_and_pays_once() {
    for (step, fetches) in [("admitted", 1), ("fetched", 2)] {
        let site =
            Site::new(Duration::ZERO).variable("PINHOLE_ALLOW_PRIVATE_NETWORKS", "127.0.0.0/8");
        let gallery = Gallery::new(true).await;
        let customer = site.customer("1.00").await;
        let mut server = site.start(&format!("{step}=return")).await;
        let mut body = small_with("autumn", linking(&gallery.link()));
        body["model"] = json!("paid");
        let client = server.client(&customer);
        // It may be answered before it dies.
        try_send(client.request(Method::POST, TASKS).json(&body)).await;
        let died = server.death(Duration::from_secs(30)).await;
        assert!(died.is_some(), "{step} was not passed: {}", site.log_text());
        let store = pinhole::app::open_store(&site.data()).expect("the store opens");
        assert_eq!(site.calls(), []);

        let server = site.start("").await;
        let client = server.client(&customer);
        let id = site
            .rows()
            .query_row("SELECT id FROM tasks", [], |row| row.get::<_, String>(0));
        let id = TaskId::parse(&id.expect("one task")).expect("an id");
        until("it has ended", async || {
            let told = state(&client, &id).await;
            (told["state"] == "completed").then_some(())
        })
        .await;
        assert_eq!(gallery.asked(), fetches, "{step}");
        assert_eq!(site.calls().len(), 1, "{step}");
        client.has("0.960000").await;
        check_books(&*store).await;
        assert!(server.terminate().await.success());
    }
}
