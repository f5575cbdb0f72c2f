//! What a call that did not succeed amounts to: one table from what was seen to what is known of the call.
//!
//! The rule is the design's: elsewhere goes only what provably did no paid work. What an upstream says in its own words
//! goes to the log, cut short and without key and prompt; the client gets ours.

use super::transport::Unanswered;
use crate::provider::{ProviderError, Verdict};
use crate::types::FailKind;
use serde_json::Value;
use std::collections::HashSet;
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
    /// A code or a type that is a refusal for content.
    Policy,
    /// A code or a type that speaks of content in words of the server's own.
    OfContent,
    /// An error of its own, not that of a proxy on the way.
    Said,
    /// The same, of a server that other servers may stand behind.
    SaidForAnother,
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

/// What stands in a code or a type that speaks of content.
const OF_CONTENT: &[&str] = &[
    "moderation",
    "content_policy",
    "contentpolicy",
    "content_filter",
    "contentfilter",
    "responsibleai",
    "safety",
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
    Row(200..=499, If::Policy, Class::Policy),
    Row(403..=403, If::OfContent, Class::Policy),
    // A success that holds an error instead of images: after paid work or not, it goes nowhere else.
    Row(200..=299, If::Said, Class::Failed),
    Row(200..=299, If::Any, Class::Unknown),
    // Redirects of a POST are not followed.
    Row(300..=399, If::Any, Class::Failed),
    Row(400..=499, If::Code(NO_WORK), Class::Refused),
    // A key, a credit, a name, a path, a proxy's key: what the operator has set up.
    Row(401..=405, If::Any, Class::Refused),
    Row(407..=407, If::Any, Class::Refused),
    Row(408..=408, If::Any, Class::Unknown),
    Row(429..=429, If::Any, Class::Refused),
    // A proxy lost its caller, it says; what it had sent on may go on.
    Row(499..=499, If::Any, Class::Unknown),
    Row(400..=499, If::Any, Class::Rejected),
    // A gateway says in its own JSON that it lost the reply of another server, which may go on.
    Row(502..=502, If::SaidForAnother, Class::Unknown),
    // A proxy gave up waiting; what it waited for may go on.
    Row(504..=504, If::Any, Class::Unknown),
    Row(500..=599, If::Said, Class::Failed),
    Row(0..=999, If::Any, Class::Unknown),
];

/// What is known of the server that a reply comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Server {
    /// The operator declares that its 503 comes before any work.
    pub(super) retry_503: bool,
    /// It is the maker of the API itself: no gateway to others speaks in its name.
    pub(super) is_original: bool,
}

/// What a reply that is no success amounts to.
pub(super) fn of_reply(status: u16, said: Option<&Said>, server: Server) -> Class {
    if status == 503 && server.retry_503 {
        return Class::Refused;
    }
    let words = said.map(|said| (said.code.to_lowercase(), said.r#type.to_lowercase()));
    let either = |test: &dyn Fn(&str) -> bool| {
        words
            .as_ref()
            .is_some_and(|(code, kind)| test(code) || test(kind))
    };
    let holds = |row: &&Row| {
        row.0.contains(&status)
            && match &row.1 {
                If::Any => true,
                If::Code(codes) => words
                    .as_ref()
                    .is_some_and(|(code, _)| codes.contains(&code.as_str())),
                If::Policy => either(&|word| POLICY.contains(&word)),
                If::OfContent => either(&|word| OF_CONTENT.iter().any(|part| word.contains(part))),
                If::Said => said.is_some(),
                If::SaidForAnother => said.is_some() && !server.is_original,
            }
    };
    TABLE.iter().find(holds).map_or(Class::Unknown, |row| row.2)
}

/// What a call amounts to that brought no reply.
///
/// The client's own retries are off. One thing is repeated below it: a request that was handed to a kept connection
/// which turned out to be closed before a byte of it was written (hyper gives such a request back whole). A connection
/// that breaks once writing has begun is an unknown outcome, even if the upstream most likely saw nothing.
pub(super) fn of_transport(error: &Unanswered) -> Class {
    let is_refused_stream = chain(error.as_error()).any(|error| {
        error.downcast_ref::<h2::Error>().is_some_and(|error| {
            error.is_reset()
                && error.is_remote()
                && error.reason() == Some(h2::Reason::REFUSED_STREAM)
        })
    });
    if error.is_unsent() || is_refused_stream {
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

/// What the operator can do about a refusal, where that is known. A client is told nothing of it.
pub(super) fn advice(status: u16, said: Option<&Said>) -> Option<&'static str> {
    let is_of_model = said.is_some_and(|said| {
        let code = said.code.to_lowercase();
        matches!(code.as_str(), "model_not_found" | "deploymentnotfound")
    });
    Some(match status {
        401 | 403 => {
            "set the provider's key to one that the upstream takes, or the base URL to the upstream it is for"
        }
        402 => "the provider's account needs credit",
        404 if is_of_model => {
            "the upstream does not have the target's model: correct `upstream` in the model's file"
        }
        300..=399 | 404 | 405 => {
            "correct the provider's base URL (`base_url`, or OPENAI_BASE_URL and the like): OpenAI's own ends in /v1; \
             `pinhole doctor --online` tries it"
        }
        407 => "correct the key or the address of the proxy",
        _ => return None,
    })
}

/// The same for a call that brought no reply.
pub(super) fn advice_unanswered(class: Class) -> Option<&'static str> {
    (class == Class::NotSent).then_some(
        "correct the provider's base URL (`base_url`, or OPENAI_BASE_URL and the like) or start what should listen \
         there; `pinhole doctor --online` tries it",
    )
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
                Value::Array(complaints) => complained(complaints),
                other => other.to_string(),
            },
        })
    }
}

/// FastAPI's list of complaints: where and what. The rest of them repeats the input.
fn complained(complaints: &[Value]) -> String {
    let one = |complaint: &Value| {
        let place = complaint["loc"].as_array().into_iter().flatten();
        let place: Vec<String> = place
            .map(|step| {
                step.as_str()
                    .map_or_else(|| step.to_string(), str::to_owned)
            })
            .collect();
        let words = complaint["msg"].as_str().unwrap_or_default();
        match place.is_empty() {
            true => words.to_owned(),
            false => format!("{}: {words}", place.join(".")),
        }
    };
    complaints.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// How long an upstream asks to wait.
pub(super) fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let ms = number("retry-after-ms").map(Duration::from_millis);
    ms.or_else(|| number("retry-after").map(Duration::from_secs))
}

/// The most of an upstream's words that the log takes.
const MOST_LOGGED_CHARS: usize = 300;

/// A run of a client's text of this length is not printed.
const RUN_CHARS: usize = 12;

/// What of an upstream's words may stand in the log: the beginning of a line, without words that look like the key or
/// quote one of the client's `texts`. It is cut last, so that no beginning of a quotation is left at the cut.
pub(super) fn for_log(message: &str, texts: &[&str], key: Option<&str>) -> String {
    let line = as_line(message);
    let texts: Vec<Vec<char>> = texts.iter().flat_map(|text| spellings(text)).collect();
    let mut hidden = vec![false; line.len()];
    let mut hide = |from: usize, length: usize| hidden[from..from + length].fill(true);
    let runs: HashSet<&[char]> = texts
        .iter()
        .flat_map(|text| text.windows(RUN_CHARS))
        .collect();
    for (at, run) in line.windows(RUN_CHARS).enumerate() {
        if runs.contains(run) {
            hide(at, RUN_CHARS);
        }
    }
    let is_short = |text: &&Vec<char>| (1..RUN_CHARS).contains(&text.len());
    for short in texts.iter().filter(is_short) {
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
    shown.chars().take(MOST_LOGGED_CHARS).collect()
}

/// A text as it would stand in a line.
fn as_line(text: &str) -> Vec<char> {
    let is_gap = |letter: char| letter.is_control() || letter.is_whitespace();
    text.chars()
        .map(|letter| if is_gap(letter) { ' ' } else { letter })
        .collect()
}

/// A text as an upstream may quote it: as it is, and with its quotes and line ends escaped.
fn spellings(text: &str) -> [Vec<char>; 2] {
    let escaped = Value::from(text).to_string();
    [as_line(text), as_line(&escaped[1..escaped.len() - 1])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ORIGINAL: Server = Server {
        retry_503: false,
        is_original: true,
    };

    fn said(code: &str) -> Said {
        Said {
            code: code.to_owned(),
            ..Said::default()
        }
    }

    #[test]
    fn an_operator_is_told_what_to_correct() {
        let check = |status, code, word: &str| {
            let advice = advice(status, Some(&said(code))).unwrap_or_default();
            assert!(advice.contains(word), "{status} {code}: {advice}");
        };
        check(401, "invalid_api_key", "key");
        check(404, "", "/v1");
        check(404, "model_not_found", "model");
        check(308, "", "base URL");
        assert_eq!(advice(429, None), None);
        assert!(advice_unanswered(Class::NotSent).is_some_and(|it| it.contains("base URL")));
        assert_eq!(advice_unanswered(Class::Unknown), None);
    }

    #[test]
    fn every_status_and_code_has_its_class() {
        let check = |status, code: Option<&str>, class| {
            let said = code.map(said);
            assert_eq!(
                of_reply(status, said.as_ref(), ORIGINAL),
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
        check(403, Some("Input_Moderation_Failed"), Policy);
        check(405, None, Refused);
        check(405, Some("method_not_allowed"), Refused);
        check(407, None, Refused);
        check(499, None, Unknown);
        check(499, Some("client_closed_request"), Unknown);
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
        check(502, Some("bad_gateway"), Failed);
        check(503, Some("server_error"), Failed);
        check(504, Some("server_error"), Unknown);
        check(524, None, Unknown);
        check(600, None, Unknown);
        let declared = Server {
            retry_503: true,
            ..ORIGINAL
        };
        assert_eq!(of_reply(503, None, declared), Refused);
    }

    #[test]
    fn a_type_that_speaks_of_content_is_a_refusal_for_content_whatever_the_code() {
        for (r#type, class) in [
            ("moderation_error", Class::Policy),
            ("content_policy_violation", Class::Policy),
            ("permission_error", Class::Refused),
        ] {
            let said = Said {
                r#type: r#type.to_owned(),
                ..said("forbidden")
            };
            assert_eq!(of_reply(403, Some(&said), ORIGINAL), class, "{type}");
        }
    }

    #[test]
    fn a_gateway_that_lost_the_reply_knows_nothing_even_if_it_says_so_in_json() {
        let gateway = Server::default();
        for (status, class) in [
            (500, Class::Failed),
            (502, Class::Unknown),
            (503, Class::Failed),
            (504, Class::Unknown),
        ] {
            let said = said("upstream_error");
            assert_eq!(of_reply(status, Some(&said), gateway), class, "{status}");
        }
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
        check(json!({"detail": [{"msg": "x"}]}), Some(("", "x")));
        check(
            json!({"detail": [
                {"loc": ["body", "n", 0], "msg": "too many", "input": "a secret", "ctx": {"given": "a secret"}},
                {"loc": ["body"], "msg": "no"},
            ]}),
            Some(("", "body.n.0: too many; body: no")),
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
            let texts = [
                "a lighthouse at dusk, painted in oil",
                "line one\nline \"two\"",
                "no boats, no people",
            ];
            assert_eq!(for_log(message, &texts, Some("sk-proj-abcdef")), shown);
        };
        check("no such size", "no such size");
        check(
            "the prompt \"a lighthouse at dusk\" is bad",
            "the prompt \"…\" is bad",
        );
        check("key sk-pr****cdef is wrong\n", "key … is wrong ");
        check("not: line one\nline \"two\".", "not: ….");
        check("not: line one line \"two\".", "not: ….");
        check(r#"not: line one\nline \"two\"."#, "not: ….");
        check("negative: no boats, no people.", "negative: ….");
        check(&"x".repeat(1000), &"x".repeat(300));
        // What is quoted across the cut leaves nothing of itself.
        let before = "x".repeat(294);
        check(
            &format!("{before} a lighthouse at dusk"),
            &format!("{before} …"),
        );
        assert_eq!(for_log("in: cat.", &["cat"], None), "in: ….");
        assert_eq!(for_log("ab", &[""], Some("")), "ab");
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
