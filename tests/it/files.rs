//! Stories of `GET /files/{asset}`: what a browser, a cache and a curious stranger get.

use crate::app::{Setup, TestApp};
use crate::client::{Reply, send};
use crate::images::small_with;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// Draws a picture; its link and its bytes.
async fn picture(app: &TestApp) -> (String, Vec<u8>) {
    let body = small_with("a harbour", json!({"response_format": "both"}));
    let reply = app.test_key().generate(body).await;
    (reply.links().remove(0), reply.pictures().remove(0))
}

/// Nothing in the bytes can run, whoever opens them.
fn is_inert(reply: &Reply) {
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    let policy = reply.header("content-security-policy");
    assert!(
        policy.contains("sandbox") && policy.contains("default-src 'none'"),
        "{policy}"
    );
}

#[tokio::test]
async fn a_file_is_served_whole_in_parts_and_not_again() {
    let app = TestApp::start().await;
    let (link, bytes) = picture(&app).await;
    let nobody = app.nobody();
    let whole = nobody.get(&link).await;
    assert_eq!((whole.status, &whole.body[..]), (200, &bytes[..]));
    assert_eq!(whole.header("content-type"), "image/png");
    assert_eq!(whole.header("content-length"), bytes.len().to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    is_inert(&whole);
    let etag = whole.header("etag").to_owned();
    assert!(
        etag.starts_with('"') && !etag.starts_with("W/"),
        "a strong one: {etag}"
    );

    for tag in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"other\", {etag}"),
        "*".to_owned(),
    ] {
        let unchanged = nobody.get_with(&link, "if-none-match", &tag).await;
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{tag}");
        assert_eq!(unchanged.header("etag"), etag);
    }
    let changed = nobody.get_with(&link, "if-none-match", "\"other\"").await;
    assert_eq!(changed.status, 200);

    let last = bytes.len() - 1;
    for (range, expected) in [
        ("bytes=0-9".to_owned(), 0..10),
        ("bytes=10-".to_owned(), 10..last + 1),
        ("bytes=-5".to_owned(), last - 4..last + 1),
        (format!("bytes={last}-{}", last + 1000), last..last + 1),
    ] {
        let part = nobody.get_with(&link, "range", &range).await;
        assert_eq!(
            (part.status, &part.body[..]),
            (206, &bytes[expected.clone()]),
            "{range}"
        );
        let says = format!(
            "bytes {}-{}/{}",
            expected.start,
            expected.end - 1,
            bytes.len()
        );
        assert_eq!(part.header("content-range"), says);
        is_inert(&part);
    }
    let outside = nobody
        .get_with(&link, "range", &format!("bytes={}-", bytes.len()))
        .await;
    assert_eq!(outside.status, 416);
    assert_eq!(
        outside.header("content-range"),
        format!("bytes */{}", bytes.len())
    );
    for whole in ["bytes=5-1", "items=0-1", "bytes=0-1,4-5"] {
        let reply = nobody.get_with(&link, "range", whole).await;
        assert_eq!(
            (reply.status, reply.body.len()),
            (200, bytes.len()),
            "{whole}"
        );
    }
    let other_version = nobody
        .request(Method::GET, &link)
        .header("range", "bytes=0-9")
        .header("if-range", "\"other\"");
    assert_eq!(send(other_version).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn head_says_what_get_would_and_sends_nothing() {
    let app = TestApp::start().await;
    let (link, bytes) = picture(&app).await;
    let head = send(app.nobody().request(Method::HEAD, &link)).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), bytes.len().to_string());
    assert_eq!(
        head.header("etag"),
        app.nobody().get(&link).await.header("etag")
    );
    is_inert(&head);
    app.finish().await;
}

#[tokio::test]
async fn a_name_that_was_never_given_is_not_found() {
    let app = TestApp::start().await;
    let (link, _) = picture(&app).await;
    let nobody = app.nobody();
    let other_format = link.replace(".png", ".html");
    let without = link.trim_end_matches(".png").to_owned();
    assert_eq!(
        nobody.get(&without).await.status,
        200,
        "the extension may be left out"
    );
    for name in [
        other_format.as_str(),
        "/files/asset_00000000000000000000000000",
        "/files/x",
        "/files/..%2f..%2fpinhole.db",
        "/files/%2e%2e",
        "/files/test-key",
        "/files/%00",
        "/files/%ff%fe",
    ] {
        let reply = nobody.get(name).await;
        reply.refused(404, "not_found");
    }
    app.finish().await;
}

#[tokio::test]
async fn an_expired_file_is_gone_before_and_after_it_is_deleted() {
    let app = Setup::new()
        .set(|settings| settings.keep_test_results = Duration::from_secs(1))
        .start()
        .await;
    let (link, _) = picture(&app).await;
    let expired = crate::app::until("its time is over", async || {
        let reply = app.nobody().get(&link).await;
        (reply.status != 200).then_some(reply)
    })
    .await;
    expired.refused(410, "expired");
    let collected = app.engine().collect(Duration::from_secs(3600)).await;
    assert_eq!((collected.expired, collected.orphans), (1, 0));
    app.nobody().get(&link).await.refused(410, "expired");
    app.finish().await;
}

#[tokio::test]
async fn a_configured_public_url_stands_in_every_link() {
    let app = Setup::new()
        .set(|settings| settings.public_url = Some("https://images.example.com/pinhole".to_owned()))
        .start()
        .await;
    let (link, bytes) = picture(&app).await;
    let path = link
        .strip_prefix("https://images.example.com/pinhole")
        .expect("the configured URL");
    assert_eq!(app.nobody().get(path).await.body, bytes);
    app.finish().await;
}

#[tokio::test]
async fn blobs_that_no_row_names_are_collected_and_no_others() {
    let app = TestApp::start().await;
    let (link, bytes) = picture(&app).await;
    let left_behind = app
        .engine()
        .blobs()
        .put(crate::app::small_png().into())
        .await;
    drop(left_behind.expect("room").keep());
    let blobs = app.setup().file("data").join("blobs");
    assert_eq!(crate::server::files_below(&blobs).len(), 2);
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(
        app.engine().collect(day).await.orphans,
        0,
        "somebody may still work on it"
    );
    // A file's time has a grain; a moment later it is older than nothing.
    let collected = crate::app::until("it is collected", async || {
        let collected = app.engine().collect(Duration::ZERO).await;
        (collected.orphans > 0).then_some(collected)
    })
    .await;
    assert_eq!((collected.expired, collected.orphans), (0, 1));
    assert_eq!(crate::server::files_below(&blobs).len(), 1);
    assert_eq!(app.nobody().get(&link).await.body, bytes);
    app.finish().await;
}
