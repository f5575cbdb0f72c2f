//! What an operator does with a folder: `doctor`, `health`, `backup`, `restore`; and what shells and manuals read.

use crate::cli::{Place, Ran, Server, wait_for};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SMALL: [&str; 4] = ["-m", "sketch", "--size", "64x64"];

fn make(place: &Place, prompt: &str) -> String {
    let made = place.json(&[&["gen", prompt, "--json"], &SMALL[..]].concat());
    made["task"].as_str().expect("an id").to_owned()
}

fn doctor(place: &Place, code: i32, variables: &[(&str, &str)]) -> (String, Value) {
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        let free = [("PINHOLE_LISTEN", "127.0.0.1:0")];
        command.envs(free.iter().chain(variables).copied());
        Ran::of(command.output().expect("it starts")).exits(code)
    };
    let json = run(&["doctor", "--json"]);
    let value: Value = serde_json::from_slice(&json.stdout).expect("stdout is JSON");
    assert_eq!(value["healthy"], code == 0);
    for finding in value["findings"].as_array().expect("a list") {
        assert_eq!(
            finding["fix"].is_null(),
            finding["state"] == "ok",
            "{finding}"
        );
    }
    (run(&["doctor"]).out(), value)
}

fn state_of(report: &Value, about: &str) -> String {
    let findings = report["findings"].as_array().expect("a list");
    let found = findings.iter().find(|finding| finding["about"] == about);
    let state = found.and_then(|finding| finding["state"].as_str());
    state
        .unwrap_or_else(|| panic!("{about} in {report}"))
        .to_owned()
}

/// The one file below `blobs/` that no other backup of the test needs to guess.
fn a_blob(data: &Path) -> PathBuf {
    let shard = std::fs::read_dir(data.join("blobs"))
        .expect("blobs")
        .flatten()
        .next()
        .expect("a shard");
    let blob = std::fs::read_dir(shard.path())
        .expect("a shard")
        .flatten()
        .next();
    blob.expect("a blob").path()
}

#[test]
fn a_doctor_finds_nothing_on_a_fresh_machine_and_makes_nothing() {
    let place = Place::new();
    let (words, report) = doctor(&place, 0, &[]);
    assert!(
        words.contains("ok     data") && words.contains("not there yet"),
        "{words}"
    );
    assert_eq!(state_of(&report, "providers"), "look");
    assert!(!place.data().exists(), "it makes nothing");
    make(&place, "a fox");
    let (words, _) = doctor(&place, 0, &[]);
    assert!(
        words.contains("ok     rows       whole") && words.contains("1 picture, none is missing"),
        "{words}"
    );
}

#[test]
fn a_doctor_says_what_is_wrong_and_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    make(&place, "a fox");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = (busy.local_addr().expect("an address").to_string(), busy);
    let (words, report) = doctor(&place, 1, &[("PINHOLE_LISTEN", &busy.0)]);
    assert_eq!(state_of(&report, "port"), "wrong");
    assert!(words.contains("fix: stop what listens there"), "{words}");
    drop(taken);

    let (_, report) = doctor(&place, 1, &[("PINHOLE_MIN_FREE_MIB", "999999999")]);
    assert_eq!(state_of(&report, "disk"), "wrong");
    let (_, report) = doctor(&place, 1, &[("PINHOLE_LISTEN", "nowhere")]);
    assert_eq!(state_of(&report, "settings"), "wrong");

    let key = place.data().join("test-key");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("changed");
    let (words, report) = doctor(&place, 0, &[]);
    assert_eq!(state_of(&report, "data"), "look");
    assert!(words.contains("fix: chmod 600"), "{words}");

    std::fs::remove_file(a_blob(&place.data())).expect("removed");
    let rows = rusqlite::Connection::open(place.data().join("pinhole.db")).expect("the rows");
    rows.execute("UPDATE accounts SET available = available + 1", [])
        .expect("tampered");
    drop(rows);
    let (_, report) = doctor(&place, 1, &[]);
    assert_eq!(state_of(&report, "pictures"), "wrong");
    assert_eq!(state_of(&report, "books"), "wrong");
}

#[test]
fn a_doctor_does_not_take_an_older_folder_for_a_broken_one() {
    let place = Place::new();
    make(&place, "a fox");
    let rows = rusqlite::Connection::open(place.data().join("pinhole.db")).expect("the rows");
    rows.pragma_update(None, "user_version", 3)
        .expect("changed");
    drop(rows);
    let (words, report) = doctor(&place, 0, &[]);
    assert_eq!(state_of(&report, "rows"), "look");
    assert!(words.contains("of version 3"), "{words}");
}

#[test]
fn a_doctor_calls_providers_only_when_it_is_asked_to() {
    let place = Place::new();
    let nobody = [
        ("OPENAI_API_KEY", "sk-none"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
    ];
    let (words, report) = doctor(&place, 0, &nobody);
    assert_eq!(state_of(&report, "providers"), "ok");
    assert!(
        words.contains("http://127.0.0.1:1/v1 (not called") && !words.contains("sk-none"),
        "{words}"
    );
    let mut command = place.command(&["doctor", "--online"]);
    command.envs(nobody).env("PINHOLE_LISTEN", "127.0.0.1:0");
    let said = Ran::of(command.output().expect("it starts")).exits(1).out();
    assert!(
        said.contains("wrong  providers") && said.contains("does not answer"),
        "{said}"
    );
}

#[test]
fn health_is_an_exit_code() {
    let place = Place::new();
    place
        .run(&["health", "--url", "http://127.0.0.1:1"])
        .exits(1)
        .says(&["cannot be reached"]);
    let server = Server::start(&place);
    assert_eq!(place.json(&["health", "--json"])["ready"], true);
    assert!(
        place
            .run(&["health"])
            .exits(0)
            .out()
            .contains(&server.url())
    );
}

#[test]
fn a_backup_of_a_running_server_is_restored_elsewhere_with_everything_in_it() {
    let place = Place::new();
    place.run(&["accounts", "create", "team"]).exits(0);
    place.run(&["credits", "grant", "team", "12.5"]).exits(0);
    let server = Server::start(&place);
    let task = make(&place, "a fox");
    for to in ["copy", "copy.tar"] {
        let kept = place.json(&["backup", to, "--json"]);
        assert_eq!(kept["blobs"], 1, "{kept}");
        assert_eq!(
            (&kept["verified"], &kept["missing"]),
            (&true.into(), &Value::Array(Vec::new()))
        );
        place
            .run(&["backup", to])
            .exits(2)
            .says(&["is there already"]);
    }
    make(&place, "a hare that no backup has");
    drop(server);
    let hidden = std::fs::read_dir(place.work()).expect("a folder").flatten();
    let hidden = hidden.filter(|entry| entry.file_name().to_string_lossy().contains("part"));
    assert_eq!(hidden.count(), 0, "nothing unfinished is left");

    for from in ["copy", "copy.tar"] {
        let other = Place::new();
        let from = place.work().join(from);
        let restored = other.json(&["restore", from.to_str().expect("text"), "--json"]);
        assert_eq!(restored["missing"], Value::Array(Vec::new()));
        assert_eq!(
            other.json(&["task", "get", &task, "--json"])["state"],
            "completed"
        );
        assert_eq!(
            other.json(&["balance", "team", "--json"])["available"],
            "12.500000"
        );
        let all = other.json(&["task", "ls", "--json"]);
        assert!(!all.to_string().contains("hare"), "{all}");
        let (words, _) = doctor(&other, 0, &[]);
        assert!(words.contains("1 picture, none is missing"), "{words}");
        // The key of the backup is the key of the copy, and its server runs.
        let server = Server::start(&other);
        make(&other, "an owl");
        drop(server);
        let again = ["restore", from.to_str().expect("text")];
        other
            .run(&again)
            .exits(2)
            .says(&["is not empty", "--replace"]);
        let replaced = other.json(&[&again[..], &["--replace", "--json"]].concat());
        let before = PathBuf::from(replaced["before"].as_str().expect("a folder"));
        assert!(
            before.join("pinhole.db").is_file(),
            "what was there is kept"
        );
        assert_eq!(doctor(&other, 0, &[]).1["healthy"], true);
    }
}

#[test]
fn a_backup_says_what_is_missing_and_a_restore_too() {
    let place = Place::new();
    make(&place, "a fox");
    make(&place, "a hare");
    place.run(&["backup", "whole"]).exits(0);
    let lost = a_blob(&place.data());
    let name = lost
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    std::fs::write(&lost, b"not what it was").expect("written");
    place.run(&["backup", "less.tar"]).exits(1).says(&[
        "the data folder is not",
        &name,
        "not those that were stored",
    ]);
    std::fs::remove_file(&lost).expect("removed");
    place
        .run(&["backup", "least"])
        .exits(1)
        .says(&[&name, "it is not there"]);
    let other = Place::new();
    let least = place.work().join("least");
    other
        .run(&["restore", least.to_str().expect("text")])
        .exits(0)
        .says(&["Missing", &name, "1 picture is missing"]);
}

#[test]
fn what_is_no_whole_backup_is_refused_and_changes_nothing() {
    let place = Place::new();
    make(&place, "a fox");
    place.run(&["backup", "copy"]).exits(0);
    let other = Place::new();
    let restore = |words: &[&str]| {
        let from = place.work().join("copy");
        let ran = other
            .run(&["restore", from.to_str().expect("text")])
            .exits(1);
        let _ = ran.says(words);
        assert!(
            !other.data().join("pinhole.db").exists() && !other.data().join(".restoring").exists()
        );
    };
    let (manifest, rows) = (
        place.work().join("copy/backup.json"),
        place.work().join("copy/pinhole.db"),
    );
    let kept = (
        std::fs::read(&manifest).expect("read"),
        std::fs::read(&rows).expect("read"),
    );
    std::fs::remove_file(&manifest).expect("removed");
    restore(&["is no whole backup"]);
    std::fs::write(&manifest, r#"{"format": 99}"#).expect("written");
    restore(&["of another program"]);
    std::fs::write(&manifest, &kept.0).expect("written");
    std::fs::write(&rows, &kept.1[..kept.1.len() / 2]).expect("written");
    restore(&["fix:"]);
    std::fs::write(&rows, &kept.1).expect("written");
    let tampered = rusqlite::Connection::open(&rows).expect("the rows");
    tampered
        .execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM accounts")
        .expect("tampered");
    drop(tampered);
    restore(&["the rows are damaged", "names a row of accounts"]);
    std::fs::write(&rows, &kept.1).expect("written");
    let server = Server::start(&other);
    let from = place.work().join("copy");
    other
        .run(&["restore", from.to_str().expect("text"), "--replace"])
        .exits(1)
        .says(&["works on this data folder"]);
    drop(server);
    place
        .run(&["restore", "nowhere"])
        .exits(2)
        .says(&["nowhere cannot be read"]);
    let empty = Place::new();
    empty
        .run(&["backup", "x"])
        .exits(1)
        .says(&["there is no database"]);
}

#[test]
fn a_backup_is_one_state_while_tasks_end() {
    let place = Place::new();
    let server = Server::start(&place);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..8).for_each(|index| drop(make(&place, &format!("fox {index}")))));
        wait_for(Duration::from_secs(60), || {
            let listed = place.run(&["task", "ls", "--json"]);
            listed.out().contains("task_").then_some(())
        });
        place.run(&["backup", "copy"]).exits(0);
    });
    drop(server);
    let other = Place::new();
    let from = place.work().join("copy");
    let restored = other.json(&["restore", from.to_str().expect("text"), "--json"]);
    assert_eq!(restored["missing"], Value::Array(Vec::new()));
    assert_eq!(other.json(&["ledger", "check", "--json"])["clean"], true);
}

#[test]
fn what_was_unfinished_in_a_backup_has_ended_when_it_is_restored() {
    let place = Place::new();
    let server = Server::start(&place);
    let slow = "a fox [pinhole:delay=600s]";
    let task = place.run(&["task", "submit", "-m", "sketch", "--size", "64x64", slow]);
    let task = task.exits(0).out();
    place.run(&["backup", "copy"]).exits(0);
    drop(server);
    let from = place.work().join("copy");
    let from = ["restore", from.to_str().expect("text"), "--json"];

    let other = Place::new();
    let restored = other.json(&from);
    assert_eq!(restored["ended"], serde_json::json!([task]));
    assert_eq!(restored["deliveries_given_up"], 0);
    let told = other.json(&["task", "get", &task, "--json"]).to_string();
    assert!(told.contains("made before this task ended"), "{told}");
    let books = other.json(&["ledger", "check", "--json"]);
    assert_eq!(books["clean"], true, "{books}");
    let words = other.run(&["restore", from[1], "--replace"]).exits(0);
    let _ = words.says(&[&task, "1 task was unfinished"]);
    // Its next server finds nothing to take up.
    let server = Server::start(&other);
    let again = other.json(&["task", "get", &task, "--json"]);
    assert_eq!(again["state"], "failed", "{again}");
    drop(server);

    let resumed = Place::new();
    let restored = resumed.json(&[&from[..], &["--resume"]].concat());
    assert_eq!(restored["ended"], Value::Array(Vec::new()));
    let told = resumed.json(&["task", "get", &task, "--json"]);
    assert_ne!(told["state"], "failed", "{told}");
}

#[test]
fn books_that_are_not_in_order_are_kept_and_told() {
    let place = Place::new();
    make(&place, "a fox");
    let rows = rusqlite::Connection::open(place.data().join("pinhole.db")).expect("the rows");
    rows.execute("UPDATE accounts SET available = available + 5", [])
        .expect("tampered");
    drop(rows);
    let finding = "its transfers come to";
    let _ = place
        .run(&["backup", "copy"])
        .exits(1)
        .says(&["the backup is whole", finding]);
    let other = Place::new();
    let from = place.work().join("copy");
    let _ = other
        .run(&["restore", from.to_str().expect("text")])
        .exits(1)
        .says(&["the backup is restored", finding]);
    assert!(other.data().join("pinhole.db").is_file());
    assert!(a_blob(&other.data()).is_file());
}

#[test]
fn a_backup_leaves_an_older_folder_as_it_is() {
    const BEFORE: [&str; 9] = [
        include_str!("../../migrations/sqlite/0001_first.sql"),
        include_str!("../../migrations/sqlite/0002_idempotency.sql"),
        include_str!("../../migrations/sqlite/0003_text.sql"),
        include_str!("../../migrations/sqlite/0004_files.sql"),
        include_str!("../../migrations/sqlite/0005_history.sql"),
        include_str!("../../migrations/sqlite/0006_usage.sql"),
        include_str!("../../migrations/sqlite/0007_queue.sql"),
        include_str!("../../migrations/sqlite/0008_webhooks.sql"),
        include_str!("../../migrations/sqlite/0009_leases.sql"),
    ];
    let version = |path: PathBuf| -> i64 {
        let rows = rusqlite::Connection::open(path).expect("the rows");
        rows.pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("a version")
    };
    for (known, migrations) in [(3, &BEFORE[..3]), (9, &BEFORE[..])] {
        let place = Place::new();
        std::fs::create_dir_all(place.data()).expect("made");
        let file = place.data().join("pinhole.db");
        let rows = rusqlite::Connection::open(&file).expect("the rows");
        rows.execute_batch(&migrations.concat()).expect("made");
        rows.pragma_update(None, "application_id", 0x504e_484c)
            .expect("marked");
        rows.pragma_update(None, "user_version", known)
            .expect("marked");
        rows.pragma_update(None, "journal_mode", "wal")
            .expect("set");
        drop(rows);
        place.run(&["backup", "copy"]).exits(0);
        let copied = place.work().join("copy");
        assert_eq!(version(file), known, "its server may be running");
        assert_eq!(version(copied.join("pinhole.db")), known);
        let other = Place::new();
        let from = ["restore", copied.to_str().expect("text")];
        other.run(&from).exits(0);
        assert!(version(other.data().join("pinhole.db")) > known);
    }
}

/// What a shell would offer for these words.
fn offered(place: &Place, words: &[&str]) -> String {
    let arguments = [&["--", "pinhole"], words].concat();
    let mut command = place.command(&arguments);
    command
        .env("PINHOLE_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "false")
        .env("_CLAP_IFS", "\n");
    Ran::of(command.output().expect("it starts")).exits(0).out()
}

#[test]
fn shells_are_offered_commands_models_and_what_parameters_take() {
    let place = Place::new();
    assert!(offered(&place, &["genera"]).contains("generate"));
    let models = offered(&place, &["gen", "-m", "gpt-"]);
    assert!(
        models.contains("gpt-image-2")
            && models.contains("gpt-image-2-lite")
            && !models.contains("sketch"),
        "{models}"
    );
    assert!(offered(&place, &["gen", "--qual"]).contains("--quality"));
    assert!(
        offered(&place, &["gen", "-m", "gpt-image-2-beta", "--asp"]).contains("--aspect-ratio")
    );
    assert_eq!(offered(&place, &["gen", "--quality", "hi"]), "high");
    assert!(offered(&place, &["models", "show", "qwen"]).contains("qwen-image-plus"));
    let own = place.root.path().join("catalogue");
    std::fs::create_dir(&own).expect("a folder");
    std::fs::write(
        own.join("mine.toml"),
        "id = \"my-own\"\nextends = \"sketch\"\n",
    )
    .expect("written");
    std::fs::write(
        place.work().join("pinhole.toml"),
        format!("catalogue = \"{}\"\n", own.display()),
    )
    .expect("written");
    assert_eq!(offered(&place, &["gen", "-m", "my"]), "my-own");
}

#[test]
fn a_completion_script_loads_in_its_shell() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_BIN_EXE_pinhole"))
        .parent()
        .expect("a folder");
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let checks = [
        (
            "bash",
            "eval \"$(pinhole completions bash)\" && complete -p pinhole && COMP_WORDS=(pinhole gen -m skt) COMP_CWORD=3 COMP_TYPE=9 && COMP_WORDS[3]=sket && _clap_complete_pinhole && echo \"offered ${COMPREPLY[*]}\"",
        ),
        (
            "zsh",
            "autoload -U compinit && compinit -u -D && eval \"$(pinhole completions zsh)\" && print offered $_comps[pinhole]",
        ),
        (
            "fish",
            "pinhole completions fish | source; and echo offered (complete -C 'pinhole gen -m sket')",
        ),
    ];
    for (shell, check) in checks {
        let output = Command::new(shell)
            .args(if shell == "bash" {
                vec!["--norc", "-c", check]
            } else {
                vec!["-c", check]
            })
            .env_clear()
            .env("PATH", &path)
            .env("HOME", place.root.path())
            .env("PINHOLE_DATA", place.data())
            .output();
        let Ok(output) = output else {
            crate::guard::not_run(&format!("there is no {shell}"));
            continue;
        };
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && words.contains("offered"),
            "{shell}: {words}{error}"
        );
        assert!(
            shell == "zsh" || words.contains("sketch"),
            "{shell}: {words}{error}"
        );
    }
}

#[test]
fn every_command_has_a_page_of_the_manual() {
    let place = Place::new();
    let page = place.run(&["man"]).exits(0).out();
    assert!(
        page.contains(".TH pinhole 1") && page.contains("PINHOLE_URL"),
        "{page}"
    );
    place.run(&["man", "--dir", "pages"]).exits(0);
    for name in [
        "pinhole.1",
        "pinhole-generate.1",
        "pinhole-keys-create.1",
        "pinhole-doctor.1",
    ] {
        assert!(place.work().join("pages").join(name).is_file(), "{name}");
    }
}
