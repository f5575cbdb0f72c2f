//! `TestApp`: the real application on a free port, in a folder of its own, and clients who call it.
//!
//! It runs on a runtime of its own, so that [`TestApp::crash`] can end it in the middle of anything. A story ends with
//! [`TestApp::finish`], which drains and looks at the books; one that forgets to is a failure.

use crate::client::{Client, Holder};
use pinhole::app::{App, StartError};
use pinhole::config::{ProviderSettings, Settings};
use pinhole::engine::{Clock, Engine, system_clock};
use pinhole::provider::{Provider, Providers};
use pinhole::store::{self, Store, StoreError};
use pinhole::types::{Account, CreditLine, KeyLimits, Millis, Mode, Money, Scope, Secret, TaskId};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No state that a test waits for takes longer than this, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that an application is started from; survives it.
pub struct Setup {
    folder: Arc<TempDir>,
    settings: Settings,
    providers: Vec<(String, Arc<dyn Provider>)>,
    clock: Clock,
}

impl Setup {
    /// Defaults, but for the port and the space on this machine's disk.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        Self::with_data(folder, &data)
    }

    /// With the data somewhere else than in the folder.
    pub fn with_data(folder: TempDir, data: &Path) -> Self {
        let mut settings = Settings::defaults(data);
        settings.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        settings.min_free_bytes = 0;
        settings.drain = PATIENCE;
        settings.catalogue = Some(folder.path().join("catalogue"));
        Self {
            folder: Arc::new(folder),
            settings,
            providers: Vec::new(),
            clock: system_clock(),
        }
    }

    /// With a clock of the test's own.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Changes settings.
    pub fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Adds a provider, as code of the test.
    pub fn provider(mut self, name: &str, provider: Arc<dyn Provider>) -> Self {
        self.providers.push((name.to_owned(), provider));
        self
    }

    /// Adds a `replay` provider, as an operator would.
    pub fn replay(self, name: &str, delay: Duration) -> Self {
        let (image, log) = (self.file("picture.png"), self.file(&format!("{name}.log")));
        std::fs::write(&image, small_png()).expect("room for a picture");
        self.set(|settings| {
            settings
                .providers
                .push(replay_settings(name, &image, &log, delay));
        })
    }

    /// Puts a file into the operator's catalogue.
    pub fn model(self, text: &str) -> Self {
        let folder = self.file("catalogue");
        std::fs::create_dir_all(&folder).expect("a folder");
        let count = std::fs::read_dir(&folder).expect("a folder").count();
        std::fs::write(folder.join(format!("{count}.toml")), text).expect("room for a file");
        self
    }

    /// A path in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it; the error says why it did not.
    pub async fn try_start(self) -> Result<TestApp, StartError> {
        install_cryptography();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("app")
            .enable_all()
            .build()
            .expect("threads");
        let (settings, own) = (self.settings.clone(), self.providers.clone());
        let clock = Arc::clone(&self.clock);
        let opened = runtime.spawn(async move {
            let mut providers =
                Providers::from_settings(&settings.providers).map_err(StartError::Provider)?;
            for (name, provider) in own {
                providers.insert(&name, provider);
            }
            let app = Box::pin(App::open_at(settings, providers, clock)).await?;
            let listening = app.listen().await?;
            Ok((app, listening))
        });
        let (app, listening) = match opened.await.expect("starting does not panic") {
            Ok(opened) => opened,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let address = listening.address().expect("an address");
        let metrics = listening.metrics_address();
        let engine = app.engine().clone();
        let stop = app.stop_token();
        let test_key = app.test_key().clone();
        let serving = runtime.spawn(app.serve(listening));
        Ok(TestApp {
            url: format!("http://{address}"),
            metrics: metrics.map(|address| Client::new(&format!("http://{address}"), None)),
            store: Some(Arc::clone(engine.store())),
            engine: Some(engine),
            stop,
            test_key,
            serving: Some(serving),
            runtime: Some(runtime),
            setup: Some(self),
        })
    }

    /// Starts it.
    pub async fn start(self) -> TestApp {
        self.try_start()
            .await
            .unwrap_or_else(|error| panic!("it starts: {error}"))
    }
}

/// A `[provider.NAME]` section of kind `replay`.
pub fn replay_settings(name: &str, image: &Path, log: &Path, delay: Duration) -> ProviderSettings {
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    ProviderSettings {
        name: name.to_owned(),
        kind: "replay".to_owned(),
        options: [
            ("image".to_owned(), text(image)),
            ("log".to_owned(), text(log)),
            ("delay_ms".to_owned(), delay.as_millis().to_string()),
        ]
        .into(),
    }
}

/// A model file of an operator: takes what `sketch` takes, for this price an image, at these targets in this order,
/// each with the images it makes in one call and what one costs the operator.
pub fn model(id: &str, price: &str, targets: &[(&str, u32, &str)]) -> String {
    let mut text = format!(
        "id = \"{id}\"\nextends = \"sketch\"\nname = \"{id}\"\n\n\
         [[price]]\nunit = \"image\"\namount = \"{price}\"\nsource = \"this test\"\ndate = 2026-11-21\n"
    );
    for (priority, (provider, most, cost)) in targets.iter().enumerate() {
        text += &format!(
            "\n[[target]]\nprovider = \"{provider}\"\nmodel = \"{id}-upstream\"\npriority = {priority}\nmax_images = {most}\n\
             [[target.cost]]\nunit = \"image\"\namount = \"{cost}\"\nsource = \"this test\"\ndate = 2026-11-21\n"
        );
    }
    text
}

/// A PNG that decodes, of 8 by 8 pixels.
pub fn small_png() -> Vec<u8> {
    noise_png(8)
}

/// A square PNG that does not compress.
pub fn noise_png(side: u32) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let picture = image::RgbImage::from_fn(side, side, |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [r, g, b, _] = state.to_le_bytes();
        image::Rgb([r, g, b])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("memory takes everything");
    bytes.into_inner()
}

/// The program installs it in `main`; a second call only finds it installed.
pub fn install_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A running application.
pub struct TestApp {
    pub url: String,
    /// The second address, if the settings ask for one.
    pub metrics: Option<Client>,
    store: Option<Arc<dyn Store>>,
    engine: Option<Engine>,
    stop: CancellationToken,
    test_key: Secret,
    serving: Option<JoinHandle<Result<(), StartError>>>,
    runtime: Option<Runtime>,
    setup: Option<Setup>,
}

impl TestApp {
    /// With defaults.
    pub async fn start() -> Self {
        Setup::new().start().await
    }

    /// Somebody without a key.
    pub fn nobody(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// Somebody who sends this as a key.
    pub fn with_key(&self, key: &str) -> Client {
        Client::new(&self.url, Some(key))
    }

    /// The secret of the first test key, for a client of another make.
    pub fn test_secret(&self) -> &Secret {
        &self.test_key
    }

    /// The first test key, of the account `default`.
    pub fn test_key(&self) -> Client {
        self.with_key(self.test_key.reveal())
    }

    /// A new prepaid account with these credits and a live key.
    pub async fn customer(&self, credits: &str) -> Holder {
        self.customer_with(credits, |_| {}).await
    }

    /// As [`TestApp::customer`], changed before it is stored.
    pub async fn customer_with(&self, credits: &str, change: impl FnOnce(&mut Customer)) -> Holder {
        let mut customer = Customer::new(credits);
        change(&mut customer);
        customer.store(&**self.store(), &self.url).await
    }

    /// A key of the account `default` with these scopes.
    pub async fn scoped(&self, mode: Mode, scopes: &[Scope]) -> Holder {
        let scopes = scopes.to_vec();
        self.customer_with("0", |customer| {
            customer.mode = mode;
            customer.limits.scopes = scopes;
        })
        .await
    }

    /// Another key of an account that is there.
    pub async fn key_of(&self, account: &Account, mode: Mode, scopes: &[Scope]) -> Client {
        let secret = Secret::generate(mode);
        let limits = KeyLimits {
            scopes: scopes.to_vec(),
            ..KeyLimits::default()
        };
        let key = store::new_key(
            &account.id,
            "more",
            mode,
            &secret.last_four(),
            limits,
            now(),
        );
        let stored = self.store().create_keys(vec![(key, secret.hash())]).await;
        stored.expect("rows");
        self.with_key(secret.reveal())
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        self.store.as_ref().expect("it runs")
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("it runs")
    }

    /// Another process's view of the same rows.
    pub fn other_process(&self) -> Arc<dyn Store> {
        pinhole::app::open_store(&self.setup().settings.data).expect("the store opens twice")
    }

    pub fn setup(&self) -> &Setup {
        self.setup.as_ref().expect("it is there until the end")
    }

    /// Begins the drain, as SIGTERM does.
    pub fn drain(&self) {
        self.stop.cancel();
    }

    /// Waits for the end of a drain that was begun.
    pub async fn ended(&mut self) {
        let serving = self.serving.take().expect("it was not awaited before");
        tokio::time::timeout(PATIENCE, serving)
            .await
            .expect("the drain ends")
            .expect("serving does not panic")
            .expect("serving ends well");
    }

    /// Waits until a task of this account is over.
    pub async fn end_of(&self, holder: &Holder, task: &TaskId) -> pinhole::types::Task {
        let (account, store) = (holder.account.clone(), Arc::clone(self.store()));
        until("the task has ended", async || {
            let task = store.find_task(&account, task).await.expect("rows")?;
            task.state.is_terminal().then_some(task)
        })
        .await
    }

    /// Ends it in the middle of everything: what it was doing is dropped where it stood.
    pub async fn crash(mut self) -> Setup {
        self.store = None;
        self.engine = None;
        let runtime = self.runtime.take().expect("it runs");
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE))
            .await
            .expect("shutting down does not panic");
        self.setup.take().expect("it is there until the end")
    }

    /// Drains, and checks what must hold after any story: clean books, nothing held, nothing waiting or running.
    pub async fn finish(self) {
        let setup = self.stop().await;
        let store = pinhole::app::open_store(&setup.settings.data).expect("the store opens");
        check_books(&*store).await;
        for depth in store.queue().await.expect("rows") {
            assert_eq!((depth.pending, depth.processing), (0, 0), "{depth:?}");
        }
        let unsent = store.list_destinations().await.expect("rows");
        assert_eq!(unsent, [], "deliveries were left behind");
    }

    /// Drains and ends in order; what waits stays.
    pub async fn stop(mut self) -> Setup {
        self.drain();
        if self.serving.is_some() {
            self.ended().await;
        }
        self.crash().await
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        assert!(
            self.setup.is_none() || std::thread::panicking(),
            "the story did not end with finish(), stop() or crash()"
        );
    }
}

/// The books are in order and nothing is held.
pub async fn check_books(store: &dyn Store) {
    let audit = store.audit().await.expect("the audit reads");
    assert!(audit.is_clean(), "{audit:#?}");
    let held: Vec<_> = store
        .list_accounts()
        .await
        .expect("rows")
        .into_iter()
        .filter(|(_, balance)| balance.held != Money::ZERO)
        .collect();
    assert!(held.is_empty(), "{held:#?}");
}

/// An account and a key that are not stored yet.
pub struct Customer {
    pub account: Account,
    pub credits: Money,
    pub mode: Mode,
    pub limits: KeyLimits,
}

impl Customer {
    /// Prepaid, with a live key that nothing narrows.
    pub fn new(credits: &str) -> Self {
        let name = format!("customer-{}", TaskId::new());
        Self {
            account: store::new_account(&name, CreditLine::UpTo(Money::ZERO), now()),
            credits: credits.parse().expect("an amount"),
            mode: Mode::Live,
            limits: KeyLimits::default(),
        }
    }

    /// Stores them.
    pub async fn store(self, store: &dyn Store, url: &str) -> Holder {
        let account = self.account.id.clone();
        let stored: Result<_, StoreError> = async {
            store.create_account(self.account).await?;
            if self.credits != Money::ZERO {
                store
                    .top_up(&account, self.credits, account.as_str(), now())
                    .await?;
            }
            let secret = Secret::generate(self.mode);
            let key = store::new_key(
                &account,
                "test",
                self.mode,
                &secret.last_four(),
                self.limits,
                now(),
            );
            let id = key.id.clone();
            store.create_keys(vec![(key, secret.hash())]).await?;
            Ok((secret, id))
        }
        .await;
        let (secret, key) = stored.expect("rows");
        Holder {
            client: Client::new(url, Some(secret.reveal())),
            secret,
            account,
            key,
        }
    }
}

pub fn now() -> Millis {
    Millis(jiff::Timestamp::now().as_millisecond())
}

/// Waits for a state: asks again and again until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
