//! Bodies in three shapes: what each becomes, what of it is refused and where the fault points.

use super::decode;
use crate::catalogue::{Catalogue, Checked, ImageInput, Rules, check};
use crate::error::{Error, Kind};
use crate::types::Operation;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::embedded().unwrap_or_else(|problems| panic!("{problems}")));

fn try_check(body: &str, reject_adaptation: bool) -> Result<Checked, Error> {
    let draft = decode(body.as_bytes())?;
    let model = draft.field("model").and_then(|field| field.value.as_str());
    let model = CATALOGUE.find(model.unwrap_or("NBP")).expect("a model");
    let rules = Rules {
        reject_adaptation,
        ..Rules::default()
    };
    check(model, draft, &rules).map_err(Error::faults)
}

fn accepted(body: Value) -> Checked {
    try_check(&body.to_string(), false).unwrap_or_else(|error| panic!("{:?}", error.faults))
}

/// The only fault of a body.
#[track_caller]
fn refused(body: Value, param: &str, code: &str, message: &str) {
    let error = try_check(&body.to_string(), false).expect_err("refused");
    let [fault] = &error.faults[..] else {
        panic!("one fault expected: {error:?}")
    };
    assert_eq!(
        (&*fault.param, fault.code, &*fault.message),
        (param, code, message)
    );
}

/// A draft, a line a field, long texts cut.
fn lines(body: &str) -> Vec<String> {
    let draft = decode(body.as_bytes()).expect("a draft");
    let line = |field: &crate::types::Field| {
        let value: String = field.value.to_string().chars().take(24).collect();
        format!("{} < {} = {value}", field.name, field.path)
    };
    draft.fields.iter().map(line).collect()
}

fn says(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

#[test]
fn the_body_of_a_text_model() {
    let expected = [
        "system_prompt < messages[0].content = \"You are a senior softwa",
        "image_detail < messages[1].content[1].image_url.detail = \"high\"",
        "image < messages[1].content[1].image_url = {\"detail\":\"high\",\"url\":\"",
        "prompt < messages[1].content[0].text = \"Describe this image and",
        "model < model = \"gemini-3.5-flash\"",
        "temperature < temperature = 0.7",
        "top_p < top_p = 1",
        "presence_penalty < presence_penalty = 0",
        "frequency_penalty < frequency_penalty = 0",
        "max_tokens < max_tokens = 4096",
        "stream < stream = true",
    ];
    assert_eq!(lines(include_str!("seeds/gemini-3.5-flash.json")), expected);
}

#[test]
fn the_bodies_of_the_task_service() {
    let check = |more: Value, operation: Operation, images: usize| {
        let mut body = json!({"model": "gpt-image-2-beta", "prompt": "x"});
        let body_map = body.as_object_mut().expect("an object");
        body_map.extend(more.as_object().expect("an object").clone());
        let checked = accepted(body);
        assert_eq!(checked.request.operation(), operation);
        assert_eq!(checked.images.len(), images);
        assert!(checked.adapted.is_empty());
        checked
    };
    let plain = check(json!({"aspect_ratio": "16:9"}), Operation::Generate, 0);
    assert_eq!(plain.request.parameters()["nsfw_checker"], false);
    check(
        json!({"image_url": "https://example.com/product.jpg", "aspect_ratio": "4:3"}),
        Operation::Edit,
        1,
    );
    let two = json!([
        "https://example.com/model.jpg",
        "https://example.com/outfit.jpg"
    ]);
    check(json!({"image_urls": two}), Operation::Edit, 2);
    let safe = check(
        json!({"aspect_ratio": "1:1", "nsfw_checker": true}),
        Operation::Generate,
        0,
    );
    assert_eq!(safe.request.parameters()["nsfw_checker"], true);
    let told = check(
        json!({"callback_url": "https://your-domain.com/webhook/image"}),
        Operation::Generate,
        0,
    );
    assert!(told.callback_url.is_some());
    let lite = accepted(json!({"model": "gpt-image-2-lite", "prompt": "x", "n": 4}));
    assert_eq!(lite.request.n(), 4);
    refused(
        json!({"model": "gpt-image-2-beta", "prompt": "x", "n": 2}),
        "n",
        "out_of_range",
        "`n` must be 1, because gpt-image-2-beta makes one image a call, got 2",
    );
    refused(
        json!({"model": "sparkpix-image-edit", "prompt": "x"}),
        "image_urls",
        "missing_parameter",
        "`image_urls` is required",
    );
    let edited = json!({"model": "sparkpix-image-edit", "prompt": "x", "image_url": "https://a.example/b.png"});
    assert_eq!(accepted(edited).request.operation(), Operation::Edit);
}

#[test]
fn a_prompt_at_the_top_wins_and_null_says_nothing() {
    let prompt = |body: Value| accepted(body).request.prompt().to_owned();
    assert_eq!(prompt(json!({"messages": says("a"), "prompt": "b"})), "b");
    assert_eq!(prompt(json!({"messages": says("a"), "prompt": null})), "a");
    assert_eq!(prompt(json!({"input": null, "messages": says("a")})), "a");
    assert_eq!(prompt(json!({"messages": null, "prompt": "b"})), "b");
    assert_eq!(
        prompt(json!({"input": {"messages": says("a")}, "parameters": null, "prompt": "b"})),
        "b"
    );
    assert_eq!(
        prompt(json!({"input": {"prompt": "a", "messages": null}})),
        "a"
    );
    let parts = json!([{"text": "a"}, {"type": "text", "text": "b"}]);
    let messages = json!([{"role": "user", "content": parts}, {"role": "user", "content": "c"}]);
    assert_eq!(prompt(json!({"messages": messages})), "a\nb\nc");
}

#[test]
fn a_system_message_stands_before_the_prompt_and_is_reported() {
    let messages = json!([
        {"role": "user", "content": "a fox"},
        {"role": "system", "content": "Only watercolours."},
        {"role": "developer", "content": [{"type": "text", "text": "No text."}]},
    ]);
    let checked = accepted(json!({"messages": messages}));
    assert_eq!(
        checked.request.prompt(),
        "Only watercolours.\nNo text.\n\na fox"
    );
    assert_eq!(checked.adapted, ["system_prompt=prompt"]);
    let strict = try_check(&json!({"messages": messages}).to_string(), true);
    let error = strict.expect_err("refused");
    assert_eq!(error.faults[0].param, "messages");
    let long = json!([{"role": "system", "content": "x".repeat(800)}, {"role": "user", "content": "a fox"}]);
    refused(
        json!({"model": "qwen-image-plus", "messages": long}),
        "messages[1].content",
        "too_long",
        "`messages[1].content` must have at most 800 characters, got 807",
    );
}

#[test]
fn images_of_both_places_are_joined_those_of_the_messages_first() {
    let parts = json!([
        {"type": "image_url", "image_url": {"url": "https://a.example/1.png", "detail": "high"}},
        {"image": "https://a.example/2.png"},
        {"text": "x"},
        {"type": "image_url", "image_url": "https://a.example/3.png"},
    ]);
    let body = json!({
        "images": ["https://a.example/4.png"],
        "image_url": "https://a.example/5.png",
        "messages": [{"role": "user", "content": parts}],
    });
    let checked = accepted(body);
    let links: Vec<String> = checked
        .images
        .iter()
        .filter_map(|image| match image {
            ImageInput::Link { url, .. } => Some(url.clone()),
            ImageInput::File { .. } => None,
        })
        .collect();
    let expected = ["1", "2", "3", "4", "5"].map(|it| format!("https://a.example/{it}.png"));
    let mut sorted = links.clone();
    sorted.sort();
    assert_eq!(links[..3], expected[..3]);
    assert_eq!(sorted, expected);
    assert_eq!(checked.request.operation(), Operation::Edit);
    assert_eq!(checked.adapted, ["image_detail=dropped"]);
}

#[test]
fn drafts_with_other_images_are_other_drafts() {
    let canonical = |first: &str| {
        let parts = json!([{"image": first}, {"image": "https://a.example/2.png"}, {"text": "x"}]);
        let body = json!({"messages": [{"role": "user", "content": parts}]});
        let draft = decode(body.to_string().as_bytes()).expect("a draft");
        draft.canonical()
    };
    assert_ne!(
        canonical("https://a.example/1.png"),
        canonical("https://a.example/3.png")
    );
    let of = |body: Value| decode(body.to_string().as_bytes()).map(|it| it.canonical());
    let flat = of(json!({"model": "NBP", "prompt": "x", "size": "1:1"}));
    assert_eq!(
        flat,
        of(json!({"size": "1:1", "model": "NBP", "messages": says("x")}))
    );
    let parameters = json!({"size": "1:1", "model": null});
    assert_eq!(
        flat,
        of(json!({"model": "NBP", "input": {"prompt": "x"}, "parameters": parameters}))
    );
}

#[test]
fn what_stands_twice_must_agree() {
    let body = |more: Value| {
        let mut body = json!({
            "model": "qwen-image-plus",
            "input": {"messages": says("x")},
            "parameters": {"size": "1328*1328", "n": 1},
        });
        let map = body.as_object_mut().expect("an object");
        map.extend(more.as_object().expect("an object").clone());
        body
    };
    accepted(body(json!({"size": "1328*1328", "n": 1})));
    assert_eq!(
        accepted(body(json!({"size": "1328x1328"}))).adapted,
        ["size=1328*1328"]
    );
    refused(
        body(json!({"size": "1664*928"})),
        "size",
        "conflicting_values",
        "`parameters.size` and `size` both say `size` and differ; send one of them",
    );
    refused(
        body(json!({"parameters": {"stream": true}, "stream": false})),
        "stream",
        "conflicting_values",
        "`parameters.stream` and `stream` both say `stream` and differ; send one of them",
    );
    refused(
        body(json!({"parameters": {"model": "qwen-image-plus", "prompt": "x"}, "prompt": "y"})),
        "prompt",
        "conflicting_values",
        "`parameters.prompt` and `prompt` both say `prompt` and differ; send one of them",
    );
    refused(
        json!({"model": "gpt-image-2", "input": {"prompt": "x"}, "parameters": {"n": 2}, "n": 3}),
        "n",
        "conflicting_values",
        "`parameters.n` and `n` both say `n` and differ; send one of them",
    );
    let system = json!([{"role": "system", "content": "a"}, {"role": "user", "content": "x"}]);
    refused(
        json!({"messages": system, "system_prompt": "b"}),
        "system_prompt",
        "conflicting_values",
        "`messages[0].content` and `system_prompt` both say `system_prompt` and differ; send one of them",
    );
}

#[test]
fn pixels_become_ratio_and_tier_where_the_table_holds_them() {
    let of = |more: Value| {
        let mut body = json!({"model": "NBP", "prompt": "x"});
        let map = body.as_object_mut().expect("an object");
        map.extend(more.as_object().expect("an object").clone());
        body
    };
    let checked = accepted(of(json!({"size": "2752x1536"})));
    let request = &checked.request;
    assert_eq!(
        (request.text("size"), request.text("quality")),
        (Some("16:9"), Some("2K"))
    );
    let mut adapted = checked.adapted.clone();
    adapted.sort();
    assert_eq!(adapted, ["quality=2K", "size=16:9"]);
    accepted(of(json!({"size": "1024x1024", "quality": "1K"})));
    accepted(of(json!({"size": "auto", "quality": "auto"})));
    refused(
        of(json!({"quality": "4K", "size": "1024x1024"})),
        "size",
        "conflicting_values",
        "`quality` and `size` both say `quality` and differ; send one of them",
    );
    refused(
        of(json!({"size": "1536x1024"})),
        "size",
        "invalid_enum",
        "`size` must be one of 1:1, 2:3, 3:2, 3:4, 4:3, 4:5, 5:4, 9:16, 16:9, 21:9, 1:4, 4:1, 1:8, 8:1; got \"1536x1024\"",
    );
    let strict = try_check(&of(json!({"size": "1024x1024"})).to_string(), true);
    assert_eq!(
        strict.expect_err("refused").message,
        "`size` must be written as `quality` 1K and `size` 1:1"
    );
}

#[test]
fn a_size_is_read_with_either_separator() {
    let size = |model: &str, size: &str| {
        let checked = accepted(json!({"model": model, "prompt": "x", "size": size}));
        (
            checked.request.text("size").map(str::to_owned),
            checked.adapted,
        )
    };
    assert_eq!(
        size("qwen-image-plus", "928x1664"),
        (
            Some("928*1664".to_owned()),
            vec!["size=928*1664".to_owned()]
        )
    );
    assert_eq!(
        size("gpt-image-2", "1024*1536").0.as_deref(),
        Some("1024x1536")
    );
    let five = "1664*928, 1472*1104, 1328*1328, 1104*1472, 928*1664";
    for wrong in [
        "1024x1024",
        "1024*1024",
        "1328X1328",
        "1328x1328x1",
        "1328**1328",
    ] {
        refused(
            json!({"model": "qwen-image-plus", "prompt": "x", "size": wrong}),
            "size",
            "invalid_enum",
            &format!("`size` must be one of {five}; got \"{wrong}\""),
        );
    }
    let strict = json!({"model": "qwen-image-plus", "prompt": "x", "size": "1328x1328"});
    assert_eq!(
        try_check(&strict.to_string(), true)
            .expect_err("refused")
            .message,
        "`size` must be written as \"1328*1328\""
    );
}

#[test]
fn faults_point_at_the_place_that_the_client_wrote() {
    let list = "a list of at most 256 messages";
    let check = |body: Value, param: &str, right: &str| {
        refused(
            body,
            param,
            "invalid_type",
            &format!("`{param}` must be {right}"),
        );
    };
    check(json!({"input": "x"}), "input", "a JSON object");
    check(
        json!({"input": {}, "parameters": []}),
        "parameters",
        "a JSON object",
    );
    check(json!({"input": {"messages": {}}}), "input.messages", list);
    check(json!({"messages": "x"}), "messages", list);
    check(json!({"messages": vec![json!({}); 257]}), "messages", list);
    check(json!({"messages": ["x"]}), "messages[0]", "a JSON object");
    check(
        json!({"messages": [{"role": "user", "content": 5}]}),
        "messages[0].content",
        "a text or a list of parts",
    );
    for (message, param, right) in [
        (
            json!({"role": "user"}),
            "messages[0].content",
            "a text or a list of parts",
        ),
        (
            json!({"content": "x"}),
            "messages[0].role",
            "user, system or developer: one prompt is read here, not a conversation",
        ),
    ] {
        let message = json!({"messages": [message]});
        let told = format!("`{param}` must be {right}");
        refused(message, param, "missing_parameter", &told);
    }
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let place = "messages[0].content[0]";
    check(part(json!("x")), place, "a JSON object");
    let one = "a part with exactly one of `text`, `image` and `image_url`";
    for wrong in [
        json!({}),
        json!({"type": "text"}),
        json!({"text": "a", "image": "b"}),
        json!({"text": null}),
    ] {
        check(part(wrong), place, one);
    }
    check(
        part(json!({"text": 5})),
        "messages[0].content[0].text",
        "a text",
    );
    check(
        part(json!({"type": "image_url", "text": "x"})),
        "messages[0].content[0].type",
        "`text`, as what stands beside it",
    );
    let many = vec![json!({"text": "x"}); 257];
    check(
        json!({"messages": [{"role": "user", "content": many}]}),
        "messages[0].content[256]",
        "among the first 256 parts; there are more",
    );
    refused(
        part(json!({"type": "input_audio", "input_audio": {}})),
        "messages[0].content[0].input_audio",
        "unknown_parameter",
        "`messages[0].content[0].input_audio` is not read here; there are type, text, image, image_url",
    );
    refused(
        json!({"messages": [{"role": "assistant", "content": "x"}]}),
        "messages[0].role",
        "invalid_enum",
        "`messages[0].role` must be user, system or developer: one prompt is read here, not a conversation",
    );
    refused(
        json!({"model": "qwen-image-plus", "input": {"prompt": "x"}, "parameters": {"sise": 1}}),
        "parameters.sise",
        "unknown_parameter",
        "`parameters.sise` is not a parameter of qwen-image-plus; did you mean `size`?",
    );
    refused(
        json!({"model": "qwen-image-plus", "input": {"messages":
            [{"role": "user", "content": [{"text": "x"}, {"image": "https://a.example/b.png"}]}]}}),
        "input.messages[0].content[1].image",
        "unknown_parameter",
        "`input.messages[0].content[1].image` is not a parameter of qwen-image-plus",
    );
    refused(
        json!({"messages": [{"role": "user", "content": [{"text": "x"}, {"image_url": 5}]}]}),
        "messages[0].content[1].image_url",
        "invalid_type",
        "`messages[0].content[1].image_url` must be a URL, a data URL or an object with `image_url` or `file_id`; got 5",
    );
    refused(
        json!({"messages": []}),
        "prompt",
        "missing_parameter",
        "`prompt` is required",
    );
}

#[test]
fn a_key_that_stands_twice_is_refused_wherever_it_stands() {
    let check = |body: &str, path: &str| {
        let error = decode(body.as_bytes()).expect_err("refused");
        assert_eq!(error.param(), Some(path));
        assert_eq!(error.faults[0].code, "duplicate_parameter");
    };
    check(r#"{"n": 1, "n": 2}"#, "n");
    check(r#"{"parameters": {"n": 1, "n": 1}}"#, "parameters.n");
    check(
        r#"{"messages": [1, {"content": [{"text": "a", "text": "b"}]}]}"#,
        "messages[1].content[0].text",
    );
    check(r#"{"a": [[{"": 1, "": 2}]]}"#, "a[0][0].");
}

#[test]
fn bodies_that_cost_more_than_they_say_are_refused_early() {
    let keys: String = (0..1_000_000).map(|key| format!("\"{key}\":0,")).collect();
    let values = "0,".repeat(500_000);
    let objects = "{\"a\":{}},".repeat(100_000);
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let check = |body: String, message: &str| {
        let started = Instant::now();
        let error = decode(body.as_bytes()).expect_err("refused");
        assert_eq!(error.kind, Kind::InvalidBody);
        assert!(error.message.contains(message), "{}", error.message);
        assert!(started.elapsed() < Duration::from_millis(500));
    };
    check(format!("{{{keys}\"a\":0}}"), "more than 256 keys");
    check(
        format!("{{\"parameters\":{{{keys}\"a\":0}}}}"),
        "more than 256 keys",
    );
    check(
        format!("{{\"images\":[{values}0]}}"),
        "more than 10000 values",
    );
    check(
        format!("{{\"images\":[{objects}0]}}"),
        "more than 10000 values",
    );
    check(format!("{{\"messages\":{open}{close}}}"), "a syntax error");
    check(String::new(), "empty");
    check("[]".to_owned(), "something else than an object");
    check("{} {}".to_owned(), "a syntax error");
    check("{\"a\":".to_owned(), "too early");
    check("{\"a\":1e999}".to_owned(), "a syntax error");
    let huge = json!({"messages": says("x"), "n": 1_u64 << 63});
    let error = try_check(&huge.to_string(), false).expect_err("refused");
    assert_eq!(error.faults[0].code, "out_of_range");
}

/// JSON that is now and then what a shape wants.
fn any_body() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "user",
        "system",
        "text",
        "image_url",
        "auto",
        "1:1",
        "1328x1328",
        "1024x1024",
        "1K",
        "NBP",
        "qwen-image-plus",
        "https://a.example/b.png",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    let json = leaf.prop_recursive(6, 40, 4, |inner| {
        let key = prop::sample::select(vec![
            "role",
            "content",
            "type",
            "text",
            "image",
            "image_url",
            "url",
            "detail",
            "messages",
            "prompt",
            "size",
            "n",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..4).prop_map(|entries| json!(entries)),
        ]
    });
    let key = prop::sample::select(vec![
        "input",
        "parameters",
        "messages",
        "prompt",
        "images",
        "system_prompt",
        "size",
        "quality",
        "n",
        "stream",
    ]);
    prop::collection::btree_map(key, json, 0..5).prop_map(|entries| json!(entries))
}

/// Messages that are mostly right.
fn any_messages() -> impl Strategy<Value = Value> {
    let text = "[a-z ]{0,4}";
    let part = prop_oneof![
        text.prop_map(|text| json!({"text": text})),
        text.prop_map(|text| json!({"type": "text", "text": text})),
        text.prop_map(|text| json!({"image": text})),
        text.prop_map(|text| json!({"type": "image_url", "image_url": {"url": text}})),
    ];
    let content = prop_oneof![
        text.prop_map(Value::from),
        prop::collection::vec(part, 0..3).prop_map(Value::from),
    ];
    let role = prop::sample::select(vec!["user", "user", "user", "system", "assistant"]);
    let message =
        (role, content).prop_map(|(role, content)| json!({"role": role, "content": content}));
    prop::collection::vec(message, 0..4).prop_map(Value::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_json_makes_it_panic(body in any_body(), model in prop::sample::select(vec!["NBP", "qwen-image-plus", "gpt-image-2-beta"])) {
        let _ = decode(body.to_string().as_bytes());
        if let Value::Object(mut body) = body {
            body.insert("model".to_owned(), model.into());
            let _ = try_check(&Value::from(body).to_string(), false);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&body);
    }

    #[test]
    fn both_shapes_of_the_same_messages_mean_the_same(messages in any_messages()) {
        let checked = |body: Value| try_check(&body.to_string(), false).map(|it| (it.request, it.images)).map_err(|it| it.faults.len());
        let chat = checked(json!({"model": "NBP", "messages": messages}));
        let mut dashscope = checked(json!({"model": "NBP", "input": {"messages": messages}}));
        // Each picture is named where the client wrote it.
        for image in dashscope.iter_mut().flat_map(|(_, images)| images) {
            if let ImageInput::Link { path, .. } = image {
                *path = path.replacen("input.", "", 1);
            }
        }
        prop_assert_eq!(chat, dashscope);
    }

    #[test]
    fn what_json_says_is_what_is_read(body in any_body()) {
        let entries = super::json::read_object(body.to_string().as_bytes()).expect("an object");
        // Through text once, as a number may be written shorter than it was.
        let expected: Value = serde_json::from_str(&body.to_string()).expect("JSON");
        prop_assert_eq!(Value::Object(entries.into_iter().collect()), expected);
    }
}
