//! What a call costs: the account's price before it runs, the operator's cost before and after.
//!
//! The first row that matches a call speaks. If it is for an image, the call costs so much for each one. If it is for
//! tokens, the rows name what a million of each sort cost, and what a call will cost is known only when the upstream has
//! counted them: until then [`most_tokens`] is what counts.

use crate::catalogue::model::{Kind, Model, PriceRow, Target, Unit};
use crate::types::{Money, Quote, Request, TokenRates, Usage};
use serde_json::Value;

/// The parameter that bounds how many tokens a call may write.
pub(super) const MAX_TOKENS: &str = "max_tokens";

/// Tokens that a conversation has besides its words: who speaks, where a message ends, what sort of answer is wanted.
const FRAME_TOKENS: u64 = 64;

/// What the account pays for a request, with its markup added to every image or to every rate. `None` when the
/// catalogue knows no price for it: the model is then unavailable for live keys.
pub fn quote(model: &Model, request: &Request, markup_basis_points: u32) -> Option<Quote> {
    if let Some(unit) = per_image(&model.prices, request) {
        let unit = unit.marked_up(markup_basis_points)?;
        let total = unit.times(request.n())?;
        return Some(Quote {
            unit,
            total,
            rates: None,
        });
    }
    let rates = rates(&model.prices, request)?.marked_up(markup_basis_points)?;
    let total = rates.of(&most_tokens(model, request)?)?;
    Some(Quote {
        unit: total,
        total,
        rates: Some(rates),
    })
}

/// What we pay a target for one image, or at most for the text; `None` when that is unknown before the tokens are
/// counted.
pub fn cost(model: &Model, target: &Target, request: &Request) -> Option<Money> {
    per_image(&target.costs, request)
        .or_else(|| rates(&target.costs, request)?.of(&most_tokens(model, request)?))
}

/// What we pay a target for tokens, if that is how it counts.
pub fn cost_rates(target: &Target, request: &Request) -> Option<TokenRates> {
    rates(&target.costs, request)
}

/// The most tokens that a call may use; `None` for a model whose output has no bound. The input is an upper estimate:
/// no tokeniser makes more than one token of a byte, and an image counts as what the model's file says.
pub fn most_tokens(model: &Model, request: &Request) -> Option<Usage> {
    let bytes: usize = texts(model, request).map(str::len).sum();
    let images = u64::try_from(count_images(model, request)).ok()?;
    Some(Usage {
        input_text_tokens: u64::try_from(bytes).ok()?.checked_add(FRAME_TOKENS)?,
        input_image_tokens: images.checked_mul(model.image_tokens.unwrap_or(0).into())?,
        output_tokens: most_output(model, request)?,
    })
}

/// What the request says, else the most that the model takes.
fn most_output(model: &Model, request: &Request) -> Option<u64> {
    let asked = request.integer(MAX_TOKENS);
    let most = asked.or_else(|| most_of_form(model))?;
    u64::try_from(most).ok()
}

/// The most tokens that a model writes, by its form.
pub(super) fn most_of_form(model: &Model) -> Option<i64> {
    match &model.parameter(MAX_TOKENS)?.kind {
        Kind::Integer(range) => range.maximum?.whole(),
        _ => None,
    }
}

/// Every text that a person may have written.
fn texts<'a>(model: &'a Model, request: &'a Request) -> impl Iterator<Item = &'a str> {
    let is_text = |kind: &Kind| matches!(kind, Kind::Text(_) | Kind::Texts { .. });
    values_of(model, request, is_text).filter_map(Value::as_str)
}

fn count_images(model: &Model, request: &Request) -> usize {
    let named = values_of(model, request, Kind::is_image).count();
    // Once the engine has the pictures, they stand beside the parameters.
    named + request.images().len()
}

/// The values of every parameter of some kind, items of lists one by one.
fn values_of<'a>(
    model: &'a Model,
    request: &'a Request,
    kind: impl Fn(&Kind) -> bool,
) -> impl Iterator<Item = &'a Value> {
    let parameters = model.parameters.iter().filter(move |it| kind(&it.kind));
    parameters
        .filter_map(|it| request.parameters().get(&it.name))
        .flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        })
}

/// The row that [`quote`] goes by, before the markup.
pub fn price_row<'a>(model: &'a Model, request: &Request) -> Option<&'a PriceRow> {
    image_row(&model.prices, request)
}

fn per_image(rows: &[PriceRow], request: &Request) -> Option<Money> {
    image_row(rows, request).map(|row| row.amount)
}

/// The first row that matches speaks; if it is not for an image, the price of one is not known.
fn image_row<'a>(rows: &'a [PriceRow], request: &Request) -> Option<&'a PriceRow> {
    first(rows, request, |_| true).filter(|row| row.unit == Unit::Image)
}

/// What tokens cost, where the rows name every sort of them and no image.
fn rates(rows: &[PriceRow], request: &Request) -> Option<TokenRates> {
    if per_image(rows, request).is_some() {
        return None;
    }
    let amount = |unit| Some(first(rows, request, |row| row.unit == unit)?.amount);
    Some(TokenRates {
        input_text: amount(Unit::MillionInputTextTokens)?,
        input_image: amount(Unit::MillionInputImageTokens)?,
        output: amount(Unit::MillionOutputTokens)?,
    })
}

fn first<'a>(
    rows: &'a [PriceRow],
    request: &Request,
    wanted: impl Fn(&PriceRow) -> bool,
) -> Option<&'a PriceRow> {
    rows.iter()
        .find(|row| wanted(row) && row.when.holds(request.operation(), request.parameters()))
}
