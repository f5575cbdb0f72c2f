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

impl Price {
    /// In a word or two, before a call.
    pub(super) fn estimate(&self) -> String {
        estimate(self.total, self.is_by_token())
    }

    /// Whether tokens are what is charged.
    pub(super) fn is_by_token(&self) -> bool {
        self.rates.is_object()
    }

    /// `$0.1590 (3 × $0.0530)`, or what tokens can come to at most.
    pub(super) fn words(&self) -> String {
        let total = out::dollars(self.total);
        if self.is_by_token() {
            format!("{total} at most: {}", self.rates_in_words())
        } else if self.n == 1 {
            total
        } else {
            format!("{total} ({} × {})", self.n, out::dollars(self.unit))
        }
    }

    /// `$1.5000 in, $9.0000 out a million tokens`; images among the input only where they have another price.
    pub(super) fn rates_in_words(&self) -> String {
        let rate = |name: &str| models::money(&self.rates[name]);
        let image = rate("input_image").filter(|image| Some(*image) != rate("input_text"));
        by_the_million(rate("input_text"), image, rate("output"))
    }
}

/// What a million tokens cost.
pub(super) fn by_the_million(
    text: Option<Money>,
    image: Option<Money>,
    output: Option<Money>,
) -> String {
    let part = |amount: Option<Money>, what| Some(format!("{} {what}", out::dollars(amount?)));
    let parts = [
        part(text, "in"),
        part(image, "in of images"),
        part(output, "out"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{} a million tokens", parts.join(", "))
}

/// `est. $0.0530`, or `at most $0.5500` where it depends on what is counted.
pub(super) fn estimate(total: Money, is_most: bool) -> String {
    let word = if is_most { "at most" } else { "est." };
    format!("{word} {}", out::dollars(total))
}

/// What is said where nobody has set a price.
pub(super) const NOT_SET: &str =
    "not set: only test keys can call this model until the operator sets one";

/// `POST /v1/quote`.
pub(super) async fn ask(server: &Server, body: &Value) -> Outcome<Option<Price>> {
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

/// Whether the key at hand calls itself a test key.
pub(super) fn is_test(place: &Place) -> bool {
    let loaded = place.load().ok();
    let key = loaded.and_then(|loaded| place::key(&loaded.settings.data));
    key.is_some_and(|key| key.is_test())
}

/// A word for those whose key costs nothing.
pub(super) fn note_if_test(place: &Place) -> Outcome {
    if is_test(place) {
        out::note("The key at hand is a test key: Pinhole itself makes the result, at no cost.");
    }
    Ok(())
}
