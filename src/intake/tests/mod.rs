//! What all tests of the intake share.

mod differential;
mod events;
mod forms;
mod hostile;

use crate::blob::Blobs;
use bytes::Bytes;
use futures::{Stream, stream};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A PNG's first bytes, enough for the probe, followed by `length` bytes of filling.
fn png(width: u32, length: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(480_u32.to_be_bytes());
    bytes.extend((0..length).map(|k| u8::try_from(k * k % 251).expect("below 251")));
    bytes
}

fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

fn body(bytes: &[u8], chunk: usize) -> impl Stream<Item = Result<Bytes, String>> + Unpin + use<> {
    let chunks: Vec<_> = bytes
        .chunks(chunk)
        .map(|part| Ok(Bytes::copy_from_slice(part)))
        .collect();
    stream::iter(chunks)
}

fn store() -> (TempDir, Blobs) {
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::local(folder.path()).expect("a store");
    (folder, blobs)
}

/// Waits until nothing is left in the folder of a store: what is dropped is deleted by a task.
async fn expect_nothing_left(folder: &TempDir, after: &str) {
    for _ in 0..400 {
        if files_below(folder.path()) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!(
        "{} files are left after {after}",
        files_below(folder.path())
    );
}

fn files_below(folder: &Path) -> usize {
    // A folder may vanish between two looks at it.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
        .sum()
}
