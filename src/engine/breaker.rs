//! One provider's circuit breaker: a provider that fails is left alone for a while, then tried with one call. Pure: the
//! time is passed in.
//!
//! ```text
//!          much fails, or it asks for a pause                  the pause is over
//! closed ────────────────────────────────────► open ─────────────────────────────► half open
//!    ▲                                          ▲                                      │ one call
//!    │                     it fails: open, for twice as long                           ▼
//!    └──────────────────────────────────────────┴───────────────────────────────── on trial
//! ```

use super::recent::Recent;
use std::time::{Duration, Instant};

/// What is counted together. Pictures take a minute.
const WINDOW: Duration = Duration::from_secs(60);

/// Fewer calls than these in a window prove nothing.
const FEWEST: u32 = 10;

/// It opens when so many of a hundred calls failed.
const PERCENT: u32 = 50;

/// How long it is open at first; twice as long after each trial that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// It is never open for longer without a trial, whatever the provider asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What the end of a call says of its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It does its work; a refusal for content is work too.
    Well,
    /// It failed, or cannot be reached, or takes nothing from us.
    Ill,
    /// It says when it wants to be called again.
    Later(Duration),
    /// It says nothing: the fault was elsewhere, or the call was given up.
    Nothing,
}

impl Word {
    /// The name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Ill => "ill",
            Self::Later(_) => "later",
            Self::Nothing => "nothing",
        }
    }
}

/// How a provider may be called now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As usual.
    Closed,
    /// Not at all, for so long.
    Open(Duration),
    /// By one call.
    HalfOpen,
    /// Not at all, until the one call is over.
    OnTrial,
}

impl Standing {
    /// Every name, for metrics.
    pub const NAMES: [&str; 4] = ["closed", "open", "half_open", "on_trial"];

    /// How long it is not called at all, if that is known.
    pub fn pause(self) -> Option<Duration> {
        match self {
            Self::Open(wait) => Some(wait),
            Self::Closed | Self::HalfOpen | Self::OnTrial => None,
        }
    }

    /// The name in metrics and on the wire.
    pub fn name(self) -> &'static str {
        let [closed, open, half_open, on_trial] = Self::NAMES;
        match self {
            Self::Closed => closed,
            Self::Open(_) => open,
            Self::HalfOpen => half_open,
            Self::OnTrial => on_trial,
        }
    }
}

/// A call that was let through. It goes back with [`Breaker::report`].
#[derive(Debug)]
pub(super) struct Pass {
    /// What happens after the breaker has moved on is of the past.
    epoch: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Half open from this moment on.
    Open(Instant),
    OnTrial,
}

/// The breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    /// Grows with each change of the state.
    epoch: u64,
    /// Calls while it is closed, and those that failed.
    recent: Recent,
    /// Since it was closed.
    failed_trials: u32,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            state: State::Closed,
            epoch: 0,
            recent: Recent::new(WINDOW),
            failed_trials: 0,
        }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        match self.state {
            State::Closed => Standing::Closed,
            State::Open(until) if until > now => Standing::Open(until - now),
            State::Open(_) => Standing::HalfOpen,
            State::OnTrial => Standing::OnTrial,
        }
    }

    /// Lets a call through, if one may be made now.
    pub(super) fn enter(&mut self, now: Instant) -> Option<Pass> {
        match self.standing(now) {
            Standing::Closed => {}
            Standing::HalfOpen => self.turn(State::OnTrial),
            Standing::Open(_) | Standing::OnTrial => return None,
        }
        Some(Pass { epoch: self.epoch })
    }

    /// A call that was let through is over.
    pub(super) fn report(&mut self, pass: Pass, word: Word, now: Instant) {
        match (self.state, word) {
            // Calls that were under way when it opened: their failures are no news, a longer pause is.
            (State::Open(until), Word::Later(wait)) => {
                self.state = State::Open(until.max(now + wait.min(LONGEST_PAUSE)));
            }
            _ if pass.epoch != self.epoch => {}
            (State::Open(_), _) | (State::Closed, Word::Nothing) => {}
            (State::Closed, Word::Well) => self.recent.now(now).calls += 1,
            (State::Closed, Word::Ill) => self.count_failure(now),
            (State::Closed | State::OnTrial, Word::Later(wait)) => self.open(wait, now),
            (State::OnTrial, Word::Well) => {
                self.failed_trials = 0;
                self.recent.clear();
                self.turn(State::Closed);
            }
            (State::OnTrial, Word::Ill) => {
                self.failed_trials = self.failed_trials.saturating_add(1);
                self.open(self.pause(), now);
            }
            // The next call is the trial.
            (State::OnTrial, Word::Nothing) => self.open(Duration::ZERO, now),
        }
    }

    fn count_failure(&mut self, now: Instant) {
        let tally = self.recent.now(now);
        tally.calls += 1;
        tally.noted += 1;
        let sum = self.recent.sum(now);
        let share = u64::from(sum.noted) * 100;
        if sum.calls >= FEWEST && share >= u64::from(sum.calls) * u64::from(PERCENT) {
            self.open(self.pause(), now);
        }
    }

    fn pause(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failed_trials);
        FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
    }

    fn open(&mut self, wait: Duration, now: Instant) {
        self.turn(State::Open(now + wait.min(LONGEST_PAUSE)));
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A breaker and a clock.
    struct Story {
        breaker: Breaker,
        now: Instant,
    }

    impl Story {
        fn new() -> Self {
            Self {
                breaker: Breaker::new(),
                now: Instant::now(),
            }
        }

        fn pass(&mut self) -> Pass {
            self.breaker
                .enter(self.now)
                .expect("it lets a call through")
        }

        /// So many calls, one after the other.
        fn calls(&mut self, count: u32, word: Word) -> &mut Self {
            for _ in 0..count {
                let pass = self.pass();
                self.breaker.report(pass, word, self.now);
            }
            self
        }

        fn after(&mut self, wait: Duration) -> &mut Self {
            self.now += wait;
            self
        }

        fn is(&self, standing: Standing) {
            assert_eq!(self.breaker.standing(self.now), standing);
        }
    }

    #[test]
    fn it_opens_when_half_of_ten_calls_failed() {
        let mut story = Story::new();
        story.calls(9, Word::Ill).is(Standing::Closed);
        story.calls(1, Word::Ill).is(Standing::Open(FIRST_PAUSE));
        let mut story = Story::new();
        story.calls(6, Word::Well).calls(5, Word::Ill);
        story.is(Standing::Closed);
        story.calls(100, Word::Nothing).is(Standing::Closed);
        story.calls(1, Word::Ill).is(Standing::Open(FIRST_PAUSE));
    }

    #[test]
    fn failures_are_forgotten_after_a_window() {
        let mut story = Story::new();
        story.calls(9, Word::Ill).after(WINDOW);
        story.calls(9, Word::Ill).is(Standing::Closed);
    }

    #[test]
    fn one_call_is_tried_and_decides() {
        let mut story = Story::new();
        story.calls(10, Word::Ill).after(FIRST_PAUSE);
        story.is(Standing::HalfOpen);
        let trial = story.pass();
        assert!(story.breaker.enter(story.now).is_none(), "one at a time");
        story.is(Standing::OnTrial);
        story.breaker.report(trial, Word::Nothing, story.now);
        story.is(Standing::HalfOpen);
        story.calls(1, Word::Ill);
        story.is(Standing::Open(2 * FIRST_PAUSE));
        story.after(2 * FIRST_PAUSE).calls(1, Word::Ill);
        story.is(Standing::Open(4 * FIRST_PAUSE));
        story.after(4 * FIRST_PAUSE).calls(1, Word::Well);
        story.is(Standing::Closed);
        story.calls(10, Word::Ill).is(Standing::Open(FIRST_PAUSE));
        for _ in 0..40 {
            story.after(LONGEST_PAUSE).calls(1, Word::Ill);
        }
        story.is(Standing::Open(LONGEST_PAUSE));
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_within_reason() {
        let seven = Duration::from_secs(7);
        let mut story = Story::new();
        let (earlier, later) = (story.pass(), story.pass());
        story.calls(1, Word::Later(seven)).is(Standing::Open(seven));
        story.breaker.report(earlier, Word::Well, story.now);
        story.is(Standing::Open(seven));
        story
            .breaker
            .report(later, Word::Later(2 * seven), story.now);
        story.is(Standing::Open(2 * seven));
        story.after(2 * seven).calls(1, Word::Later(seven * 1000));
        story.is(Standing::Open(LONGEST_PAUSE));
        story.after(LONGEST_PAUSE).calls(1, Word::Well);
        story.is(Standing::Closed);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Wait(u64),
        Enter,
        /// The call under way of this number, modulo how many there are.
        Report(usize, Word),
    }

    fn step() -> impl Strategy<Value = Step> {
        let word = prop_oneof![
            2 => Just(Word::Well),
            4 => Just(Word::Ill),
            1 => (0u64..1000).prop_map(|wait| Word::Later(Duration::from_secs(wait))),
            1 => Just(Word::Nothing),
        ];
        prop_oneof![
            1 => (0u64..40_000).prop_map(Step::Wait),
            4 => Just(Step::Enter),
            4 => (any::<usize>(), word).prop_map(|(which, word)| Step::Report(which, word)),
        ]
    }

    fn is_legal(step: Step, from: Standing, to: Standing) -> bool {
        use Standing::{Closed, HalfOpen, OnTrial, Open};
        match (step, from, to) {
            // Time alone opens nothing and closes nothing.
            (Step::Wait(_), Open(before), Open(after)) => after <= before,
            (Step::Wait(_), Open(_), HalfOpen) => true,
            (Step::Enter, HalfOpen, OnTrial) => true,
            (Step::Report(_, Word::Ill | Word::Later(_)), Closed | OnTrial, Open(_)) => true,
            // A pause of no length.
            (Step::Report(_, Word::Later(_)), Closed | OnTrial, HalfOpen) => true,
            (Step::Report(_, Word::Nothing), OnTrial, HalfOpen) => true,
            (Step::Report(_, Word::Well), OnTrial, Closed) => true,
            (Step::Report(_, Word::Later(_)), Open(before), Open(after)) => after >= before,
            // One of the calls before it opened asks for a longer pause.
            (Step::Report(_, Word::Later(_)), HalfOpen, Open(_)) => true,
            _ => from == to,
        }
    }

    proptest! {
        /// Whatever calls do, in whatever order they end: every change is one of the drawing, no pause is endless, and
        /// while a trial is under way nobody else is let through.
        #[test]
        fn only_legal_changes_and_one_trial_at_a_time(steps in prop::collection::vec(step(), 1..300)) {
            let mut story = Story::new();
            // The calls under way, and whether each is a trial.
            let mut under_way: Vec<(Pass, bool)> = Vec::new();
            for step in steps {
                let before = story.breaker.standing(story.now);
                match step {
                    Step::Wait(ms) => story.now += Duration::from_millis(ms),
                    Step::Enter => {
                        let pass = story.breaker.enter(story.now);
                        let may = matches!(before, Standing::Closed | Standing::HalfOpen);
                        prop_assert_eq!(pass.is_some(), may);
                        under_way.extend(pass.map(|pass| (pass, before == Standing::HalfOpen)));
                    }
                    Step::Report(_, _) if under_way.is_empty() => continue,
                    Step::Report(which, word) => {
                        let which = which % under_way.len();
                        let (pass, is_trial) = under_way.swap_remove(which);
                        story.breaker.report(pass, word, story.now);
                        let after = story.breaker.standing(story.now);
                        if before == Standing::OnTrial {
                            prop_assert_eq!(after != Standing::OnTrial, is_trial, "the trial alone decides");
                        }
                    }
                }
                let after = story.breaker.standing(story.now);
                prop_assert!(is_legal(step, before, after), "{:?}: {:?} to {:?}", step, before, after);
                if let Standing::Open(wait) = after {
                    prop_assert!(wait <= LONGEST_PAUSE);
                }
                let trials = under_way.iter().filter(|(_, is_trial)| *is_trial).count();
                prop_assert_eq!(trials, usize::from(after == Standing::OnTrial));
            }
        }
    }
}
