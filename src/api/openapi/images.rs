//! `/v1/images/*` and `/v1/quote`.

use super::operation::{Access, Answer, Operation, Presence, in_header, in_path};
use super::schema;
use crate::error::Kind;
use serde_json::{Value, json};

/// What an image call may be refused with before it becomes a task.
pub(super) const OF_CALLS: &[Kind] = &[
    Kind::InvalidBody,
    Kind::InvalidParameter,
    Kind::CostAboveLimit,
    Kind::ContentPolicy,
    Kind::InsufficientCredits,
    Kind::ModelNotFound,
    Kind::ModelUnavailable,
    Kind::Cancelled,
    Kind::Gone,
    Kind::TooLarge,
    Kind::UnsupportedMediaType,
    Kind::IdempotencyKeyReused,
    Kind::QueueFull,
    Kind::Upstream,
    Kind::Overloaded,
    Kind::UpstreamTimeout,
    Kind::OutcomeUnknown,
    Kind::StillRunning,
    Kind::StorageFull,
];

/// What a finished task may answer.
const OF_ENDS: &[Kind] = &[
    Kind::InvalidParameter,
    Kind::ContentPolicy,
    Kind::TaskNotFound,
    Kind::NotFound,
    Kind::Cancelled,
    Kind::Gone,
    Kind::Upstream,
    Kind::Overloaded,
    Kind::UpstreamTimeout,
    Kind::OutcomeUnknown,
    Kind::StorageFull,
];

const OF_QUOTES: &[Kind] = &[
    Kind::InvalidBody,
    Kind::InvalidParameter,
    Kind::CostAboveLimit,
    Kind::ModelNotFound,
    Kind::ModelUnavailable,
    Kind::Gone,
    Kind::TooLarge,
    Kind::UnsupportedMediaType,
    Kind::StorageFull,
];

/// The headers of every admitted call.
pub(super) const MARKS: &[(&str, Presence)] = &[
    ("x-pinhole-task-id", Presence::Always),
    ("x-pinhole-quote", Presence::Always),
    ("x-pinhole-cost", Presence::Sometimes),
    ("x-pinhole-overhead-ms", Presence::Sometimes),
    ("x-pinhole-mode", Presence::Sometimes),
    ("x-pinhole-adapted", Presence::Sometimes),
];

const PENDING_MARKS: &[(&str, Presence)] = &[
    ("x-pinhole-task-id", Presence::Always),
    ("x-pinhole-quote", Presence::Always),
    ("x-pinhole-mode", Presence::Sometimes),
    ("x-pinhole-adapted", Presence::Sometimes),
    ("Location", Presence::Always),
    ("Retry-After", Presence::Always),
];

/// `POST /v1/images/generations`
pub(in crate::api) fn generate() -> Operation {
    Operation {
        id: "generateImages",
        tag: "images",
        summary: "Make images",
        description: "Any model, in any of three shapes: flat, as OpenAI's clients send it; with `input` and `parameters`, \
            as DashScope's do; with `messages`, as chat clients do. Parameters at the top count in every shape. A model of text \
            answers like `/v1/chat/completions`. What a model cannot do is refused by name. With an input image the call is an edit.",
        access: Access::Key,
        parameters: call_headers(),
        body: Some(json!({"application/json": {"schema": schema("GenerationRequest")}})),
        answers: call_answers(),
        errors: OF_CALLS,
    }
}

/// `POST /v1/images/edits`
pub(in crate::api) fn edit() -> Operation {
    Operation {
        id: "editImages",
        tag: "images",
        summary: "Change or combine images",
        description: "As a form, as OpenAI's SDKs send it, or as JSON with the fields of a generation and at least one input image.",
        access: Access::Key,
        parameters: call_headers(),
        body: Some(json!({
            "application/json": {"schema": schema("EditRequest")},
            "multipart/form-data": {"schema": schema("EditForm")},
        })),
        answers: call_answers(),
        errors: OF_CALLS,
    }
}

/// `POST /v1/images/variations`
pub(in crate::api) fn variations() -> Operation {
    Operation {
        id: "makeVariations",
        tag: "images",
        summary: "Not offered any more",
        description: "Answers 404 and names what takes its place: an edit with the image and a prompt.",
        access: Access::Key,
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        errors: &[Kind::NotFound],
    }
}

/// `GET /v1/images/generations/{task}`
pub(in crate::api) fn show() -> Operation {
    Operation {
        id: "getImages",
        tag: "images",
        summary: "The reply of an earlier call",
        description: "What the POST answered or would have answered; 202 while the task is under way.",
        access: Access::Key,
        parameters: vec![in_path(
            "task",
            "The task, from `x-pinhole-task-id`.",
            "task_01",
        )],
        body: None,
        answers: vec![
            made(vec![("application/json", made_or_written())]),
            pending(),
        ],
        errors: OF_ENDS,
    }
}

/// `POST /v1/quote`
pub(in crate::api) fn quote() -> Operation {
    Operation {
        id: "quote",
        tag: "images",
        summary: "What a call would cost",
        description: "Takes the body of a generation, checks it like one, and runs nothing.",
        access: Access::Key,
        parameters: Vec::new(),
        body: Some(json!({"application/json": {"schema": schema("GenerationRequest")}})),
        answers: vec![Answer::ok("The price.", schema("Quote"))],
        errors: OF_QUOTES,
    }
}

pub(super) fn call_headers() -> Vec<Value> {
    vec![
        in_header(
            "Idempotency-Key",
            "The same call with the same key within 24 hours joins or replays the first one.",
            &json!({"type": "string", "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"}),
        ),
        in_header(
            "Prefer",
            "`respond-async`: answer 202 at once. `wait=N`: answer 202 after N seconds at the latest.",
            &json!({"type": "string", "examples": ["respond-async", "wait=10"]}),
        ),
        in_header(
            "x-pinhole-params",
            "`reject`: refuse what could be read in another form, and hints that the model lacks, instead of adapting them.",
            &json!({"type": "string", "enum": ["adapt", "reject"]}),
        ),
    ]
}

fn call_answers() -> Vec<Answer> {
    let replies = vec![
        ("application/json", made_or_written()),
        ("text/event-stream", schema("ImageEvents")),
    ];
    vec![made(replies), pending()]
}

/// A model of text answers as chat does, whatever the path.
fn made_or_written() -> Value {
    json!({"anyOf": [schema("Images"), schema("TextReply")]})
}

fn made(content: Vec<(&'static str, Value)>) -> Answer {
    Answer {
        status: 200,
        description: "The images, or the text; with `stream` a stream of events.",
        headers: MARKS,
        content,
    }
}

pub(super) fn pending() -> Answer {
    Answer {
        status: 202,
        description: "The task is under way.",
        headers: PENDING_MARKS,
        content: vec![("application/json", schema("PendingImages"))],
    }
}
