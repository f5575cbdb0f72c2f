//! OpenAI's image shape: parameters at the top of a JSON object, `{created, data: [...]}` back. Two other shapes of
//! body are read too (`image_body`); what is answered is the same for all. A model of text answers as `completion` says.
//!
//! Fields of the reply: `openai` for Python 3.52.0, `types/images_response.py`.

use super::{
    Dialect, Piece, Reply, Stage, StreamedImage, StreamedText, asset_url, completion, image_body,
};
use crate::error::Error;
use crate::intake::Intake;
use crate::types::{Draft, Operation, Request, Task, Text, Usage};
use serde_json::{Map, Value, json};

/// The shape.
pub struct Flat;

/// What stands in a reply for a value that OpenAI does not have, and where one must stand and none was chosen.
const AUTO: &str = "auto";

impl Dialect for Flat {
    fn decode(&self, intake: &Intake) -> Result<Draft, Error> {
        image_body::decode(&intake.skeleton)
    }

    fn encode(&self, task: &Task) -> Reply {
        if let Some(text) = &task.text {
            return encode_text(task, text);
        }
        let form = task.request.envelope().response_format;
        let mut pieces = Pieces::default();
        pieces.text(&format!(
            "{{\"created\":{},\"data\":[",
            task.created_at.seconds()
        ));
        for (k, asset) in task.results().enumerate() {
            pieces.text(if k == 0 { "{" } else { ",{" });
            let mut first = true;
            if form.has_base64() {
                pieces.text("\"b64_json\":\"");
                pieces.0.push(Piece::Base64(asset.picture.clone()));
                pieces.text("\"");
                first = false;
            }
            let url = form.has_url().then(|| asset_url(task, asset));
            for (name, value) in [
                ("url", url),
                ("revised_prompt", asset.revised_prompt.clone()),
            ] {
                if let Some(value) = value {
                    pieces.text(if first { "" } else { "," });
                    pieces.text(&format!("\"{name}\":{}", Value::from(value)));
                    first = false;
                }
            }
            pieces.text("}");
        }
        // The rest of the object, from behind its opening brace.
        pieces.text("],");
        pieces.text(&Value::Object(echo(task)).to_string()[1..]);
        Reply { pieces: pieces.0 }
    }

    fn encode_image(&self, image: &StreamedImage<'_>) -> Reply {
        let operation = match image.request.operation() {
            Operation::Generate => "image_generation",
            Operation::Edit => "image_edit",
        };
        let mut fields = Map::new();
        fields.insert("created_at".to_owned(), image.created_at.seconds().into());
        fields.insert("image_index".to_owned(), image.index.into());
        let size = format!("{}x{}", image.size.0, image.size.1);
        let (known, _) = echoes(
            image.request,
            Some(size),
            Some(image.format.name().to_owned()),
        );
        // OpenAI's specification requires all four of every event.
        for name in ["background", "output_format", "size", "quality"] {
            let value = known.get(name).cloned().unwrap_or_else(|| AUTO.into());
            fields.insert(name.to_owned(), value);
        }
        let mut pieces = Pieces::default();
        let kind = match image.stage {
            Stage::Preview(..) => "partial_image",
            Stage::Completed { .. } => "completed",
        };
        pieces.text(&format!(
            "event: {operation}.{kind}\ndata: {{\"type\":\"{operation}.{kind}\""
        ));
        match &image.stage {
            Stage::Preview(number, file) => {
                fields.insert("partial_image_index".to_owned(), (*number).into());
                pieces.text(&format!(
                    ",\"b64_json\":\"{}\"",
                    base64_simd::STANDARD.encode_to_string(file)
                ));
            }
            Stage::Completed {
                picture,
                url,
                revised_prompt,
                last,
            } => {
                if image.request.envelope().response_format.has_base64() {
                    pieces.text(",\"b64_json\":\"");
                    pieces.0.push(Piece::Base64((*picture).clone()));
                    pieces.text("\"");
                }
                complete(&mut fields, url.as_deref(), *revised_prompt, *last);
            }
        }
        pieces.text(&format!(",{}\n\n", &Value::Object(fields).to_string()[1..]));
        Reply { pieces: pieces.0 }
    }

    fn encode_text(&self, text: &StreamedText<'_>) -> Reply {
        Reply::text(completion::frames(text))
    }

    fn encode_late_error(&self, error: &Error) -> Reply {
        let mut body = self.encode_error(error);
        body["type"] = "error".into();
        Reply::text(format!("event: error\ndata: {body}\n\n"))
    }

    fn encode_error(&self, error: &Error) -> Value {
        let row = error.kind.row();
        let code = error.faults.first().map_or(row.code, |fault| fault.code);
        let details: Vec<Value> = error
            .faults
            .iter()
            .map(
                |fault| json!({"param": fault.param, "code": fault.code, "message": fault.message}),
            )
            .collect();
        json!({"error": {
            "message": error.message,
            "type": row.r#type,
            "param": error.param(),
            "code": code,
            "details": details,
        }})
    }
}

/// A text is answered as chat does it, with an empty list where pictures would be and the tokens under both names.
fn encode_text(task: &Task, text: &Text) -> Reply {
    let mut object = completion::reply(task, text);
    object.insert("data".to_owned(), Value::Array(Vec::new()));
    if let (Some(Value::Object(chat)), Value::Object(images)) =
        (object.get_mut("usage"), usage(&task.usage))
    {
        chat.extend(images);
    }
    Reply::json(&object.into())
}

/// Text pieces run together.
#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn text(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.push_str(more),
            _ => self.0.push(Piece::Text(more.to_owned())),
        }
    }
}

/// What a completed event says besides its picture. Only the end knows the tokens and the cost, so the last event
/// carries them and those before it carry zeros.
fn complete(
    fields: &mut Map<String, Value>,
    url: Option<&str>,
    revised_prompt: Option<&str>,
    last: Option<(&Task, u64)>,
) {
    for (name, value) in [("url", url), ("revised_prompt", revised_prompt)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.into());
        }
    }
    fields.insert(
        "usage".to_owned(),
        usage(&last.map(|(task, _)| task.usage).unwrap_or_default()),
    );
    if let Some((task, overhead_ms)) = last {
        let end =
            json!({"task_id": task.id.as_str(), "cost": task.captured, "overhead_ms": overhead_ms});
        fields.insert("pinhole".to_owned(), end);
    }
}

/// What was really made, from a task that has ended.
fn echo(task: &Task) -> Map<String, Value> {
    let first = task.results().next().map(|asset| &asset.picture);
    let size = first.map(|picture| format!("{}x{}", picture.width, picture.height));
    let format = first.map(|picture| picture.format.name().to_owned());
    let (mut object, mut real) = echoes(&task.request, size, format);
    object.insert("usage".to_owned(), usage(&task.usage));
    real.insert("task_id".to_owned(), task.id.as_str().into());
    real.insert("cost".to_owned(), task.captured.to_string().into());
    object.insert("pinhole".to_owned(), real.into());
    object
}

/// The values that a reply echoes. SDKs read them as closed enums, so a value that OpenAI does not have becomes `auto`
/// and stands as it is in the second map, for `pinhole`.
fn echoes(
    request: &Request,
    size: Option<String>,
    format: Option<String>,
) -> (Map<String, Value>, Map<String, Value>) {
    let sent = |name: &str| request.text(name).map(str::to_owned);
    let echoes = [
        (
            "background",
            sent("background"),
            &["transparent", "opaque", AUTO][..],
        ),
        ("output_format", format, &["png", "jpeg", "webp"]),
        ("size", size, &["1024x1024", "1024x1536", "1536x1024"]),
        ("quality", sent("quality"), &["low", "medium", "high", AUTO]),
    ];
    let mut object = Map::new();
    let mut real = Map::new();
    for (name, value, known) in echoes {
        let Some(value) = value else { continue };
        if known.contains(&value.as_str()) {
            object.insert(name.to_owned(), value.into());
        } else {
            object.insert(name.to_owned(), AUTO.into());
            real.insert(name.to_owned(), value.into());
        }
    }
    (object, real)
}

fn usage(usage: &Usage) -> Value {
    let input = usage
        .input_text_tokens
        .saturating_add(usage.input_image_tokens);
    json!({
        "input_tokens": input,
        "input_tokens_details": {"text_tokens": usage.input_text_tokens, "image_tokens": usage.input_image_tokens},
        "output_tokens": usage.output_tokens,
        "total_tokens": input.saturating_add(usage.output_tokens),
    })
}
