//! When a delivery that failed is tried again. A pure function: time and chance are passed in.

use crate::types::Millis;
use std::time::Duration;

/// How long one attempt may take, from the look-up of the name to the end of the answer.
pub const ATTEMPT: Duration = Duration::from_secs(10);

/// The most attempts that a delivery gets, those aside that a crash interrupted.
pub const MOST_TRIES: u32 = 14;

/// What is waited after each failure, in seconds. The first three are a promise to receivers and are kept as they are; the
/// later ones are spread, so that a receiver that comes back is not met by everybody at once. The last one goes on.
const WAITS: [u64; 9] = [1, 2, 4, 15, 30, 60, 120, 240, 300];
const EXACT: usize = 3;

/// By how much the later waits are spread to either side, in thousandths.
const SPREAD: u64 = 100;

/// What is known when an attempt has failed.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// How many attempts have failed by now, this one included.
    pub tries: u32,
    /// Now.
    pub at: Millis,
    /// When the window closes.
    pub ends_at: Millis,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Any number.
    pub chance: u64,
}

/// The waits of a schedule in which a second has this length. Tests have no time for real ones.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// A second.
    pub second: Duration,
}

impl Schedule {
    /// When it is tried again; `None` if it is given up. A `Retry-After` only lengthens a wait, and not beyond the window,
    /// at whose end the receiver is asked once more.
    pub fn next(&self, failed: Failed) -> Option<Millis> {
        let next = failed.at.after(self.wait(failed.tries, failed.chance));
        if failed.tries >= MOST_TRIES || next > failed.ends_at {
            return None;
        }
        let asked = failed.retry_after.map(|wait| failed.at.after(wait));
        Some(asked.map_or(next, |asked| asked.clamp(next, failed.ends_at)))
    }

    /// What is waited after so many failures.
    fn wait(&self, tries: u32, chance: u64) -> Duration {
        let place = (tries.max(1) as usize - 1).min(WAITS.len() - 1);
        let second = u64::try_from(self.second.as_micros()).unwrap_or(u64::MAX);
        let wait = WAITS[place].saturating_mul(second);
        let thousandths = match place < EXACT {
            true => 1000,
            false => 1000 - SPREAD + chance % (2 * SPREAD + 1),
        };
        Duration::from_micros(wait / 1000 * thousandths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::WINDOW;
    use proptest::prelude::*;

    const REAL: Schedule = Schedule {
        second: Duration::from_secs(1),
    };
    const END: Millis = Millis(1_800_000_000_000);
    /// Of a wait that is neither shortened nor lengthened.
    const MIDDLE: u64 = SPREAD;

    fn failed(tries: u32, at: Millis, chance: u64) -> Failed {
        Failed {
            tries,
            at,
            ends_at: END.after(WINDOW),
            retry_after: None,
            chance,
        }
    }

    /// The times of all attempts, in milliseconds after the task's end, if each fails at once.
    fn attempts(chance: u64) -> Vec<i64> {
        let mut times = vec![0];
        let mut at = END;
        while let Some(next) = REAL.next(failed(times.len() as u32, at, chance)) {
            at = next;
            times.push(at.0 - END.0);
        }
        times
    }

    #[test]
    fn a_receiver_that_is_down_is_asked_at_these_times() {
        let seconds = [0, 1, 3, 7, 22, 52, 112, 232, 472, 772, 1072, 1372, 1672];
        assert_eq!(attempts(MIDDLE), seconds.map(|s| s * 1000));
        let shortest = attempts(0);
        assert_eq!(shortest.len(), 14);
        assert_eq!(shortest[..5], [0, 1000, 3000, 7000, 20_500]);
        assert_eq!(attempts(2 * SPREAD).len(), 12);
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_and_not_for_less() {
        let wait = |tries, at, retry_after| {
            let failed = Failed {
                retry_after: Some(Duration::from_secs(retry_after)),
                ..failed(tries, at, MIDDLE)
            };
            REAL.next(failed).map(|next| next.0 - at.0)
        };
        assert_eq!(wait(1, END, 0), Some(1000));
        assert_eq!(wait(1, END, 1), Some(1000));
        assert_eq!(wait(1, END, 90), Some(90_000));
        // No longer than the window lasts: then once more.
        assert_eq!(wait(1, END, 86_400), Some(1_800_000));
        assert_eq!(wait(1, END, u64::MAX), Some(1_800_000));
        let late = Millis(END.0 + 1_700_000);
        assert_eq!(wait(5, late, 86_400), Some(100_000));
        assert_eq!(wait(12, late, 1), None);
    }

    #[test]
    fn the_last_try_is_the_last_and_so_is_one_after_the_window() {
        assert!(REAL.next(failed(13, END, 0)).is_some());
        assert_eq!(REAL.next(failed(14, END, 0)), None);
        // It was missed while nobody ran, and then failed.
        let late = Millis(END.after(WINDOW).0 + 1);
        assert_eq!(REAL.next(failed(1, late, 0)), None);
    }

    proptest! {
        #[test]
        fn whatever_happens_there_are_at_most_fourteen_within_the_window(
            steps in prop::collection::vec((any::<u64>(), prop::option::of(0_u64..4000), 0_i64..10_500), 30)
        ) {
            let (mut at, mut tries) = (END, 0);
            for (chance, retry_after, took) in steps {
                prop_assert!(at <= END.after(WINDOW));
                tries += 1;
                let over = Millis(at.0 + took);
                let failed = Failed {
                    retry_after: retry_after.map(Duration::from_secs),
                    ..failed(tries, over, chance)
                };
                match REAL.next(failed) {
                    Some(next) => {
                        prop_assert!(next.0 >= over.0 + 1000);
                        at = next;
                    }
                    None => break,
                }
            }
            prop_assert!(tries <= MOST_TRIES);
        }
    }
}
