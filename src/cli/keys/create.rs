//! `pinhole keys create`.

use super::limits;
use crate::catalogue::Catalogue;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::models::{catalogue, unknown};
use crate::cli::place::{Place, account_or_default, now};
use crate::cli::{block_on, out};
use crate::store;
use crate::types::{
    Account, ApiKey, KeyLimits, Millis, Mode, ResponseFormat, Scope, Secret, SpendCap,
};
use clap::Args;
use ipnet::IpNet;
use serde_json::json;

#[derive(Args)]
pub(super) struct Create {
    /// What its owner calls it
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The account that it spends from (name or id)
    #[arg(long, value_name = "ACCOUNT", default_value = crate::app::DEFAULT_ACCOUNT)]
    account: String,
    /// A test key: every model is drawn by this machine, free of charge
    #[arg(long)]
    test: bool,
    /// What it may do: generate, read or admin; repeatable [default: generate and read]
    #[arg(long, value_name = "SCOPE", value_parser = limits::scope)]
    scope: Vec<Scope>,
    /// A model that it may call; repeatable [default: all]
    #[arg(long, value_name = "ID")]
    model: Vec<String>,
    /// An address or network (CIDR) that it may be used from; repeatable [default: all]
    #[arg(long, value_name = "CIDR", value_parser = limits::network)]
    ip: Vec<IpNet>,
    /// When it ends: a number of days, or a date in UTC [default: never]
    #[arg(long, value_name = "DATE|DAYS", value_parser = limits::expires)]
    expires: Option<Millis>,
    /// Requests that it may make in a minute [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rpm: Option<u32>,
    /// Dollars that it may spend, like 5/day, 100/month or 20/total [default: no limit]
    #[arg(long, value_name = "DOLLARS/PERIOD", value_parser = limits::spend_cap, allow_hyphen_values = true)]
    spend_cap: Option<SpendCap>,
    /// Tasks that it may have running at once; the others wait [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrent: Option<u32>,
    /// How images come when a request does not say: b64_json, url or both [default: b64_json]
    #[arg(long, value_name = "FORMAT", value_parser = response_format)]
    default_response_format: Option<ResponseFormat>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn response_format(text: &str) -> Result<ResponseFormat, String> {
    ResponseFormat::from_name(text)
        .ok_or_else(|| format!("one of {}", ResponseFormat::NAMES.join(", ")))
}

impl Create {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let limits = self.limits(place)?;
        let mode = if self.test { Mode::Test } else { Mode::Live };
        let secret = Secret::generate(mode);
        let (account, key) = block_on(async {
            let store = place.rows_or_new()?;
            let account = account_or_default(&*store, &self.account).await?;
            let four = secret.last_four();
            let key = store::new_key(&account.id, &self.name, mode, &four, limits, now());
            store
                .create_keys(vec![(key.clone(), secret.hash())])
                .await?;
            Ok((account, key))
        })?;
        if self.json {
            let mut value = super::as_json(&key, &account.name);
            value["key"] = json!(secret.reveal());
            return out::json(&value);
        }
        show(&account, &key, &secret)
    }

    fn limits(&self, place: &Place) -> Outcome<KeyLimits> {
        if self.name.trim().is_empty() {
            return Err(Failure::usage("the key has no name")
                .why("the name tells keys apart in lists and in the history")
                .fix("--name laptop"));
        }
        let default = KeyLimits::default();
        Ok(KeyLimits {
            scopes: if self.scope.is_empty() {
                default.scopes
            } else {
                self.scope.clone()
            },
            models: self.models(place)?,
            networks: self.ip.clone(),
            expires_at: self.expires,
            requests_per_minute: self.rpm,
            spend_cap: self.spend_cap,
            concurrent: self.concurrent,
            default_response_format: self.default_response_format,
        })
    }

    /// The ids of the models that were named, which may have been aliases: the engine compares ids.
    fn models(&self, place: &Place) -> Outcome<Vec<String>> {
        if self.model.is_empty() {
            return Ok(Vec::new());
        }
        let catalogue = catalogue(place)?;
        self.model
            .iter()
            .map(|id| canonical(&catalogue, id))
            .collect()
    }
}

fn canonical(catalogue: &Catalogue, id: &str) -> Outcome<String> {
    let ids = || {
        catalogue
            .models()
            .iter()
            .map(|model| model.id.as_str())
            .collect::<Vec<_>>()
    };
    let found = catalogue.find(id).ok_or_else(|| unknown(id, &ids()))?;
    Ok(found.id.clone())
}

/// The secret alone goes to stdout, as a line for `.env`; the words around it do not.
fn show(account: &Account, key: &ApiKey, secret: &Secret) -> Outcome {
    out::print(&format!("PINHOLE_API_KEY={}", secret.reveal()))?;
    let limits = limits::words(&key.limits);
    let limits = if limits.is_empty() {
        String::new()
    } else {
        format!("; {}", limits.join(", "))
    };
    out::note(&format!(
        "Made the {} key `{}` for the account {}{limits}.\n\
         Its secret is shown this once; only a hash of it is kept. The line above is for a .env file.\n\
         Id:  {}",
        key.mode.name(),
        key.name,
        account.name,
        key.id
    ));
    Ok(())
}
