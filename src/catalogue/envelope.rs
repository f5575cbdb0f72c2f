//! The fields that every call may carry whatever the model's form says. They are never unknown.

use crate::catalogue::model::{Model, Range, Span};
use crate::catalogue::value::{invalid_type, out_of_range, read_boolean, read_number, read_text};
use crate::catalogue::words::{fault, name, show};
use crate::error::Fault;
use crate::types::{Envelope, Field, Modality, Money, ResponseFormat};
use serde_json::Value;

/// Every envelope field.
pub(super) const NAMES: &[&str] = &[
    "model",
    "prompt",
    "n",
    "stream",
    "stream_options",
    "partial_images",
    "response_format",
    "user",
    "safety_identifier",
    "metadata",
    "callback_url",
    "max_cost",
];

/// The longest `user` or `safety_identifier`, in characters.
pub(super) const IDENTIFIER: usize = 512;
/// The longest callback URL, in characters.
pub(super) const URL: usize = 2048;
/// The longest `metadata`, in bytes of its JSON.
pub(super) const METADATA: usize = 16 * 1024;
/// `max_cost` is below this, in dollars: a power of ten, more than anything costs.
pub(super) const MAX_COST: i64 = 1_000_000_000;

pub(super) fn is_envelope(name: &str) -> bool {
    NAMES.contains(&name)
}

/// What the envelope fields of one call said.
#[derive(Clone, Debug)]
pub(super) struct EnvelopeRead {
    pub envelope: Envelope,
    pub stream: bool,
    pub include_usage: bool,
    pub callback_url: Option<String>,
    /// The deprecated spelling of `safety_identifier`.
    user: Option<String>,
}

impl EnvelopeRead {
    pub(super) fn new(response_format: ResponseFormat) -> Self {
        Self {
            envelope: Envelope {
                response_format,
                ..Envelope::default()
            },
            stream: false,
            include_usage: false,
            callback_url: None,
            user: None,
        }
    }

    /// Reads a field that the model's form does not have. `Some(value)`: a text was read as this value;
    /// `Some(Null)`: the model has no use for the field, so it is left out.
    pub(super) fn read(&mut self, model: &Model, field: &Field) -> Result<Option<Value>, Fault> {
        let (path, value) = (field.path.as_str(), &field.value);
        match field.name.as_str() {
            "prompt" => return Ok(Some(Value::Null)),
            "n" => return one_image(model, path, value),
            "stream" => {
                let reading = read_boolean(path, value)?;
                self.stream = reading.value == Value::Bool(true);
                return Ok(reading.adapted.then_some(reading.value));
            }
            "partial_images" => return no_previews(path, value),
            "stream_options" => self.include_usage = include_usage(path, value)?,
            "response_format" => self.envelope.response_format = response_format(path, value)?,
            "user" => self.user = identifier(path, value)?,
            "safety_identifier" => self.envelope.safety_identifier = identifier(path, value)?,
            "metadata" => self.envelope.metadata = Some(metadata(path, value)?),
            "callback_url" => self.callback_url = Some(callback_url(path, value)?),
            "max_cost" => self.envelope.max_cost = Some(max_cost(path, value)?),
            // The model was looked up by this field; nothing is left to check.
            _ => {}
        }
        Ok(None)
    }

    /// With `user` in its modern place.
    pub(super) fn settled(mut self) -> Self {
        let user = self.user.take();
        self.envelope.safety_identifier = self.envelope.safety_identifier.or(user);
        self
    }
}

/// A model without `n` makes one image or one text a call.
fn one_image(model: &Model, path: &str, value: &Value) -> Result<Option<Value>, Fault> {
    let reading = read_number(&Range::default(), true, path, value)?;
    if reading.value != 1 {
        let what = match model.modality {
            Modality::Text => "writes one text",
            _ => "makes one image",
        };
        let right = format!("1, because {} {what} a call", model.id);
        return Err(out_of_range(path, &right, value));
    }
    Ok(reading.adapted.then_some(reading.value))
}

/// A model without previews: none is what it makes anyway, more are left out.
fn no_previews(path: &str, value: &Value) -> Result<Option<Value>, Fault> {
    let range = Range {
        minimum: Some(0.into()),
        maximum: Some(3.into()),
        step: None,
    };
    let reading = read_number(&range, true, path, value)?;
    if reading.value != 0 {
        return Ok(Some(Value::Null));
    }
    Ok(reading.adapted.then_some(reading.value))
}

fn include_usage(path: &str, value: &Value) -> Result<bool, Fault> {
    let Some(options) = value.as_object() else {
        return Err(invalid_type(path, "a JSON object", value));
    };
    match options.get("include_usage") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(wanted)) => Ok(*wanted),
        Some(other) => {
            let path = format!("{path}.include_usage");
            Err(invalid_type(&path, "true or false", other))
        }
    }
}

fn response_format(path: &str, value: &Value) -> Result<ResponseFormat, Fault> {
    let Some(text) = value.as_str() else {
        return Err(invalid_type(path, "a text", value));
    };
    ResponseFormat::from_name(text).ok_or_else(|| {
        let message = format!(
            "{} must be one of {}; got {}",
            name(path),
            ResponseFormat::NAMES.join(", "),
            show(value)
        );
        fault(path, "invalid_enum", message)
    })
}

/// An empty identifier is none.
fn identifier(path: &str, value: &Value) -> Result<Option<String>, Fault> {
    let text = read_text(at_most(IDENTIFIER), path, value)?;
    Ok(text
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned))
}

fn metadata(path: &str, value: &Value) -> Result<Value, Fault> {
    if !value.is_object() {
        return Err(invalid_type(path, "a JSON object", value));
    }
    let bytes = value.to_string().len();
    if bytes > METADATA {
        let message = format!(
            "{} must have at most {METADATA} bytes as JSON, got {bytes}",
            name(path)
        );
        return Err(fault(path, "too_long", message));
    }
    Ok(value.clone())
}

/// Only the form is checked here; where it may point to is the guard's affair.
fn callback_url(path: &str, value: &Value) -> Result<String, Fault> {
    let text = read_text(at_most(URL), path, value)?;
    let url = text.as_str().unwrap_or_default();
    if !url.starts_with("https://") && !url.starts_with("http://") {
        let message = format!("{} must be a URL with http:// or https://", name(path));
        return Err(fault(path, "invalid_url", message));
    }
    Ok(url.to_owned())
}

/// An amount in dollars, as text or as a number; a number counts by its digits, never as a float.
fn max_cost(path: &str, value: &Value) -> Result<Money, Fault> {
    let digits = match value {
        Value::String(text) => text.clone(),
        // `f64` prints its shortest digits without an exponent; serde_json would write 1e-5.
        Value::Number(number) => match number.as_f64() {
            // Zero is added to make -0 a plain 0.
            Some(float) if number.is_f64() => (float + 0.0).to_string(),
            _ => number.to_string(),
        },
        _ => return Err(invalid_type(path, "an amount in dollars", value)),
    };
    digits
        .parse()
        .ok()
        .filter(|amount| *amount < Money::from_micros(MAX_COST * 1_000_000))
        .filter(|_| !digits.starts_with('-'))
        .ok_or_else(|| {
            let right = format!(
                "an amount in dollars below {MAX_COST} with at most six decimal places, like 0.25"
            );
            out_of_range(path, &right, value)
        })
}

fn at_most(max: usize) -> Span {
    Span {
        min: None,
        max: Some(max),
    }
}
