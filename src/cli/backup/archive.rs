//! A backup as files: a folder, or one tar file. Written under another name until it is whole and was read again.

use super::MANIFEST;
use crate::cli::failure::{Failure, Outcome};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

/// What becomes the backup, until it is whole.
const WHOLE: &str = "whole";

/// A backup that is being written.
pub(super) struct Writing {
    to: PathBuf,
    /// Where it is until it is whole, with what is no entry yet.
    part: PathBuf,
    /// The tar file, if it is one.
    tar: Option<tar::Builder<File>>,
    /// The hash of each entry, as it was written.
    hashes: BTreeMap<String, blake3::Hash>,
}

impl Writing {
    /// Refuses a path where something is.
    pub(super) fn begin(to: &Path) -> Outcome<Self> {
        let is_empty = |path: &Path| {
            path.read_dir()
                .is_ok_and(|mut entries| entries.next().is_none())
        };
        if to.exists() && (is_tar(to) || !is_empty(to)) {
            return Err(Failure::usage(format!("{} is there already", to.display()))
                .why("a backup is never written over another one")
                .fix("name a new folder, or a new file that ends in .tar"));
        }
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let part = to.with_file_name(format!(".{name}.part-{}", std::process::id()));
        make_folder(&part)?;
        let whole = part.join(WHOLE);
        let tar = if is_tar(to) {
            Some(tar::Builder::new(create(&whole)?))
        } else {
            make_folder(&whole)?;
            None
        };
        let hashes = BTreeMap::new();
        Ok(Self {
            to: to.to_owned(),
            part,
            tar,
            hashes,
        })
    }

    /// A file of ours that is no entry yet.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.part.join(format!("{name}.new"))
    }

    /// Adds a file. One that lies beside is moved, if it can be.
    pub(super) fn add_file(&mut self, name: &str, from: &Path) -> Outcome {
        let mut file = File::open(from).map_err(|error| unwritable(from, &error))?;
        let hash = hash(&mut file).map_err(|error| unwritable(from, &error))?;
        self.hashes.insert(name.to_owned(), hash);
        match &mut self.tar {
            Some(tar) => append(tar, name, from).map_err(|error| unwritable(&self.to, &error)),
            None => self.put(name, from),
        }
    }

    /// Adds what is in memory.
    pub(super) fn add_bytes(&mut self, name: &str, bytes: &[u8]) -> Outcome {
        let staged = self.beside(name);
        let written = create(&staged)?.write_all(bytes);
        written.map_err(|error| unwritable(&staged, &error))?;
        self.add_file(name, &staged)
    }

    fn put(&self, name: &str, from: &Path) -> Outcome {
        let to = self.part.join(WHOLE).join(name);
        make_folder(to.parent().unwrap_or(&self.part))?;
        let put = if from.starts_with(&self.part) {
            std::fs::rename(from, &to)
        } else {
            std::fs::copy(from, &to).map(drop)
        };
        put.and_then(|()| File::open(&to)?.sync_all())
            .map_err(|error| unwritable(&to, &error))
    }

    /// Reads all of it again, compares, and gives it its name.
    pub(super) fn finish(mut self) -> Outcome {
        if let Some(tar) = self.tar.take() {
            let file = tar.into_inner();
            let synced = file.and_then(|file| file.sync_all());
            synced.map_err(|error| unwritable(&self.to, &error))?;
        }
        let made = self.part.join(WHOLE);
        self.verify(&made)?;
        // Only an empty folder can be in the way.
        let _ = std::fs::remove_dir(&self.to);
        std::fs::rename(&made, &self.to).map_err(|error| unwritable(&self.to, &error))
    }

    fn verify(&self, made: &Path) -> Outcome {
        let mut read = BTreeMap::new();
        Archive::open(made)?.each(|name, bytes| {
            read.insert(name.to_owned(), hash(bytes)?);
            Ok(())
        })?;
        if read == self.hashes {
            return Ok(());
        }
        Err(Failure::failed("the backup is not what was written to it")
            .why(format!(
                "{} was read again and is different",
                self.to.display()
            ))
            .fix("check the disk it lies on, and name a place on another one"))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // What was finished has moved; what was not goes.
        let _ = std::fs::remove_dir_all(&self.part);
    }
}

/// A backup that is read.
pub(super) enum Archive {
    Folder(PathBuf),
    Tar(PathBuf),
}

impl Archive {
    pub(super) fn open(path: &Path) -> Outcome<Self> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Self::Folder(path.to_owned())),
            Ok(_) => Ok(Self::Tar(path.to_owned())),
            Err(error) => Err(Failure::usage(format!("{} cannot be read", path.display()))
                .why(error.to_string())
                .fix(A_BACKUP)),
        }
    }

    /// Refuses what is no backup before anything is made for it: its entries tell, the last one above all.
    pub(super) fn look(&self) -> Outcome {
        let (path, found) = match self {
            Self::Folder(path) => (path, Ok(path.join(MANIFEST).is_file())),
            Self::Tar(path) => (path, names(path)),
        };
        match found {
            Ok(true) => Ok(()),
            Ok(false) => Err(no_backup(
                path,
                "it has no backup.json, which a whole one ends with",
            )),
            Err(error) if is_of_the_disk(&error) => Err(unreadable(path, &error)),
            // What a reader of tar files says of another file means nothing to anybody.
            Err(_) => Err(no_backup(
                path,
                "it is neither a folder nor a tar file of a backup",
            )),
        }
    }

    /// Hands out each entry by name.
    pub(super) fn each(
        &self,
        mut with: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
    ) -> Outcome {
        let (path, done) = match self {
            Self::Folder(path) => (path, each_file(path, path, &mut with)),
            Self::Tar(path) => (path, each_entry(path, &mut with)),
        };
        done.map_err(|error| unreadable(path, &error))
    }
}

/// What to name instead.
const A_BACKUP: &str = "name a folder or a .tar file that `pinhole backup` has made";

/// It can be read, and is something else.
pub(super) fn no_backup(path: &Path, why: &str) -> Failure {
    Failure::failed(format!("{} is no whole backup", path.display()))
        .why(why)
        .fix(A_BACKUP)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{} cannot be read", path.display()))
        .why(error.to_string())
        .fix(A_BACKUP)
}

/// Faults of the system have numbers; those of a reader have words.
fn is_of_the_disk(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

/// Whether a tar file has only what a backup holds, and its last entry.
fn names(path: &Path) -> io::Result<bool> {
    let mut is_whole = false;
    each_entry(path, &mut |name, _| {
        is_whole |= name == MANIFEST;
        Ok(())
    })?;
    Ok(is_whole)
}

fn each_file(
    root: &Path,
    folder: &Path,
    with: &mut impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let (entry, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let name = entry
            .strip_prefix(root)
            .unwrap_or(&entry)
            .to_string_lossy()
            .into_owned();
        if kind.is_dir() {
            each_file(root, &entry, with)?;
        } else if is_ours(&name) && kind.is_file() {
            with(&name, &mut File::open(&entry)?)?;
        }
    }
    Ok(())
}

fn each_entry(
    path: &Path,
    with: &mut impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(File::open(path)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if !is_ours(&name) || !entry.header().entry_type().is_file() {
            return Err(io::Error::other(format!(
                "`{name}` is nothing that a backup holds"
            )));
        }
        with(&name, &mut entry)?;
    }
    Ok(())
}

/// Whether a backup may hold an entry of this name: nothing leads out of it.
fn is_ours(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_plain = parts
        .clone()
        .all(|part| matches!(part, Component::Normal(_)));
    let first = parts
        .next()
        .map(|part| part.as_os_str().to_string_lossy().into_owned());
    is_plain
        && (matches!(name, super::ROWS | super::TEST_KEY | MANIFEST)
            || first.as_deref() == Some("blobs") && parts.next().is_some())
}

fn is_tar(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tar")
}

fn append(tar: &mut tar::Builder<File>, name: &str, from: &Path) -> io::Result<()> {
    let mut file = File::open(from)?;
    let mut header = tar::Header::new_gnu();
    header.set_size(file.metadata()?.len());
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(crate::cli::place::now().0 / 1000).unwrap_or(0));
    tar.append_data(&mut header, name, &mut file)
}

/// The hash of all that can be read.
pub(super) fn hash(from: &mut (impl Read + ?Sized)) -> io::Result<blake3::Hash> {
    let (mut hasher, mut block) = (blake3::Hasher::new(), vec![0; 64 * 1024]);
    loop {
        match from.read(&mut block)? {
            0 => return Ok(hasher.finalize()),
            count => hasher.update(&block[..count]),
        };
    }
}

/// A folder that only its owner may look into.
pub(super) fn make_folder(path: &Path) -> Outcome {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(|error| unwritable(path, &error))
}

/// A new file that only its owner reads.
pub(super) fn create(path: &Path) -> Outcome<File> {
    let mut options = File::options();
    let made = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    made.map_err(|error| unwritable(path, &error))
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written", path.display()))
        .why(error.to_string())
        .fix("name a place that you may write to, with enough room")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_leads_out() {
        for name in ["pinhole.db", "test-key", "backup.json", "blobs/ab/0123"] {
            assert!(is_ours(name), "{name}");
        }
        for name in [
            "",
            "blobs",
            "/blobs/a",
            "blobs/../../a",
            "../pinhole.db",
            "other",
            "blobs/./a/..",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
