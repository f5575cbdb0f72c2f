//! What a call asks, checked as the service checks it: every field by one row of a table.

use crate::answer::Refusal;
use crate::picture::size_of;
use axum::body::Bytes;
use serde_json::{Map, Value, json};
use std::io::Cursor;

/// Who is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    Strict,
    Calm,
    Local,
    Azure { model: String },
}

impl Manner {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Calm => "calm",
            Self::Local => "local",
            Self::Azure { .. } => "azure",
        }
    }
}

const MODELS: &[&str] = &[
    "gpt-image-2",
    "gpt-image-2-2026-04-21",
    "gpt-image-1.5",
    "gpt-image-1-mini",
];

/// What a field may be.
enum Takes {
    Text,
    OneOf(&'static [&'static str]),
    Number(i64, i64),
    Truth,
    Size,
}

/// Every field, and whether edits have it too.
const FIELDS: &[(&str, Takes, bool)] = &[
    ("model", Takes::Text, true),
    ("prompt", Takes::Text, true),
    ("n", Takes::Number(1, 10), true),
    ("size", Takes::Size, true),
    (
        "quality",
        Takes::OneOf(&["auto", "low", "medium", "high"]),
        true,
    ),
    (
        "background",
        Takes::OneOf(&["auto", "opaque", "transparent"]),
        true,
    ),
    (
        "output_format",
        Takes::OneOf(&["png", "jpeg", "webp"]),
        true,
    ),
    ("output_compression", Takes::Number(0, 100), true),
    ("moderation", Takes::OneOf(&["auto", "low"]), false),
    ("stream", Takes::Truth, true),
    ("partial_images", Takes::Number(0, 3), true),
    ("user", Takes::Text, true),
    ("safety_identifier", Takes::Text, true),
];

/// A call that is right.
pub struct Ask {
    pub is_edit: bool,
    pub prompt: String,
    pub n: u64,
    pub size: (u32, u32),
    pub format: String,
    pub transparent: bool,
    pub stream: bool,
    pub partial_images: u64,
    pub wants_links: bool,
    pub inputs: Vec<Part>,
    pub fields: Map<String, Value>,
}

/// A file of a form.
pub struct Part {
    name: String,
    file_name: Option<String>,
    content_type: String,
    bytes: Bytes,
}

impl Ask {
    pub fn read(
        manner: &Manner,
        call: &str,
        content_type: &str,
        body: &Bytes,
    ) -> Result<Self, Refusal> {
        let is_edit = call == "edits";
        let (fields, inputs) = match content_type.split_once("boundary=") {
            Some((_, boundary)) if is_edit => form(boundary.trim_matches('"'), body)?,
            _ => (json_body(body)?, Vec::new()),
        };
        let strict = *manner != Manner::Local;
        if strict {
            for (name, value) in &fields {
                check(name, value, is_edit)?;
            }
            check_together(manner, &fields)?;
        }
        if is_edit {
            check_inputs(&inputs, if strict { "mask" } else { "mask_image" })?;
        }
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let number = |name: &str| fields.get(name).and_then(Value::as_u64);
        Ok(Self {
            is_edit,
            prompt: text("prompt").unwrap_or_default().to_owned(),
            n: number("n").unwrap_or(1),
            size: text("size").and_then(size_of).unwrap_or((1024, 1024)),
            format: text("output_format").unwrap_or("png").to_owned(),
            transparent: text("background") == Some("transparent"),
            stream: fields.get("stream") == Some(&Value::Bool(true)),
            partial_images: number("partial_images").unwrap_or(0),
            wants_links: !strict && text("response_format") != Some("b64_json"),
            inputs,
            fields,
        })
    }

    /// All that was asked; of files what they are.
    pub fn for_log(&self) -> Value {
        let inputs: Vec<Value> = self
            .inputs
            .iter()
            .map(|part| {
                json!({
                    "name": part.name, "file_name": part.file_name, "type": part.content_type, "bytes": part.bytes.len(),
                })
            })
            .collect();
        json!({"fields": self.fields, "files": inputs})
    }
}

fn json_body(body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(Refusal::invalid(
            "",
            "invalid_json",
            "We could not parse the JSON body of your request.",
        )),
    }
}

fn check(name: &str, value: &Value, is_edit: bool) -> Result<(), Refusal> {
    if name == "input_fidelity" {
        let message = "The model does not support the 'input_fidelity' parameter.";
        return Err(Refusal::invalid(
            name,
            "invalid_input_fidelity_model",
            message,
        ));
    }
    let known = FIELDS
        .iter()
        .find(|(field, _, in_edits)| *field == name && (*in_edits || !is_edit));
    let Some((_, takes, _)) = known else {
        return Err(Refusal::invalid(
            name,
            "unknown_parameter",
            &format!("Unknown parameter: '{name}'."),
        ));
    };
    let (is_type, is_value) = match takes {
        Takes::Text => (value.is_string(), value.as_str() != Some("")),
        Takes::OneOf(words) => (
            value.is_string(),
            value.as_str().is_some_and(|word| words.contains(&word)),
        ),
        Takes::Number(least, most) => (
            value.is_i64(),
            value
                .as_i64()
                .is_some_and(|number| (*least..=*most).contains(&number)),
        ),
        Takes::Truth => (value.is_boolean(), true),
        Takes::Size => (value.is_string(), value.as_str().is_some_and(is_size)),
    };
    match (is_type, is_value) {
        (false, _) => Err(Refusal::invalid(
            name,
            "invalid_type",
            &format!("Invalid type for '{name}'."),
        )),
        (true, false) => Err(Refusal::invalid(
            name,
            "invalid_value",
            &format!("Invalid value for '{name}'."),
        )),
        (true, true) => Ok(()),
    }
}

fn is_size(text: &str) -> bool {
    let fits = |(width, height): (u32, u32)| {
        let (long, short) = (width.max(height), width.min(height));
        width % 16 == 0
            && height % 16 == 0
            && long <= 3840
            && long <= 3 * short
            && (655_360..=8_294_400).contains(&(u64::from(width) * u64::from(height)))
    };
    text == "auto" || size_of(text).is_some_and(fits)
}

fn check_together(manner: &Manner, fields: &Map<String, Value>) -> Result<(), Refusal> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    match text("prompt").map(|prompt| prompt.chars().count()) {
        None => {
            return Err(Refusal::invalid(
                "prompt",
                "missing_required_parameter",
                "Missing required parameter: 'prompt'.",
            ));
        }
        Some(32_001..) => {
            return Err(Refusal::invalid(
                "prompt",
                "string_above_max_length",
                "Invalid 'prompt': string too long.",
            ));
        }
        Some(_) => {}
    }
    let model = match manner {
        Manner::Azure { model } => Some(model.as_str()),
        _ => text("model"),
    };
    if !model.is_some_and(|model| MODELS.contains(&model)) {
        return Err(Refusal::new(
            404,
            "invalid_request_error",
            "model_not_found",
            "The model does not exist.",
        ));
    }
    if text("background") == Some("transparent") && text("output_format") == Some("jpeg") {
        let message = "Transparent background is not supported for JPEG output format.";
        return Err(Refusal::invalid("background", "invalid_value", message));
    }
    let is_lossy = matches!(text("output_format"), Some("jpeg" | "webp"));
    if fields.contains_key("output_compression") && !is_lossy {
        return Err(Refusal::invalid(
            "output_compression",
            "invalid_value",
            "Compression is for JPEG and WebP.",
        ));
    }
    if fields.contains_key("partial_images") && fields.get("stream") != Some(&Value::Bool(true)) {
        return Err(Refusal::invalid(
            "partial_images",
            "invalid_value",
            "Partial images are for streams.",
        ));
    }
    Ok(())
}

fn check_inputs(inputs: &[Part], mask: &str) -> Result<(), Refusal> {
    let wrong = |param: &str, code: &str, message: &str| Err(Refusal::user(param, code, message));
    let images: Vec<&Part> = inputs
        .iter()
        .filter(|part| matches!(part.name.as_str(), "image" | "image[]"))
        .collect();
    let masks: Vec<&Part> = inputs.iter().filter(|part| part.name == mask).collect();
    if images.is_empty() {
        return wrong(
            "image",
            "missing_required_parameter",
            "Missing required parameter: 'image'.",
        );
    }
    if images.len() > 16 || masks.len() > 1 || images.len() + masks.len() < inputs.len() {
        return wrong(
            "image",
            "invalid_value",
            "At most 16 images and one mask are taken.",
        );
    }
    if images.len() > 1 && images.iter().any(|part| part.name == "image") {
        return wrong(
            "image",
            "duplicate_parameter",
            "Several images are sent as 'image[]'.",
        );
    }
    let mut sizes = Vec::new();
    for part in inputs {
        let is_type = matches!(
            part.content_type.as_str(),
            "image/png" | "image/jpeg" | "image/webp"
        );
        if !is_type || part.file_name.as_ref().is_none_or(String::is_empty) {
            let message = format!(
                "Invalid file '{}': unsupported mimetype ('{}').",
                part.name, part.content_type
            );
            return wrong(&part.name, "unsupported_file_mimetype", &message);
        }
        match dimensions(&part.bytes, &part.content_type) {
            Some(size) => sizes.push((part.name.as_str(), size)),
            None => {
                return wrong(
                    &part.name,
                    "invalid_image_file",
                    "Invalid image file or mode.",
                );
            }
        }
    }
    let size_of = |is_mask: bool| {
        sizes
            .iter()
            .find(|(name, _)| (*name == mask) == is_mask)
            .map(|(_, size)| size)
    };
    match masks.first() {
        None => Ok(()),
        Some(mask) if mask.content_type != "image/png" => wrong(
            "mask",
            "invalid_mask_image_format",
            "The mask must be a PNG.",
        ),
        Some(_) if size_of(true) != size_of(false) => wrong(
            "mask",
            "invalid_mask_size",
            "The mask has another size than the image.",
        ),
        Some(_) => Ok(()),
    }
}

/// The size, if the bytes are what the type says.
fn dimensions(bytes: &Bytes, content_type: &str) -> Option<(u32, u32)> {
    let reader = image::ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .ok()?;
    let is_said = reader.format()?.to_mime_type() == content_type;
    reader.into_dimensions().ok().filter(|_| is_said)
}

/// Fields and files of a form. Texts become what the field is, as forms have no types.
fn form(boundary: &str, body: &Bytes) -> Result<(Map<String, Value>, Vec<Part>), Refusal> {
    let malformed = || Refusal::invalid("", "invalid_multipart", "Could not parse multipart form.");
    let (mut fields, mut files) = (Map::new(), Vec::new());
    let delimiter = format!("--{boundary}");
    let mut at = find(body, delimiter.as_bytes(), 0).ok_or_else(malformed)? + delimiter.len();
    while body.get(at..at + 2) == Some(b"\r\n") {
        let head_end = find(body, b"\r\n\r\n", at).ok_or_else(malformed)?;
        let end = find(body, format!("\r\n{delimiter}").as_bytes(), head_end + 2)
            .ok_or_else(malformed)?;
        let head = String::from_utf8_lossy(&body[at..head_end]).into_owned();
        let content = body.slice(head_end + 4..end);
        let name = quoted(&head, " name=").ok_or_else(malformed)?;
        let content_type = line(&head, "content-type:");
        match quoted(&head, " filename=") {
            None if content_type.is_none() => {
                let text = String::from_utf8(content.to_vec()).map_err(|_| malformed())?;
                if fields.insert(name.clone(), typed(&name, text)).is_some() {
                    return Err(Refusal::invalid(
                        &name,
                        "duplicate_parameter",
                        "Duplicate parameter.",
                    ));
                }
            }
            file_name => files.push(Part {
                name,
                file_name,
                content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
                bytes: content,
            }),
        }
        at = end + 2 + delimiter.len();
    }
    Ok((fields, files))
}

fn typed(name: &str, text: String) -> Value {
    let takes = FIELDS
        .iter()
        .find(|(field, _, _)| *field == name)
        .map(|(_, takes, _)| takes);
    match takes {
        Some(Takes::Number(..)) => text.parse::<i64>().map_or(Value::String(text), Value::from),
        Some(Takes::Truth) => text
            .parse::<bool>()
            .map_or(Value::String(text), Value::from),
        _ => Value::String(text),
    }
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    memchr::memmem::find(body.get(from..)?, what).map(|at| from + at)
}

fn quoted(head: &str, key: &str) -> Option<String> {
    let (_, rest) = head.split_once(key)?;
    Some(rest.strip_prefix('"')?.split_once('"')?.0.to_owned())
}

fn line(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines();
    lines.find_map(|line| {
        line.to_lowercase()
            .strip_prefix(name)
            .map(|value| value.trim().to_owned())
    })
}
