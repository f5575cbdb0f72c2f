//! `pinhole keys import`: secrets that another gateway made go on working here.

use crate::app::DEFAULT_ACCOUNT;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::place::{Place, account_or_default, now};
use crate::cli::{block_on, out};
use crate::store::{self, SecretHash, StoreError};
use crate::types::{Account, ApiKey, KeyLimits, Mode, Secret};
use clap::Args;
use serde_json::json;
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

/// Shorter secrets can be guessed: a hash without salt protects only what is long and random.
const SHORTEST: usize = 20;
/// Longer ones fit in no header.
const LONGEST: usize = 512;

#[derive(Args)]
pub(super) struct Import {
    /// The file with one secret a line [default: stdin]
    file: Option<PathBuf>,
    /// The account that they spend from (name or id)
    #[arg(long, value_name = "ACCOUNT", default_value = DEFAULT_ACCOUNT)]
    account: String,
    /// What the keys are called; each gets its line's number behind it
    #[arg(long, value_name = "NAME", default_value = "imported")]
    name: String,
    /// As test keys
    #[arg(long)]
    test: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let secrets = read_secrets(&self.text()?)?;
        let imported = secrets.len();
        block_on(async {
            let store = place.rows_or_new()?;
            let account = account_or_default(&*store, &self.account).await?;
            let keys = secrets
                .iter()
                .map(|(line, secret)| self.key(&account, *line, secret));
            store.create_keys(keys.collect()).await.map_err(refused)
        })?;
        if self.json {
            return out::json(&json!({"imported": imported, "account": self.account}));
        }
        out::print(&imported.to_string())?;
        out::note(&format!(
            "Imported {} into the account {}. Only hashes are kept; a running server takes them \
             within half a second.",
            out::count(imported, "key"),
            self.account
        ));
        Ok(())
    }

    fn text(&self) -> Outcome<String> {
        let mut text = String::new();
        let (from, read) = match &self.file {
            Some(path) => (path.display().to_string(), std::fs::read_to_string(path)),
            None => {
                let read = std::io::stdin().lock().read_to_string(&mut text);
                ("stdin".to_owned(), read.map(|_| text))
            }
        };
        read.map_err(|error| {
            Failure::failed(format!("{from} could not be read"))
                .why(error.to_string())
                .fix("name a text file with one secret a line")
        })
    }

    fn key(&self, account: &Account, line: usize, secret: &Secret) -> (ApiKey, SecretHash) {
        let is_test = self.test || secret.reveal().starts_with("sk-test-");
        let mode = if is_test { Mode::Test } else { Mode::Live };
        let name = format!("{}-{line}", self.name);
        let four = secret.last_four();
        let limits = KeyLimits::default();
        let key = store::new_key(&account.id, &name, mode, &four, limits, now());
        (
            ApiKey {
                imported: true,
                ..key
            },
            secret.hash(),
        )
    }
}

/// Secrets with their lines, counted from 1. Everything wrong is told at once, by line and never by content.
fn read_secrets(text: &str) -> Outcome<Vec<(usize, Secret)>> {
    let mut first_lines: HashMap<&str, usize> = HashMap::new();
    let mut secrets = Vec::new();
    let mut wrong = Vec::new();
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.trim()));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        if let Some(why) = unfit(line) {
            wrong.push(format!("line {number} {why}"));
        } else if let Some(first) = first_lines.get(line) {
            wrong.push(format!("line {number} is the same as line {first}"));
        } else {
            first_lines.insert(line, number);
            secrets.push((number, Secret::foreign(line)));
        }
    }
    let failure = Failure::usage("nothing was imported");
    if !wrong.is_empty() {
        let failure = wrong.iter().fold(failure, |failure, why| failure.why(why));
        return Err(failure.fix("correct or remove these lines, and import again"));
    }
    if secrets.is_empty() {
        return Err(failure
            .why("there is no secret in it")
            .fix("one secret a line"));
    }
    Ok(secrets)
}

fn unfit(line: &str) -> Option<String> {
    let length = line.chars().count();
    if length < SHORTEST {
        return Some(format!(
            "has {}; a secret has at least {SHORTEST}",
            out::count(length, "character")
        ));
    }
    if length > LONGEST {
        return Some(format!(
            "has {length} characters; a secret has at most {LONGEST}"
        ));
    }
    let sendable = line.bytes().all(|byte| byte.is_ascii_graphic());
    (!sendable).then(|| "holds a space or a letter that no header can carry".to_owned())
}

fn refused(error: StoreError) -> Failure {
    match error {
        StoreError::Exists(what) => Failure::failed("nothing was imported")
            .why(format!("{what} is known here already"))
            .fix("the number at the end of that name is its line; remove it and import again"),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_apart_by_line_and_never_shown() {
        let good = "sk-1234567890abcdefghij\n\n  sk-second-0123456789abcdef \n";
        let read = read_secrets(good).expect("two secrets");
        assert_eq!(
            read.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [1, 3]
        );
        for bad in [
            "short",
            "sk-1234567890abcdefghij\nsk-1234567890abcdefghij",
            "has a space in the middle",
            "",
        ] {
            let failure = read_secrets(bad).expect_err(bad);
            assert!(bad.is_empty() || !format!("{failure:?}").contains(bad));
        }
    }
}
