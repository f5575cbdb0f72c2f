//! Values that mean exactly themselves, and examples as they are printed.

use super::cli::argument;
use super::text::{JSON, PYTHON, literal, quoted, shell};
use super::{Example, Language, read_argument, snippet};
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

#[test]
fn a_name_never_becomes_code() {
    const ODD: &str = "x\": __import__(\"os\").abort(), 'y";
    let example = |operation, modality| Example {
        model: "m".to_owned(),
        modality,
        operation,
        values: vec![
            (ODD.to_owned(), json!(1)),
            ("__proto__".to_owned(), json!(2)),
        ],
        images: Vec::new(),
        mask: None,
    };
    for modality in [Modality::Image, Modality::Text] {
        let generate = example(Operation::Generate, modality);
        let show = |language| snippet(&generate, language, "http://127.0.0.1:7070");
        let in_shell = shell(&quoted(ODD));
        let in_shell = in_shell.trim_matches('\'');
        for (language, expected) in [
            (Language::Curl, format!("{in_shell}: 1")),
            (
                Language::Python,
                format!("extra_body={{{}: 1, \"__proto__\": 2}}", quoted(ODD)),
            ),
            (
                Language::JavaScript,
                format!("  {}: 1,\n  [\"__proto__\"]: 2,\n", quoted(ODD)),
            ),
            (Language::Cli, format!("-p {}", shell(&format!("{ODD}=1")))),
        ] {
            let code = show(language);
            assert!(code.contains(&expected), "{expected} is not in {code}");
        }
    }
    let edit = snippet(
        &example(Operation::Edit, Modality::Image),
        Language::Curl,
        "http://x",
    );
    let field = shell(&format!("{ODD}=1"));
    assert!(edit.contains(&format!("--form-string {field}")), "{edit}");
}

#[test]
fn a_file_named_like_the_standard_input_is_a_file() {
    let example = Example {
        model: "m".to_owned(),
        modality: Modality::Image,
        operation: Operation::Edit,
        values: Vec::new(),
        images: vec!["-".to_owned()],
        mask: Some("-a,b".to_owned()),
    };
    let code = snippet(&example, Language::Curl, "http://x");
    assert!(code.contains("-F image=@./- "), "{code}");
    assert!(code.contains("-F 'mask=@\"./-a,b\"'"), "{code}");
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
