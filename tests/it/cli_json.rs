//! What `--json` prints, held against `docs/cli.schema.json`: alone, and through a server.

use crate::cli::{Place, Server};
use jsonschema::Validator;
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../docs/cli.schema.json");
const PAGE: &str = include_str!("../../docs/cli.md");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("a schema is JSON")
}

fn validator(definition: &str) -> Validator {
    let mut schema = schema();
    assert!(schema["$defs"][definition].is_object(), "{definition}");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    jsonschema::validator_for(&schema).expect("a schema")
}

const SMALL: [&str; 4] = ["-m", "sketch", "--size", "64x64"];

/// Each command, and the definition of what it prints.
const COMMANDS: &[(&str, &[&str])] = &[
    (
        "made",
        &[
            "gen",
            "a fox",
            "-m",
            "sketch",
            "--size",
            "64x64",
            "-o",
            "fox.png",
            "--overwrite",
        ],
    ),
    (
        "made",
        &[
            "edit", "fox.png", "at night", "-m", "sketch", "--size", "64x64", "-n", "2",
        ],
    ),
    ("made", &["gen", "why?", "-m", "gemini-3.5-flash"]),
    ("dry_run", &["gen", "a fox", "--dry-run"]),
    (
        "dry_run",
        &["gen", "why?", "-m", "gemini-3.5-flash", "--dry-run"],
    ),
    (
        "compared",
        &["compare", "a fox", "-m", "sketch", "-m", "qwen-image-plus"],
    ),
    ("models", &["models"]),
    ("models", &["models", "ls"]),
    ("model", &["models", "show", "gpt-image-2"]),
    ("snippet", &["snippet", "gpt-image-2"]),
    ("quote", &["quote", "gpt-image-2"]),
    ("quote", &["quote", "gemini-3.5-flash"]),
    ("balance", &["balance"]),
    ("usage", &["usage", "--by", "model"]),
    ("providers", &["providers"]),
    ("settings", &["config", "show"]),
    ("places", &["config", "path"]),
    ("doctor", &["doctor"]),
];

fn check(place: &Place, definition: &str, arguments: &[&str]) {
    let ran = place.run(&[arguments, &["--json"]].concat());
    held_against(
        definition,
        &ran.stdout,
        &format!("{arguments:?} {}", ran.stderr),
    );
}

fn held_against(definition: &str, stdout: &[u8], what: &str) {
    let value: Value = serde_json::from_slice(stdout).unwrap_or_else(|_| panic!("{what}"));
    let validator = validator(definition);
    let faults: Vec<String> = validator
        .iter_errors(&value)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{what}: {faults:#?}\n{value:#}");
}

#[test]
fn what_is_printed_is_what_is_documented() {
    let place = Place::new();
    place
        .run(&[&["gen", "a fox"], &SMALL[..]].concat())
        .exits(0);
    for (definition, arguments) in COMMANDS {
        check(&place, definition, arguments);
    }
    check(&place, "backup", &["backup", "copy"]);
    let other = Place::new();
    let copy = place.work().join("copy");
    check(
        &other,
        "restored",
        &["restore", copy.to_str().expect("text")],
    );
    let server = Server::start(&place);
    for (definition, arguments) in COMMANDS {
        check(&place, definition, arguments);
    }
    check(&place, "health", &["health"]);
    drop(server);
}

/// Tasks, keys, accounts, money and callbacks: each of their commands, beside a server.
#[test]
fn what_administration_prints_is_what_is_documented() {
    let place = Place::new();
    let server = Server::start(&place);
    let task = |prompt: &str| {
        let arguments = [&["task", "submit", prompt], &SMALL[..]].concat();
        let made = place.json(&[&arguments[..], &["--json"]].concat());
        made["taskId"].as_str().expect("an id").to_owned()
    };
    let slow = "[pinhole:delay=600s]";
    let running = [task(slow), task(slow)];
    let (done, waits) = (task("a fox"), task("a fox"));
    check(&place, "cancelled", &["task", "cancel", &waits]);
    check(&place, "task", &["task", "get", &running[0]]);
    check(&place, "task", &["task", "get", &done]);
    check(&place, "task", &["task", "wait", &waits]);
    let submit = [&["task", "submit", "a fox"], &SMALL[..]].concat();
    check(&place, "submitted", &submit);
    drop(server);

    let place = Place::new();
    let server = Server::start(&place);
    let made = [&["gen", "a fox"], &SMALL[..]].concat();
    place.run(&made).exits(0);
    let lost = [
        "gen",
        "[pinhole:fail=unknown]",
        "-m",
        "sketch",
        "--size",
        "64x64",
    ];
    place.run(&lost).exits(5);
    for (definition, arguments) in ADMINISTRATION {
        check(&place, definition, arguments);
    }
    let keys = place.json(&["keys", "ls", "--json"]);
    let key = keys[0]["id"].as_str().expect("an id");
    check(&place, "key_revoked", &["keys", "revoke", key]);
    let mut import = place.command(&["keys", "import", "--json"]);
    let imported = import.write_stdin("sk-1234567890abcdefghij\n").output();
    held_against(
        "imported",
        &imported.expect("it starts").stdout,
        "keys import",
    );
    let tasks = place.json(&["task", "ls", "--json"]);
    for task in tasks["tasks"].as_array().expect("a list") {
        let id = task["taskId"].as_str().expect("an id");
        check(&place, "task", &["task", "get", id]);
    }
    drop(server);
    // The same from the rows alone.
    for (definition, arguments) in ADMINISTRATION
        .iter()
        .filter(|(name, _)| !MADE_ONCE.contains(name))
    {
        check(&place, definition, arguments);
    }
}

/// What cannot be said twice.
const MADE_ONCE: [&str; 2] = ["account", "key_created"];

const ADMINISTRATION: &[(&str, &[&str])] = &[
    (
        "account",
        &["accounts", "create", "team", "--credit-line", "5"],
    ),
    ("accounts", &["accounts", "ls"]),
    ("granted", &["credits", "grant", "team", "20"]),
    ("accounts", &["credits"]),
    (
        "key_created",
        &[
            "keys",
            "create",
            "--name",
            "k",
            "--account",
            "team",
            "--spend-cap",
            "5/day",
            "--rpm",
            "9",
            "--concurrent",
            "2",
            "--model",
            "sketch",
            "--ip",
            "10.0.0.0/8",
            "--expires",
            "30",
            "--default-response-format",
            "url",
        ],
    ),
    ("keys", &["keys", "ls"]),
    ("tasks", &["task", "ls"]),
    ("tasks", &["task", "ls", "-n", "1"]),
    ("lost_calls", &["task", "unknown"]),
    ("set_aside", &["task", "poison"]),
    ("audit", &["ledger", "check"]),
    ("deliveries", &["webhook", "ls"]),
    (
        "resent",
        &["webhook", "resend", "--failed", "--since", "2026-01-01"],
    ),
    ("signing", &["webhook", "secret", "show"]),
    ("signing", &["webhook", "secret", "rotate"]),
];

#[test]
fn every_definition_stands_on_the_page_and_a_wrong_output_is_refused() {
    let parts = [
        "amount",
        "amount_or_none",
        "text_or_none",
        "count",
        "image",
        "used",
        "task_id",
        "key_id",
        "account_id",
        "millis",
        "millis_or_none",
        "task_row",
        "lost_call",
        "key",
        "delivery",
        "delivery_with_log",
    ];
    let definitions = schema()["$defs"].as_object().expect("definitions").clone();
    for name in definitions
        .keys()
        .filter(|name| !parts.contains(&name.as_str()))
    {
        assert!(
            PAGE.contains(&format!("| `{name}` |")),
            "{name} is not on the page"
        );
    }
    assert!(!validator("made").is_valid(&json!({"model": "m"})));
    assert!(!validator("amount").is_valid(&json!("1.5")));
}
