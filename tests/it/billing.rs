//! Stories of money: what is held, charged and given back, to the micro-dollar.

use crate::app::{Setup, TestApp, model, until};
use crate::client::send;
use crate::images::small_with;
use crate::scripted::{Scripted, Step, gate};
use pinhole::config::Settings;
use pinhole::provider::Verdict;
use pinhole::types::{FailKind, Money, SpendCap, SpendPeriod};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// `paid` costs 0.04 at the provider `rehearsal`, which replays a picture for 0.01.
async fn rehearsal() -> TestApp {
    rehearsing(|_| {}).await
}

/// The same with other settings.
async fn rehearsing(change: impl FnOnce(&mut Settings)) -> TestApp {
    Setup::new()
        .set(change)
        .replay("rehearsal", Duration::ZERO)
        .model(&model("paid", "0.04", &[("rehearsal", 1, "0.01")]))
        .start()
        .await
}

fn paid(more: Value) -> Value {
    let mut body = small_with("a cat", json!({"model": "paid"}));
    let fields = body.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    body
}

fn calls(app: &TestApp) -> usize {
    let log = std::fs::read_to_string(app.setup().file("rehearsal.log"));
    log.expect("the provider's log").lines().count()
}

/// The ledger in numbers: captured and lost in all.
async fn books(app: &TestApp) -> (String, String) {
    let audit = app.store().audit().await.expect("rows");
    assert!(audit.is_clean(), "{audit:#?}");
    (audit.captured.to_string(), audit.operator_loss.to_string())
}

#[tokio::test]
async fn a_success_costs_exactly_its_quote() {
    let app = rehearsal().await;
    let customer = app.customer("1.00").await;
    let reply = customer.generate(paid(json!({"n": 3}))).await;
    assert_eq!(reply.pictures().len(), 3);
    assert_eq!(reply.header("x-pinhole-quote"), "0.120000");
    assert_eq!(reply.header("x-pinhole-cost"), "0.120000");
    assert_eq!(reply.header("x-pinhole-mode"), "");
    assert_eq!(reply.json()["pinhole"]["cost"], "0.120000");
    customer.has("0.880000").await;
    assert_eq!(
        books(&app).await,
        ("0.120000".to_owned(), "0.000000".to_owned())
    );
    assert_eq!(calls(&app), 3, "one call an image");
    app.finish().await;
}

#[tokio::test]
async fn without_credits_nothing_is_sent() {
    let app = rehearsal().await;
    let customer = app.customer("0.079999").await;
    let error = customer
        .generate(paid(json!({"n": 2})))
        .await
        .refused(402, "insufficient_credits");
    assert_eq!(error["type"], "insufficient_quota");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("0.080000") && message.contains("0.079999"),
        "{message}"
    );
    assert_eq!(calls(&app), 0);
    // The same key pays for one.
    customer.generate(paid(json!({}))).await.ok();
    customer.has("0.039999").await;
    app.finish().await;
}

#[tokio::test]
async fn a_live_key_without_a_provider_or_a_price_is_told_so() {
    let app = Setup::new()
        .model(&model("far", "0.04", &[("not-turned-on", 1, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    for model in ["far", "gpt-image-2"] {
        let error = customer
            .generate(json!({"model": model, "prompt": "a cat"}))
            .await;
        error.refused(404, "model_unavailable");
    }
    let models = customer.get("/v1/models").await.ok();
    assert_eq!(
        models["data"].as_array().map(Vec::len),
        Some(1),
        "sketch alone"
    );
    customer.has("1.000000").await;
    app.finish().await;
}

#[tokio::test]
async fn three_of_four_images_are_charged_and_the_rest_is_given_back() {
    let app = Setup::new()
        // Over the built-in model itself.
        .model(&model("sketch", "0.04", &[("sketch", 10, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat [pinhole:partial=3/4]", json!({"n": 4}));
    let reply = customer.generate(body).await;
    assert_eq!(reply.pictures().len(), 3);
    assert_eq!(reply.header("x-pinhole-quote"), "0.160000");
    assert_eq!(reply.header("x-pinhole-cost"), "0.120000");
    customer.has("0.880000").await;
    // A test key is never charged, whatever it costs others.
    let free = app
        .test_key()
        .generate(small_with("a cat", json!({"n": 2})))
        .await;
    assert_eq!(free.header("x-pinhole-cost"), "0.000000");
    assert_eq!(
        books(&app).await,
        ("0.120000".to_owned(), "0.000000".to_owned())
    );
    app.finish().await;
}

#[tokio::test]
async fn markup_is_added_to_every_image() {
    let app = rehearsal().await;
    let customer = app
        .customer_with("1.00", |who| who.account.markup_basis_points = 1_250)
        .await;
    let reply = customer.generate(paid(json!({"n": 2}))).await;
    reply.ok();
    assert_eq!(reply.header("x-pinhole-quote"), "0.090000");
    customer.has("0.910000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_request_may_name_the_most_it_may_cost() {
    let app = rehearsal().await;
    let customer = app.customer("1.00").await;
    for most in [json!("0.039999"), json!(0.01), json!(0)] {
        let reply = customer.generate(paid(json!({"max_cost": most}))).await;
        reply.refused(400, "cost_above_limit");
    }
    customer
        .generate(paid(json!({"max_cost": "0.04"})))
        .await
        .ok();
    customer.has("0.960000").await;
    assert_eq!(calls(&app), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_spend_cap_counts_what_runs_and_gives_back_what_fails() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let app = Setup::new()
        .provider(
            "alpha",
            Scripted::by(move |asked| {
                if asked.upstream_model.starts_with("failing") {
                    // Which says nothing against the provider.
                    vec![Step::Fail(Verdict::Failed, FailKind::Rejected)]
                } else {
                    vec![Step::Wait(Arc::clone(&waits)), Step::Deliver]
                }
            }),
        )
        .model(&model("paid", "0.04", &[("alpha", 1, "0.01")]))
        .model(&model("failing", "0.04", &[("alpha", 1, "0.01")]))
        .start()
        .await;
    let capped = async |per| {
        app.customer_with("1.00", |who| {
            who.limits.spend_cap = Some(SpendCap {
                amount: "0.10".parse().expect("an amount"),
                per,
            });
        })
        .await
    };
    for per in [SpendPeriod::Total, SpendPeriod::Day, SpendPeriod::Month] {
        let customer = capped(per).await;
        // A failure counts while it runs and not afterwards.
        for _ in 0..3 {
            let failed = customer
                .generate(paid(json!({"model": "failing", "n": 2})))
                .await;
            failed.refused(400, "invalid_parameter");
        }
        let running = customer.generate(paid(json!({"n": 2})));
        let refused = async {
            until("the first one is admitted", async || {
                (customer.balance().await.1 == "0.080000").then_some(())
            })
            .await;
            let reply = customer.generate(paid(json!({}))).await;
            shut.add_permits(2);
            reply
        };
        let (done, refused) = tokio::join!(running, refused);
        done.ok();
        refused.refused(429, "rate_limited");
        assert!(!refused.header("retry-after").is_empty());
        customer
            .generate(paid(json!({})))
            .await
            .refused(429, "rate_limited");
        customer.has("0.920000").await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_is_charged_once_for_what_it_asked() {
    let app = Setup::new()
        .model(&model("drawn", "0.04", &[("sketch", 10, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let body = small_with("a cat [pinhole:delay=1s]", json!({"model": "drawn"}));
    // The client gives up long before the picture is there.
    let request = customer
        .generation(&body)
        .timeout(Duration::from_millis(300));
    assert!(request.send().await.is_err(), "it hung up");
    let (_, held) = customer.balance().await;
    assert_eq!(held, "0.040000", "the task goes on without its client");
    until("the task is settled", async || {
        (customer.balance().await.1 == Money::ZERO.to_string()).then_some(())
    })
    .await;
    customer.has("0.960000").await;
    assert_eq!(books(&app).await.0, "0.040000");
    app.finish().await;
}

#[tokio::test]
async fn parallel_spends_never_pass_the_balance() {
    let app = rehearsal().await;
    let customer = app.customer("0.20").await;
    let spend = |_| async { customer.generate(paid(json!({}))).await.status };
    let mut statuses = futures::future::join_all((0..20).map(spend)).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 5], vec![402; 15]].concat());
    customer.has("0.000000").await;
    assert_eq!(calls(&app), 5);
    app.finish().await;
}

#[tokio::test]
async fn a_call_writes_at_most_twelve_rows() {
    // A sign of life is a row too, and nobody's call.
    let app = rehearsing(|settings| settings.timeouts.lease = Duration::from_secs(3600)).await;
    let customer = app
        .customer_with("1.00", |who| {
            who.limits.spend_cap = Some(SpendCap {
                amount: "1.00".parse().expect("an amount"),
                per: SpendPeriod::Day,
            });
        })
        .await;
    // The first of a window makes the window's row.
    for _ in 0..2 {
        let before = app.store().rows_written();
        customer.generate(paid(json!({}))).await.ok();
        let rows = app.store().rows_written() - before;
        eprintln!("a live call with a capped key wrote {rows} rows");
        assert!((1..=12).contains(&rows), "{rows}");
    }
    // With an idempotency key there is a row more; those of others whose time is over are not swept on the way.
    for key in ["first", "second"] {
        let before = app.store().rows_written();
        let request = customer
            .generation(&paid(json!({})))
            .header("idempotency-key", key);
        send(request).await.ok();
        let rows = app.store().rows_written() - before;
        eprintln!("a live call with a capped key and an idempotency key wrote {rows} rows");
        assert!((1..=12).contains(&rows), "{rows}");
        // A day and more ago, so that it is over.
        let beside = Connection::open(app.setup().file("data").join("pinhole.db"));
        let aged = beside.expect("the database").execute(
            "UPDATE idempotency_keys SET expires_at = 0 WHERE key = ?1",
            [key],
        );
        assert_eq!(aged.expect("a row"), 1);
    }
    let before = app.store().rows_written();
    app.test_key()
        .generate(small_with("a cat", json!({})))
        .await
        .ok();
    let rows = app.store().rows_written() - before;
    eprintln!("a test call wrote {rows} rows");
    assert!((1..=12).contains(&rows), "{rows}");
    app.finish().await;
}
