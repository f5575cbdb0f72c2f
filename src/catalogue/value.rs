//! One value against one parameter: what it means, or what is wrong with it.

use crate::catalogue::decimal::Decimal;
use crate::catalogue::model::{Also, Choice, Kind, Parameter, Range, Span, plain_text};
use crate::catalogue::size::parse_size;
use crate::catalogue::words::{fault, name, show};
use crate::error::Fault;
use crate::types::FileId;
use serde_json::{Value, json};

/// A value that fits its parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// The value in its canonical form.
    pub value: Value,
    /// Whether it was written in another form: a number or a truth value as text, a size with `x` for `*`.
    pub adapted: bool,
}

impl Reading {
    fn plain(value: Value) -> Self {
        Self {
            value,
            adapted: false,
        }
    }
}

/// Reads a value as the parameter wants it. Never panics, whatever the value is.
pub(super) fn read(parameter: &Parameter, path: &str, value: &Value) -> Result<Reading, Fault> {
    match &parameter.kind {
        Kind::Text(length) => read_text(*length, path, value).map(Reading::plain),
        Kind::Choice { options, also } => read_choice(options, also.as_ref(), path, value),
        Kind::Integer(range) => read_number(range, true, path, value),
        Kind::Number(range) => read_number(range, false, path, value),
        Kind::Boolean => read_boolean(path, value),
        Kind::Image => read_one_image(path, value).map(Reading::plain),
        Kind::Images(items) => {
            read_list(*items, "image", path, value, read_image).map(Reading::plain)
        }
        Kind::Texts { items, length } => read_list(*items, "text", path, value, |path, value| {
            read_text(*length, path, value)
        })
        .map(Reading::plain),
        Kind::Object if value.is_object() => Ok(Reading::plain(value.clone())),
        Kind::Object => Err(invalid_type(path, "a JSON object", value)),
    }
}

pub(super) fn invalid_type(path: &str, right: &str, value: &Value) -> Fault {
    let message = format!("{} must be {right}, got {}", name(path), show(value));
    fault(path, "invalid_type", message)
}

/// A text's own words never enter a message: it may be a prompt.
pub(super) fn read_text(length: Span, path: &str, value: &Value) -> Result<Value, Fault> {
    let Some(text) = value.as_str() else {
        return Err(invalid_type(path, "a text", value));
    };
    let count = text.chars().count();
    if length.min.is_some_and(|min| min > 0) && text.trim().is_empty() {
        let message = format!("{} must not be empty", name(path));
        return Err(fault(path, "too_short", message));
    }
    if let Some(min) = length.min.filter(|min| count < *min) {
        let message = format!(
            "{} must have at least {min} characters, got {count}",
            name(path)
        );
        return Err(fault(path, "too_short", message));
    }
    if let Some(max) = length.max.filter(|max| count > *max) {
        let message = format!(
            "{} must have at most {max} characters, got {count}",
            name(path)
        );
        return Err(fault(path, "too_long", message));
    }
    Ok(value.clone())
}

fn read_choice(
    options: &[Choice],
    also: Option<&Also>,
    path: &str,
    value: &Value,
) -> Result<Reading, Fault> {
    if options.iter().any(|option| option.value == *value) {
        return Ok(Reading::plain(value.clone()));
    }
    if let Some(option) = options.iter().find(|option| same_number(option, value)) {
        return Ok(Reading {
            value: option.value.clone(),
            adapted: value.is_string(),
        });
    }
    if let Some(option) = options.iter().find(|option| same_size(option, value)) {
        return Ok(Reading {
            value: option.value.clone(),
            adapted: true,
        });
    }
    let size = value.as_str().and_then(parse_size);
    match (also, size) {
        (Some(also), Some(size)) if also.allows(size) => return Ok(Reading::plain(value.clone())),
        _ => {}
    }
    let code = match (also, size) {
        _ if !value.is_string() && options.iter().all(|option| option.value.is_string()) => {
            "invalid_type"
        }
        (Some(_), Some(_)) => "out_of_range",
        _ => "invalid_enum",
    };
    let message = format!(
        "{} must be one of {}; got {}",
        name(path),
        list_choices(options, also),
        show(value)
    );
    Err(fault(path, code, message))
}

/// Whether a number, or a text that is one, means a numeric entry.
fn same_number(option: &Choice, value: &Value) -> bool {
    let Value::Number(wanted) = &option.value else {
        return false;
    };
    let given = match value {
        Value::Number(number) => Decimal::of(number),
        Value::String(text) => Decimal::parse(text),
        _ => None,
    };
    given.is_some() && given == Decimal::of(wanted)
}

/// Whether a text means an entry that is a size: some write `x` between the edges and some `*`.
fn same_size(option: &Choice, value: &Value) -> bool {
    let size = |value: &Value| parse_size(&value.as_str()?.replacen('*', "x", 1));
    size(value).is_some_and(|given| size(&option.value) == Some(given))
}

fn list_choices(options: &[Choice], also: Option<&Also>) -> String {
    let mut words: Vec<String> = options
        .iter()
        .map(|option| plain_text(&option.value))
        .collect();
    words.extend(also.map(Also::to_string));
    words.join(", ")
}

pub(super) fn read_number(
    range: &Range,
    whole: bool,
    path: &str,
    value: &Value,
) -> Result<Reading, Fault> {
    let right = if whole { "a whole number" } else { "a number" };
    let decimal = match value {
        Value::Number(number) => match (Decimal::of(number), number.as_f64()) {
            (None, Some(float)) if !whole && range.step.is_none() => {
                return read_float(range, float, path, value);
            }
            (decimal, _) => decimal,
        },
        Value::String(text) => {
            Some(Decimal::parse(text).ok_or_else(|| invalid_type(path, right, value))?)
        }
        _ => return Err(invalid_type(path, right, value)),
    };
    let in_range = decimal.filter(|decimal| {
        range.minimum.is_none_or(|minimum| *decimal >= minimum)
            && range.maximum.is_none_or(|maximum| *decimal <= maximum)
    });
    let Some(decimal) = in_range else {
        return Err(out_of_range(path, &bounds(range), value));
    };
    if whole && decimal.whole().is_none() {
        return Err(if decimal.has_places() {
            invalid_type(path, right, value)
        } else {
            out_of_range(path, "a whole number of at most 64 bits", value)
        });
    }
    let start = range.minimum.unwrap_or(Decimal::ZERO);
    if let Some(step) = range.step.filter(|step| !decimal.is_reached(start, *step)) {
        let right = format!("in steps of {step} from {start}");
        return Err(out_of_range(path, &right, value));
    }
    Ok(Reading {
        value: decimal.to_json(),
        adapted: value.is_string(),
    })
}

/// A number with more digits than a [`Decimal`] holds, which without steps is none the worse for it.
fn read_float(range: &Range, float: f64, path: &str, value: &Value) -> Result<Reading, Fault> {
    let bound = |bound: Option<Decimal>| bound.and_then(|it| it.to_json().as_f64());
    let is_in_range = bound(range.minimum).is_none_or(|minimum| float >= minimum)
        && bound(range.maximum).is_none_or(|maximum| float <= maximum);
    if !is_in_range {
        return Err(out_of_range(path, &bounds(range), value));
    }
    Ok(Reading::plain(value.clone()))
}

pub(super) fn out_of_range(path: &str, right: &str, value: &Value) -> Fault {
    let message = format!("{} must be {right}, got {}", name(path), show(value));
    fault(path, "out_of_range", message)
}

fn bounds(range: &Range) -> String {
    match (range.minimum, range.maximum) {
        (Some(minimum), Some(maximum)) => format!("between {minimum} and {maximum}"),
        (Some(minimum), None) => format!("at least {minimum}"),
        (None, Some(maximum)) => format!("at most {maximum}"),
        (None, None) => "a number of at most 19 digits and 18 decimal places".to_owned(),
    }
}

pub(super) fn read_boolean(path: &str, value: &Value) -> Result<Reading, Fault> {
    let written = match value.as_str() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    match (value, written) {
        (Value::Bool(_), _) => Ok(Reading::plain(value.clone())),
        (_, Some(truth)) => Ok(Reading {
            value: Value::Bool(truth),
            adapted: true,
        }),
        _ => Err(invalid_type(path, "true or false", value)),
    }
}

/// A list, or a single item that stands for a list of one.
fn read_list(
    items: Span,
    noun: &str,
    path: &str,
    value: &Value,
    read_item: impl Fn(&str, &Value) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    let list = value.as_array();
    let count = list.map_or(1, Vec::len);
    let too_few = items.min.is_some_and(|min| count < min);
    if too_few || items.max.is_some_and(|max| count > max) {
        let message = format!(
            "{} must have {} {noun}s, got {count}",
            name(path),
            count_bounds(items),
        );
        return Err(fault(path, "out_of_range", message));
    }
    let Some(list) = list else {
        return Ok(Value::Array(vec![read_item(path, value)?]));
    };
    list.iter()
        .enumerate()
        .map(|(index, item)| read_item(&format!("{path}[{index}]"), item))
        .collect::<Result<_, _>>()
        .map(Value::Array)
}

fn count_bounds(items: Span) -> String {
    match (items.min, items.max) {
        (Some(min), Some(max)) if min == max => format!("{min}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number of".to_owned(),
    }
}

/// One picture, or a list that holds exactly one.
fn read_one_image(path: &str, value: &Value) -> Result<Value, Fault> {
    match value.as_array().map(Vec::as_slice) {
        None => read_image(path, value),
        Some([only]) => read_image(path, only),
        Some(list) => {
            let message = format!("{} must be one image, got {}", name(path), list.len());
            Err(fault(path, "out_of_range", message))
        }
    }
}

/// Where each picture of a value stands that [`read`] has taken, down to the text that names it.
pub(super) fn image_paths(path: &str, value: &Value) -> Vec<String> {
    match value.as_array() {
        None => vec![image_path(path.to_owned(), value)],
        Some(list) => list
            .iter()
            .enumerate()
            .map(|(index, item)| image_path(format!("{path}[{index}]"), item))
            .collect(),
    }
}

fn image_path(path: String, value: &Value) -> String {
    let keys = ["file_id", "image_url", "url"].into_iter();
    let mut said = keys.filter_map(|key| Some((key, value.get(key).filter(|it| !it.is_null())?)));
    match said.next() {
        Some((key, value)) => image_path(format!("{path}.{key}"), value),
        None => path,
    }
}

/// A picture is a text (a URL, a `data:` URL, the id of an uploaded file, or the mark that the intake left in place of
/// bytes) or an object with exactly one of `image_url`, `url` and `file_id`. The canonical form is the text, or
/// `{"file_id": …}`.
fn read_image(path: &str, value: &Value) -> Result<Value, Fault> {
    let right = "a URL, a data URL or an object with `image_url` or `file_id`";
    let wrong = || invalid_image(path, right, value);
    let text = |value: &Value| {
        value
            .as_str()
            .filter(|text| !text.trim().is_empty())
            .map(str::to_owned)
    };
    if let Some(object) = value.as_object() {
        let one_of = ["image_url", "url", "file_id"]
            .into_iter()
            .filter(|key| object.get(*key).is_some_and(|value| !value.is_null()))
            .collect::<Vec<_>>();
        let [key] = one_of[..] else {
            return Err(wrong());
        };
        let inner = &object[key];
        if key == "file_id" {
            return text(inner)
                .map(|id| json!({"file_id": id}))
                .ok_or_else(wrong);
        }
        let inner = inner.get("url").unwrap_or(inner);
        return text(inner).map(Value::from).ok_or_else(wrong);
    }
    let text = text(value).ok_or_else(wrong)?;
    // A form has only texts, and no URL looks like this.
    if FileId::parse(&text).is_some() {
        return Ok(json!({"file_id": text}));
    }
    Ok(text.into())
}

/// What was sent in place of an image may be anything, even bytes as text, so it is only named.
fn invalid_image(path: &str, right: &str, value: &Value) -> Fault {
    let got = match value {
        Value::String(_) => "an empty text".to_owned(),
        other => show(other),
    };
    let message = format!("{} must be {right}; got {got}", name(path));
    fault(path, "invalid_type", message)
}
