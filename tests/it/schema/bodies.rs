//! Bodies near the edge of what a model takes.

use pinhole::catalogue::{Condition, Kind, Model, Parameter, Range, example_of};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// A request example of the model with a few fields set, each mostly to what is nearly right.
pub fn any_body(model: &Model) -> BoxedStrategy<Map<String, Value>> {
    let examples: Vec<Value> = model
        .operations
        .iter()
        .map(|it| example_of(model, *it))
        .collect();
    let changes = prop::collection::vec(any_change(model), 0..5);
    let change = move |(example, changes): (Value, Vec<Change>)| {
        let Value::Object(mut body) = example else {
            unreachable!("an example is an object")
        };
        for change in changes {
            match change {
                Change::Leave(name) => body.remove(&name),
                Change::Say(name, value) => body.insert(name, value),
            };
        }
        body
    };
    (select(examples), changes).prop_map(change).boxed()
}

#[derive(Clone, Debug)]
enum Change {
    Leave(String),
    Say(String, Value),
}

fn any_change(model: &Model) -> BoxedStrategy<Change> {
    let mut fields: Vec<(String, Vec<Value>)> = Vec::new();
    for parameter in &model.parameters {
        let values = [
            values_of(&parameter.kind),
            named_in_conditions(model, parameter),
        ]
        .concat();
        for name in parameter.aliases.iter().chain([&parameter.name]) {
            fields.push((name.clone(), values.clone()));
        }
    }
    for (name, values) in envelope() {
        fields.push((name.to_owned(), values));
    }
    let ids = model.aliases.iter().chain([&model.id]).map(|id| json!(id));
    fields.push(("model".to_owned(), ids.chain([json!("another")]).collect()));
    for name in ["nonsense", "input", "messages", "style", "system_prompt"] {
        fields.push((name.to_owned(), vec![json!(null)]));
    }
    fields.push(("nonsense".to_owned(), vec![json!(1)]));
    fields.push(("style".to_owned(), vec![json!("vivid")]));
    let say = select(fields.clone()).prop_flat_map(|(name, values)| {
        let value = prop_oneof![6 => select(values), 1 => anything()];
        let is_shape = name == "input" || name == "messages";
        (Just(name), value).prop_map(move |(name, value)| match is_shape {
            // Said, these make another shape of body, which the schema of the flat one does not describe.
            true => Change::Say(name, Value::Null),
            false => Change::Say(name, value),
        })
    });
    let names: Vec<String> = fields.into_iter().map(|(name, _)| name).collect();
    prop_oneof![6 => say, 1 => select(names).prop_map(Change::Leave)].boxed()
}

/// Any JSON of little size.
fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3_i64..12).prop_map(Value::from),
        (-30_i64..30).prop_map(|tenths| json!(tenths as f64 / 10.0)),
        (0_i64..3_000_000).prop_map(|micros| json!(micros as f64 / 1e6)),
        any::<String>().prop_map(Value::from),
        "[ \t\u{85}\u{a0}\u{feff}\u{3000}a]{0,3}".prop_map(Value::from),
        any_size().prop_map(Value::from),
    ];
    let keys = vec!["url", "image_url", "file_id", "include_usage", "x"];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let entry = (select(keys.clone()), inner.clone());
        let entries = prop::collection::vec(entry, 0..4).prop_map(|entries| {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value));
            Value::Object(entries.collect())
        });
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            entries
        ]
    })
    .boxed()
}

/// A size, most of them multiples of 16.
pub fn any_size() -> BoxedStrategy<String> {
    let sixteens = || prop_oneof![(1_u32..260).prop_map(|edge| edge * 16), 1_u32..9_000];
    (sixteens(), sixteens())
        .prop_map(|(width, height)| format!("{width}x{height}"))
        .boxed()
}

/// Values at and beyond the bounds of a kind, and of other kinds.
fn values_of(kind: &Kind) -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!("true"),
        json!(1),
        json!("1"),
        json!([]),
        json!({}),
        json!(""),
    ];
    values.extend(match kind {
        Kind::Text(length) => texts(length.min, length.max),
        Kind::Choice { options, also } => {
            let mut values: Vec<Value> = options.iter().map(|it| it.value.clone()).collect();
            values.extend(
                values
                    .clone()
                    .iter()
                    .map(|it| json!(it.to_string().trim_matches('"').replacen('*', "x", 1))),
            );
            values.extend(
                options
                    .iter()
                    .filter_map(|it| it.value.as_i64())
                    .map(|whole| json!(whole as f64)),
            );
            if also.is_some() {
                let sizes = [
                    "3840x2160",
                    "2160x3840",
                    "3856x2160",
                    "3840x2176",
                    "1040x1024",
                    "1024x1025",
                    "16x16",
                    "1000x1000",
                    "1008x1008",
                    "1920x640",
                    "1920x624",
                    "816x816",
                    "800x816",
                    "8192x2072",
                    "8192x2080",
                    "64x64",
                    "64x56",
                    "01024x1024",
                    "1024x",
                    "1024x1024x",
                    "1024X1024",
                    " 1024x1024",
                    "1024x1024 ",
                    "99999999999x16",
                    "8200x1032",
                    "4096x512",
                    "4096x504",
                    "12x12",
                ];
                values.extend(sizes.map(Value::from));
            }
            values
        }
        Kind::Integer(range) | Kind::Number(range) => numbers(range),
        Kind::Boolean => vec![json!(false), json!("false"), json!(0)],
        Kind::Image => pictures(1),
        Kind::Images(items) => [
            pictures(items.min.unwrap_or(1)),
            pictures(items.max.unwrap_or(2)),
        ]
        .concat(),
        Kind::Texts { items, length } => {
            let text = texts(length.min, length.max);
            let counts = [items.min.unwrap_or(1), items.max.unwrap_or(2)];
            let lists = counts
                .iter()
                .flat_map(|count| [count.saturating_sub(1), *count, count + 1]);
            let lists = lists.map(|count| json!(vec!["a"; count]));
            let of_texts = text.iter().map(|it| json!([it]));
            lists.chain(of_texts).chain(text.clone()).collect()
        }
        Kind::Object => vec![json!({"a": [1, null]}), json!([{}])],
    });
    values
}

fn texts(min: Option<usize>, max: Option<usize>) -> Vec<Value> {
    let mut lengths = vec![1];
    for bound in min.into_iter().chain(max) {
        lengths.extend([bound.saturating_sub(1), bound, bound + 1]);
    }
    let plain = lengths.iter().map(|length| json!("é".repeat(*length)));
    let blank = lengths
        .iter()
        .map(|length| json!("\u{3000}".repeat(*length)));
    plain
        .chain(blank)
        .chain([json!(" \u{85}\n"), json!("\u{feff}"), json!("😀")])
        .collect()
}

fn numbers(range: &Range) -> Vec<Value> {
    let mut values = vec![
        json!(-0.0),
        json!(1e300),
        json!(1e-7),
        json!(1.234_567_890_123_456_7e-5),
        json!(u64::MAX),
    ];
    let float =
        |decimal: pinhole::catalogue::Decimal| decimal.to_json().as_f64().expect("a number");
    let step = range.step.map_or(0.5, float);
    for bound in [range.minimum, range.maximum].into_iter().flatten() {
        values.push(bound.to_json());
        let bound = float(bound);
        for distance in [-step, -1.0, step / 2.0, step, 1.0, 2.0 * step, 3.0 * step] {
            // As a person would write it.
            let near = format!("{:.4}", bound + distance);
            values.push(serde_json::from_str(&near).expect("a number"));
            values.push(json!(bound + distance));
        }
    }
    values
}

fn pictures(count: usize) -> Vec<Value> {
    let link = "https://example.com/a.png";
    let counts = [count.saturating_sub(1), count, count + 1];
    let lists = counts.iter().map(|count| json!(vec![link; *count]));
    let odd = [
        json!(link),
        json!([link]),
        json!(" \t"),
        json!({"file_id": "file_1"}),
        json!({"image_url": link}),
        json!({"image_url": {"url": link}}),
        json!({"image_url": {"url": null}}),
        json!({"image_url": {"url": " "}, "detail": "low"}),
        json!([{"url": {"url": link}}, {"url": null, "file_id": "file_1"}]),
        json!([{"url": link, "file_id": "file_1"}]),
        json!([null]),
        json!({"file_id": {"url": link}}),
    ];
    lists.chain(odd).collect()
}

/// What the model's conditions ask of this parameter.
fn named_in_conditions(model: &Model, parameter: &Parameter) -> Vec<Value> {
    let own = model
        .parameters
        .iter()
        .filter_map(|it| it.only_with.as_ref());
    let conditions = own.chain(model.forbids.iter().map(|it| &it.when));
    let conditions = conditions.filter_map(|when| when.parameters.get(&parameter.name));
    conditions
        .flat_map(|condition| match condition {
            Condition::OneOf(values) => values.clone(),
            Condition::MaxPixels(_) => Vec::new(),
        })
        .collect()
}

fn envelope() -> Vec<(&'static str, Vec<Value>)> {
    let big = |bytes: usize| json!({"notes": "n".repeat(bytes - r#"{"notes":""}"#.len())});
    vec![
        ("prompt", vec![json!("x"), json!(null)]),
        (
            "n",
            vec![json!(1), json!(1.0), json!(2), json!("1"), json!(null)],
        ),
        (
            "stream",
            vec![json!(true), json!(false), json!("true"), json!(null)],
        ),
        (
            "stream_options",
            vec![
                json!({}),
                json!({"include_usage": true}),
                json!({"include_usage": null, "more": 1}),
                json!({"include_usage": "true"}),
                json!({"include_usage": 1}),
                json!(true),
                json!(null),
            ],
        ),
        (
            "partial_images",
            vec![
                json!(0),
                json!(-0.0),
                json!(1),
                json!("0"),
                json!(3),
                json!(4),
            ],
        ),
        (
            "response_format",
            vec![
                json!("url"),
                json!("both"),
                json!("b64_json"),
                json!("png"),
                json!(null),
            ],
        ),
        (
            "user",
            vec![
                json!("u".repeat(512)),
                json!("ü".repeat(513)),
                json!(""),
                json!(5),
            ],
        ),
        (
            "safety_identifier",
            vec![json!("u".repeat(512)), json!("u".repeat(513)), json!(null)],
        ),
        (
            "metadata",
            vec![
                json!({}),
                json!({"a": {"b": [1, 2]}}),
                big(16_384),
                big(16_385),
                json!([]),
                json!("{}"),
            ],
        ),
        (
            "callback_url",
            vec![
                json!("https://example.com/hook"),
                json!("http://x"),
                json!("HTTP://x"),
                json!("ftp://x"),
                json!(" https://x"),
                json!(format!("https://{}", "x".repeat(2_040))),
                json!(format!("https://{}", "x".repeat(2_041))),
            ],
        ),
        (
            "max_cost",
            vec![
                json!(0),
                json!("0"),
                json!(-0.0),
                json!("-0"),
                json!("0.053"),
                json!(0.053),
                json!(0.1),
                json!(0.000_001),
                json!(0.000_000_1),
                json!(0.123_456_7),
                json!(999_999_999.999_999),
                json!("999999999.999999"),
                json!("0000000999999999.5"),
                json!(1_000_000_000),
                json!("1000000000"),
                json!("0.0000001"),
                json!(".5"),
                json!("1."),
                json!("1e3"),
                json!(-0.01),
                json!(1e300),
                json!(null),
            ],
        ),
    ]
}
