//! `GET /llms.txt`: the service in one page of Markdown, for language models and those who write with them.
//!
//! After the convention of that name: a title, a summary in a quotation, sections of links. The examples work as they
//! are pasted, against the server that gave the page out.

use super::Api;
use super::body::public_url;
use super::document::Document;
use crate::catalogue::{Catalogue, Model, example_of};
use crate::error;
use crate::types::{Modality, Operation};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

/// `GET /llms.txt`
pub(super) async fn show(State(api): State<Api>, headers: HeaderMap) -> Response {
    let text = page(&api.0.engine.catalogue(), &public_url(&api, &headers));
    Document::new("text/plain; charset=utf-8", text).answer(&headers)
}

fn page(catalogue: &Catalogue, url: &str) -> String {
    let models: Vec<&Model> = catalogue.current().map(AsRef::as_ref).collect();
    [
        introduction(url),
        calls(&models, url),
        more_calls(),
        list(&models, url),
        format!("## Errors\n\nOn `/v1` a body like `{{\"error\":{{\"message\",\"type\",\"param\",\"code\",\"details\"}}}}`, on `/api/v1` \
            `{{\"code\",\"msg\",\"data\":null}}`. `details` lists every fault of a request, each at the path the client used.\n\n{}", error::table_in_markdown()),
        format!("## Documents\n\n- [OpenAPI 3.1]({url}/openapi.json): every call, with the schema of every model\n"),
    ]
    .join("\n")
}

fn introduction(url: &str) -> String {
    format!(
        "# Pinhole\n\n\
         > A gateway for generative media: one key and one set of promises for every model of images or text. It speaks OpenAI's \
         API; every call is a task that survives hanging up, is stored, and is charged once or, if it fails, not at all.\n\n\
         - Base URL for OpenAI's SDKs: `{url}/v1`\n\
         - Every call needs the header `Authorization: Bearer <key>`. A key `sk-test-…` runs every model offline and free: \
         pictures are drawn and texts are written by Pinhole, all else is real.\n\
         - A parameter that a model does not have is refused by name, never ignored. `GET /v1/models/{{id}}/schema` says what it takes.\n\
         - Every admitted call answers with `x-pinhole-task-id`; send `Idempotency-Key` to repeat a call safely.\n"
    )
}

/// The calls that do the work: wait for a picture, leave and come back, change one, write a text.
fn calls(models: &[&Model], url: &str) -> String {
    let of = |modality: Modality| {
        let able = models.iter().copied();
        able.filter(move |model| model.modality == modality)
    };
    let first = |operation: Operation| of(Modality::Image).find(|model| model.supports(operation));
    let mut text = "## Calls\n".to_owned();
    if let Some(model) = first(Operation::Generate) {
        let body = shell_quoted(&example_of(model, Operation::Generate).to_string());
        text += &curl(
            "Make a picture and wait for it; `data[0].b64_json` is the file, with `\"response_format\":\"url\"` there is a link",
            url,
            "/v1/images/generations",
            "",
            &body,
        );
        text += &curl(
            "Leave at once: 202 with a task, whose reply is then at `GET /v1/images/generations/{task_id}`",
            url,
            "/v1/images/generations",
            "\n  -H \"Prefer: respond-async\" \\",
            &body,
        );
    }
    if let Some(model) = first(Operation::Edit) {
        let body = shell_quoted(&example_of(model, Operation::Edit).to_string());
        text += &curl(
            "Change a picture, given as a link, as a `data:` URL, or as a file of a form",
            url,
            "/v1/images/edits",
            "",
            &body,
        );
    }
    if let Some(model) = of(Modality::Text).next() {
        let said = json!([{"role": "user", "content": "Hello! What can you do?"}]);
        let body = json!({"model": model.id, "messages": said}).to_string();
        text += &curl(
            "Write a text; `choices[0].message.content` is it, with `\"stream\":true` it comes in pieces",
            url,
            "/v1/chat/completions",
            "",
            &shell_quoted(&body),
        );
    }
    text
}

/// The others, a line each.
fn more_calls() -> String {
    "## More calls\n\n\
     - `POST /v1/quote` with the body of a call: what it would cost. Nothing runs.\n\
     - `POST /v1/files`, a form with `file` and `purpose=vision`: keeps an input image for a day. Its id goes into a call as \
     `{\"image\":{\"file_id\":\"file-…\"}}`.\n\
     - `POST /api/v1/images/generations` creates a task and returns its `taskId`; `GET /api/v1/images/generations?task_id=…&wait=30` \
     waits for its end; `DELETE` cancels it while it is pending.\n\
     - `GET /api/v1/tasks` lists what was called, newest first; `GET /api/v1/tasks/{id}` tells all of one task.\n\
     - `GET /v1/balance` tells the credits, `GET /v1/usage?group_by=model` what was used and charged.\n"
        .to_owned()
}

fn curl(what: &str, url: &str, path: &str, more: &str, body: &str) -> String {
    format!(
        "\n{what}:\n\n```sh\ncurl {url}{path} \\\n  -H \"Authorization: Bearer $PINHOLE_API_KEY\" \\\n  \
         -H \"Content-Type: application/json\" \\{more}\n  -d {body}\n```\n"
    )
}

/// A text as one word of a shell.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn list(models: &[&Model], url: &str) -> String {
    let mut text = "## Models\n\n".to_owned();
    for model in models {
        let description = one_line(&model.description);
        text += &format!(
            "- [{id}]({url}/v1/models/{id}): {description} ([schema]({url}/v1/models/{id}/schema))\n",
            id = model.id
        );
    }
    text
}

/// What an operator wrote over several lines, as one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_an_apostrophe_stays_one_word() {
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
    }
}
