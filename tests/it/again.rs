//! Stories of clients that hang up and call again, as OpenAI's SDKs do: nobody pays twice for one wish.

use crate::app::{Setup, TestApp, check_books, model, until};
use crate::client::{Client, GENERATIONS, Holder, Reply, send};
use crate::images::{small, small_with};
use crate::scripted::{Scripted, Step, gate};
use pinhole::provider::Verdict;
use pinhole::types::{FailKind, TaskId};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// An application with the model `paid` at 0.04, whose calls wait for the gate.
async fn gated() -> (TestApp, Arc<Scripted>, Arc<Semaphore>) {
    let gate = gate();
    let provider = Scripted::new(&[Step::Wait(Arc::clone(&gate)), Step::Deliver]);
    let app = paid_by(Arc::clone(&provider)).await;
    (app, provider, gate)
}

async fn paid_by(provider: Arc<Scripted>) -> TestApp {
    let model = model("paid", "0.04", &[("alpha", 4, "0.01")]);
    Setup::new()
        .provider("alpha", provider)
        .model(&model)
        .start()
        .await
}

fn paid(prompt: &str) -> Value {
    small_with(prompt, json!({"model": "paid"}))
}

/// Sends a call over a connection of its own, which closes when it is dropped.
async fn raw(app: &TestApp, holder: &Holder, body: &Value) -> TcpStream {
    let address = app.url.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let body = body.to_string();
    let head = format!(
        "POST {GENERATIONS} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nx-stainless-retry-count: 0\r\ncontent-length: {}\r\n\r\n",
        holder.secret.reveal(),
        body.len()
    );
    let request = [head.as_bytes(), body.as_bytes()].concat();
    stream.write_all(&request).await.expect("it reads");
    stream
}

/// Sends it and hangs up as soon as its task runs; which task that is.
async fn give_up(app: &TestApp, provider: &Scripted, holder: &Holder, body: &Value) -> TaskId {
    let earlier = provider.asked().len();
    let connection = raw(app, holder, body).await;
    let asked = until("the provider was asked", async || {
        provider.asked().get(earlier).cloned()
    })
    .await;
    drop(connection);
    asked.task
}

/// The same call once more, as an SDK marks it.
async fn again(client: &Client, body: &Value) -> Reply {
    sent_before(client, body, 1).await
}

async fn sent_before(client: &Client, body: &Value, times: u32) -> Reply {
    let request = client.generation(body);
    send(request.header("x-stainless-retry-count", times.to_string())).await
}

/// Opens the gate when the provider was asked so often.
async fn open_at(provider: &Scripted, gate: &Semaphore, calls: usize) {
    until("the provider was asked", async || {
        (provider.asked().len() >= calls).then_some(())
    })
    .await;
    gate.add_permits(100);
}

#[tokio::test]
async fn who_hung_up_and_calls_again_joins_the_task_and_pays_once() {
    let (app, provider, gate) = gated().await;
    let customer = app.customer("1.00").await;
    let first = give_up(&app, &provider, &customer, &paid("a cat")).await;
    // Every other call is a new one: not marked, of another body, with another key.
    let other = app.customer("1.00").await;
    let (cat, dog) = (paid("a cat"), paid("a dog"));
    let (joined, unmarked, another, stranger, ()) = tokio::join!(
        again(&customer, &cat),
        sent_before(&customer, &cat, 0),
        again(&customer, &dog),
        again(&other, &cat),
        open_at(&provider, &gate, 4),
    );
    assert_eq!(joined.pictures().len(), 1);
    assert_eq!(joined.task_id(), first);
    let tasks: HashSet<TaskId> = [&joined, &unmarked, &another, &stranger]
        .map(Reply::task_id)
        .into();
    assert_eq!((tasks.len(), provider.asked().len()), (4, 4));
    // It has its answer now, so the next is a new call.
    let next = again(&customer, &cat).await;
    assert!(!tasks.contains(&next.task_id()));
    customer.has("0.840000").await;
    other.has("0.960000").await;
    app.finish().await;
}

#[tokio::test]
async fn who_gives_up_again_joins_again_also_when_the_task_has_ended_meanwhile() {
    let (app, provider, gate) = gated().await;
    let customer = app.customer("1.00").await;
    let body = paid("a cat");
    let first = give_up(&app, &provider, &customer, &body).await;
    let patient = customer.at(&app.url);
    {
        let second = sent_before(&patient, &body, 1);
        tokio::select! {
            reply = second => panic!("it is answered before the gate opens: {reply:?}"),
            () = async { send(customer.request(reqwest::Method::GET, "/v1/balance")).await; } => {}
        }
    }
    drop(patient);
    gate.add_permits(1);
    app.end_of(&customer, &first).await;
    let third = sent_before(&customer, &body, 2).await;
    assert_eq!((third.task_id(), third.pictures().len()), (first, 1));
    assert_eq!(third.header("x-pinhole-cost"), "0.040000");
    customer.has("0.960000").await;
    assert_eq!(provider.asked().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_stream_that_broke_off_is_joined_too() {
    let (app, provider, gate) = gated().await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat", json!({"model": "paid", "stream": true}));
    let earlier = provider.asked().len();
    let mut connection = raw(&app, &customer, &body).await;
    // The headers of a stream leave after five seconds, whatever happens.
    let mut head = [0; 64];
    connection.read_exact(&mut head).await.expect("a reply");
    assert!(head.starts_with(b"HTTP/1.1 200"), "{head:?}");
    drop(connection);
    let (reply, ()) = tokio::join!(again(&customer, &body), async {
        // The gate opens for whoever asked; a second task would ask too.
        send(customer.request(reqwest::Method::GET, "/v1/balance")).await;
        gate.add_permits(100);
    });
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.text().contains("image_generation.completed"));
    assert_eq!(reply.task_id(), provider.asked()[earlier].task);
    assert_eq!(provider.asked().len(), 1);
    customer.has("0.960000").await;
    app.finish().await;
}

#[tokio::test]
async fn wherever_a_client_hangs_up_it_pays_once() {
    let (app, provider, gate) = gated().await;
    let customer = app.customer("10.00").await;
    for round in 0..50 {
        let body = paid(&format!("cat {round}"));
        let connection = raw(&app, &customer, &body).await;
        // From before its body is read to after its task runs. This waits for nothing: every moment is a right one.
        let moment = Duration::from_micros(round * round * 7 % 4_000);
        let _ = tokio::time::timeout(moment, std::future::pending::<()>()).await;
        drop(connection);
        // The server has answered somebody since.
        customer.get("/v1/balance").await.ok();
        let calls = usize::try_from(round).expect("small") + 1;
        let (reply, ()) = tokio::join!(again(&customer, &body), open_at(&provider, &gate, calls));
        assert_eq!(reply.pictures().len(), 1, "round {round}");
        assert_eq!(provider.asked().len(), calls, "round {round}");
        gate.forget_permits(usize::MAX);
    }
    customer.has("8.000000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_call_that_was_refused_is_not_joined() {
    let (app, provider, gate) = gated().await;
    let customer = app.customer("0.04").await;
    let (cat, dog) = (paid("a cat"), paid("a dog"));
    let first = give_up(&app, &provider, &customer, &cat).await;
    // No credits are left for another: it is refused, its client gone or not.
    drop(raw(&app, &customer, &dog).await);
    let refused = again(&customer, &dog).await;
    refused.refused(402, "insufficient_credits");
    gate.add_permits(1);
    let joined = again(&customer, &cat).await;
    assert_eq!((joined.status, joined.task_id()), (200, first));
    app.finish().await;
}

#[tokio::test]
async fn a_failure_that_invites_another_try_is_tried_again_and_no_other() {
    for (verdict, kind, is_joined) in [
        (Verdict::Failed, FailKind::Upstream, false),
        (Verdict::Failed, FailKind::ContentPolicy, true),
        (Verdict::Unknown, FailKind::OutcomeUnknown, true),
    ] {
        let gate = gate();
        let steps = [Step::Wait(Arc::clone(&gate)), Step::Fail(verdict, kind)];
        let provider = Scripted::new(&steps);
        let app = paid_by(Arc::clone(&provider)).await;
        let customer = app.customer("1.00").await;
        let body = paid("a cat");
        let first = give_up(&app, &provider, &customer, &body).await;
        gate.add_permits(100);
        let ended = app.end_of(&customer, &first).await;
        assert_eq!(ended.failure.map(|failure| failure.kind), Some(kind));
        let reply = again(&customer, &body).await;
        assert_eq!(reply.task_id() == first, is_joined, "{kind:?}");
        assert_ne!(reply.status, 200);
        // Having been told, it asks anew.
        let next = sent_before(&customer, &body, 2).await;
        assert_ne!(next.task_id(), reply.task_id(), "{kind:?}");
        customer.has("1.000000").await;
        app.finish().await;
    }
}

#[tokio::test]
async fn after_a_crash_the_call_joins_the_task_that_lives_on() {
    let app = TestApp::start().await;
    let customer = app
        .customer_with("0", |who| who.mode = pinhole::types::Mode::Test)
        .await;
    let body = small("[pinhole:delay=1s] a cat");
    let connection = raw(&app, &customer, &body).await;
    let leaves = small("[pinhole:delay=1s] a dog");
    let left = customer.leave(&leaves).await;
    assert_eq!(left.status, 202);
    let key = customer.key.clone();
    let owed = until("its task is written", async || {
        let owed = app.store().unanswered(pinhole::types::Millis(0)).await;
        let owed = owed.expect("rows");
        owed.into_iter().find(|owed| owed.key == key)
    })
    .await;
    let setup = app.crash().await;
    drop(connection);
    let app = setup.start().await;
    let customer_now = customer.at(&app.url);
    let joined = again(&customer_now, &body).await;
    assert_eq!((joined.task_id(), joined.pictures().len()), (owed.task, 1));
    // Who had an answer, and be it 202, is not waited for.
    let other = again(&customer_now, &leaves).await;
    assert_ne!(other.task_id(), left.task_id());
    check_books(&**app.store()).await;
    app.finish().await;
}
