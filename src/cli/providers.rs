//! `pinhole providers`: what is turned on, where it calls, what it serves.

use super::failure::Outcome;
use super::place::Place;
use super::{models, out};
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
        let rows: Vec<Value> = providers
            .iter()
            .map(|(name, provider)| {
                json!({
                    "name": name,
                    "kind": kind(name),
                    "base_url": provider.address(),
                    "concurrency": provider.traits().concurrency,
                    "models": served(&catalogue, name),
                })
            })
            .collect();
        if self.json {
            return out::json(&json!(rows));
        }
        let rows: Vec<_> = rows.iter().map(row).collect();
        out::table(
            &["PROVIDER", "KIND", "BASE URL", ">CALLS AT ONCE", "MODELS"],
            &rows,
        )
    }
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
        models.join(", "),
    ]
}
