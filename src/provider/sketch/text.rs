//! The answer to a text model's call: a canned text that says what it is and names what was received, so that an
//! application's own code can be tested from end to end. No model has read anything.
//!
//! The unit that `max_tokens` counts is a word here. Usage is zero: nothing was counted by an upstream.

use super::directive::{self, Directives};
use super::{broke_off, obey, rejected};
use crate::failpoint::failpoint;
use crate::provider::{Call, Event, EventStream, ProviderError};
use crate::types::{Finish, Picture, Request, Usage};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How many words one piece of a streamed text has.
const WORDS_A_PIECE: usize = 6;

/// The time between two pieces: long enough that a client sees them come one by one.
const PACE: Duration = Duration::from_millis(5);

/// How much of a client's text is repeated.
const FIRST_WORDS: usize = 8;
const FIRST_CHARS: usize = 80;

/// What is said of others by name, or only says how the answer is handed over.
const NOT_SETTINGS: [&str; 4] = ["prompt", "system_prompt", "response_format", "stream"];

pub(super) fn answer(call: Call) -> EventStream {
    let begun = async move {
        failpoint("sent");
        let (prompt, directives) = directive::split(call.request.prompt())
            .map_err(|error| rejected(&error.to_string()))?;
        obey(&directives).await?;
        Ok(events(&call.request, &prompt, &directives))
    };
    let events = futures::stream::once(begun).flat_map(|begun| {
        futures::stream::iter(begun.unwrap_or_else(|error: ProviderError| vec![Err(error)]))
    });
    events
        .then(async |event| {
            if let Ok(Event::Text(_)) = event {
                tokio::time::sleep(PACE).await;
            }
            event
        })
        .boxed()
}

/// Everything that happens, in order. `[pinhole:partial=3/4]` breaks the text off after three quarters.
fn events(
    request: &Request,
    prompt: &str,
    directives: &Directives,
) -> Vec<Result<Event, ProviderError>> {
    let whole = compose(request, prompt);
    let (words, finish) = cut(&whole, request.integer("max_tokens"));
    let pieces = words
        .chunks(WORDS_A_PIECE)
        .map(|words| Ok(Event::Text(words.concat())));
    let end = [
        Ok(Event::TextEnd(finish)),
        Ok(Event::Done(Usage::default())),
    ];
    match directives.partial {
        Some((done, of)) if done < of => {
            let kept = words.chunks(WORDS_A_PIECE).len() * done as usize / of as usize;
            let end = [Err(broke_off())];
            pieces.take(kept).chain(end).collect()
        }
        _ => pieces.chain(end).collect(),
    }
}

/// The words of a text, each with the space behind it, as many as may be said.
fn cut(text: &str, most: Option<i64>) -> (Vec<&str>, Finish) {
    let mut words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    let most = most.and_then(|most| usize::try_from(most).ok());
    match most {
        Some(most) if most < words.len() => {
            words.truncate(most);
            (words, Finish::Length)
        }
        _ => (words, Finish::Stop),
    }
}

fn compose(request: &Request, prompt: &str) -> String {
    let notice = format!(
        "This is a canned text of Pinhole's built-in renderer, not an answer of {}: no model has read the request.",
        request.model()
    );
    if request.text("response_format") == Some("json_object") {
        return format!("{:#}", as_json(request, prompt, &notice));
    }
    let system = match request.text("system_prompt") {
        Some(text) => sum_up(text),
        None => "none".to_owned(),
    };
    let images: Vec<String> = request.images().iter().map(image).collect();
    let images = match images.len() {
        0 => "none".to_owned(),
        count => format!("{count} ({})", images.join(", ")),
    };
    let settings: Vec<String> = settings(request)
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let mut lines = vec![
        notice,
        String::new(),
        "It received:".to_owned(),
        format!("- system prompt: {system}"),
        format!("- prompt: {}", sum_up(prompt)),
        format!("- images: {images}"),
    ];
    if !settings.is_empty() {
        lines.push(format!("- settings: {}", settings.join(", ")));
    }
    lines.join("\n")
}

fn as_json(request: &Request, prompt: &str, notice: &str) -> Value {
    let told = |text: &str| json!({"characters": text.chars().count(), "first_words": first_words(text).0});
    let images: Vec<Value> = request
        .images()
        .iter()
        .map(|it| {
            json!({
                "width": it.width, "height": it.height, "format": it.format.name(), "bytes": it.bytes,
            })
        })
        .collect();
    json!({
        "notice": notice,
        "received": {
            "system_prompt": request.text("system_prompt").map(told),
            "prompt": told(prompt),
            "images": images,
            "settings": settings(request),
        },
    })
}

/// `45 characters, "Describe this image and suggest improvements."`
fn sum_up(text: &str) -> String {
    let (words, is_all) = first_words(text);
    let more = if is_all { "" } else { " …" };
    format!("{} characters, \"{words}{more}\"", text.chars().count())
}

/// The first words on one line, and whether they are all.
fn first_words(text: &str) -> (String, bool) {
    let all: Vec<&str> = text.split_whitespace().collect();
    let words = all[..all.len().min(FIRST_WORDS)].join(" ");
    let short: String = words.chars().take(FIRST_CHARS).collect();
    let is_all = all.len() <= FIRST_WORDS && short.len() == words.len();
    (short, is_all)
}

fn image(picture: &Picture) -> String {
    let (width, height) = (picture.width, picture.height);
    format!("{width}x{height} {}", picture.format.name())
}

/// Every other parameter that has a value.
fn settings(request: &Request) -> Map<String, Value> {
    let parameters = request.parameters().iter();
    parameters
        .filter(|(name, _)| !NOT_SETTINGS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(parameters: Value) -> Request {
        let picture = json!({
            "blob": "blob_1", "bytes": 9, "hash": "", "format": "png", "width": 512, "height": 256,
        });
        serde_json::from_value(json!({
            "model": "gemini-3.5-flash", "modality": "text", "operation": "generate", "n": 1,
            "parameters": parameters, "images": [picture], "envelope": {},
        }))
        .expect("a request")
    }

    fn said(events: &[Result<Event, ProviderError>]) -> String {
        let text = |event: &Result<Event, ProviderError>| match event {
            Ok(Event::Text(piece)) => Some(piece.clone()),
            _ => None,
        };
        events.iter().filter_map(text).collect()
    }

    #[test]
    fn the_answer_names_what_it_received() {
        let long = "Why is the sky blue? Say it in five words, please.";
        let request = request(json!({"prompt": long, "system_prompt": "Be brief.", "top_p": 0.5}));
        let text = compose(&request, long);
        let expected = "It received:\n- system prompt: 9 characters, \"Be brief.\"\n\
             - prompt: 50 characters, \"Why is the sky blue? Say it in …\"\n\
             - images: 1 (512x256 png)\n- settings: top_p 0.5";
        assert_eq!(text.split_once("\n\n").map(|it| it.1), Some(expected));
        assert!(text.contains("canned") && text.contains("gemini-3.5-flash"));
    }

    #[test]
    fn a_json_object_is_one() {
        let request = request(json!({"prompt": "x", "response_format": "json_object"}));
        let text = compose(&request, "x");
        let object: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(object["received"]["prompt"]["characters"], 1);
        assert_eq!(object["received"]["images"][0]["height"], 256);
        assert_eq!(object["received"]["system_prompt"], Value::Null);
    }

    #[test]
    fn few_tokens_cut_it_and_partial_breaks_it_off() {
        let of = |parameters: Value, prompt: &str| {
            let (text, directives) = directive::split(prompt).expect("directives");
            events(&request(parameters), &text, &directives)
        };
        let whole = of(json!({"prompt": "x"}), "x");
        assert!(matches!(
            whole[whole.len() - 2..],
            [Ok(Event::TextEnd(Finish::Stop)), Ok(Event::Done(_))]
        ));
        let short = of(json!({"prompt": "x", "max_tokens": 3}), "x");
        assert_eq!(said(&short), "This is a ");
        assert!(matches!(
            short[..],
            [_, Ok(Event::TextEnd(Finish::Length)), Ok(Event::Done(_))]
        ));
        let broken = of(json!({"prompt": "x"}), "[pinhole:partial=1/2]x");
        assert!(matches!(broken.last(), Some(Err(_))));
        assert!(said(&whole).starts_with(&said(&broken)) && broken.len() > 1);
    }
}
