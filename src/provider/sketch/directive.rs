//! Test directives in a prompt: `[pinhole:delay=2s]`, `[pinhole:fail=upstream]`, `[pinhole:partial=3/4]`.
//!
//! They let a client's integration tests meet a slow, failing or broken-off generation without an upstream. They are parsed and taken
//! out here; what they do is the provider's business.

use std::time::Duration;

/// The longest delay a directive may ask for.
pub const MAX_DELAY: Duration = Duration::from_secs(600);

const OPENING: &str = "[pinhole:";

/// What a prompt's directives ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Wait this long before the result.
    pub delay: Option<Duration>,
    /// End with this failure instead of a picture.
    pub fail: Option<Fail>,
    /// Deliver the first so many pictures of so many, and fail the rest.
    pub partial: Option<(u32, u32)>,
}

/// The failures that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// The upstream refuses the prompt.
    ContentPolicy,
    /// The upstream answers with an error.
    Upstream,
    /// The upstream does not answer in time.
    Timeout,
    /// Nobody knows whether the upstream did the work.
    Unknown,
}

/// A directive that cannot be followed; the message says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// No directive of this name.
    #[error(
        "`[pinhole:{0}]` is not a directive; known are `delay=2s`, `fail=content_policy|upstream|timeout|unknown` and `partial=3/4`"
    )]
    UnknownName(String),
    /// `delay` with something that is not a time.
    #[error("`[pinhole:delay={0}]` must be a time such as `500ms` or `2s`, at most `600s`")]
    Delay(String),
    /// `fail` with an unknown kind.
    #[error(
        "`[pinhole:fail={0}]` must be one of `content_policy`, `upstream`, `timeout`, `unknown`"
    )]
    Fail(String),
    /// `partial` with something that is not a share.
    #[error(
        "`[pinhole:partial={0}]` must be a share such as `3/4`: the first number at most the second, the second at least 1"
    )]
    Partial(String),
    /// The same directive twice.
    #[error("`[pinhole:{0}=…]` is given twice; once would be right")]
    Repeated(&'static str),
    /// No closing bracket.
    #[error("`{0}` has no closing bracket; `[pinhole:delay=2s]` would be right")]
    Unclosed(String),
}

/// Splits a prompt into the text to draw and its directives. Text without directives comes back as it was.
pub fn split(prompt: &str) -> Result<(String, Directives), DirectiveError> {
    let mut directives = Directives::default();
    let mut text = String::with_capacity(prompt.len());
    let mut rest = prompt;
    while let Some(start) = rest.find(OPENING) {
        let body = &rest[start + OPENING.len()..];
        let end = body
            .find(']')
            .ok_or_else(|| DirectiveError::Unclosed(excerpt(&rest[start..])))?;
        directives.add(&body[..end])?;
        text.push_str(&rest[..start]);
        let after = &body[end + 1..];
        // The directive stood between two spaces: one of them goes with it.
        let open = text.is_empty() || text.ends_with(char::is_whitespace);
        rest = if open {
            after.strip_prefix(' ').unwrap_or(after)
        } else {
            after
        };
    }
    text.push_str(rest);
    Ok((text, directives))
}

impl Directives {
    fn add(&mut self, body: &str) -> Result<(), DirectiveError> {
        let (name, value) = body
            .split_once('=')
            .ok_or_else(|| DirectiveError::UnknownName(excerpt(body)))?;
        let value = value.trim();
        match name.trim() {
            "delay" => once(
                "delay",
                &mut self.delay,
                parse_delay(value).ok_or_else(|| DirectiveError::Delay(excerpt(value)))?,
            ),
            "fail" => once(
                "fail",
                &mut self.fail,
                parse_fail(value).ok_or_else(|| DirectiveError::Fail(excerpt(value)))?,
            ),
            "partial" => once(
                "partial",
                &mut self.partial,
                parse_partial(value).ok_or_else(|| DirectiveError::Partial(excerpt(value)))?,
            ),
            _ => Err(DirectiveError::UnknownName(excerpt(body))),
        }
    }
}

fn once<T>(name: &'static str, slot: &mut Option<T>, value: T) -> Result<(), DirectiveError> {
    match slot.replace(value) {
        Some(_) => Err(DirectiveError::Repeated(name)),
        None => Ok(()),
    }
}

fn parse_delay(value: &str) -> Option<Duration> {
    let (number, per_second) = match value.strip_suffix("ms") {
        Some(number) => (number, 1000.0),
        None => (value.strip_suffix('s')?, 1.0),
    };
    let plain = !number.is_empty()
        && number
            .chars()
            .all(|letter| letter.is_ascii_digit() || letter == '.');
    let seconds = number.trim().parse::<f64>().ok().filter(|_| plain)? / per_second;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|delay| *delay <= MAX_DELAY)
}

fn parse_fail(value: &str) -> Option<Fail> {
    match value {
        "content_policy" => Some(Fail::ContentPolicy),
        "upstream" => Some(Fail::Upstream),
        "timeout" => Some(Fail::Timeout),
        "unknown" => Some(Fail::Unknown),
        _ => None,
    }
}

fn parse_partial(value: &str) -> Option<(u32, u32)> {
    let (done, of) = value.split_once('/')?;
    let (done, of) = (done.trim().parse().ok()?, of.trim().parse().ok()?);
    (of > 0 && done <= of).then_some((done, of))
}

/// The start of a client's text, short enough for an error message.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prompt: &str, expected: Result<(&str, Directives), DirectiveError>) {
        assert_eq!(
            split(prompt),
            expected.map(|(text, directives)| (text.to_owned(), directives)),
            "{prompt}"
        );
    }

    fn delay(milliseconds: u64) -> Directives {
        Directives {
            delay: Some(Duration::from_millis(milliseconds)),
            ..Directives::default()
        }
    }

    fn fail(fail: Fail) -> Directives {
        Directives {
            fail: Some(fail),
            ..Directives::default()
        }
    }

    #[test]
    fn directives_are_read_and_taken_out() {
        check("a cat", Ok(("a cat", Directives::default())));
        check(
            "  spaces  stay ",
            Ok(("  spaces  stay ", Directives::default())),
        );
        check("a [pinhole:delay=2s] cat", Ok(("a cat", delay(2000))));
        check("[pinhole:delay=500ms]", Ok(("", delay(500))));
        check("[pinhole:delay=1.5s] 海", Ok(("海", delay(1500))));
        check("x[pinhole:delay=600s]", Ok(("x", delay(600_000))));
        check(
            "[pinhole:fail=content_policy]x",
            Ok(("x", fail(Fail::ContentPolicy))),
        );
        check("[pinhole:fail=upstream]", Ok(("", fail(Fail::Upstream))));
        check("[pinhole:fail=timeout]", Ok(("", fail(Fail::Timeout))));
        check("[pinhole:fail=unknown]", Ok(("", fail(Fail::Unknown))));
        let both = Directives {
            partial: Some((3, 4)),
            ..delay(10)
        };
        check(
            "a [pinhole:partial=3/4] b [pinhole:delay=10ms] c",
            Ok(("a b c", both)),
        );
        check(
            "[pinhole] and [other:x=1]",
            Ok(("[pinhole] and [other:x=1]", Directives::default())),
        );
    }

    #[test]
    fn wrong_directives_are_named() {
        check(
            "[pinhole:delay=soon]",
            Err(DirectiveError::Delay("soon".into())),
        );
        check(
            "[pinhole:delay=601s]",
            Err(DirectiveError::Delay("601s".into())),
        );
        check(
            "[pinhole:delay=-1s]",
            Err(DirectiveError::Delay("-1s".into())),
        );
        check(
            "[pinhole:delay=infs]",
            Err(DirectiveError::Delay("infs".into())),
        );
        check("[pinhole:delay=2]", Err(DirectiveError::Delay("2".into())));
        check(
            "[pinhole:fail=maybe]",
            Err(DirectiveError::Fail("maybe".into())),
        );
        check(
            "[pinhole:partial=5/4]",
            Err(DirectiveError::Partial("5/4".into())),
        );
        check(
            "[pinhole:partial=0/0]",
            Err(DirectiveError::Partial("0/0".into())),
        );
        check(
            "[pinhole:sleep=1s]",
            Err(DirectiveError::UnknownName("sleep=1s".into())),
        );
        check(
            "[pinhole:delay]",
            Err(DirectiveError::UnknownName("delay".into())),
        );
        check(
            "a [pinhole:delay=2s",
            Err(DirectiveError::Unclosed("[pinhole:delay=2s".into())),
        );
        check(
            "[pinhole:delay=1s][pinhole:delay=2s]",
            Err(DirectiveError::Repeated("delay")),
        );
    }

    #[test]
    fn messages_say_what_would_be_right() {
        let message = split("[pinhole:fail=no]").map_err(|error| error.to_string());
        assert_eq!(message, Err("`[pinhole:fail=no]` must be one of `content_policy`, `upstream`, `timeout`, `unknown`".into()));
    }
}
