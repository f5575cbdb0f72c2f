//! Stories of `GET /files/{asset}`: what a browser, a cache and a curious stranger get.

use crate::app::{Setup, TestApp, model, until};
use crate::client::{Client, Reply, send};
use crate::images::small_with;
use crate::scripted::{Scripted, Step, gate};
use crate::server::Site;
use pinhole::types::{AssetId, TaskState};
use reqwest::Method;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
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
    let expired = until("its time is over", async || {
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
    let collected = until("it is collected", async || {
        let collected = app.engine().collect(Duration::ZERO).await;
        (collected.orphans > 0).then_some(collected)
    })
    .await;
    assert_eq!((collected.expired, collected.orphans), (0, 1));
    assert_eq!(crate::server::files_below(&blobs).len(), 1);
    assert_eq!(app.nobody().get(&link).await.body, bytes);
    app.finish().await;
}

/// The input of a waiting task is needed until the task is over, however long ago its own time was.
#[tokio::test]
async fn an_input_outlives_its_asset_while_a_task_waits_for_it() {
    let waits = gate();
    let opened = Arc::clone(&waits);
    let provider = Scripted::by(move |asked| match asked.upstream_model.as_str() {
        "edited-upstream" => vec![Step::Wait(Arc::clone(&opened)), Step::Deliver],
        _ => vec![Step::Deliver],
    });
    let app = Setup::new()
        .set(|settings| settings.keep_results = Duration::from_secs(2))
        .provider("slow", provider)
        .model(&model("drawn", "0", &[("slow", 1, "0")]))
        .model(&model("edited", "0", &[("slow", 1, "0")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    // On a slow machine a picture may be over before it is named as an input; then there is another one.
    let (link, task) = until("an edit is accepted in time", async || {
        let body = small_with("a", json!({"model": "drawn", "response_format": "url"}));
        let link = customer.generate(body).await.links().remove(0);
        let edit = small_with("b", json!({"model": "edited", "image": link}));
        let left = customer.leave(&edit).await;
        (left.status == 202).then(|| (link, left.task_id()))
    })
    .await;
    let name = link.rsplit('/').next().expect("a name");
    let id = AssetId::parse(name.split('.').next().expect("an id")).expect("an id");
    let asset = app.store().find_asset(&id).await.expect("rows");
    let blob = asset.expect("a row").picture.blob;
    let file = app.setup().file("data").join(blob.as_str());
    until("its own time is over", async || {
        (app.nobody().get(&link).await.status == 410).then_some(())
    })
    .await;
    app.engine().collect(Duration::from_secs(3600)).await;
    assert!(file.exists(), "a waiting task needs it");
    waits.add_permits(1);
    let ended = app.end_of(&customer, &task).await;
    assert_eq!(ended.state, TaskState::Completed, "{:?}", ended.failure);
    app.engine().collect(Duration::from_secs(3600)).await;
    assert!(!file.exists(), "nobody needs it any more");
    app.finish().await;
}

#[tokio::test]
async fn the_rows_are_the_owners_alone_in_a_folder_that_others_may_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&data, mode).expect("it is ours");
    let app = Setup::with_data(folder, &data).start().await;
    app.test_key()
        .generate(small_with("a", json!({})))
        .await
        .ok();
    for name in ["pinhole.db", "pinhole.db-wal", "pinhole.db-shm"] {
        let file = std::fs::metadata(data.join(name)).expect("a file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    app.finish().await;
}

/// A result's name is all that it takes to read it.
#[tokio::test]
async fn the_log_names_no_result_whatever_is_asked() {
    let site = Site::new(Duration::ZERO).variable("PINHOLE_LOG", "debug");
    let server = site.start("").await;
    let nobody = Client::new(&server.url, None);
    let name = AssetId::new().to_string();
    for path in [
        format!("/files/{name}.png"),
        format!("/files/{name}/{name}"),
        format!("//files/{name}.png"),
        format!("/{name}.png"),
    ] {
        assert_eq!(nobody.get(&path).await.status, 404, "{path}");
    }
    assert!(server.terminate().await.success());
    let log = site.log_text();
    assert!(log.contains("/files/{asset}"), "{log}");
    assert!(!log.contains(&name), "{log}");
}
