//! Calls whose clients left before they were answered.
//!
//! OpenAI's SDKs give up on a slow call and send it again, with `x-stainless-retry-count`. The task of the first call is
//! running and will be charged; so the second one joins it. Kept in memory: a client whose connection broke with the
//! server's process has no such promise, an `Idempotency-Key` gives it.

use crate::types::{KeyId, Millis, TaskId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a call waits to be sent again.
const KEEP: Duration = Duration::from_secs(30 * 60);

/// More than this many at once are not kept: the oldest go.
const MOST: usize = 10_000;

/// What was asked, as a hash.
pub type Fingerprint = [u8; 32];

/// Every such call of this process.
#[derive(Default)]
pub(super) struct Left(Mutex<HashMap<(KeyId, Fingerprint), (TaskId, Millis)>>);

impl Left {
    /// Its client has left.
    pub(super) fn note(&self, key: KeyId, asked: Fingerprint, task: TaskId, at: Millis) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, (_, left_at)| at.since(*left_at) < KEEP);
        }
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, (_, left_at))| *left_at);
            let oldest = oldest.map(|(call, _)| call.clone());
            oldest.and_then(|call| all.remove(&call));
        }
        all.insert((key, asked), (task, at));
    }

    /// The task of the call that this one sends again.
    pub(super) fn take(&self, key: &KeyId, asked: &Fingerprint, at: Millis) -> Option<TaskId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (task, left_at) = all.remove(&(key.clone(), *asked))?;
        (at.since(left_at) < KEEP).then_some(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_once_by_its_key_and_for_half_an_hour() {
        let (left, key, task) = (Left::default(), KeyId::new(), TaskId::new());
        let at = |minutes: u64| Millis(0).after(Duration::from_secs(minutes * 60));
        left.note(key.clone(), [1; 32], task.clone(), at(0));
        assert_eq!(left.take(&KeyId::new(), &[1; 32], at(1)), None);
        assert_eq!(left.take(&key, &[2; 32], at(1)), None);
        assert_eq!(left.take(&key, &[1; 32], at(29)), Some(task.clone()));
        assert_eq!(left.take(&key, &[1; 32], at(29)), None);
        left.note(key.clone(), [1; 32], task, at(0));
        assert_eq!(left.take(&key, &[1; 32], at(30)), None);
    }

    #[test]
    fn they_do_not_grow_without_end() {
        let (left, key) = (Left::default(), KeyId::new());
        for k in 0..MOST + 100 {
            let mut asked = [0; 32];
            asked[..8].copy_from_slice(&k.to_le_bytes());
            left.note(
                key.clone(),
                asked,
                TaskId::trusted("task"),
                Millis(i64::try_from(k).unwrap()),
            );
        }
        assert_eq!(left.0.lock().unwrap().len(), MOST);
    }
}
