//! How many calls a provider has under way at once.
//!
//! A call that took too long still occupies its upstream while it is heard on and nobody waits for it ([`super::late`]),
//! so it keeps its place, and no other call is sent into a queue behind it. But at most half of a provider's places are
//! kept so, and of a single one none: an upstream that falls silent must not shut everybody out for as long as it is
//! heard on.

use crate::provider::Providers;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places at all providers.
pub(super) struct Places(HashMap<String, AtOne>);

/// The places at one of them.
struct AtOne {
    calls: Arc<Semaphore>,
    /// How many of them may be kept by calls that nobody waits for.
    abandoned: Arc<Semaphore>,
}

/// A call's place at its provider, until it is dropped.
pub(super) struct Place {
    call: OwnedSemaphorePermit,
    abandoned: Arc<Semaphore>,
}

/// The place of a call that nobody waits for any more.
pub(super) struct Kept {
    _call: OwnedSemaphorePermit,
    _abandoned: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(providers: &Providers) -> Self {
        let all = providers.iter();
        Self(
            all.map(|(name, provider)| {
                let calls = provider.traits().concurrency.max(1) as usize;
                (name.to_owned(), AtOne::new(calls))
            })
            .collect(),
        )
    }

    /// Waits for a place; `None` at a provider that is not turned on.
    pub(super) async fn take(&self, provider: &str) -> Option<Place> {
        let at = self.0.get(provider)?;
        let call = Arc::clone(&at.calls).acquire_owned().await.ok()?;
        Some(Place {
            call,
            abandoned: Arc::clone(&at.abandoned),
        })
    }
}

impl AtOne {
    fn new(calls: usize) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(calls)),
            abandoned: Arc::new(Semaphore::new(calls / 2)),
        }
    }
}

impl Place {
    /// Keeps the place of a call that is given up and heard on, if not too many are kept already.
    pub(super) fn keep(self) -> Option<Kept> {
        Some(Kept {
            _abandoned: self.abandoned.try_acquire_owned().ok()?,
            _call: self.call,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many places are free when so many of so many calls were given up.
    async fn free_beside(calls: usize, given_up: usize) -> usize {
        let places = Places(HashMap::from([("one".to_owned(), AtOne::new(calls))]));
        let mut kept = Vec::new();
        for _ in 0..given_up {
            kept.push(places.take("one").await.expect("a place").keep());
        }
        let free = places.0["one"].calls.available_permits();
        drop(kept);
        assert_eq!(places.0["one"].calls.available_permits(), calls);
        free
    }

    #[tokio::test]
    async fn calls_that_are_heard_on_keep_half_of_the_places_and_no_more() {
        for (calls, given_up, free) in [(8, 3, 5), (8, 20, 4), (3, 9, 2), (2, 9, 1), (1, 9, 1)] {
            assert_eq!(
                free_beside(calls, given_up).await,
                free,
                "{given_up} of {calls}"
            );
        }
    }
}
