//! The command line from outside: the real binary, with arguments, files, exit codes and what it prints.

use assert_cmd::Command;
use pinhole::catalogue::Catalogue;
use serde_json::Value;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// An environment of its own: a data folder, a working folder, no variable from outside.
pub struct Place {
    pub root: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("work")).expect("a folder");
        Self { root }
    }

    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.root.path())
            .env("PINHOLE_DATA", self.data())
            .env("PINHOLE_MIN_FREE_MIB", "0")
            .current_dir(self.work())
            .timeout(Duration::from_secs(120));
        command
    }

    /// Runs it; whatever it prints must be plain, because this is no terminal.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("it starts");
        Ran::of(output)
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(arguments).exits(0);
        serde_json::from_slice(&ran.stdout).expect("stdout is JSON")
    }
}

pub struct Ran {
    code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).expect("words are UTF-8");
        assert!(!stderr.contains('\u{1b}'), "escape codes in {stderr}");
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr,
        }
    }

    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "{}\n{}",
            self.out_lossy(),
            self.stderr
        );
        self
    }

    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// stdout as text, without the last line break.
    pub fn out(&self) -> String {
        let text = std::str::from_utf8(&self.stdout).expect("text");
        assert!(!text.contains('\u{1b}'), "escape codes in {text}");
        text.trim_end().to_owned()
    }

    fn out_lossy(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is not in {}",
                self.stderr
            );
        }
        self
    }
}

/// A server on the place's folder, on a port of its own.
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub fn start(place: &Place) -> Self {
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_pinhole"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("HOME", place.root.path())
            .env("PINHOLE_DATA", place.data())
            .env("PINHOLE_MIN_FREE_MIB", "0")
            .env("PINHOLE_LOG", "off")
            .current_dir(place.work())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut server = Self {
            child,
            address: String::new(),
        };
        let lock = place.data().join("engine.lock");
        let listens = || {
            let text = std::fs::read_to_string(&lock).ok()?;
            let whole = text.ends_with('\n') && TcpStream::connect(text.trim()).is_ok();
            whole.then(|| text.trim().to_owned())
        };
        server.address = wait_for(Duration::from_secs(30), listens);
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The status that `/v1/models` answers to a key.
    fn status(&self, key: &str) -> u16 {
        use std::io::Write;
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request = format!(
            "GET /v1/models HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        status.expect("a status line")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a state, not for a time.
pub fn wait_for<T>(most: Duration, mut state: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = state() {
            return found;
        }
        assert!(started.elapsed() < most, "it did not come in {most:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn size_of(path: &Path) -> (u32, u32) {
    let bytes = std::fs::read(path).expect("the file is there");
    assert!(bytes.starts_with(b"\x89PNG"));
    let picture = image::load_from_memory(&bytes).expect("a whole picture");
    (picture.width(), picture.height())
}

#[test]
fn a_fresh_machine_gets_a_picture_with_one_command_and_the_next_has_the_next_number() {
    let place = Place::new();
    let first = place.run(&["generate", "a watercolour fox"]).exits(0);
    assert_eq!(first.out(), "./pinhole-0001.png");
    let _ = first.says(&[
        "gpt-image-2 (test)",
        "1024x1024",
        "est. $0.0000",
        "Saved  ./pinhole-0001.png",
    ]);
    assert_eq!(
        size_of(&place.work().join("pinhole-0001.png")),
        (1024, 1024)
    );
    let second = place.run(&["gen", "a watercolour fox"]).exits(0);
    assert_eq!(second.out(), "./pinhole-0002.png");
    let names = std::fs::read_dir(place.work()).expect("a folder").count();
    assert_eq!(names, 2, "nothing else is left in the folder");
}

#[test]
fn pictures_go_where_they_are_sent() {
    let place = Place::new();
    let bytes = place
        .run(&["gen", "fox", "--size", "1536x1024", "-o", "-"])
        .exits(0);
    let picture = image::load_from_memory(&bytes.stdout).expect("a picture and nothing else");
    assert_eq!((picture.width(), picture.height()), (1536, 1024));

    let arguments = [
        "gen",
        "fox",
        "-p",
        "output_format=webp",
        "-p",
        "n=2",
        "-o",
        "out/",
        "--json",
    ];
    let made = place.json(&arguments);
    let images = made["images"].as_array().expect("a list");
    assert_eq!(images.len(), 2);
    assert_eq!(images[1]["path"], "out/pinhole-0002.webp");
    assert_eq!(images[1]["format"], "webp");
    assert_eq!(images[1]["width"], 1024);
    assert_eq!(made["quote"], "0.106000");
    assert_eq!(made["cost"], "0.000000");
    assert!(place.work().join("out/pinhole-0002.webp").is_file());

    let task = made["task"].as_str().expect("an id");
    let told = place.json(&["task", "get", task, "--json"]);
    assert_eq!(told["state"], "completed");

    place.run(&["gen", "fox", "-o", "fox.png"]).exits(0);
    assert_eq!(size_of(&place.work().join("fox.png")), (1024, 1024));
    place
        .run(&["gen", "fox", "-o", "none/fox.png"])
        .exits(2)
        .says(&["there is no folder none"]);
    place.run(&["gen", "fox", "-o", "-", "--json"]).exits(2);
    place.run(&["gen", "fox", "-o", "-", "-n", "2"]).exits(2);
}

#[test]
fn a_dry_run_prints_the_price_and_makes_nothing() {
    let place = Place::new();
    let ran = place.run(&["gen", "fox", "--dry-run"]).exits(0);
    assert!(ran.out().contains("Price  $0.0530"), "{}", ran.out());
    assert!(ran.out().contains("\"prompt\": \"fox\""));
    let json = place.json(&[
        "gen",
        "fox",
        "--quality",
        "high",
        "-n",
        "3",
        "--dry-run",
        "--json",
    ]);
    assert_eq!(json["price"]["total"], "0.633000");
    assert_eq!(json["price"]["unit"], "0.211000");
    assert!(!place.data().exists());
}

#[test]
fn a_text_is_printed_alone_and_through_a_server() {
    let place = Place::new();
    let ask = ["generate", "-m", "gemini-3.5-flash", "Why is the sky blue?"];
    let alone = place.run(&ask).exits(0).says(&["gemini-3.5-flash (test)"]);
    assert!(alone.out().contains("canned"), "{}", alone.out());
    assert!(
        alone
            .out()
            .contains("20 characters, \"Why is the sky blue?\"")
    );
    let json = |place: &Place| {
        let more = ["--json", "-p", "response_format=json_object"];
        let made = place.json(&[&ask[..], &more].concat());
        assert_eq!(made["images"], serde_json::json!([]));
        let text = made["text"].as_str().expect("a text");
        let answer: Value = serde_json::from_str(text).expect("a JSON object");
        assert_eq!(answer["received"]["prompt"]["characters"], 20);
        made["task"].as_str().expect("an id").to_owned()
    };
    json(&place);
    let server = Server::start(&place);
    assert_eq!(place.run(&ask).exits(0).out(), alone.out());
    let task = json(&place);
    let shown = place.run(&["task", "get", &task]).exits(0).out();
    assert!(
        shown.contains("completed") && shown.contains("\"notice\""),
        "{shown}"
    );
    drop(server);
    place
        .run(&[&ask[..], &["-o", "answer.txt"]].concat())
        .exits(0)
        .says(&["answer.txt"]);
    let saved = std::fs::read_to_string(place.work().join("answer.txt")).expect("a file");
    assert_eq!(saved.trim_end(), alone.out());
    assert_eq!(
        place.run(&[&ask[..], &["-o", "-"]].concat()).exits(0).out(),
        alone.out()
    );

    let models = place.run(&["models"]).exits(0).out();
    assert!(
        models.contains("$1.5000 in, $9.0000 out a million tokens"),
        "{models}"
    );
    let shown = place
        .run(&["models", "show", "gemini-3.5-flash"])
        .exits(0)
        .out();
    assert!(shown.contains("million output tokens"), "{shown}");
    let dry = place.run(&[&ask[..], &["--dry-run", "-p", "max_tokens=100"]].concat());
    let dry = dry.exits(0).out();
    assert!(
        dry.contains("Price  $0.001026 at most: $1.5000 in, $9.0000 out"),
        "{dry}"
    );
    let refused = place.run(&[&ask[..], &["-p", "response_format=url"]].concat());
    refused
        .exits(2)
        .says(&["`response_format` has no meaning here"]);
}

#[test]
fn mistakes_are_told_all_at_once_with_a_guess_at_what_was_meant() {
    let place = Place::new();
    place
        .run(&["gen", "fox", "-m", "gpt-imag-2"])
        .exits(2)
        .says(&[
            "there is no model `gpt-imag-2`",
            "fix: did you mean `gpt-image-2`?",
        ]);
    let faults = [
        "`n` must be between 1 and 10, got 12",
        "did you mean `quality`?",
        "`size` must be one of",
    ];
    let wrong = [
        "gen",
        "fox",
        "-n",
        "12",
        "-p",
        "qualty=high",
        "--size",
        "7x7",
    ];
    place.run(&wrong).exits(2).says(&faults);
    place
        .run(&[&wrong[..], &["--dry-run"]].concat())
        .exits(2)
        .says(&faults);
    place
        .run(&["gen", "fox", "--size", "1024x1024", "-p", "size=auto"])
        .exits(2)
        .says(&["`size` is given twice"]);
    place
        .run(&["gen", "fox", "-p", "response_format=url"])
        .exits(2);
    place
        .run(&["gen", "fox", "-p", "\u{1b}[31mred=1"])
        .exits(2)
        .says(&["[31mred"]);
    place.run(&["generat", "fox"]).exits(2).says(&["generate"]);
    place
        .run(&["models", "show", "sketsh"])
        .exits(2)
        .says(&["did you mean `sketch`?"]);
}

#[test]
fn exit_codes_tell_failures_apart() {
    let place = Place::new();
    let small = ["gen", "-m", "sketch", "--size", "64x64"];
    let run = |prompt: &str| place.run(&[&small[..], &[prompt]].concat());
    run("a [pinhole:fail=upstream]")
        .exits(5)
        .says(&["nothing was charged"]);
    run("a [pinhole:fail=content_policy]").exits(5);
    run("a [pinhole:fail=unknown]").exits(5);
    run("a [pinhole:fail=timeout]").exits(6);
    let wrong_key = place
        .command(&["gen", "fox"])
        .env("PINHOLE_API_KEY", "sk-nobody")
        .output();
    Ran::of(wrong_key.expect("it starts"))
        .exits(3)
        .says(&["PINHOLE_API_KEY"]);
    let nobody = place
        .command(&["gen", "fox"])
        .env("PINHOLE_URL", "http://127.0.0.1:1")
        .output();
    Ran::of(nobody.expect("it starts"))
        .exits(1)
        .says(&["cannot be reached"]);
    assert_eq!(
        std::fs::read_dir(place.work()).expect("a folder").count(),
        0
    );
}

#[test]
fn a_live_key_without_credits_cannot_pay() {
    let place = Place::new();
    // `sketch` serves live keys too, at a price that the operator sets.
    let catalogue = place.root.path().join("catalogue");
    std::fs::create_dir(&catalogue).expect("a folder");
    let model = "extends = \"sketch\"\nid = \"dear\"\n\n[[price]]\nunit = \"image\"\namount = \"0.5\"\nsource = \"a test\"\ndate = 2026-11-21\n";
    std::fs::write(catalogue.join("dear.toml"), model).expect("written");
    place.run(&["accounts", "create", "poor"]).exits(0);
    let key = place.json(&[
        "keys",
        "create",
        "--name",
        "k",
        "--account",
        "poor",
        "--json",
    ]);
    let generate = |code: i32| {
        let output = place
            .command(&["gen", "fox", "-m", "dear", "--size", "64x64"])
            .env("PINHOLE_API_KEY", key["key"].as_str().expect("a secret"))
            .env("PINHOLE_CATALOGUE", &catalogue)
            .output();
        Ran::of(output.expect("it starts")).exits(code)
    };
    generate(4).says(&["pinhole credits grant"]);
    place.run(&["credits", "grant", "poor", "0.75"]).exits(0);
    generate(0).says(&["$0.5000"]);
    generate(4);
    let balance = place.json(&["balance", "poor", "--json"]);
    assert_eq!(balance["available"], "0.250000");
    let audit = place.json(&["ledger", "check", "--json"]);
    assert_eq!(audit["clean"], true);
    assert_eq!(audit["captured"], "0.500000");
    let usage = place.json(&["usage", "poor", "--by", "model", "--json"]);
    assert_eq!(usage["total"]["charged"], "0.500000");
    assert_eq!(usage["data"][0]["model"], "dear");
    let table = place
        .run(&["usage", "poor", "--by", "model"])
        .exits(0)
        .out();
    assert!(
        table.starts_with("MODEL") && table.contains("$0.5000"),
        "{table}"
    );
    place
        .run(&["usage", "--by", "colour"])
        .exits(2)
        .says(&["model, key, day, mode"]);
    place
        .run(&["usage", "--start", "soon"])
        .exits(2)
        .says(&["--start must be a day like 2026-11-21"]);
}

#[test]
fn with_a_server_on_the_folder_pictures_come_through_it() {
    let place = Place::new();
    let server = Server::start(&place);
    let made = place.json(&["gen", "fox", "--json"]);
    assert!(
        made["request"]
            .as_str()
            .is_some_and(|id| id.starts_with("req_")),
        "{made}"
    );
    assert_eq!(made["cost"], "0.000000");
    assert_eq!(
        size_of(&place.work().join("pinhole-0001.png")),
        (1024, 1024)
    );
    place
        .run(&["gen", "fox", "-m", "gpt-imag-2"])
        .exits(2)
        .says(&["did you mean `gpt-image-2`?"]);
    place
        .run(&["gen", "fox", "-n", "12", "-p", "qualty=high"])
        .exits(2)
        .says(&[
            "`n` must be between 1 and 10, got 12",
            "did you mean `quality`?",
            "request req_",
        ]);

    let key = std::fs::read_to_string(place.data().join("test-key")).expect("a key");
    let elsewhere = Place::new();
    let through = |arguments: &[&str]| {
        let url = format!("{}/v1", server.url());
        let mut command = elsewhere.command(arguments);
        let output = command
            .env("PINHOLE_URL", url)
            .env("PINHOLE_API_KEY", key.trim())
            .output();
        Ran::of(output.expect("it starts"))
    };
    through(&["gen", "fox", "-o", "fox.png"]).exits(0);
    assert_eq!(size_of(&elsewhere.work().join("fox.png")), (1024, 1024));
    assert!(through(&["models"]).exits(0).out().contains("gpt-image-2"));
    let dry = ["gen", "fox", "--dry-run", "-n", "2"];
    assert!(
        through(&dry)
            .exits(0)
            .out()
            .contains("$0.1060 (2 × $0.0530)")
    );
    assert!(through(&["balance"]).exits(0).out().contains("unlimited"));
    let usage = through(&["usage", "--by", "mode"]).exits(0).out();
    assert!(usage.contains("test") && usage.contains("total"), "{usage}");
    through(&["usage", "default"])
        .exits(2)
        .says(&["an account has no meaning here", "PINHOLE_API_KEY"]);
    // Beside the server's folder a snippet names where it listens.
    let beside = place.run(&["snippet", "sketch"]).exits(0).out();
    assert!(beside.contains(&server.url()), "{beside}");
    let task = made["task"].as_str().expect("an id");
    assert!(
        through(&["task", "get", task])
            .exits(0)
            .out()
            .contains("completed")
    );
    through(&["task", "get", "task_00000000000000000000000000000000"])
        .exits(1)
        .says(&["no such task"]);
}

#[test]
fn keys_are_made_listed_and_revoked_while_the_server_runs() {
    let place = Place::new();
    let server = Server::start(&place);
    let made = place.json(&[
        "keys",
        "create",
        "--name",
        "ci",
        "--rpm",
        "600",
        "--spend-cap",
        "5/day",
        "--json",
    ]);
    let secret = made["key"].as_str().expect("a secret");
    assert_eq!(server.status(secret), 200, "a new key works at once");

    let line = place
        .run(&["keys", "create", "--name", "two", "--test"])
        .exits(0);
    let second = line.out();
    let second = second
        .strip_prefix("PINHOLE_API_KEY=")
        .expect("a line for .env");
    assert!(second.starts_with("sk-test-"));
    assert!(
        !line.stderr.contains(second),
        "the secret stands once, on stdout"
    );
    assert_eq!(server.status(second), 200);

    for listing in [
        place.run(&["keys", "ls"]),
        place.run(&["keys", "ls", "--json"]),
    ] {
        let listing = listing.exits(0).out();
        assert!(listing.contains("ci") && listing.contains(made["id"].as_str().expect("an id")));
        for hidden in [secret, second] {
            assert!(!listing.contains(hidden));
        }
    }
    let id = made["id"].as_str().expect("an id");
    let done = place.json(&["keys", "revoke", id, "--json"]);
    assert_eq!((&done["id"], &done["revoked"]), (&made["id"], &true.into()));
    let revoked = Instant::now();
    wait_for(Duration::from_secs(1), || {
        (server.status(secret) == 401).then_some(())
    });
    assert!(revoked.elapsed() < Duration::from_secs(1));
    let state = |id: &Value| {
        let keys = place.json(&["keys", "ls", "--json"]);
        let keys = keys.as_array().expect("a list").clone();
        keys.into_iter()
            .find(|key| key["id"] == *id)
            .map(|key| key["state"].clone())
    };
    assert_eq!(state(&made["id"]), Some("revoked".into()));
    let pasted = place.run(&["keys", "revoke", secret]).exits(1);
    assert!(
        !pasted.stderr.contains(secret),
        "a secret pasted by mistake is not repeated"
    );
    for wrong in [
        ["--expires", "1999-01-01"],
        ["--spend-cap", "5/week"],
        ["--ip", "x"],
        ["--model", "gpt-imag-2"],
    ] {
        place
            .run(&[&["keys", "create", "--name", "x"], &wrong[..]].concat())
            .exits(2);
    }
}

#[test]
fn foreign_secrets_are_imported_all_or_none_and_work() {
    let place = Place::new();
    let secrets = [
        "sk-foreign-0123456789abcdef",
        "other-gateway-9876543210fedcba",
    ];
    let import = |input: &str, code: i32| {
        let mut command = place.command(&["keys", "import", "--account", "default"]);
        let output = command.write_stdin(input).output().expect("it starts");
        let ran = Ran::of(output).exits(code);
        assert!(
            secrets
                .iter()
                .all(|secret| !ran.stderr.contains(secret) && !ran.out().contains(secret))
        );
        ran
    };
    import(&format!("{}\nshort\n{}\n", secrets[0], secrets[0]), 2)
        .says(&["line 2 has 5 characters", "line 3 is the same as line 1"]);
    assert_eq!(import(&secrets.join("\n"), 0).out(), "2");
    import(&format!("a-third-secret-0123456789\n{}", secrets[1]), 1).says(&["known here already"]);
    assert_eq!(
        place
            .json(&["keys", "ls", "--json"])
            .as_array()
            .map(Vec::len),
        Some(2)
    );

    let server = Server::start(&place);
    for secret in secrets {
        assert_eq!(server.status(secret), 200);
    }
    assert_eq!(
        server.status("a-third-secret-0123456789"),
        401,
        "nothing of a refused file is taken"
    );
    let database = std::fs::read(place.data().join("pinhole.db")).expect("the rows");
    for secret in secrets {
        let found = database
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "only hashes are stored");
    }
}

#[test]
fn accounts_and_credits_add_up() {
    let place = Place::new();
    place
        .run(&["accounts", "ls"])
        .exits(1)
        .says(&["there is no database"]);
    assert!(!place.data().exists(), "looking makes nothing");
    let made = place.json(&[
        "accounts",
        "create",
        "team",
        "--credit-line",
        "5",
        "--markup",
        "1000",
        "--json",
    ]);
    assert_eq!(made["credit_line"], "5.000000");
    assert_eq!(made["markup_basis_points"], 1000);
    place
        .run(&["accounts", "create", "team"])
        .exits(1)
        .says(&["already"]);
    place
        .run(&["accounts", "create", "free", "--credit-line", "unlimited"])
        .exits(0);
    place
        .run(&["credits", "grant", "team", "10.5", "--reference", "inv-1"])
        .exits(0);
    let again = [
        "credits",
        "grant",
        "team",
        "10.5",
        "--reference",
        "inv-1",
        "--json",
    ];
    assert_eq!(place.json(&again)["available"], "10.500000");
    place
        .run(&["credits", "grant", "free", "1", "--reference", "inv-1"])
        .exits(1);
    place
        .run(&["credits", "grant", "teem", "1"])
        .exits(2)
        .says(&["did you mean `team`?"]);
    for wrong in ["0", "-1", "1e3", "0.0000001"] {
        place.run(&["credits", "grant", "team", wrong]).exits(2);
    }
    assert!(place.run(&["credits"]).exits(0).out().contains("$10.5000"));
    let audit = place.json(&["ledger", "check", "--json"]);
    assert_eq!(audit["transfers"], 1);
    assert_eq!(audit["sum"], "0.000000");
    assert!(
        place
            .run(&["ledger", "check"])
            .exits(0)
            .out()
            .contains("the books are in order")
    );
}

#[test]
fn an_audit_that_finds_something_says_what_and_fails() {
    let place = Place::new();
    place.run(&["accounts", "create", "team"]).exits(0);
    place.run(&["credits", "grant", "team", "10"]).exits(0);
    let rows = rusqlite::Connection::open(place.data().join("pinhole.db")).expect("the rows");
    let tampered = rows.execute("UPDATE accounts SET available = available + 1", []);
    assert_eq!(tampered.ok(), Some(1));
    place
        .run(&["ledger", "check"])
        .exits(1)
        .says(&["not in order", "10.000001 available"]);
    let json = place.run(&["ledger", "check", "--json"]).exits(1);
    let audit: Value = serde_json::from_slice(&json.stdout).expect("stdout is JSON all the same");
    assert_eq!(audit["clean"], false);
}

#[test]
fn two_commands_at_once_take_turns_on_a_folder() {
    let place = Place::new();
    let run = |prompt: &str| {
        place
            .run(&["gen", prompt, "-m", "sketch", "--size", "64x64"])
            .exits(0)
            .out()
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| run("one [pinhole:delay=1s]"));
        let second = scope.spawn(|| run("two"));
        (
            first.join().expect("it ran"),
            second.join().expect("it ran"),
        )
    });
    assert_ne!(first, second);
}

#[test]
fn the_default_configuration_is_accepted_and_shown_without_secrets() {
    let place = Place::new();
    let file = place.run(&["config", "init"]).exits(0).out();
    std::fs::write(place.work().join("mine.toml"), &file).expect("written");
    place
        .run(&["config", "check", "--config", "mine.toml"])
        .exits(0);
    place
        .run(&["config", "init", "-o", "mine.toml"])
        .exits(1)
        .says(&["was not written"]);
    std::fs::write(
        place.work().join("pinhole.toml"),
        "keep_days = 7\nlisten = 3\n",
    )
    .expect("written");
    place.run(&["config", "check"]).exits(1).says(&["listen"]);
    let secret = "[provider.mine]\nkind = \"sketch\"\napi_key = \"very-secret\"\n";
    std::fs::write(
        place.work().join("pinhole.toml"),
        format!("keep_days = 7\n{secret}"),
    )
    .expect("written");
    let shown = place.run(&["config", "show", "--origin"]).exits(0).out();
    assert!(
        shown.contains("pinhole.toml:1") && shown.contains("PINHOLE_DATA"),
        "{shown}"
    );
    assert!(!shown.contains("very-secret"));
    assert!(
        place
            .run(&["config", "path"])
            .exits(0)
            .out()
            .contains("pinhole.toml")
    );
}

#[test]
fn without_arguments_it_says_what_to_type() {
    let place = Place::new();
    let ran = place.run(&[]).exits(0);
    assert_eq!(ran.out().lines().count(), 4);
    assert!(!place.data().exists(), "it starts nothing");
    for command in [
        &["--help"][..],
        &["gen", "--help"],
        &["keys", "create", "--help"],
    ] {
        assert!(place.run(command).exits(0).out().contains("--data"));
    }
    let models = place.run(&["models", "show", "gpt-image-2"]).exits(0).out();
    assert!(
        models.contains("low $0.0060, medium $0.0530, high $0.2110"),
        "{models}"
    );
    let schema = place.json(&["models", "schema", "gpt-image-2-2026-04-21"]);
    assert_eq!(schema[0]["name"], "prompt");
}

#[test]
fn ctrl_c_ends_with_130_and_the_next_command_takes_the_task_up() {
    let place = Place::new();
    place.run(&["accounts", "create", "any"]).exits(0);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_pinhole"))
        .args([
            "gen",
            "[pinhole:delay=3s] fox",
            "-m",
            "sketch",
            "--size",
            "64x64",
        ])
        .env_clear()
        .env("HOME", place.root.path())
        .env("PINHOLE_DATA", place.data())
        .env("PINHOLE_MIN_FREE_MIB", "0")
        .current_dir(place.work())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stderr = child.stderr.take().expect("a pipe");
    // The first words come when the task is accepted.
    let mut first = [0];
    stderr.read_exact(&mut first).expect("words");
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let mut words = String::new();
    stderr.read_to_string(&mut words).expect("words");
    let id = words
        .split_whitespace()
        .find(|word| word.starts_with("task_"))
        .expect("an id");
    place
        .run(&["gen", "hare", "-m", "sketch", "--size", "64x64"])
        .exits(0);
    assert_eq!(
        place.json(&["task", "get", id, "--json"])["state"],
        "completed"
    );
}

#[test]
fn model_files_are_checked_without_a_server() {
    let place = Place::new();
    let folder = place.work().join("models");
    let write = |text: &str| std::fs::write(folder.join("mine.toml"), text).expect("room");
    std::fs::create_dir(&folder).expect("a folder");
    write("id = \"mine\"\nextends = \"sketch\"\n");
    let said = place.run(&["models", "check", "models"]).exits(0).out();
    let all = Catalogue::embedded()
        .expect("it passes its checks")
        .models()
        .len()
        + 1;
    assert!(
        said.contains(&format!("ok: {all} models, with models")),
        "{said}"
    );
    write("id = \"mine\"\nextend = \"sketch\"\n");
    let refused = place.run(&["models", "check", "models"]).exits(1).stderr;
    let reason = "models/mine.toml:2:1: unknown field `extend`";
    assert!(refused.contains(reason), "{refused}");
    place.run(&["models", "check", "nowhere"]).exits(2);
    place.run(&["models", "check"]).exits(0);
}

#[test]
fn an_edit_takes_its_pictures_from_files() {
    let place = Place::new();
    let small = ["-m", "sketch", "--size", "64x64"];
    let run = |arguments: &[&str]| place.run(&[&["gen", "fox"], arguments, &small].concat());
    run(&["-o", "fox.png"]).exits(0);
    run(&[
        "-o",
        "night.png",
        "-i",
        "fox.png",
        "-i",
        "fox.png",
        "--mask",
        "fox.png",
    ])
    .exits(0);
    assert_eq!(size_of(&place.work().join("night.png")), (64, 64));
    let server = Server::start(&place);
    assert!(!server.address.is_empty());
    run(&["-o", "day.png", "-i", "fox.png"]).exits(0);
    run(&["-i", "no.png"])
        .exits(2)
        .says(&["no.png cannot be read", "did you mean `fox.png`?"]);
    run(&["-i", "none-of-these"])
        .exits(2)
        .says(&["paths of PNG, JPEG or WebP files"]);
    std::fs::write(place.work().join("words.png"), "no picture").expect("written");
    run(&["-i", "words.png"]).exits(2).says(&["`image[0]`"]);
    run(&["--mask", "fox.png"]).exits(2);
    let dry = run(&["-i", "fox.png", "--dry-run"]).exits(0);
    assert!(dry.out().contains("\"fox.png\""), "{}", dry.out());
}

#[test]
fn a_snippet_shows_what_was_asked_for() {
    let place = Place::new();
    let show = |arguments: &[&str]| place.run(&[&["snippet", "gpt-image-2"], arguments].concat());
    let curl = show(&[]).exits(0).out();
    assert!(curl.starts_with("links=$(curl -sS http://127.0.0.1:7070/v1/images/generations"));
    let given = ["-p", "quality=low", "-p", "prompt=it's", "-n", "2"];
    let python = show(&[&given[..], &["--lang", "python"]].concat())
        .exits(0)
        .out();
    for line in ["quality=\"low\"", "prompt=\"it's\"", "n=2"] {
        assert!(python.contains(&format!("\n    {line},\n")), "{python}");
    }
    let cli = show(&["--lang", "cli", "-i", "a b.png", "--mask=-m.png"])
        .exits(0)
        .out();
    assert!(
        cli.contains("-i 'a b.png'") && cli.contains("--mask ./-m.png"),
        "{cli}"
    );
    let told = place.json(&[
        "snippet",
        "sparkpix-image-edit",
        "--lang",
        "javascript",
        "--json",
    ]);
    assert_eq!(told["operation"], "edit");
    assert!(
        told["snippet"]
            .as_str()
            .is_some_and(|code| code.contains("images.edit"))
    );
    assert!(!place.data().exists(), "it makes nothing");

    let wrong = |arguments: &[&str], words: &[&str]| {
        show(arguments).exits(2).says(words);
    };
    wrong(&["-p", "qualty=high"], &["did you mean `quality`?"]);
    wrong(&["-n", "12"], &["`n` must be between 1 and 10, got 12"]);
    wrong(&["-n", "2", "-p", "n=2"], &["`n` is given twice"]);
    wrong(&["-p", "stream=true"], &["`stream` has no meaning here"]);
    wrong(
        &["-p", "image=a.png"],
        &["`image` has no meaning here", "names input images"],
    );
    wrong(&["--lang", "cobol"], &["curl, python, javascript, cli"]);
    let other = |model: &str, words: &[&str]| {
        place
            .run(&["snippet", model, "--edit"])
            .exits(2)
            .says(words);
    };
    other("gpt-imag-2", &["did you mean `gpt-image-2`?"]);
    other("qwen-image-plus", &["qwen-image-plus edits no images"]);
    other("gemini-3.5-flash", &["gemini-3.5-flash edits no images"]);
}

#[test]
fn a_snippet_of_a_text_model_asks_what_was_asked_for() {
    let place = Place::new();
    let show =
        |arguments: &[&str]| place.run(&[&["snippet", "gemini-3.5-flash"], arguments].concat());
    let given = ["-p", "prompt=What is this?", "-p", "max_cost=0.5"];
    let python = show(&[&given[..], &["-i", "a.png", "--lang", "python"]].concat())
        .exits(0)
        .out();
    for part in [
        "\"text\": \"What is this?\"",
        "data_url(\"a.png\", \"image/png\")",
        "extra_body={\"max_cost\": 0.5}",
    ] {
        assert!(python.contains(part), "{python}");
    }
    let curl = show(&[]).exits(0).out();
    assert!(curl.contains("/v1/chat/completions") && !curl.contains("stream"));
    let wrong = |arguments: &[&str], words: &[&str]| {
        show(arguments).exits(2).says(words);
    };
    wrong(
        &["-p", "stream=true"],
        &["`stream` has no meaning here", "whole answer"],
    );
    wrong(
        &["-p", "temperature=3"],
        &["`temperature` must be between 0 and 2"],
    );
    wrong(&["-i", "a.png", "--mask", "m.png"], &["edits no images"]);
}

#[test]
fn a_quote_of_a_text_model_says_what_is_held_and_why() {
    let place = Place::new();
    let arguments = [
        "gemini-3.5-flash",
        "-p",
        "max_tokens=1000",
        "-p",
        "prompt=Hi",
    ];
    let words = place
        .run(&[&["quote"], &arguments[..]].concat())
        .exits(0)
        .out();
    for part in [
        "$1.5000 in, $9.0000 out a million tokens",
        // 66 tokens at 1.5 micro-dollars and 1000 at 9.
        "$0.009099 at most: 66 tokens in, an upper estimate, and 1000 out",
        "never more than is held",
        "https://ai.google.dev/gemini-api/docs/pricing, 2026-11-21",
    ] {
        assert!(words.contains(part), "{words}");
    }
    let json = place.json(&[&["quote", "--json"], &arguments[..]].concat());
    assert_eq!(json["total"], "0.009099");
    assert_eq!(json["million_tokens"]["output"], "9.000000");
    assert_eq!(json["most_tokens"]["input_text_tokens"], 66);
}

#[test]
fn a_quote_says_what_a_call_costs_and_why() {
    let place = Place::new();
    let quote = |arguments: &[&str]| place.run(&[&["quote"], arguments].concat());
    let words = quote(&["gpt-image-2", "-n", "3", "-p", "quality=low"])
        .exits(0)
        .out();
    for part in [
        "$0.0180 (3 × $0.0060)",
        "operation generate, quality low, size 1024x1024",
        "https://fal.ai/models/openai/gpt-image-2, 2026-11-21",
    ] {
        assert!(words.contains(part), "{words}");
    }
    let edit = place.json(&["price", "gpt-image-2-2026-04-21", "--edit", "--json"]);
    assert_eq!(edit["model"], "gpt-image-2");
    assert_eq!((&edit["unit"], &edit["n"]), (&"0.061000".into(), &1.into()));
    assert_eq!(edit["price"]["when"]["operation"], "edit");
    assert!(
        quote(&["gpt-image-2-beta"])
            .exits(0)
            .out()
            .contains("not set")
    );
    assert_eq!(
        place.json(&["quote", "gpt-image-2-beta", "--json"])["total"],
        Value::Null
    );
    assert!(!place.data().exists(), "it makes nothing");
    quote(&["gpt-imag-2"])
        .exits(2)
        .says(&["did you mean `gpt-image-2`?"]);
    quote(&["gpt-image-2", "-p", "size=7x7"])
        .exits(2)
        .says(&["`size` must be one of"]);
}

#[test]
fn a_quote_has_the_markup_of_whoever_asks_and_so_has_a_servers() {
    let place = Place::new();
    place
        .run(&["accounts", "create", "shop", "--markup", "1000"])
        .exits(0);
    let key = [
        "keys",
        "create",
        "--name",
        "k",
        "--account",
        "shop",
        "--json",
    ];
    let key = place.json(&key)["key"]
        .as_str()
        .expect("a secret")
        .to_owned();
    let ask = |variables: &[(&str, &str)]| {
        let mut command = place.command(&["quote", "gpt-image-2", "-n", "2", "--json"]);
        command
            .envs(variables.iter().copied())
            .env("PINHOLE_API_KEY", &key);
        let ran = Ran::of(command.output().expect("it starts")).exits(0);
        serde_json::from_slice::<Value>(&ran.stdout).expect("JSON")
    };
    let here = ask(&[]);
    assert_eq!(
        (&here["unit"], &here["total"]),
        (&"0.058300".into(), &"0.116600".into())
    );
    assert_eq!(here["price"]["amount"], "0.053000");
    let server = Server::start(&place);
    assert_eq!(ask(&[("PINHOLE_URL", &server.url())]), here);
    let mut unpriced = place.command(&["quote", "gpt-image-2-beta"]);
    unpriced
        .env("PINHOLE_URL", server.url())
        .env("PINHOLE_API_KEY", &key);
    let ran = Ran::of(unpriced.output().expect("it starts")).exits(0);
    assert!(ran.out().contains("not set"), "{}", ran.out());
}
