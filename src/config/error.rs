//! What is wrong with the configuration, and the hint that helps.

use super::secret;
use super::table::Setting;
use crate::types::words::nearest;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::ops::Range;

/// What is wrong, where, and what would be right.
#[derive(Debug)]
pub struct ConfigError(Box<Fault>);

#[derive(Debug)]
struct Fault {
    message: String,
    help: Option<String>,
    place: Option<Place>,
}

/// Where in a file.
#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    span: Range<usize>,
    label: String,
}

impl ConfigError {
    /// An error that stands in no file.
    pub(super) fn plain(message: impl Into<String>) -> Self {
        Self(Box::new(Fault {
            message: message.into(),
            help: None,
            place: None,
        }))
    }

    /// A value that a setting does not take. `right` is the setter's "must be …"; `spelt` is how the user wrote the
    /// setting's name: a flag, a variable or a key.
    pub(super) fn wrong_value(row: &Setting, spelt: &str, text: &str, right: &str) -> Self {
        let got = secret::shown(row.name, text);
        Self::plain(format!("`{spelt}` must be {right}, got `{got}`")).with_help(row.explained())
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Points at a place. `source` must not hold secrets: the lines around the place are printed too.
    pub(super) fn at(
        mut self,
        source: NamedSource<String>,
        span: Range<usize>,
        label: &str,
    ) -> Self {
        self.0.place = Some(Place {
            source,
            span,
            label: label.to_owned(),
        });
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.0.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let place = self.0.place.as_ref()?;
        Some(&place.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.0.place.as_ref()?;
        let label = LabeledSpan::at(place.span.clone(), &place.label);
        Some(Box::new(std::iter::once(label)))
    }
}

/// "did you mean `x`?", or all there is.
pub(super) fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    did_you_mean(name, known.clone()).unwrap_or_else(|| {
        let all: Vec<_> = known.collect();
        format!("there are {}", all.join(", "))
    })
}

/// The known name that is close enough to have been meant.
pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(&name.replace('-', "_"), known).map(|known| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["listen", "data", "public_url"];
        let check = |name, hint: Option<&str>| {
            let found = did_you_mean(name, known.into_iter());
            assert_eq!(found.as_deref(), hint, "{name}");
        };
        check("lisen", Some("did you mean `listen`?"));
        check("public-url", Some("did you mean `public_url`?"));
        check("DATA", Some("did you mean `data`?"));
        check("colour", None);
    }
}
