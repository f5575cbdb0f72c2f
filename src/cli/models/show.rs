//! One model in words: what it is, what it takes, what it costs.

use super::{money, text, words};
use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::table::{Column, table_or_list};
use crate::types::Money;
use serde_json::Value;
use std::collections::BTreeMap;

/// Prints a model's card.
pub(super) fn show(card: &Value) -> Outcome {
    let mut lines = vec![
        ("Model", text(&card["id"])),
        (
            "Name",
            format!("{} ({})", text(&card["name"]), text(&card["owned_by"])),
        ),
        ("Aliases", words(&card["aliases"], ", ")),
        ("Operations", words(&card["operations"], ", ")),
        ("Status", text(&card["status"])),
        ("Unavailable", text(&card["unavailable"])),
        ("About", text(&card["description"])),
    ];
    lines.retain(|(_, value)| !value.is_empty());
    out::pairs(&lines)?;
    out::print("")?;
    let rows: Vec<Vec<String>> = card["form_schema"]
        .as_array()
        .into_iter()
        .flatten()
        .map(parameter)
        .collect();
    let columns = ["PARAMETER", "TAKES", "DEFAULT", "WHAT IT DOES"];
    table_or_list(&columns.map(Column::text), &rows)?;
    let prices = prices(&card["pricing"]);
    if prices.is_empty() {
        out::note("\nNo price is set; only test keys can call it.");
        return Ok(());
    }
    out::print("")?;
    table_or_list(
        &["PRICE OF ONE", "WHEN", "DOLLARS"].map(Column::text),
        &prices,
    )?;
    out::print("")?;
    let sources = sources(&card["pricing"]).into_iter();
    let lines: Vec<String> = sources.map(|it| format!("Read at {it}")).collect();
    out::print(&lines.join("\n"))
}

/// Where the prices were read and when, each place once.
pub(in crate::cli) fn sources(pricing: &Value) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for row in pricing.as_array().into_iter().flatten() {
        let line = out::plain(&format!("{}, {}", text(&row["source"]), text(&row["date"])));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn parameter(entry: &Value) -> Vec<String> {
    let default = match &entry["default"] {
        Value::Null if entry["required"] == true => "(required)".to_owned(),
        other => text(other),
    };
    let edit_only = entry["operations"]
        .as_array()
        .is_some_and(|all| all.len() == 1 && all[0] == "edit");
    let only = if edit_only { "Edits only. " } else { "" };
    vec![
        text(&entry["name"]),
        takes(entry),
        default,
        format!("{only}{}", text(&entry["description"])),
    ]
}

/// What a parameter takes, in a few words.
pub(in crate::cli) fn takes(entry: &Value) -> String {
    let kind = text(&entry["kind"]);
    if let Some(options) = entry["enum"].as_array() {
        let values: Vec<String> = options
            .iter()
            .map(|option| text(&option["value"]))
            .collect();
        let more = if entry["also"].is_null() {
            ""
        } else {
            " | other sizes"
        };
        return values.join(" | ") + more;
    }
    let span = |least: &str, most: &str| match (&entry[least], &entry[most]) {
        (Value::Null, Value::Null) => None,
        (least, Value::Null) => Some(format!("{least} or more")),
        (Value::Null, most) => Some(format!("up to {most}")),
        (least, most) => Some(format!("{least} to {most}")),
    };
    match kind.as_str() {
        "string" => {
            span("min_length", "max_length").map_or(kind, |span| format!("text, {span} characters"))
        }
        "integer" | "number" => span("minimum", "maximum").unwrap_or(kind),
        "images" => span("min_items", "max_items").map_or(kind, |span| format!("{span} images")),
        "boolean" => "true | false".to_owned(),
        _ => kind,
    }
}

/// Prices whose conditions differ in one value alone share a line: `low $0.0060, medium $0.0530`.
struct Line {
    unit: String,
    when: Conditions,
    /// The condition that differs, once a second price has come.
    by: Option<String>,
    prices: Vec<(Money, Option<String>)>,
}

/// What must hold, by parameter, in words.
type Conditions = BTreeMap<String, String>;

fn prices(pricing: &Value) -> Vec<Vec<String>> {
    let mut lines: Vec<Line> = Vec::new();
    for row in pricing.as_array().into_iter().flatten() {
        let (unit, when) = (
            text(&row["unit"]).replace('_', " "),
            conditions(&row["when"]),
        );
        let amount = money(&row["amount"]).unwrap_or_default();
        let joined = lines
            .last_mut()
            .is_some_and(|line| line.join(&unit, &when, amount));
        if !joined {
            let prices = vec![(amount, None)];
            lines.push(Line {
                unit,
                when,
                by: None,
                prices,
            });
        }
    }
    lines.into_iter().map(Line::cells).collect()
}

impl Line {
    /// Takes one more price in, if it differs from the others in the same one condition.
    fn join(&mut self, unit: &str, when: &Conditions, amount: Money) -> bool {
        let same_names = self.when.keys().eq(when.keys());
        let differing = when
            .iter()
            .filter(|(name, value)| self.when.get(*name) != Some(value));
        let differing: Vec<_> = differing.collect();
        let ([(name, value)], true) = (&differing[..], self.unit == unit && same_names) else {
            return false;
        };
        if self.by.as_ref().is_some_and(|by| by != *name) {
            return false;
        }
        if self.by.is_none() {
            self.prices[0].1 = self.when.get(*name).cloned();
            self.by = Some((*name).clone());
        }
        self.prices.push((amount, Some((*value).clone())));
        true
    }

    fn cells(mut self) -> Vec<String> {
        self.prices.sort();
        let price = |(amount, label): &(Money, Option<String>)| match label {
            Some(label) => format!("{label} {}", out::dollars(*amount)),
            None => out::dollars(*amount),
        };
        let prices: Vec<String> = self.prices.iter().map(price).collect();
        let when = self
            .when
            .iter()
            .filter(|(name, _)| Some(*name) != self.by.as_ref());
        vec![self.unit, joined(when), prices.join(", ")]
    }
}

/// `operation generate, size 1024x1024`; a price without conditions holds always.
fn joined<'a>(when: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let when: Vec<String> = when
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if when.is_empty() {
        "always".to_owned()
    } else {
        when.join(", ")
    }
}

/// The `when` of a price, in words.
pub(in crate::cli) fn conditions_in_words(when: &Value) -> String {
    joined(conditions(when).iter())
}

fn conditions(when: &Value) -> Conditions {
    let all = when.as_object().into_iter().flatten();
    all.map(|(name, condition)| {
        let condition = match condition["max_pixels"].as_u64() {
            Some(most) => format!("up to {most} pixels"),
            None if condition.is_array() => words(condition, " or "),
            None => text(condition),
        };
        (name.clone(), condition)
    })
    .collect()
}
