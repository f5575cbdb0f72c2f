//! What a call says in another form than the model does, without a difference in meaning: each is reported, and
//! refused where the client wants that.

use crate::catalogue::decimal::Decimal;
use crate::catalogue::model::{Choice, Kind, Parameter, Span, plain_text};
use crate::catalogue::schema::Check;
use crate::catalogue::size::parse_size;
use crate::catalogue::value::{read, read_text};
use crate::catalogue::words::{fault, name, show};
use crate::error::Fault;
use crate::types::Field;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a model without this parameter is told in front of its prompt.
pub(super) const SYSTEM_PROMPT: &str = "system_prompt";

/// What a model without this parameter may have as the shape of its sizes.
const ASPECT_RATIO: &str = "aspect_ratio";

/// The largest number that a parameter takes, if the value is a larger one of its sort.
fn most_beyond(kind: &Kind, value: &Value) -> Option<Decimal> {
    let (range, whole) = match kind {
        Kind::Integer(range) => (range, true),
        Kind::Number(range) => (range, false),
        _ => return None,
    };
    let given = match value {
        Value::Number(number) => Decimal::of(number)?,
        Value::String(text) => Decimal::parse(text)?,
        _ => return None,
    };
    let is_of_its_sort = !whole || !given.has_places();
    range.maximum.filter(|most| given > *most && is_of_its_sort)
}

/// Whether a size has exactly this ratio, or is one.
fn has_ratio(size: &Value, ratio: &Value) -> bool {
    let edges =
        |value: &Value, between: char| parse_size(&value.as_str()?.replacen(between, "x", 1));
    let (Some((wide, high)), true) = (edges(ratio, ':'), size != ratio) else {
        return size == ratio;
    };
    edges(size, '*').is_some_and(|(width, height)| {
        u64::from(width) * u64::from(high) == u64::from(height) * u64::from(wide)
    })
}

impl<'a> Check<'a> {
    /// A value that was written in another way: a number as text, `1328x1328` for `1328*1328`.
    pub(super) fn adapt(
        &mut self,
        field: &Field,
        parameter: &str,
        value: &Value,
    ) -> Result<(), Fault> {
        if self.rules.untyped_body && !value.is_string() {
            return Ok(());
        }
        if self.rules.reject_adaptation {
            let not = if value.is_string() {
                ""
            } else {
                ", not as text"
            };
            let message = format!("{} must be written as {value}{not}", name(&field.path));
            return Err(fault(&field.path, "invalid_type", message));
        }
        let adapted = format!("{parameter}={}", plain_text(value));
        self.adapted.push(adapted);
        Ok(())
    }

    /// The most that a parameter takes, where a value beyond it means "as much as you can". Reported; where nothing may be
    /// adapted, the value is read and refused like any other out of range.
    pub(super) fn clamped(&mut self, field: &Field, parameter: &Parameter) -> Option<Value> {
        if !parameter.clamp || self.rules.reject_adaptation {
            return None;
        }
        let most = most_beyond(&parameter.kind, &field.value)?.to_json();
        self.adapted
            .push(format!("{}={}", parameter.name, plain_text(&most)));
        Some(most)
    }

    /// The row of the model's table of sizes that a field names.
    pub(super) fn size_row(&self, field: &Field) -> Option<&'a BTreeMap<String, Value>> {
        if field.name != "size" {
            return None;
        }
        self.model.sizes.get(field.value.as_str()?)
    }

    /// A `WIDTHxHEIGHT` in the model's own words: a ratio and a tier, say.
    pub(super) fn size_in_own_words(
        &mut self,
        at: usize,
        field: &Field,
        row: &'a BTreeMap<String, Value>,
    ) -> Result<(), Fault> {
        if self.rules.reject_adaptation {
            let words: Vec<String> = row
                .iter()
                .map(|(name, value)| format!("`{name}` {}", plain_text(value)))
                .collect();
            let message = format!(
                "{} must be written as {}",
                name(&field.path),
                words.join(" and ")
            );
            return Err(fault(&field.path, "invalid_enum", message));
        }
        for (own, value) in row {
            let Some(parameter) = self.model.parameter(own) else {
                continue;
            };
            self.store(field, parameter, value.clone())?;
            self.found
                .entry(&parameter.name)
                .or_insert_with(|| (at, field.path.clone()));
            self.adapted.push(format!("{own}={}", plain_text(value)));
        }
        Ok(())
    }

    /// The list of sizes in which a field's ratio is to be found, for a model that has no ratios.
    pub(super) fn sizes_for(&self, field: &Field) -> Option<(&'a Parameter, &'a [Choice])> {
        let size = self.model.parameter("size")?;
        match &size.kind {
            Kind::Choice { options, .. } if field.name == ASPECT_RATIO => Some((size, options)),
            _ => None,
        }
    }

    /// A ratio as the first of the model's sizes that has exactly this one.
    pub(super) fn ratio_as_size(
        &mut self,
        at: usize,
        field: &Field,
        (size, options): (&'a Parameter, &'a [Choice]),
    ) -> Result<(), Fault> {
        let Some(option) = options.iter().find(|it| has_ratio(&it.value, &field.value)) else {
            let sizes: Vec<String> = options.iter().map(|it| plain_text(&it.value)).collect();
            let message = format!(
                "{} must be the ratio of one of {}; got {}",
                name(&field.path),
                sizes.join(", "),
                show(&field.value)
            );
            return Err(fault(&field.path, "invalid_enum", message));
        };
        let value = &option.value;
        if self.rules.reject_adaptation {
            let right = plain_text(value);
            let message = format!("{} must be written as `size` {right}", name(&field.path));
            return Err(fault(&field.path, "invalid_enum", message));
        }
        self.store(field, size, value.clone())?;
        self.adapted.push(format!("size={}", plain_text(value)));
        self.found
            .entry(&size.name)
            .or_insert_with(|| (at, field.path.clone()));
        Ok(())
    }

    /// Whether a system prompt is to stand before the prompt.
    pub(super) fn joins_system_prompt(&self, field: &Field) -> bool {
        field.name == SYSTEM_PROMPT
            && self.model.parameter("prompt").is_some()
            && !self.rules.reject_adaptation
    }

    pub(super) fn keep_system_prompt(&mut self, at: usize, field: &Field) -> Result<(), Fault> {
        self.says_the_same(at, field)?;
        let text = read_text(Span::default(), &field.path, &field.value)?;
        self.system_prompt = text
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned);
        Ok(())
    }

    /// Both as one text. The model's own bounds hold for the whole.
    pub(super) fn join_system_prompt(&mut self) {
        let parameter: Option<&'a Parameter> = self.model.parameter("prompt");
        let (Some(system), Some(parameter)) = (self.system_prompt.take(), parameter) else {
            return;
        };
        let key = parameter.name.as_str();
        if self.faulty.contains(key) {
            return;
        }
        let joined = match self.values.get(key).and_then(Value::as_str) {
            Some(prompt) => format!("{system}\n\n{prompt}"),
            None => system,
        };
        let found = self.found.get(key).cloned();
        let (at, path) = found.unwrap_or_else(|| (usize::MAX, key.to_owned()));
        match read(parameter, &path, &joined.into()) {
            Ok(reading) => {
                self.values.insert(key.to_owned(), reading.value);
                self.adapted.push(format!("{SYSTEM_PROMPT}={key}"));
            }
            Err(fault) => self.faults.push((at, fault)),
        }
    }
}
