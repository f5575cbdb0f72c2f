//! The operator's folder of model files: reading it, and noticing that it has changed.

use crate::catalogue::file::{Place, Problem};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How deep folders may lie in the override folder; deeper ones are links that run in circles.
const MOST_FOLDERS: usize = 8;

/// What is cheap to know of a folder of model files. Two that are equal are of the same files, as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<Stamp>);

/// A file by its path, number, length and time of the last change, in seconds and nanoseconds.
type Stamp = (PathBuf, Option<(u64, u64, i64, i64)>);

impl Fingerprint {
    /// Of the files that [`Catalogue::load`](crate::catalogue::Catalogue::load) would read.
    pub fn of(folder: &Path) -> Self {
        let mut paths = Vec::new();
        // What cannot be looked into is told by the loading; here it is as if it were empty.
        let _ = gather(folder, MOST_FOLDERS, &mut paths);
        paths.sort();
        Self(paths.into_iter().map(stamp).collect())
    }
}

fn stamp(path: PathBuf) -> Stamp {
    let metadata = std::fs::metadata(&path).ok();
    let known = metadata.map(|it| (it.ino(), it.len(), it.mtime(), it.mtime_nsec()));
    (path, known)
}

/// Every `*.toml` below a folder, with its text, in order of its path. A folder that does not exist has none.
pub(super) fn files_below(folder: &Path, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    if let Err((path, error)) = gather(folder, MOST_FOLDERS, &mut paths)
        && !(path == folder && error.kind() == ErrorKind::NotFound)
    {
        problems.push(unreadable(&path, &error));
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match std::fs::read_to_string(&path) {
            Ok(text) => files.push((path.display().to_string(), text)),
            Err(error) => problems.push(unreadable(&path, &error)),
        }
    }
    files
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem {
        place: Place {
            file: path.display().to_string().into(),
            line: 1,
            column: 1,
        },
        reason: format!("cannot be read: {error}"),
    }
}

fn gather(
    folder: &Path,
    depth: usize,
    paths: &mut Vec<PathBuf>,
) -> Result<(), (PathBuf, std::io::Error)> {
    let named = |error| (folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(named)? {
        let entry = entry.map_err(named)?;
        // Editors keep locks and copies under names with a dot in front.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            gather(&path, depth - 1, paths)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            paths.push(path);
        }
    }
    Ok(())
}
