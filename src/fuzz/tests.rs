//! The targets on stable Rust: their seeds, any bytes, and seeds that were tampered with word by word.

use super::TARGETS;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::path::PathBuf;

/// Inputs of each sort for each target; many more with `PINHOLE_LONG` set.
fn cases() -> u32 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a knob of this test, not a setting"
    )]
    let is_long = std::env::var_os("PINHOLE_LONG").is_some();
    if is_long { 30_000 } else { 300 }
}

/// What is put in place of a word, or between two.
const WORDS: &[&str] = &[
    "",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "0",
    "1.5",
    "1e309",
    "9223372036854775808",
    "NaN",
    "\"data:;base64,AAAA\"",
    "\\ud800",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "😀",
    "\r\n",
    "\n",
    "\r",
    "--",
    "=",
    "==",
    "data:",
    "event:",
    "bytes=",
    "-",
    ";",
    "/",
    "..",
    "%00",
    "[pinhole:",
    "]",
    "x",
    " ",
    "\t",
    "sk-",
    "sk-test-",
    "task_",
    "600s",
    "4294967296",
    "[[",
    "]]",
    "#",
    "'",
    "'''",
    "image",
    "prompt",
    "model",
    "messages",
    "input",
    "parameters",
    "content",
    "n",
    "size",
    "stream",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("no seeds of {target}"));
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let seeds: Vec<_> = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a seed"))
        .collect();
    assert!(!seeds.is_empty(), "no seeds of {target}");
    seeds
}

/// Runs of letters and digits, and every other byte alone.
fn words(text: &[u8]) -> Vec<&[u8]> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.chunk_by(|a, b| is_word(a) && is_word(b)).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Replace,
    Insert,
    Remove,
    Double,
    Swap,
    CutOff,
    Byte(u8),
}

fn change() -> impl Strategy<Value = (Change, prop::sample::Index, prop::sample::Index)> {
    let change = prop_oneof![
        3 => Just(Change::Replace),
        3 => Just(Change::Insert),
        2 => Just(Change::Remove),
        2 => Just(Change::Double),
        2 => Just(Change::Swap),
        1 => Just(Change::CutOff),
        1 => any::<u8>().prop_map(Change::Byte),
    ];
    (
        change,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    )
}

fn tampered(
    seed: &[u8],
    changes: &[(Change, prop::sample::Index, prop::sample::Index)],
) -> Vec<u8> {
    let mut words: Vec<Vec<u8>> = words(seed).into_iter().map(<[u8]>::to_vec).collect();
    for (change, at, other) in changes {
        if words.is_empty() {
            break;
        }
        let (at, word) = (at.index(words.len()), other.index(WORDS.len()));
        match change {
            Change::Replace => words[at] = WORDS[word].into(),
            Change::Insert => words.insert(at, WORDS[word].into()),
            Change::Remove => drop(words.remove(at)),
            Change::Double => words.insert(at, words[at].clone()),
            Change::Swap => {
                let other = other.index(words.len());
                words.swap(at, other);
            }
            Change::CutOff => words.truncate(at),
            Change::Byte(byte) => words[at] = vec![*byte],
        }
    }
    words.concat()
}

#[test]
fn every_target_holds_for_its_seeds_and_what_is_near_them() {
    for target in TARGETS {
        let seeds = seeds(target.name);
        for seed in &seeds {
            (target.run)(seed);
        }
        let any_bytes = prop::collection::vec(any::<u8>(), 0..200);
        let changes = prop::collection::vec(change(), 1..6);
        let near = (any::<u8>(), prop::sample::select(seeds), changes)
            .prop_map(|(how, seed, changes)| (how, tampered(&seed, &changes)));
        let mut runner = TestRunner::new(Config {
            cases: cases(),
            failure_persistence: None,
            ..Config::default()
        });
        let ran = runner.run(&any_bytes, |bytes| {
            (target.run)(&bytes);
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{}: {error}", target.name));
        let ran = runner.run(&near, |(how, mut bytes)| {
            (target.run)(&bytes);
            // Where the first byte says how the rest is cut.
            if let Some(first) = bytes.first_mut() {
                *first = how;
            }
            (target.run)(&bytes);
            Ok(())
        });
        ran.unwrap_or_else(|error| panic!("{}: {error}", target.name));
    }
}

/// Whoever adds a target to the table gives it its three lines for `cargo fuzz`.
#[test]
fn every_target_can_be_fuzzed() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    for target in TARGETS {
        let name = target.name;
        let file = root().join(format!("fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{name} has no file"));
        assert!(
            text.contains(&format!("pinhole::fuzz::run(\"{name}\"")),
            "{text}"
        );
        assert!(
            manifest.contains(&format!("name = \"{name}\"\n")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
    let files = std::fs::read_dir(root().join("fuzz_targets"))
        .expect("a folder")
        .count();
    assert_eq!(files, TARGETS.len());
}

/// A long key is shown cut, and what is cut is told from what is not there.
#[test]
fn a_fault_at_a_long_key_names_a_place_of_the_body() {
    let long = "k".repeat(500);
    for body in [
        format!(r#"{{"model":"gpt-image-2","{long}":1}}"#),
        format!(r#"{{"model":"gpt-image-2","messages":[1,{{"{long}":1}}]}}"#),
        format!(
            r#"{{"model":"gpt-image-2","messages":[{{"role":"user","content":[{{"text":"x","{long}…":1}}]}}]}}"#
        ),
        format!(
            r#"{{"model":"gpt-image-2","prompt":"x","{}…":1}}"#,
            "é".repeat(119)
        ),
        format!(r#"{{"model":"gpt-image-2","x…":1,"{long}":{{"{long}":1,"{long}":2}}}}"#),
        r#"{"a":{"b":1,"b":2},"a":3}"#.to_owned(),
        r#"{"messages":[{"role":"user"}]}"#.to_owned(),
        r#"{"messages":[{"content":"x"}]}"#.to_owned(),
    ] {
        super::run("body", &[b"\0", body.as_bytes()].concat());
    }
}

#[test]
#[should_panic(expected = "is in none of")]
fn a_fault_at_no_place_of_the_body_is_a_finding() {
    let tree = serde_json::from_str(r#"{"messages":[{"content":1}]}"#).expect("JSON");
    let fault = |param: &str| crate::error::Fault {
        param: param.to_owned(),
        code: "invalid_type",
        message: "wrong".to_owned(),
    };
    super::expect_places(&tree, &[fault("messages[0].content")]);
    super::expect_places(&tree, &[fault("messages[0].cont…")]);
}
