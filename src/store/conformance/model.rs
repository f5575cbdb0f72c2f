//! The ledger against a model of it: random operations on a store and on a few numbers in memory must come to the
//! same results, operation by operation, and the audit must stay clean.

use super::fixtures::{Customer, NOW, ended, failed, intent, secret};
use crate::store::{
    Admission, Settlement, SpendWindow, Start, Store, StoreError, TaskHold, new_account, new_key,
};
use crate::types::account::KeyLimits;
use crate::types::{
    Account, ApiKey, AttemptState, CreditLine, FailKind, Millis, Mode, Money, SpendCap,
    SpendPeriod, TaskEnd, TaskId, TaskState,
};
use futures::future::join_all;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Runs one sequence. `together`: how many operations are called at once; a store that carries out calls in the
/// order in which they are made can take more than one. The same seed makes the same sequence.
pub async fn run(store: Arc<dyn Store>, seed: u64, operations: usize, together: usize) {
    let mut dice = Dice(seed);
    let mut model = Model::default();
    for _ in 0..3 {
        open(&store, &mut model, &mut dice).await;
    }
    let mut done = 0;
    while done < operations {
        if model.customers.len() < 8 && dice.below(200) == 0 {
            open(&store, &mut model, &mut dice).await;
        }
        let batch: Vec<(Operation, Outcome)> = (0..1 + dice.below(together))
            .map(|_| {
                let operation = model.invent(&mut dice);
                let expected = model.apply(&operation);
                (operation, expected)
            })
            .collect();
        done += batch.len();
        let outcomes = join_all(
            batch
                .iter()
                .map(|(operation, _)| carry_out(&store, operation)),
        )
        .await;
        for (outcome, (operation, expected)) in outcomes.iter().zip(&batch) {
            assert_eq!(
                outcome, expected,
                "seed {seed}, before {done}: {operation:?}"
            );
        }
        if dice.below(50) == 0 {
            compare(&store, &model, seed).await;
        }
    }
    compare(&store, &model, seed).await;
    let audit = store.audit().await.unwrap();
    assert!(audit.is_clean(), "seed {seed}: {audit:?}");
    assert_eq!(
        audit.held.micros(),
        model.customers.iter().map(|one| one.held).sum::<i64>()
    );
    assert_eq!(audit.captured.micros(), model.captured);
}

#[derive(Debug)]
enum Operation {
    TopUp {
        customer: usize,
        account: Account,
        amount: i64,
        reference: String,
    },
    Admit {
        customer: usize,
        admission: Box<Admission>,
    },
    Claim {
        lane: &'static str,
        worker: &'static str,
        most: u32,
    },
    Recover {
        worker: &'static str,
    },
    Begin {
        hold: TaskHold,
        number: u32,
    },
    Settle {
        hold: TaskHold,
        settlement: Box<Settlement>,
    },
    Cancel {
        account: Account,
        task: TaskId,
    },
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Done,
    Balance(i64, i64),
    Claimed(Vec<TaskId>),
    Settled(TaskState, i64),
    Refused(&'static str),
}

async fn carry_out(store: &Arc<dyn Store>, operation: &Operation) -> Outcome {
    let ids = |claimed: Vec<crate::store::Claimed>| {
        Outcome::Claimed(claimed.into_iter().map(|one| one.task.id).collect())
    };
    let outcome = match operation {
        Operation::TopUp {
            account,
            amount,
            reference,
            ..
        } => store
            .top_up(&account.id, Money::from_micros(*amount), reference, NOW)
            .await
            .map(|now| Outcome::Balance(now.available.micros(), now.held.micros())),
        Operation::Admit { admission, .. } => store
            .admit((**admission).clone())
            .await
            .map(|()| Outcome::Done),
        Operation::Claim { lane, worker, most } => {
            store.claim(lane, worker, *most, NOW).await.map(ids)
        }
        Operation::Recover { worker } => store.recover(worker).await.map(ids),
        Operation::Begin { hold, number } => store
            .begin_attempts(hold, vec![intent(*number)])
            .await
            .map(|()| Outcome::Done),
        Operation::Settle { hold, settlement } => store
            .settle(hold, (**settlement).clone())
            .await
            .map(|task| Outcome::Settled(task.state, task.captured.micros())),
        Operation::Cancel { account, task } => store
            .cancel(&account.id, task, NOW)
            .await
            .map(|task| task.expect("the account owns the task"))
            .map(|task| Outcome::Settled(task.state, task.captured.micros())),
    };
    outcome.unwrap_or_else(|error| {
        Outcome::Refused(match error {
            StoreError::InsufficientCredits { .. } => "credits",
            StoreError::SpendCap { .. } => "cap",
            StoreError::QueueFull(_) => "queue",
            StoreError::Fenced => "fenced",
            StoreError::Backend(what) if what.contains("would capture") => "capture",
            other => panic!("{operation:?}: {other}"),
        })
    })
}

/// What the store should hold, without a database.
#[derive(Default)]
struct Model {
    customers: Vec<ModelCustomer>,
    tasks: Vec<ModelTask>,
    references: HashSet<String>,
    captured: i64,
}

struct ModelCustomer {
    account: Account,
    key: ApiKey,
    available: i64,
    held: i64,
    /// By window.
    spent: HashMap<String, i64>,
}

struct ModelTask {
    customer: usize,
    admission: Box<Admission>,
    state: TaskState,
    worker: &'static str,
    fence: i64,
    captured: i64,
    /// The first `begun` attempts exist, and all of them are open until the task ends.
    begun: u32,
}

const CAP: i64 = 400;
const WORKERS: [&str; 3] = ["w0", "w1", "w2"];
const LANES: [&str; 2] = ["fal", "test"];

impl Model {
    fn apply(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::TopUp {
                customer,
                amount,
                reference,
                ..
            } => {
                let one = &mut self.customers[*customer];
                // Nothing is no row, so it uses up no reference.
                if *amount > 0 && self.references.insert(reference.clone()) {
                    one.available += amount;
                }
                Outcome::Balance(one.available, one.held)
            }
            Operation::Admit {
                customer,
                admission,
            } => self.admit(*customer, admission),
            Operation::Claim { lane, worker, most } => self.claim(lane, worker, *most),
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

    fn claim(&mut self, lane: &str, worker: &'static str, most: u32) -> Outcome {
        let mut waiting: Vec<&mut ModelTask> = self
            .tasks
            .iter_mut()
            .filter(|task| task.state == TaskState::Pending && task.admission.lane == lane)
            .collect();
        waiting.sort_by_key(|task| (task.admission.at, task.admission.task.clone()));
        let taken = waiting.into_iter().take(most as usize).map(|task| {
            task.state = TaskState::Processing;
            task.worker = worker;
            task.fence += 1;
            task.admission.task.clone()
        });
        Outcome::Claimed(taken.collect())
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

    /// The next operation: mostly one that should succeed, sometimes one that must not.
    fn invent(&mut self, dice: &mut Dice) -> Operation {
        let customer = dice.below(self.customers.len());
        let one = &self.customers[customer];
        let worker = WORKERS[dice.below(3)];
        // Mostly the latest tasks, which may be in any state; old ones have ended.
        let recent = self.tasks.len().min(12);
        let task = (recent > 0).then(|| {
            let latest = self.tasks.len() - recent + dice.below(recent);
            let unfinished = |task: &ModelTask| !task.state.is_terminal();
            let oldest = self.tasks.iter().position(unfinished).unwrap_or(latest);
            &self.tasks[if dice.below(3) == 0 { oldest } else { latest }]
        });
        match (dice.below(100), task) {
            (0..8, _) => Operation::TopUp {
                customer,
                account: one.account.clone(),
                amount: dice.amount(300),
                reference: format!("{customer}/{}", dice.below(40)),
            },
            (8..45, _) | (_, None) => Operation::Admit {
                customer,
                admission: Box::new(invent_admission(one, dice, self.tasks.len())),
            },
            (45..55, _) => Operation::Claim {
                lane: LANES[dice.below(2)],
                worker,
                most: u32::try_from(dice.below(5)).expect("small"),
            },
            (55..57, _) => Operation::Recover { worker },
            (57..65, Some(task)) => Operation::Begin {
                hold: task.hold(dice),
                number: task.begun,
            },
            (65..92, Some(task)) => Operation::Settle {
                hold: task.hold(dice),
                settlement: Box::new(task.invent_end(&self.customers[task.customer], dice)),
            },
            (_, Some(task)) => Operation::Cancel {
                account: self.customers[task.customer].account.clone(),
                task: task.admission.task.clone(),
            },
        }
    }
}

impl ModelTask {
    fn hold(&self, dice: &mut Dice) -> TaskHold {
        let stale = i64::from(dice.below(10) == 0);
        TaskHold {
            task: self.admission.task.clone(),
            fence: self.fence - stale,
        }
    }

    fn invent_end(&self, customer: &ModelCustomer, dice: &mut Dice) -> Settlement {
        let held = self.admission.hold.micros();
        let completed = dice.below(3) > 0;
        let captured = match dice.below(12) {
            _ if !completed => 0,
            0 => held + 1,
            1..5 => dice.amount(held + 1),
            _ => held,
        };
        let mut attempts = Vec::new();
        for number in 0..self.begun {
            let mut end = ended(number, AttemptState::ALL[1 + dice.below(4)]);
            end.cost = Money::from_micros(dice.amount(20));
            end.loss = Money::from_micros(dice.amount(20));
            attempts.push(end);
        }
        let assets = Customer::asset_of(&customer.account, &self.admission.task, 0);
        Settlement {
            end: if completed {
                TaskEnd::Completed
            } else {
                failed(FailKind::Upstream).end
            },
            attempts,
            assets: if completed { vec![assets] } else { Vec::new() },
            captured: Money::from_micros(captured),
            ..failed(FailKind::Upstream)
        }
    }
}

fn invent_admission(customer: &ModelCustomer, dice: &mut Dice, age: usize) -> Admission {
    let capped = customer.key.limits.spend_cap.is_some();
    let start = (dice.below(2) == 0).then(|| Start {
        worker: WORKERS[0].to_owned(),
        attempts: vec![intent(0)],
    });
    Admission {
        lane: LANES[dice.below(2)].to_owned(),
        spend: capped.then(|| SpendWindow {
            name: format!("window {}", age / 200),
            cap: Money::from_micros(CAP),
        }),
        most_waiting: 6,
        start,
        // Some share a moment.
        at: Millis(NOW.0 + i64::try_from(age / 3).expect("small")),
        ..Customer::admission(
            &customer.account,
            &customer.key,
            Money::from_micros(dice.amount(60)),
        )
    }
}

async fn open(store: &Arc<dyn Store>, model: &mut Model, dice: &mut Dice) {
    let number = model.customers.len();
    let line = match dice.below(3) {
        0 => CreditLine::Unlimited,
        1 => CreditLine::UpTo(Money::ZERO),
        _ => CreditLine::UpTo(Money::from_micros(dice.amount(200))),
    };
    let account = new_account(&format!("customer {number}"), line, NOW);
    let limits = KeyLimits {
        spend_cap: (dice.below(2) == 0).then_some(SpendCap {
            amount: Money::from_micros(CAP),
            per: SpendPeriod::Day,
        }),
        ..KeyLimits::default()
    };
    let key = new_key(&account.id, "key", Mode::Live, "abcd", limits, NOW);
    store.create_account(account.clone()).await.unwrap();
    store
        .create_keys(vec![(key.clone(), secret())])
        .await
        .unwrap();
    model.customers.push(ModelCustomer {
        account,
        key,
        available: 0,
        held: 0,
        spent: HashMap::new(),
    });
}

async fn compare(store: &Arc<dyn Store>, model: &Model, seed: u64) {
    for one in &model.customers {
        let stored = store.balance(&one.account.id).await.unwrap();
        let stored = (stored.available.micros(), stored.held.micros());
        assert_eq!(
            stored,
            (one.available, one.held),
            "seed {seed}: {}",
            one.account.name
        );
    }
}

/// Numbers that look random and repeat with their seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("below a usize")
    }

    /// Below `bound`, and nothing once in eight times.
    fn amount(&mut self, bound: i64) -> i64 {
        if self.below(8) == 0 {
            return 0;
        }
        i64::try_from(self.next() % bound.max(1).cast_unsigned()).expect("below an i64")
    }
}
