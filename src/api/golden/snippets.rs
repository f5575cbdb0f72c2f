//! What clients are shown: request examples in each language.

use super::{check, model};
use crate::catalogue::form;
use crate::catalogue::snippet::{Example, Language, snippet};
use crate::types::{Modality, Operation};
use serde_json::json;

#[test]
fn snippets() {
    let given = [
        ("prompt".to_owned(), json!("it's a \"fox\"\nfor $5 🦊")),
        ("n".to_owned(), json!(2)),
        ("max_cost".to_owned(), json!("0.50")),
    ];
    let made = Example::of(
        "sketch",
        Modality::Image,
        &form(&model("sketch")),
        Operation::Generate,
        &given,
    );
    let lite = "gpt-image-2-lite";
    let mut edit = Example::of(
        lite,
        Modality::Image,
        &form(&model(lite)),
        Operation::Edit,
        &[],
    );
    edit.mask = Some("mask; 1.png".to_owned());
    let gemini = "gemini-3.5-flash";
    let form = form(&model(gemini));
    let text = Example::of(
        gemini,
        Modality::Text,
        &form,
        Operation::Generate,
        &given[..1],
    );
    let mut about = text.clone();
    about.images = vec!["it's $1.png".to_owned(), "b.jpg".to_owned()];
    about
        .values
        .push(("image_detail".to_owned(), json!("high")));
    for language in Language::ALL {
        let shown = [&made, &edit, &text, &about]
            .map(|it| snippet(it, language, "https://pinhole.example/a"));
        check(&format!("snippet-{}", language.name()), &shown.join("\n\n"));
    }
}
