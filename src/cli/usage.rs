//! `pinhole usage`.

use super::credits::account_asked;
use super::failure::{Failure, Outcome};
use super::place::{self, Place, now};
use super::remote::Server;
use super::table::{Column, table};
use super::{block_on, out};
use crate::dialect::usage;
use crate::engine::consumption;
use crate::store::StoreError;
use crate::types::{Millis, Period, UsageBy};
use clap::Args;
use serde_json::Value;

#[derive(Args)]
pub(super) struct ShowUsage {
    /// The account's name or id on the data folder [default: that of PINHOLE_API_KEY, else `default`]
    account: Option<String>,
    /// Tell it apart by `model`, `key`, `day` or `mode`
    #[arg(long, value_name = "WHAT", value_parser = by)]
    by: Option<UsageBy>,
    /// From this day on (2026-11-21, in UTC) or this second (Unix time) [default: 30 days before the end]
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Up to and with this day, or up to this second [default: now]
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn by(text: &str) -> Result<UsageBy, String> {
    let names = UsageBy::ALL.map(UsageBy::name).join(", ");
    UsageBy::from_name(text).ok_or_else(|| format!("there are {names}"))
}

impl ShowUsage {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let period =
            Period::read(self.start.as_deref(), self.end.as_deref(), now()).map_err(|wrong| {
                Failure::usage(format!("--{} must be {}", wrong.name, wrong.right))
                    .fix(format!("pinhole usage --{} 2026-11-21", wrong.name))
            })?;
        let value = block_on(self.value(place, period))?;
        if self.json {
            return out::json(&value);
        }
        self.show(&value, period)
    }

    /// What `GET /v1/usage` says, from there or from the rows.
    async fn value(&self, place: &Place, period: Period) -> Outcome<Value> {
        if let Some(url) = place::server() {
            if self.account.is_some() {
                return Err(Failure::usage("an account has no meaning here")
                    .why("a server tells the usage of the account that the key belongs to")
                    .fix("set PINHOLE_API_KEY to a key of that account"));
            }
            let server = Server::new(&url, place::key(&place.load()?.settings.data))?;
            let (start, end) = (period.start.seconds(), period.end.seconds());
            let by = self.by.map(|by| format!("&group_by={}", by.name()));
            let path = format!(
                "/v1/usage?start={start}&end={end}{}",
                by.unwrap_or_default()
            );
            return server.get(&path).await;
        }
        let store = place.rows()?;
        let account = account_asked(self.account.as_deref(), place, &*store).await?;
        let told = consumption(&*store, &account.id, period, self.by)
            .await
            .map_err(refused)?;
        let (total, groups) = (&told.total, &told.groups);
        Ok(usage::encode(&account.name, period, self.by, total, groups))
    }

    fn show(&self, value: &Value, period: Period) -> Outcome {
        let groups = value["data"].as_array().map(Vec::as_slice);
        let name = self.by.map_or("", UsageBy::name);
        let mut rows: Vec<Vec<String>> = groups
            .unwrap_or_default()
            .iter()
            .map(|group| row(title(group, name), group))
            .collect();
        rows.push(row("total".to_owned(), &value["total"]));
        let first = name.to_uppercase();
        let columns = [
            Column::words(&first),
            Column::number("COMPLETED").rank(1),
            Column::number("FAILED").rank(3),
            Column::number("IMAGES").rank(2),
            Column::number("TOKENS IN").rank(5),
            Column::number("TOKENS OUT").rank(4),
            Column::number("CHARGED"),
        ];
        table(&columns, &rows)?;
        let account = value["account"].as_str().unwrap_or_default();
        let minute = |at: Millis| out::minute(at);
        let (start, end) = (minute(period.start), minute(period.end));
        out::note(&out::plain(&format!("{account}, {start} to {end} UTC.")));
        Ok(())
    }
}

/// The group's own word; a key's name tells more than its id.
fn title(group: &Value, by: &str) -> String {
    let text = |name: &str| group[name].as_str().map(str::to_owned);
    match (text("name"), text(by)) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (_, id) => id.unwrap_or_default(),
    }
}

fn row(title: String, used: &Value) -> Vec<String> {
    let count = |name: &str| used[name].as_u64().unwrap_or(0);
    let tokens = count("input_text_tokens").saturating_add(count("input_image_tokens"));
    let charged = used["charged"].as_str().and_then(|text| text.parse().ok());
    vec![
        title,
        count("completed").to_string(),
        count("failed").to_string(),
        count("images").to_string(),
        tokens.to_string(),
        count("output_tokens").to_string(),
        charged.map(out::dollars).unwrap_or_default(),
    ]
}

fn refused(error: StoreError) -> Failure {
    match error {
        StoreError::TooManyGroups(most) => {
            Failure::usage(format!("there are more than {most} groups"))
                .why("so long a table helps nobody")
                .fix("ask for a shorter period with --start and --end, or group by something else")
        }
        error => error.into(),
    }
}
