//! The values that one parameter takes, as a schema.

use super::pixels;
use crate::catalogue::decimal::Decimal;
use crate::catalogue::model::{Also, Choice, Condition, Kind, Parameter, Range, Span};
use crate::catalogue::size::parse_size;
use serde_json::{Map, Value, json};

/// The most values of a stepped number that are listed.
const MOST_LISTED: usize = 1_000;

/// Any character but white space, which is spelt out: what `\s` means differs between validators.
const INK: &str =
    "[^\t-\r \u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}]";

/// A parameter's property.
pub(super) fn property(parameter: &Parameter, may_be_null: bool) -> Value {
    let mut schema = of_kind(&parameter.kind);
    if may_be_null {
        allow_null(&mut schema);
    }
    schema.insert("description".to_owned(), json!(parameter.description));
    if let Some(default) = &parameter.default {
        schema.insert("default".to_owned(), default.clone());
    }
    if let Some(example) = &parameter.example {
        schema.insert("examples".to_owned(), json!([example]));
    }
    Value::Object(schema)
}

/// The values of a parameter for which a condition holds, among those that it takes.
pub(super) fn fulfilling(parameter: &Parameter, condition: &Condition) -> Value {
    match (condition, &parameter.kind) {
        // A single text stands for a list of one.
        (Condition::OneOf(values), Kind::Texts { .. }) => {
            let alone = values.iter().filter_map(|value| match value.as_array() {
                Some(list) if list.len() == 1 => list.first(),
                _ => None,
            });
            json!({"enum": values.iter().chain(alone).collect::<Vec<_>>()})
        }
        (Condition::OneOf(values), _) => json!({"enum": values}),
        (Condition::MaxPixels(most), Kind::Choice { options, also }) => {
            let options = options.iter().map(|option| &option.value);
            let listed: Vec<&Value> = options.filter(|it| condition.holds(it)).collect();
            let beyond = also.map(|also| pixels::sizes(&also.up_to(*most)));
            let mut ways = vec![json!({"enum": listed})];
            ways.extend(beyond);
            json!({"anyOf": ways})
        }
        (Condition::MaxPixels(_), _) => Value::Bool(false),
    }
}

/// What properties refer to.
pub(super) fn definitions() -> Value {
    let is_there =
        |key: &str| json!({"required": [key], "properties": {key: {"not": {"type": "null"}}}});
    let or_null = |schema: &str| json!({"anyOf": [{"$ref": schema}, {"type": "null"}]});
    json!({
        "image": {
            "description": "A picture: a URL, a `data:` URL, or an object with a link or the id of an uploaded file.",
            "anyOf": [
                {"$ref": "#/$defs/word"},
                {
                    "type": "object",
                    "properties": {
                        "image_url": or_null("#/$defs/link"),
                        "url": or_null("#/$defs/link"),
                        "file_id": or_null("#/$defs/word"),
                    },
                    "oneOf": [is_there("image_url"), is_there("url"), is_there("file_id")],
                },
            ],
        },
        "link": {
            "anyOf": [
                {"$ref": "#/$defs/word"},
                {"type": "object", "required": ["url"], "properties": {"url": {"$ref": "#/$defs/word"}}},
            ],
        },
        "word": {"type": "string", "pattern": INK},
    })
}

fn of_kind(kind: &Kind) -> Map<String, Value> {
    match kind {
        Kind::Text(length) => text(*length),
        Kind::Choice { options, also } => choice(options, also.as_ref()),
        Kind::Integer(range) => whole(range),
        Kind::Number(range) => number(range),
        Kind::Boolean => object([("type", json!("boolean"))]),
        Kind::Image => {
            let span = Span {
                min: None,
                max: Some(1),
            };
            images(span)
        }
        Kind::Images(items) => images(*items),
        Kind::Texts { items, length } => list(*items, Value::Object(text(*length))),
        Kind::Object => object([("type", json!("object"))]),
    }
}

pub(super) fn object<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    let entries = entries.into_iter();
    entries
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The schemas above are a `type` with what narrows it, or an `anyOf`.
pub(super) fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf") {
        ways.push(json!({"type": "null"}));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
}

fn text(length: Span) -> Map<String, Value> {
    let mut schema = object([("type", json!("string"))]);
    put_bounds(&mut schema, "minLength", "maxLength", length);
    if length.min.is_some_and(|min| min > 0) {
        schema.insert("pattern".to_owned(), json!(INK));
    }
    schema
}

fn put_bounds(schema: &mut Map<String, Value>, least: &str, most: &str, span: Span) {
    let bounds = [(least, span.min), (most, span.max)];
    let bounds = bounds
        .into_iter()
        .filter_map(|(key, bound)| Some((key.to_owned(), bound?.into())));
    schema.extend(bounds);
}

fn choice(options: &[Choice], also: Option<&Also>) -> Map<String, Value> {
    let plain: Vec<&Value> = options.iter().map(|option| &option.value).collect();
    let is_labelled = options.iter().any(|option| option.label.is_some());
    let mut ways: Vec<Value> = if is_labelled {
        options.iter().map(labelled).collect()
    } else {
        vec![json!({"enum": plain})]
    };
    match also {
        None if is_labelled => {}
        None if plain.iter().all(|value| value.is_string()) => {
            return object([("type", json!("string")), ("enum", json!(plain))]);
        }
        None => return object([("enum", json!(plain))]),
        Some(also) => ways.push(beyond(options, also)),
    }
    object([("anyOf", json!(ways))])
}

fn labelled(option: &Choice) -> Value {
    let mut schema = object([("const", option.value.clone())]);
    schema.extend(
        option
            .label
            .clone()
            .map(|it| ("title".to_owned(), it.into())),
    );
    Value::Object(schema)
}

/// Sizes beyond the list. One of the list in other characters (`8x8` for `8*8`) is no size of its own.
fn beyond(options: &[Choice], also: &Also) -> Value {
    let mut schema = pixels::sizes(also);
    let respelt = options.iter().filter_map(|option| {
        let text = option.value.as_str()?;
        let (width, height) = parse_size(&text.replacen('*', "x", 1))?;
        Some(format!("{width}x{height}")).filter(|plain| plain != text)
    });
    let respelt: Vec<String> = respelt.collect();
    if !respelt.is_empty() && schema.is_object() {
        schema["not"] = json!({"enum": respelt});
    }
    schema
}

fn whole(range: &Range) -> Map<String, Value> {
    let bound =
        |bound: Option<Decimal>, widest: i64| bound.map_or_else(|| json!(widest), Decimal::to_json);
    let mut schema = object([
        ("type", json!("integer")),
        ("minimum", bound(range.minimum, i64::MIN)),
        ("maximum", bound(range.maximum, i64::MAX)),
    ]);
    put_steps(&mut schema, range);
    schema
}

fn number(range: &Range) -> Map<String, Value> {
    let mut schema = object([("type", json!("number"))]);
    for (key, bound) in [("minimum", range.minimum), ("maximum", range.maximum)] {
        schema.extend(bound.map(|bound| (key.to_owned(), bound.to_json())));
    }
    put_steps(&mut schema, range);
    schema
}

/// Steps that are whole and start at a multiple of themselves are `multipleOf`; others are listed. (The self-check sees
/// to it that they can be.)
fn put_steps(schema: &mut Map<String, Value>, range: &Range) {
    let Some(step) = range.step.filter(|step| *step > Decimal::ZERO) else {
        return;
    };
    let from_zero = range
        .minimum
        .is_none_or(|it| it.is_reached(Decimal::ZERO, step));
    if from_zero && !step.has_places() {
        if step != Decimal::from(1) || schema["type"] != "integer" {
            schema.insert("multipleOf".to_owned(), step.to_json());
        }
    } else if let Some(values) = listed(range) {
        schema.insert(
            "enum".to_owned(),
            values.into_iter().map(Decimal::to_json).collect(),
        );
    } else {
        schema.insert("multipleOf".to_owned(), step.to_json());
    }
}

/// Every value of a stepped range, if they are few.
pub(in crate::catalogue) fn listed(range: &Range) -> Option<Vec<Decimal>> {
    let values = range.minimum?.steps_to(range.maximum?, range.step?);
    let few: Vec<Decimal> = values.take(MOST_LISTED + 1).collect();
    (few.len() <= MOST_LISTED).then_some(few)
}

/// Pictures in a list, or one alone. An empty list says nothing, so it is always right.
fn images(items: Span) -> Map<String, Value> {
    let mut schema = list(items, json!({"$ref": "#/$defs/image"}));
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf")
        && items.min.is_some_and(|min| min > 0)
    {
        ways.push(json!({"type": "array", "maxItems": 0}));
    }
    schema
}

/// A list, or a single item that stands for a list of one.
fn list(items: Span, item: Value) -> Map<String, Value> {
    let mut array = object([("type", json!("array")), ("items", item.clone())]);
    put_bounds(&mut array, "minItems", "maxItems", items);
    let may_be_one = items.min.is_none_or(|min| min <= 1) && items.max.is_none_or(|max| max >= 1);
    let single = may_be_one.then_some(item);
    let ways: Vec<Value> = single.into_iter().chain([array.into()]).collect();
    object([("anyOf", json!(ways))])
}
