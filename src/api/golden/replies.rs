//! What clients get: replies, events, errors, tasks, prices, cards.

use super::{check, model};
use crate::api::images::{Pending, quote_body};
use crate::api::models::card;
use crate::catalogue::{self, Rules};
use crate::dialect::flat::Flat;
use crate::dialect::task::TaskShape;
use crate::dialect::{Dialect, Piece, Reply, Stage, StreamedImage};
use crate::engine::Quoted;
use crate::error::{Error, Fault, TABLE};
use crate::types::{
    AccountId, Asset, AssetId, BlobKey, Draft, FailKind, Failure, Format, KeyId, Millis, Mode,
    Money, Picture, Quote, Request, Task, TaskId, TaskState, Usage,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

const START: Millis = Millis(1_795_219_200_123);

fn checked(body: Value) -> Request {
    let id = body["model"].as_str().expect("a model").to_owned();
    let mut draft = Draft::default();
    for (name, value) in body.as_object().expect("an object") {
        draft.push(name, value.clone());
    }
    let checked = catalogue::check(&model(&id), draft, &Rules::default());
    checked.expect("the model takes it").request
}

fn picture(index: u32, format: Format, (width, height): (u32, u32)) -> Picture {
    Picture {
        blob: BlobKey::trusted(format!("blob-{index}")),
        bytes: 3000,
        hash: "00".repeat(32),
        format,
        width,
        height,
    }
}

/// A task that has made these pictures.
fn task(body: Value, pictures: Vec<Picture>) -> Task {
    let request = checked(body);
    let id = TaskId::trusted(format!("task_{:032}", 1));
    let account = AccountId::trusted(format!("acct_{:032}", 2));
    let asset = |(index, picture): (u32, Picture)| Asset {
        id: AssetId::trusted(format!("asset_{index:032}")),
        task: id.clone(),
        account: account.clone(),
        index,
        picture,
        revised_prompt: (index == 1).then(|| "a \"red\" fox".to_owned()),
        created_at: Millis(START.0 + 900),
        expires_at: None,
        is_late: false,
    };
    let unit = Money::from_micros(53_000);
    let quote = Quote {
        unit,
        total: unit.times(request.n()).expect("little money"),
        rates: None,
    };
    Task {
        id: id.clone(),
        account: account.clone(),
        key: KeyId::trusted(format!("key_{:032}", 3)),
        mode: Mode::Live,
        request: Arc::new(request),
        quote,
        lane: "openai".to_owned(),
        public_url: "https://pinhole.example".to_owned(),
        callback: None,
        state: TaskState::Completed,
        fence: 1,
        crashes: 0,
        lone_crashes: 0,
        created_at: START,
        started_at: Some(START),
        completed_at: Some(Millis(START.0 + 1000)),
        failure: None,
        captured: quote.total,
        usage: Usage {
            input_text_tokens: 12,
            input_image_tokens: 300,
            output_tokens: 4160,
        },
        upstream_ms: 900,
        assets: (0..).zip(pictures).map(asset).collect(),
        text: None,
        late_text: None,
    }
}

fn fox(more: Value) -> Value {
    let mut body = json!({"model": "gpt-image-2", "prompt": "a fox"});
    let map = body.as_object_mut().expect("an object");
    map.extend(more.as_object().expect("an object").clone());
    body
}

fn square() -> Picture {
    picture(0, Format::Png, (1024, 1024))
}

/// A reply as it is sent, but for the pictures.
fn shown(reply: &Reply) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Base64(picture) => format!("<base64 of {}>", picture.blob.as_str()),
    };
    reply.pieces.iter().map(piece).collect()
}

#[test]
fn replies() {
    let reply = |name: &str, body: Value, pictures: Vec<Picture>| {
        check(name, &shown(&Flat.encode(&task(body, pictures))));
    };
    reply("reply-b64", fox(json!({})), vec![square()]);
    reply(
        "reply-url",
        fox(json!({"response_format": "url"})),
        vec![square()],
    );
    reply(
        "reply-both",
        fox(json!({"response_format": "both", "background": "transparent"})),
        vec![square()],
    );
    let two = vec![square(), picture(1, Format::Webp, (1024, 1024))];
    reply(
        "reply-several",
        fox(json!({"n": 2, "response_format": "both"})),
        two,
    );
    let wide = json!({"model": "NBP", "prompt": "a fox", "size": "16:9", "quality": "2K"});
    reply(
        "reply-values-beyond-openai",
        wide,
        vec![picture(0, Format::Png, (2752, 1536))],
    );
    let edit = fox(json!({"image": "https://example.com/a.png", "quality": "high"}));
    reply("reply-edit", edit, vec![square()]);
}

fn events(name: &str, body: Value) {
    let task = task(body, vec![square(), picture(1, Format::Png, (1024, 1024))]);
    let links = task.request.envelope().response_format.has_url();
    let event = |index: u32, stage: Stage<'_>| {
        let image = StreamedImage {
            include_usage: false,
            task: &task.id,
            request: &task.request,
            created_at: task.created_at,
            index,
            format: Format::Png,
            size: (1024, 1024),
            stage,
        };
        shown(&Flat.encode_image(&image))
    };
    let completed = |asset: &Asset, last| {
        let stage = Stage::Completed {
            picture: &asset.picture,
            url: links.then(|| format!("https://pinhole.example/files/{}.png", asset.id)),
            revised_prompt: asset.revised_prompt.as_deref(),
            last,
        };
        event(asset.index, stage)
    };
    let events = [
        event(0, Stage::Preview(0, b"first")),
        event(0, Stage::Preview(1, b"second")),
        completed(&task.assets[0], None),
        completed(&task.assets[1], Some((&task, 7))),
    ];
    check(name, &events.concat());
}

#[test]
fn streams() {
    events("stream-generate", fox(json!({"n": 2})));
    let edit = json!({"n": 2, "image": "https://example.com/a.png", "response_format": "url", "size": "1536x1024"});
    events("stream-edit-with-links", fox(edit));
    let failure = Failure::new(FailKind::Upstream, "the upstream failed");
    let late = Flat.encode_late_error(&Error::from(&failure));
    check("stream-late-error", &shown(&late));
}

/// Every kind of error in both shapes, with its status.
#[test]
fn errors() {
    let (mut flat, mut task) = (String::new(), String::new());
    for row in TABLE {
        let error = Error::new(row.kind, "what was wrong");
        let _ = writeln!(flat, "{} {}", row.status, Flat.encode_error(&error));
        let _ = writeln!(task, "{} {}", row.status, TaskShape.encode_error(&error));
    }
    let faults = ["n", "messages[0].content"].map(|param| Fault {
        param: param.to_owned(),
        code: "out_of_range",
        message: format!("`{param}` is too large"),
    });
    let faults = Error::faults(faults.into());
    let _ = writeln!(flat, "400 {}", Flat.encode_error(&faults));
    let _ = writeln!(task, "400 {}", TaskShape.encode_error(&faults));
    check("errors-v1", &flat);
    check("errors-api-v1", &task);
}

#[test]
fn tasks() {
    let completed = task(
        fox(json!({"n": 2})),
        vec![square(), picture(1, Format::Webp, (1024, 1024))],
    );
    let waiting = Task {
        state: TaskState::Pending,
        started_at: None,
        completed_at: None,
        captured: Money::ZERO,
        assets: Vec::new(),
        ..completed.clone()
    };
    let running = Task {
        state: TaskState::Processing,
        started_at: Some(START),
        ..waiting.clone()
    };
    let failed = Task {
        state: TaskState::Failed,
        completed_at: completed.completed_at,
        failure: Some(Failure::new(
            FailKind::ContentPolicy,
            "the prompt was refused",
        )),
        ..running.clone()
    };
    let mut text = String::new();
    for task in [&waiting, &running, &completed, &failed] {
        text += &shown(&TaskShape.encode(task));
        text.push('\n');
    }
    check("tasks-api-v1", &text);
    let pending = [(&waiting, Some(3)), (&running, None)]
        .map(|(task, ahead)| Pending::of_task(task, ahead).body().to_string());
    check("tasks-pending-v1", &pending.join("\n"));
}

#[test]
fn quotes() {
    let of = |body: Value| {
        let request = checked(body);
        let model = model(request.model());
        let quote = catalogue::quote(&model, &request, 1000);
        let quoted = Quoted {
            model: model.id.clone(),
            n: request.n(),
            quote: quote.unwrap_or(Quote::FREE),
            row: catalogue::price_row(&model, &request).cloned(),
            most_tokens: catalogue::most_tokens(&model, &request),
        };
        format!("{:#}", quote_body(&quoted))
    };
    let bodies = [
        fox(json!({"n": 2})),
        fox(json!({"image": "https://example.com/a.png", "size": "2048x1152"})),
        json!({"model": "qwen-image-plus", "prompt": "a fox"}),
        json!({"model": "gemini-3.5-flash", "prompt": "a fox", "max_tokens": 100}),
    ];
    check("quotes", &bodies.map(of).join("\n"));
}

#[test]
fn cards() {
    for id in ["gpt-image-2", "qwen-image-plus"] {
        check(
            &format!("card-{id}"),
            &format!("{:#}", card(&model(id), None)),
        );
    }
    let reason = "no provider that serves it is turned on".to_owned();
    let unavailable = card(&model("sparkpix-image-edit"), Some(reason));
    check("card-unavailable", &format!("{unavailable:#}"));
}
