//! What calls cost.

use super::load::made;
use super::*;
use crate::catalogue::{cost, cost_of_usage, quote};
use crate::types::{Money, Usage};

/// The quote of a body, as unit and total.
fn price(id: &str, body: Value, markup: u32) -> Option<(String, String)> {
    let request = run(id, body, Rules::default()).unwrap().request;
    let quote = quote(&model(id), &request, markup)?;
    Some((quote.unit.to_string(), quote.total.to_string()))
}

fn check_unit(body: Value, amount: &str) {
    let micros: Money = amount.parse().unwrap();
    let unit = price("gpt-image-2", body.clone(), 0).map(|(unit, _)| unit);
    assert_eq!(unit, Some(micros.to_string()), "{body}");
}

#[test]
fn every_quality_and_size_of_the_form_has_its_price() {
    let table = [
        (
            "1024x1024",
            ["0.006", "0.053", "0.211"],
            ["0.015", "0.061", "0.219"],
        ),
        (
            "1536x1024",
            ["0.005", "0.042", "0.165"],
            ["0.018", "0.054", "0.178"],
        ),
        (
            "1024x1536",
            ["0.005", "0.042", "0.165"],
            ["0.018", "0.054", "0.178"],
        ),
    ];
    for (size, generate, edit) in table {
        for (index, quality) in ["low", "medium", "high"].into_iter().enumerate() {
            let body = json!({"prompt": "x", "size": size, "quality": quality});
            check_unit(body.clone(), generate[index]);
            let mut with_image = body;
            with_image["image"] = json!("u");
            check_unit(with_image, edit[index]);
        }
    }
}

#[test]
fn a_plain_call_costs_the_medium_square() {
    check_unit(json!({"prompt": "x"}), "0.053");
}

#[test]
fn other_sizes_cost_as_the_next_larger_listed_one() {
    let check = |size: &str, amount: &str| {
        check_unit(
            json!({"prompt": "x", "size": size, "quality": "high"}),
            amount,
        );
    };
    check("816x816", "0.145");
    check("1024x768", "0.145");
    check("1024x1008", "0.211");
    check("1040x1024", "0.222");
    check("2560x1440", "0.222");
    check("2576x1440", "0.401");
    check("3840x2160", "0.401");
}

#[test]
fn n_multiplies_and_markup_is_added_to_each_image() {
    let of = |markup| price("gpt-image-2", json!({"prompt": "x", "n": 3}), markup);
    let texts = |unit: &str, total: &str| Some((unit.to_owned(), total.to_owned()));
    assert_eq!(of(0), texts("0.053000", "0.159000"));
    assert_eq!(of(1_001), texts("0.058306", "0.174918"));
    assert_eq!(
        price("sketch", json!({"prompt": "x", "n": 10}), 5_000),
        texts("0.000000", "0.000000")
    );
}

#[test]
fn a_model_without_a_known_price_has_no_quote() {
    let model = made("");
    let request = check(&model, Draft::default(), &Rules::default())
        .unwrap()
        .request;
    assert_eq!(quote(&model, &request, 0), None);
}

#[test]
fn tokens_are_priced_after_they_are_counted() {
    let model = model("gpt-image-2");
    let request = accepted(json!({"prompt": "x"})).request;
    let target = &model.targets[0];
    assert_eq!(cost(target, &request), None);
    let usage = Usage {
        input_text_tokens: 10,
        input_image_tokens: 40,
        output_tokens: 1_568,
    };
    assert_eq!(
        cost_of_usage(target, &request, &usage),
        Some(Money::from_micros(50 + 320 + 47_040))
    );
    let endless = Usage {
        output_tokens: u64::MAX,
        ..usage
    };
    assert_eq!(cost_of_usage(target, &request, &endless), None);
    let sketch = super::model("sketch");
    assert_eq!(cost(&sketch.targets[0], &request), Some(Money::ZERO));
}
