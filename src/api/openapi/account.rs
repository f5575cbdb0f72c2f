//! `/v1/balance`.

use super::operation::{Access, Answer, Operation};
use super::schema;

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
        answers: vec![Answer {
            status: 200,
            description: "The balance.",
            headers: &[],
            content: vec![("application/json", schema("Balance"))],
        }],
        errors: &[],
    }
}
