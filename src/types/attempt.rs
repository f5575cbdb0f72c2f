//! One upstream call and the four ways it can end.
//!
//! An image call is paid, slow and not idempotent, so "it failed" is not enough to know. What may follow an
//! attempt is decided here, by pure functions that the engine and its exhaustive model both run.

use crate::types::{AttemptNumber, FailKind, Failure, Millis, Money, UpstreamId};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which images of a task one upstream call is to make: `count` of them, from index `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The first image's index.
    pub first: u32,
    /// How many images.
    pub count: u32,
}

impl Part {
    /// The indices of its images.
    pub fn indices(&self) -> Range<u32> {
        self.first..self.first + self.count
    }

    /// Cuts `n` images into calls of at most `most` each.
    pub fn cut(n: u32, most: u32) -> Vec<Self> {
        let most = most.max(1);
        (0..n.div_ceil(most))
            .map(|k| Self {
                first: k * most,
                count: most.min(n - k * most),
            })
            .collect()
    }
}

/// Where an attempt stands in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Written before the first byte leaves. After a crash it may or may not have been sent.
    Intent,
    /// It delivered at least one image.
    Succeeded,
    /// The upstream said that it did not and will not deliver.
    Failed,
    /// Proved: nothing of it reached the upstream.
    NotSent,
    /// It may have been carried out and billed, and nobody can tell any more.
    Unknown,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Intent,
        Self::Succeeded,
        Self::Failed,
        Self::NotSent,
        Self::Unknown,
    ];

    /// The name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the attempt is over.
    pub fn is_final(self) -> bool {
        self != Self::Intent
    }
}

/// One upstream call made, or about to be made, for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number within the task, from 0.
    pub number: AttemptNumber,
    /// The images it is to make.
    pub part: Part,
    /// The provider instance it goes to.
    pub provider: String,
    /// What that provider calls the model.
    pub upstream_model: String,
    /// What the operator pays for one image, if the catalogue knows.
    pub unit_cost: Money,
    /// Where it stands.
    pub state: AttemptState,
    /// The upstream's own id of the job, stored the moment it is known.
    pub upstream_id: Option<UpstreamId>,
    /// Why it brought nothing, if it did.
    pub failure: Option<Failure>,
    /// When its intent was written.
    pub created_at: Millis,
}

/// How an upstream call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It delivered this many images, at least one.
    Succeeded {
        /// Images delivered and stored.
        delivered: u32,
    },
    /// The upstream refused or failed, and said so.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether it said so *before doing paid work* (bad credential, no quota, unknown model, 429):
        /// only then may another target be asked.
        before_work: bool,
    },
    /// Nothing of the request reached the upstream (name look-up, connect or TLS failed).
    NotSent {
        /// Why.
        failure: Failure,
    },
    /// Bytes may have arrived and no verdict came back.
    Unknown {
        /// What happened.
        failure: Failure,
    },
}

/// What follows an ended attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The part is over.
    Finish,
    /// The next target may be asked: this one provably did no paid work.
    AskNextTarget,
}

impl AttemptEnd {
    /// The state to store.
    pub fn state(&self) -> AttemptState {
        match self {
            Self::Succeeded { .. } => AttemptState::Succeeded,
            Self::Failed { .. } => AttemptState::Failed,
            Self::NotSent { .. } => AttemptState::NotSent,
            Self::Unknown { .. } => AttemptState::Unknown,
        }
    }

    /// The one rule about sending again: only what provably did no paid work may go to another target.
    pub fn next(&self, targets_left: bool) -> Next {
        let free_of_charge = matches!(
            self,
            Self::NotSent { .. }
                | Self::Failed {
                    before_work: true,
                    ..
                }
        );
        if free_of_charge && targets_left {
            Next::AskNextTarget
        } else {
            Next::Finish
        }
    }

    /// The end that a stored attempt had, `None` if it is still open. `delivered`: the images stored of its part.
    /// Whether a failure came before paid work is not stored: a restart never asks another target after one.
    pub fn of_stored(attempt: &Attempt, delivered: u32) -> Option<Self> {
        let failure = || {
            attempt
                .failure
                .clone()
                .unwrap_or_else(|| Failure::new(FailKind::Internal, "the call brought no image"))
        };
        match attempt.state {
            AttemptState::Intent => None,
            AttemptState::Succeeded => Some(Self::Succeeded { delivered }),
            AttemptState::Failed => Some(Self::Failed {
                failure: failure(),
                before_work: false,
            }),
            AttemptState::NotSent => Some(Self::NotSent { failure: failure() }),
            AttemptState::Unknown => Some(Self::Unknown { failure: failure() }),
        }
    }

    /// How many images or texts it delivered.
    pub fn delivered(&self) -> u32 {
        match self {
            Self::Succeeded { delivered } => *delivered,
            Self::Failed { .. } | Self::NotSent { .. } | Self::Unknown { .. } => 0,
        }
    }

    /// Why no image came, if none did.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Succeeded { .. } => None,
            Self::Failed { failure, .. }
            | Self::NotSent { failure }
            | Self::Unknown { failure } => Some(failure),
        }
    }
}

/// What a new process does with an attempt that it finds at [`AttemptState::Intent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The call costs nothing and gives the same result: make it again.
    RunAgain,
    /// The upstream knows the job: ask it how the job went.
    Resume(UpstreamId),
    /// The upstream may know the call by our names for it: ask it.
    LookUp,
    /// It may have been sent: it ends as unknown and is never sent again.
    GiveUp,
}

/// What can be learned, or need not be, of a call that has no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The provider does no paid work: the call may simply be made again.
    Repeatable,
    /// The upstream can be asked by our own names for the call.
    CanLookUp,
    /// Nothing.
    Nothing,
}

/// Decides that from what is durable.
pub fn after_crash(upstream_id: Option<&UpstreamId>, memory: Memory) -> Recovery {
    match (upstream_id, memory) {
        (Some(id), _) => Recovery::Resume(id.clone()),
        (None, Memory::Repeatable) => Recovery::RunAgain,
        (None, Memory::CanLookUp) => Recovery::LookUp,
        (None, Memory::Nothing) => Recovery::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_cut_into_calls_that_cover_each_index_once() {
        for n in 1..=33 {
            for most in 0..=12 {
                let covered: Vec<u32> = Part::cut(n, most).iter().flat_map(Part::indices).collect();
                assert_eq!(covered, (0..n).collect::<Vec<_>>(), "n {n}, most {most}");
            }
        }
    }

    #[test]
    fn only_what_did_no_paid_work_goes_elsewhere() {
        let failure = || Failure::new(FailKind::Upstream, "no");
        let check = |end: AttemptEnd, next: Next| {
            assert_eq!(end.next(true), next, "{end:?}");
            assert_eq!(end.next(false), Next::Finish, "{end:?}");
        };
        check(
            AttemptEnd::NotSent { failure: failure() },
            Next::AskNextTarget,
        );
        check(
            AttemptEnd::Failed {
                failure: failure(),
                before_work: true,
            },
            Next::AskNextTarget,
        );
        check(
            AttemptEnd::Failed {
                failure: failure(),
                before_work: false,
            },
            Next::Finish,
        );
        check(AttemptEnd::Unknown { failure: failure() }, Next::Finish);
        check(AttemptEnd::Succeeded { delivered: 1 }, Next::Finish);
    }
}
