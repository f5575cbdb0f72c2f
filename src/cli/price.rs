//! What a call would cost: the server that is named says so, otherwise this machine, as the engine would.

use super::failure::Outcome;
use super::generate::body;
use super::place::{self, Key, Place};
use super::remote::Server;
use super::{block_on, models, out};
use crate::catalogue::{self, Rules};
use crate::error::Error;
use crate::types::{Account, Money};
use serde_json::{Value, json};

/// The price of a call.
pub(super) struct Price {
    /// How many pictures.
    pub(super) n: u64,
    /// Of one of them, with the account's markup.
    pub(super) unit: Money,
    /// Of all of them.
    pub(super) total: Money,
    /// What a million tokens cost, where they are what is charged: the total is then the most that it can come to.
    pub(super) rates: Value,
    /// The tokens that such a total is for.
    pub(super) most_tokens: Value,
    /// The row of the catalogue that an image's price comes from, as `GET /v1/models` shows it.
    pub(super) row: Value,
}

/// Checks a body and prices it; `None` if its model has no price. Nothing is made or opened.
pub(super) fn of(place: &Place, body: &Value) -> Outcome<Option<Price>> {
    let key = place::key(&place.load()?.settings.data);
    match place::server() {
        Some(url) => block_on(ask(&Server::new(&url, key)?, body)),
        None => work_out(place, key.as_ref(), body),
    }
}

/// `POST /v1/quote`.
async fn ask(server: &Server, body: &Value) -> Outcome<Option<Price>> {
    let quote = server.post("/v1/quote", body).await?.body;
    let price = Price {
        n: quote["n"].as_u64().unwrap_or(1),
        unit: models::money(&quote["unit"]).unwrap_or_default(),
        total: models::money(&quote["amount"]).unwrap_or_default(),
        rates: quote["million_tokens"].clone(),
        most_tokens: quote["most_tokens"].clone(),
        row: quote["price"].clone(),
    };
    // A test key is told zero where there is no price.
    let is_set = |price: &Price| !price.row.is_null() || !price.rates.is_null();
    Ok(Some(price).filter(is_set))
}

fn work_out(place: &Place, key: Option<&Key>, body: &Value) -> Outcome<Option<Price>> {
    let catalogue = models::catalogue(place)?;
    let model = models::named(&catalogue, body["model"].as_str().unwrap_or_default())?;
    let checked = catalogue::check(model, body::draft(body)?, &Rules::default());
    let request = checked.map_err(Error::faults)?.request;
    let markup = payer(place, key)?.map_or(0, |account| account.markup_basis_points);
    let quote = catalogue::quote(model, &request, markup);
    let row = catalogue::price_row(model, &request);
    Ok(quote.map(|quote| Price {
        n: request.n().into(),
        unit: quote.unit,
        total: quote.total,
        most_tokens: quote
            .rates
            .and_then(|_| catalogue::most_tokens(model, &request))
            .map_or(Value::Null, |most| json!(most)),
        rates: quote.rates.map_or(Value::Null, |rates| json!(rates)),
        row: row.map_or(Value::Null, catalogue::price_json),
    }))
}

/// The account that a key spends from, as far as this machine knows.
fn payer(place: &Place, key: Option<&Key>) -> Outcome<Option<Account>> {
    let (Some(key), Ok(store)) = (key, place.rows()) else {
        return Ok(None);
    };
    let found = block_on(async { Ok(store.find_key(&key.secret.hash()).await?) })?;
    Ok(found.map(|(_, account)| account))
}

/// A word for those whose key costs nothing.
pub(super) fn note_if_test(place: &Place) -> Outcome {
    let key = place::key(&place.load()?.settings.data);
    if key.is_some_and(|key| key.is_test()) {
        out::note("The key at hand is a test key: Pinhole itself makes the result, at no cost.");
    }
    Ok(())
}
