//! What clients send, and the canonical request that it becomes.

use super::{check, model};
use crate::api::body::IMAGE_FIELDS;
use crate::blob::Blobs;
use crate::catalogue::{self, Checked, Rules};
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::error::Error;
use crate::intake::{self, Intake, multipart};
use crate::types::{Draft, Operation};
use bytes::Bytes;
use futures::Stream;
use std::fmt::Write as _;

/// A PNG's beginning, which is all that the probe reads.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x06\0\0\0";

fn stream(body: &[u8]) -> impl Stream<Item = Result<Bytes, String>> + Unpin + use<> {
    futures::stream::iter([Ok(Bytes::copy_from_slice(body))])
}

/// One body in JSON.
async fn json(name: &str, operation: Option<Operation>, body: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::local(folder.path()).expect("a store");
    let intake = intake::read_json(stream(body.as_bytes()), &blobs, IMAGE_FIELDS).await;
    let rules = Rules {
        operation,
        ..Rules::default()
    };
    check_request(name, body, intake.expect("well-formed"), &rules);
}

fn check_request(name: &str, body: &str, intake: Intake, rules: &Rules) {
    let read = Flat.decode(&intake);
    let mut text = format!("{}\n\n", body.trim_end());
    match read {
        Err(error) => refused(&mut text, &error),
        Ok(draft) => {
            told(&mut text, &draft);
            let id = draft.field("model").and_then(|field| field.value.as_str());
            let model = model(id.expect("a model"));
            match catalogue::check(&model, draft, rules) {
                Ok(checked) => accepted(&mut text, &checked),
                Err(faults) => refused(&mut text, &Error::faults(faults)),
            }
        }
    }
    check(name, &with_plain_handles(text));
}

fn told(text: &mut String, draft: &Draft) {
    *text += "── draft: name, path, value\n";
    for field in &draft.fields {
        let _ = writeln!(text, "{} < {} = {}", field.name, field.path, field.value);
    }
}

fn accepted(text: &mut String, checked: &Checked) {
    let request = serde_json::to_value(&checked.request).expect("a request is JSON");
    let _ = writeln!(text, "\n── request\n{request:#}\n\n── beside it");
    let _ = writeln!(text, "adapted: {:?}", checked.adapted);
    let _ = writeln!(text, "stream: {}", checked.stream);
    let _ = writeln!(text, "include usage: {}", checked.include_usage);
    let _ = writeln!(text, "callback: {:?}", checked.callback_url);
    let _ = writeln!(text, "images: {:?}", checked.images);
    let _ = writeln!(text, "mask: {:?}", checked.mask);
}

fn refused(text: &mut String, error: &Error) {
    let _ = writeln!(text, "── refused\n{:#}", Flat.encode_error(error));
}

/// Handles hold random bits.
fn with_plain_handles(text: String) -> String {
    let mut pieces = text.split("pinhole-blob:");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain += "pinhole-blob:…";
        plain += &piece[32..];
    }
    plain
}

const CHAT: &str = r#"{
  "model": "NBP",
  "messages": [
    {"role": "system", "content": "Only watercolours."},
    {"role": "user", "content": [
      {"type": "text", "text": "Put the fox into the forest"},
      {"type": "image_url", "image_url": {"url": "https://example.com/fox.png", "detail": "high"}},
      {"type": "image_url", "image_url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAQAAAAEACAYAAAA="}
    ]}
  ],
  "size": "2752x1536"
}"#;

#[tokio::test]
async fn bodies_of_generations() {
    json(
        "request-flat-seed",
        None,
        include_str!("../../dialect/image_body/seeds/gpt-image-2.json"),
    )
    .await;
    json(
        "request-dashscope-seed",
        None,
        include_str!("../../dialect/image_body/seeds/qwen-image-plus.json"),
    )
    .await;
    json(
        "request-chat-seed",
        None,
        include_str!("../../dialect/image_body/seeds/NBP.json"),
    )
    .await;
    json("request-chat-with-images", None, CHAT).await;
    json(
        "request-flat-everything",
        None,
        r#"{
  "model": "gpt-image-2-2026-04-21", "prompt": "a fox", "n": "2", "size": "auto", "quality": "auto", "style": "vivid",
  "background": "transparent", "output_format": "webp", "output_compression": 80, "moderation": "low",
  "stream": true, "partial_images": 2, "stream_options": {"include_usage": true}, "response_format": "both",
  "user": "u1", "metadata": {"order": 7}, "max_cost": "0.5", "callback_url": "https://example.com/hook"
}"#,
    )
    .await;
    json(
        "request-flat-with-images",
        None,
        r#"{
  "model": "gpt-image-2", "prompt": "a fox",
  "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAQAAAAEACAYAAAA=", "mask": {"file_id": "file_1"}
}"#,
    )
    .await;
    json(
        "request-flat-refused",
        None,
        r#"{"model": "gpt-image-2", "prompt": "", "n": 12, "sise": "1024x1024", "quality": "best", "mask": 5}"#,
    )
    .await;
    json(
        "request-dashscope-refused",
        None,
        r#"{"model": "qwen-image-plus", "input": {"prompt": "a fox"}, "parameters": {"size": "1664*928", "n": 2}, "size": "928*1664"}"#,
    )
    .await;
    json(
        "request-chat-refused",
        None,
        r#"{"model": "NBP", "messages": [{"role": "assistant", "content": "a fox"}]}"#,
    )
    .await;
}

/// The task service takes the same bodies; its own path is not there yet.
#[tokio::test]
async fn bodies_of_tasks() {
    json(
        "request-task-generate",
        None,
        r#"{"model": "gpt-image-2-lite", "prompt": "a fox", "aspect_ratio": "16:9", "n": 4, "nsfw_checker": true, "callback_url": "https://your-domain.com/webhook/image"}"#,
    )
    .await;
    json(
        "request-task-edit",
        None,
        r#"{"model": "sparkpix-image-edit", "prompt": "dress the fox", "image_urls": ["https://example.com/model.jpg", "https://example.com/outfit.jpg"], "aspect_ratio": "4:3"}"#,
    )
    .await;
}

#[tokio::test]
async fn bodies_of_edits() {
    let edit = Some(Operation::Edit);
    json(
        "request-edits-json",
        edit,
        r#"{
  "model": "gpt-image-2", "prompt": "night", "size": "1536x1024", "input_fidelity": "high",
  "images": [{"image_url": "https://example.com/fox.png"}, {"file_id": "file_2"}],
  "mask": {"image_url": "https://example.com/mask.png"}
}"#,
    )
    .await;
    json(
        "request-edits-without-image",
        edit,
        r#"{"model": "gpt-image-2", "prompt": "night"}"#,
    )
    .await;
}

#[tokio::test]
async fn a_form_of_edits() {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::local(folder.path()).expect("a store");
    let parts: [(&str, Option<&str>, &[u8]); 8] = [
        ("image[]", Some("fox.png"), PNG),
        ("prompt", None, "a cät\n「明月」".as_bytes()),
        ("image[]", Some("blob"), PNG),
        ("model", None, b"gpt-image-2"),
        ("mask", Some("mask.png"), PNG),
        ("n", None, b"2"),
        ("stream", None, b"true"),
        ("output_compression", None, b"80"),
    ];
    let (mut body, mut shown) = (Vec::new(), String::new());
    for (name, file, content) in parts {
        let file = file
            .map(|file| format!("; filename=\"{file}\""))
            .unwrap_or_default();
        let head = format!("Content-Disposition: form-data; name=\"{name}\"{file}");
        body.extend(format!("--b\r\n{head}\r\n\r\n").into_bytes());
        body.extend(content);
        body.extend(b"\r\n");
        let content = if file.is_empty() {
            String::from_utf8_lossy(content)
        } else {
            "(a PNG)".into()
        };
        let _ = writeln!(shown, "{head}\n{content}");
    }
    body.extend(b"--b--\r\n");
    let form = multipart::read(stream(&body), "b", &blobs)
        .await
        .expect("well-formed");
    let rules = Rules {
        operation: Some(Operation::Edit),
        untyped_body: true,
        ..Rules::default()
    };
    check_request("request-edits-form", &shown, form.into_intake(), &rules);
}
