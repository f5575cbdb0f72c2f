//! What a server needs of its machine: the clock, the folder and what is in it, the port.

use super::Finding;
use crate::app::{EngineLock, Holder};
use crate::cli::place::now;
use crate::cli::{out, remote};
use crate::config::Settings;
use crate::store::sqlite::backup as rows;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The day this was built is past; the folder was last written before now.
pub(super) fn of_clock(data: &Path) -> Finding {
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
        _ if now().0 < OLDEST_CLOCK => Finding::wrong(
            "clock",
            "this clock stands before this program was made",
            fix,
        ),
        _ => Finding::fine("clock", format!("{} UTC", out::minute(now()))),
    }
}

/// 2026-11-01; no release is older.
const OLDEST_CLOCK: i64 = 1_793_491_200_000;

pub(super) fn of_folder(settings: &Settings) -> Vec<Finding> {
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
    let file = data.join("pinhole.db");
    if let Ok(version) = rows::version(&file)
        && version < rows::schema_version()
    {
        let says = format!(
            "of version {version}: the next start brings them to {}",
            rows::schema_version()
        );
        return vec![Finding::look(
            "rows",
            says,
            "copy the folder before, if nobody has; then start the server",
        )];
    }
    let looked = match rows::look(&file) {
        Ok(looked) => looked,
        Err(error) => return vec![Finding::wrong("rows", error.to_string(), restore)],
    };
    let mut findings = vec![match looked.faults.first() {
        None => Finding::fine("rows", format!("whole, version {}", looked.version)),
        Some(fault) => Finding::wrong(
            "rows",
            format!(
                "damaged in {}, first: {fault}",
                out::count(looked.faults.len(), "place")
            ),
            restore,
        ),
    }];
    findings.push(match looked.audit.findings.first() {
        None => Finding::fine(
            "books",
            format!(
                "in order, {}",
                out::count(looked.audit.transfers, "transfer")
            ),
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
        0 => Finding::fine(
            "pictures",
            format!(
                "{}, none is missing",
                out::count(looked.blobs.len(), "picture")
            ),
        ),
        some => Finding::wrong(
            "pictures",
            format!(
                "{some} of {} missing",
                out::count(looked.blobs.len(), "picture")
            ),
            "copy them from a backup: each lies in it under the same name below blobs/",
        ),
    });
    findings
}

pub(super) fn of_port(settings: &Settings) -> Finding {
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
