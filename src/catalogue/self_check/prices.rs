//! Whether everything that a model sells has a price.

use super::{Findings, Part};
use crate::catalogue::model::{Also, Kind, Model, Parameter, PriceRow, Unit};
use crate::catalogue::price::{MAX_TOKENS, most_of_form};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most combinations of priced values that are tried.
const MOST_COMBINATIONS: usize = 20_000;

/// The sorts of tokens.
const TOKENS: [Unit; 3] = [
    Unit::MillionInputTextTokens,
    Unit::MillionInputImageTokens,
    Unit::MillionOutputTokens,
];

/// A model that sells images has a price for every combination of the values that its prices look at, the
/// extremes of an `also` rule included; one that sells tokens has such a price for every sort of them. A model
/// without prices is one whose price the operator sets.
pub(super) fn every_combination_has_one(model: &Model, found: &mut Findings) {
    let sells = |unit: &Unit| model.prices.iter().any(|row| row.unit == *unit);
    let other = model
        .prices
        .windows(2)
        .position(|pair| (pair[0].unit == Unit::Image) != (pair[1].unit == Unit::Image));
    if let Some(before) = other {
        let reason = "a model is priced by images or by tokens, not by both";
        found.push(Part::Price(before + 1), reason);
    } else if sells(&Unit::Image) {
        priced_everywhere(model, Unit::Image, found);
    } else if TOKENS.iter().any(sells) {
        for unit in TOKENS {
            priced_everywhere(model, unit, found);
        }
    }
}

/// What tokens will cost can be told before they are counted: the form bounds the output, the file says what an input
/// image counts.
pub(super) fn tokens_are_bounded(model: &Model, found: &mut Findings) {
    if !model.prices.iter().any(|row| TOKENS.contains(&row.unit)) {
        return;
    }
    if most_of_form(model).is_none() {
        let reason = format!(
            "a price by tokens needs the parameter `{MAX_TOKENS}`, an integer with a maximum"
        );
        found.push(Part::Model, reason);
    }
    let takes_images = model.parameters.iter().any(|it| it.kind.is_image());
    if takes_images && model.image_tokens.is_none() {
        found.push(
            Part::Model,
            "a price by tokens needs `image_tokens`: how many the estimate counts for an input image",
        );
    }
}

fn priced_everywhere(model: &Model, unit: Unit, found: &mut Findings) {
    let rows: Vec<&PriceRow> = model.prices.iter().filter(|it| it.unit == unit).collect();
    let priced: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.when.parameters.keys().map(String::as_str))
        .collect();
    for operation in &model.operations {
        let is_told_apart =
            |it: &&Parameter| priced.contains(&*it.name) && it.applies_to(*operation);
        let parameters: Vec<&Parameter> = model.parameters.iter().filter(is_told_apart).collect();
        let Some(combinations) = combinations(&parameters) else {
            let reason = format!(
                "the prices tell more than {MOST_COMBINATIONS} combinations of values apart, which is more than can be checked"
            );
            return found.push(Part::Model, reason);
        };
        let unpriced = combinations
            .iter()
            .find(|values| !rows.iter().any(|row| row.when.holds(*operation, values)));
        if let Some(values) = unpriced {
            let others = parameters
                .iter()
                .filter(|it| is_endless(&it.kind) && !values.contains_key(&it.name))
                .map(|it| format!(" and any other `{}`", it.name));
            let others: String = others.collect();
            let values = Value::Object(values.clone().into_iter().collect());
            let of = match unit {
                Unit::Image => "",
                Unit::MillionInputTextTokens => " of input text",
                Unit::MillionInputImageTokens => " of input images",
                Unit::MillionOutputTokens => " of output",
            };
            let reason = format!(
                "no price{of} matches the operation {} with {values}{others}",
                operation.name()
            );
            found.push(Part::Model, reason);
        }
    }
}

/// Every combination of the values that these parameters can have; `None` if they are too many.
fn combinations(parameters: &[&Parameter]) -> Option<Vec<BTreeMap<String, Value>>> {
    let start = vec![BTreeMap::new()];
    parameters
        .iter()
        .try_fold(start, |combinations, parameter| {
            let most = combinations.len() * (sample(parameter).len() + 1);
            (most <= MOST_COMBINATIONS).then(|| with_every(combinations, parameter))
        })
}

/// Each combination with each value that this parameter can have.
fn with_every(
    combinations: Vec<BTreeMap<String, Value>>,
    parameter: &Parameter,
) -> Vec<BTreeMap<String, Value>> {
    let values = sample(parameter);
    let can_be_absent = !parameter.required && parameter.default.is_none();
    // A value that no row names is, to the rows, like none.
    let mut all = if can_be_absent || is_endless(&parameter.kind) {
        combinations.clone()
    } else {
        Vec::new()
    };
    for combination in &combinations {
        for value in &values {
            let mut more = combination.clone();
            more.insert(parameter.name.clone(), value.clone());
            all.push(more);
        }
    }
    all
}

/// Whether it has more values than anybody could list.
fn is_endless(kind: &Kind) -> bool {
    !matches!(kind, Kind::Choice { .. } | Kind::Boolean)
}

/// The values that a parameter can have, as far as prices tell them apart.
fn sample(parameter: &Parameter) -> Vec<Value> {
    match &parameter.kind {
        Kind::Choice { options, also } => {
            let listed = options.iter().map(|option| option.value.clone());
            let extremes = also.iter().flat_map(
                |Also::Pixels {
                     min_pixels,
                     max_pixels,
                     ..
                 }| {
                    [min_pixels, max_pixels].map(|pixels| format!("{pixels}x1").into())
                },
            );
            listed.chain(extremes).collect()
        }
        Kind::Boolean => vec![true.into(), false.into()],
        // Of an endless kind the values that the form itself names are tried, and a value that no price names.
        _ => parameter
            .default
            .iter()
            .chain(&parameter.example)
            .cloned()
            .collect(),
    }
}
