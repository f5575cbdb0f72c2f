//! Where pictures and texts go: a file, a folder, or stdout.

use crate::blob::probe::{Header, Probe};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Where pictures go.
pub(in crate::cli) enum Destination {
    /// Their bytes, to whoever reads.
    Stdout,
    /// This file, or files named after it if there are several.
    File {
        path: PathBuf,
        several: bool,
        overwrite: bool,
    },
    /// Numbered files in here.
    Folder(PathBuf),
}

/// A picture that has arrived.
pub(in crate::cli) struct Saved {
    /// Where it is, for a person.
    pub(in crate::cli) place: String,
    /// The file, if it is one.
    pub(in crate::cli) path: Option<String>,
    header: Option<Header>,
    bytes: u64,
}

impl Saved {
    /// `1024x1024`.
    pub(in crate::cli) fn size(&self) -> String {
        let size = |header: Header| format!("{}x{}", header.width, header.height);
        self.header.map(size).unwrap_or_default()
    }

    /// As `--json` prints it; what the picture is comes from its own bytes.
    pub(in crate::cli) fn as_json(&self) -> Value {
        json!({
            "path": self.path,
            "format": self.header.map(|header| header.format.name()),
            "width": self.header.map(|header| header.width),
            "height": self.header.map(|header| header.height),
            "bytes": self.bytes,
        })
    }
}

impl Destination {
    /// Files of this name in a folder, with the ending of what comes; for `compare`.
    pub(in crate::cli) fn named(folder: &Path, name: &str, body: &Value) -> Self {
        let format = body["output_format"].as_str().unwrap_or("png");
        Self::File {
            path: folder.join(format!("{name}.{format}")),
            several: body["n"].as_u64().is_some_and(|n| n > 1),
            overwrite: false,
        }
    }

    /// Checks that it can be written to before anything is paid for.
    pub(in crate::cli) fn of(
        output: Option<&Path>,
        body: &Value,
        json: bool,
        overwrite: bool,
    ) -> Outcome<Self> {
        let n = body["n"].as_u64().unwrap_or(1);
        let several = n > 1;
        match output {
            None => Ok(Self::Folder(PathBuf::from("."))),
            Some(path) if path.as_os_str() == "-" => stdout(several, json),
            Some(path) if path.is_dir() || path.to_string_lossy().ends_with('/') => {
                std::fs::create_dir_all(path).map_err(|error| unwritable(path, &error))?;
                Ok(Self::Folder(path.to_owned()))
            }
            Some(path) => {
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                    return Err(
                        Failure::usage(format!("there is no folder {}", folder.display()))
                            .why(format!("{} is to be written there", path.display()))
                            .fix(format!("mkdir -p {}", folder.display())),
                    );
                }
                let names = |index| {
                    if several {
                        numbered(path, index)
                    } else {
                        path.to_owned()
                    }
                };
                let mut names =
                    (0..n.min(MOST_NAMES)).map(|index| names(u32::try_from(index).unwrap_or(0)));
                if let Some(taken) = names.find(|path| !overwrite && path.exists()) {
                    return Err(exists(&taken));
                }
                Ok(Self::File {
                    path: path.to_owned(),
                    several,
                    overwrite,
                })
            }
        }
    }

    /// Saves one picture as it arrives. A file has its name only when it is whole.
    pub(in crate::cli) async fn save(
        &self,
        blocks: impl Stream<Item = Result<Bytes, String>> + Unpin,
        index: u32,
    ) -> Outcome<Saved> {
        let folder = match self {
            Self::Stdout => return to_stdout(blocks).await,
            Self::Folder(folder) => folder,
            Self::File { path, .. } => path.parent().unwrap_or(Path::new("")),
        };
        let (part, mut saved) = receive(folder, blocks).await?;
        let format = saved.header.map_or("bin", |header| header.format.name());
        let path = match self {
            Self::File {
                path,
                several,
                overwrite,
            } => {
                warn_of_extension(path, format);
                let path = if *several {
                    numbered(path, index)
                } else {
                    path.clone()
                };
                if *overwrite {
                    path
                } else {
                    claim(path).map_err(|error| unwritable(folder, &error))?
                }
            }
            _ => next_free(folder, format).map_err(|error| unwritable(folder, &error))?,
        };
        std::fs::rename(&part.0, &path).map_err(|error| unwritable(&path, &error))?;
        saved.place = path.display().to_string();
        saved.path = Some(saved.place.clone());
        Ok(saved)
    }

    /// Saves a text; returns where it is.
    pub(in crate::cli) fn save_text(&self, text: &str) -> Outcome<String> {
        let path = match self {
            Self::Stdout => return out::print(text).map(|()| "stdout".to_owned()),
            Self::File {
                path,
                overwrite: true,
                ..
            } => path.clone(),
            Self::File { path, .. } => {
                claim(path.clone()).map_err(|error| unwritable(path, &error))?
            }
            Self::Folder(folder) => {
                next_free(folder, "txt").map_err(|error| unwritable(folder, &error))?
            }
        };
        std::fs::write(&path, format!("{text}\n")).map_err(|error| unwritable(&path, &error))?;
        Ok(path.display().to_string())
    }
}

fn stdout(several: bool, json: bool) -> Outcome<Destination> {
    let failure = Failure::usage("stdout cannot take this");
    if json {
        return Err(failure
            .why("`-o -` and `--json` both write to it")
            .fix("use one of them"));
    }
    if several {
        return Err(failure
            .why("it takes one picture and -n asks for several")
            .fix("-o FOLDER/"));
    }
    if std::io::stdout().is_terminal() {
        return Err(failure
            .why("it is a terminal, and a picture's bytes would upset it")
            .fix("-o FILE, or `-o - > FILE`"));
    }
    Ok(Destination::Stdout)
}

async fn to_stdout(
    mut blocks: impl Stream<Item = Result<Bytes, String>> + Unpin,
) -> Outcome<Saved> {
    let (mut probe, mut bytes) = (Probe::default(), 0);
    while let Some(block) = blocks.next().await {
        let block = block.map_err(broken)?;
        probe.feed(&block);
        bytes += block.len() as u64;
        out::bytes(&block)?;
    }
    let (place, header) = ("stdout".to_owned(), probe.header().ok());
    Ok(Saved {
        place,
        path: None,
        header,
        bytes,
    })
}

/// A file under a name of its own until it is whole; what is left of a broken one goes.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It is gone already if it got its final name.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn receive(
    folder: &Path,
    mut blocks: impl Stream<Item = Result<Bytes, String>> + Unpin,
) -> Outcome<(Part, Saved)> {
    let name = format!(".pinhole-{}.part", uuid::Uuid::now_v7().simple());
    let part = Part(folder.join(name));
    let mut file = File::create_new(&part.0).map_err(|error| unwritable(folder, &error))?;
    let (mut probe, mut bytes) = (Probe::default(), 0);
    while let Some(block) = blocks.next().await {
        let block = block.map_err(broken)?;
        probe.feed(&block);
        bytes += block.len() as u64;
        file.write_all(&block)
            .map_err(|error| unwritable(folder, &error))?;
    }
    let (place, header) = (String::new(), probe.header().ok());
    Ok((
        part,
        Saved {
            place,
            path: None,
            header,
            bytes,
        },
    ))
}

fn broken(why: String) -> Failure {
    Failure::failed("a picture broke off").why(why)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    Failure::failed(format!("{} cannot be written to", path.display()))
        .why(error.to_string())
        .fix("name another place with -o")
}

/// `fox.png` is `fox-1.png`, `fox-2.png` … for several.
fn numbered(path: &Path, index: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = format!("{stem}-{}", index.saturating_add(1));
    if let Some(extension) = path.extension() {
        name = format!("{name}.{}", extension.to_string_lossy());
    }
    path.with_file_name(name)
}

/// More pictures than this no model makes at once.
const MOST_NAMES: u64 = 100;

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("{} is there already", path.display()))
        .why("a file is never written over unasked")
        .fix("name another one with -o, or say --overwrite")
}

/// The name, or the next free one after it if somebody took it while the picture was made: it is paid for.
fn claim(path: PathBuf) -> std::io::Result<PathBuf> {
    let mut name = path.clone();
    for index in 1.. {
        match File::create_new(&name) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                name = numbered(&path, index)
            }
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    Ok(name)
}

/// `pinhole-0001.png`, or the number after the highest there is. The name is taken at once, so that two commands do
/// not write one file.
fn next_free(folder: &Path, format: &str) -> std::io::Result<PathBuf> {
    let taken = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        let name = name.to_str()?.strip_prefix("pinhole-")?;
        name.split_once('.')?.0.parse::<u32>().ok()
    };
    let highest = std::fs::read_dir(folder)?
        .filter_map(taken)
        .max()
        .unwrap_or(0);
    let mut number = highest;
    loop {
        number = number.saturating_add(1);
        let path = folder.join(format!("pinhole-{number:04}.{format}"));
        match File::create_new(&path) {
            Ok(_) => return Ok(path),
            Err(error)
                if error.kind() == std::io::ErrorKind::AlreadyExists && number < u32::MAX => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file keeps the name that was asked for; a wrong ending is worth a word.
fn warn_of_extension(path: &Path, format: &str) {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.map(str::to_ascii_lowercase);
    let named = match extension.as_deref() {
        Some("jpg") => "jpeg",
        Some(other) => other,
        None => return,
    };
    if named == format {
        return;
    }
    let hint = match named {
        "png" | "jpeg" | "webp" => format!("; `-p output_format={named}` asks for the other"),
        _ => String::new(),
    };
    out::note(&format!(
        "  Note: {} holds a {format} picture{hint}",
        path.display()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_the_highest_of_any_format() {
        let folder = tempfile::tempdir().expect("a folder");
        let next = |format| {
            next_free(folder.path(), format).map(|path| path.file_name().map(ToOwned::to_owned))
        };
        assert_eq!(next("png").ok().flatten(), Some("pinhole-0001.png".into()));
        assert_eq!(
            next("webp").ok().flatten(),
            Some("pinhole-0002.webp".into())
        );
        std::fs::write(folder.path().join("pinhole-0041.jpeg"), "").expect("written");
        std::fs::write(folder.path().join("pinhole-notes.txt"), "").expect("written");
        assert_eq!(next("png").ok().flatten(), Some("pinhole-0042.png".into()));
    }

    #[test]
    fn several_pictures_share_a_name() {
        assert_eq!(
            numbered(Path::new("a/fox.png"), 1),
            Path::new("a/fox-2.png")
        );
        assert_eq!(numbered(Path::new("fox"), 0), Path::new("fox-1"));
    }
}
