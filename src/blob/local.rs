//! Files of the local disk: written part by part and synced; read block by block.
//!
//! object_store does the same with more hops between threads and more files opened, which was a fifth of the time of a
//! picture. Here a file is begun and finished on the blocking pool, because that waits for the disk. What lies between does
//! not: the system takes what is written into its memory, and what it has in memory is opened and read at once. Where it
//! makes writers wait after all, [`Pace`] sends them to the blocking pool too.

use super::{BlobError, READ_BLOCK_BYTES, Then};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use rustix::io::ReadWriteFlags;
use std::fs::File;
use std::io::{self, IoSliceMut, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// A file that is being written. It has its final name from the beginning: no row names it before all of it is on disk, so
/// nobody can see it half, and what a crash leaves of it is an orphan like any other. Dropping it deletes it.
pub(super) struct Unfinished {
    file: File,
    path: PathBuf,
    is_over: bool,
}

impl Unfinished {
    fn create(path: PathBuf) -> io::Result<Self> {
        let file = match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_folders(folder_of(&path))?;
                File::create_new(&path)?
            }
            other => other?,
        };
        Ok(Self {
            file,
            path,
            is_over: false,
        })
    }

    /// Syncs it, then the folder that holds its name.
    fn finish(mut self) -> io::Result<()> {
        self.file.sync_data()?;
        sync_folder(folder_of(&self.path))?;
        // A clock that was set forward by a day makes it an orphan in the collector's eyes.
        if self.file.metadata()?.nlink() == 0 {
            return Err(io::Error::other("it was deleted while it was written"));
        }
        self.is_over = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // What cannot be deleted is found by the collector.
        let path = std::mem::take(&mut self.path);
        let delete = move || drop(std::fs::remove_file(path));
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(delete)),
            Err(_) => delete(),
        }
    }
}

/// Whether the system takes what is written without making the writer wait. It does, until more is written by all programs
/// than the disk can take.
pub(super) struct Pace {
    started: Instant,
    /// In milliseconds after `started`.
    slow_until: AtomicU64,
}

/// A write into memory takes a tenth of a millisecond. One that took this long was made to wait.
const A_WAIT: Duration = Duration::from_millis(20);

/// How long nobody tries again after a wait.
const AFTER_A_WAIT: Duration = Duration::from_secs(1);

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            slow_until: AtomicU64::new(0),
        }
    }

    fn keeps_up(&self) -> bool {
        millis(self.started.elapsed()) >= self.slow_until.load(Ordering::Relaxed)
    }

    fn note(&self, took: Duration) {
        if took >= A_WAIT {
            let until = self.started.elapsed() + AFTER_A_WAIT;
            self.slow_until.store(millis(until), Ordering::Relaxed);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn folder_of(name: &Path) -> &Path {
    name.parent().unwrap_or(name)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Creates what is missing of a folder's path, and syncs each folder that holds a new name.
fn create_folders(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_folders(folder_of(folder))?;
            std::fs::create_dir(folder)?;
        }
        other => other?,
    }
    sync_folder(folder_of(folder))
}

/// Writes the next part; without a file it is the first one.
pub(super) async fn write(
    file: Option<Unfinished>,
    name: PathBuf,
    part: Bytes,
    pace: &Pace,
) -> Result<Unfinished, BlobError> {
    if file.is_some() && pace.keeps_up() {
        let began = Instant::now();
        let file = append(file, name, &part)?;
        pace.note(began.elapsed());
        return Ok(file);
    }
    let (file, _part) = blocking(move || {
        let file = append(file, name, &part)?;
        // The part is freed on the thread that made it: memory that others free stays with a thread for longer.
        Ok((file, part))
    })
    .await?;
    Ok(file)
}

/// Writes the last part and finishes the file. `made` is what the caller makes of it: it is handed back, or dropped with
/// the file under its name if nobody waits any more.
pub(super) async fn finish<T: Send + 'static>(
    file: Option<Unfinished>,
    name: PathBuf,
    last: Bytes,
    made: T,
) -> Result<T, BlobError> {
    let (made, _last) = blocking(move || {
        append(file, name, &last)?.finish()?;
        Ok((made, last))
    })
    .await?;
    Ok(made)
}

fn append(file: Option<Unfinished>, name: PathBuf, part: &[u8]) -> io::Result<Unfinished> {
    let file = match file {
        Some(file) => file,
        None => Unfinished::create(name)?,
    };
    (&file.file).write_all(part)?;
    Ok(file)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BlobError> {
    let done = spawn_blocking(work).await;
    let done = done.map_err(|error| BlobError::Backend(error.to_string()))?;
    Ok(done?)
}

/// Opens a file and reads this range of it, block by block.
pub(super) async fn read(
    name: PathBuf,
    range: Range<u64>,
    then: Then,
) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
    let file = match open_cached(&name) {
        Some(file) => file,
        None => blocking(move || File::open(name)).await?,
    };
    let reading = Reading {
        file: Arc::new(file),
        range,
        then,
    };
    Ok(futures::stream::try_unfold(reading, Reading::next).boxed())
}

struct Reading {
    file: Arc<File>,
    /// What is left.
    range: Range<u64>,
    then: Then,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BlobError> {
        let left = self.range.end.saturating_sub(self.range.start);
        if left == 0 {
            if self.then == Then::Forget {
                forget(&self.file);
            }
            return Ok(None);
        }
        let length = left.min(READ_BLOCK_BYTES as u64);
        let at = self.range.start;
        // Not kept from block to block: a reader that waits for its client holds none. It is allocated here also if
        // another thread reads: memory that one thread allocates and another frees stays with a thread for longer.
        let mut block = vec![0; usize::try_from(length).unwrap_or(READ_BLOCK_BYTES)];
        let read = read_cached(&self.file, &mut block, at);
        if read < block.len() {
            let file = Arc::clone(&self.file);
            block = blocking(move || {
                file.read_exact_at(&mut block[read..], at + read as u64)?;
                Ok(block)
            })
            .await?;
        }
        self.range.start += length;
        Ok(Some((block.into(), self)))
    }
}

/// Gives the memory that holds a file's bytes back to the system, for the next file: what is written into memory that was
/// in use a moment ago costs a fifth of what memory does that lay idle (`bench/RESULTS.md`). A hint that may fail.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn forget(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn forget(_file: &File) {}

/// Opens a file whose name the system has in memory: that of a picture that was just written.
#[cfg(target_os = "linux")]
fn open_cached(name: &Path) -> Option<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = openat2(CWD, name, flags, Mode::empty(), ResolveFlags::CACHED);
    opened.ok().map(File::from)
}

#[cfg(not(target_os = "linux"))]
fn open_cached(_name: &Path) -> Option<File> {
    None
}

/// Reads what the system has in memory, and says how much that was: nothing where it cannot be asked so.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, buffer: &mut [u8], at: u64) -> usize {
    rustix::io::preadv2(
        file,
        &mut [IoSliceMut::new(buffer)],
        at,
        ReadWriteFlags::NOWAIT,
    )
    .unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_file: &File, _buffer: &mut [u8], _at: u64) -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_was_made_to_wait_sends_the_next_ones_to_the_blocking_pool() {
        let pace = Pace::new();
        pace.note(A_WAIT - Duration::from_millis(1));
        assert!(pace.keeps_up());
        pace.note(A_WAIT);
        assert!(!pace.keeps_up());
        pace.slow_until.store(0, Ordering::Relaxed);
        assert!(pace.keeps_up(), "it tries again later");
    }

    #[tokio::test]
    async fn parts_reach_the_file_in_order_however_they_are_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let name = folder.path().join("ab/blob");
        let pace = Pace::new();
        let mut file = None;
        for part in 0..6_u8 {
            let until = if part % 2 == 0 { 0 } else { u64::MAX };
            pace.slow_until.store(until, Ordering::Relaxed);
            let part = Bytes::from(vec![part; 1000]);
            let written = write(file.take(), name.clone(), part, &pace).await;
            file = Some(written.expect("room"));
        }
        let last = Bytes::from_static(b"end");
        let made = finish(file, name.clone(), last, ()).await;
        made.expect("it is synced");
        let expected: Vec<u8> = (0..6_u8).flat_map(|part| vec![part; 1000]).collect();
        let found = std::fs::read(&name).expect("it is there");
        assert_eq!(found, [&expected[..], b"end"].concat());
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_not_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let opened = read(folder.path().join("none"), 0..10, Then::Keep).await;
        assert!(matches!(opened.err(), Some(BlobError::NotFound)));
    }
}
