//! Golden files: every shape that comes in and goes out, as `tests/golden/` has it. A change there is a change of what
//! clients see, and is reviewed as one. `INSTA_UPDATE=always cargo test golden` writes them anew.

mod replies;
mod requests;
mod snippets;

use crate::catalogue::{Catalogue, Model};
use std::sync::Arc;

/// This text is what the file of this name holds.
#[track_caller]
fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn model(id: &str) -> Arc<Model> {
    let catalogue = Catalogue::embedded().unwrap_or_else(|problems| panic!("{problems}"));
    Arc::clone(catalogue.find(id).expect("a model"))
}
