//! What people meet who do not know Pinhole yet: what a call will cost, what is wrong with what they typed or set, and what
//! only the server knows.

use crate::cli::{Place, Ran, Server};
use serde_json::Value;
use std::path::Path;

/// A model of the operator's own, made here and at a price.
const DEAR: &str = "extends = \"sketch\"\nid = \"dear\"\n\n[[price]]\nunit = \"image\"\namount = \"0.5\"\nsource = \"a test\"\ndate = 2026-11-21\n";

/// A place with that model, and a live key of its own.
fn with_dear_model() -> (Place, String) {
    let place = Place::new();
    let catalogue = place.work().join("catalogue");
    std::fs::create_dir(&catalogue).expect("a folder");
    std::fs::write(catalogue.join("dear.toml"), DEAR).expect("written");
    std::fs::write(place.work().join("pinhole.toml"), "").expect("written");
    let key = live_key(&place);
    (place, key)
}

fn live_key(place: &Place) -> String {
    let made = place.json(&["keys", "create", "--name", "live", "--json"]);
    made["key"].as_str().expect("a secret").to_owned()
}

fn with(place: &Place, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = place.command(arguments);
    command.envs(variables.iter().copied());
    Ran::of(command.output().expect("it starts"))
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("a folder").count()
}

#[test]
fn a_live_call_says_what_it_will_cost_alone_and_through_a_server() {
    let (place, key) = with_dear_model();
    let live = [("PINHOLE_API_KEY", key.as_str())];
    let call = ["gen", "fox", "-m", "dear", "--size", "64x64", "-n", "2"];
    let alone = with(&place, &live, &call).exits(0);
    let first = |ran: &Ran| ran.stderr.lines().next().unwrap_or_default().to_owned();
    assert_eq!(first(&alone), "  dear · 2 pictures · 64x64 · est. $1.0000");
    let server = Server::start(&place);
    assert_eq!(first(&with(&place, &live, &call).exits(0)), first(&alone));
    let elsewhere = Place::new();
    let (url, key) = (server.url(), key.as_str());
    let remote = [("PINHOLE_URL", url.as_str()), ("PINHOLE_API_KEY", key)];
    assert_eq!(
        first(&with(&elsewhere, &remote, &call).exits(0)),
        first(&alone)
    );
    let edit = [
        "edit",
        "pinhole-0001.png",
        "at night",
        "-m",
        "dear",
        "--size",
        "64x64",
    ];
    let edited = with(&elsewhere, &remote, &edit).exits(0);
    assert_eq!(first(&edited), "  dear · 64x64 · est. $0.5000");
    let submit = ["task", "submit", "fox", "-m", "dear", "--size", "64x64"];
    let submitted = with(&elsewhere, &remote, &submit).exits(0);
    assert_eq!(first(&submitted), "  dear · 64x64 · est. $0.5000");
    let compare = [
        "compare", "fox", "-m", "dear", "-m", "sketch", "--size", "64x64",
    ];
    let compared = with(&place, &live, &compare).exits(0);
    assert_eq!(first(&compared), "  2 models · est. $0.5000");
}

#[test]
fn a_model_that_only_the_server_has_works_by_the_servers_form() {
    let (place, key) = with_dear_model();
    let server = Server::start(&place);
    let (elsewhere, url) = (Place::new(), server.url());
    let remote = [
        ("PINHOLE_URL", url.as_str()),
        ("PINHOLE_API_KEY", key.as_str()),
    ];
    let help = with(&elsewhere, &remote, &["gen", "--help", "-m", "dear"]).exits(0);
    assert!(help.out().contains("Parameters of dear") && help.out().contains("--size"));
    let call = [
        "gen", "fox", "-m", "dear", "--size", "64x64", "-o", "fox.jpg",
    ];
    with(&elsewhere, &remote, &call)
        .exits(0)
        .says(&["Saved  fox.jpg"]);
    let saved = std::fs::read(elsewhere.work().join("fox.jpg")).expect("a file");
    assert!(
        saved.starts_with(b"\xff\xd8"),
        "it is a JPEG, as its name says"
    );
    let gif = ["gen", "fox", "-m", "dear", "-o", "fox.gif"];
    with(&elsewhere, &remote, &gif)
        .exits(2)
        .says(&["png, webp, jpeg"]);
    // Nobody told of it: then so is it said, and no other command's help named.
    let nobody = [
        ("PINHOLE_URL", "http://127.0.0.1:1"),
        ("PINHOLE_API_KEY", key.as_str()),
    ];
    with(&elsewhere, &nobody, &call).exits(2).says(&[
        "no option `--size` here",
        "the parameters of `dear` are not known",
        "http://127.0.0.1:1",
        "-p NAME=VALUE",
    ]);
    with(
        &elsewhere,
        &[],
        &["gen", "x", "-m", "dear", "--size", "64x64"],
    )
    .exits(2)
    .says(&["this machine's catalogue does not have it"]);
}

#[test]
fn a_wrong_base_url_is_told_to_the_operator_and_to_no_client() {
    let place = Place::new();
    let key = live_key(&place);
    let other = Place::new();
    let server = Server::start(&other);
    let wrong = format!("{}/wrong", server.url());
    for (base, answer) in [
        ("http://127.0.0.1:1/v1", "refused"),
        (wrong.as_str(), "it answered 404"),
    ] {
        let variables = [
            ("PINHOLE_API_KEY", key.as_str()),
            ("OPENAI_API_KEY", "sk-very-secret"),
            ("OPENAI_BASE_URL", base),
        ];
        let ran = with(&place, &variables, &["gen", "fox"]).exits(1);
        let said = ran.stderr.replace("\n       ", " ");
        let place = format!("openai at {base}/images/generations");
        for word in [
            place.as_str(),
            answer,
            "base URL",
            "pinhole doctor --online",
        ] {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
        assert!(
            !said.contains("sk-very-secret") && !said.contains("wait a little"),
            "{said}"
        );
        assert!(!said.contains(" ERROR "), "it is said once: {said}");
    }
    let file = "[provider.openai]\nkind = \"openai\"\napi_key = \"sk-very-secret\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    std::fs::write(place.work().join("pinhole.toml"), file).expect("written");
    let through = Server::start(&place);
    let (url, elsewhere) = (through.url(), Place::new());
    let remote = [
        ("PINHOLE_URL", url.as_str()),
        ("PINHOLE_API_KEY", key.as_str()),
    ];
    let ran = with(&elsewhere, &remote, &["gen", "fox"]).exits(1);
    assert!(!ran.stderr.contains("127.0.0.1:1/"), "{}", ran.stderr);
    let _ = ran.says(&["the server's log", "pinhole doctor --online"]);
}

#[test]
fn a_doctor_knows_a_provider_that_is_the_server_itself() {
    let place = Place::new();
    let own = [
        ("PINHOLE_LISTEN", "127.0.0.1:7979"),
        ("OPENAI_API_KEY", "sk-none"),
        ("OPENAI_BASE_URL", "http://localhost:7979/v1"),
    ];
    // Variables that a client in the same shell needs turn nothing on.
    let said = with(&place, &own, &["doctor"]).exits(0).out();
    assert!(said.contains("would call itself"), "{said}");
    // A section of the file is meant as it stands, and so is wherever a server listens now.
    let write = |base: &str| {
        let file = format!(
            "[provider.me]\nkind = \"openai\"\napi_key = \"k\"\nbase_url = \"{base}/v1\"\n"
        );
        std::fs::write(place.work().join("pinhole.toml"), file).expect("written");
    };
    write("http://localhost:7979");
    let said = with(&place, &own[..1], &["doctor"]).exits(1).out();
    let wrong = "wrong  providers  me at http://localhost:7979/v1";
    assert!(
        said.contains(wrong) && said.contains("would call itself"),
        "{said}"
    );
    let running = Server::start(&place);
    write(&running.url());
    let said = with(&place, &own[..1], &["doctor"]).exits(1).out();
    assert!(said.contains("would call itself"), "{said}");
    drop(running);
    std::fs::remove_file(place.work().join("pinhole.toml")).expect("removed");
    let other = Place::new();
    let server = Server::start(&other);
    let wrong = format!("{}/wrong", server.url());
    let variables = [
        ("PINHOLE_LISTEN", "127.0.0.1:0"),
        ("OPENAI_API_KEY", "sk-none"),
        ("OPENAI_BASE_URL", wrong.as_str()),
    ];
    let said = with(&place, &variables, &["doctor", "--online"])
        .exits(0)
        .out();
    assert!(
        said.contains("look   providers") && said.contains("nothing at /models"),
        "{said}"
    );
}

#[test]
fn a_file_is_what_its_name_says_or_nothing_is_made() {
    let place = Place::new();
    let make = |more: &[&str]| {
        place.run(&[&["gen", "fox", "-m", "sketch", "--size", "64x64"], more].concat())
    };
    make(&["-o", "x.gif"]).exits(2).says(&[
        "x.gif cannot be made",
        "png, webp, jpeg",
        ".png or .webp or .jpeg",
    ]);
    make(&["-o", "x.gif", "--dry-run"]).exits(2);
    make(&["-o", "x.jpg", "-p", "output_format=png"])
        .exits(2)
        .says(&["disagree"]);
    place
        .run(&[
            "compare", "fox", "-m", "sketch", "-m", "NBP", "--sheet", "x.jpg",
        ])
        .exits(2)
        .says(&[".png"]);
    assert_eq!(files(&place.work()), 0);
    assert!(
        !place.data().join("pinhole.db").exists(),
        "nothing was even opened"
    );
    for (name, first) in [
        ("x.jpg", &b"\xff\xd8"[..]),
        ("x.WEBP", b"RIFF"),
        ("x.png", b"\x89PNG"),
        ("x", b"\x89PNG"),
    ] {
        make(&["-o", name]).exits(0);
        let bytes = std::fs::read(place.work().join(name)).expect("a file");
        assert!(bytes.starts_with(first), "{name}");
    }
}

#[test]
fn an_amount_below_zero_is_refused_in_words() {
    let place = Place::new();
    place.run(&["accounts", "create", "team"]).exits(0);
    for arguments in [
        &["credits", "grant", "team", "-5"][..],
        &["accounts", "create", "other", "--credit-line", "-5"],
        &["keys", "create", "--name", "k", "--spend-cap", "-5/day"],
    ] {
        place
            .run(arguments)
            .exits(2)
            .says(&["is not possible for", "not below zero"]);
    }
    place
        .run(&["gen", "x", "-n", "-2"])
        .exits(2)
        .says(&["`-2` is not possible for"]);
    assert_eq!(
        place
            .json(&["accounts", "ls", "--json"])
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

/// Variables, arguments, and the code that they end with.
type Fault<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], i32);

/// One row of the table in `docs/cli.md` each: what was done, and the code.
#[test]
fn the_same_fault_has_the_same_exit_code_everywhere() {
    let place = Place::new();
    let small = ["gen", "x", "-m", "sketch", "--size", "64x64"];
    place.run(&small).exits(0);
    let set: &[(&str, &str)] = &[("PINHOLE_KEEP_DAYS", "soon")];
    let provider: &[(&str, &str)] = &[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "nowhere")];
    let nobody: &[(&str, &str)] = &[("PINHOLE_URL", "http://127.0.0.1:1")];
    let no_scheme: &[(&str, &str)] = &[("PINHOLE_URL", "localhost:7070")];
    let foreign: &[(&str, &str)] = &[("PINHOLE_API_KEY", "sk-nobody")];
    let rows: &[Fault<'_>] = &[
        // What was asked cannot be: arguments, variables, settings.
        (&[], &["gen"], 2),
        (&[], &["gen", "x", "-m", "no-such-model"], 2),
        (&[], &["webhook", "test", "nowhere"], 2),
        (&[], &["webhook", "test", "http://127.0.0.1:1/"], 2),
        (&[], &["task", "get", "task_1"], 2),
        (set, &["gen", "x"], 2),
        (set, &["task", "ls"], 2),
        (set, &["serve"], 2),
        (provider, &["gen", "x"], 2),
        (provider, &["providers"], 2),
        (provider, &["serve"], 2),
        (&[], &["serve", "--listen", "nowhere"], 2),
        (no_scheme, &["gen", "x"], 2),
        (no_scheme, &["models"], 2),
        (no_scheme, &["health"], 2),
        // A check that finds something, and what did not work.
        (set, &["config", "check"], 1),
        (provider, &["config", "check"], 1),
        (set, &["doctor"], 1),
        (nobody, &["gen", "x"], 1),
        (nobody, &["health"], 1),
        (nobody, &["webhook", "ls"], 1),
        (
            &[],
            &["task", "get", "task_00000000000000000000000000000000"],
            1,
        ),
        (foreign, &["gen", "x"], 3),
        (&[], &["gen", "[pinhole:fail=upstream] x"], 5),
        (&[], &["gen", "[pinhole:fail=timeout] x"], 6),
    ];
    for (variables, arguments, code) in rows {
        let ran = with(&place, variables, arguments);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        let said = format!("{arguments:?} {variables:?}: {}", ran.stderr);
        assert_eq!(ran.code(), Some(*code), "{said}");
    }
}

#[test]
fn a_restore_of_something_else_leaves_nothing_behind() {
    let place = Place::new();
    let (text, folder) = (place.work().join("notes.txt"), place.work().join("photos"));
    std::fs::write(&text, "not a tar file, by far").expect("written");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("a.png"), "x").expect("written");
    for from in ["notes.txt", "photos"] {
        let ran = place.run(&["restore", from]).exits(1);
        for library in ["numeric field", "archive", "os error"] {
            assert!(!ran.stderr.contains(library), "{}", ran.stderr);
        }
        let _ = ran.says(&["is no whole backup", "`pinhole backup`"]);
        assert!(!place.data().exists());
    }
    // One that is damaged is noticed only later.
    std::fs::write(folder.join("backup.json"), "{\"format\": 1}").expect("written");
    std::fs::write(folder.join("pinhole.db"), "rows?").expect("written");
    let _ = place.run(&["restore", "photos"]).exits(1);
    assert!(!place.data().exists());
}

#[test]
fn the_help_that_a_fault_names_is_that_of_its_command() {
    let place = Place::new();
    for (arguments, help) in [
        (&["keys", "create"][..], "`pinhole keys create --help`"),
        (&["keys", "create", "--nam", "x", "--zzz"], "--name"),
        (&["keys", "create", "--zzz"], "`pinhole keys create --help`"),
        (&["task", "ls", "-n", "x"], "`pinhole task ls --help`"),
        (
            &["webhook", "secret", "rotate", "--overlap", "x"],
            "`pinhole webhook secret rotate --help`",
        ),
        (&["gen", "x", "y"], "`pinhole generate --help`"),
        (&["gen", "x", "--zzz"], "`pinhole generate --help`"),
        (&["credits", "grant"], "`pinhole credits grant --help`"),
        (&["zzz"], "`pinhole --help`"),
        (&["keys", "zzz"], "`pinhole keys --help`"),
    ] {
        place.run(arguments).exits(2).says(&[help]);
    }
}

/// What `--json` prints for one command, for those who read its words.
#[test]
fn words_count_as_people_do() {
    let place = Place::new();
    let imported = place
        .command(&["keys", "import"])
        .write_stdin("sk-1234567890abcdefghij\n")
        .output();
    let ran = Ran::of(imported.expect("it starts")).exits(0);
    let _ = ran.says(&["Imported 1 key into"]);
    let again = place.json(&[
        "webhook",
        "resend",
        "--failed",
        "--since",
        "2026-01-01",
        "--json",
    ]);
    assert_eq!(again["resent"], Value::from(0));
    place
        .run(&["webhook", "resend", "--failed", "--since", "2026-01-01"])
        .says(&["0 callbacks are sent again"]);
}
