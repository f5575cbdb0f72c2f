//! Counts of the last moments. Pure: the time is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How finely a window is divided: what is older than the whole is forgotten a tenth at a time.
const SLOTS: u32 = 10;

/// Calls, and those among or beside them that are of note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u32,
    pub(super) noted: u32,
}

/// A tally of the last `window`: all of its last nine tenths, and nothing older than it.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    window: Duration,
    /// By the moment they began, the oldest first.
    slots: VecDeque<(Instant, Tally)>,
}

impl Recent {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            slots: VecDeque::new(),
        }
    }

    /// The tally that what happens now goes into.
    pub(super) fn now(&mut self, now: Instant) -> &mut Tally {
        self.forget(now);
        let length = self.window / SLOTS;
        let fits = |began: &(Instant, Tally)| now.saturating_duration_since(began.0) < length;
        if !self.slots.back().is_some_and(fits) {
            self.slots.push_back((now, Tally::default()));
        }
        let (_, tally) = self
            .slots
            .back_mut()
            .expect("one was pushed if none was there");
        tally
    }

    /// All of the window together.
    pub(super) fn sum(&mut self, now: Instant) -> Tally {
        self.forget(now);
        self.slots
            .iter()
            .fold(Tally::default(), |sum, (_, tally)| Tally {
                calls: sum.calls.saturating_add(tally.calls),
                noted: sum.noted.saturating_add(tally.noted),
            })
    }

    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    fn forget(&mut self, now: Instant) {
        let is_old = |began: Instant| now.saturating_duration_since(began) >= self.window;
        while self.slots.front().is_some_and(|(began, _)| is_old(*began)) {
            self.slots.pop_front();
        }
    }
}
