//! What operators are told of secrets and tests: the same words over HTTP and on the command line.

use super::post::Outcome;
use crate::types::{Account, Signing};
use serde_json::{Value, json};

/// Why a callback is not sent again.
pub const UNDER_WAY: &str =
    "it is being sent at this moment; look what becomes of that, and ask again if need be";

/// The secrets that sign an account's callbacks, the present one first.
pub fn secrets(account: &Account, signing: &[Signing]) -> Value {
    let secrets: Vec<Value> = signing
        .iter()
        .map(|one| {
            json!({
                "secret": one.secret.reveal(),
                "createTime": one.created_at.0,
                "retireTime": one.retires_at.map(|at| at.0),
            })
        })
        .collect();
    json!({"account": account.name, "secrets": secrets})
}

/// What came of a test.
pub fn outcome(outcome: &Outcome) -> Value {
    json!({
        "delivered": outcome.is_delivered(),
        "status": outcome.status,
        "problem": outcome.problem,
        "answer": outcome.answer,
    })
}
