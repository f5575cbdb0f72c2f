//! What a model's file says, as JSON for clients: the form, the prices, a request example.

use crate::catalogue::decimal::Decimal;
use crate::catalogue::model::{
    Choice, Condition, Kind, Model, Parameter, PriceRow, Span, When, plain_text,
};
use crate::types::Operation;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The `form_schema` of a model: its parameters in form order.
pub fn form(model: &Model) -> Value {
    model
        .parameters
        .iter()
        .map(|parameter| form_entry(model, parameter))
        .collect()
}

/// A parameter's entry. `type` is the JSON type, `kind` the catalogue's finer word (`enum`, `images` …).
fn form_entry(model: &Model, parameter: &Parameter) -> Value {
    let mut entry = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        entry.extend(value.map(|value| (key.to_owned(), value)));
    };
    let operations = if parameter.operations.is_empty() {
        &model.operations
    } else {
        &parameter.operations
    };
    put("name", Some(json!(parameter.name)));
    put("type", Some(json!(json_type(&parameter.kind))));
    put("kind", Some(json!(parameter.kind.name())));
    put("required", Some(json!(parameter.required)));
    put("default", parameter.default.clone());
    for (key, value) in limits(&parameter.kind) {
        put(key, value);
    }
    put("example", parameter.example.clone());
    put(
        "placeholder",
        parameter.placeholder.clone().map(Value::from),
    );
    put("description", Some(json!(parameter.description)));
    put("group", parameter.group.clone().map(Value::from));
    put("operations", Some(json!(operations)));
    put("only_with", parameter.only_with.as_ref().map(when_json));
    Value::Object(entry)
}

fn json_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text(_) | Kind::Image => "string",
        Kind::Choice { options, .. } if options.iter().all(|it| it.value.is_number()) => "number",
        Kind::Choice { .. } => "string",
        Kind::Integer(_) | Kind::Number(_) => "number",
        Kind::Boolean => "boolean",
        Kind::Images(_) | Kind::Texts { .. } => "array",
        Kind::Object => "object",
    }
}

/// The keys that a kind's bounds become.
fn limits(kind: &Kind) -> Vec<(&'static str, Option<Value>)> {
    let items = |span: &Span| {
        vec![
            ("min_items", span.min.map(Value::from)),
            ("max_items", span.max.map(Value::from)),
        ]
    };
    let lengths = |span: &Span| {
        vec![
            ("min_length", span.min.map(Value::from)),
            ("max_length", span.max.map(Value::from)),
        ]
    };
    match kind {
        Kind::Text(length) => lengths(length),
        Kind::Choice { options, also } => vec![
            ("enum", Some(options.iter().map(choice_json).collect())),
            ("also", also.as_ref().map(|also| json!(also))),
        ],
        Kind::Integer(range) | Kind::Number(range) => vec![
            ("minimum", range.minimum.map(Decimal::to_json)),
            ("maximum", range.maximum.map(Decimal::to_json)),
            ("step", range.step.map(Decimal::to_json)),
        ],
        Kind::Images(span) => items(span),
        Kind::Texts {
            items: span,
            length,
        } => [items(span), lengths(length)].concat(),
        Kind::Boolean | Kind::Image | Kind::Object => Vec::new(),
    }
}

fn choice_json(choice: &Choice) -> Value {
    let label = choice.label.clone();
    let label = label.unwrap_or_else(|| plain_text(&choice.value));
    json!({"value": choice.value, "label": label})
}

/// The price table of a model: the first row that matches a call is its price.
pub fn pricing(model: &Model) -> Value {
    model.prices.iter().map(price_json).collect()
}

/// One row of it.
pub fn price_json(row: &PriceRow) -> Value {
    json!({
        "unit": row.unit,
        "when": when_json(&row.when),
        "amount": row.amount,
        "currency": "USD",
        "source": row.source,
        "date": row.date.to_string(),
    })
}

/// As in the model's file: one value plain, several as a list.
fn when_json(when: &When) -> Value {
    let operation = when.operation.map(|it| ("operation".to_owned(), json!(it)));
    let parameters = when.parameters.iter().map(|(name, condition)| {
        let condition = match condition {
            Condition::OneOf(values) if values.len() == 1 => values[0].clone(),
            Condition::OneOf(values) => json!(values),
            Condition::MaxPixels(most) => json!({"max_pixels": most}),
        };
        (name.clone(), condition)
    });
    Value::Object(operation.into_iter().chain(parameters).collect())
}

/// A request that works as it stands: the flat body of the model's usual operation.
pub fn example(model: &Model) -> Value {
    let operation = model.operations.first().copied();
    example_of(model, operation.unwrap_or(Operation::Generate))
}

/// A request example for one operation.
pub fn example_of(model: &Model, operation: Operation) -> Value {
    let values = example_values(&form(model), operation, &[]);
    let id = ("model".to_owned(), json!(model.id));
    Value::Object(std::iter::once(id).chain(values).collect())
}

/// The example values of a form for one operation, in its order; those that are `given` take their places or follow.
/// Values of the form without a meaning beside the others are left out.
pub(super) fn example_values(
    form: &Value,
    operation: Operation,
    given: &[(String, Value)],
) -> Vec<(String, Value)> {
    let is_given = |name: &str| given.iter().any(|(given, _)| given == name);
    let entries = form.as_array().into_iter().flatten();
    let shown: Vec<(&Value, &str, &Value)> = entries
        .filter(|entry| {
            let operations = entry["operations"].as_array();
            operations.is_some_and(|list| list.contains(&json!(operation)))
        })
        .filter_map(|entry| {
            let name = entry["name"].as_str()?;
            let said = given.iter().find(|(given, _)| given == name);
            let value = said.map_or(&entry["example"], |(_, value)| value);
            (!value.is_null()).then_some((entry, name, value))
        })
        .collect();
    let values: BTreeMap<String, Value> = shown
        .iter()
        .map(|(_, name, value)| ((*name).to_owned(), (*value).clone()))
        .collect();
    let has_meaning = |entry: &Value| {
        let only_with = When::deserialize(&entry["only_with"]).ok();
        only_with.is_none_or(|when| when.holds(operation, &values))
    };
    let own = shown
        .iter()
        .filter(|(entry, name, _)| is_given(name) || has_meaning(entry))
        .map(|(_, name, value)| ((*name).to_owned(), (*value).clone()));
    let more = given
        .iter()
        .filter(|(name, _)| !values.contains_key(name))
        .cloned();
    own.chain(more).collect()
}
