//! The real program as a child process, to be killed and looked at from outside.

use crate::app::{Customer, model, noise_png};
use crate::client::{Client, Holder};
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A debug build on a busy machine starts within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with configuration, models and data. `paid` costs 0.04 at a provider that replays a picture for 0.01 and
/// logs each call it gets; `second` is the same behind a target that takes no calls; `drawn` costs 0.02 and is drawn.
pub struct Site {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Site {
    /// `delay`: how long the paid provider takes.
    pub fn new(delay: Duration) -> Self {
        let site = Self {
            folder: tempfile::tempdir().expect("a folder"),
            variables: Vec::new(),
        };
        let catalogue = site.file("catalogue");
        std::fs::create_dir(&catalogue).expect("a folder");
        let write = |path: &Path, text: &[u8]| std::fs::write(path, text).expect("room for a file");
        write(
            &catalogue.join("paid.toml"),
            model("paid", "0.04", &[("rehearsal", 1, "0.01")]).as_bytes(),
        );
        write(
            &catalogue.join("drawn.toml"),
            model("drawn", "0.02", &[("sketch", 2, "0")]).as_bytes(),
        );
        write(
            &catalogue.join("second.toml"),
            model(
                "second",
                "0.04",
                &[("refusing", 1, "0.01"), ("rehearsal", 1, "0.01")],
            )
            .as_bytes(),
        );
        write(&site.file("picture.png"), &noise_png(64));
        // What cannot note a call takes none.
        let settings = format!(
            "listen = \"127.0.0.1:0\"\nmin_free_mib = 0\n\n[provider.rehearsal]\nkind = \"replay\"\n\
             image = \"{picture}\"\nlog = \"{}\"\ndelay_ms = {}\n\n[provider.refusing]\nkind = \"replay\"\n\
             image = \"{picture}\"\nlog = \"/dev/full\"\n",
            site.file("calls.log").display(),
            delay.as_millis(),
            picture = site.file("picture.png").display(),
        );
        write(&site.file("pinhole.toml"), settings.as_bytes());
        site
    }

    /// With one more variable in the program's environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.file("data")
    }

    /// A prepaid account with a live key, made beside the server.
    pub async fn customer(&self, credits: &str) -> Holder {
        self.customer_with(credits, |_| {}).await
    }

    /// As [`Site::customer`], changed before it is stored.
    pub async fn customer_with(&self, credits: &str, change: impl FnOnce(&mut Customer)) -> Holder {
        let store = pinhole::app::open_store(&self.data()).expect("the store opens");
        let mut customer = Customer::new(credits);
        change(&mut customer);
        customer.store(&*store, "http://127.0.0.1:0").await
    }

    /// What the paid provider was asked: task and attempt, in order.
    pub fn calls(&self) -> Vec<(String, i64)> {
        let log = std::fs::read_to_string(self.file("calls.log")).unwrap_or_default();
        log.lines()
            .map(|line| {
                let (task, attempt) = line.split_once(' ').expect("two words a line");
                (task.to_owned(), attempt.parse().expect("a number"))
            })
            .collect()
    }

    /// Starts the program and waits until it listens.
    pub async fn start(&self, failpoints: &str) -> Server {
        self.start_with(failpoints, &[]).await
    }

    /// As [`Site::start`], with more arguments.
    pub async fn start_with(&self, failpoints: &str, arguments: &[&str]) -> Server {
        let mut server = self.spawn(failpoints, arguments);
        let lock = self.lock();
        let started = Instant::now();
        while server.url.is_empty() {
            if let Ok(text) = std::fs::read_to_string(&lock)
                && let Some(address) = text.strip_suffix('\n')
            {
                server.url = format!("http://{address}");
            }
            let ended = server.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it did not start: {}", self.log_text());
            assert!(
                started.elapsed() < PATIENCE,
                "it does not listen: {}",
                self.log_text()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server
    }

    /// Starts the program; it may die before it listens.
    pub fn spawn(&self, failpoints: &str, arguments: &[&str]) -> Server {
        // It says where it listens in this file; what a dead one said must not be believed.
        let _ = std::fs::remove_file(self.lock());
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_pinhole"))
            .arg("serve")
            .arg("--config")
            .arg(self.file("pinhole.toml"))
            .arg("--data")
            .arg(self.data())
            .args(arguments)
            .env_clear()
            .env("FAILPOINTS", failpoints)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn();
        Server {
            child: child.expect("the program starts"),
            url: String::new(),
        }
    }

    fn lock(&self) -> PathBuf {
        self.data().join("engine.lock")
    }

    pub fn log(&self) -> PathBuf {
        self.file("server.log")
    }

    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// The rows, for SQL of the test's own.
    pub fn rows(&self) -> Connection {
        read_only(&self.data())
    }
}

/// A child process. Dropping it kills it.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    /// A key's client at this server.
    pub fn client(&self, holder: &Holder) -> Client {
        holder.client.at(&self.url)
    }

    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// SIGKILL, and gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("a child");
    }

    /// Waits until it has died of itself; `None` if it lives on.
    pub async fn death(&mut self, patience: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => return Some(status),
                None if started.elapsed() > patience => return None,
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    }

    /// SIGTERM, then waits for the drain.
    pub async fn terminate(mut self) -> ExitStatus {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).expect("it runs");
        self.death(PATIENCE).await.expect("the drain ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have died as the test wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Opens a data folder's rows for reading.
pub fn read_only(data: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let rows = Connection::open_with_flags(data.join("pinhole.db"), flags).expect("the database");
    rows.busy_timeout(Duration::from_secs(5))
        .expect("a timeout");
    rows
}

/// Every file below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
