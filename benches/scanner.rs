//! How fast base64 is taken out of JSON: `cargo bench --bench scanner`.
//!
//! One picture of 6 MiB (8 MiB of base64) in a reply of OpenAI's shape, in chunks of 16 KiB, on one core. The figures
//! are GB of base64 text a second, the best and the median of many runs; how far they lie apart is the machine's noise.
//! Each kernel that this processor has is measured; what is stored is stored with the fastest.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use bytes::Bytes;
use pinhole::blob::Blobs;
use pinhole::intake::decode::{Kernel, own, portable};
use pinhole::intake::scanner::{Scanner, Step};
use pinhole::intake::{Fields, Limits, read};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PICTURE_BYTES: usize = 6 * 1024 * 1024;
const CHUNK_BYTES: usize = 16 * 1024;
const FIELDS: Fields = Fields(&["b64_json"]);

fn main() {
    let text = base64_simd::STANDARD.encode_to_string(picture());
    println!("{:34} {:>8} {:>8}", "GB/s of base64 text", "best", "median");
    let body = document(&text);
    run("memcpy", &body, 101, <[u8]>::to_vec);
    kernel("portable", portable, &text);
    match own() {
        Some(own) => kernel("AVX-512 VBMI", own, &text),
        None => println!("this processor has no kernel of its own"),
    }
    store("into the blob store, with fsync", &body);
}

fn kernel(name: &str, kernel: Kernel, text: &str) {
    println!("-- {name}");
    let body = document(text);
    let hash = |body: &[u8]| hash(kernel, body);
    assert_eq!(
        hash(&body),
        blake3::hash(&picture()),
        "the picture comes out whole"
    );
    run("scan and decode", &body, 101, |body| {
        scan(kernel, body, |_| {});
    });
    run("scan, decode, blake3", &body, 101, hash);
    let slashes = document(&text.replace('/', "\\/"));
    run("the same, every `/` as `\\/`", &slashes, 41, hash);
    let lines = text.as_bytes().chunks(76).map(String::from_utf8_lossy);
    let lines = document(&lines.collect::<Vec<_>>().join("\\n"));
    run("the same, in lines of 76", &lines, 41, hash);
    let safe = document(&text.replace('+', "-").replace('/', "_"));
    run("the same, URL-safe alphabet", &safe, 41, hash);
    let mixed = text.as_bytes().chunks(76).map(String::from_utf8_lossy);
    let mixed = mixed.collect::<Vec<_>>().join(" ");
    let mixed = document(&format!("data:image/png;base64,{mixed}"));
    run("the same, spaces in it", &mixed, 41, hash);
}

/// A PNG's first bytes, and noise.
fn picture() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\0\0\0\x04\0".to_vec();
    let mut hasher = blake3::Hasher::new();
    bytes.resize(PICTURE_BYTES, 0);
    hasher
        .update(b"noise")
        .finalize_xof()
        .fill(&mut bytes[24..]);
    bytes
}

fn document(text: &str) -> Vec<u8> {
    format!(r#"{{"created":1,"data":[{{"b64_json":"{text}"}}],"usage":{{"total_tokens":0}}}}"#)
        .into_bytes()
}

fn hash(kernel: Kernel, body: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    scan(kernel, body, |block| {
        hasher.update(block);
    });
    hasher.finalize()
}

fn scan(kernel: Kernel, body: &[u8], mut sink: impl FnMut(&[u8])) {
    let mut scanner = Scanner::with_kernel(FIELDS, Limits::CLIENT, kernel);
    for mut chunk in body.chunks(CHUNK_BYTES) {
        while let Some(step) = scanner.step(&mut chunk).expect("base64") {
            if let Step::Block(block) = step {
                sink(&block);
            }
        }
    }
    black_box(scanner.finish().expect("whole"));
}

fn run<T>(name: &str, body: &[u8], rounds: usize, mut work: impl FnMut(&[u8]) -> T) {
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        black_box(work(black_box(body)));
        start.elapsed()
    });
    report(name, body, times.collect());
}

fn report(name: &str, body: &[u8], mut times: Vec<Duration>) {
    times.sort();
    let speed = |time: Duration| body.len() as f64 / time.as_secs_f64() / 1e9;
    println!(
        "{name:34} {:8.2} {:8.2}",
        speed(times[0]),
        speed(times[times.len() / 2])
    );
}

fn store(name: &str, body: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let times = runtime.block_on(async {
        let blobs = Blobs::local(folder.path()).expect("a store");
        let body = Bytes::copy_from_slice(body);
        let mut times = Vec::new();
        for _ in 0..41 {
            let starts = (0..body.len()).step_by(CHUNK_BYTES);
            let chunks = starts.map(|at| {
                let end = body.len().min(at + CHUNK_BYTES);
                Ok::<_, String>(body.slice(at..end))
            });
            let chunks = futures::stream::iter(chunks.collect::<Vec<_>>());
            let start = Instant::now();
            let intake = read(chunks, &blobs, FIELDS, Limits::CLIENT)
                .await
                .expect("well-formed");
            times.push(start.elapsed());
            drop(intake);
        }
        times
    });
    report(name, body, times);
}
