//! Whether a model's file is sound in itself: what it offers it also accepts, and what it sells has a price.

mod prices;

use crate::catalogue::checked::Rules;
use crate::catalogue::decimal::Decimal;
use crate::catalogue::form::example_of;
use crate::catalogue::json_schema::listed;
use crate::catalogue::model::{
    Choice, Condition, Kind, Model, Parameter, PriceRow, Range, Span, Status, Target, When,
    is_plain,
};
use crate::catalogue::schema::check;
use crate::catalogue::size::parse_size;
use crate::catalogue::value::read;
use crate::types::{Draft, Money, Operation};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most images that one call may ask for.
const MOST_IMAGES: u64 = 100;

/// The part of a model's file that a finding is about, by its number among its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The file as a whole.
    Model,
    /// A `[[parameter]]`.
    Parameter(usize),
    /// A `[[forbid]]`.
    Forbid(usize),
    /// A price row.
    Price(usize),
    /// A `[[target]]`.
    Target(usize),
}

/// One thing that is not sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub part: Part,
    /// What.
    pub reason: String,
}

/// Everything in a model that is not sound.
pub fn findings(model: &Model) -> Vec<Finding> {
    let mut found = Findings::default();
    identity(model, &mut found);
    names(model, &mut found);
    edits(model, &mut found);
    for (index, parameter) in model.parameters.iter().enumerate() {
        let part = Part::Parameter(index);
        bounds(parameter, part, &mut found);
        own_values(parameter, part, &mut found);
        conditions(model, parameter.only_with.as_ref(), part, &mut found);
        if parameter.hint && parameter.only_with.is_none() && parameter.operations.is_empty() {
            found.push(
                part,
                "`hint` needs `only_with` or `operations`, which say when it may go",
            );
        }
        if parameter.clamp && !has_maximum(&parameter.kind) {
            found.push(part, "`clamp` needs `maximum`, which it goes back to");
        }
    }
    sizes(model, &mut found);
    for (index, forbid) in model.forbids.iter().enumerate() {
        conditions(model, Some(&forbid.when), Part::Forbid(index), &mut found);
    }
    for (index, row) in model.prices.iter().enumerate() {
        price_row(model, row, Part::Price(index), &mut found);
    }
    targets(model, &mut found);
    if found.0.is_empty() {
        // These speak in terms of a model whose parts are sound.
        prices::every_combination_has_one(model, &mut found);
        prices::tokens_are_bounded(model, &mut found);
        examples(model, &mut found);
    }
    found.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn push(&mut self, part: Part, reason: impl Into<String>) {
        let reason = reason.into();
        self.0.push(Finding { part, reason });
    }
}

fn identity(model: &Model, found: &mut Findings) {
    let texts = [
        ("id", &model.id),
        ("name", &model.name),
        ("description", &model.description),
        ("owner", &model.owner),
    ];
    for (key, _) in texts.iter().filter(|(_, text)| text.trim().is_empty()) {
        found.push(Part::Model, format!("`{key}` is empty"));
    }
    for id in model.aliases.iter().chain([&model.id]) {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:".contains(&b);
        if !id.bytes().all(is_plain) {
            let reason =
                format!("the id {id:?} has other characters than letters, digits and -_./:");
            found.push(Part::Model, reason);
        }
    }
    if model.operations.is_empty() {
        found.push(Part::Model, "`operations` is empty");
    }
    if model.ends.is_some() && model.status == Status::Active {
        found.push(
            Part::Model,
            "a model with an end date is deprecated, not active",
        );
    }
}

/// What a body or a `when` says by these names is no parameter.
const TAKEN_NAMES: [&str; 5] = ["", "operation", "model", "input", "messages"];

/// Names go into forms, links and code; these characters mean only themselves there.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
    name.bytes().all(is_plain)
}

/// No name or alias stands for two parameters or for something else.
fn names(model: &Model, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, parameter) in model.parameters.iter().enumerate() {
        for name in parameter.aliases.iter().chain([&parameter.name]) {
            if TAKEN_NAMES.contains(&name.as_str()) {
                let reason = format!("a parameter cannot be called {name:?}");
                found.push(Part::Parameter(index), reason);
            }
            if !is_name(name) {
                let reason = format!(
                    "the name {name:?} has other characters than letters, digits and _-.[]"
                );
                found.push(Part::Parameter(index), reason);
            }
            if !seen.insert(name.as_str()) {
                let reason = format!("the name `{name}` stands for two parameters");
                found.push(Part::Parameter(index), reason);
            }
        }
    }
}

/// OpenAI's clients, and so our request examples, bring the pictures of an edit as `image`, several as `image[]`.
fn edits(model: &Model, found: &mut Findings) {
    if !model.operations.contains(&Operation::Edit) {
        return;
    }
    let parameters = model.parameters.iter().enumerate();
    let mut pictures = parameters.filter(|(_, it)| it.kind.is_image() && it.name != "mask");
    let Some((index, first)) = pictures.next() else {
        return;
    };
    let is_called = |parameter: &Parameter, name: &str| {
        parameter.name == name || parameter.aliases.iter().any(|alias| alias == name)
    };
    let wanted: &[&str] = match first.kind {
        Kind::Images(_) => &["image", "image[]"],
        _ => &["image"],
    };
    for name in wanted {
        let is_taken = model.parameters.iter().any(|it| is_called(it, name));
        if !is_taken {
            let reason = format!(
                "clients bring the pictures of an edit as `{name}`: give `{}` that alias",
                first.name
            );
            found.push(Part::Parameter(index), reason);
        }
    }
}

fn bounds(parameter: &Parameter, part: Part, found: &mut Findings) {
    match &parameter.kind {
        Kind::Integer(range) | Kind::Number(range) => number_bounds(range, part, found),
        Kind::Text(span) | Kind::Images(span) => span_bounds(span, part, found),
        Kind::Texts { items, length } => {
            span_bounds(items, part, found);
            span_bounds(length, part, found);
        }
        Kind::Choice { options, .. } => entries(options, part, found),
        Kind::Boolean | Kind::Image | Kind::Object => {}
    }
    if parameter.name == "n" && !counts_images(&parameter.kind) {
        let reason =
            format!("`n` must be an integer with minimum 1 and maximum up to {MOST_IMAGES}");
        found.push(part, reason);
    }
}

fn number_bounds(range: &Range, part: Part, found: &mut Findings) {
    let crossed = |(minimum, maximum)| minimum > maximum;
    if range.minimum.zip(range.maximum).is_some_and(crossed) {
        found.push(part, "`minimum` is above `maximum`");
    }
    if range.step.is_some_and(|step| step <= Decimal::ZERO) {
        found.push(part, "`step` must be above zero");
    } else if range.step.is_some() && range.maximum.is_none() {
        found.push(part, "`step` needs `maximum`, up to which it counts");
    } else if range.step.is_some() && !steps_can_be_told(range) {
        found.push(
            part,
            "`minimum` must be a multiple of `step` and `step` a whole number, or there must be at most 1000 values",
        );
    }
}

fn has_maximum(kind: &Kind) -> bool {
    matches!(kind, Kind::Integer(range) | Kind::Number(range) if range.maximum.is_some())
}

/// Whether a JSON Schema can say which values lie on a step.
fn steps_can_be_told(range: &Range) -> bool {
    let is_plain = |step: Decimal| {
        let from_zero = |minimum: Decimal| minimum.is_reached(Decimal::ZERO, step);
        !step.has_places() && range.minimum.is_none_or(from_zero)
    };
    range.step.is_none_or(is_plain) || listed(range).is_some()
}

fn span_bounds(span: &Span, part: Part, found: &mut Findings) {
    let crossed = |(min, max)| min > max;
    if span.min.zip(span.max).is_some_and(crossed) {
        found.push(part, "the least length or count is above the most");
    }
}

fn entries(options: &[Choice], part: Part, found: &mut Findings) {
    for (index, Choice { value, .. }) in options.iter().enumerate() {
        if !value.is_string() && !value.is_i64() {
            let reason = format!("the enum entry {value} is neither a text nor a whole number");
            found.push(part, reason);
        }
        if options[..index]
            .iter()
            .any(|earlier| earlier.value == *value)
        {
            found.push(part, format!("the enum entry {value} stands twice"));
        }
    }
}

fn counts_images(kind: &Kind) -> bool {
    let Kind::Integer(range) = kind else {
        return false;
    };
    let whole = |bound: Option<Decimal>| bound.and_then(Decimal::whole);
    whole(range.minimum) == Some(1)
        && whole(range.maximum).is_some_and(|most| most.unsigned_abs() <= MOST_IMAGES)
}

/// Default and example are values that a client could send, in canonical form.
fn own_values(parameter: &Parameter, part: Part, found: &mut Findings) {
    let own = [
        ("default", &parameter.default),
        ("example", &parameter.example),
    ];
    for (key, value) in own {
        let Some(value) = value else { continue };
        match read(parameter, key, value) {
            Err(fault) => found.push(part, format!("`{}`: {}", parameter.name, fault.message)),
            Ok(reading) if reading.value != *value => found.push(
                part,
                format!(
                    "`{}`: `{key}` must be written {}",
                    parameter.name, reading.value
                ),
            ),
            Ok(_) => {}
        }
    }
    if parameter.required && parameter.default.is_some() {
        let reason = format!("`{}` is required and has a default", parameter.name);
        found.push(part, reason);
    }
    if parameter.required && parameter.example.is_none() {
        let reason = format!("`{}` is required and has no example", parameter.name);
        found.push(part, reason);
    }
}

/// Every condition names a parameter of the form and values that it takes.
fn conditions(model: &Model, when: Option<&When>, part: Part, found: &mut Findings) {
    let Some(when) = when else { return };
    if when
        .operation
        .is_some_and(|operation| !model.supports(operation))
    {
        found.push(
            part,
            "`when` names an operation that the model does not have",
        );
    }
    for (name, condition) in &when.parameters {
        if name == "n" {
            found.push(part, "`n` is no condition: every image is priced by itself");
            continue;
        }
        let Some(parameter) = model.parameters.iter().find(|it| it.name == *name) else {
            found.push(part, format!("`{name}` is no parameter of this model"));
            continue;
        };
        match condition {
            Condition::OneOf(_) if parameter.kind.is_image() || parameter.kind == Kind::Object => {
                found.push(
                    part,
                    format!("`{name}` has no values that a condition could name"),
                );
            }
            Condition::OneOf(values) => {
                for value in values {
                    if read(parameter, name, value).map(|it| it.value).as_ref() != Ok(value) {
                        found.push(part, format!("`{name}` does not take {value}"));
                    }
                }
            }
            Condition::MaxPixels(_) if !takes_sizes(&parameter.kind) => {
                found.push(part, format!("`max_pixels` means nothing to `{name}`"));
            }
            Condition::MaxPixels(_) => {}
        }
    }
}

fn takes_sizes(kind: &Kind) -> bool {
    matches!(kind, Kind::Choice { .. })
}

/// A row of the table of sizes says with values of the form what the form cannot say itself.
fn sizes(model: &Model, found: &mut Findings) {
    let mut seen: Vec<&BTreeMap<String, Value>> = Vec::new();
    for (size, row) in &model.sizes {
        if row.is_empty() || seen.contains(&row) {
            found.push(
                Part::Model,
                format!("{size:?} stands for nothing, or for the same as another size"),
            );
        }
        seen.push(row);
        if parse_size(size).is_none() {
            found.push(Part::Model, format!("{size:?} is no WIDTHxHEIGHT"));
        }
        let own = model.parameter("size");
        if own.is_some_and(|own| read(own, "size", &size.as_str().into()).is_ok()) {
            found.push(Part::Model, format!("`size` takes {size:?} as it is"));
        }
        for (name, value) in row {
            let parameter = model.parameters.iter().find(|it| it.name == *name);
            let taken = parameter.and_then(|it| read(it, name, value).ok());
            if taken.map(|it| it.value).as_ref() != Some(value) {
                let reason = format!("{size:?}: no parameter `{name}` takes {value}");
                found.push(Part::Model, reason);
            }
        }
    }
}

fn price_row(model: &Model, row: &PriceRow, part: Part, found: &mut Findings) {
    conditions(model, Some(&row.when), part, found);
    if row.amount < Money::ZERO {
        found.push(part, "a price is not below zero");
    }
    if row.source.trim().is_empty() {
        found.push(part, "a price names its source");
    }
}

fn targets(model: &Model, found: &mut Findings) {
    for (index, target) in model.targets.iter().enumerate() {
        let part = Part::Target(index);
        if target.max_images == 0 {
            found.push(part, "`max_images` must be at least 1");
        }
        if target
            .operations
            .iter()
            .any(|operation| !model.supports(*operation))
        {
            found.push(
                part,
                "a target serves an operation that the model does not have",
            );
        }
        target_fields(model, target, part, found);
        for row in &target.costs {
            price_row(model, row, part, found);
        }
    }
    let unserved = |operation: &&Operation| model.targets_for(**operation).is_empty();
    if model.targets.is_empty() {
        return;
    }
    for operation in model.operations.iter().filter(unserved) {
        let reason = format!("no target serves the operation {}", operation.name());
        found.push(Part::Model, reason);
    }
}

/// Each field is a parameter that can be sent as one, and no two of them have one name.
fn target_fields(model: &Model, target: &Target, part: Part, found: &mut Findings) {
    let mut names = BTreeSet::new();
    for (ours, theirs) in target.fields.iter().flatten() {
        match model.parameters.iter().find(|it| it.name == *ours) {
            None => found.push(
                part,
                format!("`fields`: `{ours}` is no parameter of this model"),
            ),
            Some(parameter) if !is_plain(parameter) => {
                let reason =
                    format!("`fields`: `{ours}` is no field; the provider sends it by itself");
                found.push(part, reason);
            }
            Some(_) => {}
        }
        if theirs.is_empty() || !names.insert(theirs) {
            found.push(
                part,
                format!("`fields`: the name {theirs:?} is empty or stands twice"),
            );
        }
    }
}

/// The request example of every operation passes the check without any adaptation.
fn examples(model: &Model, found: &mut Findings) {
    let strict = Rules {
        reject_adaptation: true,
        ..Rules::default()
    };
    for operation in &model.operations {
        let mut draft = Draft::default();
        if let Value::Object(body) = example_of(model, *operation) {
            for (name, value) in body {
                draft.push(&name, value);
            }
        }
        let rules = Rules {
            operation: Some(*operation),
            ..strict
        };
        for fault in check(model, draft, &rules).err().unwrap_or_default() {
            let reason = format!("the {} example: {}", operation.name(), fault.message);
            found.push(Part::Model, reason);
        }
    }
}
