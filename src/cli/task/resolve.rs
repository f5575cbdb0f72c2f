//! `pinhole task resolve`: the operator's last word on a call that nobody could tell anything of.

use super::read_id;
use crate::cli::credits::amount;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::store::{self, StoreError};
use crate::types::{AttemptNumber, Money};
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

/// No call costs as much: an amount above is a slip of the keyboard, and what is booked is never changed.
const MOST_BILLED: Money = Money::from_micros(1_000_000_000);

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
        let resolve = store::Resolve {
            task: task.clone(),
            number,
            billed: self.found.amount(),
            note: self.note.clone(),
            at: now(),
        };
        let billed = match place.rows()?.resolve(resolve).await {
            Ok(billed) => billed,
            Err(StoreError::NotFound(_)) => return Err(no_such_call(&self.task, number)),
            Err(StoreError::Exists(what)) => {
                return Err(Failure::failed(format!("{what} is known already"))
                    .why("a correction is booked once, as a row that is never changed")
                    .fix("`pinhole task unknown` shows what was noted"));
            }
            Err(other) => return Err(other.into()),
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
}

fn no_such_call(task: &str, number: AttemptNumber) -> Failure {
    Failure::failed(format!(
        "{task} has no call {number} that may have been paid for nothing"
    ))
    .why("only a call of unknown outcome can be resolved, and only when its task has ended")
    .fix("`pinhole task unknown` lists them with their numbers")
}
