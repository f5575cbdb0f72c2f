//! `pinhole task wait` and `watch`: the end of a task, and the states before it.

use super::source::Source;
use super::{links, read_id};
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::place::Place;
use crate::cli::{out, remote};
use crate::error::Error;
use crate::types::TaskId;
use clap::Args;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long one look waits for the end. The server answers at once when it comes.
const LONG_LOOK: Duration = Duration::from_secs(30);

/// The same for who wants to see the states before it.
const SHORT_LOOK: Duration = Duration::from_secs(1);

/// How often the rows of a folder are read.
const ROWS_EVERY: Duration = Duration::from_millis(100);

/// How often it is made sure that somebody runs the tasks of the folder. A server that starts anew takes less.
const SERVED_EVERY: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(super) struct Wait {
    #[command(flatten)]
    followed: Followed,
}

#[derive(Args)]
pub(super) struct Watch {
    #[command(flatten)]
    followed: Followed,
}

#[derive(Args)]
struct Followed {
    /// Its id: `task_` and 32 digits
    #[arg(value_name = "TASK")]
    id: String,
    /// Give up after so many seconds; the task goes on [default: never]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Print JSON; `watch` prints one object a line
    #[arg(long)]
    json: bool,
}

impl Wait {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let end = self
            .followed
            .to_the_end(place, LONG_LOOK, |_| Ok(()))
            .await?;
        if self.followed.json {
            out::json(&end)?;
        }
        self.followed.show(&end)
    }
}

impl Watch {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let tell = |data: &Value| {
            if self.followed.json {
                out::json_line(data)
            } else {
                out::print(&state(data))
            }
        };
        let end = self.followed.to_the_end(place, SHORT_LOOK, tell).await?;
        self.followed.show(&end)
    }
}

impl Followed {
    /// Calls `changed` with the task whenever its state is another one, and returns it when it has ended.
    async fn to_the_end(
        &self,
        place: &Place,
        look: Duration,
        changed: impl Fn(&Value) -> Outcome,
    ) -> Outcome<Value> {
        let id = read_id(&self.id)?;
        let source = Source::of(place)?;
        let following = async {
            let mut before = Value::Null;
            let mut checked: Option<Instant> = None;
            loop {
                let is_due = checked.is_none_or(|at| at.elapsed() >= SERVED_EVERY);
                // Asked before the task is read: who has left by now has written the end of what it ended.
                let is_left = is_due && !source.is_served();
                if is_due {
                    checked = Some(Instant::now());
                }
                let data = source.task(&id).await?;
                if data["state"] != before {
                    changed(&data)?;
                }
                if is_over(&data) {
                    return Ok(data);
                }
                if is_left {
                    return Err(not_served(&data));
                }
                before = data["state"].clone();
                pause(&source, &id, look).await?;
            }
        };
        let limit = self.timeout.map_or(Duration::MAX, Duration::from_secs);
        tokio::time::timeout(limit, following)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::new(Exit::Timeout, "the task did not end in time")
                    .why(format!("{} s were over and {id} goes on", limit.as_secs()))
                    .fix(format!("pinhole task wait {id}")))
            })
    }

    /// The results on stdout; a failure with the exit code of its kind.
    fn show(&self, end: &Value) -> Outcome {
        if end["state"] == "completed" {
            return if self.json { Ok(()) } else { results(end) };
        }
        let kind = remote::kind_named(end["failCode"].as_str().unwrap_or_default());
        let message = end["failMsg"].as_str().unwrap_or("the task failed");
        Err(Failure::from(Error::new(kind, message)).why(format!("task {}", self.id)))
    }
}

/// What a task made: its links, a line each, and its text.
fn results(end: &Value) -> Outcome {
    let urls: Vec<String> = links(end).map(out::plain).collect();
    if !urls.is_empty() {
        out::print(&urls.join("\n"))?;
    }
    end["resultText"].as_str().map_or(Ok(()), out::text)
}

fn state(data: &Value) -> String {
    out::plain(data["state"].as_str().unwrap_or_default())
}

fn is_over(data: &Value) -> bool {
    data["state"] == "completed" || data["state"] == "failed"
}

/// Waits until there may be something new.
async fn pause(source: &Source, id: &TaskId, look: Duration) -> Outcome {
    let Source::Server(server) = source else {
        tokio::time::sleep(ROWS_EVERY).await;
        return Ok(());
    };
    let started = Instant::now();
    let query = [
        ("task_id", id.to_string()),
        ("wait", look.as_secs().to_string()),
    ];
    let data = server
        .get_with("/api/v1/images/generations", &query)
        .await?["data"]
        .take();
    if !is_over(&data) {
        // A server that stops answers early; asking again at once would only keep it busy.
        tokio::time::sleep(SHORT_LOOK.saturating_sub(started.elapsed())).await;
    }
    Ok(())
}

/// A task that nobody runs would be waited for in vain.
fn not_served(data: &Value) -> Failure {
    Failure::failed("nothing runs the tasks of this data folder")
        .why(format!("the task is {}, and stays so", state(data)))
        .fix("`pinhole serve` takes it up")
}
