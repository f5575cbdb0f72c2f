//! The query of a path: named values, each said once, none overlooked.

use super::Api;
use super::reply::Refusal;
use crate::error::{Error, Fault};
use crate::types::words::nearest;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

/// What stands behind the question mark.
pub(super) struct Params(Vec<(String, String)>);

impl FromRequestParts<Api> for Params {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        match Query::from_request_parts(parts, api).await {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(_) => {
                let error = wrong("", "invalid_query", "the query cannot be read");
                Err(Refusal::at(parts.uri.path(), error))
            }
        }
    }
}

impl Params {
    /// The value of this name.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>, Error> {
        let (mut values, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|(one, _)| one == name);
        self.0 = rest;
        match values.len() {
            0 | 1 => Ok(values.pop().map(|(_, value)| value)),
            _ => Err(wrong(
                name,
                "duplicate_parameter",
                format!("`{name}` stands twice in the query; say it once"),
            )),
        }
    }

    /// The value of this name, read; `right` says what it should have been.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.take(name)? else {
            return Ok(None);
        };
        let value = read(&text).ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            wrong(
                name,
                "invalid_value",
                format!("`{name}` must be {right}, got `{shown}`"),
            )
        })?;
        Ok(Some(value))
    }

    /// Refuses what nobody took: a mistyped filter must not answer with everything.
    pub(super) fn nothing_else(self, known: &[&str]) -> Result<(), Error> {
        let Some((name, _)) = self.0.first() else {
            return Ok(());
        };
        let shown: String = name.chars().take(60).collect();
        let hint = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        let message = format!("`{shown}` is not read here; {hint}");
        Err(wrong(&shown, "unknown_parameter", message))
    }
}

/// A fault in this parameter.
pub(super) fn wrong(param: &str, code: &'static str, message: impl Into<String>) -> Error {
    Error::faults(vec![Fault {
        param: param.to_owned(),
        code,
        message: message.into(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        let owned = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        Params(owned.collect())
    }

    #[test]
    fn each_name_is_said_once_and_none_is_overlooked() {
        let mut query = params(&[("a", "1"), ("b", "2"), ("a", "3")]);
        assert_eq!(query.take("b").ok().flatten().as_deref(), Some("2"));
        let twice = query.take("a").expect_err("twice");
        assert_eq!(twice.param(), Some("a"));
        assert!(query.nothing_else(&["a", "b"]).is_ok());
        let left = params(&[("stat", "failed")]).nothing_else(&["state", "model"]);
        let left = left.expect_err("unknown");
        assert_eq!(left.param(), Some("stat"));
        assert!(left.message.contains("did you mean `state`?"), "{left}");
    }
}
