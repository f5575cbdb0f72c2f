//! `GET /v1/usage` as JSON: the same from the server and from the command line.

use crate::types::{Period, UsageBy, Used, UsedBy};
use serde_json::{Value, json};

/// What an account used: all of it, and its groups if it was told apart.
pub fn encode(
    account: &str,
    period: Period,
    by: Option<UsageBy>,
    total: &Used,
    groups: &[UsedBy],
) -> Value {
    let groups = groups.iter().map(|group| {
        let mut value = used(&group.used);
        let name = by.map_or("group", UsageBy::name);
        value[name] = group.group.as_str().into();
        if let Some(title) = &group.title {
            value["name"] = title.as_str().into();
        }
        value
    });
    json!({
        "object": "usage",
        "account": account,
        "currency": "USD",
        "start": period.start.seconds(),
        "end": period.end.seconds(),
        "group_by": by.map(UsageBy::name),
        "total": used(total),
        "data": groups.collect::<Vec<_>>(),
    })
}

fn used(used: &Used) -> Value {
    json!({
        "completed": used.completed,
        "failed": used.failed,
        "images": used.images,
        "input_text_tokens": used.tokens.input_text_tokens,
        "input_image_tokens": used.tokens.input_image_tokens,
        "output_tokens": used.tokens.output_tokens,
        "charged": used.charged,
    })
}
