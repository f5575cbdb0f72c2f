//! `--dry-run`: the request and its price, without sending or opening anything.

use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::place::{self, Key, Place};
use crate::cli::price::{self, Price};
use serde_json::{Value, json};

/// Prints both.
pub(super) fn show(place: &Place, body: &Value, as_json: bool) -> Outcome {
    let price = price::of(place, body)?;
    if as_json {
        let key = place::key(&place.load()?.settings.data);
        let price =
            price.map(|price| json!({"unit": price.unit, "total": price.total, "n": price.n}));
        return out::json(&json!({
            "request": body,
            "price": price,
            "currency": "USD",
            "test": key.as_ref().is_some_and(Key::is_test),
        }));
    }
    out::print(&format!("POST /v1/images/generations\n{body:#}"))?;
    out::print(&words(price.as_ref()))?;
    price::note_if_test(place)
}

fn words(price: Option<&Price>) -> String {
    match price {
        None => "Price  not set: only test keys can call this model".to_owned(),
        Some(price) if price.n == 1 => format!("Price  {} USD", price.total),
        Some(price) => format!("Price  {} USD  ({} × {})", price.total, price.n, price.unit),
    }
}
