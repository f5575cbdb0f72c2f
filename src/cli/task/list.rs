//! `pinhole task ls`.

use super::money;
use super::source::Source;
use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::place::Place;
use crate::cli::table::{Column, table};
use crate::types::{KeyId, Millis, TaskFilter, TaskState};
use clap::Args;
use serde_json::{Value, json};

/// An id is there to be copied; whatever else has room tells more about it.
const COLUMNS: &[Column] = &[
    Column::text("TASK"),
    Column::words("MODEL").rank(2),
    Column::text("MODE").rank(5),
    Column::text("STATE"),
    Column::words("FAILURE").rank(3),
    Column::text("CREATED (UTC)").rank(6),
    Column::number("TOOK").rank(4),
    Column::number("COST").rank(1),
];

/// The longest page that a server gives.
const PAGE: usize = 100;

#[derive(Args)]
pub(super) struct List {
    /// Only those in this state: pending, processing, completed or failed
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<TaskState>,
    /// Only those of this model
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Only those of this API key (its id)
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Option<KeyId>,
    /// Only those from then on: 2026-11-21, 2026-11-21T08:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Millis>,
    /// Only those before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Millis>,
    /// How many at most
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Go on where an earlier list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// On the data folder: those of this account (name or id) [default: that of the key at hand]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn state(text: &str) -> Result<TaskState, String> {
    let names = TaskState::ALL.map(TaskState::name).join(", ");
    TaskState::from_name(text).ok_or_else(|| format!("expected one of {names}"))
}

fn key(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).ok_or_else(|| "an id of a key is `key_` and 32 digits".to_owned())
}

pub(in crate::cli) fn time(text: &str) -> Result<Millis, String> {
    Millis::parse(text).ok_or_else(|| {
        "expected a time like 2026-11-21, 2026-11-21T08:00:00Z, or milliseconds since 1970"
            .to_owned()
    })
}

impl List {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let (tasks, next) = self.collect(&Source::of(place)?).await?;
        if self.json {
            return out::json(&json!({"tasks": tasks, "nextCursor": next}));
        }
        if tasks.is_empty() {
            out::note("No tasks.");
            return Ok(());
        }
        let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
        table(COLUMNS, &rows)?;
        if let Some(cursor) = next {
            out::note(&format!(
                "More:  pinhole task ls --cursor {}   (with the same filters)",
                out::plain(&cursor)
            ));
        }
        Ok(())
    }

    /// Pages, until there are as many as were asked for. A page may be short and still not be the last one.
    async fn collect(&self, source: &Source) -> Outcome<(Vec<Value>, Option<String>)> {
        let filter = TaskFilter {
            state: self.state,
            model: self.model.clone(),
            key: self.key.clone(),
            since: self.since,
            until: self.until,
        };
        let (mut tasks, mut cursor) = (Vec::new(), self.cursor.clone());
        loop {
            let left = (self.limit as usize).saturating_sub(tasks.len());
            let most = u32::try_from(left.min(PAGE)).unwrap_or(u32::MAX);
            let account = self.account.as_deref();
            let mut page = source
                .page(&filter, account, cursor.as_deref(), most)
                .await?;
            if let Value::Array(found) = page["tasks"].take() {
                tasks.extend(found);
            }
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() || tasks.len() >= self.limit as usize {
                return Ok((tasks, cursor));
            }
        }
    }
}

fn row(task: &Value) -> Vec<String> {
    let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
    let at = |name: &str| task[name].as_i64();
    let took = at("createTime").zip(at("completeTime"));
    vec![
        text("taskId"),
        text("model"),
        text("mode"),
        text("state"),
        text("failCode"),
        at("createTime")
            .map(|at| out::minute(Millis(at)))
            .unwrap_or_default(),
        took.map(|(from, to)| seconds(to.saturating_sub(from)))
            .unwrap_or_default(),
        money(task, "cost"),
    ]
}

/// `1.4 s`
fn seconds(millis: i64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}
