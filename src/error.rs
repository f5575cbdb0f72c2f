//! What can go wrong for a caller, and the one table that says how each kind is answered.
//!
//! A message says what was wrong, where, and what would be right. It never carries a secret, a prompt or an
//! upstream's own words.

use crate::types::{FailKind, Failure};
use std::time::Duration;

/// What callers branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The body is no JSON, or not of the shape we read.
    InvalidBody,
    /// A parameter is missing, unknown or has a wrong value.
    InvalidParameter,
    /// An input image lies at a URL where it cannot be fetched from.
    InputNotFetched,
    /// The quote is above the request's own `max_cost`.
    CostAboveLimit,
    /// The prompt or the result was refused by moderation.
    ContentPolicy,
    /// No key, a malformed one, or one we do not know.
    InvalidApiKey,
    /// The account cannot pay.
    InsufficientCredits,
    /// The key or the account may not do this.
    Forbidden,
    /// No such model.
    ModelNotFound,
    /// The model exists and cannot be called now.
    ModelUnavailable,
    /// No such task, or one of another account.
    TaskNotFound,
    /// No such path, asset or file.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The task can no longer be cancelled.
    NotCancellable,
    /// What became of the call is known already.
    AlreadyResolved,
    /// It was there and has expired.
    Gone,
    /// The body is larger than we take.
    TooLarge,
    /// The body is of a type that this endpoint does not read.
    UnsupportedMediaType,
    /// The idempotency key stands for another request.
    IdempotencyKeyReused,
    /// Too many requests in a minute.
    RateLimited,
    /// Too many tasks of this key are waiting.
    QueueFull,
    /// A fault of ours.
    Internal,
    /// The upstream failed.
    Upstream,
    /// Draining or overloaded; come back.
    Overloaded,
    /// The upstream took too long and said so.
    UpstreamTimeout,
    /// The call may have been carried out; it must not be repeated blindly.
    OutcomeUnknown,
    /// The wait ended before the task did.
    StillRunning,
    /// The task's time was over before an upstream could do it.
    DeadlineExceeded,
    /// The task was cancelled.
    Cancelled,
    /// The disk is nearly full.
    StorageFull,
}

/// One row of the table: how a kind is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// The HTTP status.
    pub status: u16,
    /// OpenAI's `error.type`.
    pub r#type: &'static str,
    /// Our `error.code`.
    pub code: &'static str,
    /// What it means, for a client's author.
    pub meaning: &'static str,
}

const fn row(
    kind: Kind,
    status: u16,
    r#type: &'static str,
    code: &'static str,
    meaning: &'static str,
) -> Row {
    Row {
        kind,
        status,
        r#type,
        code,
        meaning,
    }
}

/// Every kind with its answer, in order of status. `docs/errors.md`, `/llms.txt` and `/openapi.json` print this table.
pub const TABLE: &[Row] = &[
    row(
        Kind::InvalidBody,
        400,
        "invalid_request_error",
        "invalid_body",
        "The body or a header cannot be read: no JSON, not an object, or not of a shape we know.",
    ),
    row(
        Kind::InvalidParameter,
        400,
        "invalid_request_error",
        "invalid_parameter",
        "A parameter is missing, unknown or has a wrong value. `code` is the first fault's (`missing_parameter`, `unknown_parameter`, `invalid_type`, `invalid_enum`, `out_of_range` …); `details` lists all.",
    ),
    row(
        Kind::InputNotFetched,
        400,
        "invalid_request_error",
        "input_not_fetched",
        "An input image could not be fetched from its URL, or what came is no image that is taken; the message says which and why. Not charged. As a task: `failed`.",
    ),
    row(
        Kind::CostAboveLimit,
        400,
        "invalid_request_error",
        "cost_above_limit",
        "The price is above the request's own `max_cost`; nothing was started.",
    ),
    row(
        Kind::ContentPolicy,
        400,
        "image_generation_user_error",
        "content_policy_violation",
        "The prompt or the result was refused by moderation. Final; not charged.",
    ),
    row(
        Kind::InvalidApiKey,
        401,
        "authentication_error",
        "invalid_api_key",
        "There is no key, or none that we know.",
    ),
    row(
        Kind::InsufficientCredits,
        402,
        "insufficient_quota",
        "insufficient_credits",
        "The account cannot pay; nothing was sent anywhere.",
    ),
    row(
        Kind::Forbidden,
        403,
        "permission_error",
        "forbidden",
        "The key or its account may not do this, or not from this address.",
    ),
    row(
        Kind::ModelNotFound,
        404,
        "invalid_request_error",
        "model_not_found",
        "There is no model with this id.",
    ),
    row(
        Kind::ModelUnavailable,
        404,
        "invalid_request_error",
        "model_unavailable",
        "The model exists and cannot be called now; the message says why, and what takes its place.",
    ),
    row(
        Kind::TaskNotFound,
        404,
        "invalid_request_error",
        "task_not_found",
        "There is no such task in this account.",
    ),
    row(
        Kind::NotFound,
        404,
        "invalid_request_error",
        "not_found",
        "There is nothing at this address.",
    ),
    row(
        Kind::MethodNotAllowed,
        405,
        "invalid_request_error",
        "method_not_allowed",
        "The address exists and does not take this method.",
    ),
    row(
        Kind::NotCancellable,
        409,
        "invalid_request_error",
        "not_cancellable",
        "The task has gone too far to be cancelled.",
    ),
    row(
        Kind::AlreadyResolved,
        409,
        "invalid_request_error",
        "already_resolved",
        "What became of the call was noted before, and is never changed.",
    ),
    row(
        Kind::Cancelled,
        409,
        "invalid_request_error",
        "cancelled",
        "The task was cancelled; not charged.",
    ),
    row(
        Kind::Gone,
        410,
        "invalid_request_error",
        "expired",
        "It was here, and its time is over.",
    ),
    row(
        Kind::TooLarge,
        413,
        "invalid_request_error",
        "too_large",
        "The body or one of its images is larger than we take.",
    ),
    row(
        Kind::UnsupportedMediaType,
        415,
        "invalid_request_error",
        "unsupported_media_type",
        "The body is of a type that this call does not read.",
    ),
    row(
        Kind::IdempotencyKeyReused,
        422,
        "invalid_request_error",
        "idempotency_key_reused",
        "The `Idempotency-Key` stands for another request of the last 24 hours.",
    ),
    row(
        Kind::RateLimited,
        429,
        "rate_limit_error",
        "rate_limited",
        "The key has used up its requests a minute; `Retry-After` says when to come back.",
    ),
    row(
        Kind::QueueFull,
        429,
        "rate_limit_error",
        "too_many_waiting_tasks",
        "Too many tasks of this key are waiting; `Retry-After` says when to come back.",
    ),
    row(
        Kind::Internal,
        500,
        "server_error",
        "internal_error",
        "A fault of ours. The log knows more, by `x-request-id`.",
    ),
    row(
        Kind::Upstream,
        502,
        "upstream_error",
        "upstream_failed",
        "The service behind the model failed. Not charged.",
    ),
    row(
        Kind::Overloaded,
        503,
        "server_error",
        "overloaded",
        "The server is stopping or has too much to do, or nothing could be sent upstream. Come back after `Retry-After`.",
    ),
    row(
        Kind::UpstreamTimeout,
        504,
        "upstream_error",
        "upstream_timeout",
        "The service behind the model took too long and said so. Not charged.",
    ),
    row(
        Kind::OutcomeUnknown,
        504,
        "upstream_error",
        "outcome_unknown",
        "It cannot be told whether the work was done. Not charged; not repeated without being asked to.",
    ),
    row(
        Kind::StillRunning,
        504,
        "server_error",
        "still_running",
        "The wait is over and the task is not: ask for it by `x-pinhole-task-id` instead of calling again.",
    ),
    row(
        Kind::DeadlineExceeded,
        504,
        "server_error",
        "deadline_exceeded",
        "The task did not end within its time. Not charged.",
    ),
    row(
        Kind::StorageFull,
        507,
        "server_error",
        "storage_full",
        "The disk is nearly full. Nothing is accepted until there is room.",
    ),
];

impl Kind {
    /// How this kind is answered.
    pub fn row(self) -> Row {
        *TABLE
            .iter()
            .find(|row| row.kind == self)
            .expect("every kind stands in the table; a test walks them all")
    }
}

/// The table in Markdown.
pub fn table_in_markdown() -> String {
    let rows = TABLE.iter().map(|row| {
        let Row {
            status,
            r#type,
            code,
            meaning,
            ..
        } = row;
        format!("| {status} | `{code}` | `{}` | {meaning} |\n", r#type)
    });
    let head = "| status | `code` | `type` | what it means |\n|---|---|---|---|\n".to_owned();
    [head].into_iter().chain(rows).collect()
}

/// The most characters of a client's path that a fault repeats.
const PLACE_SHOWN: usize = 120;

/// A client's path as a fault repeats it: whole, or its first 120 characters and an ellipsis. A key may be as long as a
/// body.
pub fn shown_place(path: &str) -> String {
    clipped(path, PLACE_SHOWN)
}

/// At most so many characters of a text, and an ellipsis where there are more.
pub fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// One thing wrong with a request, at the path the client used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The path as the client spelt it, as [`shown_place`] shows it; empty for the body as a whole.
    pub param: String,
    /// A stable word for the sort of fault (`unknown_parameter`, `invalid_enum`, `out_of_range` …).
    pub code: &'static str,
    /// What was wrong and what would be right.
    pub message: String,
}

/// A refusal or a failure, ready to be put in any dialect's shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What callers branch on.
    pub kind: Kind,
    /// For a person.
    pub message: String,
    /// All faults of a request, the first one first. Empty for other kinds.
    pub faults: Vec<Fault>,
    /// When to come back, for the kinds where that helps.
    pub retry_after: Option<Duration>,
    /// The same call again would make, and pay for, a second one: a task was accepted and goes on, or its result was made
    /// and is lost.
    pub do_not_repeat: bool,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            faults: Vec::new(),
            retry_after: None,
            do_not_repeat: false,
        }
    }

    /// The request's parameters are wrong; the first fault speaks.
    pub fn faults(faults: Vec<Fault>) -> Self {
        let message = faults.first().map_or_else(
            || "the request is invalid".to_owned(),
            |fault| fault.message.clone(),
        );
        Self {
            faults,
            ..Self::new(Kind::InvalidParameter, message)
        }
    }

    /// The picture at this place of the request could not be fetched. `why` is a sentence without its full stop.
    pub fn input_not_fetched(param: &str, why: &str) -> Self {
        Self::unfetched(format!("`{param}`: {why}"))
    }

    /// Such a message names the place first, in backticks: a task keeps no more of it.
    fn unfetched(message: String) -> Self {
        let place = message.split('`').nth(1);
        let fault = Fault {
            param: place.unwrap_or_default().to_owned(),
            code: Kind::InputNotFetched.row().code,
            message,
        };
        Self {
            kind: Kind::InputNotFetched,
            ..Self::faults(vec![fault])
        }
    }

    /// A fault of ours. What happened is logged where it happened; the client learns that it did.
    pub fn internal() -> Self {
        Self::new(
            Kind::Internal,
            "something went wrong on our side; the request id finds it in the log",
        )
    }

    /// The same error, with a time to come back.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// The same error for somebody whose task was accepted and goes on.
    pub fn while_the_task_goes_on(self) -> Self {
        Self {
            retry_after: None,
            do_not_repeat: true,
            ..self
        }
    }

    /// The first faulty path, if a parameter is at fault.
    pub fn param(&self) -> Option<&str> {
        self.faults
            .first()
            .map(|fault| fault.param.as_str())
            .filter(|param| !param.is_empty())
    }
}

impl From<&Failure> for Error {
    /// How a failed task is answered, whenever and however often it is asked for.
    fn from(failure: &Failure) -> Self {
        let kind = match failure.kind {
            FailKind::ContentPolicy => Kind::ContentPolicy,
            FailKind::Rejected => Kind::InvalidParameter,
            FailKind::InputNotFetched => Kind::InputNotFetched,
            FailKind::Upstream => Kind::Upstream,
            FailKind::UpstreamTimeout => Kind::UpstreamTimeout,
            FailKind::OutcomeUnknown => Kind::OutcomeUnknown,
            FailKind::Unavailable => Kind::Overloaded,
            FailKind::DeadlineExceeded => Kind::DeadlineExceeded,
            FailKind::Cancelled => Kind::Cancelled,
            FailKind::StorageFull => Kind::StorageFull,
            FailKind::Internal => Kind::Internal,
        };
        let error = Self::new(kind, failure.message.clone());
        match failure.kind {
            FailKind::InputNotFetched => Self::unfetched(failure.message.clone()),
            // Nothing was sent, so coming back is safe; a 503 without a time would leave it to the client's guess.
            FailKind::Unavailable => error.retry_after(Duration::from_secs(5)),
            // The upstream may have been paid already.
            FailKind::StorageFull => Self {
                do_not_repeat: true,
                ..error
            },
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_a_task_has_a_row_and_statuses_are_in_order() {
        for kind in FailKind::ALL {
            assert!(Error::from(&Failure::new(kind, "x")).kind.row().status >= 400);
        }
        assert!(
            TABLE
                .windows(2)
                .all(|pair| pair[0].status <= pair[1].status)
        );
    }

    #[test]
    fn an_input_is_named_when_its_task_has_failed_as_when_it_was_refused() {
        let refused = Error::input_not_fetched("images[1].image_url", "nobody is there");
        let failure = Failure::new(FailKind::InputNotFetched, refused.message.clone());
        assert_eq!(Error::from(&failure), refused);
        assert_eq!(refused.param(), Some("images[1].image_url"));
    }

    #[test]
    fn no_code_stands_twice() {
        let mut codes: Vec<_> = TABLE.iter().map(|row| row.code).collect();
        codes.sort_unstable();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
