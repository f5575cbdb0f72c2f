//! The program is killed with SIGKILL, at every step of a call and at random, and started again. Afterwards an auditor
//! with SQL of its own looks at everything that was promised: nothing lost, nothing sent twice, every charge right.

use crate::app::Customer;
use crate::client::{Holder, Reply, try_send};
use crate::images::small_with;
use crate::server::{Server, Site};
use futures::stream::{FuturesUnordered, StreamExt};
use rusqlite::Connection;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// The places where the program can be made to die that every call passes, in their order.
const STEPS: [&str; 6] = ["admitted", "intent", "sent", "blob", "settling", "settled"];

/// Requests before each kill; the images of one.
const REQUESTS: u32 = 6;

/// What clients saw.
#[derive(Default)]
struct Seen {
    requests: usize,
    /// Tasks that were answered as completed.
    completed: HashSet<String>,
    /// Every task that a reply named.
    named: HashSet<String>,
}

impl Seen {
    fn note(&mut self, reply: Option<Reply>) {
        let Some(reply) = reply else { return };
        let task = reply.header("x-pinhole-task-id").to_owned();
        assert!(
            !task.is_empty(),
            "refused: {} {}",
            reply.status,
            reply.text()
        );
        if reply.status == 200 {
            reply.pictures();
            self.completed.insert(task.clone());
        }
        self.named.insert(task);
    }
}

/// Sends requests for 1, 2, 1, 2 … images of a model at once, and takes what comes back.
async fn ask(server: &Server, holder: &Holder, model: &str, seen: &mut Seen) {
    ask_for(REQUESTS, server, holder, model, seen).await;
}

/// The same with so many requests.
async fn ask_for(count: u32, server: &Server, holder: &Holder, model: &str, seen: &mut Seen) {
    let client = server.client(holder);
    let mut replies: FuturesUnordered<_> = (0..count)
        .map(|k| {
            client.try_generate(small_with(
                &format!("boat {k}"),
                json!({"model": model, "n": 1 + k % 2}),
            ))
        })
        .collect();
    seen.requests += count as usize;
    while let Some(reply) = replies.next().await {
        seen.note(reply);
    }
}

/// What the auditor counted.
#[derive(Default)]
struct Count {
    tasks: usize,
    completed: usize,
    failed: usize,
    images: usize,
    calls: usize,
    orphans: usize,
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} tasks ({} completed, {} failed), {} images, {} paid calls, {} blobs without a row",
            self.tasks, self.completed, self.failed, self.images, self.calls, self.orphans
        )
    }
}

/// Waits at most two seconds from now until no task waits or runs.
async fn all_ended(rows: &Connection, restarted: Instant) {
    loop {
        let open = open_tasks(rows);
        if open == 0 {
            return;
        }
        let waited = restarted.elapsed();
        assert!(
            waited < Duration::from_secs(2),
            "{open} tasks are not over {waited:?} after the restart"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn open_tasks(rows: &Connection) -> i64 {
    number(
        rows,
        "SELECT count(*) FROM tasks WHERE state IN ('pending', 'processing')",
    )
}

fn number(rows: &Connection, sql: &str) -> i64 {
    rows.query_row(sql, [], |row| row.get(0)).expect(sql)
}

fn none(rows: &Connection, wrong: &str, sql: &str) {
    let found: Vec<String> = rows
        .prepare(sql)
        .expect(sql)
        .query_map([], |row| row.get(0))
        .expect(sql)
        .collect::<Result<_, _>>()
        .expect(sql);
    assert!(found.is_empty(), "{wrong}: {found:?}");
}

/// Looks at rows, files, the upstream's log and the replies.
async fn audit(site: &Site, server: &Server, holder: &Holder, seen: &Seen, credits: i64) -> Count {
    let rows = site.rows();
    let ids = |sql: &str| -> HashSet<String> {
        let mut statement = rows.prepare(sql).expect(sql);
        let ids = statement.query_map([], |row| row.get(0)).expect(sql);
        ids.collect::<Result<_, _>>().expect(sql)
    };
    let tasks = ids("SELECT id FROM tasks");
    let completed = ids("SELECT id FROM tasks WHERE state = 'completed'");
    assert!(tasks.len() <= seen.requests, "more tasks than requests");
    assert!(
        seen.named.is_subset(&tasks),
        "a task that a client was told of is lost"
    );
    assert!(
        seen.completed.is_subset(&completed),
        "a task that was delivered is not completed"
    );

    none(
        &rows,
        "attempts that did not end",
        "SELECT task FROM attempts WHERE state = 'intent'",
    );
    none(
        &rows,
        "tasks not charged by the image",
        "SELECT id FROM tasks WHERE captured <> quote_unit * (SELECT count(*) FROM assets WHERE task = tasks.id AND late = 0)",
    );
    none(
        &rows,
        "completed without an image, or failed with one",
        "SELECT id FROM tasks WHERE (state = 'completed') <> EXISTS (SELECT 1 FROM assets WHERE task = tasks.id AND late = 0)",
    );
    none(
        &rows,
        "images twice",
        "SELECT task FROM assets GROUP BY task, image_index HAVING count(*) > 1",
    );
    none(
        &rows,
        "holds that are not the quote, or not resolved exactly once",
        "SELECT id FROM tasks WHERE hold <> quote_total
           OR hold <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE subject = tasks.id AND kind = 'hold')
           OR hold <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE subject = tasks.id AND kind IN ('capture', 'release'))
           OR captured <> (SELECT coalesce(sum(amount), 0) FROM transfers WHERE subject = tasks.id AND kind = 'capture')",
    );
    none(
        &rows,
        "attempts whose cost or loss is not what the upstream may bill",
        "SELECT task || '/' || number FROM attempts WHERE
           cost <> CASE state WHEN 'succeeded' THEN unit_cost * images ELSE 0 END
           OR loss <> CASE state WHEN 'unknown' THEN unit_cost * images ELSE 0 END
           OR loss <> (SELECT coalesce(sum(amount), 0) FROM transfers
                       WHERE kind = 'loss' AND subject = task || '/' || number)",
    );
    let charged = number(
        &rows,
        "SELECT coalesce(sum(quote_unit), 0) FROM tasks JOIN assets ON assets.task = tasks.id WHERE late = 0",
    );
    let (available, held): (i64, i64) = rows
        .query_row(
            "SELECT available, held FROM accounts WHERE id = ?1",
            [holder.account.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("the account");
    assert_eq!(
        (available, held),
        (credits - charged, 0),
        "credits {credits}, charged {charged}"
    );
    assert_eq!(
        number(
            &rows,
            "SELECT sum(amount) FROM (SELECT amount FROM transfers UNION ALL SELECT -amount FROM transfers)"
        ),
        0
    );

    let calls = site.calls();
    check_calls(&rows, &calls);
    let (images, orphans) = check_files(site, server, &rows).await;
    let store = pinhole::app::open_store(&site.data()).expect("the store opens");
    crate::app::check_books(&*store).await;
    Count {
        tasks: tasks.len(),
        completed: completed.len(),
        failed: tasks.len() - completed.len(),
        images,
        calls: calls.len(),
        orphans,
    }
}

/// No call without an intent, none twice, none for the same image twice; no paid success without a call.
fn check_calls(rows: &Connection, calls: &[(String, i64)]) {
    let unique: HashSet<_> = calls.iter().collect();
    assert_eq!(unique.len(), calls.len(), "a call was made twice");
    let mut statement = rows
        .prepare(
            "SELECT task, number, first_image, state FROM attempts WHERE provider = 'rehearsal'",
        )
        .expect("the schema");
    let attempts = statement.query_map([], |row| {
        Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))
    });
    let attempts: HashMap<(String, i64), (i64, String)> = attempts
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    let mut parts = HashSet::new();
    for call in calls {
        let (first, state) = attempts.get(call).expect("a call has an intent");
        assert!(
            state == "succeeded" || state == "unknown",
            "{call:?} reached the upstream and is booked as {state}"
        );
        assert!(
            parts.insert((&call.0, first)),
            "image {first} of {} was asked for twice",
            call.0
        );
    }
    for (attempt, (_, state)) in &attempts {
        assert!(
            state != "succeeded" || unique.contains(attempt),
            "{attempt:?} succeeded without a call"
        );
    }
}

/// Every row's blob is there, whole, and served; blobs without a row may be left.
async fn check_files(site: &Site, server: &Server, rows: &Connection) -> (usize, usize) {
    let mut statement = rows
        .prepare("SELECT id, format, blob, hash FROM assets")
        .expect("the schema");
    let assets: Vec<(String, String, String, String)> = statement
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    let nobody = crate::client::Client::new(&server.url, None);
    let mut named = HashSet::new();
    for (id, format, blob, hash) in &assets {
        let path = site.data().join(blob);
        let bytes =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{id} lacks its blob: {error}"));
        assert_eq!(
            blake3::hash(&bytes).to_hex().as_str(),
            hash,
            "{id} on the disk"
        );
        let served = nobody.get(&format!("/files/{id}.{format}")).await;
        assert_eq!(
            (served.status, &served.body[..]),
            (200, &bytes[..]),
            "{id} over HTTP"
        );
        assert!(named.insert(path), "two rows name {blob}");
    }
    let all = crate::server::files_below(&site.data().join("blobs"));
    (
        assets.len(),
        all.iter().filter(|path| !named.contains(*path)).count(),
    )
}

/// How often each step is killed at, each time some calls later.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the tests asks for a long run"
)]
fn seeds() -> u32 {
    match std::env::var_os("PINHOLE_LONG") {
        Some(_) => 50,
        None => 5,
    }
}

/// Kills at each step, so many passes in, and audits after each restart.
async fn kill_at_each_step(model: &str) {
    for step in STEPS {
        let last = kill_at(step, model, |_| {}).await;
        if model == "drawn" {
            assert_eq!(last.failed, 0, "what costs nothing to repeat completes");
        }
    }
}

/// The same at one step, with a customer who is changed like this.
async fn kill_at(step: &str, model: &str, change: impl FnOnce(&mut Customer)) -> Count {
    let site = Site::new(Duration::from_millis(20));
    let holder = site.customer_with("100.00", change).await;
    let mut seen = Seen::default();
    let mut last = Count::default();
    for seed in 0..seeds() {
        // Of six requests each step is passed five times and more.
        let failpoints = format!("{step}={}*off->return", seed % 5);
        let mut server = site.start(&failpoints).await;
        ask(&server, &holder, model, &mut seen).await;
        let died = server.death(Duration::from_secs(10)).await;
        assert!(
            died.is_some(),
            "{failpoints} was not passed: {}",
            site.log_text()
        );
        let restarted = Instant::now();
        let server = site.start("").await;
        all_ended(&site.rows(), restarted).await;
        last = audit(&site, &server, &holder, &seen, 100_000_000).await;
        server.kill();
    }
    eprintln!(
        "killed {} times at `{step}` with {model}: {} requests, {last}",
        seeds(),
        seen.requests
    );
    last
}

#[tokio::test]
async fn a_paid_call_survives_a_kill_at_each_step() {
    kill_at_each_step("paid").await;
}

#[tokio::test]
async fn a_drawing_survives_a_kill_at_each_step() {
    kill_at_each_step("drawn").await;
}

/// Five of six requests wait for their turn: a claim makes them ours, with what they begin with.
#[tokio::test]
async fn a_task_that_waited_survives_a_kill_as_it_is_claimed() {
    let one_at_a_time = |customer: &mut Customer| customer.limits.concurrent = Some(1);
    kill_at("claimed", "paid", one_at_a_time).await;
}

/// The first target refuses: before and after that is stored with the intent of the next call.
#[tokio::test]
async fn a_call_survives_a_kill_on_its_way_to_another_target() {
    for step in ["failing_over", "failed_over"] {
        kill_at(step, "second", |_| {}).await;
    }
}

/// A start that dies when everything is its own, and before it has done anything.
#[tokio::test]
async fn a_start_that_is_killed_before_it_takes_up_anything_is_repeated() {
    for model in ["paid", "drawn"] {
        let site = Site::new(Duration::from_millis(20));
        let holder = site.customer("100.00").await;
        let mut seen = Seen::default();
        let mut server = site.start("sent=3*off->return").await;
        ask(&server, &holder, model, &mut seen).await;
        for _ in 0..2 {
            until_dead(&mut server, &site).await;
            server = site.spawn("recovered=return", &[]);
        }
        until_dead(&mut server, &site).await;
        let restarted = Instant::now();
        let server = site.start("").await;
        all_ended(&site.rows(), restarted).await;
        audit(&site, &server, &holder, &seen, 100_000_000).await;
        let crashes = number(&site.rows(), "SELECT max(crashes) FROM tasks");
        assert_eq!(crashes, 3);
        server.kill();
    }
}

/// Waits for the death that a fail point brings.
async fn until_dead(server: &mut Server, site: &Site) {
    let died = server.death(Duration::from_secs(10)).await;
    assert!(died.is_some(), "{}", site.log_text());
}

/// A task that is suspected of killing processes, and one that dies when it is noted and has not begun.
#[tokio::test]
async fn a_kill_as_a_task_begins_to_run_alone_counts_against_it_once() {
    let site = Site::new(Duration::from_millis(20));
    let holder = site.customer("100.00").await;
    let mut seen = Seen::default();
    let mut server = site.start("drawn=return").await;
    ask_for(1, &server, &holder, "drawn", &mut seen).await;
    for failpoints in ["drawn=return", "alone=return"] {
        until_dead(&mut server, &site).await;
        server = site.spawn(failpoints, &[]);
    }
    until_dead(&mut server, &site).await;
    let restarted = Instant::now();
    let server = site.start("").await;
    all_ended(&site.rows(), restarted).await;
    let count = audit(&site, &server, &holder, &seen, 100_000_000).await;
    assert_eq!((count.completed, count.failed), (1, 0));
    let counted = "SELECT crashes * 10 + lone_crashes FROM tasks";
    assert_eq!(number(&site.rows(), counted), 31);
    server.kill();
}

/// A second kill while the first one's tasks are taken up: what gave up once must not be sent by the next start.
#[tokio::test]
async fn a_recovery_that_is_killed_is_taken_up_again() {
    for model in ["paid", "drawn"] {
        let site = Site::new(Duration::from_millis(20));
        let holder = site.customer("100.00").await;
        let mut seen = Seen::default();
        for (seed, kills) in [1, 2, 3].into_iter().enumerate() {
            let mut server = site.start(&format!("sent={}*off->return", seed + 2)).await;
            ask(&server, &holder, model, &mut seen).await;
            until_dead(&mut server, &site).await;
            let mut killed = 0;
            // The first task that a start brings to its end is its last; without one it would live.
            while killed < kills && open_tasks(&site.rows()) > 0 {
                killed += 1;
                let mut server = site.spawn("settled=return", &[]);
                until_dead(&mut server, &site).await;
            }
            let restarted = Instant::now();
            let server = site.start("").await;
            all_ended(&site.rows(), restarted).await;
            let count = audit(&site, &server, &holder, &seen, 100_000_000).await;
            eprintln!("killed, and {killed} times more while {model} recovered: {count}");
            server.kill();
        }
    }
}

/// Clients that repeat a call under its idempotency key, as they should after a broken connection.
#[tokio::test]
async fn a_call_repeated_under_its_key_after_a_kill_is_one_task() {
    for step in STEPS {
        let site = Site::new(Duration::from_millis(20));
        let holder = site.customer("100.00").await;
        let mut seen = Seen::default();
        for failpoints in [
            format!("{step}=2*off->return"),
            String::new(),
            String::new(),
        ] {
            let mut server = site.start(&failpoints).await;
            let client = server.client(&holder);
            let call = |k: u32| {
                let body = small_with("a boat", json!({"model": "paid", "n": 1 + k % 2}));
                let request = client.generation(&body);
                try_send(request.header("idempotency-key", format!("call {k}")))
            };
            let replies = futures::future::join_all((0..REQUESTS).map(call)).await;
            seen.requests = REQUESTS as usize;
            let dies = !failpoints.is_empty();
            assert!(dies || replies.iter().all(Option::is_some), "{replies:?}");
            replies.into_iter().for_each(|reply| seen.note(reply));
            if dies {
                until_dead(&mut server, &site).await;
            } else {
                all_ended(&site.rows(), Instant::now()).await;
                let count = audit(&site, &server, &holder, &seen, 100_000_000).await;
                assert_eq!(count.tasks, REQUESTS as usize, "one task a key");
                eprintln!("killed at `{step}`, all calls repeated under their keys: {count}");
                server.kill();
            }
        }
    }
}

#[tokio::test]
async fn three_hundred_tasks_survive_twenty_kills_at_random() {
    let site = Site::new(Duration::from_millis(60));
    let holder = site.customer("100.00").await;
    let mut seen = Seen::default();
    let mut random = 0x9e37_79b9_u64;
    let mut server = site.start("").await;
    for round in 0..20 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let model = if round % 3 == 2 { "drawn" } else { "paid" };
        let after = Duration::from_millis(random % 250);
        {
            let asking = ask_for(15, &server, &holder, model, &mut seen);
            // What is answered before the kill is noted; the rest breaks off with the process.
            let pid = server.pid();
            let killing = async {
                tokio::time::sleep(after).await;
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
            };
            tokio::join!(asking, killing);
        }
        server
            .death(Duration::from_secs(10))
            .await
            .expect("it was killed");
        server = site.start("").await;
    }
    all_ended(&site.rows(), Instant::now()).await;
    let count = audit(&site, &server, &holder, &seen, 100_000_000).await;
    eprintln!(
        "killed 20 times at random: {} requests, {} answered, {count}",
        seen.requests,
        seen.named.len()
    );
    assert!(count.tasks > 0);
    assert!(server.terminate().await.success());
}

/// Every row that says what became of tasks and of money.
fn all_rows(rows: &Connection) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in [
        ("tasks", "*"),
        (
            "attempts",
            "task, number, state, cost, loss, fail_kind, ended_at",
        ),
        ("assets WHERE late = 0", "*"),
        ("transfers", "*"),
        ("accounts", "*"),
    ] {
        let mut statement = rows
            .prepare(&format!("SELECT {columns} FROM {table} ORDER BY 1, 2"))
            .expect(table);
        let columns = statement.column_count();
        let lines = statement.query_map([], |row| {
            let cells: Result<Vec<rusqlite::types::Value>, _> =
                (0..columns).map(|column| row.get(column)).collect();
            Ok(format!("{table} {:?}", cells?))
        });
        all.extend(lines.expect(table).map(|line| line.expect(table)));
    }
    all
}

/// Two processes on one folder, as when a lock is lost on a network disk. The first is stopped in the middle of its
/// calls and past its lease, the second finishes its tasks; the first wakes up and finds that they are not its own.
#[tokio::test]
async fn a_worker_that_slept_past_its_lease_writes_nothing() {
    let site = Site::new(Duration::from_millis(400));
    let holder = site.customer("100.00").await;
    let lease = "lease_ms=return(450)";
    let first = site.start(lease).await;
    let second = site.start(lease).await;
    let mut seen = Seen::default();
    let sleeping = async {
        // The upstream has all calls and has answered none: three requests for one image and three for two.
        until(async || site.calls().len() == 9).await;
        signal(&first, rustix::process::Signal::STOP);
        until(async || open_tasks(&site.rows()) == 0).await;
        let before = all_rows(&site.rows());
        let taken_over = number(&site.rows(), "SELECT count(*) FROM tasks WHERE fence > 1");
        assert!(taken_over > 0, "{}", site.log_text());
        signal(&first, rustix::process::Signal::CONT);
        // Each of its runs finds its fence gone.
        let lost = || site.log_text().matches("held by another worker").count();
        until(async || i64::try_from(lost()) == Ok(taken_over)).await;
        // What it has paid for is kept, and charged to nobody.
        let calls = "SELECT count(*) FROM attempts JOIN tasks ON task = id WHERE fence > 1";
        until(async || {
            let late = number(&site.rows(), "SELECT count(*) FROM assets WHERE late = 1");
            late == number(&site.rows(), calls)
        })
        .await;
        assert_eq!(all_rows(&site.rows()), before, "it wrote");
    };
    tokio::join!(ask(&first, &holder, "paid", &mut seen), sleeping);
    // It is awake, and works on.
    ask(&first, &holder, "paid", &mut seen).await;
    all_ended(&site.rows(), Instant::now()).await;
    let count = audit(&site, &second, &holder, &seen, 100_000_000).await;
    eprintln!("one of two slept past its lease: {count}");
    assert!(count.completed >= REQUESTS as usize, "the second time");
    first.kill();
    second.kill();
}

/// One of two processes on a folder sleeps past its lease; the other dies when it has taken over and has done nothing yet.
#[tokio::test]
async fn what_was_taken_over_survives_a_kill_of_who_took_it() {
    let site = Site::new(Duration::from_millis(400));
    let holder = site.customer("100.00").await;
    let first = site.start("lease_ms=return(450)").await;
    let mut second = site.start("lease_ms=return(450);taken_over=return").await;
    let mut seen = Seen::default();
    let dying = async {
        until(async || site.calls().len() == 9).await;
        signal(&first, rustix::process::Signal::STOP);
        let died = second.death(Duration::from_secs(10)).await;
        assert!(died.is_some(), "{}", site.log_text());
        let taken_over = number(&site.rows(), "SELECT count(*) FROM tasks WHERE fence > 1");
        assert_eq!(taken_over, 6, "all of them, or it would not have died");
        signal(&first, rustix::process::Signal::KILL);
    };
    tokio::join!(ask(&first, &holder, "paid", &mut seen), dying);
    let restarted = Instant::now();
    let third = site.start("").await;
    all_ended(&site.rows(), restarted).await;
    let count = audit(&site, &third, &holder, &seen, 100_000_000).await;
    eprintln!("killed when it had taken over: {count}");
    assert_eq!(number(&site.rows(), "SELECT min(crashes) FROM tasks"), 2);
    third.kill();
}

fn signal(server: &Server, signal: rustix::process::Signal) {
    rustix::process::kill_process(server.pid(), signal).expect("it runs");
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "it takes for ever"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn neither_prompts_nor_keys_nor_pictures_stand_in_the_log() {
    let site = Site::new(Duration::ZERO);
    let holder = site.customer("1.00").await;
    let server = site.start_with("", &["--set", "log=debug"]).await;
    let client = server.client(&holder);
    let prompt = "zwölf Boxkämpfer jagen Viktor quer";
    let mut picture = String::new();
    for (model, prompt, status) in [
        ("paid", prompt.to_owned(), 200),
        ("drawn", prompt.to_owned(), 200),
        ("drawn", format!("{prompt} [pinhole:fail=upstream]"), 502),
        ("no-such-model", prompt.to_owned(), 404),
    ] {
        let reply = client
            .generate(small_with(&prompt, json!({"model": model})))
            .await;
        assert_eq!(reply.status, status, "{}", reply.text());
        if status == 200 {
            picture = reply.json()["data"][0]["b64_json"]
                .as_str()
                .expect("base64")[..60]
                .to_owned();
            assert!(
                site.log_text().contains(reply.task_id().as_str()),
                "the log follows tasks"
            );
        }
    }
    client
        .generate_raw(
            Some("application/json"),
            format!("{{\"prompt\":\"{prompt}\",}}"),
        )
        .await
        .refused(400, "invalid_body");
    let wrong = crate::client::Client::new(&server.url, Some("sk-wrong-key-of-somebody"));
    wrong
        .get("/v1/models")
        .await
        .refused(401, "invalid_api_key");
    assert!(server.terminate().await.success());
    let log = site.log_text();
    assert!(log.contains("DEBUG"), "it is a log at this level");
    let test_key =
        std::fs::read_to_string(site.data().join("test-key")).expect("the first test key");
    for secret in [
        holder.secret.reveal(),
        test_key.trim(),
        "sk-wrong-key",
        "Boxkämpfer",
        "jagen",
        &picture,
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
