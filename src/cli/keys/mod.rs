//! `pinhole keys`.

mod create;
mod import;
mod limits;

use super::failure::{Failure, Outcome};
use super::place::{Place, account, now};
use super::table::{Column, table};
use super::{block_on, out};
use crate::store::{Store, StoreError};
use crate::types::{AccountId, ApiKey, KeyId, Millis, Scope};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::collections::HashMap;

/// `keys revoke` asks for the id; a person knows a key by its name.
const COLUMNS: &[Column] = &[
    Column::text("ID"),
    Column::words("NAME"),
    Column::words("ACCOUNT").rank(3),
    Column::text("MODE").rank(2),
    Column::text("ENDS IN").rank(4),
    Column::text("SCOPES").rank(6),
    Column::text("STATE").rank(1),
    Column::text("CREATED (UTC)").rank(7),
    Column::words("LIMITS").rank(5),
];

#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key and show its secret, once
    Create(Box<create::Create>),
    /// List the keys, never their secrets
    Ls(List),
    /// Refuse a key from now on
    Revoke {
        /// Its id: `key_` and 32 digits, as `pinhole keys ls` shows it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take over secrets that another gateway made, one a line
    Import(import::Import),
}

#[derive(Args)]
struct List {
    /// Only those of this account (name or id)
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Keys {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        match &self.command {
            Command::Create(create) => create.run(place),
            Command::Ls(list) => block_on(list.run(place)),
            Command::Revoke { id, json } => block_on(revoke(place, id, *json)),
            Command::Import(import) => import.run(place),
        }
    }
}

impl List {
    async fn run(&self, place: &Place) -> Outcome {
        let store = place.rows()?;
        let account = match &self.account {
            Some(name) => Some(account(&*store, name).await?.id),
            None => None,
        };
        let keys = store.list_keys(account.as_ref()).await?;
        let names = account_names(&*store).await?;
        let name = |key: &ApiKey| names.get(&key.account).cloned().unwrap_or_default();
        if self.json {
            return out::json(&keys.iter().map(|key| as_json(key, &name(key))).collect());
        }
        let rows: Vec<Vec<String>> = keys.iter().map(|key| row(key, name(key))).collect();
        table(COLUMNS, &rows)
    }
}

async fn account_names(store: &dyn Store) -> Outcome<HashMap<AccountId, String>> {
    let accounts = store.list_accounts().await?.into_iter();
    Ok(accounts
        .map(|(account, _)| (account.id, account.name))
        .collect())
}

fn row(key: &ApiKey, account: String) -> Vec<String> {
    let scopes: Vec<&str> = key
        .limits
        .scopes
        .iter()
        .map(|scope| scope_name(*scope))
        .collect();
    let limits = limits::words(&key.limits);
    vec![
        key.id.to_string(),
        key.name.clone(),
        account,
        key.mode.name().to_owned(),
        format!("…{}", key.last_four),
        scopes.join(", "),
        state(key, now()).to_owned(),
        out::minute(key.created_at),
        if limits.is_empty() {
            "none".to_owned()
        } else {
            limits.join(", ")
        },
    ]
}

fn state(key: &ApiKey, now: Millis) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.limits.expires_at.is_some_and(|at| at <= now) {
        "expired"
    } else if key.imported {
        "active, imported"
    } else {
        "active"
    }
}

fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Generate => "generate",
        Scope::Read => "read",
        Scope::Admin => "admin",
    }
}

/// A key as `--json` prints it; there is no secret in it.
fn as_json(key: &ApiKey, account: &str) -> Value {
    let scopes: Vec<&str> = key
        .limits
        .scopes
        .iter()
        .map(|scope| scope_name(*scope))
        .collect();
    json!({
        "id": key.id,
        "name": key.name,
        "account": account,
        "mode": key.mode,
        "last_four": key.last_four,
        "state": state(key, now()).split(',').next(),
        "imported": key.imported,
        "scopes": scopes,
        "models": key.limits.models,
        "networks": key.limits.networks,
        "expires_at": key.limits.expires_at.map(out::timestamp),
        "requests_per_minute": key.limits.requests_per_minute,
        "concurrent": key.limits.concurrent,
        "spend_cap": key.limits.spend_cap,
        "default_response_format": key.limits.default_response_format,
        "created_at": out::timestamp(key.created_at),
        "revoked_at": key.revoked_at.map(out::timestamp),
    })
}

async fn revoke(place: &Place, id: &str, json: bool) -> Outcome {
    let unknown = || {
        Failure::failed("there is no such key")
            .why("the data folder has no key with this id")
            .fix("`pinhole keys ls` shows the ids; they begin with `key_`")
    };
    // What was given is not repeated: it may be a secret, pasted by mistake.
    let key = KeyId::parse(id).ok_or_else(unknown)?;
    let store = place.rows()?;
    match store.revoke_key(&key, now()).await {
        Ok(()) => {}
        Err(StoreError::NotFound(_)) => return Err(unknown()),
        Err(error) => return Err(error.into()),
    }
    if json {
        return out::json(&serde_json::json!({"id": key.as_str(), "revoked": true}));
    }
    out::note(&format!(
        "Revoked {key}. A running server refuses it within half a second."
    ));
    Ok(())
}
