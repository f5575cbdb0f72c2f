//! A model's form as a JSON Schema (2020-12): what a flat body of `POST /v1/images/generations` may say.
//!
//! It judges a body exactly as [`check`](crate::catalogue::check) does under `x-pinhole-params: reject`, where nothing is adapted
//! (`tests/it/schema.rs` compares the two on thousands of bodies), so:
//!
//! - a null says nothing, whatever the name; for pictures an empty list says nothing either;
//! - aliases are properties of their own, and a parameter goes by one of its names at a time;
//! - a call that brings an input image is an edit: what depends on that stands under `if`, `then` and `else`;
//! - what a default implies counts for conditions on other parameters.
//!
//! Standard keywords wherever they reach, because then every validator enforces them. Sizes beyond an enum's list
//! are regular expressions (`pixels.rs`). Steps of a fraction are lists of values, because many validators divide
//! floats. Two things no standard keyword can say are keywords of our own, which validators ignore unless they are
//! taught: `x-pinhole-max-json-bytes` (the longest `metadata`) and `x-pinhole-pixels` (a rule for sizes with too many
//! edges to list; no model that is compiled in has one).

mod envelope;
mod pixels;
mod rules;
mod values;

use crate::catalogue::form::example_of;
use crate::catalogue::model::{Model, Parameter};
use crate::types::Operation;
pub(super) use values::listed;

use rules::Rules;
use serde_json::{Map, Value, json};

/// The schema of a model. Its `$id` is the path where it is served.
pub fn json_schema(model: &Model) -> Value {
    let examples = model.operations.iter().map(|it| example_of(model, *it));
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("/v1/models/{}/schema", model.id),
        "title": model.name,
        "description": model.description,
        "type": "object",
        "properties": properties(model),
        "required": required(model),
        // Whatever its name: a null says nothing.
        "additionalProperties": {"type": "null"},
        "examples": examples.collect::<Vec<_>>(),
    });
    if model.parameters.iter().any(|it| it.kind.is_image()) {
        schema["$defs"] = values::definitions();
    }
    if let Value::Object(schema) = &mut schema {
        schema.extend(rules(model));
    }
    schema
}

/// What a flat body must have besides to be an edit: a picture to work from. `None` if the model only edits; then its
/// schema says so already.
pub fn edit_condition(model: &Model) -> Option<Value> {
    model
        .supports(Operation::Generate)
        .then(|| rules::is_edit(model))
}

fn properties(model: &Model) -> Map<String, Value> {
    let mut properties = Map::new();
    let ids: Vec<&String> = [&model.id].into_iter().chain(&model.aliases).collect();
    properties.insert(
        "model".to_owned(),
        json!({"description": "The model.", "enum": ids}),
    );
    for parameter in &model.parameters {
        let may_be_null = !is_always_named(model, parameter);
        let schema = values::property(parameter, may_be_null);
        properties.insert(parameter.name.clone(), schema);
        for alias in &parameter.aliases {
            let same = json!({
                "description": format!("Another name of `{}`; only one of them may be used.", parameter.name),
                "$ref": format!("#/properties/{}", pointer(&parameter.name)),
            });
            properties.insert(alias.clone(), same);
        }
    }
    for (name, schema) in envelope::properties() {
        properties.entry(name).or_insert(schema);
    }
    properties
}

/// What stands in the plain list of required properties.
fn required(model: &Model) -> Vec<&str> {
    let named = model
        .parameters
        .iter()
        .filter(|it| is_always_named(model, it));
    ["model"]
        .into_iter()
        .chain(named.map(|it| it.name.as_str()))
        .collect()
}

/// Whether every call must have it, under this very name.
fn is_always_named(model: &Model, parameter: &Parameter) -> bool {
    let is_required = |operation: &Operation| {
        parameter.applies_to(*operation) && parameter.is_required_for(*operation)
    };
    parameter.aliases.is_empty() && model.operations.iter().all(is_required)
}

/// What the parameters must be to each other: for every call under `allOf`, else by operation.
fn rules(model: &Model) -> Map<String, Value> {
    let of = |operation| Rules { model, operation }.all();
    if !(model.supports(Operation::Generate) && model.supports(Operation::Edit)) {
        let operation = model.operations.first().copied();
        return all_of(of(operation.unwrap_or(Operation::Generate)));
    }
    let (generate, edit) = (of(Operation::Generate), of(Operation::Edit));
    let (common, edit_only): (Vec<_>, Vec<_>) =
        edit.into_iter().partition(|rule| generate.contains(rule));
    let generate_only = generate.into_iter().filter(|rule| !common.contains(rule));
    let by_operation = [
        ("if", rules::is_edit(model)),
        ("then", all_in_one(edit_only)),
        ("else", all_in_one(generate_only.collect())),
    ];
    let mut rules = all_of(common);
    rules.extend(by_operation.map(|(key, schema)| (key.to_owned(), schema)));
    rules
}

/// The keyword wants at least one.
fn all_of(rules: Vec<Value>) -> Map<String, Value> {
    let rules = Some(rules).filter(|rules| !rules.is_empty());
    rules
        .map(|rules| ("allOf".to_owned(), rules.into()))
        .into_iter()
        .collect()
}

/// The same as a schema of its own.
fn all_in_one(mut rules: Vec<Value>) -> Value {
    match rules.len() {
        1 => rules.remove(0),
        _ => Value::Object(all_of(rules)),
    }
}

/// A name as a step of a JSON pointer in the fragment of a URL.
fn pointer(name: &str) -> String {
    name.bytes().fold(String::new(), |mut path, byte| {
        match byte {
            b'~' => path.push_str("~0"),
            b'/' => path.push_str("~1"),
            _ if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) => path.push(byte.into()),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
        path
    })
}
