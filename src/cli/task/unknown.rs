//! `pinhole task unknown`: what the operator may have paid for nothing.

use super::list::time;
use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::place::Place;
use crate::cli::table::{Column, table};
use crate::types::{LostCall, Millis, Money, Resolution};
use clap::Args;
use serde_json::{Value, json};

/// `task resolve` asks for the first two that stay.
const COLUMNS: &[Column] = &[
    Column::text("GIVEN UP (UTC)").rank(6),
    Column::text("TASK"),
    Column::number("CALL"),
    Column::words("ACCOUNT").rank(7),
    Column::words("MODEL").rank(5),
    Column::words("PROVIDER").rank(3),
    Column::text("UPSTREAM ID").rank(8),
    Column::text("STATE").rank(4),
    Column::number("BOOKED").rank(1),
    Column::text("SINCE").rank(2),
];

#[derive(Args)]
pub(super) struct Unknown {
    /// Only those given up from then on: 2026-11-21, 2026-11-21T08:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Millis>,
    /// How many at most, the latest first
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Unknown {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let since = self.since.unwrap_or(Millis(i64::MIN));
        let mut calls = place
            .rows()?
            .list_lost_calls(since, self.limit.saturating_add(1))
            .await?;
        let has_more = calls.len() > self.limit as usize;
        calls.truncate(self.limit as usize);
        let total = calls
            .iter()
            .map(|call| {
                call.resolved
                    .as_ref()
                    .map_or(call.loss, |known| known.billed)
            })
            .try_fold(Money::ZERO, Money::plus)
            .unwrap_or(Money::from_micros(i64::MAX));
        if self.json {
            let calls: Vec<Value> = calls.iter().map(as_json).collect();
            return out::json(&json!({
                "calls": calls, "total": total, "currency": "USD", "more": has_more,
            }));
        }
        if calls.is_empty() {
            out::note("None: of every upstream call it is known how it ended.");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = calls.iter().map(row).collect();
        table(COLUMNS, &rows)?;
        out::note(&format!(
            "  {} booked to operator_loss for these; no client was charged for them.",
            out::dollars(total)
        ));
        if has_more {
            out::note("  There are earlier ones: raise --limit.");
        }
        Ok(())
    }
}

fn row(call: &LostCall) -> Vec<String> {
    let attempt = &call.attempt;
    vec![
        out::minute(call.ended_at),
        call.task.to_string(),
        attempt.number.to_string(),
        call.account.name.clone(),
        call.model.clone(),
        attempt.provider.clone(),
        upstream_id(call).unwrap_or("none").to_owned(),
        attempt.state.name().to_owned(),
        out::dollars(call.loss),
        since(call),
    ]
}

/// What became known of it since.
fn since(call: &LostCall) -> String {
    let Some(known) = &call.resolved else {
        return String::new();
    };
    match known.resolution {
        Resolution::Delivered => "came late".to_owned(),
        Resolution::NotBilled => "not billed".to_owned(),
        Resolution::Billed => format!("billed {}", out::dollars(known.billed)),
    }
}

fn as_json(call: &LostCall) -> Value {
    let attempt = &call.attempt;
    json!({
        "taskId": call.task,
        "number": attempt.number,
        "account": call.account.name,
        "model": call.model,
        "provider": attempt.provider,
        "upstreamModel": attempt.upstream_model,
        "upstreamId": upstream_id(call),
        "images": attempt.part.count,
        "state": attempt.state.name(),
        "failMsg": attempt.failure.as_ref().map(|failure| &failure.message),
        "loss": call.loss,
        "createTime": attempt.created_at.0,
        "endTime": call.ended_at.0,
        "resolution": call.resolved.as_ref().map(|known| known.resolution.name()),
        "billed": call.resolved.as_ref().map(|known| known.billed),
        "resolvedTime": call.resolved.as_ref().map(|known| known.at.0),
        "note": call.resolved.as_ref().and_then(|known| known.note.as_deref()),
    })
}

fn upstream_id(call: &LostCall) -> Option<&str> {
    call.attempt.upstream_id.as_ref().map(|id| id.0.as_str())
}
