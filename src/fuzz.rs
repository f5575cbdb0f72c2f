//! What must hold for any bytes, as plain functions: one for each thing that reads what others wrote. `cargo fuzz` runs
//! them (`fuzz/`), and so do the tests, on mutations of the same seeds (`fuzz/corpus/`). Compiled for those two alone.
//!
//! A function returns or panics. Beside "it does not panic" each holds what it reads against a plainer way to read it,
//! against the same bytes in other pieces, or against itself: what was accepted is accepted again and means the same.

use crate::blob::Blobs;
use crate::catalogue::Catalogue;
use crate::catalogue::fuzz::check_call;
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::error::{Error, Fault, Kind, shown_place};
use crate::intake;
use crate::intake::fuzz::Doc;
use crate::provider::sketch::directive::{MAX_DELAY, split};
use crate::types::{AccountId, AssetId, KeyId, RequestId, Secret, TaskId};
use bytes::Bytes;
use futures::stream;
use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Something that reads bytes.
pub struct Target {
    /// Its name, that of its file in `fuzz/fuzz_targets/` and of its seeds in `fuzz/corpus/`.
    pub name: &'static str,
    /// Reads one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("json", intake::fuzz::json),
    target("events", intake::fuzz::events),
    target("form", intake::fuzz::form),
    target("picture", intake::fuzz::picture),
    target("object", crate::dialect::fuzz::object),
    target("body", body),
    target("headers", crate::api::fuzz::headers),
    target("names", names),
    target("numbers", crate::catalogue::fuzz::numbers),
    target("model_file", crate::catalogue::fuzz::model_file),
    target("settings", crate::config::fuzz::settings),
    target("directive", directive),
    target("place", crate::fetch::fuzz::place),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// Runs the target of this name, for the files of `fuzz/fuzz_targets/`.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a name of the table").run)(bytes);
}

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::embedded().unwrap_or_else(|problems| panic!("{problems}")));

/// A body of any shape on its whole way to a request, for every model; the first byte says how it is cut. Every fault
/// points at a place that the body has, or names a parameter that it lacks.
fn body(bytes: &[u8]) {
    let Some((how, body)) = bytes.split_first() else {
        return;
    };
    let chunks: Vec<_> = intake::fuzz::pieces(*how, body)
        .into_iter()
        .map(|piece| Ok::<_, String>(Bytes::copy_from_slice(piece)))
        .collect();
    Folder::with(async |blobs| {
        let fields = crate::api::fuzz::IMAGE_FIELDS;
        let intake = match intake::read_json(stream::iter(chunks), &blobs, fields).await {
            Ok(intake) => intake,
            Err(error) => return told(&error),
        };
        let draft = match Flat.decode(&intake) {
            Ok(draft) => draft,
            Err(error) => {
                told(&error);
                // Where a body is no JSON it has no places.
                if let Ok(tree) = serde_json::from_slice(&intake.skeleton) {
                    expect_places(&tree, &error.faults);
                }
                return;
            }
        };
        let tree = serde_json::from_slice(&intake.skeleton).expect("what is decoded is JSON");
        for model in CATALOGUE.models() {
            if let Some(faults) = check_call(model, &draft) {
                expect_places(&tree, &faults);
                told(&Error::faults(faults));
            }
        }
    });
}

/// A refusal is the client's, and short enough to read.
fn told(error: &Error) {
    let mine = [Kind::InvalidBody, Kind::InvalidParameter, Kind::TooLarge];
    assert!(mine.contains(&error.kind), "{error:?}");
    let messages = error.faults.iter().map(|fault| &fault.message);
    for message in messages.chain([&error.message]) {
        assert!(
            !message.is_empty() && message.chars().count() < 700,
            "{message}"
        );
    }
}

/// Every fault is at a place of the document, shown as places are, or names what is missing.
fn expect_places(tree: &Doc, faults: &[Fault]) {
    let mut places = HashSet::new();
    gather_places(tree, String::new(), &mut places);
    for fault in faults {
        let is_absent = fault.param.is_empty() || fault.code == "missing_parameter";
        assert!(
            is_absent || places.contains(&fault.param),
            "{fault:?} is in none of {places:?}"
        );
    }
}

fn gather_places(value: &Doc, path: String, places: &mut HashSet<String>) {
    match value {
        Doc::Object(entries) => {
            for (key, value) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                gather_places(value, format!("{path}{dot}{key}"), places);
            }
        }
        Doc::List(items) => {
            for (index, value) in items.iter().enumerate() {
                gather_places(value, format!("{path}[{index}]"), places);
            }
        }
        _ => {}
    }
    places.insert(shown_place(&path));
}

/// Keys and ids: what reads back is what was there, and one kind is never taken for another.
fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Some(secret) = Secret::parse(text) {
        assert_eq!(secret.reveal(), text);
        let start = text.rfind('-').map_or(0, |dash| dash + 1);
        assert_eq!(text.len(), start + 38);
    }
    let ids = [
        TaskId::parse(text).map(|id| id.to_string()),
        AccountId::parse(text).map(|id| id.to_string()),
        KeyId::parse(text).map(|id| id.to_string()),
        RequestId::parse(text).map(|id| id.to_string()),
        AssetId::parse(text).map(|id| id.to_string()),
    ];
    let read: Vec<_> = ids.into_iter().flatten().collect();
    assert!(read.len() <= 1 && read.iter().all(|id| id == text));
}

/// A prompt: a text without directives comes back as it was, one with them comes back without.
fn directive(bytes: &[u8]) {
    let Ok(prompt) = std::str::from_utf8(bytes) else {
        return;
    };
    match split(prompt) {
        Ok((text, asked)) => {
            assert!(text.len() <= prompt.len());
            assert!(prompt.contains("[pinhole:") || text == prompt);
            assert!(asked.delay.is_none_or(|delay| delay <= MAX_DELAY));
            assert!(
                asked
                    .partial
                    .is_none_or(|(some, all)| some <= all && all > 0)
            );
        }
        Err(error) => assert!(prompt.contains("[pinhole:") && error.to_string().len() < 600),
    }
}

/// A blob store in a folder of its own, for one input.
pub(crate) struct Folder;

impl Folder {
    /// Runs this on a store, then waits until nothing is left in it: what a reader drops is deleted by a task.
    pub(crate) fn with<T>(run: impl AsyncFnOnce(Blobs) -> T) -> T {
        let folder = TempDir::new().expect("room for a folder");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let blobs = Blobs::local(folder.path()).expect("a store");
            let result = run(blobs.clone()).await;
            let started = Instant::now();
            while holds_files(folder.path()) {
                assert!(
                    started.elapsed() < Duration::from_secs(20),
                    "files are left behind"
                );
                tokio::task::spawn_blocking(|| {}).await.expect("a thread");
            }
            result
        })
    }
}

fn holds_files(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .any(|path| !path.is_dir() || holds_files(&path))
}

#[cfg(test)]
mod tests;
