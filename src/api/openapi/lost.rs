//! `/admin/v1/tasks`.

use super::operation::{Access, Answer, Operation, in_query, required};
use super::replies::{count, object, text};
use super::schema;
use crate::error::Kind;
use serde_json::json;

/// `POST /admin/v1/tasks/resolve`
pub(in crate::api) fn resolve() -> Operation {
    let task = json!({"type": "string", "pattern": "^task_[0-9a-f]{32}$"});
    let number = json!({"type": "integer", "minimum": 0, "maximum": u32::MAX});
    let outcome = json!({"type": "string", "enum": ["billed", "not_billed"]});
    let amount = json!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,6})?$"});
    let reply = object(
        &[
            ("taskId", text()),
            ("number", count()),
            ("billed", schema("Money")),
            ("currency", json!({"const": "USD"})),
        ],
        &[],
    );
    Operation {
        id: "resolveCall",
        tag: "operations",
        summary: "Note what became of a call of unknown outcome, once",
        description: "With a key of the scope `admin`. What is booked as the operator's loss is corrected by one more row in the ledger.",
        access: Access::Key,
        parameters: vec![
            required(in_query("task", "The task.", &task)),
            required(in_query("attempt", "Which of its calls.", &number)),
            required(in_query(
                "outcome",
                "What the provider's bill says.",
                &outcome,
            )),
            in_query(
                "amount",
                "With `billed`: so many dollars, if it is not what was booked.",
                &amount,
            ),
            in_query("note", "Words about it, for later.", &text()),
        ],
        body: None,
        answers: vec![Answer::ok("What it is booked as from now on.", reply)],
        errors: &[
            Kind::InvalidParameter,
            Kind::TaskNotFound,
            Kind::AlreadyResolved,
        ],
    }
}
