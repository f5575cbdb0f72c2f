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
        let price = price.as_ref().map(told);
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

/// The rates only where tokens are what is charged.
fn told(price: &Price) -> Value {
    let mut value = json!({"unit": price.unit, "total": price.total, "n": price.n});
    if !price.rates.is_null() {
        value["million_tokens"] = price.rates.clone();
    }
    value
}

fn words(price: Option<&Price>) -> String {
    match price {
        None => "Price  not set: only test keys can call this model".to_owned(),
        Some(price) if price.rates.is_object() => {
            let rate = |name: &str| price.rates[name].as_str().unwrap_or_default();
            format!(
                "Price  {} USD at most: tokens are charged as they are counted, a million for {} in, {} out",
                price.total,
                rate("input_text"),
                rate("output"),
            )
        }
        Some(price) if price.n == 1 => format!("Price  {} USD", price.total),
        Some(price) => format!("Price  {} USD  ({} × {})", price.total, price.n, price.unit),
    }
}
