//! `/v1/balance` and `/v1/usage`.

use super::operation::{Access, Answer, Operation, in_query};
use super::schema;
use crate::error::Kind;
use crate::types::UsageBy;
use serde_json::{Value, json};

/// `GET /v1/balance`
pub(in crate::api) fn balance() -> Operation {
    Operation {
        id: "getBalance",
        tag: "account",
        summary: "What the account has",
        description: "Credits that can be spent, and those that running calls hold.",
        access: Access::Key,
        parameters: Vec::new(),
        body: None,
        answers: vec![Answer::ok("The balance.", schema("Balance"))],
        errors: &[],
    }
}

/// `GET /v1/usage`
pub(in crate::api) fn usage() -> Operation {
    let groups: Vec<&str> = UsageBy::ALL.iter().map(|by| by.name()).collect();
    let groups = json!({"type": "string", "enum": groups});
    Operation {
        id: "getUsage",
        tag: "account",
        summary: "What was used and charged in a period",
        description: "In all, and told apart if `group_by` says by what. Charges are the ledger's captures.",
        access: Access::Key,
        parameters: vec![
            in_query("start", "Where the period begins.", &time()),
            in_query(
                "end",
                "Where it ends; what happens at that moment is not in it.",
                &time(),
            ),
            in_query("group_by", "What the period is told apart by.", &groups),
        ],
        body: None,
        answers: vec![Answer::ok("The period.", schema("UsageReport"))],
        errors: &[Kind::InvalidParameter],
    }
}

fn time() -> Value {
    json!({
        "type": "string",
        "description": "A day in UTC or Unix seconds; a day as the end is meant as a whole.",
        "examples": ["2026-11-21", "1795219200"],
    })
}
