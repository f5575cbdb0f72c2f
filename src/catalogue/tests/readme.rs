//! The description of model files for operators: its example is a model, and it leaves out no key.

use super::load::load;
use super::*;

const README: &str = include_str!("../../../catalogue/README.md");

/// The whole file between the first fences of TOML.
fn example() -> &'static str {
    let (_, rest) = README.split_once("```toml\n").expect("an example");
    rest.split_once("```").expect("its end").0
}

#[test]
fn the_example_is_a_model() {
    let catalogue = load(&[("my-flux.toml", example())]).unwrap_or_else(|why| panic!("{why}"));
    let model = catalogue.find("my-flux").unwrap();
    let checked = check(model, draft(crate::catalogue::example(model)), &reject()).unwrap();
    let sent = crate::catalogue::upstream_fields(model, &model.targets[0], &checked.request);
    let sent = Value::Object(sent);
    assert_eq!(sent["prompt"], "a red bicycle");
    assert!(
        sent.get("guidance").is_none() && sent.get("cfg_scale").is_some(),
        "{sent}"
    );
}

/// A key that is not known is refused with the list of those that are.
#[test]
fn no_key_is_left_out() {
    let headings = [
        "",
        "[[parameter]]\n",
        "[[price]]\n",
        "[[target]]\n",
        "[[forbid]]\n",
    ];
    for heading in headings {
        let refused = load(&[("a.toml", &format!("{heading}zz = 1\n"))]).unwrap_err();
        let refused = refused.to_string();
        let known = refused
            .split_once("expected one of ")
            .or(refused.split_once("expected "));
        let (_, known) = known.expect("the keys that are known");
        for key in known.split(", ").flat_map(|keys| keys.split(" or ")) {
            let block = format!("[[{}]]", key.trim_matches('`'));
            let is_told = README.contains(key) || README.contains(&block);
            assert!(is_told, "{heading}{key} is not described");
        }
    }
}
