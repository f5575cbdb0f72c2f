//! A model as its file describes it: identity, parameters in form order, rules, prices, targets.
//!
//! Plain data. What a value means to a parameter stands in `value.rs`, the check of a call in `schema.rs`.

use crate::catalogue::decimal::Decimal;
use crate::catalogue::size::{parse_size, pixels};
use crate::types::{Modality, Money, Operation};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// One model of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The id that clients send.
    pub id: String,
    /// The name that people read.
    pub name: String,
    /// Other ids that mean this model.
    pub aliases: Vec<String>,
    /// What it is good at, in our own words.
    pub description: String,
    /// Whose model it is (`openai`); webhooks name a model `<owner>/<id>`.
    pub owner: String,
    /// What it makes.
    pub modality: Modality,
    /// What it can be asked to do, the usual one first.
    pub operations: Vec<Operation>,
    /// Whether it is alive.
    pub status: Status,
    /// The id of the model that takes its place.
    pub replacement: Option<String>,
    /// The day it ends.
    pub ends: Option<Date>,
    /// Its inputs, in the order of the form.
    pub parameters: Vec<Parameter>,
    /// By `WIDTHxHEIGHT`: the values of its own parameters that mean exactly this size, for a model that has no
    /// sizes of that form.
    pub sizes: BTreeMap<String, BTreeMap<String, Value>>,
    /// Combinations of values that it refuses.
    pub forbids: Vec<Forbid>,
    /// How many tokens the estimate of a price by tokens counts for each input image.
    pub image_tokens: Option<u32>,
    /// What the account pays; the first row that matches wins.
    pub prices: Vec<PriceRow>,
    /// Upstreams that serve it.
    pub targets: Vec<Target>,
}

impl Model {
    /// The parameter whose own name or alias this is.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| parameter.is_called(name))
    }

    /// Whether it can be asked to do this.
    pub fn supports(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// Width and height that these values stand for, if the form or the table of sizes says exactly.
    pub fn pixels_of(&self, values: &BTreeMap<String, Value>) -> Option<(u32, u32)> {
        let written = |text: &str| parse_size(&text.replacen('*', "x", 1));
        let says = |row: &BTreeMap<String, Value>| {
            row.iter()
                .all(|(name, value)| values.get(name) == Some(value))
        };
        let own = values.get("size").and_then(Value::as_str).and_then(written);
        own.or_else(|| {
            let row = self.sizes.iter().find(|(_, row)| says(row));
            row.and_then(|(size, _)| parse_size(size))
        })
    }

    /// The targets for an operation, the lowest priority number first.
    pub fn targets_for(&self, operation: Operation) -> Vec<&Target> {
        let mut targets: Vec<&Target> = self
            .targets
            .iter()
            .filter(|target| serves(&target.operations, operation))
            .collect();
        targets.sort_by_key(|target| target.priority);
        targets
    }
}

/// Whether a model is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In service.
    #[default]
    Active,
    /// In service, and may change without notice.
    Preview,
    /// In service until its end date.
    Deprecated,
    /// Gone: calls are answered 404 with the replacement.
    Retired,
}

/// One input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its canonical name.
    pub name: String,
    /// Other names under which clients send it.
    pub aliases: Vec<String>,
    /// What it takes.
    pub kind: Kind,
    /// Whether a call without it is refused.
    pub required: bool,
    /// What applies when the client says nothing.
    pub default: Option<Value>,
    /// A value for request examples.
    pub example: Option<Value>,
    /// What an empty field of the form shows.
    pub placeholder: Option<String>,
    /// What it does, in our own words.
    pub description: String,
    /// The part of the form it stands in.
    pub group: Option<String>,
    /// The operations that know it; empty for all of them.
    pub operations: Vec<Operation>,
    /// Whether a number above the maximum means the maximum ("as much as you can") and is reported, not refused.
    pub clamp: bool,
    /// Whether a call may lose it without changing what it asks for, where [`Parameter::only_with`] fails.
    pub hint: bool,
    /// The values of other parameters without which it has no meaning.
    pub only_with: Option<When>,
}

impl Parameter {
    /// Whether this is its name or one of its aliases.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Whether it exists in this operation.
    pub fn applies_to(&self, operation: Operation) -> bool {
        serves(&self.operations, operation)
    }

    /// Whether a call that brings it is an edit: it is a picture that only edits take.
    pub fn makes_an_edit(&self) -> bool {
        self.kind.is_image() && !self.applies_to(Operation::Generate)
    }

    /// Whether this operation is refused without it. There is no edit without an image, also where the form leaves it
    /// open because not every call is an edit.
    pub fn is_required_for(&self, operation: Operation) -> bool {
        let is_what_is_edited = self.makes_an_edit() && self.name != "mask";
        self.required || (operation == Operation::Edit && is_what_is_edited)
    }
}

/// Whether a parameter's value goes to a target as a plain field. Pictures and the number of images do not: each call
/// has its own.
pub(super) fn is_plain(parameter: &Parameter) -> bool {
    parameter.name != "n" && !parameter.kind.is_image()
}

/// An empty list of operations stands for all of them.
fn serves(operations: &[Operation], operation: Operation) -> bool {
    operations.is_empty() || operations.contains(&operation)
}

/// What a parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A text (`string`).
    Text(Span),
    /// One of a list (`enum`).
    Choice {
        /// The list, in the order of the form.
        options: Vec<Choice>,
        /// Values beyond the list.
        also: Option<Also>,
    },
    /// A whole number (`integer`).
    Integer(Range),
    /// A number (`number`).
    Number(Range),
    /// Yes or no (`boolean`).
    Boolean,
    /// One picture (`image`).
    Image,
    /// Several pictures (`images`).
    Images(Span),
    /// Several texts (`strings`).
    Texts {
        /// How many.
        items: Span,
        /// How long each.
        length: Span,
    },
    /// A JSON object that goes to the model as it is (`object`).
    Object,
}

impl Kind {
    /// The word in a model's file, which is also the `kind` of the form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Choice { .. } => "enum",
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Boolean => "boolean",
            Self::Image => "image",
            Self::Images(_) => "images",
            Self::Texts { .. } => "strings",
            Self::Object => "object",
        }
    }

    /// Whether its value is one picture or several.
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Image | Self::Images(_))
    }
}

/// Bounds of a length (in characters) or of a number of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The least, if any.
    pub min: Option<usize>,
    /// The most, if any.
    pub max: Option<usize>,
}

/// Bounds of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The least, if any.
    pub minimum: Option<Decimal>,
    /// The most, if any.
    pub maximum: Option<Decimal>,
    /// Values lie whole steps above the minimum (or zero).
    pub step: Option<Decimal>,
}

/// One entry of an enum: a text or a whole number, and the label that people read.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The value on the wire.
    pub value: Value,
    /// The label, if it differs from the value.
    pub label: Option<String>,
}

/// A rule for values beyond an enum's list. The form shows the list alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Also {
    /// Any `WIDTHxHEIGHT` within these bounds.
    Pixels {
        /// Both edges are multiples of this.
        multiple: u32,
        /// The longest edge there is.
        longest: u32,
        /// The long edge is at most this many times the short one.
        ratio: u32,
        /// The fewest pixels.
        min_pixels: u64,
        /// The most pixels.
        max_pixels: u64,
    },
}

impl Also {
    /// Whether a size obeys the rule.
    pub fn allows(&self, (width, height): (u32, u32)) -> bool {
        let Self::Pixels {
            multiple,
            longest,
            ratio,
            min_pixels,
            max_pixels,
        } = *self;
        let (long, short) = (width.max(height), width.min(height));
        width.checked_rem(multiple) == Some(0)
            && height.checked_rem(multiple) == Some(0)
            && long <= longest
            && u64::from(long) <= u64::from(short) * u64::from(ratio)
            && (min_pixels..=max_pixels).contains(&pixels((width, height)))
    }

    /// The same rule with no more pixels than this.
    pub fn up_to(&self, most: u64) -> Self {
        let Self::Pixels {
            multiple,
            longest,
            ratio,
            min_pixels,
            max_pixels,
        } = *self;
        Self::Pixels {
            multiple,
            longest,
            ratio,
            min_pixels,
            max_pixels: max_pixels.min(most),
        }
    }
}

/// For messages: "any WIDTHxHEIGHT in multiples of 16 …".
impl fmt::Display for Also {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Pixels {
            multiple,
            longest,
            ratio,
            min_pixels,
            max_pixels,
        } = self;
        write!(
            f,
            "any WIDTHxHEIGHT in multiples of {multiple} with edges up to {longest}, \
             a ratio up to {ratio}:1 and {min_pixels} to {max_pixels} pixels"
        )
    }
}

/// Conditions on a call; all of them must hold. The empty one always does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// The operation, if it matters.
    pub operation: Option<Operation>,
    /// Conditions by parameter.
    pub parameters: BTreeMap<String, Condition>,
}

impl When {
    /// Whether every condition holds for these values.
    pub fn holds(&self, operation: Operation, values: &BTreeMap<String, Value>) -> bool {
        self.operation.is_none_or(|wanted| wanted == operation)
            && self.parameters.iter().all(|(name, condition)| {
                values.get(name).is_some_and(|value| condition.holds(value))
            })
    }
}

/// For messages: "`output_format` jpeg or webp".
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = self
            .operation
            .map(|it| format!("the operation {}", it.name()));
        let conditions = self
            .parameters
            .iter()
            .map(|(name, condition)| match condition {
                Condition::OneOf(values) => {
                    let values: Vec<String> = values.iter().map(plain_text).collect();
                    format!("`{name}` {}", values.join(" or "))
                }
                Condition::MaxPixels(most) => format!("`{name}` up to {most} pixels"),
            });
        let words: Vec<String> = operation.into_iter().chain(conditions).collect();
        f.write_str(&words.join(" and "))
    }
}

/// A value without the quotes that JSON puts around texts.
pub(super) fn plain_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A condition on one parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a `WIDTHxHEIGHT` of at most so many pixels.
    MaxPixels(u64),
}

impl Condition {
    /// Whether a value fulfils it.
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Self::OneOf(values) => values.contains(value),
            Self::MaxPixels(most) => value
                .as_str()
                .and_then(parse_size)
                .is_some_and(|size| pixels(size) <= *most),
        }
    }
}

/// A combination of values that the model refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Forbid {
    /// The combination.
    pub when: When,
    /// What would be right, for a person.
    pub message: String,
}

/// What a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One delivered image.
    Image,
    /// A million text tokens that went in.
    MillionInputTextTokens,
    /// A million image tokens that went in.
    MillionInputImageTokens,
    /// A million tokens that came out.
    MillionOutputTokens,
}

/// One known price. Prices are facts: each says where and when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRow {
    /// What it is for.
    pub unit: Unit,
    /// The calls it is for.
    pub when: When,
    /// The price.
    pub amount: Money,
    /// Where it was read.
    pub source: String,
    /// When it was read.
    pub date: Date,
}

/// One upstream that serves a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The provider instance.
    pub provider: String,
    /// What that provider calls the model.
    pub model: String,
    /// Lower is asked first.
    pub priority: u32,
    /// The operations it serves; empty for all of the model's.
    pub operations: Vec<Operation>,
    /// How many images one call makes at most.
    pub max_images: u32,
    /// What we pay; the first row that matches wins.
    pub costs: Vec<PriceRow>,
    /// What it is sent and what it calls that, by parameter. `None`: every parameter, under our name.
    pub fields: Option<BTreeMap<String, String>>,
}

impl Target {
    /// What this upstream calls a parameter; `None` if it is not sent there.
    pub fn field<'a>(&'a self, parameter: &'a str) -> Option<&'a str> {
        match &self.fields {
            None => Some(parameter),
            Some(fields) => fields.get(parameter).map(String::as_str),
        }
    }
}
