//! Memory for what is being sent: a text may have some megabytes, and there may be thousands of attempts at once.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// What all larger bodies may have together.
const MOST_KIB: u32 = 64 * 1024;

/// Below this a body is not counted: so many attempts as there may be have no more than the larger ones together, and
/// these, at receivers that do not answer, hold up nobody.
const SMALL: usize = 32 * 1024;

/// How many bodies are made at once: a task and what is told of it lie side by side.
const MADE_AT_ONCE: usize = 8;

pub(super) struct Bodies {
    large: Arc<Semaphore>,
    made: Semaphore,
}

/// A body's place, given back when it is dropped. A small one takes nothing.
pub(super) struct Place(#[expect(dead_code, reason = "it is held")] Option<OwnedSemaphorePermit>);

impl Bodies {
    pub(super) fn new() -> Self {
        Self {
            large: Arc::new(Semaphore::new(MOST_KIB as usize)),
            made: Semaphore::new(MADE_AT_ONCE),
        }
    }

    /// A turn to make one.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.made.acquire().await.ok()
    }

    /// A place for so many bytes; `None` if there is no room now.
    pub(super) fn place(&self, bytes: usize) -> Option<Place> {
        if bytes <= SMALL {
            return Some(Place(None));
        }
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(MOST_KIB);
        let large = Arc::clone(&self.large);
        let taken = large.try_acquire_many_owned(kib.min(MOST_KIB)).ok()?;
        Some(Place(Some(taken)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_are_bounded_together_and_small_ones_go_on() {
        let bodies = Bodies::new();
        let four = 4 * 1024 * 1024;
        let mut held: Vec<Place> = (0..16).map_while(|_| bodies.place(four)).collect();
        assert_eq!(held.len(), 16);
        assert!(bodies.place(four).is_none());
        assert!(bodies.place(SMALL + 1).is_none());
        assert!(bodies.place(SMALL).is_some());
        held.pop();
        assert!(bodies.place(four).is_some());
        held.clear();
        // One that is larger than all of it goes alone.
        let alone = bodies.place(1 << 40);
        assert!(alone.is_some() && bodies.place(four).is_none());
    }
}
