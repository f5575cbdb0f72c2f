//! Stories of `/v1/files`: pictures that are uploaded once and named in later calls.

use crate::app::{Setup, TestApp, model, noise_png, now, small_png};
use crate::client::{Client, Reply, send};
use crate::images::{small, small_with};
use crate::scripted::{Scripted, Step, gate};
use pinhole::engine::MOST_FILES;
use pinhole::types::{FileId, Format, InputFile, Millis, Mode, Picture, Scope};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::time::Duration;

const EDITS: &str = "/v1/images/edits";

fn form(bytes: Vec<u8>) -> Form {
    Form::new()
        .part("file", Part::bytes(bytes).file_name("a cat.png"))
        .text("purpose", "vision")
}

async fn post(client: &Client, form: Form) -> Reply {
    send(client.request(Method::POST, "/v1/files").multipart(form)).await
}

async fn upload(client: &Client, bytes: Vec<u8>) -> Value {
    post(client, form(bytes)).await.ok()
}

fn id(file: &Value) -> &str {
    file["id"].as_str().expect("an id")
}

async fn delete(client: &Client, id: &str) -> Reply {
    send(client.request(Method::DELETE, &format!("/v1/files/{id}"))).await
}

async fn edit(client: &Client, more: Value) -> Reply {
    let body = small_with("autumn", more);
    send(client.request(Method::POST, EDITS).json(&body)).await
}

fn data_url(bytes: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(bytes);
    format!("data:image/png;base64,{text}")
}

#[tokio::test]
async fn a_file_is_uploaded_shown_listed_read_and_deleted() {
    let app = TestApp::start().await;
    let owner = app.customer("0").await;
    let bytes = noise_png(16);
    let file = upload(&owner, bytes.clone()).await;
    assert!(FileId::parse(id(&file)).is_some(), "{file}");
    assert_eq!(file["object"], "file");
    assert_eq!(file["bytes"], bytes.len());
    assert_eq!(file["filename"], "a cat.png");
    assert_eq!(
        (&file["purpose"], &file["status"]),
        (&json!("vision"), &json!("processed"))
    );
    let lives = file["expires_at"].as_i64().zip(file["created_at"].as_i64());
    assert_eq!(lives.map(|(end, begin)| end - begin), Some(24 * 3600));

    let path = format!("/v1/files/{}", id(&file));
    assert_eq!(owner.get(&path).await.ok(), file);
    let content = owner.get(&format!("{path}/content")).await;
    assert_eq!((content.status, &content.body[..]), (200, &bytes[..]));
    assert_eq!(content.header("content-type"), "image/png");
    assert_eq!(content.header("x-content-type-options"), "nosniff");

    let second = upload(&owner, small_png()).await;
    let list = owner.get("/v1/files").await.ok();
    assert_eq!(list["data"], json!([second, file]));
    assert_eq!(
        (&list["object"], &list["has_more"]),
        (&json!("list"), &json!(false))
    );
    let page = owner
        .get("/v1/files?limit=1&order=asc&purpose=vision")
        .await
        .ok();
    assert_eq!(
        (&page["data"], &page["has_more"]),
        (&json!([file]), &json!(true))
    );
    let next = format!("/v1/files?limit=1&order=asc&after={}", id(&file));
    assert_eq!(owner.get(&next).await.ok()["data"], json!([second]));

    let deleted = delete(&owner, id(&file)).await.ok();
    assert_eq!(
        deleted,
        json!({"id": file["id"], "object": "file", "deleted": true})
    );
    for gone in [&path, &format!("{path}/content")] {
        owner.get(gone).await.refused(404, "not_found");
    }
    delete(&owner, id(&file)).await.refused(404, "not_found");
    app.finish().await;
}

#[tokio::test]
async fn an_accounts_files_are_its_own_whatever_the_mode_of_its_key() {
    let app = TestApp::start().await;
    let owner = app.customer("0").await;
    let other = app.customer("0").await;
    let file = upload(&owner, small_png()).await;
    let path = format!("/v1/files/{}", id(&file));
    for path in [&path, &format!("{path}/content")] {
        other.get(path).await.refused(404, "not_found");
    }
    delete(&other, id(&file)).await.refused(404, "not_found");
    assert_eq!(other.get("/v1/files").await.ok()["data"], json!([]));

    // The account of the first test key has live keys too.
    let file = upload(&app.test_key(), small_png()).await;
    let default = app.store().find_account("default").await.expect("rows");
    let live = app
        .key_of(&default.expect("it is there"), Mode::Live, &[Scope::Read])
        .await;
    let path = format!("/v1/files/{}", id(&file));
    assert_eq!(live.get(&path).await.ok(), file);
    // Who may only read neither uploads nor deletes.
    delete(&live, id(&file)).await.refused(403, "forbidden");
    post(&live, form(small_png()))
        .await
        .refused(403, "forbidden");
    app.nobody()
        .get(&path)
        .await
        .refused(401, "invalid_api_key");
    app.finish().await;
}

#[tokio::test]
async fn what_is_no_image_or_no_upload_is_refused_where_it_stands() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let text = |name: &'static str, text: &'static str| form(small_png()).text(name, text);
    let file = |part: Part| Form::new().text("purpose", "vision").part("file", part);
    let no_image = file(Part::text("%PDF-1.7").file_name("a.png"));
    let large = file(Part::bytes(vec![0; 20 * 1024 * 1024 + 1]).file_name("a.png"));
    let no_purpose = Form::new().part("file", Part::bytes(small_png()).file_name("a.png"));
    let batch = Form::new()
        .text("purpose", "batch")
        .part("file", Part::bytes(small_png()).file_name("a.png"));
    for (form, status, code, param) in [
        (no_image, 400, "invalid_image", "file"),
        (large, 413, "too_large", "file"),
        (no_purpose, 400, "missing_parameter", "purpose"),
        (batch, 400, "invalid_enum", "purpose"),
        (
            Form::new().text("purpose", "vision"),
            400,
            "missing_parameter",
            "file",
        ),
        (
            Form::new().text("file", "bytes"),
            400,
            "invalid_type",
            "file",
        ),
        (text("colour", "blue"), 400, "unknown_parameter", "colour"),
        (
            text("expires_after[anchor]", "now"),
            400,
            "invalid_enum",
            "expires_after[anchor]",
        ),
        (
            text("expires_after[seconds]", "86401"),
            400,
            "out_of_range",
            "expires_after[seconds]",
        ),
    ] {
        let error = post(&client, form).await.refused(status, code);
        assert_eq!(error["param"], param, "{error}");
    }
    let json = client.request(Method::POST, "/v1/files").json(&json!({}));
    send(json).await.refused(415, "unsupported_media_type");
    for (query, param) in [
        ("limit=0", "limit"),
        ("order=up", "order"),
        ("after=file-1", "after"),
        ("limits=1", "limits"),
        ("limit=1&limit=2", "limit"),
    ] {
        let reply = client.get(&format!("/v1/files?{query}")).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["param"]),
            (400, &json!(param))
        );
    }
    assert_eq!(client.get("/v1/files").await.ok()["data"], json!([]));
    // Nothing is left of what was refused.
    assert_eq!(app.engine().collect(Duration::ZERO).await.orphans, 0);

    let soon = form(small_png())
        .text("expires_after[anchor]", "created_at")
        .text("expires_after[seconds]", "60");
    let soon = post(&client, soon).await.ok();
    let lives = soon["expires_at"].as_i64().zip(soon["created_at"].as_i64());
    assert_eq!(lives.map(|(end, begin)| end - begin), Some(60));
    app.finish().await;
}

#[tokio::test]
async fn an_edit_by_file_is_the_edit_by_its_bytes() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let (first, second) = (noise_png(32), noise_png(48));
    let one = upload(&client, first.clone()).await;
    let two = upload(&client, second.clone()).await;
    let (one, two) = (id(&one), id(&two));
    let inline = json!({"images": [{"image_url": data_url(&first)}, {"image_url": data_url(&second)}],
        "mask": {"image_url": data_url(&first)}});
    let wanted = edit(&client, inline).await.pictures();
    let named = json!({"images": [{"file_id": one}, {"file_id": two}], "mask": {"file_id": one}});
    let made = edit(&client, named).await;
    assert_eq!(made.header("x-pinhole-adapted"), "");
    assert_eq!(made.pictures(), wanted);
    let bare = edit(&client, json!({"image": [one, two], "mask": one})).await;
    assert_eq!(bare.pictures(), wanted);
    let form = Form::new()
        .text("prompt", "autumn")
        .text(
            "model",
            small("x")["model"].as_str().expect("a model").to_owned(),
        )
        .text(
            "size",
            small("x")["size"].as_str().expect("a size").to_owned(),
        )
        .text("image[]", one.to_owned())
        .part("image[]", Part::bytes(second).file_name("b.png"))
        .text("mask", one.to_owned());
    let mixed = send(client.request(Method::POST, EDITS).multipart(form)).await;
    assert_eq!(mixed.pictures(), wanted);

    // In a message too, and it is an edit of one image.
    let chat = |image: Value| {
        let parts = json!([{"type": "text", "text": "autumn"}, image]);
        let mut body = small("x");
        body["messages"] = json!([{"role": "user", "content": parts}]);
        body.as_object_mut().expect("an object").remove("prompt");
        body
    };
    let link = chat(json!({"type": "image_url", "image_url": {"url": data_url(&first)}}));
    let named = chat(json!({"type": "image_url", "image_url": {"file_id": one}}));
    let wanted = client.generate(link).await.pictures();
    assert_eq!(client.generate(named).await.pictures(), wanted);
    app.finish().await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_refused_where_it_is_named() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let file = upload(&client, small_png()).await;
    let stranger = app.customer_with("0", |who| who.mode = Mode::Test).await;
    let theirs = upload(&stranger, small_png()).await;
    let expired = InputFile {
        expires_at: Millis(now().0 - 1),
        ..stored_file(&app, 1).await
    };
    app.store()
        .add_file(expired.clone(), MOST_FILES)
        .await
        .expect("room");
    let never = FileId::new();
    for gone in [id(&theirs), expired.id.as_str(), never.as_str(), "file_x"] {
        let named = json!([{"file_id": file["id"]}, {"file_id": gone}]);
        let reply = edit(&client, json!({"images": named})).await;
        let error = reply.refused(400, "file_not_found");
        assert_eq!(error["param"], "images[1].file_id", "{gone}");
    }
    let mask = json!({"images": [{"file_id": file["id"]}], "mask": {"file_id": never.as_str()}});
    let error = edit(&client, mask).await.refused(400, "file_not_found");
    assert_eq!(error["param"], "mask.file_id");
    let bare = edit(&client, json!({"image": never.as_str()})).await;
    assert_eq!(bare.refused(400, "file_not_found")["param"], "image");
    app.finish().await;
}

/// A row of the account `default` whose blob is in nobody's store.
async fn stored_file(app: &TestApp, bytes: u64) -> InputFile {
    let account = app.store().find_account("default").await.expect("rows");
    InputFile {
        id: FileId::new(),
        account: account.expect("it is there").id,
        name: "a.png".to_owned(),
        purpose: "vision".to_owned(),
        picture: Picture {
            blob: pinhole::types::BlobKey::random(),
            bytes,
            hash: "0".repeat(64),
            format: Format::Png,
            width: 1,
            height: 1,
        },
        created_at: now(),
        expires_at: Millis(now().0 + 3_600_000),
    }
}

#[tokio::test]
async fn an_account_keeps_a_gibibyte_and_is_told_so() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let bytes = small_png();
    let almost = stored_file(&app, MOST_FILES.bytes - bytes.len() as u64).await;
    app.store()
        .add_file(almost.clone(), MOST_FILES)
        .await
        .expect("room");
    // It just fits, and then nothing does.
    let file = upload(&client, bytes.clone()).await;
    let error = post(&client, form(bytes.clone()))
        .await
        .refused(413, "too_large");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("1073741824 bytes"), "{message}");
    // Another account's space is its own.
    let other = app.customer("0").await;
    upload(&other, bytes.clone()).await;
    delete(&client, id(&file)).await.ok();
    upload(&client, bytes).await;
    app.finish().await;
}

#[tokio::test]
async fn a_repeat_with_the_same_file_is_known_and_with_another_refused() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let [one, other] = [
        upload(&client, noise_png(8)).await,
        upload(&client, noise_png(9)).await,
    ];
    let call = async |file: &Value| {
        let body = small_with("autumn", json!({"images": [{"file_id": file["id"]}]}));
        let request = client.request(Method::POST, EDITS).json(&body);
        send(request.header("idempotency-key", "k")).await
    };
    let first = call(&one).await;
    assert_eq!(first.pictures().len(), 1);
    call(&other).await.refused(422, "idempotency_key_reused");
    // What was made is replayed, whether or not its file is still there.
    delete(&client, id(&one)).await.ok();
    let again = call(&one).await;
    assert_eq!(
        (again.task_id(), again.pictures()),
        (first.task_id(), first.pictures())
    );
    app.finish().await;
}

#[tokio::test]
async fn a_task_keeps_what_it_reads_when_the_file_is_deleted() {
    let gate = gate();
    let provider = Scripted::new(&[Step::Wait(gate.clone()), Step::Deliver]);
    let app = Setup::new()
        .provider("alpha", provider)
        .model(&model("paid", "0.04", &[("alpha", 4, "0.01")]))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    let file = upload(&customer, noise_png(16)).await;
    let file_id = FileId::parse(id(&file)).expect("an id");
    let found = app
        .store()
        .find_file(&customer.account, &file_id, now())
        .await;
    let picture = found.expect("rows").expect("it is there").picture;
    let is_there = async || {
        let blobs = app.engine().blobs();
        blobs.read(&picture.blob, 0..picture.bytes).await.is_ok()
    };
    // The collector leaves what a file names.
    assert_eq!(app.engine().collect(Duration::ZERO).await.orphans, 0);
    assert!(is_there().await);

    let body = small_with(
        "autumn",
        json!({"model": "paid", "images": [{"file_id": file_id.as_str()}]}),
    );
    let left = send(
        customer
            .request(Method::POST, EDITS)
            .header("prefer", "respond-async")
            .json(&body),
    )
    .await;
    assert_eq!(left.status, 202);
    delete(&customer, file_id.as_str()).await.ok();
    assert_eq!(app.engine().collect(Duration::ZERO).await.orphans, 0);
    assert!(is_there().await, "the task reads it");
    gate.add_permits(1);
    let task = app.end_of(&customer, &left.task_id()).await;
    assert_eq!(task.failure, None);
    assert_eq!(app.engine().collect(Duration::ZERO).await.orphans, 1);
    assert!(!is_there().await, "nobody needs it any more");

    // An expired one goes by itself.
    let expired = InputFile {
        expires_at: now(),
        ..stored_file(&app, 1).await
    };
    app.store()
        .add_file(expired.clone(), MOST_FILES)
        .await
        .expect("room");
    assert_eq!(app.engine().collect(Duration::ZERO).await.files, 1);
    app.finish().await;
}
