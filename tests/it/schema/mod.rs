//! The JSON Schema of a model beside the check that it describes: whatever is sent, both judge it alike.

mod bodies;

use crate::app::{Setup, TestApp};
use crate::client::send;
use bodies::{any_body, any_size};
use bytes::Bytes;
use jsonschema::{ValidationError, Validator};
use pinhole::catalogue::{Catalogue, Model, Rules, check, example, json_schema, parse_size};
use pinhole::dialect::Dialect;
use pinhole::dialect::flat::Flat;
use pinhole::intake::Intake;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};

/// A model with parameters of every kind and rules of every sort between them.
const EVERYTHING: &str = include_str!("everything.toml");

/// The same, for edits alone.
const EDITS_ONLY: &str = include_str!("edits_only.toml");

/// As little as a model file can say.
const BARE: &str = "id = \"bare\"\nname = \"Bare\"\ndescription = \"d\"\nowner = \"nobody\"\n\
                    modality = \"image\"\noperations = [\"generate\", \"edit\"]\n";

/// A model with its schema, ready to judge.
struct Judge {
    model: Arc<Model>,
    validator: Validator,
}

static JUDGES: LazyLock<Vec<Judge>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("everything.toml", EVERYTHING),
        ("edits_only.toml", EDITS_ONLY),
        ("bare.toml", BARE),
    ] {
        std::fs::write(folder.path().join(name), text).expect("room for a file");
    }
    let catalogue = Catalogue::load(Some(folder.path())).unwrap_or_else(|why| panic!("{why}"));
    let models = catalogue.models().iter();
    models.map(|model| Judge::of(Arc::clone(model))).collect()
});

impl Judge {
    fn of(model: Arc<Model>) -> Self {
        let schema = json_schema(&model);
        let validator = jsonschema::options()
            .with_keyword("x-pinhole-max-json-bytes", |_, most, _| {
                let most = most.as_u64().unwrap_or_default();
                Ok(Box::new(Own(move |it: &Value| is_short(it, most))))
            })
            .with_keyword("x-pinhole-pixels", |_, rule, _| {
                let rule = rule.clone();
                Ok(Box::new(Own(move |it: &Value| obeys(it, &rule))))
            })
            .build(&schema);
        let validator = validator.unwrap_or_else(|why| panic!("{}: {why}", model.id));
        Self { model, validator }
    }

    fn named(id: &str) -> &'static Self {
        let mut judges = JUDGES.iter();
        judges.find(|judge| judge.model.id == id).expect("a model")
    }

    /// What the check says to a body that came as JSON.
    fn check(&self, body: &[u8]) -> Result<(), String> {
        let intake = Intake::of(Bytes::copy_from_slice(body));
        let draft = Flat.decode(&intake).map_err(|why| format!("{why:?}"))?;
        let model = draft.field("model").map(|field| field.value.clone());
        let is_ours =
            |id: &str| id == self.model.id || self.model.aliases.iter().any(|it| it == id);
        if !model.as_ref().and_then(Value::as_str).is_some_and(is_ours) {
            return Err("the call names another model, or none".to_owned());
        }
        let rules = Rules {
            reject_adaptation: true,
            ..Rules::default()
        };
        let checked = check(&self.model, draft, &rules).map_err(|faults| format!("{faults:?}"))?;
        assert!(checked.adapted.is_empty(), "nothing is adapted");
        Ok(())
    }

    /// Fails unless both say the same; tells whether they accept it.
    fn agree(&self, body: &Map<String, Value>) -> Result<bool, String> {
        let text = serde_json::to_vec(body).expect("JSON");
        let read: Value = serde_json::from_slice(&text).expect("JSON");
        let checked = self.check(&text);
        let validated = self
            .validator
            .validate(&read)
            .map_err(|why| format!("{why} at {}, by {}", why.instance_path(), why.schema_path()));
        if checked.is_ok() == validated.is_ok() {
            return Ok(checked.is_ok());
        }
        Err(format!(
            "{}: {}\ncheck: {checked:?}\nschema: {validated:?}",
            self.model.id,
            Value::Object(body.clone())
        ))
    }
}

/// A keyword of ours, which a validator must be taught: see the documentation of `json_schema`.
struct Own<F>(F);

impl<'i, F: Fn(&Value) -> bool + Send + Sync> jsonschema::Keyword<'i> for Own<F> {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        let fault = || ValidationError::custom("refused by a keyword of ours");
        self.is_valid(instance).then_some(()).ok_or_else(fault)
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.0(instance)
    }
}

fn is_short(instance: &Value, most: u64) -> bool {
    !instance.is_object() || instance.to_string().len() as u64 <= most
}

/// By the rule's own numbers, not by our code for them.
fn obeys(instance: &Value, rule: &Value) -> bool {
    let Some((width, height)) = instance.as_str().and_then(parse_size) else {
        return true;
    };
    let rule = |key: &str| rule[key].as_u64().expect("a number");
    let (width, height) = (u64::from(width), u64::from(height));
    let (long, short) = (width.max(height), width.min(height));
    width % rule("multiple") == 0
        && height % rule("multiple") == 0
        && long <= rule("longest")
        && long <= short * rule("ratio")
        && (rule("min_pixels")..=rule("max_pixels")).contains(&(width * height))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_schema_and_the_check_judge_alike((index, body) in (0..JUDGES.len()).prop_flat_map(|index| {
        (Just(index), any_body(&JUDGES[index].model))
    })) {
        JUDGES[index].agree(&body).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn sizes_are_judged_alike(id in select(vec!["gpt-image-2", "sketch", "every/thing"]), size in any_size()) {
        let mut body = example_body(Judge::named(id));
        body.insert("size".to_owned(), size.into());
        Judge::named(id).agree(&body).map_err(TestCaseError::fail)?;
    }
}

fn example_body(judge: &Judge) -> Map<String, Value> {
    match example(&judge.model) {
        Value::Object(body) => body,
        other => panic!("an example is an object: {other}"),
    }
}

#[test]
fn examples_are_accepted_and_schemas_stay_small() {
    for judge in JUDGES.iter() {
        let schema = json_schema(&judge.model);
        assert!(jsonschema::meta::is_valid(&schema), "{}", judge.model.id);
        for body in schema["examples"].as_array().expect("examples") {
            let Value::Object(body) = body else {
                panic!("{body}")
            };
            assert_eq!(judge.agree(body), Ok(true), "{}", judge.model.id);
        }
        let bytes = schema.to_string().len();
        assert!(bytes < 100 * 1024, "{}: {bytes} bytes", judge.model.id);
    }
}

/// An operator's model by this id.
fn own_model(id: &str) -> String {
    format!("id = \"{id}\"\nextends = \"sketch\"\nname = \"{id}\"\n")
}

#[test]
fn an_empty_list_of_pictures_is_none_where_one_is_required() {
    let mut body = example_body(Judge::named("edits-only"));
    body.insert("image".to_owned(), json!([]));
    assert_eq!(Judge::named("edits-only").agree(&body), Ok(false));
}

#[tokio::test]
async fn a_schema_is_served_beside_its_model() {
    let setup = Setup::new()
        .model(&own_model("my/own"))
        .model(&own_model("odd/schema"));
    let app = setup.start().await;
    let client = app.test_key();
    for id in ["gpt-image-2", "my/own", "odd/schema"] {
        let path = format!("/v1/models/{id}/schema");
        let reply = client.get(&path).await;
        let schema = reply.ok();
        assert_eq!(reply.header("content-type"), "application/schema+json");
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert_eq!(schema["$id"], format!("{}{path}", app.url));
        assert_eq!(schema["properties"]["model"]["enum"][0], id);
    }
    assert_eq!(
        client.get("/v1/models/odd/schema").await.ok()["object"],
        "model"
    );
    let alias = client
        .get("/v1/models/gpt-image-2-2026-04-21/schema")
        .await
        .ok();
    assert_eq!(alias["title"], "GPT Image 2");
    for unknown in [
        "/v1/models/none/schema",
        "/v1/models/gpt-image-2/schema/schema",
        "/v1/models/schema",
    ] {
        client.get(unknown).await.refused(404, "model_not_found");
    }
    app.nobody()
        .get("/v1/models/sketch/schema")
        .await
        .refused(401, "invalid_api_key");
    app.finish().await;
}

#[tokio::test]
async fn what_the_schema_refuses_the_server_refuses_too() {
    let app = TestApp::start().await;
    let client = app.test_key();
    let judge = Judge::named("sketch");
    let bodies = [
        json!({"model": "sketch", "prompt": "x", "size": "64x64"}),
        json!({"model": "sketch", "prompt": "x", "size": "64x64", "seed": null, "nonsense": null}),
        json!({"model": "sketch", "prompt": "x", "size": "64x64", "n": "1"}),
        json!({"model": "sketch", "prompt": "x", "size": "64x64", "output_compression": 50}),
        json!({"model": "sketch", "prompt": "x", "size": "64x60"}),
        json!({"model": "sketch", "prompt": "x", "image": "https://a.example/a.png", "images": "https://a.example/a.png"}),
        json!({"model": "sketch", "prompt": "x", "image": [], "size": "64x64", "mask": null}),
    ];
    for body in bodies {
        let request = client
            .generation(&body)
            .header("x-pinhole-params", "reject");
        let reply = send(request).await;
        let is_valid = judge.validator.is_valid(&body);
        assert_eq!(
            reply.status,
            if is_valid { 200 } else { 400 },
            "{body}: {}",
            reply.text()
        );
    }
    app.finish().await;
}
