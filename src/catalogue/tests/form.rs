//! What clients are shown.

use super::load::made;
use super::*;
use crate::catalogue::{example, example_of, form, pricing};
use crate::types::Operation;

#[test]
fn the_form_shows_what_the_file_says() {
    let form = form(&model("gpt-image-2"));
    let names: Vec<&str> = form
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "prompt",
            "image",
            "mask",
            "size",
            "background",
            "quality",
            "output_format",
            "n",
            "partial_images",
            "moderation",
            "output_compression"
        ]
    );
    let entry = |name: &str| {
        form.as_array()
            .unwrap()
            .iter()
            .find(|it| it["name"] == name)
            .unwrap()
    };
    let n = json!({
        "name": "n", "type": "number", "kind": "integer", "required": false, "default": 1, "minimum": 1,
        "maximum": 10, "step": 1, "example": 1, "group": "Output", "operations": ["generate", "edit"],
        "description": "How many images to make. Each one is charged.",
    });
    assert_eq!(entry("n"), &n);
    assert_eq!(
        entry("quality")["enum"][0],
        json!({"value": "low", "label": "Low"})
    );
    assert_eq!(entry("size")["enum"].as_array().unwrap().len(), 3);
    assert_eq!(entry("prompt")["max_length"], 32_000);
    assert_eq!(entry("image")["operations"], json!(["edit"]));
}

#[test]
fn steps_stay_decimal() {
    let model = made(
        "[[parameter]]\nname = \"top_p\"\ntype = \"number\"\nminimum = 0\nmaximum = 1\nstep = 0.05\n\
         default = 0.7\ndescription = \"d\"\n",
    );
    assert_eq!(form(&model)[0]["step"].to_string(), "0.05");
}

#[test]
fn the_price_table_names_its_sources() {
    let pricing = pricing(&model("gpt-image-2"));
    let row = pricing.as_array().unwrap().iter().find(|row| {
        row["when"] == json!({"operation": "generate", "quality": "medium", "size": "1024x1024"})
    });
    let expected = json!({
        "unit": "image", "when": {"operation": "generate", "quality": "medium", "size": "1024x1024"},
        "amount": "0.053000", "currency": "USD", "source": "https://fal.ai/models/openai/gpt-image-2",
        "date": "2026-11-21",
    });
    assert_eq!(row, Some(&expected));
}

#[test]
fn examples_pass_the_check_as_they_stand() {
    for id in ["gpt-image-2", "sketch", "NBP", "gpt-image-2-lite"] {
        let body = example(&model(id));
        assert_eq!(body["model"], id);
        assert!(run(id, body, reject()).unwrap().adapted.is_empty());
        let edit = run(id, example_of(&model(id), Operation::Edit), reject()).unwrap();
        assert_eq!(edit.request.operation(), Operation::Edit);
    }
}
