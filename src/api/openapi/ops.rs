//! Operations, and the documents for machines.

use super::operation::{Access, Answer, Operation, Presence, in_header};
use super::schema;
use serde_json::{Value, json};

/// `GET /healthz`
pub(in crate::api) fn health() -> Operation {
    Operation {
        summary: "The process answers",
        answers: vec![answer(200, "It does.", &[], Some(("text/plain", text())))],
        ..open("getHealth")
    }
}

/// `GET /readyz`
pub(in crate::api) fn ready() -> Operation {
    let come_back = &[("Retry-After", Presence::Always)];
    let content = || Some(("application/json", schema("Readiness")));
    Operation {
        summary: "The server takes work",
        answers: vec![
            answer(200, "It does.", &[], content()),
            answer(
                503,
                "It is stopping, or cannot reach its store.",
                come_back,
                content(),
            ),
        ],
        ..open("getReadiness")
    }
}

/// `GET /metrics`
pub(in crate::api) fn metrics() -> Operation {
    Operation {
        summary: "Figures for Prometheus",
        description: "With a key of the scope `admin`; without one on an address of its own, if the operator sets one.",
        access: Access::Key,
        answers: vec![answer(
            200,
            "The figures.",
            &[],
            Some(("text/plain", text())),
        )],
        ..open("getMetrics")
    }
}

/// `GET /admin/v1/providers`
pub(in crate::api) fn providers() -> Operation {
    Operation {
        summary: "The providers that are on, and whether they may be called now",
        description: "With a key of the scope `admin`.",
        access: Access::Key,
        answers: vec![answer(
            200,
            "They, by name.",
            &[],
            Some(("application/json", provider_list())),
        )],
        ..open("listProviders")
    }
}

fn provider_list() -> Value {
    let row = json!({
        "type": "object",
        "required": ["name", "base_url", "concurrency", "breaker", "pause_s"],
        "properties": {
            "name": text(),
            "base_url": {"type": ["string", "null"], "description": "Null if it runs in this process."},
            "concurrency": {"type": "integer", "description": "How many of its calls may run at once."},
            "breaker": {"type": ["string", "null"], "description": "Null if it is never paused."},
            "pause_s": {"type": ["integer", "null"], "description": "For how many seconds nobody calls it, if it is paused."},
        },
    });
    json!({
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": row}},
    })
}

/// `GET /openapi.json`
pub(in crate::api) fn openapi() -> Operation {
    let content = json!({
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": {"openapi": text(), "info": {"type": "object"}, "paths": {"type": "object"}},
    });
    Operation {
        summary: "This document",
        ..document("getOpenApi", "application/json", content)
    }
}

/// `GET /llms.txt`
pub(in crate::api) fn llms() -> Operation {
    Operation {
        summary: "The service in one page of Markdown, for language models",
        ..document("getLlmsTxt", "text/plain", text())
    }
}

fn open(id: &'static str) -> Operation {
    Operation {
        id,
        tag: "operations",
        summary: "",
        description: "Needs no key.",
        access: Access::Open,
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        errors: &[],
    }
}

fn document(id: &'static str, media_type: &'static str, content: Value) -> Operation {
    let kept = &[("ETag", Presence::Always)];
    let has = "What the client has already.";
    Operation {
        parameters: vec![in_header("If-None-Match", has, &json!({"type": "string"}))],
        answers: vec![
            answer(200, "The document.", kept, Some((media_type, content))),
            answer(304, "The client has it already.", kept, None),
        ],
        ..open(id)
    }
}

fn answer(
    status: u16,
    description: &'static str,
    headers: &'static [(&'static str, Presence)],
    content: Option<(&'static str, Value)>,
) -> Answer {
    Answer {
        status,
        description,
        headers,
        content: content.into_iter().collect(),
    }
}

fn text() -> Value {
    json!({"type": "string"})
}
