//! `pinhole webhook secret`: what signs an account's callbacks.

use super::{Owner, Source};
use crate::cli::failure::Outcome;
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::types::{Millis, SigningSecret};
use crate::webhook::told;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::time::Duration;

#[derive(Args)]
pub(super) struct Secret {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the secrets that sign now, the present one first
    Show(Show),
    /// Make a new one; the one before it signs on for a while, so that receivers can change over
    Rotate(Rotate),
}

#[derive(Args)]
struct Show {
    #[command(flatten)]
    owner: Owner,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Rotate {
    #[command(flatten)]
    owner: Owner,
    /// For how many hours the secret before it signs too
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(0..=2160))]
    overlap: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const PATH: &str = "/admin/v1/webhooks/secret";

impl Secret {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        match &self.command {
            Command::Show(show) => print(&show.told(place).await?, show.json),
            Command::Rotate(rotate) => print(&rotate.told(place).await?, rotate.json),
        }
    }
}

impl Show {
    async fn told(&self, place: &Place) -> Outcome<Value> {
        match Source::of_new(place)? {
            Source::Server(server) => server.get_with(PATH, &self.owner.query()).await,
            Source::Rows(store) => {
                let owner = self.owner.find(&*store).await?;
                let signing = store.signing_secrets(&owner.id, now()).await?;
                Ok(told::secrets(&owner, &signing))
            }
        }
    }
}

impl Rotate {
    async fn told(&self, place: &Place) -> Outcome<Value> {
        let seconds = self.overlap * 3600;
        match Source::of_new(place)? {
            Source::Server(server) => {
                let mut query = self.owner.query();
                query.push(("overlap_s", seconds.to_string()));
                server.post_with(PATH, &query).await
            }
            Source::Rows(store) => {
                let owner = self.owner.find(&*store).await?;
                let (secret, at) = (SigningSecret::generate(), now());
                let retires_at = at.after(Duration::from_secs(seconds));
                store
                    .rotate_signing_secret(&owner.id, secret, at, retires_at)
                    .await?;
                let signing = store.signing_secrets(&owner.id, at).await?;
                Ok(told::secrets(&owner, &signing))
            }
        }
    }
}

/// The present secret is the data; what else there is to know goes to stderr.
fn print(told: &Value, as_json: bool) -> Outcome {
    if as_json {
        return out::json(told);
    }
    for secret in told["secrets"].as_array().into_iter().flatten() {
        let text = secret["secret"].as_str().unwrap_or_default();
        match secret["retireTime"].as_i64() {
            None => out::print(text)?,
            Some(at) => out::note(&format!(
                "  {text}  signs too until {} UTC",
                out::minute(Millis(at))
            )),
        }
    }
    Ok(())
}
