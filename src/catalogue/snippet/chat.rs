//! A call for a text as chat's clients write it: what the form of a model calls a prompt, a system prompt and pictures
//! stands in messages, all else beside them.

use super::Example;
use serde_json::{Value, json};

/// The parts of a call.
pub(super) struct Chat<'a> {
    system: Option<&'a Value>,
    prompt: Option<&'a Value>,
    detail: Option<&'a Value>,
    images: &'a [String],
    /// What stands beside the messages, the model first.
    pub(super) fields: Vec<(&'a str, Value)>,
}

/// How a language writes what stands in messages.
pub(super) struct Hand<'a> {
    /// A value.
    pub(super) value: &'a dyn Fn(&Value) -> String,
    /// The data URL of a file, by the file's name.
    pub(super) picture: &'a dyn Fn(&str) -> String,
}

impl<'a> Chat<'a> {
    pub(super) fn of(example: &'a Example) -> Self {
        let mut chat = Self {
            system: None,
            prompt: None,
            detail: None,
            images: &example.images,
            fields: vec![("model", json!(example.model))],
        };
        for (name, value) in &example.values {
            match name.as_str() {
                "system_prompt" => chat.system = Some(value),
                "prompt" => chat.prompt = Some(value),
                "image_detail" if !example.images.is_empty() => chat.detail = Some(value),
                // SDKs know it as an object.
                "response_format" => chat.fields.push((name, json!({"type": value}))),
                _ => chat.fields.push((name, value.clone())),
            }
        }
        chat
    }

    /// The messages as a list over several lines, which stands `indent` deep. JSON, Python and JavaScript write it alike.
    pub(super) fn messages(&self, indent: &str, hand: &Hand) -> String {
        let quoted = |value: Option<&Value>| value.map(hand.value);
        let system = quoted(self.system)
            .map(|text| format!("{indent}  {{\"role\": \"system\", \"content\": {text}}}"));
        let prompt = quoted(self.prompt);
        let user = if self.images.is_empty() {
            prompt
        } else {
            let text = prompt.map(|text| format!("{{\"type\": \"text\", \"text\": {text}}}"));
            let images = self.images.iter().map(|file| self.image(file, hand));
            let parts: Vec<String> = text.into_iter().chain(images).collect();
            let between = format!(",\n{indent}    ");
            Some(format!(
                "[\n{indent}    {}\n{indent}  ]",
                parts.join(&between)
            ))
        };
        let user =
            user.map(|content| format!("{indent}  {{\"role\": \"user\", \"content\": {content}}}"));
        let messages: Vec<String> = system.into_iter().chain(user).collect();
        format!("[\n{}\n{indent}]", messages.join(",\n"))
    }

    fn image(&self, file: &str, hand: &Hand) -> String {
        let url = (hand.picture)(file);
        let detail = self.detail.map(hand.value);
        let detail = detail.map_or_else(String::new, |it| format!(", \"detail\": {it}"));
        format!("{{\"type\": \"image_url\", \"image_url\": {{\"url\": {url}{detail}}}}}")
    }
}
