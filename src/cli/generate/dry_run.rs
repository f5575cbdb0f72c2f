//! `--dry-run`: the request and its price, without sending or opening anything.

use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::place::Place;
use crate::cli::price::{self, Price};
use serde_json::{Value, json};

/// Prints both.
pub(super) fn show(place: &Place, body: &Value, as_json: bool) -> Outcome {
    let price = price::of(place, body)?;
    if as_json {
        let price = price.as_ref().map(told);
        return out::json(&json!({
            "request": body,
            "price": price,
            "currency": "USD",
            "test": price::is_test(place),
        }));
    }
    out::print(&format!("POST /v1/images/generations\n{body:#}"))?;
    let words = price.as_ref().map(Price::words);
    let words = words.unwrap_or_else(|| price::NOT_SET.to_owned());
    out::print(&format!("Price  {words}"))?;
    price::note_if_test(place)
}

/// The rates only where tokens are what is charged.
fn told(price: &Price) -> Value {
    let mut value = json!({"unit": price.unit, "total": price.total, "n": price.n});
    if price.is_by_token() {
        value["million_tokens"] = price.rates.clone();
    }
    value
}
