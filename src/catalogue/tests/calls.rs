//! Calls that pass, calls that are adapted, calls that are refused.

use super::*;
use crate::catalogue::ImageInput;
use crate::types::Operation;

/// The body of the seed for `gpt-image-2`, with a short prompt.
fn seed_body() -> Value {
    json!({
        "model": "gpt-image-2", "prompt": "A vibrant poster", "size": "1024x1024",
        "background": "auto", "moderation": "auto", "n": 1, "quality": "high", "output_format": "png",
        "output_compression": 100, "partial_images": 0, "stream": true,
    })
}

#[test]
fn the_body_of_the_seed_passes() {
    let checked = accepted(seed_body());
    assert!(checked.stream);
    assert_eq!(checked.adapted, ["output_compression=dropped"]);
    let request = checked.request;
    assert_eq!(request.model(), "gpt-image-2");
    assert_eq!(request.operation(), Operation::Generate);
    assert_eq!(request.n(), 1);
    assert_eq!(request.text("quality"), Some("high"));
    assert_eq!(request.integer("output_compression"), None);
}

#[test]
fn defaults_are_filled_in_and_null_says_nothing() {
    let checked = accepted(json!({"prompt": "x", "size": null, "sise": null, "n": null}));
    let expected = json!({
        "prompt": "x", "size": "1024x1024", "background": "auto", "quality": "medium",
        "output_format": "png", "partial_images": 0, "moderation": "auto",
    });
    assert_eq!(json!(checked.request.parameters()), expected);
    assert_eq!(checked.request.n(), 1);
    assert!(!checked.stream && checked.adapted.is_empty());
    let jpeg = accepted(json!({"prompt": "x", "output_format": "jpeg"}));
    assert_eq!(jpeg.request.integer("output_compression"), Some(100));
}

#[test]
fn each_fault_names_the_path_and_what_would_be_right() {
    let check = |more: Value, param: &str, code: &str, message: &str| {
        let mut body = json!({"prompt": "x"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let faults = refused(body);
        let [fault] = &faults[..] else {
            panic!("one fault expected: {faults:?}")
        };
        assert_eq!(
            (&*fault.param, fault.code, &*fault.message),
            (param, code, message)
        );
    };
    check(
        json!({"n": 12}),
        "n",
        "out_of_range",
        "`n` must be between 1 and 10, got 12",
    );
    check(
        json!({"n": "12"}),
        "n",
        "out_of_range",
        "`n` must be between 1 and 10, got \"12\"",
    );
    check(
        json!({"n": 1.5}),
        "n",
        "invalid_type",
        "`n` must be a whole number, got 1.5",
    );
    check(
        json!({"n": [1]}),
        "n",
        "invalid_type",
        "`n` must be a whole number, got a list of 1",
    );
    check(
        json!({"quality": "ultra"}),
        "quality",
        "invalid_enum",
        "`quality` must be one of low, medium, high; got \"ultra\"",
    );
    check(
        json!({"quality": 3}),
        "quality",
        "invalid_type",
        "`quality` must be one of low, medium, high; got 3",
    );
    check(
        json!({"sise": "1024x1024"}),
        "sise",
        "unknown_parameter",
        "`sise` is not a parameter of gpt-image-2; did you mean `size`?",
    );
    check(
        json!({"negative_prompt": "rain"}),
        "negative_prompt",
        "unknown_parameter",
        "`negative_prompt` is not a parameter of gpt-image-2",
    );
    check(
        json!({"prompt": "x".repeat(32_001)}),
        "prompt",
        "too_long",
        "`prompt` must have at most 32000 characters, got 32001",
    );
    check(
        json!({"prompt": "  "}),
        "prompt",
        "too_short",
        "`prompt` must not be empty",
    );
    check(
        json!({"prompt": null}),
        "prompt",
        "missing_parameter",
        "`prompt` is required",
    );
    check(
        json!({"background": "transparent", "output_format": "jpeg"}),
        "background",
        "conflicting_values",
        "a transparent background needs `output_format` png or webp; jpeg has no transparency",
    );
    check(
        json!({"response_format": "png"}),
        "response_format",
        "invalid_enum",
        "`response_format` must be one of b64_json, url, both; got \"png\"",
    );
    check(
        json!({"mask": "https://a.example/m.png"}),
        "image",
        "missing_parameter",
        "`image` is required",
    );
    check(
        json!({"stream": "yes"}),
        "stream",
        "invalid_type",
        "`stream` must be true or false, got \"yes\"",
    );
    check(
        json!({"callback_url": "ftp://a.example"}),
        "callback_url",
        "invalid_url",
        "`callback_url` must be a URL with http:// or https://",
    );
    check(
        json!({"max_cost": "1e3"}),
        "max_cost",
        "out_of_range",
        "`max_cost` must be an amount in dollars below 1000000000 with at most six decimal places, like 0.25, got \"1e3\"",
    );
}

#[test]
fn a_prompt_counts_characters_not_bytes() {
    accepted(json!({"prompt": "岳".repeat(32_000)}));
}

#[test]
fn all_faults_come_at_once_in_the_order_of_the_client() {
    let mut draft = Draft::default();
    let sent = [
        ("size", "parameters.size", json!("17x17")),
        ("sise", "parameters.sise", json!(1)),
        ("background", "parameters.background", json!("transparent")),
        ("n", "n", json!(0)),
        ("output_format", "parameters.output_format", json!("jpeg")),
    ];
    for (name, path, value) in sent {
        draft.push(name, value);
        draft.fields.last_mut().unwrap().path = path.to_owned();
    }
    let faults = check(&model("gpt-image-2"), draft, &Rules::default()).unwrap_err();
    let seen: Vec<_> = faults.iter().map(|it| (&*it.param, it.code)).collect();
    assert_eq!(
        seen,
        [
            ("parameters.size", "out_of_range"),
            ("parameters.sise", "unknown_parameter"),
            ("parameters.background", "conflicting_values"),
            ("n", "out_of_range"),
            ("prompt", "missing_parameter"),
        ]
    );
    assert!(
        faults[0]
            .message
            .starts_with("`parameters.size` must be one of 1024x1024, ")
    );
}

#[test]
fn sizes_beyond_the_list_obey_the_also_rule() {
    let check = |size: &str, right: bool| {
        let outcome = run(
            "gpt-image-2",
            json!({"prompt": "x", "size": size}),
            Rules::default(),
        );
        assert_eq!(outcome.is_ok(), right, "{size}: {outcome:?}");
    };
    for right in [
        "1024x768",
        "3840x2160",
        "2160x3840",
        "816x816",
        "2560x1440",
        "1584x528",
    ] {
        check(right, true);
    }
    for wrong in [
        "1920x1080",
        "3856x2160",
        "3840x1264",
        "800x800",
        "1600x528",
        "3840x2176",
        "1024X1024",
        "1040*1024",
        "1:1",
        "01024x1024",
        "",
        "0x0",
    ] {
        check(wrong, false);
    }
}

#[test]
fn numbers_in_texts_and_hints_are_adapted_and_reported_or_refused() {
    let check = |more: Value, adapted: &[&str], code: &str| {
        let mut body = json!({"prompt": "x"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        assert_eq!(accepted(body.clone()).adapted, adapted, "{more}");
        let faults = run("gpt-image-2", body, reject()).unwrap_err();
        assert_eq!(
            (faults.len(), faults[0].code),
            (1, code),
            "{more}: {faults:?}"
        );
    };
    check(json!({"n": "1"}), &["n=1"], "invalid_type");
    check(
        json!({"partial_images": "2"}),
        &["partial_images=2"],
        "invalid_type",
    );
    check(json!({"stream": "true"}), &["stream=true"], "invalid_type");
    check(
        json!({"style": "vivid"}),
        &["style=dropped"],
        "unknown_parameter",
    );
    check(
        json!({"input_fidelity": "high"}),
        &["input_fidelity=dropped"],
        "unknown_parameter",
    );
    check(
        json!({"quality": "auto"}),
        &["quality=dropped"],
        "invalid_enum",
    );
    check(json!({"size": "auto"}), &["size=dropped"], "invalid_enum");
    check(
        json!({"output_compression": 80}),
        &["output_compression=dropped"],
        "conflicting_values",
    );
}

#[test]
fn what_is_dropped_leaves_the_default() {
    let request = accepted(json!({"prompt": "x", "quality": "auto", "size": "auto"})).request;
    assert_eq!(
        (request.text("quality"), request.text("size")),
        (Some("medium"), Some("1024x1024"))
    );
}

#[test]
fn a_form_has_only_texts_so_reading_numbers_is_no_adaptation() {
    let rules = Rules {
        untyped_body: true,
        ..reject()
    };
    let body = json!({"prompt": "x", "n": "2", "stream": "false", "image": "mark"});
    let checked = run("gpt-image-2", body, rules).unwrap();
    assert_eq!((checked.request.n(), checked.adapted.len()), (2, 0));
}

#[test]
fn an_image_makes_an_edit_under_any_of_its_names() {
    for name in ["image", "image[]", "images", "image_url", "image_urls"] {
        let checked = accepted(json!({"prompt": "x", name: "https://a.example/1.png"}));
        assert_eq!(checked.request.operation(), Operation::Edit, "{name}");
        assert_eq!(
            checked.images,
            [ImageInput::Link {
                url: "https://a.example/1.png".into(),
                path: name.into()
            }]
        );
    }
    let both = accepted(json!({
        "prompt": "x",
        "image": [{"image_url": {"url": "u1"}}, {"file_id": "file_2"}],
        "image_urls": ["u3"],
        "mask": {"image_url": "m"},
    }));
    let link = |text: &str, path: &str| ImageInput::Link {
        url: text.to_owned(),
        path: path.to_owned(),
    };
    let file = |id: &str, path: &str| ImageInput::File {
        id: id.to_owned(),
        path: path.to_owned(),
    };
    assert_eq!(
        both.images,
        [
            link("u1", "image[0].image_url.url"),
            file("file_2", "image[1].file_id"),
            link("u3", "image_urls[0]"),
        ]
    );
    assert_eq!(both.mask, Some(link("m", "mask.image_url")));
    // As a form says it; and joined from two places, each keeps its own.
    let id = "file-0123456789abcdef0123456789abcdef";
    let named = accepted(json!({
        "prompt": "x",
        "images": ["u1", id],
        "image_url": {"file_id": "file_2"},
        "mask": [{"file_id": id}],
    }));
    // `json!` sorts its fields.
    assert_eq!(
        named.images,
        [
            file("file_2", "image_url.file_id"),
            link("u1", "images[0]"),
            file(id, "images[1]")
        ]
    );
    assert_eq!(named.mask, Some(file(id, "mask[0].file_id")));
    let none = accepted(json!({"prompt": "x", "images": []}));
    assert_eq!(none.request.operation(), Operation::Generate);
}

#[test]
fn images_are_never_dropped_and_never_too_many() {
    let codes = |body: Value| refused(body).iter().map(|it| it.code).collect::<Vec<_>>();
    let many = vec!["u"; 17];
    assert_eq!(
        codes(json!({"prompt": "x", "image": many})),
        ["out_of_range"]
    );
    assert_eq!(
        codes(json!({"prompt": "x", "image": vec!["u"; 16], "images": ["v"]})),
        ["out_of_range"]
    );
    assert_eq!(
        codes(json!({"prompt": "x", "image": [{"image_url": "u", "file_id": "f"}]})),
        ["invalid_type"]
    );
    assert_eq!(
        codes(json!({"prompt": "x", "image": "u", "mask": ["m", "m"]})),
        ["out_of_range"]
    );
    assert_eq!(
        refused(json!({"prompt": "x", "image": ["u", 5]}))[0].message,
        "`image[1]` must be a URL, a data URL or an object with `image_url` or `file_id`; got 5"
    );
}

#[test]
fn the_path_may_name_the_operation() {
    let edit = Rules {
        operation: Some(Operation::Edit),
        ..Rules::default()
    };
    let faults = run("gpt-image-2", json!({"prompt": "x"}), edit).unwrap_err();
    assert_eq!(
        (&*faults[0].param, faults[0].code),
        ("image", "missing_parameter")
    );
    let generate = Rules {
        operation: Some(Operation::Generate),
        ..Rules::default()
    };
    let faults = run(
        "gpt-image-2",
        json!({"prompt": "x", "image": "u"}),
        generate,
    )
    .unwrap_err();
    assert_eq!(faults[0].code, "not_supported_by_operation");
}

#[test]
fn there_is_no_edit_without_an_image() {
    let edit = Rules {
        operation: Some(Operation::Edit),
        ..Rules::default()
    };
    let faults = run("NBP", json!({"prompt": "x"}), edit).unwrap_err();
    assert_eq!(
        (&*faults[0].param, faults[0].code),
        ("images", "missing_parameter")
    );
    assert!(
        run(
            "NBP",
            json!({"prompt": "x", "images": []}),
            Rules::default()
        )
        .is_ok()
    );
}

#[test]
fn a_ratio_is_a_size_where_the_model_has_sizes_alone() {
    let check = |id: &str, ratio: Value, size: Option<&str>| {
        let body = json!({"prompt": "x", "aspect_ratio": ratio});
        match (run(id, body.clone(), Rules::default()), size) {
            (Ok(checked), Some(size)) => {
                assert_eq!(checked.request.text("size"), Some(size));
                assert_eq!(checked.adapted, [format!("size={size}")]);
                let refused = run(id, body, reject()).unwrap_err();
                assert_eq!(refused[0].param, "aspect_ratio");
            }
            (Err(faults), None) => {
                assert_eq!(faults[0].code, "invalid_enum", "{faults:?}");
                assert!(faults[0].message.contains("1024x1024"), "{faults:?}");
            }
            (outcome, _) => panic!("{id} {ratio}: {outcome:?}"),
        }
    };
    check("NBP", json!("16:9"), Some("16:9"));
    check("gpt-image-2", json!("1:1"), Some("1024x1024"));
    check("gpt-image-2", json!("3:2"), Some("1536x1024"));
    check("sketch", json!("16:9"), Some("1920x1080"));
    for wrong in [json!("16:9"), json!("0:1"), json!("wide"), json!(1.5)] {
        check("gpt-image-2", wrong, None);
    }
    let twice = json!({"prompt": "x", "size": "1024x1024", "aspect_ratio": "3:2"});
    assert_eq!(refused(twice)[0].code, "conflicting_values");
    // A model with ratios of its own has its say.
    let own = run(
        "gpt-image-2-beta",
        json!({"prompt": "x", "aspect_ratio": "16:9"}),
        Rules::default(),
    );
    assert!(own.unwrap().adapted.is_empty());
}

#[test]
fn a_hint_that_an_edit_has_no_place_for_is_dropped_reported_and_refused_under_reject() {
    let catalogue = Catalogue::embedded().expect("it is sound");
    let model = catalogue.find("gpt-image-2").expect("it is there");
    let edit = || {
        let mut draft = Draft::default();
        draft.push("prompt", json!("more fog"));
        draft.push("image", json!(["https://example.com/a.png"]));
        draft.push("moderation", json!("low"));
        draft
    };
    let checked = check(model, edit(), &Rules::default()).expect("it passes");
    assert_eq!(checked.adapted, ["moderation=dropped"]);
    assert_eq!(checked.request.text("moderation"), None);
    let reject = Rules {
        reject_adaptation: true,
        ..Rules::default()
    };
    let faults = check(model, edit(), &reject).expect_err("nothing may be dropped");
    assert_eq!(faults[0].code, "not_supported_by_operation");
}
