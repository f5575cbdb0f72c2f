//! What replies consist of, as schemas. What stands there may grow, so objects are open.

use super::{schema, webhooks};
use crate::error::TABLE;
use crate::types::{AttemptState, DeliveryState, Finish, Format, TaskState, UsageBy};
use serde_json::{Map, Value, json};

/// By name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let all = [
        ("Money", money()),
        ("Error", error()),
        ("TaskError", task_error()),
        ("Images", images()),
        ("Image", image()),
        ("Usage", usage()),
        ("PendingImages", pending_images()),
        ("ImageEvents", image_events()),
        ("PartialImageEvent", partial_image_event()),
        ("CompletedImageEvent", completed_image_event()),
        ("ErrorEvent", error_event()),
        ("TextReply", text_reply()),
        ("Completion", completion()),
        ("CompletionEvents", completion_events()),
        ("CompletionChunk", completion_chunk()),
        ("ChatUsage", chat_usage()),
        ("Quote", quote()),
        ("Balance", balance()),
        ("UsageReport", usage_report()),
        ("Used", used()),
        ("File", file()),
        ("FileList", file_list()),
        ("DeletedFile", deleted_file()),
        ("ModelList", model_list()),
        ("Model", model()),
        ("FormEntry", form_entry()),
        ("Price", price()),
        ("JsonSchema", json_schema()),
        ("CreatedTaskReply", task_reply(created_task())),
        ("TaskState", task_state()),
        ("TaskStateReply", task_reply(schema("TaskState"))),
        ("TaskRow", task_row()),
        ("TaskListReply", task_reply(task_list())),
        ("Task", task()),
        ("TaskReply", task_reply(schema("Task"))),
        ("TaskEnded", webhooks::task_ended()),
        ("Readiness", readiness()),
    ];
    let named = all.into_iter();
    named
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// An object whose first properties are always there.
pub(super) fn object(required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let properties = required.iter().chain(optional);
    let properties: Map<String, Value> = properties
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    let required: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn only(value: &str) -> Value {
    json!({"type": "string", "enum": [value]})
}

pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn states() -> Value {
    let names: Vec<&str> = TaskState::ALL.iter().map(|state| state.name()).collect();
    json!({"type": "string", "enum": names})
}

fn modes() -> Value {
    json!({"type": "string", "enum": ["live", "test"]})
}

fn money() -> Value {
    json!({
        "type": "string",
        "description": "An amount in dollars, always with six decimal places.",
        "pattern": "^-?[0-9]+\\.[0-9]{6}$",
        "examples": ["0.053000"],
    })
}

fn error() -> Value {
    let mut types: Vec<&str> = TABLE.iter().map(|row| row.r#type).collect();
    types.sort_unstable();
    types.dedup();
    let fault = object(
        &[
            (
                "param",
                json!({"type": "string", "description": "Where, as the client spelt it; empty for the body as a whole."}),
            ),
            ("code", text()),
            ("message", text()),
        ],
        &[],
    );
    let error = object(
        &[
            (
                "message",
                json!({"type": "string", "description": "What was wrong, where, and what would be right."}),
            ),
            ("type", json!({"type": "string", "enum": types})),
            (
                "param",
                json!({"type": ["string", "null"], "description": "Where the first fault is."}),
            ),
            (
                "code",
                json!({"type": "string", "description": "A stable word; of a wrong parameter that of its first fault."}),
            ),
            ("details", list(fault)),
        ],
        &[],
    );
    object(&[("error", error)], &[])
}

fn task_error() -> Value {
    object(
        &[
            (
                "code",
                json!({"type": "integer", "description": "The HTTP status."}),
            ),
            ("msg", text()),
            ("data", json!({"type": "null"})),
        ],
        &[],
    )
}

fn images() -> Value {
    object(
        &[
            (
                "created",
                json!({"type": "integer", "description": "When the task was accepted, in seconds since 1970."}),
            ),
            ("data", list(schema("Image"))),
            ("usage", schema("Usage")),
            (
                "pinhole",
                object(
                    &[("task_id", text()), ("cost", schema("Money"))],
                    &real_values(),
                ),
            ),
        ],
        &echoes(),
    )
}

fn image() -> Value {
    object(
        &[],
        &[
            ("b64_json", base64()),
            ("url", text()),
            (
                "revised_prompt",
                json!({"type": "string", "description": "The prompt as the model changed it."}),
            ),
        ],
    )
}

fn base64() -> Value {
    json!({"type": "string", "contentEncoding": "base64", "description": "The file."})
}

/// Values that OpenAI's clients read as closed enums; others are `auto` there and stand as they are under `pinhole`.
fn echoes() -> [(&'static str, Value); 4] {
    let one_of = |names: &[&str]| json!({"type": "string", "enum": names});
    [
        ("background", one_of(&["transparent", "opaque", "auto"])),
        ("output_format", one_of(&["png", "jpeg", "webp", "auto"])),
        (
            "size",
            json!({"type": "string", "enum": ["1024x1024", "1024x1536", "1536x1024", "auto"], "description": "The real pixels."}),
        ),
        ("quality", one_of(&["low", "medium", "high", "auto"])),
    ]
}

fn real_values() -> [(&'static str, Value); 4] {
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    [
        ("background", text()),
        ("output_format", json!({"type": "string", "enum": formats})),
        (
            "size",
            json!({"type": "string", "pattern": "^[0-9]+x[0-9]+$"}),
        ),
        ("quality", text()),
    ]
}

fn usage() -> Value {
    let details = object(&[("text_tokens", count()), ("image_tokens", count())], &[]);
    let mut usage = object(
        &[
            ("input_tokens", count()),
            ("input_tokens_details", details),
            ("output_tokens", count()),
            ("total_tokens", count()),
        ],
        &[],
    );
    usage["description"] = "The upstream's tokens, or zeros; never an estimate.".into();
    usage
}

fn ahead() -> Value {
    json!({"type": "integer", "minimum": 0, "description": "Of a task that waits: how many start before it, an estimate."})
}

fn pending_images() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("image.task")),
            ("state", states()),
            ("created", count()),
        ],
        &[("tasks_ahead", ahead())],
    )
}

/// OpenAPI has no word for the events of a stream; the schema of the content is JSON Schema's word for what a text
/// holds.
fn image_events() -> Value {
    json!({
        "type": "string",
        "description": "Server-sent events. Each event's `data` is one JSON object as in `contentSchema`, and the event is called as its \
            `type` says; lines that begin with a colon are heartbeats. There is one completed event an image; the last one carries \
            `pinhole`. A failure after the first event is an event too, and the last one. \
            A model of text sends chunks, as chat does, and `[DONE]`.",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"oneOf": [
            schema("PartialImageEvent"),
            schema("CompletedImageEvent"),
            schema("ErrorEvent"),
            schema("CompletionChunk"),
        ]},
    })
}

fn completion_events() -> Value {
    json!({
        "type": "string",
        "description": "Server-sent events. Each event's `data` is one JSON object as in `contentSchema`; the last one is `[DONE]`, which \
            only a whole answer has. Lines that begin with a colon are heartbeats.",
        "contentMediaType": "text/event-stream",
        "contentSchema": {"oneOf": [schema("CompletionChunk"), schema("ErrorEvent")]},
    })
}

fn event(kind: &str, more: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let kinds = ["image_generation", "image_edit"].map(|operation| format!("{operation}.{kind}"));
    let mut required = vec![
        ("type", json!({"type": "string", "enum": kinds})),
        ("created_at", count()),
        (
            "image_index",
            json!({"type": "integer", "minimum": 0, "description": "Which of the call's images."}),
        ),
    ];
    required.extend(echoes());
    required.extend(more.iter().cloned());
    object(&required, optional)
}

fn partial_image_event() -> Value {
    let number =
        json!({"type": "integer", "minimum": 0, "description": "Which preview of its image."});
    event(
        "partial_image",
        &[("b64_json", base64()), ("partial_image_index", number)],
        &[],
    )
}

fn completed_image_event() -> Value {
    let end = object(
        &[
            ("task_id", text()),
            ("cost", schema("Money")),
            ("overhead_ms", count()),
        ],
        &[],
    );
    let optional = [
        ("b64_json", base64()),
        ("url", text()),
        ("revised_prompt", text()),
        ("pinhole", end),
    ];
    event("completed", &[("usage", schema("Usage"))], &optional)
}

fn error_event() -> Value {
    json!({"allOf": [schema("Error"), object(&[("type", only("error"))], &[])]})
}

/// What chat's clients read.
fn completion() -> Value {
    let choice = object(
        &[
            ("index", count()),
            ("message", message()),
            ("logprobs", json!({"type": "null"})),
            ("finish_reason", finishes()),
        ],
        &[],
    );
    object(
        &[
            ("id", text()),
            ("object", only("chat.completion")),
            ("created", count()),
            ("model", text()),
            ("choices", list(choice)),
            ("usage", schema("ChatUsage")),
            (
                "pinhole",
                object(&[("task_id", text()), ("cost", schema("Money"))], &[]),
            ),
        ],
        &[],
    )
}

fn message() -> Value {
    object(
        &[
            ("role", only("assistant")),
            ("content", text()),
            ("refusal", json!({"type": "null"})),
        ],
        &[("images", list(image_part()))],
    )
}

fn image_part() -> Value {
    let url = json!({"type": "string", "description": "A `data:` URL."});
    object(
        &[
            ("type", only("image_url")),
            ("image_url", object(&[("url", url)], &[])),
        ],
        &[],
    )
}

fn finishes() -> Value {
    let names: Vec<&str> = Finish::ALL.iter().map(|finish| finish.name()).collect();
    json!({"type": "string", "enum": names})
}

fn chat_usage() -> Value {
    let details = object(&[("text_tokens", count()), ("image_tokens", count())], &[]);
    object(
        &[
            ("prompt_tokens", count()),
            ("completion_tokens", count()),
            ("total_tokens", count()),
            ("prompt_tokens_details", details),
        ],
        &[],
    )
}

/// A text where pictures were asked for: chat's reply, for which an images client has no eyes, and its empty list.
fn text_reply() -> Value {
    let images = object(
        &[
            (
                "data",
                json!({"type": "array", "maxItems": 0, "description": "No pictures."}),
            ),
            ("usage", schema("Usage")),
        ],
        &[],
    );
    json!({"allOf": [schema("Completion"), images]})
}

fn completion_chunk() -> Value {
    let delta = object(
        &[],
        &[
            ("role", only("assistant")),
            ("content", text()),
            ("images", list(image_part())),
        ],
    );
    let choice = object(
        &[
            ("index", count()),
            ("delta", delta),
            ("logprobs", json!({"type": "null"})),
            (
                "finish_reason",
                json!({"anyOf": [finishes(), {"type": "null"}]}),
            ),
        ],
        &[],
    );
    let end = object(
        &[
            ("task_id", text()),
            ("cost", schema("Money")),
            ("overhead_ms", count()),
        ],
        &[],
    );
    object(
        &[
            ("id", text()),
            ("object", only("chat.completion.chunk")),
            ("created", count()),
            ("model", text()),
            ("choices", list(choice)),
        ],
        &[
            (
                "usage",
                json!({"anyOf": [schema("ChatUsage"), {"type": "null"}]}),
            ),
            ("pinhole", end),
        ],
    )
}

fn quote() -> Value {
    let mut rates = object(
        &["input_text", "input_image", "output"].map(|name| (name, schema("Money"))),
        &[],
    );
    rates["description"] =
        "What a million tokens cost, where tokens are charged; `amount` is then the most that it can come to.".into();
    object(
        &[
            ("object", only("quote")),
            ("model", text()),
            ("n", json!({"type": "integer", "minimum": 1})),
            ("unit", schema("Money")),
            ("amount", schema("Money")),
            ("currency", only("USD")),
            (
                "price",
                json!({"anyOf": [schema("Price"), {"type": "null"}], "description": "The row of the price table that says so."}),
            ),
        ],
        &[("million_tokens", rates)],
    )
}

fn balance() -> Value {
    let line = json!({"anyOf": [schema("Money"), {"type": "null"}], "description": "How far below zero it may go; null if it is unlimited."});
    object(
        &[
            ("object", only("balance")),
            ("account", text()),
            ("currency", only("USD")),
            ("available", schema("Money")),
            ("held", schema("Money")),
            ("credit_line", line),
            ("unlimited", json!({"type": "boolean"})),
        ],
        &[],
    )
}

fn usage_report() -> Value {
    let groups: Vec<&str> = UsageBy::ALL.iter().map(|by| by.name()).collect();
    let by = groups.iter().map(|name| (*name, text()));
    let by: Vec<_> = by.chain([("name", text())]).collect();
    object(
        &[
            ("object", only("usage")),
            ("account", text()),
            ("currency", only("USD")),
            ("start", seconds()),
            ("end", seconds()),
            (
                "group_by",
                json!({"anyOf": [{"type": "string", "enum": groups}, {"type": "null"}]}),
            ),
            ("total", schema("Used")),
            (
                "data",
                list(json!({"allOf": [schema("Used"), object(&[], &by)]})),
            ),
        ],
        &[],
    )
}

fn used() -> Value {
    let counts = [
        "completed",
        "failed",
        "images",
        "input_text_tokens",
        "input_image_tokens",
        "output_tokens",
    ];
    let counts = counts.map(|name| (name, count())).into_iter();
    let all: Vec<_> = counts.chain([("charged", schema("Money"))]).collect();
    object(&all, &[])
}

fn file() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("file")),
            ("bytes", count()),
            ("created_at", seconds()),
            ("expires_at", seconds()),
            ("filename", text()),
            ("purpose", text()),
            ("status", only("processed")),
        ],
        &[],
    )
}

fn file_list() -> Value {
    let id = json!({"type": ["string", "null"]});
    object(
        &[
            ("object", only("list")),
            ("data", list(schema("File"))),
            ("first_id", id.clone()),
            ("last_id", id),
            ("has_more", json!({"type": "boolean"})),
        ],
        &[],
    )
}

fn deleted_file() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("file")),
            ("deleted", json!({"type": "boolean"})),
        ],
        &[],
    )
}

fn seconds() -> Value {
    json!({"type": "integer", "description": "Seconds since 1970."})
}

fn model_list() -> Value {
    object(
        &[("object", only("list")), ("data", list(schema("Model")))],
        &[],
    )
}

fn model() -> Value {
    object(
        &[
            ("id", text()),
            ("object", only("model")),
            ("created", count()),
            ("owned_by", text()),
            ("name", text()),
            ("description", text()),
            (
                "modality",
                json!({"type": "string", "enum": ["image", "video", "audio", "text"]}),
            ),
            ("operations", list(operations())),
            ("aliases", list(text())),
            ("form_schema", list(schema("FormEntry"))),
            ("pricing", list(schema("Price"))),
            (
                "status",
                json!({"type": "string", "enum": ["active", "preview", "deprecated", "retired"]}),
            ),
            ("supported_endpoint_types", list(text())),
        ],
        &[(
            "unavailable",
            json!({"type": "string", "description": "Why this key cannot call it now."}),
        )],
    )
}

fn operations() -> Value {
    json!({"type": "string", "enum": ["generate", "edit"]})
}

fn form_entry() -> Value {
    let kinds = [
        "string", "enum", "integer", "number", "boolean", "image", "images", "strings", "object",
    ];
    let choice = object(
        &[
            ("value", json!({"type": ["string", "number"]})),
            ("label", text()),
        ],
        &[],
    );
    object(
        &[
            ("name", text()),
            (
                "type",
                json!({"type": "string", "enum": ["string", "number", "boolean", "array", "object"]}),
            ),
            ("kind", json!({"type": "string", "enum": kinds})),
            ("required", json!({"type": "boolean"})),
            ("description", text()),
            ("operations", list(operations())),
        ],
        &[
            ("default", json!({})),
            ("enum", list(choice)),
            (
                "also",
                json!({"type": "object", "description": "A rule for values beyond the list."}),
            ),
            ("minimum", json!({"type": "number"})),
            ("maximum", json!({"type": "number"})),
            ("step", json!({"type": "number"})),
            ("min_length", count()),
            ("max_length", count()),
            ("min_items", count()),
            ("max_items", count()),
            ("example", json!({})),
            ("placeholder", text()),
            ("group", text()),
            (
                "only_with",
                json!({"type": "object", "description": "Values of others without which it has no meaning."}),
            ),
        ],
    )
}

fn price() -> Value {
    let units = [
        "image",
        "million_input_text_tokens",
        "million_input_image_tokens",
        "million_output_tokens",
    ];
    object(
        &[
            ("unit", json!({"type": "string", "enum": units})),
            (
                "when",
                json!({"type": "object", "description": "The calls it is for; the first row that matches wins."}),
            ),
            ("amount", schema("Money")),
            ("currency", only("USD")),
            ("source", text()),
            ("date", json!({"type": "string", "format": "date"})),
        ],
        &[],
    )
}

fn json_schema() -> Value {
    object(
        &[
            ("$schema", json!({"type": "string", "format": "uri"})),
            ("$id", text()),
            ("type", only("object")),
            ("properties", json!({"type": "object"})),
        ],
        &[],
    )
}

fn created_task() -> Value {
    object(&[("taskId", text()), ("state", only("pending"))], &[])
}

pub(super) fn millis() -> Value {
    json!({"type": "integer", "description": "Milliseconds since 1970."})
}

/// What a poll says.
fn task_state() -> Value {
    object(
        &[
            ("taskId", text()),
            ("state", states()),
            ("createTime", millis()),
        ],
        &[
            ("resultUrls", list(text())),
            ("resultText", text()),
            ("finishReason", finishes()),
            ("failCode", text()),
            ("failMsg", text()),
            ("completeTime", millis()),
            ("tasksAhead", ahead()),
        ],
    )
}

/// What the history says of each task.
fn task_row() -> Value {
    let more = object(
        &[
            ("model", text()),
            ("mode", modes()),
            ("keyId", text()),
            ("quote", schema("Money")),
            ("cost", schema("Money")),
        ],
        &[("startTime", millis())],
    );
    json!({"allOf": [schema("TaskState"), more]})
}

fn task_list() -> Value {
    let next = json!({"type": ["string", "null"], "description": "Where the next page begins; null on the last one."});
    object(
        &[("tasks", list(schema("TaskRow"))), ("nextCursor", next)],
        &[],
    )
}

/// All of a task.
fn task() -> Value {
    let more = object(
        &[
            ("operation", operations()),
            ("n", json!({"type": "integer", "minimum": 1})),
            (
                "param",
                json!({"type": "object", "description": "The parameters, as they were checked."}),
            ),
            (
                "upstreamMs",
                json!({"type": "integer", "minimum": 0, "description": "How long upstreams worked."}),
            ),
            ("assets", list(asset())),
            ("attempts", list(attempt())),
            ("deliveries", list(delivery_with_log())),
        ],
        &[
            ("metadata", json!({"type": "object"})),
            ("callbackUrl", text()),
            ("lateText", late_text()),
        ],
    );
    json!({"allOf": [schema("TaskRow"), more]})
}

fn asset() -> Value {
    let formats: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
    object(
        &[
            ("url", text()),
            ("index", count()),
            ("format", json!({"type": "string", "enum": formats})),
            ("width", count()),
            ("height", count()),
            ("bytes", count()),
            ("revisedPrompt", json!({"type": ["string", "null"]})),
            ("expireTime", json!({"type": ["integer", "null"]})),
            ("late", json!({"type": "boolean"})),
        ],
        &[],
    )
}

/// The answer of a text model that came when its task had ended.
fn late_text() -> Value {
    let reasons = Finish::ALL.map(Finish::name);
    object(
        &[
            ("text", text()),
            ("finishReason", json!({"type": "string", "enum": reasons})),
            ("expireTime", json!({"type": ["integer", "null"]})),
        ],
        &[],
    )
}

/// A callback as it stands.
pub(super) fn delivery() -> Value {
    delivery_with(&[])
}

fn delivery_with_log() -> Value {
    let none = json!({"type": ["integer", "null"], "description": "Null if there was no answer."});
    let why = json!({"type": ["string", "null"], "description": "Why there was no answer."});
    let answer = json!({"type": "string", "description": "The first KiB of the answer."});
    let entry = object(
        &[
            ("number", count()),
            ("time", millis()),
            ("ms", count()),
            ("status", none),
            ("problem", why),
            ("answer", answer),
        ],
        &[],
    );
    delivery_with(&[("log", list(entry))])
}

fn delivery_with(more: &[(&str, Value)]) -> Value {
    let states = DeliveryState::ALL.map(DeliveryState::name);
    let id =
        json!({"type": "string", "description": "The `webhook-id`, the same in every attempt."});
    let fields = [
        ("id", id),
        ("taskId", text()),
        ("url", text()),
        ("state", json!({"type": "string", "enum": states})),
        ("attempts", count()),
        ("createTime", millis()),
        ("nextTime", json!({"type": ["integer", "null"]})),
        ("endTime", json!({"type": ["integer", "null"]})),
    ];
    let all: Vec<_> = fields.iter().chain(more).cloned().collect();
    object(&all, &[])
}

fn attempt() -> Value {
    let states = AttemptState::ALL.map(AttemptState::name);
    object(
        &[
            ("number", count()),
            ("state", json!({"type": "string", "enum": states})),
            ("images", count()),
            ("failCode", json!({"type": ["string", "null"]})),
            ("failMsg", json!({"type": ["string", "null"]})),
            ("createTime", millis()),
        ],
        &[],
    )
}

fn task_reply(data: Value) -> Value {
    object(
        &[
            ("code", json!({"type": "integer", "enum": [200]})),
            ("msg", only("success")),
            ("data", data),
        ],
        &[],
    )
}

fn readiness() -> Value {
    let catalogue =
        json!({"type": "string", "description": "That changed model files could not be read."});
    object(
        &[("ready", json!({"type": "boolean"}))],
        &[("reason", text()), ("catalogue", catalogue)],
    )
}
