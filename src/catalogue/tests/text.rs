//! A model of text: its own formats, and numbers that may be too large.

use super::*;
use crate::types::{Modality, Request};

fn checked(body: Value) -> Checked {
    run("gemini-3.5-flash", body, Rules::default()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn the_form_is_the_one_that_is_known() {
    let form = crate::catalogue::form(&model("gemini-3.5-flash"));
    let entries = form.as_array().unwrap().iter();
    let names: Vec<&str> = entries.filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "system_prompt",
            "prompt",
            "image_urls",
            "image_detail",
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "max_tokens",
            "response_format",
            "stream"
        ]
    );
}

#[test]
fn a_request_knows_what_it_makes() {
    let request = checked(json!({"prompt": "x"})).request;
    assert_eq!(request.modality(), Modality::Text);
    let stored = serde_json::to_value(&request).unwrap();
    assert_eq!(stored["modality"], "text");
    // Requests of images were stored without the word.
    let mut older = serde_json::to_value(accepted(json!({"prompt": "x"})).request).unwrap();
    older.as_object_mut().unwrap().remove("modality");
    let older: Request = serde_json::from_value(older).unwrap();
    assert_eq!(older.modality(), Modality::Image);
}

#[test]
fn too_many_tokens_mean_as_many_as_there_are() {
    for (name, sent) in [
        ("max_tokens", json!(65_537)),
        ("max_completion_tokens", json!("200000")),
        ("max_tokens", json!(9_000_000_000_000_000_000_u64)),
    ] {
        let checked = checked(json!({"prompt": "x", name: sent}));
        assert_eq!(checked.request.integer("max_tokens"), Some(65_536));
        assert_eq!(checked.adapted, ["max_tokens=65536"], "{sent}");
        let faults = run(
            "gemini-3.5-flash",
            json!({"prompt": "x", name: sent}),
            reject(),
        );
        let faults = faults.unwrap_err();
        assert_eq!(
            (faults[0].param.as_str(), faults[0].code),
            (name, "out_of_range")
        );
    }
    assert!(
        checked(json!({"prompt": "x", "max_tokens": 65_536}))
            .adapted
            .is_empty()
    );
    // Too few, or no whole number, is a mistake like any other; and so is too much of anything else.
    for (name, wrong) in [
        ("max_tokens", json!(0)),
        ("max_tokens", json!(70_000.5)),
        ("max_tokens", json!(true)),
        ("temperature", json!(2.1)),
        ("n", json!(2)),
    ] {
        let faults = run(
            "gemini-3.5-flash",
            json!({"prompt": "x", name: wrong}),
            Rules::default(),
        );
        assert_eq!(faults.unwrap_err()[0].param, name, "{wrong}");
    }
}

#[test]
fn its_response_format_is_its_own() {
    let own = checked(json!({"prompt": "x", "response_format": "json_object"}));
    assert_eq!(own.request.text("response_format"), Some("json_object"));
    let faults = run(
        "gemini-3.5-flash",
        json!({"prompt": "x", "response_format": "b64_json"}),
        Rules::default(),
    );
    assert_eq!(
        faults.unwrap_err()[0].message,
        "`response_format` must be one of text, json_object; got \"b64_json\""
    );
    assert_eq!(
        refused(json!({"prompt": "x", "response_format": "json_object"}))[0].code,
        "invalid_enum"
    );
}
