//! Where a command works: the folder and the file of its flags, or the server that a variable names.

use super::failure::{Failure, Outcome};
use super::remote::url_of;
use crate::app::{self, DEFAULT_ACCOUNT, EngineLock};
use crate::config::{Flags, Loaded, Settings, Surroundings};
use crate::store::{self, Store, StoreError};
use crate::types::words::nearest;
use crate::types::{Account, CreditLine, Millis, Secret};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the settings come from; every command takes these.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where")]
pub(super) struct Place {
    /// The data folder [default: $XDG_DATA_HOME/pinhole, else ~/.local/share/pinhole]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file [default: ./pinhole.toml, else /etc/pinhole/pinhole.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// These two, where they are known before the arguments are read.
    pub(super) fn new(data: Option<PathBuf>, config: Option<PathBuf>) -> Self {
        Self { data, config }
    }

    /// As the configuration wants them.
    pub(super) fn flags(&self) -> Flags {
        Flags {
            data: self
                .data
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            config: self.config.clone(),
            ..Flags::default()
        }
    }

    /// Reads the settings.
    pub(super) fn load(&self) -> Outcome<Loaded> {
        Ok(Settings::load(&self.flags())?)
    }

    /// The rows of a folder that has been used; a mistyped one must not answer "nothing here".
    pub(super) fn rows(&self) -> Outcome<Arc<dyn Store>> {
        Ok(app::open_store(&self.used()?)?)
    }

    /// The folder, if it has rows. Nothing is opened, and nothing is brought up to date.
    pub(super) fn used(&self) -> Outcome<PathBuf> {
        let data = self.load()?.settings.data;
        if !data.join("pinhole.db").is_file() {
            return Err(
                Failure::failed(format!("there is no database in {}", data.display()))
                    .why("no server has run on this folder and nothing was made in it yet")
                    .fix("name the server's folder with --data, or begin with `pinhole serve`"),
            );
        }
        Ok(data)
    }

    /// The rows, made if there are none.
    pub(super) fn rows_or_new(&self) -> Outcome<Arc<dyn Store>> {
        Ok(app::open_store(&self.load()?.settings.data)?)
    }
}

/// The server that `PINHOLE_URL` names, without `/v1` at its end.
pub(super) fn server() -> Option<String> {
    let url = variable("PINHOLE_URL")?;
    let url = url.trim_end_matches('/');
    Some(url.strip_suffix("/v1").unwrap_or(url).to_owned())
}

/// The server that runs on a data folder, if one does.
pub(super) fn listening(data: &Path) -> Option<String> {
    let address = EngineLock::holder(data)?.address?;
    Some(url_of(address))
}

/// Where the server is reached that a call goes to: the one that is named, else the one that runs on the data folder, else
/// the one that these settings start.
pub(super) fn base_url(place: &Place) -> Outcome<String> {
    if let Some(url) = server() {
        return Ok(url);
    }
    let settings = place.load()?.settings;
    Ok(settings
        .public_url
        .or_else(|| listening(&settings.data))
        .unwrap_or_else(|| url_of(settings.listen)))
}

/// A key, and where it came from.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) secret: Secret,
    pub(super) origin: String,
}

/// `PINHOLE_API_KEY`, else the folder's first test key.
pub(super) fn key(data: &Path) -> Option<Key> {
    if let Some(text) = variable("PINHOLE_API_KEY") {
        let origin = "it was read from PINHOLE_API_KEY".to_owned();
        let secret = Secret::foreign(text.trim());
        return Some(Key { secret, origin });
    }
    let path = data.join("test-key");
    let secret = Secret::parse(std::fs::read_to_string(&path).ok()?.trim())?;
    let origin = format!("it was read from {}", path.display());
    Some(Key { secret, origin })
}

impl Key {
    /// Whether it calls itself a test key.
    pub(super) fn is_test(&self) -> bool {
        self.secret.reveal().starts_with("sk-test-")
    }
}

/// A variable that is set to something.
pub(super) fn variable(name: &str) -> Option<String> {
    let value = Surroundings::of_process().variables.remove(name)?;
    value.into_string().ok().filter(|text| !text.is_empty())
}

/// Now.
pub(super) fn now() -> Millis {
    Millis(jiff::Timestamp::now().as_millisecond())
}

/// The account of this name or id.
pub(super) async fn account(store: &dyn Store, name: &str) -> Outcome<Account> {
    if let Some(account) = store.find_account(name).await? {
        return Ok(account);
    }
    let all = store.list_accounts().await?;
    let names: Vec<&str> = all
        .iter()
        .map(|(account, _)| account.name.as_str())
        .collect();
    let failure =
        Failure::usage(format!("there is no account `{name}`")).why(if names.is_empty() {
            "there are no accounts yet".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        });
    Err(match nearest(name, names) {
        Some(meant) => failure.fix(format!("did you mean `{meant}`?")),
        None => failure.fix(format!("`pinhole accounts create {name}` makes it")),
    })
}

/// As [`account`]; the one that a fresh install begins with is made if it is asked for.
pub(super) async fn account_or_default(store: &dyn Store, name: &str) -> Outcome<Account> {
    if name == DEFAULT_ACCOUNT && store.find_account(name).await?.is_none() {
        let made = store::new_account(DEFAULT_ACCOUNT, CreditLine::Unlimited, now());
        match store.create_account(made).await {
            // Another process may have been faster.
            Ok(()) | Err(StoreError::Exists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    account(store, name).await
}
