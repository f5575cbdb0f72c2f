//! Invents the next operation: mostly one that should succeed, sometimes one that must not.

use super::Operation;
use super::books::{CAP, LANES, Model, ModelCustomer, ModelTask, WORKERS};
use crate::store::conformance::fixtures::{Customer, NOW, ended, failed, intent};
use crate::store::{Admission, Settlement, SpendWindow, Start, TaskHold, new_account, new_key};
use crate::types::account::KeyLimits;
use crate::types::{
    AttemptState, CreditLine, FailKind, KeyId, Millis, Mode, Money, SpendCap, SpendPeriod, TaskEnd,
};
use std::collections::HashMap;

impl Model {
    /// The next operation.
    pub fn invent(&self, dice: &mut Dice) -> Operation {
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
                picks: self.invent_picks(dice),
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

impl Model {
    /// So many tasks of two customers.
    fn invent_picks(&self, dice: &mut Dice) -> Vec<(KeyId, u32)> {
        let first = dice.below(self.customers.len());
        let second = (first + 1) % self.customers.len();
        let mut keys = vec![first, second];
        keys.dedup();
        keys.into_iter()
            .map(|one| {
                let most = u32::try_from(dice.below(4)).expect("small");
                (self.customers[one].key.id.clone(), most)
            })
            .collect()
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
        idempotency: None,
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

/// A customer of some sort, who has nothing yet.
pub(super) fn invent_customer(number: usize, dice: &mut Dice) -> ModelCustomer {
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
    ModelCustomer {
        key: new_key(&account.id, "key", Mode::Live, "abcd", limits, NOW),
        account,
        available: 0,
        held: 0,
        spent: HashMap::new(),
    }
}

/// Numbers that look random and repeat with their seed (splitmix64).
pub(super) struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
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
