//! What is wrong with the configuration, and the hint that helps.

use super::secret;
use super::table::Setting;
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
    let name = name.to_lowercase().replace('-', "_");
    let ranked = known.map(|known| (distance(&name, &known.to_lowercase()), known));
    let (steps, nearest) = ranked.min()?;
    let near_enough = steps <= 1 + nearest.len() / 6;
    near_enough.then(|| format!("did you mean `{nearest}`?"))
}

/// Letters to change, add, drop or swap with their neighbour to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_typos() {
        let check = |a, b, steps| assert_eq!(distance(a, b), steps, "{a} {b}");
        check("", "", 0);
        check("listen", "listen", 0);
        check("listn", "listen", 1);
        check("litsen", "listen", 1);
        check("", "abc", 3);
        check("drain", "drain_s", 2);
    }

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
