//! A text, or pictures, as chat's clients read them: `chat.completion` whole, `chat.completion.chunk` in pieces.
//!
//! Fields: `openai` for Python 3.52.0, `types/chat/chat_completion.py` and `chat_completion_chunk.py`. A stream always
//! says why the text ends, and only then `[DONE]`: to those SDKs a stream that just stops looks like a whole answer.

use super::flat::Flat;
use super::{
    Dialect, Piece, Reply, Stage, StreamedImage, StreamedText, TextStage, chat, image_body,
};
use crate::error::{Error, Fault};
use crate::intake::Intake;
use crate::types::{
    Draft, Field, Finish, Millis, Modality, Picture, Request, Task, TaskId, Text, Usage,
};
use serde_json::{Map, Value, json};

/// The shape of `/v1/chat/completions`. Pictures stand in `images` beside the message's content, as data URLs: that is
/// OpenRouter's way, and the only one in which some chat clients ask for pictures.
pub struct Completion;

impl Dialect for Completion {
    fn decode(&self, intake: &Intake) -> Result<Draft, Error> {
        let draft = image_body::decode_chat(&intake.skeleton)?.ok_or_else(|| {
            let right = "a list of what was said, each with `role` and `content`";
            Error::faults(vec![Fault {
                code: "missing_parameter",
                ..chat::invalid("messages", right)
            }])
        })?;
        let fields = draft.fields.into_iter().map(of_image_config);
        let fields = fields.collect::<Result<Vec<_>, Fault>>();
        let fields = fields.map_err(|fault| Error::faults(vec![fault]))?;
        Ok(Draft {
            fields: fields.concat(),
        })
    }

    fn encode(&self, task: &Task) -> Reply {
        match &task.text {
            Some(text) => Reply::json(&reply(task, text).into()),
            None => pictures(task),
        }
    }

    /// A finished picture as a delta. There are no previews in chat.
    fn encode_image(&self, image: &StreamedImage<'_>) -> Reply {
        let Stage::Completed { picture, last, .. } = &image.stage else {
            return Reply { pieces: Vec::new() };
        };
        let head = Head {
            task: image.task,
            request: image.request,
            created_at: image.created_at,
            include_usage: image.include_usage,
        };
        let delta = json!({"role": "assistant", "content": "", "images": [image_url(IN_PLACE)]});
        let mut pieces = put_in(&frame(&head.chunk(delta, None)), [*picture]);
        if let Some((task, overhead_ms)) = last {
            let end = head.end(task, Finish::Stop, *overhead_ms);
            pieces.push(Piece::Text(end));
        }
        Reply { pieces }
    }

    fn encode_text(&self, text: &StreamedText<'_>) -> Reply {
        Reply::text(frames(text))
    }

    fn encode_late_error(&self, error: &Error) -> Reply {
        Flat.encode_late_error(error)
    }

    fn encode_error(&self, error: &Error) -> Value {
        Flat.encode_error(error)
    }
}

/// Takes `modalities` out of a call and says what it asks for: a text, unless images are among them.
pub fn take_modality(draft: &mut Draft) -> Result<Modality, Error> {
    let Some(at) = draft.fields.iter().position(|it| it.name == "modalities") else {
        return Ok(Modality::Text);
    };
    let field = draft.fields.remove(at);
    if field.value.is_null() {
        return Ok(Modality::Text);
    }
    let is_known = |it: &Value| it == "text" || it == "image";
    let list = field.value.as_array();
    let Some(list) = list.filter(|list| list.iter().all(is_known)) else {
        let right = "a list of `text` and `image`";
        return Err(Error::faults(vec![chat::invalid(&field.path, right)]));
    };
    Ok(if list.iter().any(|it| it == "image") {
        Modality::Image
    } else {
        Modality::Text
    })
}

/// What `image_config` says stands at the top of other bodies.
fn of_image_config(field: Field) -> Result<Vec<Field>, Fault> {
    if field.name != "image_config" || field.value.is_null() {
        return Ok(vec![field]);
    }
    let entries = chat::object(&field.path, &field.value, &["aspect_ratio"])?;
    let own = entries
        .into_iter()
        .map(|(name, value)| chat::field(&name, format!("{}.{name}", field.path), value));
    Ok(own.collect())
}

/// The mark of a data URL whose bytes are filled in while it is sent. Nothing else in a reply is a client's text.
const IN_PLACE: &str = "\u{1}";

fn image_url(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

/// The reply of a task that has made pictures.
fn pictures(task: &Task) -> Reply {
    let images: Vec<Value> = task.results().map(|_| image_url(IN_PLACE)).collect();
    let message = json!({"role": "assistant", "content": "", "refusal": null, "images": images});
    let reply = Value::Object(whole(task, message, Finish::Stop)).to_string();
    Reply {
        pieces: put_in(&reply, task.results().map(|asset| &asset.picture)),
    }
}

/// A written reply with each picture in place of its mark.
fn put_in<'a>(written: &str, pictures: impl IntoIterator<Item = &'a Picture>) -> Vec<Piece> {
    let mark = Value::from(IN_PLACE).to_string();
    let mut parts = written.split(&mark);
    let mut pieces = vec![Piece::Text(parts.next().unwrap_or_default().to_owned())];
    for (picture, part) in pictures.into_iter().zip(parts) {
        let opening = format!("\"data:{};base64,", picture.format.media_type());
        if let Some(Piece::Text(before)) = pieces.last_mut() {
            before.push_str(&opening);
        }
        pieces.push(Piece::Base64(picture.clone()));
        pieces.push(Piece::Text(format!("\"{part}")));
    }
    pieces
}

/// The reply of a task that has written a text.
pub(super) fn reply(task: &Task, text: &Text) -> Map<String, Value> {
    let message = json!({"role": "assistant", "content": text.content, "refusal": null});
    whole(task, message, text.finish)
}

/// A reply in one piece around its message.
fn whole(task: &Task, message: Value, finish: Finish) -> Map<String, Value> {
    let choice = json!({
        "index": 0,
        "message": message,
        "logprobs": null,
        "finish_reason": finish.name(),
    });
    let fields = [
        ("id", task.id.as_str().into()),
        ("object", "chat.completion".into()),
        ("created", task.created_at.seconds().into()),
        ("model", task.request.model().into()),
        ("choices", vec![choice].into()),
        ("usage", usage(&task.usage)),
        (
            "pinhole",
            json!({"task_id": task.id.as_str(), "cost": task.captured}),
        ),
    ];
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// The tokens in the words of chat.
pub(super) fn usage(usage: &Usage) -> Value {
    let prompt = usage
        .input_text_tokens
        .saturating_add(usage.input_image_tokens);
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt.saturating_add(usage.output_tokens),
        "prompt_tokens_details": {
            "text_tokens": usage.input_text_tokens, "image_tokens": usage.input_image_tokens,
        },
    })
}

/// The frames of one stage of a streamed text.
pub(super) fn frames(text: &StreamedText<'_>) -> String {
    let head = Head {
        task: text.task,
        request: text.request,
        created_at: text.created_at,
        include_usage: text.include_usage,
    };
    match &text.stage {
        TextStage::Begun => frame(&head.chunk(json!({"role": "assistant", "content": ""}), None)),
        TextStage::Piece(piece) => frame(&head.chunk(json!({"content": piece}), None)),
        TextStage::Ended {
            task,
            finish,
            overhead_ms,
        } => head.end(task, *finish, *overhead_ms),
    }
}

/// What every chunk of a stream says.
struct Head<'a> {
    task: &'a TaskId,
    request: &'a Request,
    created_at: Millis,
    include_usage: bool,
}

impl Head<'_> {
    fn chunk(&self, delta: Value, finish: Option<&str>) -> Value {
        let mut chunk = json!({
            "id": self.task.as_str(),
            "object": "chat.completion.chunk",
            "created": self.created_at.seconds(),
            "model": self.request.model(),
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        });
        if self.include_usage {
            // Who asks for it is told in every chunk that it is not there yet.
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    /// The last frames: why it ends, the tokens if they are wanted, and that nothing follows.
    fn end(&self, task: &Task, finish: Finish, overhead_ms: u64) -> String {
        let mut end = self.chunk(json!({}), Some(finish.name()));
        end["pinhole"] = json!({
            "task_id": task.id.as_str(), "cost": task.captured, "overhead_ms": overhead_ms,
        });
        let mut frames = frame(&end);
        if self.include_usage {
            let mut counted = self.chunk(Value::Null, None);
            counted["choices"] = json!([]);
            counted["usage"] = usage(&task.usage);
            frames += &frame(&counted);
        }
        frames + "data: [DONE]\n\n"
    }
}

fn frame(data: &Value) -> String {
    format!("data: {data}\n\n")
}
