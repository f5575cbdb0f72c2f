//! `pinhole webhook resend`

use super::Source;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::cli::task::{read_id, time};
use crate::store::outbox::WINDOW;
use crate::types::{Delivery, Millis, TaskId};
use crate::webhook::told;
use clap::Args;
use serde_json::{Value, json};

/// The most that one command sends again.
const MOST: u32 = 10_000;

#[derive(Args)]
pub(super) struct Resend {
    /// The task whose callback is sent again, whatever became of it
    #[arg(
        value_name = "TASK",
        required_unless_present = "failed",
        conflicts_with = "failed"
    )]
    task: Option<String>,
    /// All that were given up
    #[arg(long, requires = "since")]
    failed: bool,
    /// Only those given up from then on: 2026-11-21, 2026-11-21T08:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time, requires = "failed")]
    since: Option<Millis>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Resend {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let source = Source::of(place)?;
        let sent = match (&self.task, self.since) {
            (Some(task), _) => one(&source, &read_id(task)?).await?,
            (None, since) => failed(&source, since.unwrap_or(Millis(0))).await?,
        };
        if self.json {
            return out::json(&json!({"resent": sent}));
        }
        if sent == 0 && self.task.is_some() {
            out::note(told::UNDER_WAY);
            return Ok(());
        }
        let is = if sent == 1 { "is" } else { "are" };
        out::note(&format!(
            "{} {is} sent again: at once if a server runs, else after its next start.",
            out::count(sent, "callback")
        ));
        Ok(())
    }
}

async fn one(source: &Source, task: &TaskId) -> Outcome<u64> {
    match source {
        Source::Server(server) => {
            let query = [("task", task.to_string())];
            Ok(count(&server.post_with(PATH, &query).await?))
        }
        Source::Rows(store) => {
            let found = store.resend_delivery(task, now(), WINDOW).await?;
            let again = |found: Delivery| u64::from(found.sent_at.is_none());
            found.map(again).ok_or_else(|| {
                Failure::failed("there is no callback to send again")
                    .why(format!(
                        "{task} is not of this data folder, has not ended, or had no callback_url"
                    ))
                    .fix("`pinhole webhook ls` lists them")
            })
        }
    }
}

async fn failed(source: &Source, since: Millis) -> Outcome<u64> {
    match source {
        Source::Server(server) => {
            let query = [("failed_since", since.0.to_string())];
            Ok(count(&server.post_with(PATH, &query).await?))
        }
        Source::Rows(store) => {
            let sent = store.resend_failed_deliveries(since, now(), WINDOW, MOST);
            Ok(u64::from(sent.await?))
        }
    }
}

const PATH: &str = "/admin/v1/webhooks/resend";

fn count(answer: &Value) -> u64 {
    answer["resent"].as_u64().unwrap_or(0)
}
