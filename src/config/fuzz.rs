//! Configuration files: they are read, or refused with a picture of the place that can be drawn.

use super::file::File;
use super::table::TABLE;
use super::{ConfigError, Settings};
use miette::{GraphicalReportHandler, GraphicalTheme};
use std::path::Path;

/// A value that never reaches an error's text when it stands under the name of a secret.
const CANARY: &str = "canary-7c9f";

/// A text as `pinhole.toml`.
pub(crate) fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    read(text.to_owned());
    // The same text behind a secret, whatever is wrong with it.
    if let Some(error) = read(format!(
        "[provider.p]\nkind = \"replay\"\napi_key = \"{CANARY}\"\n{text}"
    )) {
        let told = told(&error);
        assert!(!told.contains(CANARY), "{told}");
    }
}

fn read(text: String) -> Option<ConfigError> {
    let outcome = File::parse(Path::new("pinhole.toml"), text).and_then(|file| {
        let mut settings = Settings::blank();
        for row in TABLE {
            file.set(&mut settings, row)?;
        }
        file.providers()
    });
    let error = outcome.err()?;
    assert!(!told(&error).is_empty());
    Some(error)
}

/// As a terminal shows it.
fn told(error: &ConfigError) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .render_report(&mut out, error)
        .expect("an error can be drawn");
    out
}
