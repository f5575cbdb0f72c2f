//! Any JSON at any parameter: no panic, and whatever passes passes again unchanged.

use super::hostile::EVERY_KIND;
use super::load::made;
use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

static MODELS: LazyLock<Vec<Arc<Model>>> = LazyLock::new(|| {
    let catalogue = Catalogue::embedded().unwrap_or_else(|problems| panic!("{problems}"));
    let embedded = catalogue.models().iter().cloned();
    embedded.chain([made(EVERY_KIND)]).collect()
});

/// JSON that now and then is what a parameter wants.
fn any_json() -> impl Strategy<Value = Value> {
    let likely = prop::sample::select(vec![
        "auto",
        "low",
        "high",
        "png",
        "jpeg",
        "webp",
        "transparent",
        "1024x1024",
        "1040x1024",
        "2048x2048",
        "1328x1328",
        "1:1",
        "2K",
        "a",
        "5",
        "true",
        "u",
        "0.3",
        "10",
        "url",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3_i64..12).prop_map(Value::from),
        (-30_i64..30).prop_map(|tenths| Value::from(tenths as f64 / 10.0)),
        any::<String>().prop_map(Value::from),
        likely.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = prop::sample::select(vec!["url", "image_url", "file_id", "include_usage", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..3).prop_map(|entries| {
                let entries = entries
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value));
                Value::Object(entries.collect())
            }),
        ]
    })
}

/// A model and a few of the names it knows, with values; a prompt is mostly there.
fn any_call() -> impl Strategy<Value = (usize, Vec<(String, Value)>)> {
    (0..MODELS.len()).prop_flat_map(|index| {
        let own = MODELS[index].parameters.iter();
        let own = own.flat_map(|it| it.aliases.iter().chain([&it.name]).cloned());
        let envelope = super::super::envelope::NAMES
            .iter()
            .map(|name| (*name).to_owned());
        let names: Vec<String> = own
            .chain(envelope)
            .chain(["style", "size", "system_prompt"].map(str::to_owned))
            .collect();
        let field = (prop::sample::select(names), any_json());
        (Just(index), prop::collection::vec(field, 0..5))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_passes_passes_again_unchanged((index, fields) in any_call()) {
        let model = &MODELS[index];
        let mut draft = Draft::default();
        if model.parameter("prompt").is_some() {
            draft.push("prompt", json!("x"));
        }
        for (name, value) in fields {
            if draft.field(&name).is_none() {
                draft.push(&name, value);
            }
        }
        check_call(model, &draft);
    }
}
