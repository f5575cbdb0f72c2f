//! Values that nobody sends by mistake.

use super::load::made;
use super::*;

/// One parameter of every kind, without bounds where a kind can do without.
pub(super) const EVERY_KIND: &str = r#"
[[parameter]]
name = "text"
type = "string"
description = "d"
[[parameter]]
name = "choice"
type = "enum"
enum = ["a", 5]
description = "d"
[[parameter]]
name = "whole"
type = "integer"
description = "d"
[[parameter]]
name = "number"
type = "number"
minimum = -2
maximum = 2
step = 0.1
description = "d"
[[parameter]]
name = "free"
type = "number"
description = "d"
[[parameter]]
name = "yes"
type = "boolean"
description = "d"
[[parameter]]
name = "picture"
type = "image"
description = "d"
[[parameter]]
name = "pictures"
type = "images"
description = "d"
[[parameter]]
name = "words"
type = "strings"
max_length = 3
max_items = 2
description = "d"
[[parameter]]
name = "anything"
type = "object"
description = "d"
"#;

fn hostile_values() -> Vec<Value> {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([{"url": deep}]);
    }
    let texts = [
        "",
        " ",
        "\u{0}",
        "1e309",
        "NaN",
        "-",
        "9e9",
        "x\u{202e}y",
        "１",
        "data:,",
        "99999999999999999999999",
    ];
    let mut values = vec![
        json!(9_223_372_036_854_775_808_u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(f64::MAX),
        json!(f64::MIN_POSITIVE),
        json!(-0.0),
        json!(1e19),
        json!([]),
        json!({}),
        json!([null]),
        json!([[[]]]),
        json!({"image_url": {"url": {}}}),
        json!({"url": null, "file_id": ""}),
        json!(true),
        deep,
        json!("é".repeat(100_000)),
    ];
    values.extend(texts.map(Value::from));
    values
}

#[test]
fn no_value_panics_and_little_of_it_is_echoed() {
    for model in [
        model("gpt-image-2"),
        model("NBP"),
        model("qwen-image-plus"),
        made(EVERY_KIND),
    ] {
        let parameters = model.parameters.iter().map(|it| it.name.as_str());
        let names: Vec<&str> = parameters
            .chain(super::super::envelope::NAMES.iter().copied())
            .chain(["zz"])
            .collect();
        for value in hostile_values() {
            for name in &names {
                let mut draft = Draft::default();
                draft.push(name, value.clone());
                for fault in check(&model, draft, &Rules::default())
                    .err()
                    .unwrap_or_default()
                {
                    assert!(
                        fault.message.chars().count() < 400,
                        "{name}: {}",
                        fault.message
                    );
                    assert!(!fault.message.contains(&"é".repeat(61)), "{name}");
                }
            }
        }
    }
}

#[test]
fn huge_counts_are_out_of_range() {
    let check = |n: Value| {
        let faults = refused(json!({"prompt": "x", "n": n}));
        assert_eq!(faults[0].code, "out_of_range", "{n}");
    };
    for n in [
        json!(1_u64 << 63),
        json!(f64::MAX),
        json!(i64::MIN),
        json!(0),
        json!(-1),
        json!(4_294_967_297_i64),
    ] {
        check(n);
    }
}

#[test]
fn a_flood_of_unknown_names_is_answered_briefly() {
    let mut draft = Draft::default();
    for index in 0..10_000 {
        draft.push(&format!("{index}{}", "z".repeat(200)), json!(1));
    }
    let faults = check(&model("sketch"), draft, &Rules::default()).unwrap_err();
    assert_eq!(faults.len(), 65);
    assert_eq!(faults[64].message, "and 9937 more faults");
    assert!(
        faults
            .iter()
            .all(|fault| fault.param.chars().count() <= 121 && fault.message.len() < 200)
    );
}

#[test]
fn a_model_without_n_makes_one_image_a_call() {
    let model = made("");
    let of = |n: Value| check(&model, draft(json!({"n": n})), &Rules::default());
    assert_eq!(of(json!(1)).unwrap().request.n(), 1);
    assert_eq!(of(json!("1")).unwrap().adapted, ["n=1"]);
    assert_eq!(
        of(json!(2)).unwrap_err()[0].message,
        "`n` must be 1, because small makes one image a call, got 2"
    );
}

#[test]
fn what_a_bare_model_cannot_use_is_dropped_and_said() {
    let model = made("");
    let body =
        json!({"prompt": "x", "partial_images": 2, "quality": "auto", "output_compression": 9});
    let checked = check(&model, draft(body.clone()), &Rules::default()).unwrap();
    let mut adapted = checked.adapted;
    adapted.sort();
    let dropped = ["output_compression", "partial_images", "prompt", "quality"];
    assert_eq!(adapted, dropped.map(|name| format!("{name}=dropped")));
    assert_eq!(check(&model, draft(body), &reject()).unwrap_err().len(), 4);
    let jpeg = json!({"output_format": "jpeg", "output_compression": 9, "quality": "high"});
    assert_eq!(
        check(&model, draft(jpeg), &Rules::default())
            .unwrap_err()
            .len(),
        3
    );
}

#[test]
fn a_model_with_its_own_response_format_keeps_it() {
    let model = made(
        "[[parameter]]\nname = \"response_format\"\ntype = \"enum\"\nenum = [\"text\", \"json_object\"]\n\
         default = \"text\"\ndescription = \"d\"\n[[parameter]]\nname = \"stream\"\ntype = \"boolean\"\n\
         description = \"d\"\n",
    );
    let of = |format: &str| {
        let body = json!({"response_format": format, "stream": true});
        check(&model, draft(body), &Rules::default())
    };
    let checked = of("json_object").unwrap();
    assert!(checked.stream);
    assert_eq!(checked.request.text("response_format"), Some("json_object"));
    assert_eq!(of("url").unwrap_err()[0].code, "invalid_enum");
}

#[test]
fn two_names_of_one_parameter_must_agree() {
    let model = made(
        "[[parameter]]\nname = \"ratio\"\naliases = [\"aspect_ratio\"]\ntype = \"string\"\ndescription = \"d\"\n",
    );
    let of = |other: &str| {
        let body = json!({"ratio": "1:1", "aspect_ratio": other});
        check(&model, draft(body), &Rules::default())
    };
    assert!(of("1:1").is_ok());
    let faults = of("2:1").unwrap_err();
    assert_eq!(faults[0].code, "conflicting_values");
    assert!(faults[0].message.contains("`aspect_ratio`") && faults[0].message.contains("`ratio`"));
}
