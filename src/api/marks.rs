//! The headers that every admitted call answers with.

use crate::engine::Accepted;
use crate::types::{Mode, Quote, Task, TaskId};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// What the headers of every admitted call say.
pub(super) struct Marks {
    task: TaskId,
    mode: Mode,
    quote: Quote,
    adapted: Vec<String>,
    cost: Option<String>,
    overhead_ms: Option<u64>,
}

impl Marks {
    pub(super) fn of(accepted: &Accepted) -> Self {
        Self {
            task: accepted.task.clone(),
            mode: accepted.mode,
            quote: accepted.quote,
            adapted: accepted.adapted.clone(),
            cost: None,
            overhead_ms: None,
        }
    }

    /// Of a task that is looked at after the call that made it.
    pub(super) fn of_later_look(task: &Task) -> Self {
        let mut marks = Self::of_task(task);
        if let Some(at) = task.completed_at {
            marks.settled(task, at.since(task.created_at));
        }
        marks
    }

    fn of_task(task: &Task) -> Self {
        Self {
            task: task.id.clone(),
            mode: task.mode,
            quote: task.quote,
            adapted: Vec::new(),
            cost: None,
            overhead_ms: None,
        }
    }

    /// Adds what is known at the end.
    pub(super) fn settled(&mut self, task: &Task, elapsed: Duration) {
        self.cost = Some(task.captured.to_string());
        self.overhead_ms = Some(overhead_ms(task, elapsed));
    }

    pub(super) fn write(self, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-pinhole-task-id", Some(self.task.to_string()));
        set("x-pinhole-quote", Some(self.quote.total.to_string()));
        set(
            "x-pinhole-mode",
            (self.mode == Mode::Test).then(|| "test".to_owned()),
        );
        set(
            "x-pinhole-adapted",
            (!self.adapted.is_empty()).then(|| self.adapted.join(", ")),
        );
        set("x-pinhole-cost", self.cost);
        set(
            "x-pinhole-overhead-ms",
            self.overhead_ms.map(|ms| ms.to_string()),
        );
    }
}

/// Our own time: all of it but what was spent waiting for upstreams.
pub(super) fn overhead_ms(task: &Task, elapsed: Duration) -> u64 {
    let upstream = Duration::from_millis(u64::try_from(task.upstream_ms).unwrap_or(0));
    u64::try_from(elapsed.saturating_sub(upstream).as_millis()).unwrap_or(u64::MAX)
}
