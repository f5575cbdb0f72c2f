//! The `[[…]]` blocks of a model file as TOML has them, and how each becomes its typed counterpart.

use crate::catalogue::decimal::Decimal;
use crate::catalogue::file::TomlDate;
use crate::catalogue::model::{
    Also, Choice, Condition, Forbid, Kind, Parameter, PriceRow, Range, Span, Target, Unit, When,
};
use crate::types::{Money, Operation};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a block became, or why it could not.
pub(super) type Block<T> = Result<T, String>;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawParameter {
    name: String,
    #[serde(rename = "type")]
    kind: KindName,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    required: bool,
    default: Option<Value>,
    #[serde(rename = "enum")]
    options: Option<Vec<RawChoice>>,
    also: Option<Also>,
    minimum: Option<Decimal>,
    maximum: Option<Decimal>,
    step: Option<Decimal>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    min_items: Option<usize>,
    max_items: Option<usize>,
    example: Option<Value>,
    placeholder: Option<String>,
    description: String,
    group: Option<String>,
    #[serde(default)]
    operations: Vec<Operation>,
    #[serde(default)]
    clamp: bool,
    #[serde(default)]
    hint: bool,
    only_with: Option<When>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    String,
    Enum,
    Integer,
    Number,
    Boolean,
    Image,
    Images,
    Strings,
    Object,
}

/// A plain value, or a value with a label.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "an enum entry is a value or { value = …, label = … }"
)]
enum RawChoice {
    Labelled(LabelledChoice),
    Plain(Value),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelledChoice {
    value: Value,
    label: String,
}

impl RawChoice {
    fn read(&self) -> Choice {
        match self {
            Self::Plain(value) => Choice {
                value: value.clone(),
                label: None,
            },
            Self::Labelled(LabelledChoice { value, label }) => Choice {
                value: value.clone(),
                label: Some(label.clone()),
            },
        }
    }
}

impl RawParameter {
    pub(super) fn read(&self) -> Block<Parameter> {
        self.refuse_strangers()?;
        Ok(Parameter {
            name: self.name.clone(),
            aliases: self.aliases.clone(),
            kind: self.read_kind()?,
            required: self.required,
            default: self.default.clone(),
            example: self.example.clone(),
            placeholder: self.placeholder.clone(),
            description: self.description.clone(),
            group: self.group.clone(),
            operations: self.operations.clone(),
            clamp: self.clamp,
            hint: self.hint,
            only_with: self.only_with.clone(),
        })
    }

    fn read_kind(&self) -> Block<Kind> {
        let range = Range {
            minimum: self.minimum,
            maximum: self.maximum,
            step: self.step,
        };
        let length = Span {
            min: self.min_length,
            max: self.max_length,
        };
        let items = Span {
            min: self.min_items,
            max: self.max_items,
        };
        Ok(match self.kind {
            KindName::String => Kind::Text(length),
            KindName::Enum => Kind::Choice {
                options: self.read_options()?,
                also: self.also,
            },
            KindName::Integer => Kind::Integer(range),
            KindName::Number => Kind::Number(range),
            KindName::Boolean => Kind::Boolean,
            KindName::Image => Kind::Image,
            KindName::Images => Kind::Images(items),
            KindName::Strings => Kind::Texts { items, length },
            KindName::Object => Kind::Object,
        })
    }

    fn read_options(&self) -> Block<Vec<Choice>> {
        let options = self.options.as_deref().unwrap_or_default();
        if options.is_empty() {
            return Err(format!("`{}` is an enum without entries", self.name));
        }
        Ok(options.iter().map(RawChoice::read).collect())
    }

    /// Keys that mean nothing to this type are mistakes.
    fn refuse_strangers(&self) -> Block<()> {
        use KindName::{Enum, Images, Integer, Number, String, Strings};
        let keys: [(&str, bool, &[KindName]); 10] = [
            ("enum", self.options.is_some(), &[Enum]),
            ("also", self.also.is_some(), &[Enum]),
            ("minimum", self.minimum.is_some(), &[Integer, Number]),
            ("maximum", self.maximum.is_some(), &[Integer, Number]),
            ("step", self.step.is_some(), &[Integer, Number]),
            ("clamp", self.clamp, &[Integer, Number]),
            ("min_length", self.min_length.is_some(), &[String, Strings]),
            ("max_length", self.max_length.is_some(), &[String, Strings]),
            ("min_items", self.min_items.is_some(), &[Images, Strings]),
            ("max_items", self.max_items.is_some(), &[Images, Strings]),
        ];
        for (key, present, kinds) in keys {
            if present && !kinds.contains(&self.kind) {
                return Err(format!(
                    "`{}`: the key `{key}` means nothing to this type",
                    self.name
                ));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawForbid {
    when: When,
    message: String,
}

impl RawForbid {
    pub(super) fn read(&self) -> Block<Forbid> {
        Ok(Forbid {
            when: self.when.clone(),
            message: self.message.clone(),
        })
    }
}

/// One price, or one line of a price table: `by` names a parameter, `amounts` holds a price for each value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrice {
    unit: Unit,
    #[serde(default)]
    when: When,
    amount: Option<Money>,
    by: Option<String>,
    amounts: Option<BTreeMap<String, Money>>,
    source: String,
    date: TomlDate,
}

/// The rows that a price block stands for.
pub(super) fn price_rows(raw: &RawPrice) -> Block<Vec<PriceRow>> {
    let row = |when: When, amount: Money| PriceRow {
        unit: raw.unit,
        when,
        amount,
        source: raw.source.clone(),
        date: raw.date.0,
    };
    match (&raw.amount, &raw.by, &raw.amounts) {
        (Some(amount), None, None) => Ok(vec![row(raw.when.clone(), *amount)]),
        (None, Some(by), Some(amounts)) if !raw.when.parameters.contains_key(by) => Ok(amounts
            .iter()
            .map(|(value, amount)| {
                let mut when = raw.when.clone();
                let condition = Condition::OneOf(vec![Value::from(value.as_str())]);
                when.parameters.insert(by.clone(), condition);
                row(when, *amount)
            })
            .collect()),
        (None, Some(by), Some(_)) => Err(format!("`{by}` stands in both `when` and `by`")),
        _ => Err("a price has either `amount`, or `by` together with `amounts`".to_owned()),
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    provider: String,
    model: String,
    #[serde(default)]
    priority: u32,
    #[serde(default)]
    operations: Vec<Operation>,
    #[serde(default = "one")]
    max_images: u32,
    #[serde(default)]
    cost: Vec<RawPrice>,
    fields: Option<BTreeMap<String, RawName>>,
}

/// What an upstream calls a parameter: a name of its own, ours (`true`), or nothing (`false`), as if it were not listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a field is the upstream's name for a parameter, true for the same name, or false"
)]
enum RawName {
    Own(String),
    Same(bool),
}

impl RawName {
    fn read(&self, parameter: &str) -> Option<String> {
        match self {
            Self::Own(name) => Some(name.clone()),
            Self::Same(true) => Some(parameter.to_owned()),
            Self::Same(false) => None,
        }
    }
}

fn one() -> u32 {
    1
}

impl RawTarget {
    pub(super) fn read(&self) -> Block<Target> {
        let costs: Vec<Vec<PriceRow>> = self.cost.iter().map(price_rows).collect::<Block<_>>()?;
        Ok(Target {
            provider: self.provider.clone(),
            model: self.model.clone(),
            priority: self.priority,
            operations: self.operations.clone(),
            max_images: self.max_images,
            costs: costs.into_iter().flatten().collect(),
            fields: self.fields.as_ref().map(|fields| {
                let named =
                    |(ours, theirs): (&String, &RawName)| Some((ours.clone(), theirs.read(ours)?));
                fields.iter().filter_map(named).collect()
            }),
        })
    }
}

/// A `when`: parameter = value, or a list of values, or `{ max_pixels = … }`; `operation` is always known.
impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut entries = BTreeMap::<String, RawCondition>::deserialize(deserializer)?;
        let operation = match entries.remove("operation") {
            None => None,
            Some(RawCondition::One(value)) => {
                Some(Operation::deserialize(value).map_err(serde::de::Error::custom)?)
            }
            Some(_) => return Err(serde::de::Error::custom("`operation` takes one value")),
        };
        let parameters = entries
            .into_iter()
            .map(|(name, condition)| (name, condition.read()))
            .collect();
        Ok(Self {
            operation,
            parameters,
        })
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a condition is a value, a list of values or { max_pixels = … }"
)]
enum RawCondition {
    Pixels(MaxPixels),
    Many(Vec<Value>),
    One(Value),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxPixels {
    max_pixels: u64,
}

impl RawCondition {
    fn read(self) -> Condition {
        match self {
            Self::Pixels(MaxPixels { max_pixels }) => Condition::MaxPixels(max_pixels),
            Self::Many(values) => Condition::OneOf(values),
            Self::One(value) => Condition::OneOf(vec![value]),
        }
    }
}
