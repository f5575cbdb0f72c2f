//! The header `Prefer` (RFC 7240): whether a client waits for the end, and how long.

use axum::http::HeaderMap;
use std::time::Duration;

/// What a client prefers; whatever else the header says is not ours to grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// `respond-async`: it does not wait.
    pub(super) respond_async: bool,
    /// `wait=N`: it waits so long; a bare `wait`, as long as we let it.
    pub(super) wait: Option<Duration>,
}

impl Preferences {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all("prefer").into_iter();
        let words = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|word| word.trim().to_ascii_lowercase());
        words.fold(Self::default(), |known, word| known.with(&word))
    }

    fn with(self, word: &str) -> Self {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let seconds = value
            .trim()
            .trim_matches('"')
            .parse()
            .map(Duration::from_secs);
        match (name.trim(), seconds) {
            ("respond-async", _) => Self {
                respond_async: true,
                ..self
            },
            ("wait", Ok(seconds)) => Self {
                wait: Some(seconds),
                ..self
            },
            ("wait", Err(_)) if value.is_empty() => Self {
                wait: Some(Duration::MAX),
                ..self
            },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_preferred_is_read_and_the_rest_is_left() {
        let check = |values: &[&str], respond_async: bool, wait: Option<Duration>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", value.parse().expect("a header"));
            }
            let expected = Preferences {
                respond_async,
                wait,
            };
            assert_eq!(Preferences::of(&headers), expected, "{values:?}");
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        check(&[], false, None);
        check(&["respond-async"], true, None);
        check(&["Respond-Async, wait=10"], true, seconds(10));
        check(&["wait = \"7\"", "return=minimal"], false, seconds(7));
        check(&["wait"], false, Some(Duration::MAX));
        check(&["wait=x", "waiting=3", "wait=-1"], false, None);
    }
}
