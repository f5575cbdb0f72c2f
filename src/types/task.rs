//! One generation from acceptance to its end: states, the price of the moment, why it failed.

use crate::types::attempt::AttemptEnd;
use crate::types::{
    AccountId, Asset, Callback, KeyId, Millis, Mode, Money, Request, TaskId, Text, TokenRates,
    Usage,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Accepted and paid for; waits for a free slot.
    Pending,
    /// A worker holds it.
    Processing,
    /// At least one image, or the text, is stored; the money is settled.
    Completed,
    /// Nothing came; nothing was charged.
    Failed,
}

/// So often a process may die while a task runs alone.
pub const MOST_LONE_CRASHES: u32 = 3;

impl Task {
    /// Whether it may be the reason why processes die: it was there when one did, was taken up, and was there again. One
    /// death tells nothing, because everything that ran was there.
    pub fn is_suspect(&self) -> bool {
        self.crashes > 1
    }

    /// Whether it is the reason.
    pub fn is_poison(&self) -> bool {
        self.lone_crashes >= MOST_LONE_CRASHES
    }
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Processing,
        Self::Completed,
        Self::Failed,
    ];

    /// The name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    /// Every change there is: claimed, given back, cancelled while waiting, settled.
    pub fn may_become(self, next: Self) -> bool {
        use TaskState::{Completed, Failed, Pending, Processing};
        matches!(
            (self, next),
            (Pending, Processing | Failed) | (Processing, Pending | Completed | Failed)
        )
    }
}

/// Why a task brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailKind {
    /// The upstream's moderation refused prompt or result. Final.
    ContentPolicy,
    /// The upstream does not take these parameters. Final.
    Rejected,
    /// An input image lies at a URL where it cannot be fetched from.
    InputNotFetched,
    /// The upstream failed.
    Upstream,
    /// The upstream did not answer in time, and said so itself.
    UpstreamTimeout,
    /// The call may have been carried out; nobody can tell. Final, never sent again.
    OutcomeUnknown,
    /// No target could take the request.
    Unavailable,
    /// It had not started, or had nothing left to try, when its time was over.
    DeadlineExceeded,
    /// The client cancelled it while it waited.
    Cancelled,
    /// The result could not be stored: the disk is full.
    StorageFull,
    /// A fault of ours.
    Internal,
}

impl FailKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::ContentPolicy,
        Self::Rejected,
        Self::InputNotFetched,
        Self::Upstream,
        Self::UpstreamTimeout,
        Self::OutcomeUnknown,
        Self::Unavailable,
        Self::DeadlineExceeded,
        Self::Cancelled,
        Self::StorageFull,
        Self::Internal,
    ];

    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::ContentPolicy => "content_policy",
            Self::Rejected => "rejected",
            Self::InputNotFetched => "input_not_fetched",
            Self::Upstream => "upstream",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Cancelled => "cancelled",
            Self::StorageFull => "storage_full",
            Self::Internal => "internal",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the same request once more is safe and may go better: what an SDK does with such an answer by itself.
    pub fn invites_repetition(self) -> bool {
        match self {
            Self::Upstream
            | Self::UpstreamTimeout
            | Self::Unavailable
            | Self::DeadlineExceeded
            | Self::Internal => true,
            Self::ContentPolicy
            | Self::Rejected
            | Self::InputNotFetched
            | Self::OutcomeUnknown
            | Self::Cancelled
            | Self::StorageFull => false,
        }
    }
}

/// A failure in words that the client may read: never the upstream's own text, never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What callers branch on.
    pub kind: FailKind,
    /// What happened, for a person.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// The price of the moment of acceptance. All amounts are what the account pays, markup included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// For one delivered image; a text comes in one piece, so for it this is the total.
    pub unit: Money,
    /// For all `n` of them: what is held, and the most that can be captured.
    pub total: Money,
    /// What is charged by the token, and not by the image: `total` is then an upper estimate.
    pub rates: Option<TokenRates>,
}

impl Quote {
    /// Nothing costs anything.
    pub const FREE: Self = Self {
        unit: Money::ZERO,
        total: Money::ZERO,
        rates: None,
    };

    /// What a task costs that delivered this many images or texts, never more than was quoted.
    pub fn charge(&self, delivered: u32, usage: &Usage) -> Money {
        let cost = match &self.rates {
            None => self.unit.times(delivered),
            Some(_) if delivered == 0 => Some(Money::ZERO),
            Some(rates) => rates.of(usage),
        };
        cost.unwrap_or(self.total).min(self.total)
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// At least one image is stored.
    Completed,
    /// None is.
    Failed(Failure),
}

impl TaskEnd {
    /// Sums up the ends of all parts: one image is enough to complete. Where none came, a refusal by policy
    /// speaks first (it is final and the client can act on it), then an unknown outcome (it must not be
    /// repeated), then whatever came first.
    pub fn of_parts(ends: &[AttemptEnd]) -> Self {
        if ends
            .iter()
            .any(|end| matches!(end, AttemptEnd::Succeeded { .. }))
        {
            return Self::Completed;
        }
        let failures: Vec<&Failure> = ends.iter().filter_map(AttemptEnd::failure).collect();
        let of_kind = |kind| failures.iter().find(|failure| failure.kind == kind);
        let speaks = of_kind(FailKind::ContentPolicy)
            .or_else(|| of_kind(FailKind::OutcomeUnknown))
            .or(failures.first());
        Self::Failed(speaks.map_or_else(
            || Failure::new(FailKind::Internal, "the task ended without a result"),
            |failure| (*failure).clone(),
        ))
    }

    /// The state to store.
    pub fn state(&self) -> TaskState {
        match self {
            Self::Completed => TaskState::Completed,
            Self::Failed(_) => TaskState::Failed,
        }
    }
}

/// One generation, as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Who pays.
    pub account: AccountId,
    /// The key it was started with.
    pub key: KeyId,
    /// Live or test.
    pub mode: Mode,
    /// What was asked.
    pub request: Arc<Request>,
    /// The price of the moment of acceptance.
    pub quote: Quote,
    /// The queue it waits in: a provider's name, or `test`.
    pub lane: String,
    /// Where its results can be fetched: scheme, host and base path, as the client reached us.
    pub public_url: String,
    /// Where its end is to be reported.
    pub callback: Option<Callback>,
    /// Where it stands.
    pub state: TaskState,
    /// Counts who holds it: every claim adds one, and a write with an old number is refused.
    pub fence: i64,
    /// How often a process died while it held the task.
    pub crashes: u32,
    /// How often one died while the task ran with no other beside it that had seen as many deaths.
    pub lone_crashes: u32,
    /// When it was accepted.
    pub created_at: Millis,
    /// When it left the queue.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub completed_at: Option<Millis>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// What was charged in the end.
    pub captured: Money,
    /// Tokens as the upstream counted them.
    pub usage: Usage,
    /// Time spent waiting for upstreams, in milliseconds.
    pub upstream_ms: i64,
    /// The stored results, by index, those too that came when it had ended.
    pub assets: Vec<Asset>,
    /// The answer of a text model.
    pub text: Option<Text>,
    /// The answer that came when the task had ended without one. It changes no answer that was given.
    pub late_text: Option<Text>,
}

impl Task {
    /// What it ended with, by index. What came later changes no answer that was given: it is told of by itself.
    pub fn results(&self) -> impl Iterator<Item = &Asset> {
        self.assets.iter().filter(|asset| !asset.is_late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: FailKind) -> AttemptEnd {
        AttemptEnd::Failed {
            failure: Failure::new(kind, kind.name()),
            before_work: false,
        }
    }

    #[test]
    fn terminal_states_stay() {
        for state in TaskState::ALL {
            for next in TaskState::ALL {
                assert!(
                    !(state.is_terminal() && state.may_become(next)),
                    "{state:?} -> {next:?}"
                );
            }
        }
    }

    #[test]
    fn one_image_completes_and_policy_speaks_before_the_rest() {
        let one = AttemptEnd::Succeeded { delivered: 1 };
        assert_eq!(
            TaskEnd::of_parts(&[failed(FailKind::Upstream), one]),
            TaskEnd::Completed
        );
        let check = |kinds: &[FailKind], speaks: FailKind| {
            let ends: Vec<_> = kinds.iter().copied().map(failed).collect();
            let TaskEnd::Failed(failure) = TaskEnd::of_parts(&ends) else {
                panic!("no image came: {kinds:?}")
            };
            assert_eq!(failure.kind, speaks, "{kinds:?}");
        };
        check(
            &[FailKind::Upstream, FailKind::OutcomeUnknown],
            FailKind::OutcomeUnknown,
        );
        check(
            &[FailKind::OutcomeUnknown, FailKind::ContentPolicy],
            FailKind::ContentPolicy,
        );
        check(
            &[FailKind::Unavailable, FailKind::Upstream],
            FailKind::Unavailable,
        );
        check(&[], FailKind::Internal);
    }

    #[test]
    fn a_charge_never_exceeds_the_quote() {
        let quote = Quote {
            unit: Money::from_micros(10),
            total: Money::from_micros(30),
            rates: None,
        };
        let nothing = Usage::default();
        assert_eq!(quote.charge(2, &nothing), Money::from_micros(20));
        assert_eq!(quote.charge(4, &nothing), Money::from_micros(30));
        assert_eq!(quote.charge(0, &nothing), Money::ZERO);
    }

    #[test]
    fn a_text_costs_its_tokens_and_none_costs_nothing() {
        let rate = Money::from_micros(1_000_000);
        let quote = Quote {
            unit: Money::from_micros(30),
            total: Money::from_micros(30),
            rates: Some(TokenRates {
                input_text: rate,
                input_image: rate,
                output: rate,
            }),
        };
        let written = |output_tokens| Usage {
            output_tokens,
            ..Usage::default()
        };
        assert_eq!(quote.charge(1, &written(12)), Money::from_micros(12));
        assert_eq!(quote.charge(1, &written(31)), Money::from_micros(30));
        assert_eq!(quote.charge(1, &written(u64::MAX)), Money::from_micros(30));
        assert_eq!(quote.charge(1, &Usage::default()), Money::ZERO);
        assert_eq!(quote.charge(0, &written(12)), Money::ZERO);
    }
}
