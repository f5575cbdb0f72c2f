//! What stands behind the question mark: names that the path knows, each said once.

use crate::error::{Error, Fault};
use crate::types::words::nearest;
use axum::extract::Query;
use axum::http::Uri;

/// A query whose names are known.
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    /// Reads it; what the path does not know is refused by name, not passed over.
    pub(super) fn read(uri: &Uri, known: &[&'static str]) -> Result<Self, Error> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| invalid("", "the query is not readable: it is not UTF-8".to_owned()))?;
        let Query(pairs) = pairs;
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(unknown(name, known));
            }
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(invalid(name, format!("`{name}` stands twice in the query")));
            }
        }
        Ok(Self(pairs))
    }

    /// The text behind a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.as_str())
    }
}

fn unknown(name: &str, known: &[&str]) -> Error {
    let shown: String = name.chars().take(60).collect();
    let guess = nearest(name, known.iter().copied())
        .map(|guess| format!("did you mean `{guess}`? "))
        .unwrap_or_default();
    let message = format!(
        "`{shown}` is not read here; {guess}there are {}",
        known.join(", ")
    );
    Error::faults(vec![Fault {
        param: shown,
        code: "unknown_parameter",
        message,
    }])
}

/// A value that means nothing under its name.
pub(super) fn invalid(name: &str, message: String) -> Error {
    Error::faults(vec![Fault {
        param: name.to_owned(),
        code: "invalid_type",
        message,
    }])
}
