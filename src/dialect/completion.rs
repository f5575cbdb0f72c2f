//! A text, as chat's clients read it: `chat.completion` whole, `chat.completion.chunk` in pieces.
//!
//! Fields: `openai` for Python 3.52.0, `types/chat/chat_completion.py` and `chat_completion_chunk.py`. A stream always
//! says why the text ends, and only then `[DONE]`: to those SDKs a stream that just stops looks like a whole answer.

use super::flat::Flat;
use super::{Dialect, Reply, StreamedImage, StreamedText, TextStage, image_body};
use crate::error::{Error, Fault};
use crate::intake::Intake;
use crate::types::{Draft, Task, Text, Usage};
use serde_json::{Map, Value, json};

/// The shape of `/v1/chat/completions`. Texts alone are written in it; pictures have a path of their own.
pub struct Completion;

impl Dialect for Completion {
    fn decode(&self, intake: &Intake) -> Result<Draft, Error> {
        image_body::decode_chat(&intake.skeleton)?.ok_or_else(|| {
            Error::faults(vec![Fault {
                param: "messages".to_owned(),
                code: "missing_parameter",
                message: "`messages` is required: a list of what was said, each with `role` and `content`"
                    .to_owned(),
            }])
        })
    }

    fn encode(&self, task: &Task) -> Reply {
        match &task.text {
            Some(text) => Reply::json(&reply(task, text).into()),
            None => Flat.encode(task),
        }
    }

    fn encode_image(&self, image: &StreamedImage<'_>) -> Reply {
        Flat.encode_image(image)
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

/// The reply of a task that has written a text.
pub(super) fn reply(task: &Task, text: &Text) -> Map<String, Value> {
    let message = json!({"role": "assistant", "content": text.content, "refusal": null});
    let choice = json!({
        "index": 0,
        "message": message,
        "logprobs": null,
        "finish_reason": text.finish.name(),
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

/// The frames of one stage of a stream.
pub(super) fn frames(text: &StreamedText<'_>) -> String {
    match &text.stage {
        TextStage::Begun => frame(&chunk(
            text,
            json!({"role": "assistant", "content": ""}),
            None,
        )),
        TextStage::Piece(piece) => frame(&chunk(text, json!({"content": piece}), None)),
        TextStage::Ended {
            task,
            finish,
            overhead_ms,
        } => {
            let mut last = chunk(text, json!({}), Some(finish.name()));
            last["pinhole"] = json!({
                "task_id": task.id.as_str(), "cost": task.captured, "overhead_ms": overhead_ms,
            });
            let mut frames = frame(&last);
            if text.include_usage {
                let mut counted = chunk(text, Value::Null, None);
                counted["choices"] = json!([]);
                counted["usage"] = usage(&task.usage);
                frames += &frame(&counted);
            }
            frames + "data: [DONE]\n\n"
        }
    }
}

fn chunk(text: &StreamedText<'_>, delta: Value, finish: Option<&str>) -> Value {
    let mut chunk = json!({
        "id": text.task.as_str(),
        "object": "chat.completion.chunk",
        "created": text.created_at.seconds(),
        "model": text.request.model(),
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
    });
    if text.include_usage {
        chunk["usage"] = Value::Null;
    }
    chunk
}

fn frame(data: &Value) -> String {
    format!("data: {data}\n\n")
}
