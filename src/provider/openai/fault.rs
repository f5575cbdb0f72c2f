//! What a call that did not succeed amounts to: one table from what was seen to what is known of the call.
//!
//! The rule is the design's: elsewhere goes only what provably did no paid work. What an upstream says in its own words
//! goes to the log, cut short and without key and prompt; the client gets ours.

use crate::provider::{ProviderError, Verdict};
use crate::types::FailKind;
use serde_json::Value;
use std::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What is known of a call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing of it reached the upstream.
    NotSent,
    /// Refused before any paid work: another target may be asked.
    Refused,
    /// Its content was refused; nobody else is asked.
    Policy,
    /// Its parameters were refused.
    Rejected,
    /// The upstream says that it failed.
    Failed,
    /// Anything may have happened.
    Unknown,
}

/// What a reply must say besides its status for a row to hold.
enum If {
    Any,
    /// One of these codes.
    Code(&'static [&'static str]),
    /// An error of its own, not that of a proxy on the way.
    Said,
}

struct Row(RangeInclusive<u16>, If, Class);

/// Refusals for content, OpenAI's and those of services like it.
const POLICY: &[&str] = &[
    "moderation_blocked",
    "content_policy_violation",
    "contentfilter",
    "content_filter",
    "responsibleaipolicyviolation",
];

/// No credit, no such model: said with many statuses.
const NO_WORK: &[&str] = &[
    "insufficient_quota",
    "billing_hard_limit_reached",
    "project_spend_limit_exceeded",
    "rate_limit_exceeded",
    "model_not_found",
    "deploymentnotfound",
    "invalid_api_key",
];

/// The first row that holds speaks.
const TABLE: &[Row] = &[
    Row(200..=499, If::Code(POLICY), Class::Policy),
    // A success that holds an error instead of images: after paid work or not, it goes nowhere else.
    Row(200..=299, If::Said, Class::Failed),
    Row(200..=299, If::Any, Class::Unknown),
    // Redirects of a POST are not followed.
    Row(300..=399, If::Any, Class::Failed),
    Row(400..=499, If::Code(NO_WORK), Class::Refused),
    Row(401..=404, If::Any, Class::Refused),
    Row(408..=408, If::Any, Class::Unknown),
    Row(429..=429, If::Any, Class::Refused),
    Row(400..=499, If::Any, Class::Rejected),
    // A proxy gave up waiting; what it waited for may go on.
    Row(504..=504, If::Any, Class::Unknown),
    Row(500..=599, If::Said, Class::Failed),
    Row(0..=999, If::Any, Class::Unknown),
];

/// What a reply that is no success amounts to. `retry_503`: the operator declares that a 503 comes before any work.
pub(super) fn of_reply(status: u16, said: Option<&Said>, retry_503: bool) -> Class {
    if status == 503 && retry_503 {
        return Class::Refused;
    }
    let code = said.map(|said| said.code.to_lowercase());
    let holds = |row: &&Row| {
        row.0.contains(&status)
            && match &row.1 {
                If::Any => true,
                If::Code(codes) => code.as_deref().is_some_and(|code| codes.contains(&code)),
                If::Said => said.is_some(),
            }
    };
    TABLE.iter().find(holds).map_or(Class::Unknown, |row| row.2)
}

/// What a call amounts to that brought no reply.
///
/// The client's own retries are off. One thing is repeated below it: a request that was handed to a kept connection
/// which turned out to be closed before a byte of it was written (hyper gives such a request back whole). A connection
/// that breaks once writing has begun is an unknown outcome, even if the upstream most likely saw nothing.
pub(super) fn of_transport(error: &reqwest::Error) -> Class {
    let is_refused_stream = chain(error).any(|error| {
        error.downcast_ref::<h2::Error>().is_some_and(|error| {
            error.is_reset()
                && error.is_remote()
                && error.reason() == Some(h2::Reason::REFUSED_STREAM)
        })
    });
    if error.is_connect() || error.is_builder() || is_refused_stream {
        Class::NotSent
    } else {
        Class::Unknown
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The causes of an error, the outermost first, for the log. URLs are left out: their query may hold what is no one's
/// business.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
    causes.join(": ")
}

/// The error as the engine and the client need it.
pub(super) fn error(
    class: Class,
    said: Option<&Said>,
    known: impl Fn(&str) -> bool,
) -> ProviderError {
    let (verdict, kind) = match class {
        Class::NotSent => (Verdict::NotSent, FailKind::Unavailable),
        Class::Refused => (Verdict::RefusedBeforeWork, FailKind::Unavailable),
        Class::Policy => (Verdict::Failed, FailKind::ContentPolicy),
        Class::Rejected => (Verdict::Failed, FailKind::Rejected),
        Class::Failed => (Verdict::Failed, FailKind::Upstream),
        Class::Unknown => (Verdict::Unknown, FailKind::OutcomeUnknown),
    };
    let message = match class {
        Class::NotSent => "the upstream cannot be reached; nothing was sent",
        Class::Refused => "the upstream takes no such calls now; nothing was made",
        Class::Policy => "the upstream's moderation refused the prompt or the result",
        Class::Rejected => "the upstream does not take these parameters",
        Class::Failed => "the upstream failed",
        Class::Unknown => "the upstream was called, and nobody can tell what became of it",
    };
    // The name of a parameter that the client sent is the client's own word.
    let param = said
        .map(|said| said.param.as_str())
        .filter(|param| known(param));
    match (class, param) {
        (Class::Rejected, Some(param)) => ProviderError::new(
            verdict,
            kind,
            format!("the upstream does not take this `{param}`"),
        ),
        _ => ProviderError::new(verdict, kind, message),
    }
}

/// An error in an upstream's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) r#type: String,
    pub(super) param: String,
    pub(super) message: String,
}

impl Said {
    /// Reads OpenAI's `{"error":{…}}`, `{"error":"text"}` and FastAPI's `{"detail":…}`; `None` for anything else.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        Self::of(&serde_json::from_slice(body).ok()?)
    }

    /// The same, from a document that was read.
    pub(super) fn of(body: &Value) -> Option<Self> {
        let error = ["error", "detail"]
            .into_iter()
            .filter_map(|name| body.get(name))
            .find(|error| !error.is_null())?;
        let text = |name: &str| match error.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Some(Self {
            code: Some(text("code"))
                .filter(|code| !code.is_empty())
                .unwrap_or_else(|| text("type")),
            r#type: text("type"),
            param: text("param"),
            message: match error {
                Value::Object(_) => text("message"),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            },
        })
    }
}

/// How long an upstream asks to wait.
pub(super) fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let ms = number("retry-after-ms").map(Duration::from_millis);
    ms.or_else(|| number("retry-after").map(Duration::from_secs))
}

/// The most of an upstream's words that the log takes.
const MOST_LOGGED_CHARS: usize = 300;

/// A run of the prompt of this length is not printed.
const PROMPT_CHARS: usize = 12;

/// What of an upstream's words may stand in the log: a line, without words that look like the key or quote the prompt.
pub(super) fn for_log(message: &str, prompt: &str, key: Option<&str>) -> String {
    let line: Vec<char> = message
        .chars()
        .take(MOST_LOGGED_CHARS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let mut hidden = vec![false; line.len()];
    let mut hide = |from: usize, length: usize| hidden[from..from + length].fill(true);
    for (at, run) in line.windows(PROMPT_CHARS).enumerate() {
        if prompt.contains(&run.iter().collect::<String>()) {
            hide(at, PROMPT_CHARS);
        }
    }
    if !prompt.is_empty() && prompt.chars().count() < PROMPT_CHARS {
        let short: Vec<char> = prompt.chars().collect();
        for (at, run) in line.windows(short.len()).enumerate() {
            if run == short {
                hide(at, short.len());
            }
        }
    }
    // Upstreams repeat a refused key with stars in its middle: whatever begins like it goes.
    let start: Vec<char> = key.unwrap_or_default().chars().take(3).collect();
    for (at, run) in line.windows(start.len().max(1)).enumerate() {
        if run == start {
            let rest = line[at..]
                .iter()
                .take_while(|letter| !letter.is_whitespace());
            hide(at, rest.count());
        }
    }
    let mut shown = String::new();
    for (letter, hidden) in line.into_iter().zip(hidden) {
        match (hidden, shown.ends_with('…')) {
            (false, _) => shown.push(letter),
            (true, false) => shown.push('…'),
            (true, true) => {}
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(code: &str) -> Said {
        Said {
            code: code.to_owned(),
            ..Said::default()
        }
    }

    #[test]
    fn every_status_and_code_has_its_class() {
        let check = |status, code: Option<&str>, class| {
            let said = code.map(said);
            assert_eq!(
                of_reply(status, said.as_ref(), false),
                class,
                "{status} {code:?}"
            );
        };
        use Class::{Failed, Policy, Refused, Rejected, Unknown};
        check(200, None, Unknown);
        check(200, Some(""), Failed);
        check(200, Some("insufficient_quota"), Failed);
        check(200, Some("moderation_blocked"), Policy);
        check(307, None, Failed);
        check(400, None, Rejected);
        check(400, Some("unknown_parameter"), Rejected);
        check(400, Some("moderation_blocked"), Policy);
        check(400, Some("content_policy_violation"), Policy);
        check(400, Some("contentFilter"), Policy);
        check(400, Some("billing_hard_limit_reached"), Refused);
        check(401, Some("invalid_api_key"), Refused);
        check(402, None, Refused);
        check(403, None, Refused);
        check(403, Some("content_policy_violation"), Policy);
        check(404, Some("model_not_found"), Refused);
        check(404, Some("DeploymentNotFound"), Refused);
        check(408, Some("timeout"), Unknown);
        check(413, None, Rejected);
        check(422, Some(""), Rejected);
        check(429, Some("rate_limit_exceeded"), Refused);
        check(429, None, Refused);
        check(500, Some("server_error"), Failed);
        check(500, None, Unknown);
        check(502, None, Unknown);
        check(503, Some("server_error"), Failed);
        check(504, Some("server_error"), Unknown);
        check(524, None, Unknown);
        check(600, None, Unknown);
        assert_eq!(of_reply(503, None, true), Refused);
    }

    #[test]
    fn errors_are_read_in_every_shape() {
        let check = |body: Value, expected: Option<(&str, &str)>| {
            let read = Said::of(&body);
            let read = read
                .as_ref()
                .map(|said| (said.code.as_str(), said.message.as_str()));
            assert_eq!(read, expected, "{body}");
        };
        check(
            json!({"error": {"message": "m", "type": "t", "param": null, "code": "c"}}),
            Some(("c", "m")),
        );
        check(
            json!({"error": {"message": "m", "type": "t", "code": null}}),
            Some(("t", "m")),
        );
        check(json!({"error": {"code": 42}}), Some(("42", "")));
        check(
            json!({"error": "out of memory"}),
            Some(("", "out of memory")),
        );
        check(
            json!({"detail": "Model mismatch"}),
            Some(("", "Model mismatch")),
        );
        check(
            json!({"detail": [{"msg": "x"}]}),
            Some(("", "[{\"msg\":\"x\"}]")),
        );
        check(json!({"error": null, "data": []}), None);
        check(json!([1]), None);
        assert_eq!(Said::parse(b"<html>"), None);
    }

    #[test]
    fn only_the_name_of_a_known_parameter_reaches_the_client() {
        let mut said = said("invalid_value");
        said.param = "size".to_owned();
        let message = |said: &Said| {
            error(Class::Rejected, Some(said), |name| name == "size")
                .failure
                .message
        };
        assert_eq!(message(&said), "the upstream does not take this `size`");
        said.param = "s3cret words".to_owned();
        assert_eq!(
            message(&said),
            "the upstream does not take these parameters"
        );
    }

    #[test]
    fn the_log_gets_neither_prompt_nor_key_nor_much() {
        let check = |message: &str, shown: &str| {
            let prompt = "a lighthouse at dusk, painted in oil";
            assert_eq!(for_log(message, prompt, Some("sk-proj-abcdef")), shown);
        };
        check("no such size", "no such size");
        check(
            "the prompt \"a lighthouse at dusk\" is bad",
            "the prompt \"…\" is bad",
        );
        check("key sk-pr****cdef is wrong\n", "key … is wrong ");
        check(&"x".repeat(1000), &"x".repeat(300));
        assert_eq!(for_log("in: cat.", "cat", None), "in: ….");
        assert_eq!(for_log("ab", "", Some("")), "ab");
    }

    #[test]
    fn an_upstream_says_when_to_come_back() {
        let check = |name: &'static str, value: &str, wait| {
            let mut headers = reqwest::header::HeaderMap::new();
            headers.insert(name, value.parse().expect("a header"));
            assert_eq!(retry_after(&headers), wait, "{name}: {value}");
        };
        check("retry-after", "7", Some(Duration::from_secs(7)));
        check("retry-after-ms", "1500", Some(Duration::from_millis(1500)));
        check("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", None);
    }
}
