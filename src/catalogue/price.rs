//! What a call costs: the account's price before it runs, the operator's cost before and after.

use crate::catalogue::model::{Model, PriceRow, Target, Unit};
use crate::types::{Money, Quote, Request, Usage};

/// What the account pays for a request, with its markup added to every image. `None` when the catalogue
/// knows no price for it: the model is then unavailable for live keys.
pub fn quote(model: &Model, request: &Request, markup_basis_points: u32) -> Option<Quote> {
    let unit = per_image(&model.prices, request)?.marked_up(markup_basis_points)?;
    let total = unit.times(request.n())?;
    Some(Quote { unit, total })
}

/// What we pay a target for one image; `None` when that is unknown before the tokens are counted.
pub fn cost(target: &Target, request: &Request) -> Option<Money> {
    per_image(&target.costs, request)
}

/// What we paid a target that counts tokens, rounded up to a whole micro-dollar. `None` where tokens were
/// counted that no row prices.
pub fn cost_of_usage(target: &Target, request: &Request, usage: &Usage) -> Option<Money> {
    let counted = [
        (Unit::MillionInputTextTokens, usage.input_text_tokens),
        (Unit::MillionInputImageTokens, usage.input_image_tokens),
        (Unit::MillionOutputTokens, usage.output_tokens),
    ];
    let mut millionths: i128 = 0;
    for (unit, tokens) in counted.into_iter().filter(|(_, tokens)| *tokens > 0) {
        let amount = first(&target.costs, request, |row| row.unit == unit)?.amount;
        let part = i128::from(amount.micros()).checked_mul(i128::from(tokens))?;
        millionths = millionths.checked_add(part)?;
    }
    let whole =
        millionths.div_euclid(1_000_000) + i128::from(millionths.rem_euclid(1_000_000) != 0);
    i64::try_from(whole).ok().map(Money::from_micros)
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

fn first<'a>(
    rows: &'a [PriceRow],
    request: &Request,
    wanted: impl Fn(&PriceRow) -> bool,
) -> Option<&'a PriceRow> {
    rows.iter()
        .find(|row| wanted(row) && row.when.holds(request.operation(), request.parameters()))
}
