//! Fields that only hint at how to work: a model that lacks one loses nothing of what was asked.

use crate::catalogue::model::Parameter;
use crate::catalogue::value::read;
use crate::types::Field;

/// Every hint. Where a value stands, only that value is a mere hint: `quality: high` is a wish.
const HINTS: &[(&str, Option<&str>)] = &[
    ("input_fidelity", None),
    ("style", None),
    ("image_detail", None),
    ("moderation", None),
    ("output_compression", None),
    ("quality", Some("auto")),
    ("size", Some("auto")),
];

/// Which hints a call may lose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hints {
    /// The call asks for a format whose compression matters.
    has_lossy_format: bool,
}

impl Hints {
    /// For a call with these fields.
    pub(super) fn of(fields: &[&Field]) -> Self {
        let is_lossy = |field: &&Field| {
            field.name == "output_format" && matches!(field.value.as_str(), Some("jpeg" | "webp"))
        };
        Self {
            has_lossy_format: fields.iter().any(is_lossy),
        }
    }

    /// Whether this field is a hint that the model lacks. What the model's form has is checked, not dropped.
    pub(super) fn may_drop(self, field: &Field, parameter: Option<&Parameter>) -> bool {
        let is_unread = |parameter: &Parameter| read(parameter, "", &field.value).is_err();
        match HINTS.iter().find(|(hint, _)| *hint == field.name) {
            None => false,
            Some((_, Some(value))) => field.value == *value && parameter.is_none_or(is_unread),
            Some(("output_compression", None)) => parameter.is_none() && !self.has_lossy_format,
            Some((_, None)) => parameter.is_none(),
        }
    }
}
