//! `/v1/chat/completions`.

use super::images::{MARKS, OF_CALLS, call_headers, pending};
use super::operation::{Access, Answer, Operation};
use super::schema;
use serde_json::json;

/// `POST /v1/chat/completions`
pub(in crate::api) fn complete() -> Operation {
    Operation {
        id: "completeChat",
        tag: "chat",
        summary: "Write a text, or make images, as chat clients ask for it",
        description: "Models of text; models of images if `modalities` has `image`. One prompt with its system prompt and its \
            pictures is read, no conversation and no tools. Pictures come back as data URLs in `message.images`.",
        access: Access::Key,
        parameters: call_headers(),
        body: Some(json!({"application/json": {"schema": schema("CompletionRequest")}})),
        answers: vec![
            Answer {
                headers: MARKS,
                content: vec![
                    ("application/json", schema("Completion")),
                    ("text/event-stream", schema("CompletionEvents")),
                ],
                ..Answer::ok(
                    "The text or the images; with `stream` a stream of chunks.",
                    json!({}),
                )
            },
            pending(),
        ],
        errors: OF_CALLS,
    }
}
