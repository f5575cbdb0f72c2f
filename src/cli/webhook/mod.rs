//! `pinhole webhook`: callbacks, for those who send them and for those who write a receiver.
//!
//! With `PINHOLE_URL` a command asks that server, with a key of the scope `admin`. Without it, it works on the data folder,
//! whether or not a server runs there; but `test` is made by the server that runs there, from where and as it would call.
//! `listen` and `verify` need neither.

mod again;
mod list;
mod listen;
mod secret;
mod test;
mod verify;

use super::block_on;
use super::failure::{Failure, Outcome};
use super::place::{self, Key, Place, account, account_or_default, now};
use super::remote::{Server, url_of};
use crate::app::{self, DEFAULT_ACCOUNT, EngineLock};
use crate::store::Store;
use crate::types::{Account, SigningSecret};
use clap::{Args, Subcommand};
use std::sync::Arc;

#[derive(Args)]
pub(super) struct Webhook {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Receive callbacks on this machine: prints what comes and checks its signature
    Listen(listen::Listen),
    /// Call a URL as a callback would, and say what came of it
    Test(test::Test),
    /// Check the signature of a body that was received
    Verify(verify::Verify),
    /// Send callbacks again
    Resend(again::Resend),
    /// List callbacks, newest first
    Ls(list::List),
    /// Show or replace what signs an account's callbacks
    Secret(secret::Secret),
}

impl Webhook {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        match &self.command {
            Command::Listen(listen) => block_on(listen.run(place)),
            Command::Test(test) => block_on(test.run(place)),
            Command::Verify(verify) => block_on(verify.run(place)),
            Command::Resend(resend) => block_on(resend.run(place)),
            Command::Ls(list) => block_on(list.run(place)),
            Command::Secret(secret) => block_on(secret.run(place)),
        }
    }
}

/// Where callbacks are looked after.
enum Source {
    Server(Server),
    Rows(Arc<dyn Store>),
}

impl Source {
    /// The server that `PINHOLE_URL` names, else the data folder, which has been used.
    fn of(place: &Place) -> Outcome<Self> {
        Self::server(place)?.map_or_else(|| Ok(Self::Rows(place.rows()?)), Ok)
    }

    /// The same; a folder that was not used yet begins here, because its first secret is as good as any.
    fn of_new(place: &Place) -> Outcome<Self> {
        Self::server(place)?.map_or_else(|| Ok(Self::Rows(place.rows_or_new()?)), Ok)
    }

    /// The server that is named or that runs on the data folder, else the folder: for what only the server itself can do as
    /// it does it.
    fn of_running(place: &Place) -> Outcome<Self> {
        if let Some(server) = Self::server(place)? {
            return Ok(server);
        }
        let data = place.load()?.settings.data;
        match EngineLock::holder(&data).and_then(|holder| holder.address) {
            Some(address) => {
                let key = app::operator_key(&data).map(|secret| Key {
                    secret,
                    origin: format!("it was read from {}", data.display()),
                });
                Ok(Self::Server(Server::new(&url_of(address), key)?))
            }
            None => Self::of_new(place),
        }
    }

    fn server(place: &Place) -> Outcome<Option<Self>> {
        let Some(url) = place::server() else {
            return Ok(None);
        };
        let data = place.load()?.settings.data;
        Ok(Some(Self::Server(Server::new(&url, place::key(&data))?)))
    }
}

/// Whose callbacks.
#[derive(Args)]
struct Owner {
    /// The account's name or id [default: `default`]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
}

impl Owner {
    fn query(&self) -> Vec<(&'static str, String)> {
        let account = self.account.clone();
        account.map(|name| ("account", name)).into_iter().collect()
    }

    async fn find(&self, store: &dyn Store) -> Outcome<Account> {
        match &self.account {
            Some(name) => account(store, name).await,
            None => account_or_default(store, DEFAULT_ACCOUNT).await,
        }
    }
}

/// The secret to check with.
#[derive(Args)]
struct Checking {
    /// The secret: `whsec_…` [default: those of the account on the data folder]
    #[arg(long, value_name = "SECRET", value_parser = secret_of)]
    secret: Option<SigningSecret>,
    #[command(flatten)]
    owner: Owner,
}

fn secret_of(text: &str) -> Result<SigningSecret, String> {
    SigningSecret::parse(text)
        .ok_or_else(|| "a secret is `whsec_` and 24 to 64 bytes in base64".to_owned())
}

impl Checking {
    /// Every secret that may have signed.
    async fn secrets(&self, place: &Place) -> Outcome<Vec<SigningSecret>> {
        if let Some(secret) = &self.secret {
            return Ok(vec![secret.clone()]);
        }
        if place::server().is_some() && self.owner.account.is_none() {
            return Err(Failure::usage("which secret?")
                .why("PINHOLE_URL names a server, whose secrets are not on this machine")
                .fix(
                    "pass it with --secret; `pinhole webhook secret show` prints it for operators",
                ));
        }
        let store = place.rows_or_new()?;
        let owner = self.owner.find(&*store).await?;
        let signing = store.signing_secrets(&owner.id, now()).await?;
        Ok(signing.into_iter().map(|one| one.secret).collect())
    }
}
