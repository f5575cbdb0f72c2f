//! A call as the upstream wants it: JSON for a generation, a form for an edit.
//!
//! Only what the model's form declares is sent, and never a null: OpenAI refuses both. Input images stream from the blob
//! store with their lengths; none is held whole.

use super::variant::{Edits, Variant};
use crate::blob::BlobError;
use crate::provider::{Call, ProviderError, Verdict};
use crate::types::{FailKind, Modality, Picture};
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde_json::{Map, Value};

/// What says how we are answered; no model's parameter may.
const OURS: &[&str] = &["model", "n", "stream", "partial_images", "response_format"];

/// The fields of a call, without images.
pub(super) fn fields(call: &Call, variant: &Variant, previews: u32) -> Map<String, Value> {
    let is_theirs = |name: &str, value: &Value| !OURS.contains(&name) && !value.is_null();
    let mut fields = call.fields.clone();
    fields.retain(|name, value| is_theirs(name, value));
    let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    set("model", call.upstream_model.as_str().into());
    set("n", call.part.count.into());
    if let Some(format) = variant.response_format {
        set("response_format", format.into());
    }
    if let (Some(name), Some(user)) = (variant.end_user, &call.request.envelope().safety_identifier)
    {
        set(name, user.as_str().into());
    }
    if previews > 0 {
        set("stream", true.into());
        set("partial_images", previews.into());
    }
    if variant.needs_seed && !fields.contains_key("seed") {
        fields.insert("seed".to_owned(), random_seed().into());
    }
    fields
}

fn random_seed() -> u32 {
    // The largest that every server takes is a signed 32-bit number.
    getrandom::u32().unwrap_or_default() >> 1
}

/// What this server cannot be asked for: said before anything is sent, so that another target may take it.
pub(super) fn refuse(call: &Call, variant: &Variant) -> Result<(), ProviderError> {
    let no = |what: &str| {
        let message = format!("this upstream {what}");
        Err(ProviderError::new(
            Verdict::NotSent,
            FailKind::Rejected,
            message,
        ))
    };
    let is_edit = !call.request.images().is_empty();
    let mask = variant.edits.as_ref().and_then(|edits| edits.mask);
    match variant.prompt_tag {
        _ if call.request.modality() != Modality::Image => no("makes images only"),
        Some(tag) if call.request.prompt().contains(tag) => {
            no(&format!("does not take `{tag}` in a prompt"))
        }
        _ if is_edit && variant.edits.is_none() => no("cannot edit images"),
        _ if call.request.mask().is_some() && mask.is_none() => no("takes no mask"),
        _ => Ok(()),
    }
}

/// The form of an edit.
pub(super) async fn form(
    call: &Call,
    edits: &Edits,
    fields: Map<String, Value>,
) -> Result<Form, ProviderError> {
    let mut form = Form::new();
    let images = call.request.images();
    let name = if images.len() == 1 {
        "image"
    } else {
        "image[]"
    };
    for (number, picture) in images.iter().enumerate() {
        form = form.part(
            name,
            file(call, picture, &format!("image-{}", number + 1)).await?,
        );
    }
    if let (Some(name), Some(picture)) = (edits.mask, call.request.mask()) {
        form = form.part(name, file(call, picture, "mask").await?);
    }
    for (name, value) in fields {
        form = text(form, name, value);
    }
    Ok(form)
}

/// A value as parts: `svg[model]` for what stands in an object, `tags[]` for what stands in a list.
fn text(form: Form, name: String, value: Value) -> Form {
    match value {
        Value::Null => form,
        Value::String(words) => form.text(name, words),
        Value::Bool(_) | Value::Number(_) => form.text(name, value.to_string()),
        Value::Array(items) => items
            .into_iter()
            .fold(form, |form, item| text(form, format!("{name}[]"), item)),
        Value::Object(items) => items.into_iter().fold(form, |form, (key, item)| {
            text(form, format!("{name}[{key}]"), item)
        }),
    }
}

/// A picture as a part with its real type: servers refuse `application/octet-stream`.
async fn file(call: &Call, picture: &Picture, stem: &str) -> Result<Part, ProviderError> {
    // What other calls of the same task read too stays in the system's memory.
    let blocks = if call.part.count == call.request.n() {
        call.blobs.read_once(picture).await
    } else {
        call.blobs.read(&picture.blob, 0..picture.bytes).await
    };
    let blocks = blocks.map_err(unreadable)?;
    Part::stream_with_length(Body::wrap_stream(blocks), picture.bytes)
        .file_name(format!("{stem}.{}", picture.format.name()))
        .mime_str(picture.format.media_type())
        .map_err(|error| broken(&error.to_string()))
}

fn unreadable(error: BlobError) -> ProviderError {
    broken(&format!("an input image cannot be read: {error}"))
}

/// A fault of ours before anything was sent.
pub(super) fn broken(reason: &str) -> ProviderError {
    tracing::error!(reason, "a call could not be made");
    ProviderError::new(
        Verdict::NotSent,
        FailKind::Internal,
        "something went wrong on our side; nothing was sent",
    )
}
