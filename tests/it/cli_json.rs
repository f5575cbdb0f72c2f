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
    let value: Value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}", ran.stderr));
    let validator = validator(definition);
    let faults: Vec<String> = validator
        .iter_errors(&value)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{arguments:?}: {faults:#?}\n{value:#}");
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

#[test]
fn every_definition_stands_on_the_page_and_a_wrong_output_is_refused() {
    let parts = [
        "amount",
        "amount_or_none",
        "text_or_none",
        "count",
        "image",
        "used",
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
