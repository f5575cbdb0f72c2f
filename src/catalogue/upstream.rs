//! What goes to an upstream: the parameters of a request under that upstream's names.

use crate::catalogue::model::{Model, Target, is_plain};
use crate::types::Request;
use serde_json::{Map, Value};

/// The fields of a call to this target: only what the model's form has and the target takes, and only what has a value.
/// Input images, the mask and the number of images are not among them; each call has its own.
pub fn upstream_fields(model: &Model, target: &Target, request: &Request) -> Map<String, Value> {
    let parameters = model.parameters.iter().filter(|it| is_plain(it));
    let sent = parameters.filter_map(|parameter| {
        let value = request.parameters().get(&parameter.name)?;
        Some((target.field(&parameter.name)?.to_owned(), value.clone()))
    });
    sent.filter(|(_, value)| !value.is_null()).collect()
}
