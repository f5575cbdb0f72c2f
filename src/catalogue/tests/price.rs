//! What calls cost.

use super::load::made;
use super::*;
use crate::catalogue::{cost, cost_rates, quote};
use crate::types::{Money, TokenRates, Usage};

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
    assert_eq!(cost(&model, target, &request), None);
    let rates = cost_rates(target, &request).unwrap();
    let usage = Usage {
        input_text_tokens: 10,
        input_image_tokens: 40,
        output_tokens: 1_568,
    };
    let paid = Money::from_micros(50 + 320 + 47_040);
    assert_eq!(rates.of(&usage), Some(paid));
    let sketch = super::model("sketch");
    let target = &sketch.targets[0];
    assert_eq!(cost(&sketch, target, &request), Some(Money::ZERO));
    assert_eq!(cost_rates(target, &request), None);
}

#[test]
fn a_text_is_quoted_for_all_that_it_may_take() {
    let check = |body: Value, markup: u32, micros: i64| {
        let request = run("gemini-3.5-flash", body.clone(), Rules::default());
        let model = model("gemini-3.5-flash");
        let quote = quote(&model, &request.unwrap().request, markup).unwrap();
        assert_eq!(quote.total, Money::from_micros(micros), "{body}");
        assert_eq!(quote.unit, quote.total);
    };
    let rates = quote(
        &model("gemini-3.5-flash"),
        &run("gemini-3.5-flash", json!({"prompt": "x"}), Rules::default())
            .unwrap()
            .request,
        1_000,
    );
    let expected = TokenRates {
        input_text: Money::from_micros(1_650_000),
        input_image: Money::from_micros(1_650_000),
        output: Money::from_micros(9_900_000),
    };
    assert_eq!(rates.unwrap().rates, Some(expected));
    // 64 tokens around the words at 1.50 a million, 100 tokens out at 9; a byte is a token at most.
    check(json!({"prompt": "x", "max_tokens": 100}), 0, 98 + 900);
    check(
        json!({"prompt": "x", "max_completion_tokens": 100}),
        0,
        98 + 900,
    );
    check(
        json!({"prompt": "é".repeat(1000), "max_tokens": 100}),
        0,
        3_096 + 900,
    );
    let both = json!({"prompt": "x", "system_prompt": "y".repeat(1999), "max_tokens": 100});
    check(both, 0, 3_096 + 900);
    let pictures = json!({"prompt": "x", "image_urls": ["a", "b"], "max_tokens": 100});
    check(pictures, 0, 98 + 900 + 2 * 3_360);
    // Without a bound of its own it is the model's.
    check(json!({"prompt": "x"}), 0, 98 + 589_824);
    check(json!({"prompt": "x", "max_tokens": 100}), 1_000, 108 + 990);
}
