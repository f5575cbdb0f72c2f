//! `pinhole providers`: what is turned on, where it calls, what it serves; and whether a running server calls it now, if
//! there is one and `PINHOLE_API_KEY` is a key of the scope `admin`.

use super::failure::Outcome;
use super::place::Place;
use super::table::{Column, table};
use super::task::working_server;
use super::{block_on, models, out};
use crate::app::StartError;
use crate::catalogue::Catalogue;
use crate::provider::{Providers, sketch};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub(super) struct Show {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let settings = place.load()?.settings;
        let providers =
            Providers::from_settings(&settings.providers).map_err(StartError::Provider)?;
        let catalogue = models::catalogue(place)?;
        // A section of the file may replace the built-in one.
        let kind = |name: &str| {
            let own = settings.providers.iter().rfind(|one| one.name == name);
            own.map_or(sketch::NAME, |one| one.kind.as_str()).to_owned()
        };
        let states = block_on(states(place))?;
        let rows: Vec<Value> = providers
            .iter()
            .map(|(name, provider)| {
                json!({
                    "name": name,
                    "kind": kind(name),
                    "base_url": provider.address(),
                    "concurrency": provider.traits().concurrency,
                    "models": served(&catalogue, name),
                    "state": state(&states, name),
                })
            })
            .collect();
        if self.json {
            return out::json(&json!(rows));
        }
        let rows: Vec<_> = rows.iter().map(row).collect();
        let columns = [
            Column::text("PROVIDER"),
            Column::text("KIND").rank(4),
            Column::words("BASE URL").rank(1),
            Column::number("CALLS AT ONCE").rank(5),
            Column::text("STATE").rank(2),
            Column::words("MODELS").rank(3),
        ];
        table(&columns, &rows)
    }
}

/// What a running server says of its providers; nothing if there is none, or if the key may not ask.
async fn states(place: &Place) -> Outcome<Value> {
    let Some(server) = working_server(place)? else {
        return Ok(Value::Null);
    };
    let answer = server.get("/admin/v1/providers").await;
    Ok(answer.map_or(Value::Null, |mut answer| answer["data"].take()))
}

/// A provider's state in words; `None` if nobody said.
fn state(states: &Value, name: &str) -> Option<String> {
    let all = states.as_array()?;
    let one = all.iter().find(|one| one["name"] == name)?;
    Some(match (one["breaker"].as_str(), one["pause_s"].as_u64()) {
        (Some("open"), Some(seconds)) => format!("paused for {seconds} s"),
        (Some("half_open" | "on_trial"), _) => "on trial".to_owned(),
        _ => "in use".to_owned(),
    })
}

/// The models that have a target at this provider.
fn served<'a>(catalogue: &'a Catalogue, name: &str) -> Vec<&'a str> {
    let models = catalogue.models().iter();
    models
        .filter(|model| model.targets.iter().any(|target| target.provider == name))
        .map(|model| model.id.as_str())
        .collect()
}

fn row(provider: &Value) -> Vec<String> {
    let text = |name: &str| provider[name].as_str().unwrap_or_default().to_owned();
    let models: Vec<&str> = provider["models"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let place = match text("base_url") {
        url if url.is_empty() => "(in this process)".to_owned(),
        url => url,
    };
    vec![
        text("name"),
        text("kind"),
        place,
        provider["concurrency"].to_string(),
        provider["state"].as_str().unwrap_or("-").to_owned(),
        models.join(", "),
    ]
}
