//! Stories of `GET /v1/usage`: what was used is what was charged.

use crate::app::{Setup, model};
use crate::images::{small, small_with};
use pinhole::types::{Mode, Scope};
use serde_json::{Value, json};
use std::time::Duration;

/// The groups of a reply: each name with what was charged.
fn charged(usage: &Value, by: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let groups = usage["data"].as_array().expect("a list");
    groups
        .iter()
        .map(|group| (text(&group[by]), text(&group["charged"])))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, amount): &(&str, &str)| ((*name).to_owned(), (*amount).to_owned());
    pairs.iter().map(owned).collect()
}

#[tokio::test]
async fn what_was_used_is_what_was_charged_however_it_is_told_apart() {
    let app = Setup::new()
        .replay("rehearsal", Duration::ZERO)
        .model(&model("paid", "0.04", &[("rehearsal", 4, "0.01")]))
        .model(&model("dear", "0.10", &[("rehearsal", 4, "0.01")]))
        .start()
        .await;
    let customer = app.customer("5.00").await;
    let account = app.store().find_account(customer.account.as_str()).await;
    let account = account.expect("rows").expect("it is there");
    let tester = app.key_of(&account, Mode::Test, &[Scope::Generate]).await;
    for (model, n) in [("paid", 3), ("paid", 1), ("dear", 2)] {
        let body = small_with("a cat", json!({"model": model, "n": n}));
        assert_eq!(customer.generate(body).await.pictures().len(), n);
    }
    tester.generate(small("a lake")).await.ok();
    let failing = small("[pinhole:fail=upstream] x");
    tester
        .generate(failing)
        .await
        .refused(502, "upstream_failed");
    // Somebody else's is not ours.
    let other = app.customer("1.00").await;
    let body = small_with("a dog", json!({"model": "paid"}));
    other.generate(body).await.ok();

    let usage = customer.get("/v1/usage").await.ok();
    assert_eq!(
        (&usage["object"], &usage["currency"]),
        (&json!("usage"), &json!("USD"))
    );
    assert_eq!(usage["account"], account.name.as_str());
    assert_eq!(
        (&usage["data"], &usage["group_by"]),
        (&json!([]), &Value::Null)
    );
    let total = usage["total"].clone();
    assert_eq!(
        total,
        json!({"completed": 4, "failed": 1, "images": 7, "input_text_tokens": 0,
            "input_image_tokens": 0, "output_tokens": 0, "charged": "0.360000"})
    );
    // As the balance and the ledger say.
    customer.has("4.640000").await;
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(
        audit.captured.to_string(),
        "0.400000",
        "0.04 of it is another's"
    );

    let by = async |name: &str| {
        let usage = customer
            .get(&format!("/v1/usage?group_by={name}"))
            .await
            .ok();
        assert_eq!(
            (&usage["total"], &usage["group_by"]),
            (&total, &json!(name))
        );
        usage
    };
    let models = pairs(&[
        ("dear", "0.200000"),
        ("paid", "0.160000"),
        ("sketch", "0.000000"),
    ]);
    assert_eq!(charged(&by("model").await, "model"), models);
    let modes = pairs(&[("live", "0.360000"), ("test", "0.000000")]);
    assert_eq!(charged(&by("mode").await, "mode"), modes);
    let keys = by("key").await;
    let mut amounts: Vec<_> = charged(&keys, "key").into_iter().map(|key| key.1).collect();
    amounts.sort();
    assert_eq!(amounts, ["0.000000", "0.360000"]);
    assert_eq!(keys["data"][0]["name"], "test");
    // A story may run over midnight.
    let days = charged(&by("day").await, "day");
    assert!((1..=2).contains(&days.len()), "{days:?}");

    let reader = app.key_of(&account, Mode::Live, &[Scope::Read]).await;
    assert_eq!(reader.get("/v1/usage").await.ok()["total"], total);
    let never = reader
        .get("/v1/usage?start=2020-01-01&end=2020-12-31")
        .await
        .ok();
    assert_eq!(never["total"]["completed"], 0);
    let day = never["end"].as_i64().zip(never["start"].as_i64());
    assert_eq!(day.map(|(end, start)| (end - start) / 86_400), Some(366));
    app.finish().await;
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_what_would_be_right() {
    let app = crate::app::TestApp::start().await;
    let client = app.test_key();
    for (query, code, param) in [
        ("group_by=colour", "invalid_value", "group_by"),
        ("start=yesterday", "invalid_value", "start"),
        ("end=2026-13-01", "invalid_value", "end"),
        ("start=2026-11-02&end=2026-11-01", "invalid_value", "start"),
        ("groupby=model", "unknown_parameter", "groupby"),
    ] {
        let reply = client.get(&format!("/v1/usage?{query}")).await;
        let error = reply.refused(400, code);
        assert_eq!(error["param"], param, "{error}");
    }
    app.nobody()
        .get("/v1/usage")
        .await
        .refused(401, "invalid_api_key");
    app.finish().await;
}
