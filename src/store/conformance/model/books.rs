//! The books in memory: what the store should hold after each operation.

use super::{Operation, Outcome};
use crate::store::{Admission, TaskHold};
use crate::types::{Account, ApiKey, CreditLine, KeyId, TaskId, TaskState};
use std::collections::HashMap;

/// Everything that the operations can change.
#[derive(Default)]
pub(super) struct Model {
    pub customers: Vec<ModelCustomer>,
    pub tasks: Vec<ModelTask>,
    pub references: HashMap<String, i64>,
    pub captured: i64,
}

pub(super) struct ModelCustomer {
    pub account: Account,
    pub key: ApiKey,
    pub available: i64,
    pub held: i64,
    /// By window.
    pub spent: HashMap<String, i64>,
}

pub(super) struct ModelTask {
    pub customer: usize,
    pub admission: Box<Admission>,
    pub state: TaskState,
    pub worker: &'static str,
    pub fence: i64,
    pub captured: i64,
    /// The first `begun` attempts exist, and all of them are open until the task ends.
    pub begun: u32,
}

pub(super) const CAP: i64 = 400;
pub(super) const WORKERS: [&str; 3] = ["w0", "w1", "w2"];
pub(super) const LANES: [&str; 2] = ["fal", "test"];

impl Model {
    /// Carries it out, and says how the store should answer.
    pub fn apply(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::TopUp {
                customer,
                amount,
                reference,
                ..
            } => {
                let one = &mut self.customers[*customer];
                match self.references.get(reference) {
                    Some(booked) if booked != amount => return Outcome::Refused("reference"),
                    Some(_) => {}
                    // Nothing is no row, so it uses up no reference.
                    None if *amount == 0 => {}
                    None => {
                        self.references.insert(reference.clone(), *amount);
                        one.available += amount;
                    }
                }
                Outcome::Balance(one.available, one.held)
            }
            Operation::Admit {
                customer,
                admission,
            } => self.admit(*customer, admission),
            Operation::Claim {
                lane,
                worker,
                picks,
            } => self.claim(lane, worker, picks),
            Operation::Recover { worker } => self.recover(worker),
            Operation::Begin { hold, .. } => match self.held(hold) {
                Some(task) => {
                    task.begun += 1;
                    Outcome::Done
                }
                None => Outcome::Refused("fenced"),
            },
            Operation::Settle { hold, settlement } => {
                let Some(task) = self.held(hold) else {
                    return Outcome::Refused("fenced");
                };
                if settlement.captured > task.admission.hold {
                    return Outcome::Refused("capture");
                }
                self.end(
                    &hold.task,
                    settlement.end.state(),
                    settlement.captured.micros(),
                )
            }
            Operation::Cancel { task, .. } => match self.task(task) {
                one if one.state == TaskState::Pending => self.end(task, TaskState::Failed, 0),
                one => Outcome::Settled(one.state, one.captured),
            },
        }
    }

    fn admit(&mut self, customer: usize, admission: &Admission) -> Outcome {
        let key = &admission.key;
        let waiting = self
            .tasks
            .iter()
            .filter(|task| task.state == TaskState::Pending && task.admission.key == *key)
            .count();
        if admission.start.is_none() && waiting >= admission.most_waiting as usize {
            return Outcome::Refused("queue");
        }
        let one = &mut self.customers[customer];
        let hold = admission.hold.micros();
        let counted = admission.spend.as_ref().map(|window| {
            (
                window.name.clone(),
                one.spent.get(&window.name).unwrap_or(&0) + hold,
            )
        });
        if hold > 0 && counted.as_ref().is_some_and(|(_, spent)| *spent > CAP) {
            return Outcome::Refused("cap");
        }
        if let CreditLine::UpTo(line) = one.account.credit_line
            && hold > 0
            && one.available - hold < -line.micros()
        {
            return Outcome::Refused("credits");
        }
        one.available -= hold;
        one.held += hold;
        one.spent.extend(counted);
        let started = admission.start.is_some();
        self.tasks.push(ModelTask {
            customer,
            admission: Box::new(admission.clone()),
            state: if started {
                TaskState::Processing
            } else {
                TaskState::Pending
            },
            worker: WORKERS[0],
            fence: i64::from(started),
            captured: 0,
            begun: u32::from(started),
        });
        Outcome::Done
    }

    fn claim(&mut self, lane: &str, worker: &'static str, picks: &[(KeyId, u32)]) -> Outcome {
        let taken = picks.iter().flat_map(|(key, most)| {
            let mut waiting: Vec<&ModelTask> = self
                .tasks
                .iter()
                .filter(|task| task.state == TaskState::Pending && task.admission.lane == lane)
                .filter(|task| task.admission.key == *key)
                .collect();
            waiting.sort_by_key(|task| (task.admission.at, task.admission.task.clone()));
            let ids = waiting.into_iter().map(|task| task.admission.task.clone());
            ids.take(*most as usize).collect::<Vec<TaskId>>()
        });
        let taken: Vec<TaskId> = taken.collect();
        for id in &taken {
            let task = self.task(id);
            task.state = TaskState::Processing;
            task.worker = worker;
            task.fence += 1;
        }
        Outcome::Claimed(taken)
    }

    fn recover(&mut self, worker: &'static str) -> Outcome {
        let mut left: Vec<&mut ModelTask> = self
            .tasks
            .iter_mut()
            .filter(|task| task.state == TaskState::Processing && task.worker != worker)
            .collect();
        left.sort_by_key(|task| (task.admission.at, task.admission.task.clone()));
        let taken = left.into_iter().map(|task| {
            task.worker = worker;
            task.fence += 1;
            task.admission.task.clone()
        });
        Outcome::Claimed(taken.collect())
    }

    fn end(&mut self, id: &TaskId, state: TaskState, captured: i64) -> Outcome {
        self.captured += captured;
        let task = self.task(id);
        task.state = state;
        task.captured = captured;
        let (customer, hold) = (task.customer, task.admission.hold.micros());
        let window = task.admission.spend.clone();
        let one = &mut self.customers[customer];
        one.held -= hold;
        one.available += hold - captured;
        if let Some(spent) = window.and_then(|window| one.spent.get_mut(&window.name)) {
            *spent -= hold - captured;
        }
        Outcome::Settled(state, captured)
    }

    fn task(&mut self, id: &TaskId) -> &mut ModelTask {
        let mut tasks = self.tasks.iter_mut().rev();
        tasks
            .find(|task| task.admission.task == *id)
            .expect("a known task")
    }

    fn held(&mut self, hold: &TaskHold) -> Option<&mut ModelTask> {
        let task = self.task(&hold.task);
        (task.state == TaskState::Processing && task.fence == hold.fence).then_some(task)
    }
}
