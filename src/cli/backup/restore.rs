//! `pinhole restore`: a backup becomes a data folder. It is laid out beside what is there, checked, and only then moved in.

use super::archive::{Archive, create, make_folder, unwritable};
use super::{FORMAT, MANIFEST, ROWS, TEST_KEY, check_rows};
use crate::app::{EngineLock, StartError};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::store::sqlite::SqliteStore;
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where it lies until it is checked, and where goes what was there before.
const STAGED: &str = ".restoring";
const BEFORE: &str = ".before-restore";
const LOCK: &str = "engine.lock";

#[derive(Args)]
pub(in crate::cli) struct Restore {
    /// A backup: a folder or a .tar file
    #[arg(value_name = "PATH")]
    from: PathBuf,
    /// Restore into a folder that holds something; that is moved to a folder beside it, not deleted
    #[arg(long)]
    replace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(in crate::cli) fn run(&self, place: &Place) -> Outcome {
        let data = place.load()?.settings.data;
        let archive = Archive::open(&self.from)?;
        make_folder(&data)?;
        // No server may begin on a folder that is changing.
        let _lock = EngineLock::take(&data).map_err(in_use)?;
        let there = self.there(&data)?;
        let staged = data.join(STAGED);
        let _ = std::fs::remove_dir_all(&staged);
        let done = self.lay_out(&archive, &staged).and_then(|missing| {
            let before = set_aside(&data, &there)?;
            move_in(&staged, &data)?;
            Ok((missing, before))
        });
        let _ = std::fs::remove_dir_all(&staged);
        let (missing, before) = done?;
        self.tell(&data, &missing, before.as_deref())
    }

    /// What the folder holds; more than nothing only if that was asked for.
    fn there(&self, data: &Path) -> Outcome<Vec<PathBuf>> {
        let entries = std::fs::read_dir(data).map_err(|error| unwritable(data, &error))?;
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name != LOCK && name != STAGED && !name.starts_with(BEFORE)
        };
        let there: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(is_ours)
            .collect();
        if there.is_empty() || self.replace {
            return Ok(there);
        }
        Err(Failure::usage(format!("{} is not empty", data.display()))
            .why("a restore begins in an empty folder, so that nothing is lost")
            .fix(
                "name a new folder with --data, or say --replace: what is there is kept beside it",
            ))
    }

    /// Lays a backup out and checks it; returns the blobs that rows need and nobody has.
    fn lay_out(&self, archive: &Archive, staged: &Path) -> Outcome<Vec<String>> {
        make_folder(staged)?;
        archive.each(|name, bytes| write(&staged.join(name), bytes))?;
        check_manifest(&staged.join(MANIFEST), &self.from)?;
        let rows = staged.join(ROWS);
        // An older one is brought up to date, as the next start would.
        drop(SqliteStore::open(&rows).map_err(|error| {
            Failure::failed("the rows of the backup cannot be opened")
                .why(error.to_string())
                .fix("restore another backup; nothing was changed")
        })?);
        let looked = check_rows(&rows)?;
        let mut missing = Vec::new();
        for blob in looked.blobs {
            let found = std::fs::File::open(staged.join(blob.key.as_str()));
            let hash = found.and_then(|mut file| super::archive::hash(&mut file));
            match (hash, blob.hash) {
                (Err(_), _) => missing.push(format!("{}: it is not there", blob.key.as_str())),
                (Ok(is), Some(noted)) if is.to_hex().as_str() != noted => {
                    missing.push(format!(
                        "{}: its bytes are not those that were stored",
                        blob.key.as_str()
                    ));
                }
                _ => {}
            }
        }
        Ok(missing)
    }

    fn tell(&self, data: &Path, missing: &[String], before: Option<&Path>) -> Outcome {
        let path = data.display().to_string();
        if self.json {
            let before = before.map(|path| path.display().to_string());
            return out::json(&json!({"data": path, "before": before, "missing": missing}));
        }
        out::print(&path)?;
        if let Some(before) = before {
            out::note(&format!("  What was there is kept in {}", before.display()));
        }
        for blob in missing {
            out::note(&format!("  Missing  {blob}"));
        }
        let missing = missing.len();
        let pictures = match missing {
            0 => "every picture is there".to_owned(),
            some => format!("{some} pictures are missing"),
        };
        out::note(&format!(
            "  The rows are whole, the books are in order, {pictures}.\n  Next:  pinhole serve --data {path}"
        ));
        Ok(())
    }
}

fn in_use(error: StartError) -> Failure {
    match error {
        StartError::Locked(_) => Failure::failed("a pinhole works on this data folder")
            .why("a restore changes everything below it")
            .fix("stop the server, or name another folder with --data"),
        other => other.into(),
    }
}

fn write(to: &Path, bytes: &mut dyn Read) -> io::Result<()> {
    let told = |failure: Failure| io::Error::other(format!("{failure:?}"));
    make_folder(to.parent().unwrap_or(to)).map_err(told)?;
    let mut file = create(to).map_err(told)?;
    io::copy(bytes, &mut file)?;
    file.sync_all()
}

fn check_manifest(path: &Path, from: &Path) -> Outcome {
    let read = std::fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    match read.map(|manifest| manifest["format"].as_u64()) {
        Some(Some(FORMAT)) => Ok(()),
        Some(_) => Err(
            Failure::failed(format!("{} is of another program", from.display()))
                .why("its backup.json has a format that this Pinhole does not know")
                .fix("run the Pinhole that made it, or a newer one"),
        ),
        None => Err(
            Failure::failed(format!("{} is no whole backup", from.display()))
                .why("its last entry, backup.json, is not there")
                .fix("name a folder or a .tar file that `pinhole backup` has made"),
        ),
    }
}

/// Moves what is there into a folder beside it.
fn set_aside(data: &Path, there: &[PathBuf]) -> Outcome<Option<PathBuf>> {
    if there.is_empty() {
        return Ok(None);
    }
    let before = data.join(format!("{BEFORE}-{}", now().0));
    make_folder(&before)?;
    for path in there {
        let name = path.file_name().unwrap_or_default();
        std::fs::rename(path, before.join(name)).map_err(|error| unwritable(path, &error))?;
    }
    Ok(Some(before))
}

fn move_in(staged: &Path, data: &Path) -> Outcome {
    for name in [ROWS, TEST_KEY, "blobs"] {
        let from = staged.join(name);
        if from.exists() {
            std::fs::rename(&from, data.join(name)).map_err(|error| unwritable(data, &error))?;
        }
    }
    std::fs::File::open(data)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| unwritable(data, &error))
}
