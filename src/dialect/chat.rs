//! Messages, as chat clients and DashScope's clients write them: what they say about one picture or one text.
//!
//! A picture is made from one prompt, and so far a text is too, so the texts of all user messages are joined, and so are those of system
//! messages; a message of the assistant has no place there and is refused rather than left out. Parts of content are
//! read in both spellings: `{"type": "text", "text": …}` and `{"type": "image_url", "image_url": …}` of the `openai`
//! packages, `{"text": …}` and `{"image": …}` of `dashscope` for Python 2.0.2.

use crate::error::{Fault, shown_place};
use crate::types::Field;
use serde_json::{Map, Value};

/// The most messages, and the most parts of content in all.
const MOST: usize = 256;

/// What messages say.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The user's texts, as one prompt.
    pub prompt: Option<Field>,
    /// Everything else: the system's texts as `system_prompt`, and each `image`.
    pub fields: Vec<Field>,
}

/// Reads the messages that stand at `path`.
pub(super) fn read(path: &str, messages: &Value) -> Result<Said, Fault> {
    let list = messages
        .as_array()
        .filter(|list| list.len() <= MOST)
        .ok_or_else(|| invalid(path, &format!("a list of at most {MOST} messages")))?;
    let mut gathered = Gathered::default();
    for (index, message) in list.iter().enumerate() {
        gathered.message(&format!("{path}[{index}]"), message)?;
    }
    let Gathered { user, system, .. } = gathered;
    let system = joined("system_prompt", path, system);
    Ok(Said {
        prompt: joined("prompt", path, user),
        fields: system.into_iter().chain(gathered.fields).collect(),
    })
}

/// Texts as one field; where they are several, the messages as a whole are their place.
fn joined(name: &str, path: &str, mut texts: Vec<(String, String)>) -> Option<Field> {
    let (path, text) = match texts.len() {
        0 => return None,
        1 => texts.remove(0),
        _ => {
            let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
            (path.to_owned(), texts.join("\n"))
        }
    };
    Some(field(name, path, text.into()))
}

/// The parts of all messages. Texts come with their paths.
#[derive(Default)]
struct Gathered {
    user: Vec<(String, String)>,
    system: Vec<(String, String)>,
    fields: Vec<Field>,
    parts: usize,
}

#[derive(Clone, Copy)]
enum Speaker {
    User,
    System,
}

impl Gathered {
    fn message(&mut self, path: &str, message: &Value) -> Result<(), Fault> {
        let message = object(path, message, &["role", "content", "name"])?;
        let speaker = match message.get("role").and_then(Value::as_str) {
            Some("user") => Speaker::User,
            Some("system" | "developer") => Speaker::System,
            _ => {
                let right =
                    "user, system or developer: one prompt is read here, not a conversation";
                return Err(Fault {
                    code: code_at(&message, "role", "invalid_enum"),
                    ..invalid(&format!("{path}.role"), right)
                });
            }
        };
        let path = format!("{path}.content");
        match message.get("content") {
            Some(Value::String(text)) => self.text(speaker, path, text),
            Some(Value::Array(parts)) => {
                for (index, part) in parts.iter().enumerate() {
                    self.part(speaker, &format!("{path}[{index}]"), part)?;
                }
            }
            _ => {
                return Err(Fault {
                    code: code_at(&message, "content", "invalid_type"),
                    ..invalid(&path, "a text or a list of parts")
                });
            }
        }
        Ok(())
    }

    fn part(&mut self, speaker: Speaker, path: &str, part: &Value) -> Result<(), Fault> {
        self.parts += 1;
        if self.parts > MOST {
            let right = format!("among the first {MOST} parts; there are more");
            return Err(invalid(path, &right));
        }
        let part = object(path, part, &["type", "text", "image", "image_url"])?;
        let given: Vec<_> = part.iter().filter(|(key, _)| *key != "type").collect();
        let [(key, value)] = given[..] else {
            let right = "a part with exactly one of `text`, `image` and `image_url`";
            return Err(invalid(path, right));
        };
        if let Some(kind) = part.get("type")
            && kind != key
        {
            return Err(invalid(
                &format!("{path}.type"),
                &format!("`{key}`, as what stands beside it"),
            ));
        }
        let path = format!("{path}.{key}");
        match (key.as_str(), value.as_str()) {
            ("text", Some(text)) => self.text(speaker, path, text),
            ("text", None) => return Err(invalid(&path, "a text")),
            _ => self.image(path, value),
        }
        Ok(())
    }

    fn text(&mut self, speaker: Speaker, path: String, text: &str) {
        let texts = match speaker {
            Speaker::User => &mut self.user,
            Speaker::System => &mut self.system,
        };
        texts.push((path, text.to_owned()));
    }

    /// What stands for an image is the schema's affair; how closely to look at it is a parameter of its own.
    fn image(&mut self, path: String, value: &Value) {
        if let Some(detail) = value.get("detail").filter(|it| !it.is_null()) {
            let path = format!("{path}.detail");
            self.fields
                .push(field("image_detail", path, detail.clone()));
        }
        self.fields.push(field("image", path, value.clone()));
    }
}

/// An object with no other keys than these; keys that say null are left out.
pub(super) fn object(
    path: &str,
    value: &Value,
    known: &[&str],
) -> Result<Map<String, Value>, Fault> {
    let Some(object) = value.as_object() else {
        return Err(invalid(path, "a JSON object"));
    };
    let given = object.iter().filter(|(_, value)| !value.is_null());
    let given: Map<String, Value> = given
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    match given.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(given),
        Some(key) => {
            let param = shown_place(&format!("{path}.{key}"));
            Err(Fault {
                code: "unknown_parameter",
                message: format!("`{param}` is not read here; there are {}", known.join(", ")),
                param,
            })
        }
    }
}

/// What is wrong at this key, which may be that it is not there.
fn code_at(object: &Map<String, Value>, key: &str, code: &'static str) -> &'static str {
    if object.contains_key(key) {
        code
    } else {
        "missing_parameter"
    }
}

pub(super) fn field(name: &str, path: String, value: Value) -> Field {
    let name = name.to_owned();
    Field { name, path, value }
}

/// What a client wrote may be a prompt, so it is not repeated.
pub(super) fn invalid(path: &str, right: &str) -> Fault {
    Fault {
        param: path.to_owned(),
        code: "invalid_type",
        message: format!("`{path}` must be {right}"),
    }
}
