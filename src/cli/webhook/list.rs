//! `pinhole webhook ls`

use super::Source;
use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::place::{Place, account};
use crate::cli::table::{Column, table};
use crate::cli::task::time;
use crate::dialect::task;
use crate::store::outbox::DeliveryListing;
use crate::types::{DeliveryState, Millis};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub(super) struct List {
    /// Only those in this state: pending, delivered, exhausted or gone
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<DeliveryState>,
    /// Only those of this account (name or id)
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only those of tasks that ended from then on: 2026-11-21, 2026-11-21T08:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Millis>,
    /// How many at most
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn state(text: &str) -> Result<DeliveryState, String> {
    let names = DeliveryState::ALL.map(DeliveryState::name).join(", ");
    DeliveryState::from_name(text).ok_or_else(|| format!("expected one of {names}"))
}

impl List {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let found = self.found(place).await?;
        if self.json {
            return out::json(&json!({"deliveries": found}));
        }
        if found.is_empty() {
            out::note("No callbacks.");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        let columns = [
            Column::text("ENDED (UTC)").rank(4),
            Column::text("TASK"),
            Column::text("STATE"),
            Column::number("ATTEMPTS").rank(1),
            Column::text("NEXT (UTC)").rank(3),
            Column::words("URL").rank(2),
        ];
        table(&columns, &rows)?;
        out::note("  `pinhole task get TASK` shows what became of each attempt.");
        Ok(())
    }

    async fn found(&self, place: &Place) -> Outcome<Vec<Value>> {
        match Source::of(place)? {
            Source::Server(server) => {
                let given = [
                    ("state", self.state.map(|state| state.name().to_owned())),
                    ("account", self.account.clone()),
                    ("since", self.since.map(|at| at.0.to_string())),
                    ("limit", Some(self.limit.to_string())),
                ];
                let given = given.into_iter();
                let query: Vec<_> = given
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                let mut answer = server.get_with("/admin/v1/webhooks", &query).await?;
                match answer["data"].take() {
                    Value::Array(found) => Ok(found),
                    _ => Ok(Vec::new()),
                }
            }
            Source::Rows(store) => {
                let owner = match &self.account {
                    Some(name) => Some(account(&*store, name).await?.id),
                    None => None,
                };
                let listing = DeliveryListing {
                    state: self.state,
                    account: owner,
                    since: self.since,
                    most: self.limit,
                };
                let found = store.list_deliveries(&listing).await?;
                Ok(found.iter().map(task::delivery).collect())
            }
        }
    }
}

fn row(delivery: &Value) -> Vec<String> {
    let text = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
    let time = |name: &str| {
        let at = delivery[name].as_i64();
        at.map(|at| out::minute(Millis(at))).unwrap_or_default()
    };
    vec![
        time("createTime"),
        text("taskId"),
        text("state"),
        delivery["attempts"].to_string(),
        time("nextTime"),
        text("url"),
    ]
}
