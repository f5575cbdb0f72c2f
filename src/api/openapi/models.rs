//! `/v1/models`.

use super::operation::{Access, Answer, Operation, in_path, in_query};
use super::schema;
use crate::error::Kind;
use serde_json::{Value, json};

/// `GET /v1/models`
pub(in crate::api) fn list() -> Operation {
    Operation {
        id: "listModels",
        tag: "models",
        summary: "The models that this key can call now",
        description: "OpenAI's list, each model with its form and its prices.",
        access: Access::Key,
        parameters: vec![in_query(
            "all",
            "Also those that cannot be called now, each with the reason.",
            &json!({"type": "boolean", "default": false}),
        )],
        body: None,
        answers: vec![Answer::ok("The list.", schema("ModelList"))],
        errors: &[Kind::InvalidParameter],
    }
}

/// `GET /v1/models/{id}`
pub(in crate::api) fn show() -> Operation {
    Operation {
        id: "getModel",
        tag: "models",
        summary: "One model",
        description: "By its id or an alias. Slashes of an id stand as they are.",
        access: Access::Key,
        parameters: vec![id()],
        body: None,
        answers: vec![Answer::ok("The model.", schema("Model"))],
        errors: OF_ONE,
    }
}

/// `GET /v1/models/{id}/schema`
pub(in crate::api) fn show_schema() -> Operation {
    Operation {
        id: "getModelSchema",
        tag: "models",
        summary: "A model's form as JSON Schema",
        description: "What a flat body for this model may say, exactly as it is checked under `x-pinhole-params: reject`.",
        access: Access::Key,
        parameters: vec![id()],
        body: None,
        answers: vec![Answer {
            content: vec![("application/schema+json", schema("JsonSchema"))],
            ..Answer::ok("The schema.", json!({}))
        }],
        errors: OF_ONE,
    }
}

const OF_ONE: &[Kind] = &[Kind::ModelNotFound, Kind::NotFound];

fn id() -> Value {
    in_path("id", "The model's id or an alias.", "gpt-image-2")
}
