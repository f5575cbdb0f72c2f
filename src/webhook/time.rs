//! Two clocks: what stands in a log or is signed is by the system's, which may be set; what is waited for is by one that
//! nothing sets.
//!
//! Tasks end by the system's clock, so the times of a new delivery are its own. The sender's times go on from where that
//! clock stood at the start; it takes new deliveries as due whatever they say ([`crate::store::Outbox::claim_deliveries`]).

use crate::engine::Clock;
use crate::types::Millis;
use std::time::Instant;

/// The time of a sender.
pub(super) struct Time {
    clock: Clock,
    /// When this began, by both.
    started: (Millis, Instant),
}

impl Time {
    pub(super) fn new(clock: Clock) -> Self {
        let started = (clock(), Instant::now());
        Self { clock, started }
    }

    /// By the system's clock.
    pub(super) fn told(&self) -> Millis {
        (self.clock)()
    }

    /// By the clock that nothing sets.
    pub(super) fn now(&self) -> Millis {
        let (at, since) = self.started;
        at.after(since.elapsed())
    }

    /// By the one that is behind: a clock that is set forward ends nothing.
    pub(super) fn earliest(&self) -> Millis {
        self.now().min(self.told())
    }

    /// The end of a window, for what is compared with [`Time::now`]. Since the clock was set back ends are written that much
    /// too early.
    pub(super) fn end(&self, ends_at: Millis) -> Millis {
        ends_at.after(self.now().since(self.told()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_clock_that_is_set_moves_no_wait_and_closes_no_window() {
        let wall = Arc::new(AtomicI64::new(10 * HOUR));
        let reading = Arc::clone(&wall);
        let time = Time::new(Arc::new(move || Millis(reading.load(Ordering::Relaxed))));
        let near = |at: Millis, expected: i64| {
            let off = at.0 - expected;
            assert!((0..HOUR / 2).contains(&off), "{off}");
        };
        for hour in [10, 11, 9] {
            wall.store(hour * HOUR, Ordering::Relaxed);
            assert_eq!(time.told(), Millis(hour * HOUR));
            near(time.now(), 10 * HOUR);
            assert!(time.earliest() <= time.now().min(time.told()));
            // A task ends, and its window is open.
            let end = time.told().after(Duration::from_secs(1800));
            assert!(time.end(end) > time.now());
        }
    }
}
