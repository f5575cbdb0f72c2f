//! Values that mean exactly themselves, and examples as they are printed.

use super::cli::argument;
use super::text::{JSON, PYTHON, literal, quoted, shell};
use super::{Example, read_argument};
use crate::catalogue::form::form;
use crate::catalogue::tests::model;
use crate::types::{Modality, Operation};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn words_of_a_shell() {
    let check = |text: &str, word: &str| assert_eq!(shell(text), word);
    check("size=1024x1024", "size=1024x1024");
    check("http://[::1]:7070", "'http://[::1]:7070'");
    check("", "''");
    check("two words", "'two words'");
    check("it's $HOME", r"'it'\''s $HOME'");
    check("1328*1328", "'1328*1328'");
    check("~/x", "'~/x'");
    check("a\nb\tc", "'a\nb\tc'");
    check("a\u{1b}[31m'\\\n", r"$'a\x1b[31m\'\\\n'");
    check("\u{202e}🦊", r"$'\xe2\x80\xae🦊'");
    check("\0", "$'\u{fffd}'");
}

#[test]
fn literals_of_three_languages() {
    let value = json!({"a": [null, true, 1.5, "x"]});
    assert_eq!(literal(&value, &JSON), r#"{"a": [null, true, 1.5, "x"]}"#);
    assert_eq!(literal(&value, &PYTHON), r#"{"a": [None, True, 1.5, "x"]}"#);
    assert_eq!(
        quoted("\u{85}\u{2028}\u{7f}🦊"),
        "\"\\u0085\\u2028\\u007f🦊\""
    );
}

#[test]
fn given_values_take_their_places_and_bring_what_has_a_meaning_beside_them() {
    let form = form(&model("gpt-image-2"));
    let of = |given: &[(&str, Value)]| {
        let given: Vec<(String, Value)> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        Example::of(
            "gpt-image-2",
            Modality::Image,
            &form,
            Operation::Generate,
            &given,
        )
        .values
    };
    let names = |values: &[(String, Value)]| -> Vec<String> {
        values.iter().map(|(name, _)| name.clone()).collect()
    };
    let plain = names(&of(&[]));
    assert_eq!(plain.first().map(String::as_str), Some("prompt"));
    assert!(
        !plain.contains(&"output_compression".to_owned()),
        "PNG knows none"
    );
    let webp = of(&[("output_format", json!("webp")), ("user", json!("u1"))]);
    assert!(webp.contains(&("output_compression".to_owned(), json!(100))));
    assert_eq!(webp.last(), Some(&("user".to_owned(), json!("u1"))));
    // What was asked for is shown, even where the server will say that it means nothing.
    let png = of(&[("output_compression", json!(50))]);
    assert!(png.contains(&("output_compression".to_owned(), json!(50))));
}

proptest! {
    #[test]
    fn a_quoted_text_reads_back(text in any::<String>()) {
        let read: Value = serde_json::from_str(&quoted(&text)).expect("JSON");
        prop_assert_eq!(read, Value::from(text));
    }

    #[test]
    fn an_argument_reads_back(text in prop_oneof![any::<String>(), "[0-9truefalsn\".e -]{0,6}", any::<i64>().prop_map(|it| it.to_string())], number in any::<i64>(), truth in any::<bool>()) {
        for value in [json!(text), json!(number), json!(truth)] {
            prop_assert_eq!(read_argument(&argument(&value)), value);
        }
    }
}
