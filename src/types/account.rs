//! Accounts that pay, keys that sign in, and who a request comes from.

use crate::types::{AccountId, KeyId, Millis, Money, ResponseFormat};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whether a call reaches real upstreams or the built-in renderer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Real upstreams, real money.
    Live,
    /// Every model is drawn by `sketch`, free of charge.
    Test,
}

impl Mode {
    /// `live` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Start tasks, and everything `read` may.
    Generate,
    /// See models, tasks and balances.
    Read,
    /// Everything, of every account.
    Admin,
}

/// How far below zero an account's available credits may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditLine {
    /// No bound: usage is recorded and never refused.
    Unlimited,
    /// Down to minus this amount; zero is prepaid.
    UpTo(Money),
}

/// Somebody who pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name, unique in this installation.
    pub name: String,
    /// How far it may overdraw.
    pub credit_line: CreditLine,
    /// What is added to every price, in basis points.
    pub markup_basis_points: u32,
    /// A frozen account may read and not generate.
    pub frozen: bool,
    /// How many of its tasks run at once; the others wait.
    pub concurrent: Option<u32>,
    /// When it was made.
    pub created_at: Millis,
}

/// What an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Free to spend; below zero when a credit line is in use.
    pub available: Money,
    /// Reserved by tasks that are not finished.
    pub held: Money,
}

/// An API key's record. The secret itself is not here: only its SHA-256 is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The account it spends from.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// Live or test.
    pub mode: Mode,
    /// The last four characters of the secret, to tell keys apart.
    pub last_four: String,
    /// What it may do, and where from.
    pub limits: KeyLimits,
    /// Whether its secret was made elsewhere and brought here (`keys import`).
    pub imported: bool,
    /// When it was made.
    pub created_at: Millis,
    /// Since when it is refused, if it was revoked.
    pub revoked_at: Option<Millis>,
}

/// Everything that narrows a key. The default narrows nothing but administration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The models it may call; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The networks it may be used from; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
    /// From when on it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// Requests it may make in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// What it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_cap: Option<SpendCap>,
    /// How many of its tasks run at once; the others wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// How `/v1/images/*` answers when the request does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_response_format: Option<ResponseFormat>,
}

/// What a key may spend in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendCap {
    /// So much.
    pub amount: Money,
    /// In this time.
    pub per: SpendPeriod,
}

/// The stretch of time of a spend cap; days and months are those of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpendPeriod {
    /// For ever.
    Total,
    /// Each day.
    Day,
    /// Each month.
    Month,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self {
            scopes: vec![Scope::Generate, Scope::Read],
            models: Vec::new(),
            networks: Vec::new(),
            expires_at: None,
            requests_per_minute: None,
            spend_cap: None,
            concurrent: None,
            default_response_format: None,
        }
    }
}

/// Who a request comes from: a key that was found, and its account.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account that pays.
    pub account: Arc<Account>,
    /// The key that signed in.
    pub key: Arc<ApiKey>,
}

/// Whose a task is, and how many of theirs run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account that pays.
    pub account: AccountId,
    /// The key it came with.
    pub key: KeyId,
    /// So many of the account.
    pub most_of_account: Option<u32>,
    /// So many of the key.
    pub most_of_key: Option<u32>,
}

impl Caller {
    /// Whose the tasks of this caller are.
    pub fn owner(&self) -> Owner {
        Owner {
            account: self.account.id.clone(),
            key: self.key.id.clone(),
            most_of_account: self.account.concurrent,
            most_of_key: self.key.limits.concurrent,
        }
    }

    /// Whether the key carries `scope`; `admin` carries all, `generate` carries `read`.
    pub fn may(&self, scope: Scope) -> bool {
        let scopes = &self.key.limits.scopes;
        scopes.contains(&scope)
            || scopes.contains(&Scope::Admin)
            || (scope == Scope::Read && scopes.contains(&Scope::Generate))
    }
}
