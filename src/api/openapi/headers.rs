//! Headers of replies, by the names under which answers list them.

use super::schema;
use serde_json::{Map, Value, json};

/// Each twice: as one that is always there and as one that need not be.
pub(super) fn components() -> Value {
    let text = json!({"type": "string"});
    let count = json!({"type": "integer", "minimum": 0});
    let all = [
        (
            "x-request-id",
            "Names this request in the server's log.",
            text.clone(),
            Use::Always,
        ),
        (
            "x-pinhole-task-id",
            "The task that the call became.",
            text.clone(),
            Use::Always,
        ),
        (
            "x-pinhole-quote",
            "What the call costs at most, in dollars.",
            schema("Money"),
            Use::Always,
        ),
        (
            "x-pinhole-cost",
            "What the call has cost, in dollars.",
            schema("Money"),
            Use::Sometimes,
        ),
        (
            "x-pinhole-overhead-ms",
            "How long the call took without the upstream's part of it.",
            count,
            Use::Sometimes,
        ),
        (
            "x-pinhole-mode",
            "`test` if the call was made with a test key.",
            json!({"type": "string", "enum": ["test"]}),
            Use::Sometimes,
        ),
        (
            "x-pinhole-adapted",
            "What was read in another form, or dropped as a mere hint: `name=value`, separated by commas.",
            text.clone(),
            Use::Sometimes,
        ),
        (
            "x-should-retry",
            "`false`: the same call again might make, and pay for, a second task.",
            json!({"type": "string", "enum": ["false"]}),
            Use::Sometimes,
        ),
        (
            "Retry-After",
            "Seconds after which it is worth asking again.",
            json!({"type": "integer", "minimum": 1}),
            Use::Both,
        ),
        (
            "Location",
            "Where the task can be asked for.",
            text.clone(),
            Use::Always,
        ),
        (
            "ETag",
            "A strong validator of the body.",
            text.clone(),
            Use::Always,
        ),
        (
            "Accept-Ranges",
            "Parts may be asked for.",
            json!({"type": "string", "enum": ["bytes"]}),
            Use::Always,
        ),
        (
            "Content-Range",
            "Which part this is, or how long the whole is.",
            text,
            Use::Always,
        ),
    ];
    let mut components = Map::new();
    for (name, description, schema, use_) in all {
        if use_ != Use::Sometimes {
            let always = json!({"description": description, "required": true, "schema": schema});
            components.insert(name.to_owned(), always);
        }
        if use_ != Use::Always {
            let sometimes = json!({"description": description, "schema": schema});
            components.insert(format!("{name}.sometimes"), sometimes);
        }
    }
    Value::Object(components)
}

/// Where answers have a header: always, in some replies only, or one answer so and another so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Always,
    Sometimes,
    Both,
}
