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
        out::pairs(&words(&example, price.as_ref(), &card["pricing"]))?;
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
        "million_tokens": price.map(|price| &price.rates),
        "most_tokens": price.map(|price| &price.most_tokens),
    })
}

fn words(example: &Example, price: Option<&Price>, pricing: &Value) -> Vec<(&'static str, String)> {
    let mut lines = vec![(
        "Call",
        format!("{} with {}", example.operation.name(), example.model),
    )];
    let Some(price) = price else {
        lines.push(("Price", price::NOT_SET.to_owned()));
        return lines;
    };
    lines.extend(if price.is_by_token() {
        by_token(price, pricing)
    } else {
        by_image(price)
    });
    lines
}

/// What is charged by the token, and what is held until they are counted.
fn by_token(price: &Price, pricing: &Value) -> Vec<(&'static str, String)> {
    let most = &price.most_tokens;
    let held = match most["input_text_tokens"].as_u64() {
        None => String::new(),
        Some(input) => format!(
            ": {} tokens in, an upper estimate, and {} out, the most that max_tokens allows",
            input.saturating_add(most["input_image_tokens"].as_u64().unwrap_or(0)),
            most["output_tokens"]
        ),
    };
    let mut lines = vec![
        ("Rates", price.rates_in_words()),
        (
            "Held",
            format!("{} at most{held}", out::dollars(price.total)),
        ),
        (
            "Charged",
            "the tokens that were counted, never more than is held".to_owned(),
        ),
    ];
    lines.extend(
        models::sources(pricing)
            .into_iter()
            .map(|it| ("Source", it)),
    );
    lines
}

fn by_image(price: &Price) -> Vec<(&'static str, String)> {
    let mut lines = vec![("Price", price.words())];
    let listed = models::money(&price.row["amount"]).unwrap_or_default();
    lines.push((
        "Listed",
        format!(
            "{} an image, {}",
            out::dollars(listed),
            models::conditions_in_words(&price.row["when"])
        ),
    ));
    let source = models::sources(&json!([price.row])).into_iter();
    lines.extend(source.map(|it| ("Source", it)));
    lines
}
