//! `pinhole restore`: a backup becomes a data folder. It is laid out beside what is there, checked, and only then moved in,
//! the rows last: a folder without them is no folder that a server was stopped on.
//!
//! What was unfinished in a backup may have ended since, on the server that it was made beside: paid for, charged and told.
//! So it ends here, free of charge, and nobody is told: nothing is sent to an upstream or a client a second time. Only
//! the operator knows that the server stood still before the backup was made, and says `--resume`.

use super::archive::{Archive, create, make_folder, no_backup, unwritable};
use super::{FORMAT, MANIFEST, ROWS, TEST_KEY, check_rows, in_order};
use crate::app::{EngineLock, StartError};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::place::{Place, now};
use crate::cli::{block_on, out};
use crate::store::sqlite::SqliteStore;
use crate::store::{Abandoned, Store};
use crate::types::{self, FailKind};
use clap::Args;
use serde_json::{Value, json};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where it lies until it is checked, and where goes what was there before.
const STAGED: &str = ".restoring";
const BEFORE: &str = ".before-restore";
const LOCK: &str = "engine.lock";

/// What a client is told of a task that was unfinished in the backup.
const ABANDONED: &str = "the server was restored from a backup that was made before this task ended; it is free of charge";

#[derive(Args)]
pub(in crate::cli) struct Restore {
    /// A backup: a folder or a .tar file
    #[arg(value_name = "PATH")]
    from: PathBuf,
    /// Restore into a folder that holds something; that is moved to a folder inside of it, not deleted
    #[arg(long)]
    replace: bool,
    /// Go on with the tasks and callbacks that were unfinished: only if the server was stopped before the backup was made,
    /// else calls may be paid for twice
    #[arg(long)]
    resume: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was laid out.
struct Laid {
    /// The blobs that rows need and nobody has.
    missing: Vec<String>,
    /// What is wrong with the books.
    books: Vec<String>,
    /// What was unfinished.
    ended: Abandoned,
}

impl Restore {
    pub(in crate::cli) fn run(&self, place: &Place) -> Outcome {
        let data = place.load()?.settings.data;
        let archive = Archive::open(&self.from)?;
        // What is no backup leaves nothing behind, not even an empty folder.
        archive.look()?;
        let is_new = !data.exists();
        let (laid, before) = self.restore(&archive, &data).inspect_err(|_| {
            if is_new {
                // Only what is empty goes.
                let _ = std::fs::remove_file(data.join(LOCK));
                let _ = std::fs::remove_dir(&data);
            }
        })?;
        self.tell(&data, &laid, before.as_deref())?;
        in_order(
            "the backup is restored, but its books are not in order",
            &laid.books,
        )
    }

    fn restore(&self, archive: &Archive, data: &Path) -> Outcome<(Laid, Option<PathBuf>)> {
        make_folder(data)?;
        // No server may begin on a folder that is changing.
        let _lock = EngineLock::take(data).map_err(in_use)?;
        let there = self.there(data)?;
        let staged = data.join(STAGED);
        let _ = std::fs::remove_dir_all(&staged);
        let laid = self.lay_out(archive, &staged).inspect_err(|_| {
            let _ = std::fs::remove_dir_all(&staged);
        })?;
        let before = put_in_place(&staged, data, &there)?;
        Ok((laid, before))
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
                "name a new folder with --data, or say --replace: what is there is kept inside of it",
            ))
    }

    /// Lays a backup out, ends what was unfinished, and checks it.
    fn lay_out(&self, archive: &Archive, staged: &Path) -> Outcome<Laid> {
        make_folder(staged)?;
        archive.each(|name, bytes| write(&staged.join(name), bytes))?;
        check_manifest(&staged.join(MANIFEST), &self.from)?;
        let rows = staged.join(ROWS);
        let ended = self.bring_up(&rows)?;
        let looked = check_rows(&rows, &staged.join("looked-at"))?;
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
        sync_folders(staged).map_err(|error| unwritable(staged, &error))?;
        Ok(Laid {
            missing,
            books: looked.audit.findings,
            ended,
        })
    }

    /// Older rows are brought up to date, as the next start would; then what was unfinished ends.
    fn bring_up(&self, rows: &Path) -> Outcome<Abandoned> {
        let fault = |error: crate::store::StoreError| {
            Failure::failed("the rows of the backup cannot be opened")
                .why(error.to_string())
                .fix("restore another backup; nothing was changed")
        };
        let store = SqliteStore::open(rows).map_err(fault)?;
        if self.resume {
            return Ok(Abandoned::default());
        }
        let why = types::Failure::new(FailKind::OutcomeUnknown, ABANDONED);
        let ended = block_on(async { Ok(store.abandon_unfinished(why, now()).await) })?;
        ended.map_err(|error| {
            Failure::failed("what was unfinished in the backup cannot be ended")
                .why(error.to_string())
                .fix("restore another backup, or say --resume if the server was stopped before this one was made")
        })
    }

    fn tell(&self, data: &Path, laid: &Laid, before: Option<&Path>) -> Outcome {
        let (missing, ended) = (&laid.missing, &laid.ended);
        let path = data.display().to_string();
        if self.json {
            let before = before.map(|path| path.display().to_string());
            let tasks: Vec<&str> = ended.tasks.iter().map(types::TaskId::as_str).collect();
            return out::json(&json!({
                "data": path, "before": before, "missing": missing, "books": laid.books,
                "ended": tasks, "deliveries_given_up": ended.deliveries,
            }));
        }
        out::print(&path)?;
        if let Some(before) = before {
            out::note(&format!("  What was there is kept in {}", before.display()));
        }
        for blob in missing {
            out::note(&format!("  Missing  {blob}"));
        }
        tell_ended(ended);
        let missing = missing.len();
        let pictures = match missing {
            0 => "every picture is there".to_owned(),
            1 => "1 picture is missing".to_owned(),
            some => format!("{some} pictures are missing"),
        };
        let books = match laid.books.len() {
            0 => "the books are in order".to_owned(),
            some => format!("the books are not ({})", out::count(some, "finding")),
        };
        out::note(&format!(
            "  The rows are whole, {books}, {pictures}.\n  Next:  pinhole serve --data {path}"
        ));
        Ok(())
    }
}

/// Says what was unfinished: the first of it, and how much.
fn tell_ended(ended: &Abandoned) {
    const SHOWN: usize = 20;
    for task in ended.tasks.iter().take(SHOWN) {
        out::note(&format!("  Ended    {task}"));
    }
    let (tasks, deliveries) = (ended.tasks.len(), ended.deliveries);
    if tasks > SHOWN {
        out::note(&format!("  Ended    and {} more", tasks - SHOWN));
    }
    if tasks > 0 {
        let were = if tasks == 1 { "was" } else { "were" };
        out::note(&format!(
            "  {} {were} unfinished in the backup: failed now, free of charge, and no callback says so.",
            out::count(tasks, "task")
        ));
    }
    if deliveries > 0 {
        let were = if deliveries == 1 { "was" } else { "were" };
        out::note(&format!(
            "  {} {were} to be delivered: given up; `pinhole webhook resend` sends them again.",
            out::count(deliveries, "callback")
        ));
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
        None => Err(no_backup(
            from,
            "its last entry, backup.json, cannot be read",
        )),
    }
}

/// Moves away what is there, and in what is laid out. If that fails, nothing of either is deleted.
fn put_in_place(staged: &Path, data: &Path, there: &[PathBuf]) -> Outcome<Option<PathBuf>> {
    let told = |failure: Failure| {
        failure.fix(format!(
            "what is not moved yet is kept in {}: put that right, and restore again with --replace",
            staged.display()
        ))
    };
    let before = set_aside(data, there).map_err(told)?;
    move_in(staged, data).map_err(told)?;
    // Nothing but the manifest is left.
    let _ = std::fs::remove_dir_all(staged);
    Ok(before)
}

/// Moves what is there into a folder inside of it, the rows first: what they name goes after them.
fn set_aside(data: &Path, there: &[PathBuf]) -> Outcome<Option<PathBuf>> {
    if there.is_empty() {
        return Ok(None);
    }
    let before = data.join(format!("{BEFORE}-{}", now().0));
    make_folder(&before)?;
    let is_rows = |path: &&PathBuf| path.file_name().is_some_and(|name| name == ROWS);
    let rest = there.iter().filter(|path| !is_rows(path));
    for path in there.iter().filter(is_rows).chain(rest) {
        let name = path.file_name().unwrap_or_default();
        std::fs::rename(path, before.join(name)).map_err(|error| unwritable(path, &error))?;
    }
    sync(&before)?;
    sync(data)?;
    Ok(Some(before))
}

/// Moves in what is laid out, the rows last, when the rest is on disk.
fn move_in(staged: &Path, data: &Path) -> Outcome {
    for name in ["blobs", TEST_KEY, ROWS] {
        let from = staged.join(name);
        if from.exists() {
            std::fs::rename(&from, data.join(name)).map_err(|error| unwritable(data, &error))?;
            sync(data)?;
        }
    }
    Ok(())
}

/// What is named in a folder is on disk when this returns.
fn sync(folder: &Path) -> Outcome {
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| unwritable(folder, &error))
}

/// The same for all folders below it.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_last_and_what_could_not_be_moved_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, staged) = (folder.path().join("data"), folder.path().join("staged"));
        for path in [data.join("blobs/ab"), staged.join("blobs/cd")] {
            std::fs::create_dir_all(path).expect("made");
        }
        std::fs::write(staged.join(ROWS), b"rows").expect("written");
        // Something that came meanwhile is in the way of the pictures.
        let failed = put_in_place(&staged, &data, &[]).expect_err("blobs are in the way");
        assert!(format!("{failed:?}").contains("staged"), "{failed:?}");
        assert!(!data.join(ROWS).exists(), "nobody may start on it");
        assert!(staged.join(ROWS).is_file() && staged.join("blobs/cd").is_dir());
        let there = [data.join("blobs")];
        let before = put_in_place(&staged, &data, &there).expect("it is moved");
        assert!(before.expect("a folder").join("blobs/ab").is_dir());
        assert!(data.join(ROWS).is_file() && data.join("blobs/cd").is_dir());
        assert!(!staged.exists());
    }
}
