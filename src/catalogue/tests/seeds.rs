//! The forms of the models that the documentation of other services shows, row by row as it shows them. Where such a
//! table and the request beside it disagree, the request is right.

use super::*;
use crate::catalogue::form;

/// Fails unless the form has exactly these rows: name (with `*` if required), type, values or bounds, default after `=`,
/// example after `e.g.` (the prompt's is our own).
#[track_caller]
fn check(id: &str, rows: &[&str]) {
    let form = form(&model(id));
    let shown: Vec<String> = form.as_array().unwrap().iter().map(row).collect();
    assert_eq!(shown, rows, "{id}");
}

fn row(entry: &Value) -> String {
    let required = if entry["required"] == true { "*" } else { "" };
    let mut text = format!(
        "{}{required} {}",
        plain(&entry["name"]),
        plain(&entry["type"])
    );
    if let Some(values) = entry["enum"].as_array() {
        let values: Vec<String> = values.iter().map(choice).collect();
        text += &format!(" [{}]", values.join(" "));
    }
    for [least, most] in [
        ["minimum", "maximum"],
        ["min_items", "max_items"],
        ["min_length", "max_length"],
    ] {
        if !entry[least].is_null() || !entry[most].is_null() {
            text += &format!(" {}..{}", plain(&entry[least]), plain(&entry[most]));
        }
    }
    for (key, word) in [("step", " step "), ("default", " = ")] {
        if !entry[key].is_null() {
            text += &format!("{word}{}", plain(&entry[key]));
        }
    }
    if entry["name"] != "prompt" && !entry["example"].is_null() && !entry["example"].is_array() {
        text += &format!(" e.g. {}", plain(&entry["example"]));
    }
    text
}

fn choice(choice: &Value) -> String {
    let (value, label) = (plain(&choice["value"]), plain(&choice["label"]));
    // Labels that only add a ratio are ours.
    if label.starts_with(&value) {
        value
    } else {
        format!("{label}:{value}")
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn gpt_image_2_has_the_documented_form() {
    check(
        "gpt-image-2",
        &[
            "prompt* string 1..32000",
            "image* array 1..16",
            "mask string",
            "size string [1024x1024 1536x1024 1024x1536] = 1024x1024 e.g. 1024x1024",
            "background string [Auto:auto Transparent:transparent Opaque:opaque] = auto e.g. auto",
            "quality string [Low:low Medium:medium High:high] = medium e.g. high",
            "output_format string [PNG:png WebP:webp JPEG:jpeg] = png e.g. png",
            "n number 1..10 step 1 = 1 e.g. 1",
            "partial_images number 0..3 step 1 = 0 e.g. 0",
            "moderation string [Auto:auto Low:low] = auto e.g. auto",
            "output_compression number 0..100 step 1 = 100 e.g. 100",
        ],
    );
}

#[test]
fn qwen_image_plus_has_the_documented_form() {
    check(
        "qwen-image-plus",
        &[
            "prompt* string 1..800",
            "negative_prompt string ..500 e.g. ",
            "prompt_extend boolean = true e.g. true",
            "watermark boolean = false e.g. false",
            "size string [1664*928 1472*1104 1328*1328 1104*1472 928*1664] = 1328*1328 e.g. 1328*1328",
        ],
    );
}

/// The table calls `images` required; its own request sends none.
#[test]
fn nano_banana_pro_has_the_documented_form() {
    check(
        "NBP",
        &[
            "prompt* string 1..32000",
            "images array ..11",
            "size string [1:1 2:3 3:2 3:4 4:3 4:5 5:4 9:16 16:9 21:9 1:4 4:1 1:8 8:1] = 1:1 e.g. 1:1",
            "quality string [1K 2K 4K] = 1K e.g. 1K",
            "gweb_search boolean = false e.g. false",
        ],
    );
}
