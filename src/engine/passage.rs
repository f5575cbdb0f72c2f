//! Who may be called now: a breaker for each provider that does paid work, and the one budget of second tries.
//!
//! A provider instance has one key, so its breaker is that of the key. The built-in renderer has none: it fails when a
//! prompt tells it to.

use super::breaker::{Breaker, Pass, Standing, Word};
use super::budget::Budget;
use crate::provider::{ProviderError, Providers, Verdict};
use crate::types::{FailKind, Usage};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// When somebody should come back who finds a trial under way.
const TRIAL: Duration = Duration::from_secs(5);

/// The breakers of this process, and its budget.
pub(super) struct Passages {
    breakers: BTreeMap<String, Mutex<Breaker>>,
    budget: Mutex<Budget>,
    /// Some breaker moved.
    changed: Notify,
}

/// A call that was let through. Dropped without a word it says nothing of its provider.
pub(super) struct Passage<'a>(Option<UnderWay<'a>>);

/// It can be reported once.
struct UnderWay<'a> {
    passages: &'a Passages,
    provider: &'a str,
    breaker: &'a Mutex<Breaker>,
    pass: Pass,
}

impl Passages {
    pub(super) fn new(providers: &Providers) -> Self {
        let paid = providers.iter().filter(|(_, one)| !one.traits().repeatable);
        Self {
            breakers: paid
                .map(|(name, _)| (name.to_owned(), Mutex::new(Breaker::new())))
                .collect(),
            budget: Mutex::new(Budget::new()),
            changed: Notify::new(),
        }
    }

    /// How each provider that has a breaker may be called now.
    pub(super) fn standings(&self) -> impl Iterator<Item = (String, Standing)> {
        let now = Instant::now();
        self.breakers
            .iter()
            .map(move |(name, breaker)| (name.clone(), lock(breaker).standing(now)))
    }

    /// For how long no new call should go to a provider; `None` if one may.
    pub(super) fn pause(&self, provider: &str) -> Option<Duration> {
        match lock(self.breakers.get(provider)?).standing(Instant::now()) {
            Standing::Closed | Standing::HalfOpen => None,
            Standing::Open(wait) => Some(wait),
            Standing::OnTrial => Some(TRIAL),
        }
    }

    /// The providers to which no new call should go.
    pub(super) fn paused(&self) -> HashSet<String> {
        let names = self.breakers.keys().cloned();
        names.filter(|name| self.pause(name).is_some()).collect()
    }

    /// Lets a call through. While another call is on trial this waits for its end: the calls of one task go out together,
    /// and they should fare alike. `None` if the provider is paused.
    pub(super) async fn enter(&self, provider: &str) -> Option<Passage<'_>> {
        let Some((provider, breaker)) = self.breakers.get_key_value(provider) else {
            return Some(Passage(None));
        };
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let now = Instant::now();
            let (pass, standing) = {
                let mut breaker = lock(breaker);
                (breaker.enter(now), breaker.standing(now))
            };
            match (pass, standing) {
                (Some(pass), _) => {
                    return Some(Passage(Some(UnderWay {
                        passages: self,
                        provider,
                        breaker,
                        pass,
                    })));
                }
                (None, Standing::OnTrial) => changed.await,
                (None, _) => return None,
            }
        }
    }

    /// Waits until some breaker moves, and no longer than this.
    pub(super) async fn change(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.changed.notified()).await;
    }

    /// A first target is about to be called.
    pub(super) fn first_call(&self) {
        lock(&self.budget).give(Instant::now());
    }

    /// Whether one more target may be asked for a call that failed.
    pub(super) fn may_go_on(&self) -> bool {
        let may = lock(&self.budget).take(Instant::now());
        let outcome = if may { "asked" } else { "over_budget" };
        metrics::counter!("pinhole_failovers_total", "outcome" => outcome).increment(1);
        may
    }
}

impl UnderWay<'_> {
    fn report(self, word: Word) {
        let (provider, now) = (self.provider, Instant::now());
        metrics::counter!("pinhole_provider_calls_total", "provider" => provider.to_owned(), "verdict" => word.name())
            .increment(1);
        let (before, after) = {
            let mut breaker = lock(self.breaker);
            let before = breaker.standing(now);
            breaker.report(self.pass, word, now);
            (before, breaker.standing(now))
        };
        if before == after {
            return;
        }
        match after {
            Standing::Open(wait) => {
                let pause_ms = wait.as_millis();
                tracing::warn!(provider, pause_ms, "the provider is left alone for a while");
            }
            Standing::Closed => tracing::info!(provider, "the provider is called as usual again"),
            Standing::HalfOpen | Standing::OnTrial => {}
        }
        self.passages.changed.notify_waiters();
    }
}

impl Passage<'_> {
    /// The call is over.
    pub(super) fn report(mut self, verdict: &Result<Usage, ProviderError>) {
        self.say(word(verdict));
    }

    fn say(&mut self, word: Word) {
        if let Some(call) = self.0.take() {
            call.report(word);
        }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.say(Word::Nothing);
    }
}

/// What a call's end says of its provider.
fn word(verdict: &Result<Usage, ProviderError>) -> Word {
    let Err(error) = verdict else {
        return Word::Well;
    };
    match (error.verdict, error.failure.kind, error.retry_after) {
        // Another model of it may do well.
        _ if error.is_of_model => Word::Nothing,
        (Verdict::RefusedBeforeWork | Verdict::Failed, _, Some(wait)) => Word::Later(wait),
        (Verdict::Failed, FailKind::ContentPolicy | FailKind::Rejected, _) => Word::Well,
        // It was not asked, or the fault is ours.
        (_, FailKind::Rejected | FailKind::InputNotFetched, _) => Word::Nothing,
        (_, FailKind::StorageFull | FailKind::Internal, _) => Word::Nothing,
        _ => Word::Ill,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere cannot leave it half-changed: nothing in between panics.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_end_says_of_its_provider() {
        let check = |verdict, kind, expected| {
            let error = ProviderError::new(verdict, kind, "x");
            assert_eq!(word(&Err(error.clone())), expected, "{error:?}");
            let of_model = ProviderError {
                is_of_model: true,
                ..error
            };
            assert_eq!(word(&Err(of_model)), Word::Nothing);
        };
        use Verdict::{Failed, NotSent, RefusedBeforeWork, Unknown};
        check(NotSent, FailKind::Unavailable, Word::Ill);
        check(NotSent, FailKind::Rejected, Word::Nothing);
        check(RefusedBeforeWork, FailKind::Unavailable, Word::Ill);
        check(Failed, FailKind::Upstream, Word::Ill);
        check(Failed, FailKind::ContentPolicy, Word::Well);
        check(Failed, FailKind::Rejected, Word::Well);
        check(Unknown, FailKind::OutcomeUnknown, Word::Ill);
        check(Unknown, FailKind::StorageFull, Word::Nothing);
        check(Unknown, FailKind::Internal, Word::Nothing);
        assert_eq!(word(&Ok(Usage::default())), Word::Well);
        let wait = Duration::from_secs(7);
        let later = |verdict| {
            let mut error = ProviderError::new(verdict, FailKind::Unavailable, "x");
            error.retry_after = Some(wait);
            word(&Err(error))
        };
        assert_eq!(later(RefusedBeforeWork), Word::Later(wait));
        assert_eq!(later(Failed), Word::Later(wait));
        assert_eq!(later(Unknown), Word::Ill);
    }
}
