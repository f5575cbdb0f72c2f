//! Looking back: which of an account's tasks are wanted, and how far a reader has come.

use crate::types::{Account, Attempt, AttemptState, KeyId, Millis, Money, Task, TaskId, TaskState};

/// Which tasks are wanted; what is `None` narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// In this state.
    pub state: Option<TaskState>,
    /// Of this model, by the catalogue's id.
    pub model: Option<String>,
    /// Started with this key.
    pub key: Option<KeyId>,
    /// Accepted at this time or later.
    pub since: Option<Millis>,
    /// Accepted before this time.
    pub until: Option<Millis>,
}

impl TaskFilter {
    /// Whether it passes tasks over within its stretch of time.
    pub fn is_selective(&self) -> bool {
        self.state.is_some() || self.model.is_some() || self.key.is_some()
    }
}

/// A task's place in the history, which goes from the newest to the oldest. New tasks come before every place there is,
/// so whoever goes on from one meets each older task once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskPlace {
    /// When the task was accepted.
    pub created_at: Millis,
    /// Its id, which orders the tasks of one millisecond.
    pub task: TaskId,
}

impl TaskPlace {
    /// Where this task stands.
    pub fn of(task: &Task) -> Self {
        Self {
            created_at: task.created_at,
            task: task.id.clone(),
        }
    }
}

/// A stretch of the history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPage {
    /// The tasks, newest first.
    pub tasks: Vec<Task>,
    /// Where to go on; `None` if nothing older is left.
    pub next: Option<TaskPlace>,
}

/// A call that the operator may have paid for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostCall {
    /// The task it was made for.
    pub task: TaskId,
    /// The model that was asked.
    pub model: String,
    /// Whose task it is.
    pub account: Account,
    /// The call itself: [`AttemptState::Unknown`], or one that brought less than it may be billed for.
    pub attempt: Attempt,
    /// What was booked to the operator's loss.
    pub loss: Money,
    /// When it was given up.
    pub ended_at: Millis,
    /// What became known of it since.
    pub resolved: Option<Resolved>,
}

/// What became known of a call that may have been lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// How it went.
    pub resolution: Resolution,
    /// What the upstream took for it.
    pub billed: Money,
    /// When that became known.
    pub at: Millis,
    /// The operator's own words about it.
    pub note: Option<String>,
}

/// No call costs as much: an amount above is a slip of the keyboard, and what is booked is never changed.
pub const MOST_BILLED: Money = Money::from_micros(1_000_000_000);

/// How a call went that may have been lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The operator was billed for it.
    Billed,
    /// The operator was not.
    NotBilled,
    /// Its image came after all.
    Delivered,
}

impl Resolution {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Billed, Self::NotBilled, Self::Delivered];

    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Billed => "billed",
            Self::NotBilled => "not_billed",
            Self::Delivered => "delivered",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl LostCall {
    /// Whether nobody can tell what became of it.
    pub fn is_unknown(&self) -> bool {
        self.attempt.state == AttemptState::Unknown
    }
}
