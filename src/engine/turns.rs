//! Whose turn it is: in which order waiting tasks start, and how many of whom run at once.
//!
//! Accounts that wait in a lane take turns, and so do the keys of an account, so ten thousand tasks of one tenant delay
//! another's by one turn. Who has as many tasks running as they may is passed over and keeps their place. Pure: no
//! clock, no rows, no waiting; [`super::lane`] asks it under a lock.
//!
//! What waits is counted here, not listed: which tasks these are is known to the store, which starts the oldest of a key
//! first. A count may be too high for a moment (a task was cancelled), which a claim that finds fewer puts right; it is
//! never too low, because nobody would come for a task that is not counted.

use crate::types::{AccountId, KeyId, Owner};
use std::collections::{HashMap, VecDeque};

/// Every lane of a process, and who runs what in them.
#[derive(Default)]
pub(super) struct Turns {
    lanes: HashMap<String, Line>,
    keys: HashMap<KeyId, Seats>,
    accounts: HashMap<AccountId, Seats>,
    /// How often any count has changed.
    changes: u64,
}

/// A task's place among those that run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) lane: String,
    pub(super) account: AccountId,
    pub(super) key: KeyId,
}

/// One lane: its slots, and the accounts that wait, the next one in front.
struct Line {
    slots: u32,
    running: u32,
    order: VecDeque<AccountId>,
    waiting: HashMap<AccountId, Party>,
}

/// What waits of one account, the next key in front.
#[derive(Default)]
struct Party {
    order: VecDeque<KeyId>,
    waiting: HashMap<KeyId, Count>,
}

/// What waits of one key: at least one task.
struct Count {
    tasks: u64,
    /// When it changed, as [`Turns::changes`] counts: a number that was read before is known as old.
    changed: u64,
}

/// How many tasks of somebody run, and may.
#[derive(Default)]
struct Seats {
    running: u32,
    most: Option<u32>,
}

impl Seats {
    fn has_room(&self) -> bool {
        self.most.is_none_or(|most| self.running < most)
    }
}

impl Turns {
    /// Makes a lane with so many slots, at least one. One that is there stays as it is.
    pub(super) fn open(&mut self, lane: &str, slots: u32) {
        self.lanes.entry(lane.to_owned()).or_insert_with(|| Line {
            slots: slots.max(1),
            running: 0,
            order: VecDeque::new(),
            waiting: HashMap::new(),
        });
    }

    /// Takes an owner's limits as they are now.
    pub(super) fn know(&mut self, owner: &Owner) {
        self.keys.entry(owner.key.clone()).or_default().most = owner.most_of_key;
        self.accounts.entry(owner.account.clone()).or_default().most = owner.most_of_account;
    }

    /// The names of all lanes.
    pub(super) fn names(&self) -> Vec<String> {
        self.lanes.keys().cloned().collect()
    }

    /// A seat for a new task: if there is a free slot, its owner may run one more, and nobody who could take the slot
    /// waits for it.
    pub(super) fn sit(&mut self, lane: &str, owner: &Owner) -> Option<Seat> {
        self.know(owner);
        let line = self.line(lane);
        let is_free = line.running < line.slots;
        let goes = is_free && self.may_run(&owner.account, &owner.key) && self.next(lane).is_none();
        goes.then(|| self.take(lane, &owner.account, &owner.key))
    }

    /// The seat of a task that ran before this process did, whether or not there is room: what was begun goes on first.
    pub(super) fn take(&mut self, lane: &str, account: &AccountId, key: &KeyId) -> Seat {
        self.line(lane).running += 1;
        self.keys.entry(key.clone()).or_default().running += 1;
        self.accounts.entry(account.clone()).or_default().running += 1;
        Seat {
            lane: lane.to_owned(),
            account: account.clone(),
            key: key.clone(),
        }
    }

    /// Gives a seat back. Returns the lanes in which somebody may have waited for it.
    pub(super) fn leave(&mut self, seat: &Seat) -> Vec<String> {
        let line = self.line(&seat.lane);
        line.running = line.running.saturating_sub(1);
        for seats in [
            self.keys.get_mut(&seat.key),
            self.accounts.get_mut(&seat.account),
        ]
        .into_iter()
        .flatten()
        {
            seats.running = seats.running.saturating_sub(1);
        }
        // A limit holds over all lanes, so its end may be felt in each.
        let lanes = self.lanes.iter();
        lanes
            .filter(|(_, line)| !line.order.is_empty())
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// One more task waits.
    pub(super) fn wait(&mut self, lane: &str, owner: &Owner) {
        self.know(owner);
        let now = self.tick();
        let (account, key) = (&owner.account, &owner.key);
        let tasks = self.waiting(lane, account, key) + 1;
        self.line(lane).set(account, key, tasks, now);
    }

    /// Whose waiting tasks start now: as many as there are free slots, at most `most`. Each has its seat already.
    pub(super) fn pick(&mut self, lane: &str, most: usize) -> Vec<Seat> {
        let mut seats = Vec::new();
        while seats.len() < most
            && self.line(lane).has_slot()
            && let Some((account, key)) = self.next(lane)
        {
            let now = self.tick();
            self.line(lane).serve(&account, &key, now);
            seats.push(self.take(lane, &account, &key));
        }
        seats
    }

    /// When the count of a key changed last; it is 0 for one that does not wait.
    pub(super) fn changed(&self, lane: &str, account: &AccountId, key: &KeyId) -> u64 {
        self.count(lane, account, key)
            .map_or(0, |count| count.changed)
    }

    /// Puts a count right that was read after `changed`. `false` if it has changed since: then it is to be read again.
    pub(super) fn correct(
        &mut self,
        lane: &str,
        (account, key): (&AccountId, &KeyId),
        tasks: u64,
        changed: u64,
    ) -> bool {
        let is_fresh = self.changed(lane, account, key) == changed;
        if is_fresh {
            let now = self.tick();
            self.line(lane).set(account, key, tasks, now);
        }
        is_fresh
    }

    /// How many tasks of a key wait.
    pub(super) fn waiting(&self, lane: &str, account: &AccountId, key: &KeyId) -> u64 {
        self.count(lane, account, key)
            .map_or(0, |count| count.tasks)
    }

    /// How many tasks start before one in front of which `ahead` of its own key wait, if nobody comes, nobody goes and no
    /// limit is met.
    /// One whose key does not wait yet comes behind all others.
    pub(super) fn ahead(
        &mut self,
        lane: &str,
        account: &AccountId,
        key: &KeyId,
        ahead: u64,
    ) -> u64 {
        let line = self.line(lane);
        let of_account = line
            .waiting
            .get(account)
            .map_or(ahead, |party| party.ahead(key, ahead));
        let place = line.order.iter().position(|one| one == account);
        let others = line.order.iter().enumerate();
        let before: u64 = others
            .filter(|(_, one)| *one != account)
            .map(|(at, one)| {
                let rounds = of_account + u64::from(place.is_none_or(|place| at < place));
                line.waiting.get(one).map_or(0, Party::tasks).min(rounds)
            })
            .sum();
        of_account + before
    }

    fn tick(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }

    fn count(&self, lane: &str, account: &AccountId, key: &KeyId) -> Option<&Count> {
        let party = self.lanes.get(lane)?.waiting.get(account)?;
        party.waiting.get(key)
    }

    fn line(&mut self, lane: &str) -> &mut Line {
        self.open(lane, 1);
        self.lanes.get_mut(lane).expect("it was opened just now")
    }

    fn may_run(&self, account: &AccountId, key: &KeyId) -> bool {
        self.accounts.get(account).is_none_or(Seats::has_room)
            && self.keys.get(key).is_none_or(Seats::has_room)
    }

    /// Whose turn it is of those who may run one more.
    fn next(&self, lane: &str) -> Option<(AccountId, KeyId)> {
        let line = self.lanes.get(lane)?;
        line.order.iter().find_map(|account| {
            let party = line.waiting.get(account)?;
            let mut keys = party.order.iter();
            let key = keys.find(|key| self.may_run(account, key))?;
            Some((account.clone(), key.clone()))
        })
    }
}

impl Line {
    fn has_slot(&self) -> bool {
        self.running < self.slots
    }

    /// Notes how much waits of a key. One that is new joins behind all others; one of which nothing waits leaves.
    fn set(&mut self, account: &AccountId, key: &KeyId, tasks: u64, changed: u64) {
        if !self.waiting.contains_key(account) {
            self.order.push_back(account.clone());
        }
        let party = self.waiting.entry(account.clone()).or_default();
        if party
            .waiting
            .insert(key.clone(), Count { tasks, changed })
            .is_none()
        {
            party.order.push_back(key.clone());
        }
        if tasks == 0 {
            party.waiting.remove(key);
            party.order.retain(|one| one != key);
        }
        if party.order.is_empty() {
            self.waiting.remove(account);
            self.order.retain(|one| one != account);
        }
    }

    /// Counts a task of this key as started; key and account go behind all others.
    fn serve(&mut self, account: &AccountId, key: &KeyId, now: u64) {
        let Some(party) = self.waiting.get_mut(account) else {
            return;
        };
        to_the_back(&mut party.order, key);
        to_the_back(&mut self.order, account);
        let left = party.count(key).saturating_sub(1);
        self.set(account, key, left, now);
    }
}

impl Party {
    fn count(&self, key: &KeyId) -> u64 {
        self.waiting.get(key).map_or(0, |count| count.tasks)
    }

    fn tasks(&self) -> u64 {
        self.waiting.values().map(|count| count.tasks).sum()
    }

    /// As [`Turns::ahead`], among the account's own.
    fn ahead(&self, key: &KeyId, ahead: u64) -> u64 {
        let place = self.order.iter().position(|one| one == key);
        let others = self.order.iter().enumerate();
        let before: u64 = others
            .filter(|(_, one)| *one != key)
            .map(|(at, one)| {
                let rounds = ahead + u64::from(place.is_none_or(|place| at < place));
                self.count(one).min(rounds)
            })
            .sum();
        ahead + before
    }
}

fn to_the_back<T: PartialEq>(order: &mut VecDeque<T>, one: &T) {
    if let Some(at) = order.iter().position(|other| other == one)
        && let Some(one) = order.remove(at)
    {
        order.push_back(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LANE: &str = "lane";

    fn owner(account: usize, key: usize) -> Owner {
        Owner {
            account: AccountId::trusted(format!("acct_{account}")),
            key: KeyId::trusted(format!("key_{account}_{key}")),
            most_of_account: None,
            most_of_key: None,
        }
    }

    fn with_slots(slots: u32) -> Turns {
        let mut turns = Turns::default();
        turns.open(LANE, slots);
        turns
    }

    fn wait(turns: &mut Turns, owner: &Owner, tasks: usize) {
        (0..tasks).for_each(|_| turns.wait(LANE, owner));
    }

    /// Starts one task after the other, each as the one before it ends, and says whose they are.
    fn order(turns: &mut Turns, most: usize) -> Vec<String> {
        let mut keys = Vec::new();
        while let Some(seat) = turns.pick(LANE, 1).pop() {
            turns.leave(&seat);
            keys.push(seat.key.to_string());
            if keys.len() == most {
                break;
            }
        }
        keys
    }

    #[test]
    fn accounts_take_turns_and_so_do_their_keys() {
        let mut turns = with_slots(1);
        wait(&mut turns, &owner(0, 0), 10_000);
        wait(&mut turns, &owner(0, 1), 2);
        wait(&mut turns, &owner(1, 0), 2);
        let expected = [
            "key_0_0", "key_1_0", "key_0_1", "key_1_0", "key_0_0", "key_0_1", "key_0_0", "key_0_0",
        ];
        assert_eq!(order(&mut turns, 8), expected);
    }

    #[test]
    fn a_new_task_takes_a_slot_that_nobody_waits_for() {
        let mut turns = with_slots(2);
        let (one, other) = (owner(0, 0), owner(1, 0));
        let first = turns.sit(LANE, &one).expect("a free slot");
        wait(&mut turns, &one, 1);
        assert_eq!(turns.sit(LANE, &other), None, "somebody waits for it");
        assert_eq!(turns.pick(LANE, 9).len(), 1);
        assert_eq!(turns.sit(LANE, &other), None, "there is none");
        turns.leave(&first);
        assert!(turns.sit(LANE, &other).is_some());
    }

    #[test]
    fn who_may_not_run_more_is_passed_over_and_holds_up_nobody() {
        let limited = |most_of_account, most_of_key| Owner {
            most_of_account,
            most_of_key,
            ..owner(0, 0)
        };
        for one in [limited(Some(1), None), limited(None, Some(1))] {
            let mut turns = with_slots(4);
            let seat = turns.sit(LANE, &one).expect("its first");
            assert_eq!(turns.sit(LANE, &one), None, "its second");
            wait(&mut turns, &one, 2);
            assert_eq!(turns.pick(LANE, 9), []);
            assert!(turns.sit(LANE, &owner(1, 0)).is_some(), "slots are free");
            // The limit holds in every lane, and its end is felt in each.
            turns.wait("elsewhere", &one);
            assert_eq!(turns.pick("elsewhere", 9), []);
            let mut woken = turns.leave(&seat);
            woken.sort();
            assert_eq!(woken, ["elsewhere", LANE]);
            assert_eq!(turns.pick(LANE, 9).len(), 1);
            assert_eq!(turns.pick("elsewhere", 9), []);
        }
    }

    #[test]
    fn a_limit_that_is_lifted_counts_from_the_next_task() {
        let mut turns = with_slots(4);
        let limited = Owner {
            most_of_key: Some(1),
            ..owner(0, 0)
        };
        wait(&mut turns, &limited, 3);
        assert_eq!(turns.pick(LANE, 9).len(), 1);
        turns.wait(LANE, &owner(0, 0));
        assert_eq!(turns.pick(LANE, 9).len(), 3);
    }

    #[test]
    fn a_count_that_was_read_before_a_change_is_read_again() {
        let (mut turns, owner) = (with_slots(1), owner(0, 0));
        let one = (&owner.account, &owner.key);
        wait(&mut turns, &owner, 2);
        let before = turns.changed(LANE, one.0, one.1);
        turns.wait(LANE, &owner);
        assert!(!turns.correct(LANE, one, 2, before));
        let before = turns.changed(LANE, one.0, one.1);
        assert!(turns.correct(LANE, one, 0, before));
        assert_eq!(turns.pick(LANE, 9), []);
        let none = turns.changed(LANE, one.0, one.1);
        turns.wait(LANE, &owner);
        assert!(!turns.correct(LANE, one, 0, none), "one came meanwhile");
        assert_eq!(turns.pick(LANE, 9).len(), 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Sit(usize, usize),
        Wait(usize, usize),
        Pick(usize),
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..4_usize, 0..3_usize).prop_map(|(account, key)| Step::Sit(account, key)),
            (0..4_usize, 0..3_usize).prop_map(|(account, key)| Step::Wait(account, key)),
            (1..4_usize).prop_map(Step::Pick),
            any::<usize>().prop_map(Step::Leave),
        ]
    }

    /// Odd accounts may run two, keys number 2 one.
    fn bounded(account: usize, key: usize) -> Owner {
        Owner {
            most_of_account: (account % 2 == 1).then_some(2),
            most_of_key: (key == 2).then_some(1),
            ..owner(account, key)
        }
    }

    proptest! {
        #[test]
        fn limits_hold_and_everybody_starts(
            slots in 1..5_u32,
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut turns = with_slots(slots);
            let (mut seats, mut waiting): (Vec<Seat>, usize) = (Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Sit(account, key) => seats.extend(turns.sit(LANE, &bounded(account, key))),
                    Step::Wait(account, key) => {
                        turns.wait(LANE, &bounded(account, key));
                        waiting += 1;
                    }
                    Step::Pick(most) => {
                        let picked = turns.pick(LANE, most);
                        prop_assert!(picked.len() <= most);
                        waiting -= picked.len();
                        seats.extend(picked);
                    }
                    Step::Leave(which) if !seats.is_empty() => {
                        let seat = seats.swap_remove(which % seats.len());
                        turns.leave(&seat);
                    }
                    Step::Leave(_) => {}
                }
                prop_assert!(seats.len() <= slots as usize);
                for account in 0..4 {
                    let of_account = |seat: &&Seat| seat.account == owner(account, 0).account;
                    prop_assert!(account % 2 == 0 || seats.iter().filter(of_account).count() <= 2);
                    let of_key = |seat: &&Seat| seat.key == owner(account, 2).key;
                    prop_assert!(seats.iter().filter(of_key).count() <= 1);
                }
            }
            seats.iter().for_each(|seat| drop(turns.leave(seat)));
            prop_assert_eq!(order(&mut turns, usize::MAX).len(), waiting, "nobody is forgotten");
        }

        /// Nobody waits longer than one turn of everybody else, whatever the others have queued.
        #[test]
        fn nobody_starves(counts in prop::collection::vec(1..50_usize, 2..8)) {
            let mut turns = with_slots(1);
            for (account, tasks) in counts.iter().enumerate() {
                wait(&mut turns, &owner(account, 0), *tasks);
            }
            let order = order(&mut turns, usize::MAX);
            prop_assert_eq!(order.len(), counts.iter().sum::<usize>());
            for (account, tasks) in counts.iter().enumerate() {
                let key = owner(account, 0).key.to_string();
                let places: Vec<usize> = (0..order.len()).filter(|at| order[*at] == key).collect();
                prop_assert_eq!(places.len(), *tasks);
                for (turn, place) in places.iter().enumerate() {
                    prop_assert!(*place < (turn + 1) * counts.len());
                }
            }
        }

        /// What a task is told is what happens, if nobody comes and nobody goes.
        #[test]
        fn a_place_is_how_many_start_before(
            counts in prop::collection::vec((0..3_usize, 0..2_usize, 1..6_usize), 1..6),
            started in 0..8_usize,
            which in any::<prop::sample::Index>(),
        ) {
            let mut turns = with_slots(1);
            for (account, key, tasks) in &counts {
                wait(&mut turns, &owner(*account, *key), *tasks);
            }
            order(&mut turns, started);
            let (account, key, _) = counts[which.index(counts.len())];
            let one = owner(account, key);
            let waiting = turns.waiting(LANE, &one.account, &one.key);
            let places: Vec<u64> = (0..waiting)
                .map(|ahead| turns.ahead(LANE, &one.account, &one.key, ahead))
                .collect();
            let order = order(&mut turns, usize::MAX);
            let starts: Vec<u64> = (0_u64..)
                .zip(&order)
                .filter(|(_, key)| **key == one.key.to_string())
                .map(|(at, _)| at)
                .collect();
            prop_assert_eq!(places, starts);
        }
    }
}
