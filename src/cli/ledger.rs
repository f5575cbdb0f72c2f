//! `pinhole ledger`.

use super::failure::{Exit, Failure, Outcome};
use super::place::Place;
use super::{block_on, out};
use crate::store::ledger::Audit;
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Args)]
pub(super) struct Ledger {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add up every transfer and compare; exit code 1 if anything is wrong
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Ledger {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let Command::Check { json } = self.command;
        let store = place.rows()?;
        let audit = block_on(async { Ok(store.audit().await?) })?;
        if json {
            show_json(&audit)?;
        } else {
            show(&audit)?;
        }
        if audit.is_clean() {
            return Ok(());
        }
        if json {
            return Err(Failure::Said(Exit::Failed));
        }
        let failure = Failure::failed("the books are not in order");
        let findings = audit.findings.iter();
        Err(findings
            .fold(failure, |failure, finding| failure.why(finding))
            .fix("keep a copy of the data folder as it is, and compare with the last backup"))
    }
}

fn show_json(audit: &Audit) -> Outcome {
    out::json(&json!({
        "clean": audit.is_clean(),
        "transfers": audit.transfers,
        "sum": audit.sum,
        "held": audit.held,
        "captured": audit.captured,
        "operator_loss": audit.operator_loss,
        "currency": "USD",
        "findings": audit.findings,
    }))
}

fn show(audit: &Audit) -> Outcome {
    let verdict = if audit.is_clean() {
        "the books are in order"
    } else {
        "NOT IN ORDER"
    };
    out::pairs(&[
        ("Transfers", audit.transfers.to_string()),
        (
            "Sum",
            format!("{}  (must be zero)", out::dollars(audit.sum)),
        ),
        ("Held", out::dollars(audit.held)),
        ("Captured", out::dollars(audit.captured)),
        ("Operator loss", out::dollars(audit.operator_loss)),
        ("Findings", audit.findings.len().to_string()),
        ("Verdict", verdict.to_owned()),
    ])
}
