//! One operation: what a route takes and everything that it may answer.

use super::{schema, webhooks};
use crate::error::{Kind, Row, TABLE};
use serde_json::{Map, Value, json};

/// What a route's description says. The statuses of its errors follow from the table of errors.
pub(in crate::api) struct Operation {
    /// A name that is unique in the document.
    pub id: &'static str,
    /// The group.
    pub tag: &'static str,
    /// A line.
    pub summary: &'static str,
    /// What else there is to know.
    pub description: &'static str,
    /// Who may call.
    pub access: Access,
    /// In path, query and headers.
    pub parameters: Vec<Value>,
    /// By media type.
    pub body: Option<Value>,
    /// Answers that are no errors.
    pub answers: Vec<Answer>,
    /// Errors besides those that follow from `access`.
    pub errors: &'static [Kind],
}

/// Who may call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Access {
    /// Anybody.
    Open,
    /// Whoever has a key.
    Key,
}

/// An answer that is no error.
pub(in crate::api) struct Answer {
    /// The status.
    pub status: u16,
    /// What it means.
    pub description: &'static str,
    /// Names of headers in the document's list, with whether they are always there.
    pub headers: &'static [(&'static str, Presence)],
    /// Schemas by media type.
    pub content: Vec<(&'static str, Value)>,
}

impl Answer {
    /// 200 with a JSON body.
    pub(super) fn ok(description: &'static str, schema: Value) -> Self {
        Self {
            status: 200,
            description,
            headers: &[],
            content: vec![("application/json", schema)],
        }
    }
}

/// Whether a header is always there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Presence {
    Always,
    Sometimes,
}

/// What any call with a key may be told before it is looked at.
const OF_KEYS: &[Kind] = &[Kind::InvalidApiKey, Kind::Forbidden, Kind::RateLimited];

/// Operations whose JSON may have a `callback_url`.
const CALLING_BACK: &[&str] = &["generateImages", "editImages", "completeChat", "createTask"];

impl Operation {
    /// As the document has it.
    pub(super) fn describe(&self, path: &str) -> Value {
        let mut described = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "responses": self.responses(path),
        });
        if self.access == Access::Open {
            described["security"] = json!([]);
        }
        if !self.parameters.is_empty() {
            described["parameters"] = self.parameters.clone().into();
        }
        if CALLING_BACK.contains(&self.id) {
            described["callbacks"] = webhooks::callback();
        }
        if let Some(body) = &self.body {
            described["requestBody"] = json!({"required": true, "content": body});
        }
        described
    }

    fn responses(&self, path: &str) -> Value {
        let mut responses: Map<String, Value> = self
            .answers
            .iter()
            .map(|answer| (answer.status.to_string(), answer.describe()))
            .collect();
        // The table is in order of status.
        for same in self
            .errors()
            .chunk_by(|row, next| row.status == next.status)
        {
            responses.insert(same[0].status.to_string(), refusal(path, same));
        }
        if self.answers.is_empty() {
            // An operation without a good end has no other answers than these.
            responses.insert("default".to_owned(), refusal(path, &self.errors()));
        }
        let too_large = json!({"$ref": "#/components/responses/HeadersTooLarge"});
        responses.insert("431".to_owned(), too_large);
        Value::Object(responses)
    }

    /// The rows of the table that this operation may answer, in the table's order.
    fn errors(&self) -> Vec<Row> {
        let of_access = match self.access {
            Access::Open => &[][..],
            Access::Key => OF_KEYS,
        };
        let may = |kind| {
            kind == Kind::Internal || of_access.contains(&kind) || self.errors.contains(&kind)
        };
        let rows = TABLE.iter().filter(|row| may(row.kind));
        rows.copied().collect()
    }
}

/// The answer of all errors of one status.
fn refusal(path: &str, rows: &[Row]) -> Value {
    let words = rows
        .iter()
        .map(|row| format!("- `{}`: {}", row.code, row.meaning));
    let shape = if path.starts_with("/api/") {
        "TaskError"
    } else {
        "Error"
    };
    let status = rows.first().map_or(500, |row| row.status);
    let mut headers = vec![("x-request-id", Presence::Always)];
    if matches!(status, 429 | 503) {
        headers.push(("Retry-After", Presence::Sometimes));
    }
    if status >= 500 {
        headers.push(("x-should-retry", Presence::Sometimes));
    }
    json!({
        "description": words.collect::<Vec<_>>().join("\n"),
        "headers": described(&headers),
        "content": {"application/json": {"schema": schema(shape)}},
    })
}

impl Answer {
    fn describe(&self) -> Value {
        let headers = [("x-request-id", Presence::Always)];
        let headers: Vec<_> = headers.iter().chain(self.headers).copied().collect();
        let mut answer = json!({"description": self.description, "headers": described(&headers)});
        if !self.content.is_empty() {
            let content = self
                .content
                .iter()
                .map(|(media_type, schema)| ((*media_type).to_owned(), json!({"schema": schema})));
            answer["content"] = Value::Object(content.collect());
        }
        answer
    }
}

/// Headers of an answer. What is always there is said to be required, which a reference alone cannot.
fn described(headers: &[(&str, Presence)]) -> Value {
    let one = |(name, presence): &(&str, Presence)| {
        let reference = match presence {
            Presence::Always => format!("#/components/headers/{name}"),
            Presence::Sometimes => format!("#/components/headers/{name}.sometimes"),
        };
        ((*name).to_owned(), json!({"$ref": reference}))
    };
    Value::Object(headers.iter().map(one).collect())
}

/// A parameter of a path: any text.
pub(super) fn in_path(name: &str, description: &str, example: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": {"type": "string", "examples": [example]},
    })
}

/// An optional parameter of a query.
pub(super) fn in_query(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
}

/// The same, but required.
pub(super) fn required(mut parameter: Value) -> Value {
    parameter["required"] = true.into();
    parameter
}

/// An optional header of a request.
pub(super) fn in_header(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "required": false, "description": description, "schema": schema})
}
