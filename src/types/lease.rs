//! Leases: how one process knows that another one has died, without asking anybody what time it is.
//!
//! What a process works on carries its name and a fence. It shows that it lives by moving its *beat*, a number in a row
//! of its own, every third of the lease. Whoever watches it believes it dead when the beat has stood still for a whole
//! lease of the watcher's own, steady time; then its work is taken over, under a higher fence, in a transaction that
//! looks whether the beat has moved after all. No time of day is written or compared, so a clock that is set forward or
//! back by an hour neither loses a lease nor keeps a dead one. A worker that was only paused finds its fence gone, and
//! writes nothing.

use std::collections::HashMap;
use std::time::Duration;

/// A worker that has shown no life for so long has lost what it worked on.
pub const LEASE: Duration = Duration::from_secs(30);

/// How often a worker shows that it lives: two beats may be late before it loses anything.
pub const fn heartbeat(lease: Duration) -> Duration {
    Duration::from_millis(lease.as_millis() as u64 / 3)
}

/// How often the others are looked at; what a lease lasts longer than it says.
pub const fn look_every(lease: Duration) -> Duration {
    Duration::from_millis(lease.as_millis() as u64 / 15)
}

/// A worker and how often it has shown that it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerBeat {
    /// Its name.
    pub worker: String,
    /// Its beat; 0 for one that has never shown any.
    pub beat: i64,
}

/// What a worker has seen of the others.
#[derive(Clone, Debug, Default)]
pub struct Vigil {
    silent: HashMap<String, Silence>,
}

/// A beat that stands still, and for how long it has been seen to.
#[derive(Clone, Copy, Debug)]
struct Silence {
    beat: i64,
    lasted: Duration,
}

impl Vigil {
    /// Notes how the others are, `passed` after the last look. Returns those whose lease is over.
    pub fn look(
        &mut self,
        others: Vec<WorkerBeat>,
        passed: Duration,
        lease: Duration,
    ) -> Vec<WorkerBeat> {
        // A watcher that was itself away has not seen that the others were silent meanwhile: they may have been away with
        // it, and have as much time to show themselves as if it had looked twice.
        let passed = passed.min(look_every(lease) * 2);
        let mut silent = HashMap::new();
        for other in &others {
            let lasted = match self.silent.get(&other.worker) {
                Some(before) if before.beat == other.beat => before.lasted + passed,
                _ => Duration::ZERO,
            };
            let beat = other.beat;
            silent.insert(other.worker.clone(), Silence { beat, lasted });
        }
        self.silent = silent;
        let is_over = |other: &WorkerBeat| self.silent[&other.worker].lasted >= lease;
        others.into_iter().filter(is_over).collect()
    }

    /// Forgets a worker whose work was taken over. If it comes back, its beats begin anew, and so does its lease.
    pub fn forget(&mut self, worker: &str) {
        self.silent.remove(worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(beat: i64) -> Vec<WorkerBeat> {
        let worker = "w".to_owned();
        vec![WorkerBeat { worker, beat }]
    }

    /// The number of looks at a silent worker until its lease is over.
    fn looks_until_over(vigil: &mut Vigil, beat: i64, passed: Duration) -> u32 {
        (1..)
            .find(|_| !vigil.look(one(beat), passed, LEASE).is_empty())
            .expect("every silence ends")
    }

    #[test]
    fn a_beat_that_stands_still_for_a_lease_is_over_and_no_sooner() {
        let every = look_every(LEASE);
        assert_eq!(every, Duration::from_secs(2));
        // The first look only begins to count.
        assert_eq!(looks_until_over(&mut Vigil::default(), 1, every), 16);
        assert_eq!(looks_until_over(&mut Vigil::default(), 0, every), 16);
    }

    #[test]
    fn a_worker_that_beats_lives_for_ever() {
        let mut vigil = Vigil::default();
        let mut since_beat = Duration::ZERO;
        let mut beat = 0;
        for _ in 0..10_000 {
            since_beat += look_every(LEASE);
            if since_beat >= heartbeat(LEASE) * 2 {
                (since_beat, beat) = (Duration::ZERO, beat + 1);
            }
            let over = vigil.look(one(beat), look_every(LEASE), LEASE);
            assert_eq!(over, [], "late by one beat, and alive");
        }
        assert_eq!(looks_until_over(&mut vigil, beat, look_every(LEASE)), 15);
    }

    #[test]
    fn a_worker_that_comes_back_with_its_first_beat_has_a_whole_lease() {
        let (mut vigil, every) = (Vigil::default(), look_every(LEASE));
        assert_eq!(looks_until_over(&mut vigil, 1, every), 16);
        vigil.forget("w");
        assert_eq!(looks_until_over(&mut vigil, 1, every), 16);
    }

    #[test]
    fn a_watcher_that_was_away_for_an_hour_has_seen_nothing_of_it() {
        let mut vigil = Vigil::default();
        vigil.look(one(7), Duration::ZERO, LEASE);
        let hour = Duration::from_secs(3600);
        assert_eq!(vigil.look(one(7), hour, LEASE), []);
        // What was seen before is forgotten when the worker shows itself, or has nothing more to do.
        assert_eq!(vigil.look(one(8), hour, LEASE), []);
        assert_eq!(vigil.look(Vec::new(), hour, LEASE), []);
        assert_eq!(looks_until_over(&mut vigil, 8, hour), 9);
    }
}
