//! Stories of keys and accounts: who may call, from where, how often, and what others change meanwhile.

use crate::app::{Setup, TestApp, model, now, until};
use crate::images::{small, small_with};
use crate::scripted::{Scripted, Step, gate};
use pinhole::types::{Millis, Mode, ResponseFormat, Scope, Secret};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_key_that_is_missing_malformed_unknown_revoked_or_expired_is_refused() {
    let app = TestApp::start().await;
    let revoked = app.customer_with("0", |who| who.mode = Mode::Test).await;
    app.store()
        .revoke_key(&revoked.key, now())
        .await
        .expect("rows");
    let expired = app
        .customer_with("0", |who| {
            who.mode = Mode::Test;
            who.limits.expires_at = Some(Millis(now().0 - 1));
        })
        .await;
    let unknown = Secret::generate(Mode::Live);
    for (client, hint) in [
        (app.nobody(), "Authorization"),
        (app.with_key(""), "Bearer"),
        (app.with_key("sk-1234"), "malformed"),
        (app.with_key("ключ"), "Bearer"),
        (app.with_key(unknown.reveal()), "not known"),
        (revoked.client, "revoked"),
        (expired.client, "expired"),
    ] {
        let reply = client.generate(small("a cat")).await;
        let error = reply.refused(401, "invalid_api_key");
        assert_eq!(error["type"], "authentication_error");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(hint), "{message} should speak of {hint}");
        let task_shape = client.get("/api/v1/tasks/task_1").await;
        assert_eq!(
            (task_shape.status, &task_shape.json()["code"]),
            (401, &json!(401))
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn a_key_does_what_its_scope_models_and_networks_let_it() {
    let app = TestApp::start().await;
    let reader = app.scoped(Mode::Test, &[Scope::Read]).await;
    reader
        .generate(small("a cat"))
        .await
        .refused(403, "forbidden");
    reader.get("/v1/models").await.ok();
    let nothing = app.scoped(Mode::Test, &[]).await;
    nothing.get("/v1/models").await.refused(403, "forbidden");

    let one_model = app
        .customer_with("0", |who| {
            who.mode = Mode::Test;
            who.limits.models = vec!["sketch".to_owned()];
        })
        .await;
    one_model.generate(small("a cat")).await.ok();
    let other = one_model
        .generate(json!({"model": "gpt-image-2", "prompt": "a cat"}))
        .await;
    other.refused(403, "forbidden");
    let models = one_model.get("/v1/models").await.ok();
    let ids: Vec<&Value> = models["data"]
        .as_array()
        .expect("models")
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, ["sketch"]);

    for (network, status) in [("10.0.0.0/8", 403), ("127.0.0.0/8", 200)] {
        let client = app
            .customer_with("0", |who| {
                who.mode = Mode::Test;
                who.limits.networks = vec![network.parse().expect("a network")];
            })
            .await;
        assert_eq!(
            client.generate(small("a cat")).await.status,
            status,
            "{network}"
        );
        // The header counts only from a trusted proxy, and there is none.
        let forged = client
            .get_with("/v1/balance", "x-forwarded-for", "10.0.0.1")
            .await;
        assert_eq!(forged.status, status, "{network}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_key_behind_a_trusted_proxy_is_used_from_where_the_proxy_says() {
    let app = Setup::new()
        .set(|settings| settings.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")])
        .start()
        .await;
    let client = app
        .customer_with("0", |who| {
            who.limits.networks = vec!["10.0.0.0/8".parse().expect("a network")];
        })
        .await;
    for (forwarded, status) in [
        ("10.0.0.1", 200),
        ("10.0.0.1, 9.9.9.9", 403),
        ("9.9.9.9, 10.0.0.1", 200),
    ] {
        let reply = client
            .get_with("/v1/balance", "x-forwarded-for", forwarded)
            .await;
        assert_eq!(reply.status, status, "{forwarded}");
    }
    app.finish().await;
}

#[tokio::test]
async fn requests_of_a_minute_are_counted() {
    let app = TestApp::start().await;
    let client = app
        .customer_with("0", |who| who.limits.requests_per_minute = Some(2))
        .await;
    client.get("/v1/balance").await.ok();
    client.get("/v1/balance").await.ok();
    let third = client.get("/v1/balance").await;
    third.refused(429, "rate_limited");
    let wait: u64 = third.header("retry-after").parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    app.finish().await;
}

#[tokio::test]
async fn a_frozen_account_reads_and_does_not_generate() {
    let app = TestApp::start().await;
    let client = app
        .customer_with("1.00", |who| who.account.frozen = true)
        .await;
    client
        .generate(small("a cat"))
        .await
        .refused(403, "forbidden");
    client.has("1.000000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_keys_own_response_format_holds_where_the_request_is_silent() {
    let app = TestApp::start().await;
    let client = app
        .customer_with("0", |who| {
            who.mode = Mode::Test;
            who.limits.default_response_format = Some(ResponseFormat::Url);
        })
        .await;
    assert_eq!(client.generate(small("a cat")).await.links().len(), 1);
    let said = client
        .generate(small_with("a cat", json!({"response_format": "b64_json"})))
        .await;
    assert_eq!(said.pictures().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn what_another_process_changes_is_noticed_within_a_second() {
    let app = Setup::new()
        .provider("alpha", Scripted::obliging())
        .model(&model("paid", "0.04", &[("alpha", 1, "0")]))
        .start()
        .await;
    let other = app.other_process();
    let client = app.customer("0").await;
    client
        .generate(json!({"model": "paid", "prompt": "a cat"}))
        .await
        .refused(402, "insufficient_credits");
    other
        .top_up(
            &client.account,
            "0.04".parse().expect("an amount"),
            "from elsewhere",
            now(),
        )
        .await
        .expect("rows");
    client
        .generate(json!({"model": "paid", "prompt": "a cat"}))
        .await
        .ok();

    let revoked = Instant::now();
    other.revoke_key(&client.key, now()).await.expect("rows");
    until("the key is refused", async || {
        (client.get("/v1/balance").await.status == 401).then_some(())
    })
    .await;
    assert!(
        revoked.elapsed() < Duration::from_secs(1),
        "{:?}",
        revoked.elapsed()
    );
    drop(other);
    app.finish().await;
}

#[tokio::test]
async fn an_account_does_not_see_the_tasks_of_another() {
    let app = TestApp::start().await;
    let (mine, theirs) = (
        app.scoped(Mode::Test, &[Scope::Generate]).await,
        app.test_key(),
    );
    let task = mine.generate(small("a cat")).await.task_id();
    assert_eq!(mine.task(&task).await["state"], "completed");
    let reply = theirs.get(&format!("/api/v1/tasks/{task}")).await;
    assert_eq!((reply.status, &reply.json()["code"]), (404, &json!(404)));
    for odd in ["task_1", "..%2f..%2fetc%2fpasswd", "%00", "%ff", "a b"] {
        let reply = mine
            .get(&format!("/api/v1/tasks/{}", odd.replace(' ', "%20")))
            .await;
        assert_eq!(
            (reply.status, &reply.json()["data"]),
            (404, &Value::Null),
            "{odd}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let app = Setup::new()
        .set(|settings| settings.metrics_listen = Some(([127, 0, 0, 1], 0).into()))
        .start()
        .await;
    let nobody = app.nobody();
    assert_eq!(nobody.get("/healthz").await.body, "ok\n");
    assert_eq!(nobody.get("/readyz").await.ok()["ready"], true);
    app.test_key().generate(small("a cat")).await.ok();

    nobody.get("/metrics").await.refused(401, "invalid_api_key");
    app.test_key()
        .get("/metrics")
        .await
        .refused(403, "forbidden");
    let admin = app.scoped(Mode::Live, &[Scope::Admin]).await;
    let open = app.metrics.clone().expect("a second address");
    for reply in [admin.get("/metrics").await, open.get("/metrics").await] {
        assert_eq!(reply.status, 200);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(text.contains("pinhole_tasks_total{"), "{text}");
    }
    assert_eq!(open.get("/healthz").await.status, 200);
    assert_eq!(
        open.get("/v1/models").await.status,
        404,
        "nothing else is open there"
    );
    app.finish().await;
}

/// A gauge that is only ever set where there are tasks would show the last of them for ever.
#[tokio::test]
async fn the_gauges_of_a_lane_fall_when_its_tasks_are_over() {
    let waits = gate();
    let provider = Scripted::new(&[Step::Wait(Arc::clone(&waits)), Step::Deliver]);
    let app = Setup::new()
        .provider("falling", provider)
        .model(&model("paid", "0.04", &[("falling", 1, "0.01")]))
        .start()
        .await;
    let admin = app.scoped(Mode::Live, &[Scope::Admin]).await;
    let gauge = async || {
        let text = String::from_utf8_lossy(&admin.get("/metrics").await.body).into_owned();
        let of_lane = |line: &&str| {
            ["pinhole_tasks{", "\"falling\"", "\"processing\""]
                .iter()
                .all(|part| line.contains(part))
        };
        let line = text.lines().find(of_lane).expect("a gauge");
        line.rsplit(' ').next().expect("a number").to_owned()
    };
    let customer = app.customer("1.00").await;
    let left = customer
        .leave(&small_with("a cat", json!({"model": "paid"})))
        .await;
    assert_eq!((left.status, gauge().await.as_str()), (202, "1"));
    waits.add_permits(1);
    app.end_of(&customer, &left.task_id()).await;
    assert_eq!(gauge().await, "0");
    app.finish().await;
}
