//! `/admin/v1/webhooks`, and the callback that a call may ask for.

use super::operation::{Access, Answer, Operation, in_query, required};
use super::replies::{count, delivery, list as list_of, millis, object, text};
use super::schema;
use crate::error::Kind;
use crate::types::DeliveryState;
use serde_json::{Value, json};

const WHEN: &str = "milliseconds since 1970, or a time like 2026-11-21 or 2026-11-21T08:00:00Z";

/// `GET /admin/v1/webhooks`
pub(in crate::api) fn list() -> Operation {
    let states = DeliveryState::ALL.map(DeliveryState::name);
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100});
    let reply = object(
        &[
            ("object", json!({"const": "list"})),
            ("data", list_of(delivery())),
        ],
        &[],
    );
    Operation {
        parameters: vec![
            in_query(
                "state",
                "Only those in this state.",
                &json!({"type": "string", "enum": states}),
            ),
            account(),
            in_query(
                "since",
                &format!("Only those of tasks that ended from here on: {WHEN}."),
                &text(),
            ),
            in_query("limit", "How many at most.", &limit),
        ],
        ..operation(
            "listWebhooks",
            "Callbacks of all accounts, the newest first",
            reply,
        )
    }
}

/// `POST /admin/v1/webhooks/resend`
pub(in crate::api) fn resend() -> Operation {
    let task = json!({"type": "string", "pattern": "^task_[0-9a-f]{32}$"});
    let since = format!("All that were given up from here on: {WHEN}.");
    let note =
        json!({"type": "string", "description": "Why it is not sent again: it is being sent."});
    Operation {
        parameters: vec![
            in_query("task", "The task whose callback is sent again.", &task),
            in_query("failed_since", &since, &text()),
        ],
        errors: &[Kind::InvalidParameter, Kind::TaskNotFound],
        ..operation(
            "resendWebhooks",
            "Send callbacks again, one of `task` and `failed_since`",
            object(&[("resent", count())], &[("note", note)]),
        )
    }
}

/// `POST /admin/v1/webhooks/test`
pub(in crate::api) fn test() -> Operation {
    let status = json!({"type": ["integer", "null"]});
    let problem = json!({"type": ["string", "null"], "description": "Why there was no answer."});
    let reply = object(
        &[
            ("delivered", json!({"type": "boolean"})),
            ("status", status),
            ("problem", problem),
            ("answer", text()),
        ],
        &[],
    );
    let url = in_query("url", "Where.", &json!({"type": "string"}));
    Operation {
        parameters: vec![required(url), account()],
        ..operation(
            "testWebhook",
            "Call a URL as a callback would, and see what comes of it",
            reply,
        )
    }
}

/// `GET /admin/v1/webhooks/secret`
pub(in crate::api) fn show_secret() -> Operation {
    Operation {
        parameters: vec![account()],
        ..operation(
            "getWebhookSecret",
            "What signs an account's callbacks",
            secrets(),
        )
    }
}

/// `POST /admin/v1/webhooks/secret`
pub(in crate::api) fn rotate_secret() -> Operation {
    let overlap = json!({"type": "integer", "minimum": 0, "maximum": 7_776_000, "default": 86_400});
    let told = "For how many seconds the secret before it signs too.";
    Operation {
        parameters: vec![account(), in_query("overlap_s", told, &overlap)],
        ..operation(
            "rotateWebhookSecret",
            "Replace what signs an account's callbacks",
            secrets(),
        )
    }
}

fn secrets() -> Value {
    let retires = json!({"type": ["integer", "null"], "description": "Null for the present one."});
    let secret = object(
        &[
            ("secret", json!({"type": "string", "pattern": "^whsec_"})),
            ("createTime", millis()),
            ("retireTime", retires),
        ],
        &[],
    );
    object(&[("account", text()), ("secrets", list_of(secret))], &[])
}

fn account() -> Value {
    let told = "The account's name or id; for a secret or a test, `default` if it is not said.";
    in_query("account", told, &text())
}

fn operation(id: &'static str, summary: &'static str, reply: Value) -> Operation {
    Operation {
        id,
        tag: "operations",
        summary,
        description: "With a key of the scope `admin`.",
        access: Access::Key,
        parameters: Vec::new(),
        body: None,
        answers: vec![Answer::ok("What was asked for.", reply)],
        errors: &[Kind::InvalidParameter],
    }
}

/// What is sent to `callback_url`, for an operation that takes one.
pub(super) fn callback() -> Value {
    let header = |told: &str| json!({"description": told, "required": true, "schema": text()});
    json!({"taskEnded": {"{$request.body#/callback_url}": {"post": {
        "summary": "The task has ended",
        "description": "Sent once the end is stored, until the answer is 2xx: at once, after 1, 2, 4 s, and then for half an hour. Signed as Standard Webhooks.",
        "parameters": [
            named("webhook-id", header("The same in every attempt.")),
            named("webhook-timestamp", header("Seconds since 1970, of this attempt.")),
            named("webhook-signature", header("`v1,` and base64; two of them while secrets change.")),
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": schema("TaskEnded")}}},
        "responses": {
            "2XX": {"description": "It has arrived."},
            "410": {"description": "Nobody wants it any more."},
        },
    }}}})
}

fn named(name: &str, mut header: Value) -> Value {
    header["name"] = name.into();
    header["in"] = "header".into();
    header
}

/// The body of a callback.
pub(super) fn task_ended() -> Value {
    let null_or_text = json!({"type": ["string", "null"]});
    let holds_json =
        json!({"type": "string", "description": "JSON in a text; parse it once more."});
    let data = object(
        &[
            ("taskId", text()),
            (
                "model",
                json!({"type": "string", "description": "`<owner>/<id>`."}),
            ),
            ("state", json!({"enum": ["completed", "failed"]})),
            ("param", holds_json),
            (
                "resultJson",
                json!({"type": ["string", "null"], "description": "JSON in a text: `resultUrls`; of a text `resultText`, `finishReason`. Null if it failed."}),
            ),
            ("failCode", null_or_text.clone()),
            ("failMsg", null_or_text),
            (
                "costTime",
                json!({"type": "integer", "description": "Milliseconds from its creation to its end."}),
            ),
            ("completeTime", millis()),
            ("createTime", millis()),
        ],
        &[],
    );
    object(
        &[
            ("code", json!({"enum": [200, 501]})),
            ("msg", json!({"enum": ["success", "failed"]})),
            ("data", data),
        ],
        &[],
    )
}
