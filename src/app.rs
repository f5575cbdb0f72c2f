//! Building the handles, starting the workers, draining, stopping.

mod reload;

use crate::api::{self, Api, Keys, Listening};
use crate::blob::Blobs;
use crate::catalogue::{Catalogue, Stamp};
use crate::config::Settings;
use crate::engine::{self, Clock, Engine, Limits, Parts};
use crate::failpoint::failpoint_ms;
use crate::fetch::Outbound;
use crate::provider::Providers;
use crate::store::sqlite::SqliteStore;
use crate::store::{self, Store, StoreError};
use crate::types::{Account, CreditLine, KeyLimits, Millis, Mode, Secret};
use crate::webhook::{self, Webhooks};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The account that a fresh install begins with.
pub const DEFAULT_ACCOUNT: &str = "default";

/// Where a server leaves what its operator's commands sign in with; a new one at every start.
const OPERATOR_KEY: &str = "operator-key";

/// Tasks of one key that may wait.
const MOST_WAITING: u32 = 1_000;

/// How long a drain waits for callbacks under way: a little longer than one takes.
const LAST_CALLS: Duration = Duration::from_secs(12);

/// Why the application did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the data folder {}: {reason}", .path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another engine runs on this folder; it listens there, if it said so.
    #[error("another pinhole uses this data folder{}", .0.as_deref().map(|at| format!(" and listens on {at}")).unwrap_or_default())]
    Locked(Option<String>),
    /// The database cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The catalogue does not pass its checks.
    #[error("{0}")]
    Catalogue(String),
    /// A provider's settings are wrong.
    #[error("{0}")]
    Provider(String),
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(#[from] std::io::Error),
}

/// A running application.
pub struct App {
    api: Api,
    engine: Engine,
    keys: Keys,
    settings: Settings,
    tracker: TaskTracker,
    webhooks: Webhooks,
    stop: CancellationToken,
    lock: EngineLock,
    test_key: Secret,
    operator: Secret,
}

impl App {
    /// Opens the data folder, takes the engine lock, migrates, recovers. Afterwards the engine runs; nothing listens.
    pub async fn open(settings: Settings) -> Result<Self, StartError> {
        let providers =
            Providers::from_settings(&settings.providers).map_err(StartError::Provider)?;
        Self::open_with(settings, providers).await
    }

    /// As [`App::open`], with these providers instead of those that the settings name.
    pub async fn open_with(settings: Settings, providers: Providers) -> Result<Self, StartError> {
        Self::open_at(settings, providers, engine::system_clock()).await
    }

    /// As [`App::open_with`], by another clock than the system's.
    pub async fn open_at(
        settings: Settings,
        providers: Providers,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let data = settings.data.clone();
        create_private_folder(&data)?;
        let lock = EngineLock::take(&data)?;
        let store = open_store(&data)?;
        create_private_folder(&data.join("blobs"))?;
        let blobs = Blobs::local(&data).map_err(|error| data_error(&data, error))?;
        // Looked at before it is read, so that no change between the two goes unseen.
        let seen = settings.catalogue.as_deref().map(Stamp::of);
        let catalogue = Catalogue::load(settings.catalogue.as_deref())
            .map_err(|error| StartError::Catalogue(error.to_string()))?;
        let tracker = TaskTracker::new();
        let (tell, ended) = mpsc::unbounded_channel();
        let outbound = Outbound::new(settings.allow_private_networks.clone());
        // Known before anything is sent, and also where nothing listens (yet): what the server would not do, its command
        // line does not do for it.
        outbound.listens_on(
            [Some(settings.listen), settings.metrics_listen]
                .into_iter()
                .flatten()
                .collect(),
        );
        let engine = Engine::new(Parts {
            store: Arc::clone(&store),
            blobs,
            catalogue: Arc::new(catalogue),
            providers,
            outbound,
            tracker: tracker.clone(),
            limits: limits(&settings),
            clock: Arc::clone(&clock),
            ended: tell,
        });
        let test_key = first_test_key(&data, &*store, engine.now()).await?;
        let operator = Secret::generate(Mode::Live);
        let keys = Keys::open(store, &operator).await?;
        engine.start().await?;
        let webhooks = Webhooks::start(webhook::Parts {
            store: Arc::clone(engine.store()),
            outbound: engine.outbound().clone(),
            clock,
            // Its own, because what ends during a drain is still told.
            tracker: TaskTracker::new(),
            ended,
            attempt: settings.timeouts.callback,
            second: settings.timeouts.callback_second,
        })
        .await?;
        let api = Api::new(
            engine.clone(),
            keys.clone(),
            settings.clone(),
            metrics_handle(),
        );
        let app = Self {
            api,
            engine,
            keys,
            settings,
            tracker,
            webhooks,
            stop: CancellationToken::new(),
            lock,
            test_key,
            operator,
        };
        app.refresh_keys_in_background();
        if let Some((folder, seen)) = app.settings.catalogue.clone().zip(seen) {
            let reloading = reload::keep_fresh(app.engine.clone(), folder, seen);
            app.tracker
                .spawn(app.stop.clone().run_until_cancelled_owned(reloading));
        }
        Ok(app)
    }

    /// Serves until [`App::stop_token`] is cancelled; then drains: nothing new is admitted, `/readyz` says so, what runs
    /// ends within the configured time, and only then the listener closes.
    pub async fn serve(mut self, listening: Listening) -> Result<(), StartError> {
        let address = listening.address()?;
        let data = &self.settings.data;
        write_private(&data.join(OPERATOR_KEY), self.operator.reveal())
            .map_err(|error| data_error(data, error))?;
        self.lock.publish(address)?;
        // The system may have chosen the ports.
        self.engine.outbound().listens_on(listening.addresses()?);
        let closing = CancellationToken::new();
        let serving = api::serve(self.api.clone(), listening, closing.clone());
        let draining = async {
            self.stop.cancelled().await;
            self.close().await;
            closing.cancel();
        };
        tokio::join!(serving, draining);
        Ok(())
    }

    /// Binds the addresses of the settings.
    pub async fn listen(&self) -> Result<Listening, StartError> {
        Ok(Listening::bind(self.settings.listen, self.settings.metrics_listen).await?)
    }

    /// Cancelling it begins the drain.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The engine, for a command that runs it without a server.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The keys, for the same.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The first test key of this data folder.
    pub fn test_key(&self) -> &Secret {
        &self.test_key
    }

    /// Admits nothing more and waits for what runs, at most for the configured time.
    pub async fn close(&self) {
        self.engine.drain();
        self.stop.cancel();
        if !self.engine.idle(self.settings.drain).await {
            tracing::warn!("some tasks did not end in time; the next start takes them up");
        }
        self.engine.dismiss_watchers();
        // Last, so that whoever is to be told of the end of these tasks hears of it now and not after the next start.
        self.webhooks
            .drain(self.settings.drain.min(LAST_CALLS))
            .await;
    }

    /// Notices keys and accounts that another process changed.
    fn refresh_keys_in_background(&self) {
        let (keys, stop) = (self.keys.clone(), self.stop.clone());
        self.tracker.spawn(async move {
            while stop
                .run_until_cancelled(tokio::time::sleep(api::REFRESH))
                .await
                .is_some()
            {
                if let Err(error) = keys.refresh().await {
                    tracing::error!(%error, "keys could not be refreshed");
                }
            }
        });
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits {
        test_concurrency: settings.test_concurrency,
        min_free_bytes: settings.min_free_bytes,
        keep_results: settings.keep_results,
        keep_test_results: settings.keep_test_results,
        most_waiting: MOST_WAITING,
        attempt: settings.timeouts.attempt,
        late: settings.timeouts.late,
        lease: failpoint_ms("lease_ms").unwrap_or(settings.timeouts.lease),
        task: settings.task_deadline,
    }
}

/// Opens the rows alone, as administration commands do, whether or not a server runs on the folder.
pub fn open_store(data: &Path) -> Result<Arc<dyn Store>, StartError> {
    create_private_folder(data)?;
    let rows = data.join("pinhole.db");
    create_private_file(&rows).map_err(|error| data_error(data, error))?;
    Ok(Arc::new(SqliteStore::open(rows)?))
}

/// What signs in at the admin routes of the server that runs on this folder, and nowhere else.
pub fn operator_key(data: &Path) -> Option<Secret> {
    Secret::parse(
        std::fs::read_to_string(data.join(OPERATOR_KEY))
            .ok()?
            .trim(),
    )
}

fn data_error(path: &Path, reason: impl std::fmt::Display) -> StartError {
    StartError::Data {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// Only the owner may look in: it holds prompts, pictures and the first test key.
fn create_private_folder(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|error| data_error(path, error))
}

/// In a folder that was there before, others may look; the database, whose log and index files take its mode, is ours
/// alone all the same.
fn create_private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// One recorder for the process, however many applications a test starts.
fn metrics_handle() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Somebody else's recorder stays; ours then renders nothing, which is no reason not to start.
        let _ = metrics::set_global_recorder(recorder);
        handle
    };
    HANDLE.get_or_init(install).clone()
}

/// Makes sure that there is the account `default` and a test key for it, kept where only the owner reads it.
async fn first_test_key(data: &Path, store: &dyn Store, now: Millis) -> Result<Secret, StartError> {
    let account = default_account(store, now).await?;
    let path = data.join("test-key");
    if let Ok(text) = std::fs::read_to_string(&path)
        && let Some(secret) = Secret::parse(text.trim())
        && store
            .find_key(&secret.hash())
            .await?
            .is_some_and(|(key, _)| key.revoked_at.is_none())
    {
        return Ok(secret);
    }
    let secret = Secret::generate(Mode::Test);
    let key = store::new_key(
        &account.id,
        "first test key",
        Mode::Test,
        &secret.last_four(),
        KeyLimits::default(),
        now,
    );
    store.create_keys(vec![(key, secret.hash())]).await?;
    write_private(&path, secret.reveal()).map_err(|error| data_error(data, error))?;
    Ok(secret)
}

async fn default_account(store: &dyn Store, now: Millis) -> Result<Account, StoreError> {
    if let Some(account) = store.find_account(DEFAULT_ACCOUNT).await? {
        return Ok(account);
    }
    match store
        .create_account(store::new_account(
            DEFAULT_ACCOUNT,
            CreditLine::Unlimited,
            now,
        ))
        .await
    {
        Ok(()) | Err(StoreError::Exists(_)) => {}
        Err(error) => return Err(error),
    }
    store
        .find_account(DEFAULT_ACCOUNT)
        .await?
        .ok_or_else(|| StoreError::NotFound(DEFAULT_ACCOUNT.to_owned()))
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let staged = path.with_extension("new");
    let mut file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&staged)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(staged, path)
}

/// The process that runs the engine of a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Where it listens, if it is a server that does.
    pub address: Option<SocketAddr>,
}

/// Proof of being the only engine on a data folder. The kernel frees it when the process ends, however it ends.
pub struct EngineLock {
    file: File,
}

impl EngineLock {
    /// Takes the lock; [`StartError::Locked`] with the holder's address if there is one.
    pub fn take(data: &Path) -> Result<Self, StartError> {
        let path = data.join("engine.lock");
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = file.map_err(|error| data_error(data, error))?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(|error| data_error(data, error))?;
                Ok(Self { file })
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Without a readable address the folder is locked all the same.
                let _ = file.read_to_string(&mut text);
                Err(StartError::Locked(
                    Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
                ))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(data_error(data, error)),
        }
    }

    /// Who holds the folder, if anybody does.
    pub fn holder(data: &Path) -> Option<Holder> {
        let mut file = File::open(data.join("engine.lock")).ok()?;
        match file.try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Without a readable address the folder is held all the same.
                let _ = file.read_to_string(&mut text);
                Some(Holder {
                    address: text.trim().parse().ok(),
                })
            }
            _ => None,
        }
    }

    /// Writes where this engine listens, for commands that find the folder locked.
    fn publish(&mut self, address: SocketAddr) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{address}")
    }
}
