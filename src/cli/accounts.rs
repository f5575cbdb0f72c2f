//! `pinhole accounts`.

use super::failure::{Failure, Outcome};
use super::place::{Place, now};
use super::table::{Column, table};
use super::{block_on, out};
use crate::store::{self, Store, StoreError};
use crate::types::{Account, Balance, CreditLine, Money};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// A name does wherever an id does.
const COLUMNS: &[Column] = &[
    Column::words("NAME"),
    Column::text("ID").rank(4),
    Column::number("AVAILABLE"),
    Column::number("HELD").rank(2),
    Column::number("CREDIT LINE").rank(1),
    Column::number("MARKUP").rank(5),
    Column::text("STATE").rank(3),
    Column::text("CREATED (UTC)").rank(6),
];

#[derive(Args)]
pub(super) struct Accounts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an account; it is prepaid unless it gets a credit line
    Create(Create),
    /// List the accounts with what they have
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Create {
    /// Its name, unique in this installation
    name: String,
    /// How far below zero it may go, in dollars, or `unlimited`
    #[arg(long, value_name = "DOLLARS", default_value = "0", value_parser = credit_line)]
    credit_line: CreditLine,
    /// What is added to every price, in basis points (100 are 1 %)
    #[arg(long, value_name = "BASIS_POINTS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    markup: u32,
    /// Tasks that it may have running at once; the others wait [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrent: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Accounts {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        match &self.command {
            Command::Create(create) => {
                let store = place.rows_or_new()?;
                block_on(create.run(&*store))
            }
            Command::Ls { json } => list(place, *json),
        }
    }
}

impl Create {
    async fn run(&self, store: &dyn Store) -> Outcome {
        let name = checked_name(&self.name)?;
        let account = Account {
            markup_basis_points: self.markup,
            concurrent: self.concurrent,
            ..store::new_account(name, self.credit_line, now())
        };
        match store.create_account(account.clone()).await {
            Ok(()) => {}
            Err(StoreError::Exists(_)) => {
                return Err(
                    Failure::failed(format!("there is an account `{name}` already"))
                        .why("a name means one account")
                        .fix("choose another name; `pinhole accounts ls` lists them"),
                );
            }
            Err(error) => return Err(error.into()),
        }
        if self.json {
            return out::json(&as_json(&account, Balance::default()));
        }
        out::print(account.id.as_str())?;
        out::note(&format!("Made account `{name}`: {}.", terms(&account)));
        if self.credit_line == CreditLine::UpTo(Money::ZERO) {
            out::note(&format!("Next:  pinhole credits grant {name} DOLLARS"));
        }
        Ok(())
    }
}

/// A name that fits in a table and on a command line, and cannot be taken for an id.
fn checked_name(name: &str) -> Outcome<&str> {
    let fits = (1..=64).contains(&name.chars().count());
    let clear = name
        .chars()
        .all(|letter| !letter.is_control() && !letter.is_whitespace());
    if fits && clear && !name.starts_with("acct_") && !name.starts_with('-') {
        return Ok(name);
    }
    Err(Failure::usage("that is no name for an account")
        .why("a name has 1 to 64 characters, no spaces, and begins with neither `acct_` nor `-`")
        .fix("pinhole accounts create my-team"))
}

fn credit_line(text: &str) -> Result<CreditLine, String> {
    if text == "unlimited" {
        return Ok(CreditLine::Unlimited);
    }
    let amount = super::credits::amount(text)?;
    Ok(CreditLine::UpTo(amount))
}

fn terms(account: &Account) -> String {
    let line = match account.credit_line {
        CreditLine::Unlimited => "unlimited".to_owned(),
        CreditLine::UpTo(Money::ZERO) => "prepaid".to_owned(),
        CreditLine::UpTo(amount) => format!("credit line {}", out::dollars(amount)),
    };
    let mut terms = vec![line];
    if account.markup_basis_points > 0 {
        terms.push(format!("markup {} %", percent(account.markup_basis_points)));
    }
    if let Some(tasks) = account.concurrent {
        terms.push(format!("{} at once", out::count(tasks, "task")));
    }
    terms.join(", ")
}

/// Basis points as percent: 1050 are 10.5.
fn percent(points: u32) -> String {
    let text = format!("{}.{:02}", points / 100, points % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How it pays, for a table.
pub(super) fn credit_line_words(account: &Account) -> String {
    match account.credit_line {
        CreditLine::Unlimited => "unlimited".to_owned(),
        CreditLine::UpTo(amount) => out::dollars(amount),
    }
}

/// An account with what it has, as `--json` prints it.
pub(super) fn as_json(account: &Account, balance: Balance) -> Value {
    let credit_line = match account.credit_line {
        CreditLine::Unlimited => None,
        CreditLine::UpTo(amount) => Some(amount),
    };
    json!({
        "id": account.id,
        "name": account.name,
        "currency": "USD",
        "available": balance.available,
        "held": balance.held,
        "credit_line": credit_line,
        "unlimited": credit_line.is_none(),
        "markup_basis_points": account.markup_basis_points,
        "concurrent": account.concurrent,
        "frozen": account.frozen,
        "created_at": out::timestamp(account.created_at),
    })
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
    let rows: Vec<Vec<String>> = accounts.iter().map(row).collect();
    table(COLUMNS, &rows)
}

fn row((account, balance): &(Account, Balance)) -> Vec<String> {
    vec![
        account.name.clone(),
        account.id.to_string(),
        out::dollars(balance.available),
        out::dollars(balance.held),
        credit_line_words(account),
        format!("{} %", percent(account.markup_basis_points)),
        if account.frozen { "frozen" } else { "active" }.to_owned(),
        out::minute(account.created_at),
    ]
}
