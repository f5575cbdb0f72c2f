//! `pinhole credits` and `pinhole balance`.

use super::accounts::{as_json, credit_line_words};
use super::failure::{Failure, Outcome};
use super::place::{self, Place, account, account_or_default, now};
use super::remote::Server;
use super::table::{Column, table};
use super::{block_on, out};
use crate::app::DEFAULT_ACCOUNT;
use crate::store::{Store, StoreError};
use crate::types::{Account, Balance, Money};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Credits {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Add credits to an account
    Grant(Grant),
}

#[derive(Args)]
struct Grant {
    /// The account's name or id
    account: String,
    /// How much, in dollars (at most six decimal places)
    #[arg(value_parser = amount)]
    dollars: Money,
    /// Books a payment once: the same reference again changes nothing [default: a random one]
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct ShowBalance {
    /// The account's name or id [default: that of PINHOLE_API_KEY, else `default`]
    account: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// An amount that is not below zero; a dollar sign in front does no harm.
pub(super) fn amount(text: &str) -> Result<Money, String> {
    let amount: Money = text
        .strip_prefix('$')
        .unwrap_or(text)
        .parse()
        .map_err(|error: crate::types::money::NotMoney| error.to_string())?;
    if amount < Money::ZERO {
        return Err("an amount is not below zero: nothing is taken back this way".to_owned());
    }
    Ok(amount)
}

impl Credits {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        match &self.command {
            Some(Command::Grant(grant)) => {
                let store = place.rows()?;
                block_on(grant.run(&*store))
            }
            None => list(place, self.json),
        }
    }
}

impl Grant {
    async fn run(&self, store: &dyn Store) -> Outcome {
        if self.dollars == Money::ZERO {
            return Err(Failure::usage("nothing would be granted")
                .why("the amount is zero")
                .fix(format!("pinhole credits grant {} 10", self.account)));
        }
        let account = account_or_default(store, &self.account).await?;
        let reference = self.reference.clone().unwrap_or_else(random_reference);
        let before = store.balance(&account.id).await?;
        let after = store
            .top_up(&account.id, self.dollars, &reference, now())
            .await
            .map_err(|error| refused(error, &reference))?;
        if self.json {
            let mut value = as_json(&account, after);
            value["reference"] = json!(reference);
            value["amount"] = json!(self.dollars);
            return out::json(&value);
        }
        out::print(&reference)?;
        // Only tasks that end in this very moment could make this wrong, and it is a remark, no record.
        if self.reference.is_some() && before == after {
            out::note("This reference was booked before; nothing was added now.");
        }
        out::note(&format!(
            "{} has {} available.",
            account.name,
            out::dollars(after.available)
        ));
        Ok(())
    }
}

fn random_reference() -> String {
    format!("grant_{}", uuid::Uuid::now_v7().simple())
}

fn refused(error: StoreError, reference: &str) -> Failure {
    match error {
        StoreError::Exists(_) => Failure::failed("nothing was granted")
            .why(format!(
                "the reference `{reference}` is that of another grant: to another account, or of another amount"
            ))
            .fix("give every payment a reference of its own"),
        error => error.into(),
    }
}

fn list(place: &Place, json: bool) -> Outcome {
    let store = place.rows()?;
    let accounts = block_on(async { Ok(store.list_accounts().await?) })?;
    if json {
        let all = accounts
            .iter()
            .map(|(account, balance)| as_json(account, *balance));
        return out::json(&all.collect());
    }
    let row = |(account, balance): &(Account, Balance)| {
        vec![
            account.name.clone(),
            out::dollars(balance.available),
            out::dollars(balance.held),
            credit_line_words(account),
        ]
    };
    let rows: Vec<Vec<String>> = accounts.iter().map(row).collect();
    let columns = [
        Column::words("ACCOUNT"),
        Column::number("AVAILABLE"),
        Column::number("HELD").rank(2),
        Column::number("CREDIT LINE").rank(1),
    ];
    table(&columns, &rows)
}

impl ShowBalance {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let value = block_on(self.value(place))?;
        if self.json {
            return out::json(&value);
        }
        let text = |name: &str| {
            let amount = value[name].as_str().and_then(|text| text.parse().ok());
            amount.map_or_else(|| "none".to_owned(), out::dollars)
        };
        let unlimited = value["unlimited"] == true;
        out::pairs(&[
            (
                "Account",
                value["account"].as_str().unwrap_or_default().to_owned(),
            ),
            ("Available", text("available")),
            ("Held", text("held")),
            (
                "Credit line",
                if unlimited {
                    "unlimited".to_owned()
                } else {
                    text("credit_line")
                },
            ),
        ])
    }

    /// What `GET /v1/balance` says, from there or from the rows.
    async fn value(&self, place: &Place) -> Outcome<Value> {
        if let (Some(url), None) = (place::server(), &self.account) {
            let server = Server::new(&url, place::key(&place.load()?.settings.data))?;
            return server.get("/v1/balance").await;
        }
        let store = place.rows()?;
        let account = account_asked(self.account.as_deref(), place, &*store).await?;
        let mut value = as_json(&account, store.balance(&account.id).await?);
        value["object"] = "balance".into();
        value["account"] = account.name.into();
        Ok(value)
    }
}

/// The account that a command is about: the one it names, else that of the key, else the first one.
pub(super) async fn account_asked(
    name: Option<&str>,
    place: &Place,
    store: &dyn Store,
) -> Outcome<Account> {
    if let Some(name) = name {
        return account(store, name).await;
    }
    if let Some(key) = place::key(&place.load()?.settings.data)
        && let Some((_, account)) = store.find_key(&key.secret.hash()).await?
    {
        return Ok(account);
    }
    account(store, DEFAULT_ACCOUNT).await
}
