//! `pinhole quote`: what a call costs, and why.

use super::call::Call;
use super::failure::Outcome;
use super::place::Place;
use super::price::{self, Price};
use super::{models, out};
use crate::catalogue::snippet::Example;
use crate::types::Operation;
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub(super) struct Quote {
    #[command(flatten)]
    call: Call,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Quote {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let cards = models::cards(place)?;
        let card = self.call.card(&cards)?;
        let operation = self.call.operation(card)?;
        let needed = needed(&card["form_schema"], operation);
        let example = self.call.example(card, &needed)?;
        let has_prices = card["pricing"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty());
        let price = match price::of(place, &example.body()) {
            // A server refuses a live key what has no price; that is the answer here.
            Err(failure) if failure.is_unavailable_model() && !has_prices => None,
            price => price?,
        };
        if self.json {
            return out::json(&as_json(&example, price.as_ref()));
        }
        out::pairs(&words(&example, price.as_ref()))?;
        price::note_if_test(place)
    }
}

/// The part of a form without which there is no call: all else has the model's defaults, as in a call that leaves it out.
fn needed(form: &Value, operation: Operation) -> Value {
    let mut has_image = false;
    let is_needed = |entry: &&Value| {
        // Whether an edit must bring its image is told by the operation, not by every form.
        let is_picture = entry["kind"] == "images" || entry["kind"] == "image";
        let is_image =
            operation == Operation::Edit && is_picture && entry["name"] != "mask" && !has_image;
        has_image |= is_image;
        is_image || entry["required"] == true
    };
    let entries = form.as_array().into_iter().flatten();
    entries.filter(is_needed).cloned().collect()
}

fn as_json(example: &Example, price: Option<&Price>) -> Value {
    json!({
        "model": example.model,
        "operation": example.operation,
        "n": price.map(|price| price.n),
        "unit": price.map(|price| price.unit),
        "total": price.map(|price| price.total),
        "currency": "USD",
        "price": price.map(|price| &price.row),
    })
}

fn words(example: &Example, price: Option<&Price>) -> Vec<(&'static str, String)> {
    let mut lines = vec![(
        "Call",
        format!("{} with {}", example.operation.name(), example.model),
    )];
    let Some(price) = price else {
        let none = "not set: only test keys can call this model until the operator sets one";
        lines.push(("Price", none.to_owned()));
        return lines;
    };
    let unit = out::dollars(price.unit);
    if price.n == 1 {
        lines.push(("Price", unit));
    } else {
        let total = out::dollars(price.total);
        lines.push((
            "Price",
            format!("{total} for {} images, {unit} each", price.n),
        ));
    }
    let listed = models::money(&price.row["amount"]).unwrap_or_default();
    lines.push((
        "Listed",
        format!(
            "{} an image, {}",
            out::dollars(listed),
            models::conditions_in_words(&price.row["when"])
        ),
    ));
    lines.push((
        "Source",
        format!(
            "{}, {}",
            models::text(&price.row["source"]),
            models::text(&price.row["date"])
        ),
    ));
    lines
}
