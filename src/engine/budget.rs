//! The one budget of second tries: when much fails at once, asking everybody else for everything would bring down what
//! still works. Pure: the time is passed in.

use super::recent::Recent;
use std::time::{Duration, Instant};

/// What is counted together.
const WINDOW: Duration = Duration::from_secs(10);

/// So many of a hundred recent calls may be followed by a call to another target.
const PERCENT: u32 = 20;

/// And so many besides in each window: where little is asked, each failure may go on.
const FLOOR: u32 = 10;

/// Calls to first targets give; calls to others take.
pub(super) struct Budget(Recent);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Recent::new(WINDOW))
    }

    /// A first target is called.
    pub(super) fn give(&mut self, now: Instant) {
        self.0.now(now).calls += 1;
    }

    /// Whether one more target may be asked; if so, it counts as asked.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let sum = self.0.sum(now);
        let is_left = sum.noted < FLOOR + sum.calls.saturating_mul(PERCENT) / 100;
        if is_left {
            self.0.now(now).noted += 1;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_storm_of_failures_gets_a_fifth_more_calls() {
        let (mut budget, now) = (Budget::new(), Instant::now());
        let mut taken = 0;
        for _ in 0..1000 {
            budget.give(now);
            taken += u32::from(budget.take(now));
        }
        assert_eq!(taken, 10 + 200);
        assert!(!budget.take(now + WINDOW / 2));
        assert!(budget.take(now + WINDOW), "the next window has its own");
    }

    proptest! {
        /// Whatever happens when: nine tenths of a window never see more second tries than the floor and a fifth of the
        /// window's calls, and who is refused had no less than the floor.
        #[test]
        fn second_tries_never_exceed_the_budget(
            steps in prop::collection::vec((0u64..900, any::<bool>()), 1..400)
        ) {
            let start = Instant::now();
            let (mut budget, mut at) = (Budget::new(), Duration::ZERO);
            let (mut given, mut taken) = (Vec::new(), Vec::new());
            for (pause, gives) in steps {
                at += Duration::from_millis(pause);
                let within = |times: &[Duration], span: Duration| {
                    let count = times.iter().filter(|time| at - **time < span).count();
                    u32::try_from(count).expect("a few")
                };
                if gives {
                    budget.give(start + at);
                    given.push(at);
                } else if budget.take(start + at) {
                    taken.push(at);
                    let most = FLOOR + within(&given, WINDOW) * PERCENT / 100;
                    prop_assert!(within(&taken, WINDOW * 9 / 10) <= most);
                } else {
                    let least = FLOOR + within(&given, WINDOW * 9 / 10) * PERCENT / 100;
                    prop_assert!(within(&taken, WINDOW) >= least);
                }
            }
        }
    }
}
