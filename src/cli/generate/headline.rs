//! The line above a call: what is made, and what it will cost.

use crate::cli::models::text;
use serde_json::Value;

/// `gpt-image-2 (test) · 1024x1024 · medium · est. $0.0000`. What was not said has the value of the model's form.
pub(in crate::cli) fn headline(
    body: &Value,
    card: Option<&Value>,
    is_test: bool,
    estimate: Option<String>,
) -> String {
    let form = card.and_then(|card| card["form_schema"].as_array());
    let value = |name: &str| {
        let default = form.into_iter().flatten();
        let default = default
            .filter(|entry| entry["name"] == name)
            .map(|entry| &entry["default"]);
        let said = Some(&body[name]).filter(|value| !value.is_null());
        let value = said.or_else(|| default.into_iter().next());
        value.map(text).filter(|value| !value.is_empty())
    };
    let id = card.map_or(&body["model"], |card| &card["id"]);
    let mode = if is_test { " (test)" } else { "" };
    let count = body["n"].as_u64().filter(|n| *n > 1);
    let parts = [
        Some(format!("{}{mode}", text(id))),
        count.map(|n| format!("{n} pictures")),
        value("size"),
        value("quality"),
        estimate,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("  {}", parts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_not_said_has_the_models_own_value() {
        let card = json!({"id": "fox-1", "form_schema": [
            {"name": "size", "default": "1024x1024"}, {"name": "quality", "default": null},
        ]});
        let body = json!({"model": "fox", "n": 2, "quality": "high"});
        let line = headline(&body, Some(&card), true, Some("est. $0.0000".to_owned()));
        assert_eq!(
            line,
            "  fox-1 (test) · 2 pictures · 1024x1024 · high · est. $0.0000"
        );
        assert_eq!(
            headline(&body, None, false, None),
            "  fox · 2 pictures · high"
        );
    }
}
