//! `pinhole task` from outside: the real binary, beside a server, through one, and on a folder that nobody serves.

use crate::cli::{Place, Ran, Server, wait_for};
use crate::images::small_with;
use crate::server::Site;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a task that is drawn in no time and ends as the prompt says; its id.
fn submit(place: &Place, prompt: &str) -> String {
    let ran = place.run(&["task", "submit", "-m", "sketch", "--size", "64x64", prompt]);
    let id = ran.exits(0).out();
    assert!(id.starts_with("task_") && id.len() == 37, "{id}");
    id
}

fn state(place: &Place, task: &str) -> String {
    let told = place.json(&["task", "get", task, "--json"]);
    told["state"].as_str().expect("a state").to_owned()
}

fn wait(place: &Place, task: &str, code: i32) -> Ran {
    place.run(&["task", "wait", task]).exits(code)
}

/// Two tasks that hold both slots of the test lane for ten minutes, and one that waits behind them.
fn two_run_and_one_waits(place: &Place) -> [String; 3] {
    let long = "[pinhole:delay=600s]";
    let tasks = [submit(place, long), submit(place, long), submit(place, "x")];
    for task in &tasks[..2] {
        wait_for(PATIENCE, || {
            (state(place, task) == "processing").then_some(())
        });
    }
    assert_eq!(state(place, &tasks[2]), "pending");
    tasks
}

#[test]
fn a_task_is_submitted_waited_for_and_its_end_is_the_exit_code() {
    let place = Place::new();
    let server = Server::start(&place);
    let line = place
        .run(&[
            "task", "submit", "a lake", "-m", "sketch", "--size", "64x64",
        ])
        .exits(0)
        .says(&["sketch", "test, free", "pinhole task wait task_"]);
    let task = line.out();
    let url = wait(&place, &task, 0).out();
    assert!(
        url.starts_with("http://") && url.contains("/files/asset_"),
        "{url}"
    );
    let told = place.run(&["task", "get", &task]).exits(0).out();
    for word in ["completed", &url, "succeeded", "$0.0000"] {
        assert!(told.contains(word), "{word} is not in {told}");
    }
    let arguments = ["task", "submit", "a lake", "-m", "gemini-3.5-flash"];
    let text = place.run(&arguments).exits(0).out();
    let said = wait(&place, &text, 0).out();
    assert!(said.contains("canned"), "{said}");
    let json = place.json(&["task", "wait", &task, "--json"]);
    assert_eq!(
        (&json["taskId"], &json["resultUrls"][0]),
        (&json!(task), &json!(url))
    );

    for (prompt, code, words) in [
        (
            "[pinhole:fail=content_policy]",
            5,
            "refused for its content",
        ),
        ("[pinhole:fail=upstream]", 5, "the upstream failed"),
        ("[pinhole:fail=unknown]", 5, "nobody can tell"),
        ("[pinhole:fail=timeout]", 6, "took too long"),
    ] {
        let task = submit(&place, prompt);
        let ran = wait(&place, &task, code).says(&[words, &task]);
        assert_eq!(ran.out(), "");
        place.run(&["task", "watch", &task]).exits(code);
    }
    for (arguments, code, words) in [
        (&["task", "wait", "task_1"][..], 2, "is no id of a task"),
        (
            &["task", "wait", "task_00000000000000000000000000000000"],
            1,
            "no such task",
        ),
        (
            &["task", "submit", "x", "-m", "sketsh"],
            2,
            "did you mean `sketch`?",
        ),
        (
            &["task", "submit", "x", "-n", "12", "-p", "qualty=high"],
            2,
            "did you mean `quality`?",
        ),
        (
            &["task", "submit", "x", "-p", "stream=true"],
            2,
            "no meaning here",
        ),
        (&["task", "ls", "--state", "done"], 2, "pending, processing"),
    ] {
        place.run(arguments).exits(code).says(&[words]);
    }
    let keyed = [
        "task",
        "submit",
        "a lake",
        "-m",
        "sketch",
        "--idempotency-key",
        "order 1",
        "--json",
    ];
    let (first, again) = (place.json(&keyed), place.json(&keyed));
    assert_eq!(first["taskId"], again["taskId"]);
    assert_eq!(first["mode"], "test");
    drop(server);
}

fn watch(place: &Place, task: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pinhole"))
        .args(["task", "watch", task, "--json"])
        .env_clear()
        .env("HOME", place.root.path())
        .env("PINHOLE_DATA", place.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

#[test]
fn a_waiting_task_is_cancelled_and_a_running_one_is_not() {
    let place = Place::new();
    let server = Server::start(&place);
    let [runs, _, waits] = two_run_and_one_waits(&place);
    place
        .run(&["task", "wait", &runs, "--timeout", "1"])
        .exits(6)
        .says(&["did not end in time", "goes on"]);
    place
        .run(&["task", "cancel", &runs])
        .exits(1)
        .says(&["can no longer be cancelled"]);
    assert_eq!(state(&place, &runs), "processing");

    // Somebody watches it; the first state is printed before anything happens.
    let mut watching = watch(&place, &waits);
    let mut lines = BufReader::new(watching.stdout.take().expect("its words")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("an object a line")
    };
    assert_eq!(next()["state"], "pending");
    let cancelled = place.run(&["task", "cancel", &waits]).exits(0);
    assert_eq!(cancelled.says(&["Nothing was charged"]).out(), "cancelled");
    let end = next();
    assert_eq!(
        (&end["state"], &end["failCode"]),
        (&json!("failed"), &json!("cancelled"))
    );
    assert_eq!(watching.wait().expect("it ends").code(), Some(6));

    let again = place.json(&["task", "cancel", &waits, "--json"]);
    assert_eq!(
        (&again["taskId"], &again["failCode"]),
        (&json!(waits), &json!("cancelled"))
    );
    wait(&place, &waits, 6).says(&["the task was cancelled"]);
    drop(server);
}

#[test]
fn the_history_is_listed_and_filtered() {
    let place = Place::new();
    let server = Server::start(&place);
    let mut tasks: Vec<String> = (0..3)
        .map(|k| submit(&place, &format!("number {k}")))
        .collect();
    tasks.push(submit(&place, "[pinhole:fail=upstream]"));
    for (k, task) in tasks.iter().enumerate() {
        wait(&place, task, if k == 3 { 5 } else { 0 });
    }
    tasks.reverse();
    let listed = |ran: Ran| -> Vec<String> {
        let listed: Value = serde_json::from_slice(&ran.exits(0).stdout).expect("JSON");
        let rows = listed["tasks"].as_array().expect("a list").clone();
        let id = |row: &Value| row["taskId"].as_str().expect("an id").to_owned();
        rows.iter().map(id).collect()
    };
    let here = |arguments: &[&str]| place.run(&[&["task", "ls", "--json"], arguments].concat());
    let key = std::fs::read_to_string(place.data().join("test-key")).expect("a key");
    let elsewhere = Place::new();
    let there = |arguments: &[&str]| {
        let arguments = [&["task", "ls", "--json"], arguments].concat();
        let mut command = elsewhere.command(&arguments);
        let command = command
            .env("PINHOLE_URL", server.url())
            .env("PINHOLE_API_KEY", key.trim());
        Ran::of(command.output().expect("it starts"))
    };
    // The same questions to the rows and to the server.
    for (arguments, expected) in [
        (&[][..], &tasks[..]),
        (&["--limit", "2"], &tasks[..2]),
        (&["--state", "failed"], &tasks[..1]),
        (&["--state", "completed", "--model", "sketch"], &tasks[1..]),
        (&["--until", "2020-01-01"], &[]),
        (
            &["--since", "2020-01-01T00:00:00Z", "-n", "200"],
            &tasks[..],
        ),
    ] {
        assert_eq!(listed(here(arguments)), expected, "{arguments:?}");
        assert_eq!(
            listed(there(arguments)),
            expected,
            "{arguments:?} through the server"
        );
    }
    let first = place.run(&["task", "ls", "-n", "3"]).exits(0);
    let table = first.out();
    assert!(
        table.contains("upstream_failed") && !table.contains(&tasks[3]),
        "{table}"
    );
    let cursor = first
        .stderr
        .split("--cursor ")
        .nth(1)
        .expect("a way to go on");
    let cursor = cursor.split_whitespace().next().expect("a cursor");
    assert_eq!(listed(here(&["--cursor", cursor])), tasks[3..]);
    assert_eq!(listed(there(&["--cursor", cursor])), tasks[3..]);
    here(&["--cursor", "x"]).exits(2).says(&["no cursor"]);
    there(&["--cursor", "x"]).exits(2).says(&["`cursor`"]);
    there(&["--account", "default"])
        .exits(2)
        .says(&["--account"]);
    assert_eq!(listed(here(&["--account", "default"])).len(), 4);
    here(&["--account", "nobody"])
        .exits(2)
        .says(&["there is no account `nobody`"]);
}

#[test]
fn through_a_server_everything_is_the_keys_accounts() {
    let place = Place::new();
    let server = Server::start(&place);
    let key = std::fs::read_to_string(place.data().join("test-key")).expect("a key");
    place.run(&["accounts", "create", "other"]).exits(0);
    let made = place.json(&[
        "keys",
        "create",
        "--name",
        "k",
        "--account",
        "other",
        "--test",
        "--json",
    ]);
    let elsewhere = Place::new();
    let through = |key: &str, arguments: &[&str]| {
        let mut command = elsewhere.command(arguments);
        let command = command
            .env("PINHOLE_URL", server.url())
            .env("PINHOLE_API_KEY", key.trim());
        Ran::of(command.output().expect("it starts"))
    };
    let arguments = [
        "task", "submit", "a lake", "-m", "sketch", "--size", "64x64",
    ];
    let task = through(&key, &arguments).exits(0).out();
    let url = through(&key, &["task", "wait", &task]).exits(0).out();
    assert!(url.starts_with(&server.url()), "{url}");
    let watched = through(&key, &["task", "watch", &task]).exits(0).out();
    assert_eq!(watched, format!("completed\n{url}"));
    let cancelled = through(&key, &["task", "cancel", &task]).exits(0);
    assert_eq!(cancelled.says(&["ended before"]).out(), "completed");
    let failing = ["task", "submit", "[pinhole:fail=timeout]", "-m", "sketch"];
    let failing = through(&key, &failing).exits(0).out();
    through(&key, &["task", "wait", &failing])
        .exits(6)
        .says(&["took too long"]);

    let other = made["key"].as_str().expect("a secret");
    for command in ["get", "wait", "watch", "cancel"] {
        let ran = through(other, &["task", command, &task]);
        ran.exits(1).says(&["there is no such task"]);
    }
    // On the folder itself everything is seen; cancelling is for the key's account.
    let mut command = place.command(&["task", "cancel", &task]);
    let command = command.env("PINHOLE_API_KEY", other);
    Ran::of(command.output().expect("it starts"))
        .exits(1)
        .says(&["no such task", "PINHOLE_API_KEY"]);
    through(other, &["task", "ls"]).exits(0).says(&["No tasks"]);
    through("sk-nobody", &["task", "ls"])
        .exits(3)
        .says(&["PINHOLE_API_KEY"]);
}

#[test]
fn a_folder_that_nobody_serves_is_read_and_its_waiting_tasks_are_cancelled() {
    let place = Place::new();
    place.run(&["task", "ls"]).exits(1).says(&["pinhole serve"]);
    place
        .run(&["task", "unknown"])
        .exits(1)
        .says(&["pinhole serve"]);
    let server = Server::start(&place);
    let done = submit(&place, "a lake");
    wait(&place, &done, 0);
    let [runs, _, waits] = two_run_and_one_waits(&place);
    let mut watching = watch(&place, &waits);
    let mut seen = BufReader::new(watching.stdout.take().expect("its words"));
    seen.read_line(&mut String::new()).expect("its first state");
    // It is killed in the middle of everything.
    drop(server);
    let code = wait_for(PATIENCE, || watching.try_wait().expect("a child")).code();
    let mut words = String::new();
    let mut errors = watching.stderr.take().expect("its words");
    errors.read_to_string(&mut words).expect("text");
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("nothing runs the tasks"), "{words}");
    place.run(&["task", "submit", "x"]).exits(1).says(&[
        "no server is there",
        "pinhole serve",
        "pinhole generate",
    ]);
    wait(&place, &done, 0);
    wait(&place, &waits, 1).says(&["nothing runs the tasks", "pinhole serve"]);
    place
        .run(&["task", "cancel", &runs])
        .exits(1)
        .says(&["has started"]);
    assert_eq!(
        place.run(&["task", "cancel", &waits]).exits(0).out(),
        "cancelled"
    );
    wait(&place, &waits, 6);
    let rows = place.json(&["task", "ls", "--json"]);
    assert_eq!(rows["tasks"].as_array().map(Vec::len), Some(4));
    assert_eq!(place.json(&["ledger", "check", "--json"])["clean"], true);
    place.run(&["task", "unknown"]).exits(0).says(&["None"]);
}

/// Answers requests with these tasks, the last one ever again. Where it listens.
fn stand_in(tasks: Vec<Value>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let last = tasks.len() - 1;
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a client");
            let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            while lines
                .next()
                .is_some_and(|line| !line.expect("a head").is_empty())
            {}
            let body = json!({"data": tasks[number.min(last)]}).to_string();
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            // A client that has gone asks no more.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn what_a_server_says_of_a_task_is_shown_and_steers_no_terminal() {
    let id = "task_00000000000000000000000000000000";
    let place = Place::new();
    let follow = |arguments: &[&str], tasks: Vec<Value>| {
        let mut command = place.command(&[&["task"], arguments, &[id]].concat());
        let command = command
            .env("PINHOLE_URL", stand_in(tasks))
            .env("PINHOLE_API_KEY", "sk-test-1");
        let shown = Ran::of(command.output().expect("it starts")).exits(0).out();
        let is_plain = |letter: char| letter == '\n' || !letter.is_control();
        assert!(shown.chars().all(is_plain), "{shown:?}");
        shown
    };
    let text = json!({"taskId": id, "state": "completed", "resultText": "Two\nlines."});
    assert_eq!(follow(&["wait"], vec![text.clone()]), "Two\nlines.");
    assert_eq!(
        follow(&["watch"], vec![text.clone()]),
        "completed\nTwo\nlines."
    );
    let json = follow(&["wait", "--json"], vec![text.clone()]);
    assert_eq!(serde_json::from_str::<Value>(&json).ok(), Some(text));

    let steering = "\u{1b}[2J\u{9b}2J";
    let strange = json!({"taskId": id, "state": steering});
    let links =
        json!({"taskId": id, "state": "completed", "resultUrls": [format!("http://x/{steering}")]});
    let tasks = vec![strange.clone(), links.clone(), links.clone()];
    let shown = follow(&["watch"], tasks.clone());
    assert!(shown.ends_with("http://x/\u{fffd}[2J\u{fffd}2J"), "{shown}");
    let lines = follow(&["watch", "--json"], tasks);
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"));
    assert_eq!(lines.collect::<Vec<Value>>(), [strange, links]);
}

#[tokio::test]
async fn calls_that_nobody_knows_the_end_of_are_listed_with_what_was_booked() {
    let site = Site::new(Duration::from_secs(3600));
    let server = site.start("").await;
    let holder = site.customer("1.00").await;
    let client = server.client(&holder);
    let left = client
        .leave(&small_with("a cat", json!({"model": "paid", "n": 2})))
        .await;
    let task = left.task_id().to_string();
    crate::app::until("both calls are under way", async || {
        (site.calls().len() == 2).then_some(())
    })
    .await;
    server.kill();
    // Whoever starts next gives them up: they may have been carried out and billed.
    let server = site.start("").await;
    let client = server.client(&holder);
    let path = format!("/api/v1/images/generations?task_id={task}&wait=60");
    assert_eq!(
        client.get(&path).await.ok()["data"]["failCode"],
        "outcome_unknown"
    );
    client.has("1.000000").await;

    let unknown = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole"));
        let command = command
            .args(["task", "unknown", "--data"])
            .arg(site.data())
            .args(arguments)
            .env_clear();
        Ran::of(command.output().expect("it starts")).exits(0)
    };
    let check = || {
        let listed: Value = serde_json::from_slice(&unknown(&["--json"]).stdout).expect("JSON");
        let calls = listed["calls"].as_array().expect("a list");
        assert_eq!((calls.len(), &listed["total"]), (2, &json!("0.020000")));
        for call in calls {
            let expected = json!({
                "taskId": task, "account": call["account"], "model": "paid", "provider": "rehearsal",
                "upstreamModel": "paid-upstream", "upstreamId": null, "images": 1, "state": "unknown",
                "loss": "0.010000", "number": call["number"], "failMsg": call["failMsg"],
                "createTime": call["createTime"], "endTime": call["endTime"],
                "resolution": null, "billed": null, "resolvedTime": null, "note": null,
            });
            assert_eq!(*call, expected);
            assert!(call["endTime"].as_i64() >= call["createTime"].as_i64());
        }
        let table = unknown(&[])
            .says(&["$0.0200 booked to operator_loss"])
            .out();
        assert_eq!(table.matches(&task).count(), 2, "{table}");
        let one: Value =
            serde_json::from_slice(&unknown(&["-n", "1", "--json"]).stdout).expect("JSON");
        let count = one["calls"].as_array().map(Vec::len);
        assert_eq!((&one["more"], count), (&json!(true), Some(1)));
        let _ = unknown(&["--since", "2100-01-01"]).says(&["None"]);
    };
    // Beside the server, and when it is gone; what is listed is what the books say.
    check();
    let store = pinhole::app::open_store(&site.data()).expect("the store opens");
    let audit = store.audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.020000");
    drop(store);
    assert!(server.terminate().await.success());
    check();

    // The provider's bill says otherwise.
    let resolve = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinhole"));
        let command = command
            .args(["task", "resolve", &task, "--data"])
            .arg(site.data())
            .args(arguments)
            .env_clear();
        Ran::of(command.output().expect("it starts"))
    };
    let _ = resolve(&["--attempt", "0"]).exits(2);
    let _ = resolve(&["--attempt", "0", "--billed", "--not-billed"]).exits(2);
    let _ = resolve(&["--attempt", "0", "--billed", "1000.01"])
        .exits(2)
        .says(&["more than a call can cost"]);
    let _ = resolve(&["--attempt", "7", "--billed"])
        .exits(1)
        .says(&["no call 7", "pinhole task unknown"]);
    let _ = resolve(&["--attempt", "0", "--not-billed", "--note", "bill 17"])
        .exits(0)
        .says(&["Call 0", "$0.00"]);
    let _ = resolve(&["--attempt", "0", "--billed"])
        .exits(1)
        .says(&["known already"]);
    let booked = resolve(&["--attempt", "1", "--billed", "0.03", "--json"]).exits(0);
    let booked: Value = serde_json::from_slice(&booked.stdout).expect("JSON");
    assert_eq!(booked["billed"], "0.030000");
    let listed: Value = serde_json::from_slice(&unknown(&["--json"]).stdout).expect("JSON");
    assert_eq!(listed["total"], "0.030000");
    let notes = listed["calls"].as_array().expect("a list").iter();
    let notes: Vec<_> = notes
        .map(|call| (&call["resolution"], &call["note"]))
        .collect();
    assert!(
        notes.contains(&(&json!("not_billed"), &json!("bill 17"))),
        "{notes:?}"
    );
    let table = unknown(&[]).out();
    for known in ["not billed", "billed $0.03"] {
        assert!(table.contains(known), "{table}");
    }
    let store = pinhole::app::open_store(&site.data()).expect("the store opens");
    crate::app::check_books(&*store).await;
    let audit = store.audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.030000");
}
