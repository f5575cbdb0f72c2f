//! `pinhole backup`: the rows as they are at one moment, the pictures that they need, and the first test key; read again
//! and compared before it counts. A server may run meanwhile.
//!
//! A backup is a folder or a tar file with the same entries: `pinhole.db`, `blobs/…`, `test-key`, and `backup.json`, which
//! comes last and says what there is: what has none is not whole.
//!
//! The folder stays as it is, also one of an older version, which its own server may be running on: the rows are then copied
//! as they are, and only a second copy is brought up to date to be looked at.

mod archive;
pub(super) mod restore;

use super::failure::{Failure, Outcome};
use super::place::Place;
use super::{block_on, out};
use crate::blob::{BlobError, Blobs};
use crate::store::sqlite::{SqliteStore, backup as rows};
use crate::store::{NeededBlob, StoreError};
use archive::Writing;
use clap::Args;
use futures::TryStreamExt;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The names of what is beside the blobs.
const ROWS: &str = "pinhole.db";
const TEST_KEY: &str = "test-key";
const MANIFEST: &str = "backup.json";

/// The layout; a program that does not know a number refuses it.
const FORMAT: u64 = 1;

#[derive(Args)]
pub(super) struct Backup {
    /// A new folder, or a new file whose name ends in .tar
    #[arg(value_name = "PATH")]
    to: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a backup holds.
struct Kept {
    blobs: u64,
    bytes: u64,
    /// What rows name and nobody has, with the reason.
    missing: Vec<String>,
    /// What is wrong with the books.
    books: Vec<String>,
}

impl Backup {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        // A folder without rows is mistyped.
        let data = place.used()?;
        let kept = block_on(self.make(&data))?;
        self.tell(&kept)?;
        if !kept.missing.is_empty() {
            let failure = Failure::failed("the backup is whole, but the data folder is not");
            let faults = kept
                .missing
                .iter()
                .take(20)
                .chain(kept.books.iter().take(20));
            return Err(faults.fold(failure, |failure, fault| failure.why(fault)).fix(
                "look for them in an earlier backup; a result is kept there under the same name",
            ));
        }
        in_order(
            "the backup is whole, but its books are not in order",
            &kept.books,
        )
    }

    async fn make(&self, data: &Path) -> Outcome<Kept> {
        let mut writing = Writing::begin(&self.to)?;
        let copy = writing.beside(ROWS);
        rows::copy(&data.join(ROWS), &copy).map_err(|error| {
            Failure::failed("the rows could not be copied").why(error.to_string())
        })?;
        let looked = check_rows(&copy, &writing.beside("looked-at"))?;
        writing.add_file(ROWS, &copy)?;
        let blobs = Blobs::local(data).map_err(|error| unreadable("the pictures", &error))?;
        let mut kept = Kept {
            blobs: 0,
            bytes: 0,
            missing: Vec::new(),
            books: looked.audit.findings,
        };
        for blob in &looked.blobs {
            match add_blob(&mut writing, &blobs, blob).await? {
                Ok(bytes) => {
                    kept.blobs += 1;
                    kept.bytes += bytes;
                }
                Err(why) => kept.missing.push(format!("{}: {why}", blob.key.as_str())),
            }
        }
        forgive(data, &mut kept, &writing.beside("looked-at-again"))?;
        if data.join(TEST_KEY).is_file() {
            writing.add_file(TEST_KEY, &data.join(TEST_KEY))?;
        }
        writing.add_bytes(MANIFEST, manifest(&kept).to_string().as_bytes())?;
        writing.finish()?;
        Ok(kept)
    }

    fn tell(&self, kept: &Kept) -> Outcome {
        let path = self.to.display().to_string();
        if self.json {
            return out::json(&json!({
                "path": path, "verified": true, "blobs": kept.blobs, "bytes": kept.bytes, "missing": kept.missing,
                "books": kept.books,
            }));
        }
        out::print(&path)?;
        out::note(&format!(
            "  {}, {:.1} MiB, and the rows: read again and the same.\n  Next:  pinhole restore {path} --data NEW-FOLDER",
            out::count(kept.blobs, "picture"),
            kept.bytes as f64 / f64::from(1 << 20),
        ));
        Ok(())
    }
}

/// What has expired since the rows were copied is missed by nobody.
fn forgive(data: &Path, kept: &mut Kept, scratch: &Path) -> Outcome {
    if kept.missing.is_empty() {
        return Ok(());
    }
    let now = look(&data.join(ROWS), scratch)?.blobs;
    kept.missing
        .retain(|told| now.iter().any(|blob| told.starts_with(blob.key.as_str())));
    Ok(())
}

/// Looks at rows as they are, or at a copy in `scratch` that is brought up to date, if they are of an older version.
fn look(path: &Path, scratch: &Path) -> crate::store::Result<rows::Looked> {
    let (version, newest) = (rows::version(path)?, rows::schema_version());
    if version > newest {
        return Err(StoreError::Backend(format!(
            "they are of version {version} and this program knows versions up to {newest}: a newer Pinhole has used \
             them, run that one"
        )));
    }
    if version == newest {
        return rows::look(path);
    }
    rows::copy(path, scratch)?;
    drop(SqliteStore::open(scratch)?);
    rows::look(scratch)
}

/// Rows whose pages or references are damaged are no backup. Books that are not in order are: they are all there is.
fn check_rows(path: &Path, scratch: &Path) -> Outcome<rows::Looked> {
    let looked = look(path, scratch)
        .map_err(|error| Failure::failed("the rows cannot be read").why(error.to_string()))?;
    if looked.faults.is_empty() {
        return Ok(looked);
    }
    let failure = Failure::failed("the rows are damaged");
    Err((looked.faults.iter().take(20))
        .fold(failure, |failure, fault| failure.why(fault))
        .fix("keep the data folder as it is and restore an earlier backup into another one"))
}

/// Says what is wrong with the books, after everything is done.
fn in_order(what: &str, books: &[String]) -> Outcome {
    if books.is_empty() {
        return Ok(());
    }
    let failure = Failure::failed(what);
    Err((books.iter().take(20))
        .fold(failure, |failure, finding| failure.why(finding))
        .fix("`pinhole ledger check` lists all; compare with an earlier backup"))
}

/// Copies a blob; an inner error is one of this blob alone.
async fn add_blob(
    writing: &mut Writing,
    blobs: &Blobs,
    blob: &NeededBlob,
) -> Outcome<Result<u64, String>> {
    let name = blob.key.as_str();
    let blocks = match blobs.read_all(&blob.key).await {
        Ok(blocks) => blocks,
        Err(BlobError::NotFound) => return Ok(Err("it is not there".to_owned())),
        Err(error) => return Err(unreadable(name, &error)),
    };
    let staged = writing.beside("blob");
    let (bytes, hash) = copy(blocks, &staged).await?;
    if blob.hash.as_ref().is_some_and(|noted| *noted != hash) {
        return Ok(Err("its bytes are not those that were stored".to_owned()));
    }
    writing.add_file(name, &staged)?;
    Ok(Ok(bytes))
}

/// Writes blocks to a file; returns how many bytes, and their hash.
async fn copy(
    mut blocks: impl futures::Stream<Item = Result<bytes::Bytes, BlobError>> + Unpin,
    to: &Path,
) -> Outcome<(u64, String)> {
    use std::io::Write;
    let mut file = std::fs::File::create(to).map_err(|error| archive::unwritable(to, &error))?;
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    while let Some(block) = blocks
        .try_next()
        .await
        .map_err(|error| unreadable("a picture", &error))?
    {
        hasher.update(&block);
        bytes += block.len() as u64;
        file.write_all(&block)
            .map_err(|error| archive::unwritable(to, &error))?;
    }
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

fn unreadable(what: &str, error: &BlobError) -> Failure {
    Failure::failed(format!("{what} cannot be read")).why(error.to_string())
}

fn manifest(kept: &Kept) -> Value {
    json!({
        "format": FORMAT,
        "pinhole": env!("CARGO_PKG_VERSION"),
        "created_at": out::timestamp(super::place::now()),
        "blobs": kept.blobs,
        "bytes": kept.bytes,
        "missing": kept.missing,
    })
}
