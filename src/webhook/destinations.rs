//! Whom to send to next, and how many at once: so that receivers that do not answer cost the others nothing.
//!
//! A receiver that answered last time, with whatever status, is sent to by many attempts at once, and some room is kept for
//! its like alone. One that nobody knows yet gets a single attempt, which tells what it is. One that did not answer gets a
//! single attempt too, among a limited number of its like, and rests for a while if it goes on so. Statuses do not matter
//! here: a receiver that says 500 at once holds nobody up. Time is passed in; nothing is remembered over a restart.

use crate::types::Millis;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How many attempts there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// In all.
    pub whole: u32,
    /// Of these, for destinations that answer.
    pub reserved: u32,
    /// For all destinations together that did not answer.
    pub unanswering: u32,
    /// For one destination that answers.
    pub each: u32,
}

/// So many attempts without an answer, one after the other, and a destination rests.
const PATIENCE: u32 = 5;
const SHORTEST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(15);

/// How many destinations one look takes.
const PICKS: usize = 64;

/// How many idle destinations are remembered as answering.
const MOST_KNOWN: usize = 10_000;

/// What a destination did last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Answers,
    Unknown,
    Silent,
}

#[derive(Debug)]
struct Destination {
    standing: Standing,
    at_once: u32,
    /// When its next delivery is due.
    next_at: Option<Millis>,
    /// Attempts without an answer, in a row.
    silent: u32,
    rests_until: Option<Millis>,
}

/// All destinations that something is sent to.
pub(super) struct Destinations {
    room: Room,
    known: HashMap<String, Destination>,
    /// Those that have something to be sent and room of their own, by standing and time.
    ready: [BTreeSet<(Millis, String)>; 3],
    at_once: [u32; 3],
}

impl Destinations {
    pub(super) fn new(room: Room) -> Self {
        Self {
            room,
            known: HashMap::new(),
            ready: Default::default(),
            at_once: [0; 3],
        }
    }

    /// Something is due there, then or earlier.
    pub(super) fn due(&mut self, name: &str, at: Millis) {
        self.change(name, |it| {
            it.next_at = Some(it.next_at.map_or(at, |earlier| earlier.min(at)));
        });
    }

    /// Takes destinations whose time has come, each with how many of its deliveries may be sent; that much of the room is
    /// theirs until [`Destinations::claimed`] and [`Destinations::finished`] give it back.
    pub(super) fn pick(&mut self, now: Millis) -> Vec<(String, u32)> {
        let mut picks = Vec::new();
        for standing in [Standing::Answers, Standing::Unknown, Standing::Silent] {
            while picks.len() < PICKS
                && let Some(name) = self.first_ready(standing, now)
            {
                let room = self.room_of(standing);
                let most = self.most(standing);
                let taken = self.change(&name, |it| {
                    let taken = room.min(most - it.at_once);
                    it.at_once += taken;
                    it.next_at = None;
                    taken
                });
                self.at_once[standing as usize] += taken;
                picks.push((name, taken));
            }
        }
        picks
    }

    /// What was found of a pick: so many of its places are not needed, and this is when the next is due.
    pub(super) fn claimed(&mut self, name: &str, unused: u32, next_at: Option<Millis>) {
        self.give_back(name, unused);
        if let Some(at) = next_at {
            self.due(name, at);
        }
        self.forget_idle(name);
    }

    /// An attempt is over.
    pub(super) fn finished(&mut self, name: &str, has_answered: bool, now: Millis) {
        self.give_back(name, 1);
        let before = self.standing(name);
        self.change(name, |it| {
            it.silent = if has_answered { 0 } else { it.silent + 1 };
            it.standing = match has_answered {
                true => Standing::Answers,
                false => Standing::Silent,
            };
            it.rests_until = rest(it.silent).map(|rest| now.after(rest));
        });
        // What is under way counts where its destination stands.
        let after = self.standing(name);
        let at_once = self.known.get(name).map_or(0, |it| it.at_once);
        self.at_once[before as usize] -= at_once;
        self.at_once[after as usize] += at_once;
        self.forget_idle(name);
    }

    /// When somebody is next due who may be sent to; `None` if nobody is, or there is no room before an attempt ends.
    pub(super) fn next_at(&self) -> Option<Millis> {
        let standings = [Standing::Answers, Standing::Unknown, Standing::Silent];
        let open = standings.into_iter().filter(|it| self.room_of(*it) > 0);
        open.filter_map(|it| self.ready[it as usize].first())
            .map(|(at, _)| *at)
            .min()
    }

    /// How many attempts are under way.
    pub(super) fn at_once(&self) -> u32 {
        self.at_once.iter().sum()
    }

    fn first_ready(&self, standing: Standing, now: Millis) -> Option<String> {
        let (at, name) = self.ready[standing as usize].first()?;
        (*at <= now && self.room_of(standing) > 0).then(|| name.clone())
    }

    /// How many more attempts there may be at destinations of this standing.
    fn room_of(&self, standing: Standing) -> u32 {
        let Room {
            whole,
            reserved,
            unanswering,
            ..
        } = self.room;
        let all = self.at_once();
        let shared = whole.saturating_sub(reserved).saturating_sub(all);
        match standing {
            Standing::Answers => whole.saturating_sub(all),
            Standing::Unknown => shared,
            Standing::Silent => {
                shared.min(unanswering.saturating_sub(self.at_once[standing as usize]))
            }
        }
    }

    fn most(&self, standing: Standing) -> u32 {
        match standing {
            Standing::Answers => self.room.each,
            Standing::Unknown | Standing::Silent => 1,
        }
    }

    fn standing(&self, name: &str) -> Standing {
        self.known
            .get(name)
            .map_or(Standing::Unknown, |it| it.standing)
    }

    fn give_back(&mut self, name: &str, places: u32) {
        let standing = self.standing(name);
        self.at_once[standing as usize] -= places;
        self.change(name, |it| it.at_once -= places);
    }

    /// Changes a destination, and puts it where it then belongs.
    fn change<T>(&mut self, name: &str, change: impl FnOnce(&mut Destination) -> T) -> T {
        let known = self.known.entry(name.to_owned()).or_insert(Destination {
            standing: Standing::Unknown,
            at_once: 0,
            next_at: None,
            silent: 0,
            rests_until: None,
        });
        if let Some(at) = known.ready_at() {
            self.ready[known.standing as usize].remove(&(at, name.to_owned()));
        }
        let result = change(known);
        let most = match known.standing {
            Standing::Answers => self.room.each,
            Standing::Unknown | Standing::Silent => 1,
        };
        if let Some(at) = known.ready_at().filter(|_| known.at_once < most) {
            self.ready[known.standing as usize].insert((at, name.to_owned()));
        }
        result
    }

    /// A destination that has nothing to do is remembered only if it answers.
    fn forget_idle(&mut self, name: &str) {
        let is_idle = |it: &Destination| it.at_once == 0 && it.next_at.is_none();
        let idle = self.known.get(name).filter(|it| is_idle(it));
        if idle.is_some_and(|it| it.standing != Standing::Answers) {
            self.known.remove(name);
        }
        if self.known.len() > MOST_KNOWN {
            self.known.retain(|_, it| !is_idle(it));
        }
    }
}

impl Destination {
    /// When it may be sent to next.
    fn ready_at(&self) -> Option<Millis> {
        let next = self.next_at?;
        Some(self.rests_until.map_or(next, |rested| rested.max(next)))
    }
}

/// How long nobody asks a destination that did not answer so often.
fn rest(silent: u32) -> Option<Duration> {
    let doublings = silent.checked_sub(PATIENCE)?.min(16);
    Some((SHORTEST_REST * 2_u32.pow(doublings)).min(LONGEST_REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        whole: 10,
        reserved: 3,
        unanswering: 2,
        each: 4,
    };

    fn at(second: i64) -> Millis {
        Millis(second * 1000)
    }

    fn all(destinations: &mut Destinations, now: i64) -> Vec<(String, u32)> {
        destinations.pick(at(now))
    }

    fn name(number: usize) -> String {
        format!("http://receiver-{number}")
    }

    /// A destination whose last attempt ended so; it has nothing to do.
    fn known(destinations: &mut Destinations, name: &str, has_answered: bool) {
        destinations.due(name, at(0));
        assert_eq!(all(destinations, 0), [(name.to_owned(), 1)]);
        destinations.claimed(name, 0, Some(at(1_000_000)));
        destinations.finished(name, has_answered, at(0));
    }

    #[test]
    fn a_stranger_gets_one_attempt_and_who_answers_gets_several() {
        let mut destinations = Destinations::new(ROOM);
        let one = name(1);
        destinations.due(&one, at(5));
        assert_eq!(all(&mut destinations, 4), []);
        assert_eq!(destinations.next_at(), Some(at(5)));
        assert_eq!(all(&mut destinations, 5), [(one.clone(), 1)]);
        // More is due there; it waits for the verdict.
        destinations.claimed(&one, 0, Some(at(5)));
        assert_eq!(all(&mut destinations, 6), []);
        assert_eq!(destinations.next_at(), None);
        destinations.finished(&one, true, at(6));
        assert_eq!(all(&mut destinations, 6), [(one.clone(), 4)]);
        // Only two were there.
        destinations.claimed(&one, 2, None);
        assert_eq!(destinations.at_once(), 2);
        destinations.due(&one, at(7));
        assert_eq!(all(&mut destinations, 7), [(one, 2)]);
    }

    #[test]
    fn strangers_leave_room_for_those_who_answer() {
        let mut destinations = Destinations::new(ROOM);
        let good = name(0);
        known(&mut destinations, &good, true);
        for number in 1..=20 {
            destinations.due(&name(number), at(1));
        }
        assert_eq!(all(&mut destinations, 1).len(), 7);
        assert_eq!(destinations.next_at(), Some(at(1_000_000)));
        destinations.due(&good, at(2));
        assert_eq!(all(&mut destinations, 2), [(good, 3)]);
        assert_eq!(destinations.at_once(), 10);
    }

    #[test]
    fn who_does_not_answer_is_asked_one_by_one_among_few() {
        let mut destinations = Destinations::new(ROOM);
        for number in 0..5 {
            known(&mut destinations, &name(number), false);
            destinations.due(&name(number), at(1));
        }
        let asked = all(&mut destinations, 1);
        assert_eq!(asked, [(name(0), 1), (name(1), 1)]);
        assert_eq!(all(&mut destinations, 1), []);
        // One of them answers after all: the next gets its place.
        destinations.claimed(&name(0), 0, Some(at(1)));
        destinations.finished(&name(0), true, at(2));
        assert_eq!(all(&mut destinations, 2), [(name(0), 4), (name(2), 1)]);
    }

    #[test]
    fn who_goes_on_not_answering_rests() {
        let mut destinations = Destinations::new(ROOM);
        let one = name(1);
        let mut now = at(0);
        let mut rests = Vec::new();
        for _ in 0..11 {
            destinations.due(&one, now);
            assert_eq!(destinations.pick(now).len(), 1);
            destinations.claimed(&one, 0, Some(now));
            destinations.finished(&one, false, now);
            let next = destinations.next_at().expect("more is due");
            rests.push(next.0 - now.0);
            now = next;
        }
        let expected = [0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15];
        assert_eq!(rests, expected.map(|s| s * 1000));
        // One answer, and it is as if nothing had been.
        destinations.due(&one, now);
        destinations.pick(now);
        destinations.claimed(&one, 0, Some(now));
        destinations.finished(&one, true, now);
        assert_eq!(destinations.pick(now), [(one, 4)]);
    }

    #[test]
    fn nothing_is_counted_twice_or_lost() {
        let mut destinations = Destinations::new(ROOM);
        let mut dice = 88_172_645_463_325_252_u64;
        let mut roll = |below: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % below
        };
        let mut under_way: Vec<String> = Vec::new();
        for step in 0..20_000 {
            let now = Millis(step * 10);
            destinations.due(
                &name(roll(30) as usize),
                Millis(step * 10 + roll(50) as i64),
            );
            for (one, places) in destinations.pick(now) {
                let unused = roll(u64::from(places) + 1) as u32;
                let next = (roll(2) == 0).then_some(now);
                destinations.claimed(&one, unused, next);
                under_way.extend((unused..places).map(|_| one.clone()));
            }
            assert_eq!(destinations.at_once() as usize, under_way.len());
            assert!(under_way.len() <= ROOM.whole as usize);
            while !under_way.is_empty() && roll(3) > 0 {
                let one = under_way.swap_remove(roll(under_way.len() as u64) as usize);
                destinations.finished(&one, roll(3) > 0, now);
            }
        }
        for one in under_way.drain(..) {
            destinations.finished(&one, true, Millis(0));
        }
        assert_eq!(destinations.at_once, [0; 3]);
    }
}
