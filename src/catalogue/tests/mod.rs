//! The catalogue as a whole: calls checked against the models that are compiled in, and against small ones
//! made for a test.

mod any;
mod calls;
mod envelope;
mod form;
mod hostile;
mod load;
mod pixels;
mod price;
mod readme;
mod seeds;
mod text;

use crate::catalogue::fuzz::{check_call, reject};
use crate::catalogue::{Catalogue, Checked, Model, Rules, check};
use crate::error::Fault;
use crate::types::Draft;
use serde_json::{Value, json};
use std::sync::Arc;

/// A compiled-in model.
pub(super) fn model(id: &str) -> Arc<Model> {
    let catalogue = Catalogue::embedded().unwrap_or_else(|problems| panic!("{problems}"));
    catalogue.find(id).unwrap().clone()
}

/// A flat body as the dialect would decode it.
fn draft(body: Value) -> Draft {
    let mut draft = Draft::default();
    let Value::Object(body) = body else {
        panic!("a body is an object")
    };
    for (name, value) in body {
        draft.push(&name, value);
    }
    draft
}

fn run(id: &str, body: Value, rules: Rules) -> Result<Checked, Vec<Fault>> {
    check(&model(id), draft(body), &rules)
}

/// What `gpt-image-2` makes of a body.
fn accepted(body: Value) -> Checked {
    run("gpt-image-2", body, Rules::default()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn refused(body: Value) -> Vec<Fault> {
    run("gpt-image-2", body, Rules::default()).unwrap_err()
}
