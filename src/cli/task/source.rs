//! Where tasks are read: from a server, or from the rows of the data folder.

use crate::app::{EngineLock, Holder};
use crate::catalogue::Catalogue;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::place::{self, Place, account};
use crate::cli::remote::{self, Server};
use crate::dialect::task;
use crate::store::{Listing, Store};
use crate::types::{AccountId, Task, TaskFilter, TaskId, TaskPlace};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// How many rows of the folder a page is held against; the command goes on until it has what it wants.
const LOOK_AT: u32 = 100_000;

/// Where tasks are read.
pub(super) enum Source {
    Server(Server),
    Rows(Rows),
}

/// The data folder.
pub(super) struct Rows {
    pub(super) store: Arc<dyn Store>,
    data: PathBuf,
    catalogue: Option<PathBuf>,
}

impl Source {
    /// The server that `PINHOLE_URL` names, else the data folder.
    pub(super) fn of(place: &Place) -> Outcome<Self> {
        let settings = place.load()?.settings;
        if let Some(url) = place::server() {
            return Ok(Self::Server(Server::new(&url, place::key(&settings.data))?));
        }
        Ok(Self::Rows(Rows {
            store: place.rows()?,
            data: settings.data,
            catalogue: settings.catalogue,
        }))
    }

    /// Whether some process runs the tasks; a server does.
    pub(super) fn is_served(&self) -> bool {
        match self {
            Self::Server(_) => true,
            Self::Rows(rows) => EngineLock::holder(&rows.data).is_some(),
        }
    }

    /// A task as the API tells of it.
    pub(super) async fn task(&self, id: &TaskId) -> Outcome<Value> {
        match self {
            Self::Server(server) => {
                let mut answer = server.get(&format!("/api/v1/tasks/{id}")).await?;
                Ok(answer["data"].take())
            }
            Self::Rows(rows) => {
                let (_, found) = rows.find(id).await?;
                let attempts = rows.store.list_attempts(id).await?;
                let delivery = rows.store.find_delivery(id).await?;
                Ok(task::detail(&found, &attempts, delivery.as_ref())["data"].take())
            }
        }
    }

    /// A page of the history as the API tells of it; `owner` is only the data folder's to know.
    pub(super) async fn page(
        &self,
        filter: &TaskFilter,
        owner: Option<&str>,
        cursor: Option<&str>,
        most: u32,
    ) -> Outcome<Value> {
        match self {
            Self::Server(_) if owner.is_some() => {
                Err(Failure::usage("--account has no meaning here")
                    .why("a server lists the tasks of the account that the key belongs to")
                    .fix("set PINHOLE_API_KEY to a key of that account"))
            }
            Self::Server(server) => {
                let query = query_of(filter, cursor, most);
                let mut answer = server.get_with("/api/v1/tasks", &query).await?;
                Ok(answer["data"].take())
            }
            Self::Rows(rows) => {
                let listing = Listing {
                    filter: rows.with_canonical_model(filter),
                    after: cursor.map(read_cursor).transpose()?,
                    most,
                    look_at: LOOK_AT,
                };
                let owner = rows.owner(owner).await?;
                let page = rows.store.list_tasks(&owner, &listing).await?;
                Ok(task::history(&page)["data"].take())
            }
        }
    }
}

impl Rows {
    /// A task of any account, and whose it is: the operator may see them all.
    pub(super) async fn find(&self, id: &TaskId) -> Outcome<(AccountId, Task)> {
        for (account, _) in self.store.list_accounts().await? {
            if let Some(task) = self.store.find_task(&account.id, id).await? {
                return Ok((account.id, task));
            }
        }
        Err(Failure::failed("there is no such task")
            .why(format!("no account of this data folder has {id}"))
            .fix("name the server's folder with --data, or the server with PINHOLE_URL"))
    }

    /// The account that was named, else that of the key at hand.
    async fn owner(&self, name: Option<&str>) -> Outcome<AccountId> {
        if let Some(name) = name {
            return Ok(account(&*self.store, name).await?.id);
        }
        let key = place::key(&self.data);
        let found = match &key {
            Some(key) => self.store.find_key(&key.secret.hash()).await?,
            None => None,
        };
        found.map(|(_, account)| account.id).ok_or_else(|| {
            Failure::usage("whose tasks?")
                .why("no key of this data folder is at hand that would tell the account")
                .fix("name it with --account; `pinhole accounts ls` lists them")
        })
    }

    fn with_canonical_model(&self, filter: &TaskFilter) -> TaskFilter {
        let canonical = |name: &String| {
            let catalogue = Catalogue::load(self.catalogue.as_deref()).ok()?;
            Some(catalogue.find(name)?.id.clone())
        };
        let model = filter.model.as_ref();
        TaskFilter {
            model: model.map(|name| canonical(name).unwrap_or_else(|| name.clone())),
            ..filter.clone()
        }
    }
}

/// A server that takes work: the one that `PINHOLE_URL` names, else the one that holds the data folder.
pub(in crate::cli) fn working_server(place: &Place) -> Outcome<Option<Server>> {
    let data = place.load()?.settings.data;
    let url = match place::server() {
        Some(url) => url,
        None => match EngineLock::holder(&data) {
            Some(Holder { address: Some(at) }) => remote::url_of(at),
            _ => return Ok(None),
        },
    };
    Server::new(&url, place::key(&data)).map(Some)
}

fn read_cursor(text: &str) -> Outcome<TaskPlace> {
    task::read_cursor(text).ok_or_else(|| {
        Failure::usage("that is no cursor")
            .why("a cursor is what an earlier list has printed")
            .fix("leave --cursor out to begin with the newest")
    })
}

fn query_of(filter: &TaskFilter, cursor: Option<&str>, most: u32) -> Vec<(&'static str, String)> {
    let values = [
        ("state", filter.state.map(|state| state.name().to_owned())),
        ("model", filter.model.clone()),
        ("key", filter.key.as_ref().map(ToString::to_string)),
        ("since", filter.since.map(|at| at.0.to_string())),
        ("until", filter.until.map(|at| at.0.to_string())),
        ("cursor", cursor.map(str::to_owned)),
        ("limit", Some(most.to_string())),
    ];
    let given = values.into_iter();
    given
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
