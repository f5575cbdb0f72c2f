//! `--dry-run`: the request and its price, without sending or opening anything.

use super::{check, find};
use crate::catalogue;
use crate::cli::failure::Outcome;
use crate::cli::place::{self, Key, Place};
use crate::cli::remote::Server;
use crate::cli::{block_on, models, out};
use crate::types::Account;
use serde_json::{Value, json};

/// Prints both. A server that is named prices it itself; otherwise this machine does, as the engine would.
pub(super) fn show(place: &Place, body: &Value, as_json: bool) -> Outcome {
    let key = place::key(&place.load()?.settings.data);
    let is_test = key.as_ref().is_some_and(Key::is_test);
    let price = match place::server() {
        Some(url) => block_on(ask(&Server::new(&url, key)?, body))?,
        None => work_out(place, key.as_ref(), body)?,
    };
    if as_json {
        let price = (!price.is_null()).then_some(&price);
        return out::json(&json!({
            "request": body, "price": price, "currency": "USD", "test": is_test,
        }));
    }
    out::print(&format!("POST /v1/images/generations\n{body:#}"))?;
    out::print(&words(&price))?;
    if is_test {
        out::note("The key at hand is a test key: Pinhole itself makes the result, at no cost.");
    }
    Ok(())
}

/// `POST /v1/quote`.
async fn ask(server: &Server, body: &Value) -> Outcome<Value> {
    let quote = server.post("/v1/quote", body).await?.body;
    let rates = &quote["million_tokens"];
    Ok(told(&quote["unit"], &quote["amount"], &quote["n"], rates))
}

fn work_out(place: &Place, key: Option<&Key>, body: &Value) -> Outcome<Value> {
    let catalogue = models::catalogue(place)?;
    let checked = check(&catalogue, body)?;
    let model = find(&catalogue, body)?;
    let markup = payer(place, key)?.map_or(0, |account| account.markup_basis_points);
    let quote = catalogue::quote(model, &checked.request, markup);
    let n = checked.request.n();
    let told = quote.map(|quote| {
        told(
            &json!(quote.unit),
            &json!(quote.total),
            &json!(n),
            &json!(quote.rates),
        )
    });
    Ok(told.unwrap_or_default())
}

/// As `--json` prints it; the rates only where tokens are what is charged.
fn told(unit: &Value, total: &Value, n: &Value, rates: &Value) -> Value {
    let mut price = json!({"unit": unit, "total": total, "n": n});
    if !rates.is_null() {
        price["million_tokens"] = rates.clone();
    }
    price
}

/// The account that a key spends from, as far as this machine knows.
fn payer(place: &Place, key: Option<&Key>) -> Outcome<Option<Account>> {
    let (Some(key), Ok(store)) = (key, place.rows()) else {
        return Ok(None);
    };
    let found = block_on(async { Ok(store.find_key(&key.secret.hash()).await?) })?;
    Ok(found.map(|(_, account)| account))
}

fn words(price: &Value) -> String {
    let text = |name: &str| price[name].as_str().unwrap_or_default().to_owned();
    if price["million_tokens"].is_object() {
        return format!(
            "Price  {} USD at most: tokens are charged as they are counted, a million for {} in, {} out",
            text("total"),
            price["million_tokens"]["input_text"]
                .as_str()
                .unwrap_or_default(),
            price["million_tokens"]["output"]
                .as_str()
                .unwrap_or_default(),
        );
    }
    match price["n"].as_u64() {
        None => "Price  not set: only test keys can call this model".to_owned(),
        Some(1) => format!("Price  {} USD", text("total")),
        Some(n) => format!("Price  {} USD  ({n} × {})", text("total"), text("unit")),
    }
}
