//! `pinhole task`: tasks without waiting for them, and the history.
//!
//! With `PINHOLE_URL` a command asks that server, as its key's account. Without it, it reads the data folder, where the
//! operator sees every account's; starting and stopping a task is left to the server that holds the folder.

mod cancel;
mod follow;
mod list;
mod poison;
mod resolve;
mod source;
mod submit;
mod unknown;

use super::failure::{Failure, Outcome};
use super::place::Place;
use super::{block_on, out};
use crate::types::{Millis, TaskId};
use clap::{Args, Subcommand};
pub(super) use list::time;
use serde_json::Value;
use source::Source;
pub(super) use source::working_server;

#[derive(Args)]
pub(super) struct Task {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a task and leave it; prints its id
    Submit(Box<submit::Submit>),
    /// Show one task in any state
    Get(One),
    /// Wait for the end of a task; prints where its results are
    ///
    /// The exit code tells how it ended: 0 completed, 5 the upstream failed or refused it or nobody knows, 6 it was
    /// cancelled, timed out, or did not end in time, 1 anything else.
    Wait(follow::Wait),
    /// Print each state that a task goes through, then what `wait` prints
    Watch(follow::Watch),
    /// List tasks, newest first
    Ls(Box<list::List>),
    /// End a task that has not started, at no cost
    Cancel(One),
    /// List the upstream calls that may have been paid for nothing, and what was booked for them (for operators)
    Unknown(unknown::Unknown),
    /// Note what became of such a call, and correct what is booked for it, once (for operators)
    Resolve(resolve::Resolve),
    /// List the tasks that were set aside because the server stopped each time they ran alone (for operators)
    Poison(poison::Poison),
}

#[derive(Args)]
struct One {
    /// Its id: `task_` and 32 digits
    #[arg(value_name = "TASK")]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Task {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        match &self.command {
            Command::Submit(submit) => block_on(submit.run(place)),
            Command::Get(one) => block_on(one.get(place)),
            Command::Wait(wait) => block_on(wait.run(place)),
            Command::Watch(watch) => block_on(watch.run(place)),
            Command::Ls(list) => block_on(list.run(place)),
            Command::Cancel(one) => block_on(cancel::run(place, &read_id(&one.id)?, one.json)),
            Command::Unknown(unknown) => block_on(unknown.run(place)),
            Command::Resolve(resolve) => block_on(resolve.run(place)),
            Command::Poison(poison) => block_on(poison.run(place)),
        }
    }
}

impl One {
    async fn get(&self, place: &Place) -> Outcome {
        let id = read_id(&self.id)?;
        let data = Source::of(place)?.task(&id).await?;
        if self.json {
            out::json(&data)
        } else {
            show(&data)
        }
    }
}

pub(super) fn read_id(text: &str) -> Outcome<TaskId> {
    TaskId::parse(text).ok_or_else(|| {
        Failure::usage(format!("`{text}` is no id of a task"))
            .why("an id is `task_` and 32 hexadecimal digits")
            .fix("`pinhole task ls` lists them; the header x-pinhole-task-id of a call names its own")
    })
}

fn show(data: &Value) -> Outcome {
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let attempts = data["attempts"].as_array();
    let calls = attempts.into_iter().flatten().map(|attempt| {
        let state = attempt["state"].as_str().unwrap_or_default();
        let why = attempt["failMsg"].as_str();
        why.map_or_else(|| state.to_owned(), |why| format!("{state}: {why}"))
    });
    let mut lines = vec![
        ("Task", text("taskId")),
        ("Model", format!("{} ({})", text("model"), text("mode"))),
        ("State", text("state")),
        ("Key", text("keyId")),
        ("Created", moment(data, "createTime")),
        ("Started", moment(data, "startTime")),
        ("Completed", moment(data, "completeTime")),
        ("Quote", money(data, "quote")),
        ("Cost", money(data, "cost")),
        ("Failure", text("failMsg")),
    ];
    lines.extend(calls.map(|call| ("Call", call)));
    let deliveries = data["deliveries"].as_array().into_iter().flatten();
    lines.extend(deliveries.map(|one| ("Callback", callback(one))));
    lines.extend(links(data).map(|url| ("Result", url.to_owned())));
    let assets = data["assets"].as_array().into_iter().flatten();
    let late = assets.filter(|asset| asset["late"] == true);
    lines.extend(late.filter_map(|asset| Some(("Late", asset["url"].as_str()?.to_owned()))));
    lines.retain(|(_, value)| !value.is_empty());
    out::pairs(&lines)?;
    let text = data["resultText"].as_str();
    match text.or(data["lateText"]["text"].as_str()) {
        Some(text) => out::text(&format!("\n{text}")),
        None => Ok(()),
    }
}

/// Where a callback stands, and what the receiver said last.
fn callback(delivery: &Value) -> String {
    let state = delivery["state"].as_str().unwrap_or_default();
    let last = delivery["log"].as_array().and_then(|log| log.last());
    let said = last.map(|last| match last["status"].as_u64() {
        Some(status) => format!(" (status {status})"),
        None => format!(" ({})", last["problem"].as_str().unwrap_or("no answer")),
    });
    let attempts = delivery["attempts"].as_u64().unwrap_or(0);
    let said = said.unwrap_or_default();
    let attempts = out::count(attempts, "attempt");
    format!("{state} after {attempts}{said}")
}

/// Where the results are.
fn links(data: &Value) -> impl Iterator<Item = &str> {
    let urls = data["resultUrls"].as_array().into_iter().flatten();
    urls.filter_map(Value::as_str)
}

fn money(data: &Value, name: &str) -> String {
    let amount = data[name].as_str().and_then(|text| text.parse().ok());
    amount.map(out::dollars).unwrap_or_default()
}

fn moment(data: &Value, name: &str) -> String {
    let at = data[name].as_i64();
    at.map(|at| format!("{} UTC", out::minute(Millis(at))))
        .unwrap_or_default()
}
