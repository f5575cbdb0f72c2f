//! The operator's folder of model files: reading it, and noticing that it has changed.

use crate::catalogue::file::{Place, Problem};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How deep folders may lie in the override folder; deeper ones are links that run in circles.
const MOST_FOLDERS: usize = 8;

/// What is cheap to know of a folder of model files. Two that are equal are of the same files, as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    is_there: bool,
    files: Vec<(PathBuf, Option<FileStamp>)>,
}

/// What changes with a file: its number and length, and when its content and its entry were changed, which nobody can
/// set back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    number: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// Of the files that [`Catalogue::load`](crate::catalogue::Catalogue::load) would read.
    pub fn of(folder: &Path) -> Self {
        let mut paths = Vec::new();
        // What cannot be looked into is told by the loading; here it is as if it were empty.
        let _ = gather(folder, MOST_FOLDERS, &mut paths);
        paths.sort();
        let file = |path: PathBuf| {
            let metadata = std::fs::metadata(&path).ok();
            (path, metadata.map(|it| FileStamp::of(&it)))
        };
        Self {
            is_there: folder.exists(),
            files: paths.into_iter().map(file).collect(),
        }
    }

    /// Whether there is a folder at all.
    pub fn is_there(&self) -> bool {
        self.is_there
    }
}

impl FileStamp {
    fn of(file: &Metadata) -> Self {
        Self {
            number: file.ino(),
            bytes: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

/// That the folder itself has gone: more likely a mistake, or the middle of a change, than the wish to have no models.
pub(super) fn gone(folder: &Path) -> Problem {
    Problem {
        place: Place {
            file: folder.display().to_string().into(),
            line: 1,
            column: 1,
        },
        reason: "the folder has gone; one without files would mean that there are none".to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, write};

    #[test]
    fn a_change_is_seen_even_if_length_and_time_of_change_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.toml");
        write(&path, "one").expect("room for a file");
        let modified = std::fs::metadata(&path).expect("a file").modified();
        let before = Stamp::of(folder.path());
        assert_eq!(Stamp::of(folder.path()), before);
        // The kernel's clock of files moves in ticks.
        while Stamp::of(folder.path()) == before {
            write(&path, "two").expect("room for a file");
            let file = File::options().write(true).open(&path).expect("a file");
            let modified = modified.as_ref().expect("a time");
            file.set_modified(*modified).expect("its time is set");
        }
    }
}
