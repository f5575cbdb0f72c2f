//! The ending of a file's name says what the picture is to be. What the model cannot make is refused before it is paid for.

use crate::cli::failure::{Failure, Outcome};
use crate::cli::models::text;
use serde_json::Value;
use std::path::Path;

const PARAMETER: &str = "output_format";

/// What pictures come as, where a model lets nobody choose.
const ALL: [&str; 3] = ["png", "jpeg", "webp"];

/// Asks for the format that the name of the file ends in, if the model can be asked for one. A folder, a name without an
/// ending, a text and a model that is not known here are left as they are.
pub(super) fn follow(path: &Path, body: &mut Value, card: Option<&Value>) -> Outcome {
    let Some(card) = card.filter(|card| card["modality"] == "image") else {
        return Ok(());
    };
    let extension = path.extension().and_then(|extension| extension.to_str());
    let Some(extension) = extension.filter(|_| !path.is_dir()) else {
        return Ok(());
    };
    let named = match extension.to_ascii_lowercase() {
        jpg if jpg == "jpg" => "jpeg".to_owned(),
        other => other,
    };
    let mut form = card["form_schema"].as_array().into_iter().flatten();
    let choice = form.find(|entry| entry["name"] == PARAMETER);
    let options = choice.and_then(|entry| entry["enum"].as_array());
    let possible: Vec<String> = match options {
        Some(options) => options.iter().map(|it| text(&it["value"])).collect(),
        None => ALL.map(str::to_owned).to_vec(),
    };
    if !possible.contains(&named) {
        return Err(not_made(path, card, &possible));
    }
    let Some(choice) = choice else {
        return Ok(());
    };
    let asked = match &body[PARAMETER] {
        Value::Null => &choice["default"],
        asked if *asked != named.as_str() => return Err(contradiction(path, &text(asked))),
        asked => asked,
    };
    if *asked != named.as_str() {
        body[PARAMETER] = named.into();
    }
    Ok(())
}

fn not_made(path: &Path, card: &Value, possible: &[String]) -> Failure {
    let endings: Vec<String> = possible.iter().map(|it| format!(".{it}")).collect();
    Failure::usage(format!("{} cannot be made", path.display()))
        .why(format!(
            "{} makes pictures of the formats {}; nothing was sent",
            text(&card["id"]),
            possible.join(", ")
        ))
        .fix(format!("let the name end in {}", endings.join(" or ")))
}

fn contradiction(path: &Path, asked: &str) -> Failure {
    Failure::usage(format!("{} and `{PARAMETER}` disagree", path.display()))
        .why(format!(
            "the parameter says {asked}, the name another format; nothing was sent"
        ))
        .fix("say one of them; the name alone is enough")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn card(formats: &[&str]) -> Value {
        let options: Vec<Value> = formats.iter().map(|it| json!({"value": it})).collect();
        let mut form = vec![json!({"name": "size"})];
        if !formats.is_empty() {
            form.push(json!({"name": "output_format", "enum": options, "default": "png"}));
        }
        json!({"id": "fox-1", "modality": "image", "form_schema": form})
    }

    #[test]
    fn the_ending_is_what_is_asked_for() {
        let check = |path: &str, body: Value, card: &Value, right: Option<&str>| {
            let mut body = body;
            let went = follow(Path::new(path), &mut body, Some(card)).is_ok();
            let format = body["output_format"].as_str();
            assert_eq!(went.then_some(format.unwrap_or("")), right, "{path}");
        };
        let three = card(&["png", "jpeg", "webp"]);
        check("fox.png", json!({}), &three, Some(""));
        check("fox.JPG", json!({}), &three, Some("jpeg"));
        check("a.b/fox", json!({}), &three, Some(""));
        check(
            "fox.webp",
            json!({"output_format": "webp"}),
            &three,
            Some("webp"),
        );
        check("fox.jpg", json!({"output_format": "webp"}), &three, None);
        check("fox.gif", json!({}), &three, None);
        check("fox.webp", json!({}), &card(&["png", "jpeg"]), None);
        // Such a model decides itself.
        check("fox.jpg", json!({}), &card(&[]), Some(""));
        check("fox.gif", json!({}), &card(&[]), None);
        let text = json!({"id": "t", "modality": "text", "form_schema": []});
        check("answer.gif", json!({}), &text, Some(""));
    }

    #[test]
    fn the_refusal_names_what_is_possible() {
        let failure = follow(
            Path::new("x.gif"),
            &mut json!({}),
            Some(&card(&["png", "jpeg"])),
        );
        let failure = failure.expect_err("a gif");
        assert!(
            failure.reasons().contains("png, jpeg"),
            "{}",
            failure.reasons()
        );
    }
}
