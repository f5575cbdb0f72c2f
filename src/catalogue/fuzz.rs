//! Model files and numbers.

use super::file::ModelFile;
use super::{
    Catalogue, Decimal, Model, Problems, check, embedded_files, example, form, json_schema, parse,
    pricing, read,
};
use super::{Checked, Rules, parse_size, quote};
use crate::error::Fault;
use crate::types::{Draft, Money, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static BUILT_IN: LazyLock<BTreeMap<String, ModelFile>> =
    LazyLock::new(|| parse(embedded_files(), &mut Vec::new()));

/// A text as an operator's model file: it is refused at a place that it has, or gives a model that can be shown.
pub(crate) fn model_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut problems = Vec::new();
    let own = parse(
        vec![("own.toml".to_owned(), text.to_owned())],
        &mut problems,
    );
    let models: Vec<_> = own
        .values()
        .filter_map(|file| read(file, &[&BUILT_IN, &own], &mut problems))
        .collect();
    match Catalogue::of(models, problems) {
        Err(Problems(problems)) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(!problem.reason.is_empty());
                let own = &*problem.place.file == "own.toml";
                assert!(
                    !own || stands_in(text, problem.place.line, problem.place.column),
                    "{problem}"
                );
            }
        }
        Ok(catalogue) => {
            for model in catalogue.models() {
                assert!(form(model).is_array() && example(model).is_object());
                let _ = pricing(model);
                assert!(json_schema(model).is_object());
                let example = draft_of_body(example(model));
                check_call(model, &example);
            }
        }
    }
}

/// Whether a text has this place, the end of its lines included.
fn stands_in(text: &str, line: usize, column: usize) -> bool {
    let Some(at) = line.checked_sub(1) else {
        return false;
    };
    let line = text.split('\n').nth(at);
    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&column))
}

fn draft_of_body(body: Value) -> Draft {
    let mut draft = Draft::default();
    if let Value::Object(body) = body {
        body.into_iter()
            .for_each(|(name, value)| draft.push(&name, value));
    }
    draft
}

/// Checks a call, adapting and rejecting. What passes can be priced and passes again unchanged; what passes strictly
/// passes leniently and means the same. The faults are those of the lenient check.
pub(crate) fn check_call(model: &Model, draft: &Draft) -> Option<Vec<Fault>> {
    let lenient = check(model, draft.clone(), &Rules::default());
    if let Ok(strict) = check(model, draft.clone(), &reject()) {
        assert!(strict.adapted.is_empty(), "{:?}", strict.adapted);
        let lenient = lenient.as_ref().expect("what passes strictly passes");
        assert_eq!(lenient.request, strict.request);
    }
    match lenient {
        Err(faults) => {
            assert!(!faults.is_empty());
            Some(faults)
        }
        Ok(checked) => {
            passes_again(model, &checked);
            let _ = quote(model, &checked.request, 500);
            None
        }
    }
}

fn passes_again(model: &Model, checked: &Checked) {
    let again = check(model, draft_of(model, &checked.request), &reject())
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    assert!(again.adapted.is_empty());
    assert_eq!(again.request, checked.request);
}

pub(super) fn reject() -> Rules {
    Rules {
        reject_adaptation: true,
        ..Rules::default()
    }
}

/// The draft that says exactly what a request says.
pub(super) fn draft_of(model: &Model, request: &Request) -> Draft {
    let mut draft = Draft::default();
    for (name, value) in request.parameters() {
        draft.push(name, value.clone());
    }
    draft.push("n", json!(request.n()));
    let envelope = request.envelope();
    if model.parameter("response_format").is_none() {
        draft.push("response_format", json!(envelope.response_format));
    }
    draft.push("safety_identifier", json!(envelope.safety_identifier));
    draft.push("metadata", json!(envelope.metadata));
    draft.push("max_cost", json!(envelope.max_cost));
    draft
}

/// Sizes, decimals and money: what is read is what stands there, digit by digit, and is written back the same.
pub(crate) fn numbers(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some((width, height)) = parse_size(text) {
        assert!(width > 0 && height > 0);
        assert_eq!(format!("{width}x{height}"), text);
    }
    if let Some(decimal) = Decimal::parse(text) {
        assert_eq!(Some(digits(&decimal.to_string())), Some(digits(text)));
        assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
    }
    if let Ok(money) = text.parse::<Money>() {
        assert_eq!(digits(&money.to_string()), digits(text));
        assert_eq!(money.to_string().parse(), Ok(money));
    }
    if let Ok(number) = serde_json::from_str::<serde_json::Number>(text)
        && let Some(decimal) = Decimal::of(&number)
    {
        assert_eq!(
            decimal
                .whole()
                .is_some_and(|it| number.as_i64() == Some(it)),
            number.as_i64().is_some()
        );
    }
}

/// A number without the zeros that say nothing: sign, whole digits, decimal places.
fn digits(text: &str) -> (bool, &str, &str) {
    let (negative, size) = match text.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, text),
    };
    let (whole, places) = size.split_once('.').unwrap_or((size, ""));
    let (whole, places) = (whole.trim_start_matches('0'), places.trim_end_matches('0'));
    let is_zero = whole.is_empty() && places.is_empty();
    (negative && !is_zero, whole, places)
}
