//! `pinhole doctor`: looks at everything that a server needs, changes nothing, and says for each finding what to do.

use super::failure::{Exit, Failure, Outcome};
use super::place::Place;
use super::remote::{self, is_reachable};
use super::{block_on, out};
use crate::app::{EngineLock, Holder};
use crate::catalogue::Catalogue;
use crate::config::{Loaded, Settings};
use crate::provider::Providers;
use crate::store::sqlite::backup as rows;
use clap::Args;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

#[derive(Args)]
pub(super) struct Doctor {
    /// Also see whether each provider's address answers; nothing is asked of it, and no key is sent
    #[arg(long)]
    online: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    /// It works, and may surprise somebody.
    Look,
    /// It does not work.
    Wrong,
}

/// One thing that was looked at.
struct Finding {
    about: &'static str,
    state: State,
    says: String,
    fix: Option<String>,
}

impl Finding {
    fn fine(about: &'static str, says: impl Into<String>) -> Self {
        Self {
            about,
            state: State::Fine,
            says: says.into(),
            fix: None,
        }
    }

    fn look(about: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            about,
            state: State::Look,
            says: says.into(),
            fix: Some(fix.into()),
        }
    }

    fn wrong(about: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            about,
            state: State::Wrong,
            says: says.into(),
            fix: Some(fix.into()),
        }
    }

    fn as_json(&self) -> Value {
        json!({"about": self.about, "state": self.state.name(), "says": self.says, "fix": self.fix})
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Look => "look",
            Self::Wrong => "wrong",
        }
    }
}

impl Doctor {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let findings = match Settings::load(&place.flags()) {
            Err(error) => {
                let fix = "`pinhole config check` shows the line; `pinhole config init` prints a file that is right";
                vec![Finding::wrong("settings", error.to_string(), fix)]
            }
            Ok(loaded) => self.look(&loaded),
        };
        if self.json {
            let all = findings.iter().map(Finding::as_json);
            out::json(
                &json!({"findings": all.collect::<Vec<_>>(), "healthy": is_healthy(&findings)}),
            )?;
        } else {
            show(&findings)?;
        }
        if is_healthy(&findings) {
            Ok(())
        } else {
            Err(Failure::Said(Exit::Failed))
        }
    }

    fn look(&self, loaded: &Loaded) -> Vec<Finding> {
        let settings = &loaded.settings;
        let mut findings = vec![of_settings(loaded)];
        findings.push(of_clock(&settings.data));
        findings.extend(of_folder(settings));
        findings.push(of_port(settings));
        findings.push(of_catalogue(settings));
        findings.extend(self.of_providers(settings));
        findings
    }

    fn of_providers(&self, settings: &Settings) -> Vec<Finding> {
        const ABOUT: &str = "providers";
        let providers = match Providers::from_settings(&settings.providers) {
            Ok(providers) => providers,
            Err(error) => {
                return vec![Finding::wrong(
                    ABOUT,
                    error,
                    "`pinhole config path` says which file to correct",
                )];
            }
        };
        let remote: Vec<(String, String)> = providers
            .iter()
            .filter_map(|(name, provider)| Some((name.to_owned(), provider.address()?.to_owned())))
            .collect();
        if remote.is_empty() {
            let says = "no provider is on: test keys work, live keys reach nobody but sketch";
            return vec![Finding::look(
                ABOUT,
                says,
                "set OPENAI_API_KEY, or write a [provider.NAME] section; test keys need none",
            )];
        }
        let names = |(name, address): &(String, String)| format!("{name} at {address}");
        if !self.online {
            let says: Vec<String> = remote.iter().map(names).collect();
            let says = format!("{} (not called; --online does)", says.join(", "));
            return vec![Finding::fine(ABOUT, says)];
        }
        remote
            .iter()
            .map(|one| reached(&names(one), &one.1))
            .collect()
    }
}

fn reached(name: &str, address: &str) -> Finding {
    match block_on(async { is_reachable(address).await }) {
        Ok(()) => Finding::fine("providers", format!("{name} answers")),
        Err(failure) => Finding::wrong(
            "providers",
            format!("{name} does not answer: {}", failure.reasons()),
            "check the address, the network and the proxy of this machine",
        ),
    }
}

fn is_healthy(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state != State::Wrong)
}

/// One line each, and the fix below it.
fn show(findings: &[Finding]) -> Outcome {
    let mut lines = Vec::new();
    for finding in findings {
        let (state, about) = (finding.state.name(), finding.about);
        lines.push(format!(
            "{state:<5}  {about:<9}  {}",
            out::plain(&finding.says)
        ));
        lines.extend(
            finding
                .fix
                .as_ref()
                .map(|fix| format!("{:<18}fix: {}", "", out::plain(fix))),
        );
    }
    out::print(&lines.join("\n"))?;
    let wrong = findings
        .iter()
        .filter(|finding| finding.state == State::Wrong)
        .count();
    out::note(&match wrong {
        0 => "Everything that is needed is in order.".to_owned(),
        1 => "One thing is wrong.".to_owned(),
        some => format!("{some} things are wrong."),
    });
    Ok(())
}

fn of_settings(loaded: &Loaded) -> Finding {
    let file = loaded.file.as_ref();
    let file = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    if loaded.warnings.is_empty() {
        return Finding::fine("settings", file);
    }
    let says = format!("{file}; {}", loaded.warnings.join("; "));
    Finding::look(
        "settings",
        says,
        "`pinhole config show --origin` lists what there is",
    )
}

/// The day this was built is past; the folder was last written before now.
fn of_clock(data: &Path) -> Finding {
    const SLACK: Duration = Duration::from_secs(60);
    let fix = "set the clock of this machine (systemd-timesyncd or chrony keeps it)";
    let written = data
        .join("pinhole.db")
        .metadata()
        .and_then(|meta| meta.modified());
    match written {
        Ok(at) if at > SystemTime::now() + SLACK => Finding::wrong(
            "clock",
            "the database was written in what this clock calls the future",
            fix,
        ),
        _ if super::place::now().0 < OLDEST_CLOCK => Finding::wrong(
            "clock",
            "this clock stands before this program was made",
            fix,
        ),
        _ => Finding::fine("clock", format!("{} UTC", out::minute(super::place::now()))),
    }
}

/// 2026-11-01; no release is older.
const OLDEST_CLOCK: i64 = 1_793_491_200_000;

fn of_folder(settings: &Settings) -> Vec<Finding> {
    let data = &settings.data;
    if !data.exists() {
        let says = format!(
            "{} is not there yet; the first command makes it",
            data.display()
        );
        return vec![Finding::fine("data", says)];
    }
    let mut findings = vec![of_access(data)];
    findings.push(of_space(settings));
    findings.push(of_lock(data));
    if data.join("pinhole.db").exists() {
        findings.extend(of_rows(data));
    }
    findings
}

fn of_access(data: &Path) -> Finding {
    let says = data.display().to_string();
    let probe = data.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"");
    let _ = std::fs::remove_file(&probe);
    if let Err(error) = written {
        return Finding::wrong(
            "data",
            format!("{says} cannot be written to: {error}"),
            "run as its owner, or name a folder of your own with --data or PINHOLE_DATA",
        );
    }
    let mode = |path: &Path| {
        path.metadata()
            .map_or(0, |meta| meta.permissions().mode() & 0o777)
    };
    let key = data.join("test-key");
    if mode(&key) & 0o077 != 0 {
        return Finding::look(
            "data",
            format!("{} can be read by others", key.display()),
            format!("chmod 600 {}", key.display()),
        );
    }
    if mode(data) & 0o077 != 0 {
        return Finding::look(
            "data",
            format!("{says} can be looked into by others"),
            format!("chmod 700 {says}"),
        );
    }
    Finding::fine("data", says)
}

fn of_space(settings: &Settings) -> Finding {
    let free =
        rustix::fs::statvfs(&settings.data).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    let mib = |bytes: u64| bytes / (1 << 20);
    match free {
        Ok(free) if free < settings.min_free_bytes => Finding::wrong(
            "disk",
            format!(
                "{} MiB are free; below {} nothing is taken",
                mib(free),
                mib(settings.min_free_bytes)
            ),
            "free some space, or lower min_free_mib (PINHOLE_MIN_FREE_MIB)",
        ),
        Ok(free) => Finding::fine("disk", format!("{} MiB are free", mib(free))),
        Err(error) => Finding::look(
            "disk",
            format!("nobody knows how much is free: {error}"),
            "look with `df`",
        ),
    }
}

fn of_lock(data: &Path) -> Finding {
    match EngineLock::holder(data) {
        None => Finding::fine("server", "none runs on this folder"),
        Some(Holder { address: Some(at) }) => {
            Finding::fine("server", format!("runs at {}", remote::url_of(at)))
        }
        Some(Holder { address: None }) => Finding::fine(
            "server",
            "a command works on this folder, or a server is starting",
        ),
    }
}

fn of_rows(data: &Path) -> Vec<Finding> {
    let restore = "keep the folder as it is; `pinhole restore BACKUP --data NEW-FOLDER` makes another from a backup";
    let looked = match rows::look(&data.join("pinhole.db")) {
        Ok(looked) => looked,
        Err(error) => return vec![Finding::wrong("rows", error.to_string(), restore)],
    };
    let mut findings = vec![match looked.faults.first() {
        None => Finding::fine("rows", format!("whole, version {}", looked.version)),
        Some(fault) => Finding::wrong(
            "rows",
            format!("damaged in {} places, first: {fault}", looked.faults.len()),
            restore,
        ),
    }];
    findings.push(match looked.audit.findings.first() {
        None => Finding::fine(
            "books",
            format!("in order, {} transfers", looked.audit.transfers),
        ),
        Some(first) => Finding::wrong(
            "books",
            first.clone(),
            "`pinhole ledger check` lists all; compare with the last backup",
        ),
    });
    let missing = looked
        .blobs
        .iter()
        .filter(|blob| !data.join(blob.key.as_str()).is_file());
    findings.push(match missing.count() {
        0 => Finding::fine("pictures", format!("all {} are there", looked.blobs.len())),
        some => Finding::wrong(
            "pictures",
            format!("{some} of {} are not there", looked.blobs.len()),
            "copy them from a backup: each lies in it under the same name below blobs/",
        ),
    });
    findings
}

fn of_port(settings: &Settings) -> Finding {
    let address = settings.listen;
    let ours = EngineLock::holder(&settings.data).and_then(|holder| holder.address);
    if ours.is_some_and(|at| at.port() == address.port()) {
        return Finding::fine("port", format!("{address} is our server's"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Finding::fine("port", format!("{address} is free")),
        Err(error) => Finding::wrong(
            "port",
            format!("{address} cannot be listened on: {error}"),
            "stop what listens there (`ss -ltnp` tells), or name another with --listen or PINHOLE_LISTEN",
        ),
    }
}

fn of_catalogue(settings: &Settings) -> Finding {
    match Catalogue::load(settings.catalogue.as_deref()) {
        Ok(catalogue) => Finding::fine(
            "models",
            format!("{} pass their checks", catalogue.models().len()),
        ),
        Err(problems) => Finding::wrong(
            "models",
            problems.to_string(),
            "correct the file; `pinhole models check` tries again",
        ),
    }
}
