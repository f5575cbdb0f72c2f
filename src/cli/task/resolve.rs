//! `pinhole task resolve`: the operator's last word on a call that nobody could tell anything of.

use super::read_id;
use super::source::Source;
use crate::cli::credits::amount;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::cli::remote::Server;
use crate::store::{self, Store, StoreError};
use crate::types::{AttemptNumber, MOST_BILLED, Money, TaskId};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(super) struct Resolve {
    /// The task's id: `task_` and 32 digits
    #[arg(value_name = "TASK")]
    task: String,
    /// Which of its calls: the column CALL of `pinhole task unknown`
    #[arg(long, value_name = "NUMBER")]
    attempt: AttemptNumber,
    #[command(flatten)]
    found: Found,
    /// Words about it, for later
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the provider's bill says.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Found {
    /// The provider billed the call: so many dollars [default: what was booked]
    #[arg(long, value_name = "DOLLARS", num_args = 0..=1, value_parser = amount)]
    billed: Option<Option<Money>>,
    /// The provider did not bill the call
    #[arg(long)]
    not_billed: bool,
}

impl Found {
    /// What was billed, if it is not what was booked.
    fn amount(&self) -> Option<Money> {
        match self.billed {
            Some(amount) => amount,
            None => Some(Money::ZERO),
        }
    }
}

impl Resolve {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let (task, number) = (read_id(&self.task)?, self.attempt);
        if let Some(billed) = self.found.amount().filter(|it| *it > MOST_BILLED) {
            let (billed, most) = (out::dollars(billed), out::dollars(MOST_BILLED));
            return Err(Failure::usage(format!("{billed} is more than a call can cost"))
                .why("what is booked is never changed, so an amount that cannot be right is refused")
                .fix(format!("give what the bill says of this one call, at most {most}")));
        }
        let billed = match Source::of(place)? {
            Source::Server(server) => self.ask(&server, &task).await?,
            Source::Rows(rows) => self.write(&*rows.store, &task).await?,
        };
        if self.json {
            return out::json(&json!({
                "taskId": task, "number": number, "billed": billed, "currency": "USD",
            }));
        }
        out::note(&format!(
            "Call {number} of {task} is booked as {} from now on.",
            out::dollars(billed)
        ));
        Ok(())
    }

    /// Has the server that `PINHOLE_URL` names do it, with a key of the scope `admin`.
    async fn ask(&self, server: &Server, task: &TaskId) -> Outcome<Money> {
        let outcome = match self.found.not_billed {
            true => "not_billed",
            false => "billed",
        };
        let mut query = vec![
            ("task", task.to_string()),
            ("attempt", self.attempt.to_string()),
            ("outcome", outcome.to_owned()),
        ];
        let amount = self.found.billed.flatten();
        query.extend(amount.map(|amount| ("amount", amount.to_string())));
        query.extend(self.note.clone().map(|note| ("note", note)));
        let answer = server.post_with("/admin/v1/tasks/resolve", &query).await?;
        let billed = answer["billed"].as_str().and_then(|text| text.parse().ok());
        billed.ok_or_else(|| Failure::failed("the server's answer does not say what is booked"))
    }

    /// Does it on the data folder, whether or not a server runs there.
    async fn write(&self, store: &dyn Store, task: &TaskId) -> Outcome<Money> {
        let resolve = store::Resolve {
            task: task.clone(),
            number: self.attempt,
            billed: self.found.amount(),
            note: self.note.clone(),
            at: now(),
        };
        match store.resolve(resolve).await {
            Ok(billed) => Ok(billed),
            Err(StoreError::NotFound(_)) => Err(no_such_call(&self.task, self.attempt)),
            Err(StoreError::Exists(what)) => {
                Err(Failure::failed(format!("{what} is known already"))
                    .why("a correction is booked once, as a row that is never changed")
                    .fix("`pinhole task unknown` shows what was noted"))
            }
            Err(other) => Err(other.into()),
        }
    }
}

fn no_such_call(task: &str, number: AttemptNumber) -> Failure {
    Failure::failed(format!(
        "{task} has no call {number} that may have been paid for nothing"
    ))
    .why("only a call of unknown outcome can be resolved, and only when its task has ended")
    .fix("`pinhole task unknown` lists them with their numbers")
}
