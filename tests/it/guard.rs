//! What a machine cannot run: one rule for every test that needs more than the source.

use std::fs::File;
use std::io::Write;
use std::path::Path;

/// What was not run and why, a line each. `scripts/test` empties it before and shows it at its end.
const NOT_RUN: &str = "not-run.txt";

/// Says that the test that calls it is not run, or this part of it. Where `CI` is set everything must run, so that it fails.
pub fn not_run(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(!must_run(ci().as_deref()), "{test} must run here: {why}");
    let line = format!("{test}: {why}\n");
    eprint!("NOT RUN: {line}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(NOT_RUN);
    let list = File::options().create(true).append(true).open(path);
    // In one write, because tests run side by side.
    let written = list.and_then(|mut list| list.write_all(line.as_bytes()));
    written.expect("room for a line");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test asks where it runs; the settings know nothing of it"
)]
fn ci() -> Option<String> {
    std::env::var("CI").ok()
}

fn must_run(ci: Option<&str>) -> bool {
    ci.is_some_and(|value| !value.is_empty() && value != "false")
}

#[test]
fn everything_must_run_where_ci_is_set() {
    for (value, must) in [
        (None, false),
        (Some(""), false),
        (Some("false"), false),
        (Some("true"), true),
        (Some("1"), true),
    ] {
        assert_eq!(must_run(value), must, "{value:?}");
    }
}
