//! The double-entry ledger: which accounts there are, what each kind of transfer moves, what an audit finds.
//!
//! One append-only row a transfer: so much from `debit` to `credit`. A customer has two ledger accounts, what is
//! available and what is held; the system has four. Every row moves what it takes, so the sum over all accounts is
//! zero at any time, and the balances that the account rows carry must equal the sums of the transfers.
//!
//! | kind | debit | credit | subject (one row each) |
//! |---|---|---|---|
//! | `top_up` | `system:funding` | `<account>` | the caller's reference |
//! | `hold` | `<account>` | `<account>:held` | the task |
//! | `capture` | `<account>:held` | `system:revenue` | the task |
//! | `release` | `<account>:held` | `<account>` | the task |
//! | `cost` | `system:provider_cost` | `system:providers` | the attempt |
//! | `loss` | `system:operator_loss` | `system:providers` | the attempt |
//! | `loss_added` | `system:operator_loss` | `system:providers` | the attempt |
//! | `loss_returned` | `system:providers` | `system:operator_loss` | the attempt |

use crate::types::{AccountId, Money};

/// Where top-ups come from.
pub const FUNDING: &str = "system:funding";
/// Where captures go.
pub const REVENUE: &str = "system:revenue";
/// What delivered images cost the operator.
pub const PROVIDER_COST: &str = "system:provider_cost";
/// What calls of unknown outcome may have cost the operator.
pub const OPERATOR_LOSS: &str = "system:operator_loss";
/// What is owed to providers.
pub const PROVIDERS: &str = "system:providers";

/// The sorts of transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Credits added.
    TopUp,
    /// Reserved for a task.
    Hold,
    /// Taken for what was delivered.
    Capture,
    /// Given back.
    Release,
    /// Owed to a provider for what it delivered.
    Cost,
    /// Perhaps owed to a provider for nothing.
    Loss,
    /// The provider took more than that, as the operator found out.
    LossAdded,
    /// The provider took less.
    LossReturned,
}

impl Kind {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Cost => "cost",
            Self::Loss => "loss",
            Self::LossAdded => "loss_added",
            Self::LossReturned => "loss_returned",
        }
    }

    /// The ledger accounts it moves from and to, for a customer's account.
    pub fn sides(self, account: &AccountId) -> (String, String) {
        let available = account.as_str().to_owned();
        let held = format!("{account}:held");
        match self {
            Self::TopUp => (FUNDING.to_owned(), available),
            Self::Hold => (available, held),
            Self::Capture => (held, REVENUE.to_owned()),
            Self::Release => (held, available),
            Self::Cost => (PROVIDER_COST.to_owned(), PROVIDERS.to_owned()),
            Self::Loss | Self::LossAdded => (OPERATOR_LOSS.to_owned(), PROVIDERS.to_owned()),
            Self::LossReturned => (PROVIDERS.to_owned(), OPERATOR_LOSS.to_owned()),
        }
    }
}

/// What an audit found. It reads the rows with SQL of its own and trusts no balance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Transfers read.
    pub transfers: u64,
    /// All accounts summed up; must be zero.
    pub sum: Money,
    /// What is held for tasks that are not finished.
    pub held: Money,
    /// What was captured in all.
    pub captured: Money,
    /// What is booked as the operator's loss, corrected by what became known.
    pub operator_loss: Money,
    /// Everything that is wrong, one sentence each. Empty if the books are in order.
    pub findings: Vec<String>,
}

impl Audit {
    /// Whether the books are in order.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.sum == Money::ZERO
    }
}
