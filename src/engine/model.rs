//! An exhaustive check of the task's and the attempts' life: every interleaving of send, reply, time-out, cancel, crash,
//! a worker that was only paused and wakes up later, and one whose lease runs out while it goes on.
//!
//! The model keeps the durable rows, what the workers have in memory, and what really reached the upstreams. Every
//! decision in it is made by the functions that the engine runs: [`AttemptEnd::next`], [`AttemptEnd::of_stored`],
//! [`after_crash`], [`TaskEnd::of_parts`], [`TaskState::may_become`], [`Quote::charge`]. In every reachable world:
//! at most one paid call a part, at most one settlement, hold = capture + release once it is settled, nothing captured
//! for nothing; and from every one the task can still end.

use crate::types::{
    Attempt, AttemptEnd, AttemptState, FailKind, Failure, Memory, Millis, Money, Next, Part, Quote,
    Recovery, TaskEnd, TaskState, UpstreamId, Usage, after_crash,
};
use std::collections::{HashMap, VecDeque};

const PARTS: usize = 2;
const TARGETS: usize = 2;

/// The sort of provider that all targets of a world are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// Free and repeatable, like the built-in renderer.
    Repeatable,
    /// Paid, answers in one go.
    Plain,
    /// Paid, gives its jobs an id.
    Jobs,
    /// Paid, and can be asked what became of a call.
    LooksUp,
}

/// How a call ended, small enough to be part of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fate {
    Succeeded,
    Refused,
    Failed,
    NotSent,
    Unknown,
}

impl Fate {
    fn end(self) -> AttemptEnd {
        let failure = Failure::new(FailKind::Upstream, "x");
        match self {
            Self::Succeeded => AttemptEnd::Succeeded { delivered: 1 },
            Self::Refused => AttemptEnd::Failed {
                failure,
                before_work: true,
            },
            Self::Failed => AttemptEnd::Failed {
                failure,
                before_work: false,
            },
            Self::NotSent => AttemptEnd::NotSent { failure },
            Self::Unknown => AttemptEnd::Unknown { failure },
        }
    }
}

/// A row of the attempts table, and what really happened to the call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Try {
    part: usize,
    target: usize,
    state: AttemptState,
    has_id: bool,
    /// Calls that reached the upstream and were not refused before work.
    paid_calls: u8,
}

/// Where a worker is with one part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At {
    /// No intent is written yet.
    Unplanned,
    /// The intent of this try is durable, nothing is sent.
    Intent(usize),
    /// The call is under way.
    Sent(usize),
    /// The upstream is asked what became of it.
    Asked(usize),
    /// It ended; that is not durable yet.
    Ended(usize, Fate),
    /// Its end is durable and the next target's intent is not.
    AskNext(usize),
    /// Its end is durable.
    Stored,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Worker {
    fence: u8,
    parts: Vec<At>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    state: Option<TaskState>,
    fence: u8,
    held: i64,
    captured: i64,
    released: i64,
    settlements: u8,
    tries: Vec<Try>,
    /// Whether the server runs, and what it has in memory for the task.
    up: bool,
    worker: Option<Worker>,
    /// A worker that was taken for dead and was not.
    paused: Option<Worker>,
    crashes_left: u8,
}

const QUOTE: Quote = Quote {
    unit: Money::from_micros(10),
    total: Money::from_micros(10 * PARTS as i64),
    rates: None,
};

impl World {
    fn new(sort: Sort) -> Self {
        Self {
            state: None,
            fence: 0,
            held: 0,
            captured: 0,
            released: 0,
            settlements: 0,
            tries: Vec::new(),
            up: true,
            worker: None,
            paused: None,
            // A repeatable call may be made again after each crash, which makes many worlds of one sort.
            crashes_left: if sort == Sort::Repeatable { 1 } else { 2 },
        }
    }

    /// Every world that can follow this one.
    fn successors(&self, sort: Sort) -> Vec<Self> {
        let mut next = Vec::new();
        self.client_acts(&mut next);
        self.server_acts(sort, &mut next);
        for which in [Which::Worker, Which::Paused] {
            let Some(worker) = self.holder(which) else {
                continue;
            };
            for part in 0..PARTS {
                self.part_acts(sort, which, part, &mut next);
            }
            self.settles(which, worker, &mut next);
        }
        next
    }

    fn change(&self, next: &mut Vec<Self>, change: impl FnOnce(&mut Self)) {
        let mut world = self.clone();
        change(&mut world);
        next.push(world);
    }

    fn set_state(&mut self, state: TaskState) {
        if let Some(old) = self.state {
            assert!(
                old == state || old.may_become(state),
                "{old:?} -> {state:?}"
            );
        }
        self.state = Some(state);
    }

    /// Submitting, with a free slot or without; cancelling.
    fn client_acts(&self, next: &mut Vec<Self>) {
        if !self.up {
            return;
        }
        if self.state.is_none() {
            self.change(next, |world| {
                world.set_state(TaskState::Pending);
                world.held = QUOTE.total.micros();
            });
            self.change(next, |world| {
                world.set_state(TaskState::Processing);
                world.held = QUOTE.total.micros();
                world.fence = 1;
                world.worker = Some(world.plan(1));
            });
        }
        if self.state == Some(TaskState::Pending) {
            self.change(next, |world| {
                world.set_state(TaskState::Failed);
                world.settlements += 1;
                world.released = world.held;
            });
        }
    }

    /// Claiming, crashing, starting again.
    fn server_acts(&self, sort: Sort, next: &mut Vec<Self>) {
        if self.up && self.state == Some(TaskState::Pending) {
            // With the intents in the same transaction, or without while everybody is paused.
            self.change(next, |world| {
                world.set_state(TaskState::Processing);
                world.fence += 1;
                world.worker = Some(world.plan(world.fence));
            });
            self.change(next, |world| {
                world.set_state(TaskState::Processing);
                world.fence += 1;
                world.worker = Some(Worker {
                    fence: world.fence,
                    parts: vec![At::Unplanned; PARTS],
                });
            });
        }
        if self.up && self.crashes_left > 0 {
            self.change(next, |world| {
                world.up = false;
                world.worker = None;
                world.crashes_left -= 1;
            });
            // The same, but the process was only paused, and comes back when another one has taken over.
            if self.paused.is_none() && self.worker.is_some() {
                self.change(next, |world| {
                    world.up = false;
                    world.paused = world.worker.take();
                    world.crashes_left -= 1;
                });
            }
        }
        // Its lease is over, and it does not know: another worker takes over while it goes on.
        if self.up && self.crashes_left > 0 && self.paused.is_none() && self.worker.is_some() {
            self.change(next, |world| {
                world.crashes_left -= 1;
                world.paused = world.worker.take();
                if world.state == Some(TaskState::Processing) {
                    world.fence += 1;
                    world.worker = Some(world.recovered(sort));
                }
            });
        }
        if !self.up {
            self.change(next, |world| {
                world.up = true;
                if world.state == Some(TaskState::Processing) {
                    world.fence += 1;
                    world.worker = Some(world.recovered(sort));
                }
            });
        }
    }

    /// Writes the first intents of all parts in one transaction.
    fn plan(&mut self, fence: u8) -> Worker {
        let parts = (0..PARTS)
            .map(|part| At::Intent(self.begin(part, 0)))
            .collect();
        Worker { fence, parts }
    }

    fn begin(&mut self, part: usize, target: usize) -> usize {
        self.tries.push(Try {
            part,
            target,
            state: AttemptState::Intent,
            has_id: false,
            paid_calls: 0,
        });
        self.tries.len() - 1
    }

    /// What a new process makes of the rows it finds.
    fn recovered(&self, sort: Sort) -> Worker {
        if self.tries.is_empty() {
            return Worker {
                fence: self.fence,
                parts: vec![At::Unplanned; PARTS],
            };
        }
        let parts = (0..PARTS).map(|part| {
            let last = self
                .tries
                .iter()
                .rposition(|one| one.part == part)
                .expect("all parts are planned at once");
            if AttemptEnd::of_stored(&self.row(last), 1).is_some() {
                return At::Stored;
            }
            let memory = match sort {
                Sort::Repeatable => Memory::Repeatable,
                Sort::LooksUp => Memory::CanLookUp,
                Sort::Plain | Sort::Jobs => Memory::Nothing,
            };
            match after_crash(self.row(last).upstream_id.as_ref(), memory) {
                Recovery::RunAgain => At::Intent(last),
                Recovery::Resume(_) => At::Sent(last),
                // What it has not got it may still get, from a worker that sleeps: that it says so is no leave to send.
                Recovery::LookUp if self.tries[last].paid_calls == 0 => {
                    At::Ended(last, Fate::Failed)
                }
                Recovery::LookUp => At::Asked(last),
                Recovery::GiveUp => At::Ended(last, Fate::Unknown),
            }
        });
        Worker {
            fence: self.fence,
            parts: parts.collect(),
        }
    }

    /// A try as the engine would read it from the store.
    fn row(&self, index: usize) -> Attempt {
        let one = &self.tries[index];
        Attempt {
            number: u32::try_from(index).expect("few"),
            part: Part {
                first: u32::try_from(one.part).expect("few"),
                count: 1,
            },
            provider: one.target.to_string(),
            upstream_model: String::new(),
            unit_cost: Money::ZERO,
            state: one.state,
            upstream_id: one.has_id.then(|| UpstreamId("job".to_owned())),
            failure: None,
            created_at: Millis(0),
        }
    }

    fn holder(&self, which: Which) -> Option<&Worker> {
        match which {
            Which::Worker => self.worker.as_ref(),
            Which::Paused => self.paused.as_ref().filter(|_| self.up),
        }
    }

    fn move_to(&mut self, which: Which, part: usize, at: At) {
        let worker = match which {
            Which::Worker => &mut self.worker,
            Which::Paused => &mut self.paused,
        };
        worker.as_mut().expect("it acts, so it is there").parts[part] = at;
    }

    /// A durable write: carried out under the right fence, otherwise the writer learns that it lost the task.
    fn write(&self, which: Which, fence: u8, next: &mut Vec<Self>, write: impl FnOnce(&mut Self)) {
        let ours = self.state == Some(TaskState::Processing) && self.fence == fence;
        self.change(next, |world| match (ours, which) {
            (true, _) => write(world),
            (false, Which::Worker) => world.worker = None,
            (false, Which::Paused) => world.paused = None,
        });
    }

    fn part_acts(&self, sort: Sort, which: Which, part: usize, next: &mut Vec<Self>) {
        let Some(worker) = self.holder(which) else {
            return;
        };
        let fence = worker.fence;
        match worker.parts[part].clone() {
            At::Unplanned if part == 0 => self.write(which, fence, next, |world| {
                let planned = world.plan(fence);
                match which {
                    Which::Worker => world.worker = Some(planned),
                    Which::Paused => world.paused = Some(planned),
                }
            }),
            At::Unplanned | At::Stored => {}
            At::Intent(index) => {
                self.change(next, |world| {
                    world.move_to(which, part, At::Ended(index, Fate::NotSent))
                });
                self.change(next, |world| {
                    world.tries[index].paid_calls += u8::from(sort != Sort::Repeatable);
                    world.move_to(which, part, At::Sent(index));
                });
            }
            At::Sent(index) => self.upstream_acts(sort, which, (part, index), fence, next),
            At::Asked(index) => {
                for fate in [Fate::Succeeded, Fate::Failed, Fate::Unknown] {
                    self.change(next, |world| {
                        world.move_to(which, part, At::Ended(index, fate))
                    });
                }
            }
            At::Ended(index, fate) => self.after_end(which, (part, index), fate, fence, next),
            At::AskNext(index) => self.write(which, fence, next, |world| {
                let target = world.tries[index].target + 1;
                let new = world.begin(part, target);
                world.move_to(which, part, At::Intent(new));
            }),
        }
    }

    /// The upstream answers, gives its id, or is never heard of again.
    fn upstream_acts(
        &self,
        sort: Sort,
        which: Which,
        (part, index): (usize, usize),
        fence: u8,
        next: &mut Vec<Self>,
    ) {
        if sort == Sort::Jobs && !self.tries[index].has_id {
            self.write(which, fence, next, |world| world.tries[index].has_id = true);
        }
        let lost = if sort == Sort::Repeatable {
            Fate::Failed
        } else {
            Fate::Unknown
        };
        for fate in [Fate::Succeeded, Fate::Failed, lost] {
            self.change(next, |world| {
                world.move_to(which, part, At::Ended(index, fate))
            });
        }
        // A job that has an id was accepted: it cannot be refused before work any more.
        if !self.tries[index].has_id {
            self.change(next, |world| {
                let paid = &mut world.tries[index].paid_calls;
                *paid = paid.saturating_sub(1);
                world.move_to(which, part, At::Ended(index, Fate::Refused));
            });
        }
    }

    /// An ended call is stored while other parts go on, and may lead to the next target.
    fn after_end(
        &self,
        which: Which,
        (part, index): (usize, usize),
        fate: Fate,
        fence: u8,
        next: &mut Vec<Self>,
    ) {
        let targets_left = self.tries[index].target + 1 < TARGETS;
        let asks = fate.end().next(targets_left) == Next::AskNextTarget;
        let worker = self.holder(which).expect("it acts, so it is there");
        let others_run = (0..PARTS).any(|other| {
            other != part && !matches!(worker.parts[other], At::Ended(..) | At::Stored)
        });
        if asks || others_run {
            self.write(which, fence, next, |world| {
                world.tries[index].state = fate.end().state();
                world.move_to(
                    which,
                    part,
                    if asks { At::AskNext(index) } else { At::Stored },
                );
            });
        }
    }

    /// All parts are over: one transaction ends the task.
    fn settles(&self, which: Which, worker: &Worker, next: &mut Vec<Self>) {
        let over = worker
            .parts
            .iter()
            .all(|at| matches!(at, At::Ended(..) | At::Stored));
        let asking = worker.parts.iter().any(|at| match at {
            At::Ended(index, fate) => {
                fate.end().next(self.tries[*index].target + 1 < TARGETS) == Next::AskNextTarget
            }
            _ => false,
        });
        if !over || asking {
            return;
        }
        let parts = worker.parts.clone();
        self.write(which, worker.fence, next, |world| {
            for at in &parts {
                if let At::Ended(index, fate) = at {
                    world.tries[*index].state = fate.end().state();
                }
            }
            let ends: Vec<AttemptEnd> = (0..PARTS)
                .filter_map(|part| {
                    let last = world.tries.iter().rposition(|one| one.part == part)?;
                    AttemptEnd::of_stored(&world.row(last), 1)
                })
                .collect();
            let delivered = ends
                .iter()
                .filter(|end| matches!(end, AttemptEnd::Succeeded { .. }))
                .count();
            let end = TaskEnd::of_parts(&ends);
            world.set_state(end.state());
            world.settlements += 1;
            world.captured = QUOTE
                .charge(u32::try_from(delivered).expect("few"), &Usage::default())
                .micros();
            world.released = world.held - world.captured;
        });
    }

    /// What must hold in every world.
    fn check(&self) {
        for part in 0..PARTS {
            let paid: u8 = self
                .tries
                .iter()
                .filter(|one| one.part == part)
                .map(|one| one.paid_calls)
                .sum();
            assert!(paid <= 1, "part {part} was paid {paid} times: {self:#?}");
        }
        assert!(self.settlements <= 1, "settled twice: {self:#?}");
        let terminal = self.state.is_some_and(TaskState::is_terminal);
        assert_eq!(terminal, self.settlements == 1, "{self:#?}");
        if terminal {
            assert_eq!(self.captured + self.released, self.held, "{self:#?}");
            assert!(
                self.captured == 0 || self.state == Some(TaskState::Completed),
                "{self:#?}"
            );
            assert!(
                self.tries.iter().all(|one| one.state.is_final()),
                "an attempt is open: {self:#?}"
            );
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Worker,
    Paused,
}

/// Walks every reachable world; returns how many there are.
fn explore(sort: Sort) -> usize {
    let mut worlds = vec![World::new(sort)];
    let mut index_of = HashMap::from([(World::new(sort), 0)]);
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    let mut at = 0;
    while at < worlds.len() {
        worlds[at].check();
        for next in worlds[at].successors(sort) {
            let index = *index_of.entry(next).or_insert_with_key(|next| {
                worlds.push(next.clone());
                before.push(Vec::new());
                worlds.len() - 1
            });
            before[index].push(at);
        }
        at += 1;
    }
    // Always terminal: walking back from the ends reaches every world.
    let ended = |world: &World| world.state.is_some_and(TaskState::is_terminal);
    let mut can_end: Vec<bool> = worlds.iter().map(ended).collect();
    let mut queue: VecDeque<usize> = (0..worlds.len()).filter(|&index| can_end[index]).collect();
    while let Some(index) = queue.pop_front() {
        for &earlier in &before[index] {
            if !std::mem::replace(&mut can_end[earlier], true) {
                queue.push_back(earlier);
            }
        }
    }
    let stuck = can_end
        .iter()
        .position(|can| !can)
        .map(|index| &worlds[index]);
    assert!(stuck.is_none(), "this world cannot end: {stuck:#?}");
    worlds.len()
}

#[test]
fn never_two_paid_calls_never_two_settlements_always_an_end() {
    for sort in [Sort::Repeatable, Sort::Plain, Sort::Jobs, Sort::LooksUp] {
        let worlds = explore(sort);
        assert!(
            worlds > 1_000,
            "{sort:?}: only {worlds} worlds were reached; the model does not move"
        );
    }
}
