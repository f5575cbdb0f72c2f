//! Model files that change while the application runs, and what a target is told.

use crate::app::{Setup, TestApp, model, until};
use crate::client::Client;
use crate::images::{small, small_with};
use crate::scripted::{Scripted, Step};
use pinhole::types::FailKind;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Writes a file of the operator's, or takes it away.
fn change(app: &TestApp, text: Option<&str>) {
    let folder = app.setup().file("catalogue");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("mine.toml");
    match text {
        Some(text) => std::fs::write(path, text).expect("room for a file"),
        None => std::fs::remove_file(path).expect("it was there"),
    }
}

fn mine(price: &str) -> String {
    model("mine", price, &[("scripted", 1, "0")])
}

async fn until_price(client: &Client, price: Option<&str>) {
    until("the changed files are in use", async || {
        let card = client.get("/v1/models/mine").await;
        let now = (card.status == 200).then(|| card.json()["pricing"][0]["amount"].clone());
        (now.as_ref().and_then(Value::as_str) == price).then_some(())
    })
    .await;
}

fn call(model: &str) -> Value {
    small_with("a hill", json!({"model": model}))
}

#[tokio::test]
async fn changed_model_files_are_taken_or_refused_as_a_whole() {
    let app = TestApp::start().await;
    let client = app.test_key();
    client
        .generate(call("mine"))
        .await
        .refused(404, "model_not_found");
    change(&app, Some(&mine("0.010000")));
    until_price(&client, Some("0.010000")).await;
    client.generate(call("mine")).await.ok();
    assert_eq!(
        app.nobody().get("/readyz").await.ok(),
        json!({"ready": true})
    );

    change(
        &app,
        Some(&mine("0.020000").replace("name = \"mine\"", "nam = \"mine\"")),
    );
    let refused = until("the change is refused", async || {
        app.engine().refused_catalogue()
    })
    .await;
    let reason = refused.to_string();
    assert!(
        reason.contains("mine.toml:3:1: unknown field `nam`"),
        "{reason}"
    );
    let ready = app.nobody().get("/readyz").await.ok();
    assert_eq!(ready["ready"], true);
    assert!(
        ready["catalogue"]
            .as_str()
            .is_some_and(|told| told.contains("refused")),
        "{ready}"
    );
    until_price(&client, Some("0.010000")).await;
    client.generate(call("mine")).await.ok();

    change(&app, Some(&mine("0.030000")));
    until_price(&client, Some("0.030000")).await;
    assert_eq!(
        app.nobody().get("/readyz").await.ok(),
        json!({"ready": true})
    );
    change(&app, None);
    until_price(&client, None).await;
    client
        .generate(call("mine"))
        .await
        .refused(404, "model_not_found");
    client.generate(small("still there")).await.ok();
    app.finish().await;
}

#[tokio::test]
async fn a_model_that_goes_lets_its_running_call_end_and_refunds_those_that_wait() {
    let gate = Arc::new(Semaphore::new(0));
    let steps = vec![Step::Wait(Arc::clone(&gate)), Step::Deliver];
    let provider = Scripted::bounded(1, move |_| steps.clone());
    let setup = Setup::new().provider("scripted", provider.clone());
    let app = setup.start().await;
    let holder = app.customer("1").await;
    change(&app, Some(&mine("0.250000")));
    until_price(&holder.client, Some("0.250000")).await;
    let running = holder.client.leave(&call("mine")).await.task_id();
    until("the first call runs", async || {
        (!provider.asked().is_empty()).then_some(())
    })
    .await;
    let waiting = holder.client.leave(&call("mine")).await.task_id();
    change(&app, None);
    until_price(&holder.client, None).await;
    gate.add_permits(1);
    let delivered = app.end_of(&holder, &running).await;
    assert_eq!((delivered.assets.len(), delivered.failure), (1, None));
    let failure = app
        .end_of(&holder, &waiting)
        .await
        .failure
        .expect("it cannot run");
    assert_eq!(failure.kind, FailKind::Unavailable);
    assert!(
        failure.message.contains("taken out of the catalogue"),
        "{}",
        failure.message
    );
    assert_eq!(provider.asked().len(), 1);
    holder.client.has("0.750000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_target_is_told_what_it_declares_in_its_own_words() {
    let provider = Scripted::obliging();
    let own_words = "fields = { prompt = \"text\", size = \"resolution\", seed = true, output_format = false }\n";
    let text =
        mine("0.010000").replace("max_images = 1\n", &format!("max_images = 1\n{own_words}"));
    let setup = Setup::new()
        .provider("scripted", provider.clone())
        .model(&text)
        .model(&model("plain", "0.010000", &[("scripted", 1, "0")]));
    let app = setup.start().await;
    let holder = app.customer("1").await;
    let ask = async |model: &str, more: Value| {
        let mut body = small_with("a hill", more);
        body["model"] = model.into();
        holder.client.generate(body).await.ok();
        Value::Object(provider.asked().pop().expect("a call").fields)
    };
    let told = ask("mine", json!({"seed": 7, "user": "u", "n": 1})).await;
    assert_eq!(
        told,
        json!({"text": "a hill", "resolution": "64x64", "seed": 7})
    );
    let told = ask("mine", json!({"seed": null})).await;
    assert_eq!(told, json!({"text": "a hill", "resolution": "64x64"}));
    let told = ask("plain", json!({})).await;
    let all = json!({
        "prompt": "a hill", "size": "64x64", "background": "auto", "output_format": "png", "partial_images": 0,
    });
    assert_eq!(told, all);
    app.finish().await;
}
