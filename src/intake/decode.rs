//! Base64 text to bytes. Knows no JSON and no field: the scanner hands it runs of text.

use base64_simd::{Base64, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memchr2;

/// Decodes whole quads of the standard alphabet from the beginning of `text`, behind what stands in `out`, and says
/// how many characters it took.
///
/// It must stop at a quote and at a backslash. At anything else that is not in the alphabet it may stop, or take
/// nothing at all: the scanner then reads on character by character, and without the kernel if need be. It may take the
/// other alphabet for what it means. [`portable`] is what a kernel for one processor is measured and fuzzed against.
pub type Kernel = fn(text: &[u8], out: &mut Vec<u8>) -> usize;

/// The fastest kernel of this processor.
pub fn fastest() -> Kernel {
    own().unwrap_or(portable)
}

/// The kernel of this sort of processor, if it has the instructions.
#[cfg(target_arch = "x86_64")]
pub fn own() -> Option<Kernel> {
    super::vbmi::kernel()
}

/// The kernel of this sort of processor: there is none.
#[cfg(not(target_arch = "x86_64"))]
pub fn own() -> Option<Kernel> {
    None
}

/// The kernel for every processor: one search for the end, then base64-simd, which picks its instructions at run time.
pub fn portable(text: &[u8], out: &mut Vec<u8>) -> usize {
    run(&STANDARD_NO_PAD, text, out)
}

/// The same for the URL-safe alphabet.
pub(super) fn url_safe(text: &[u8], out: &mut Vec<u8>) -> usize {
    run(&URL_SAFE_NO_PAD, text, out)
}

fn run(alphabet: &Base64, text: &[u8], out: &mut Vec<u8>) -> usize {
    let mut end = run_length(text);
    // The padding that ends a text would spoil the whole run.
    while end > 0 && text[end - 1] == b'=' {
        end -= 1;
    }
    let quads = &text[..end & !3];
    match alphabet.decode_append(quads, out) {
        Ok(()) => quads.len(),
        Err(_) => 0,
    }
}

/// How much stands before the next quote or backslash.
pub(super) fn run_length(text: &[u8]) -> usize {
    memchr2(b'"', b'\\', text).unwrap_or(text.len())
}

/// Decodes what is left when the quads are done: no, two or three characters. `false` if the bits behind the last
/// byte are not zero, which no encoder writes: the text was cut off.
pub(super) fn tail(text: &[u8], out: &mut Vec<u8>) -> bool {
    STANDARD_NO_PAD.decode_append(text, out).is_ok()
}

/// What a byte is to base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A character of either alphabet, in the standard one.
    Symbol(u8),
    /// White space, which is passed over.
    Space,
    /// `=`.
    Pad,
    /// Anything else.
    Other,
}

/// Both alphabets are read, even mixed: what counts is the bytes.
pub(super) const fn class(byte: u8) -> Class {
    // A table, because no processor can guess the branches of random text.
    CLASSES[byte as usize]
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = class_of(byte);
        byte += 1;
    }
    classes
};

const fn class_of(byte: u8) -> Class {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => Class::Symbol(byte),
        b'-' => Class::Symbol(b'+'),
        b'_' => Class::Symbol(b'/'),
        b' ' | b'\n' | b'\r' | b'\t' | b'\x0c' => Class::Space,
        b'=' => Class::Pad,
        _ => Class::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_kernel_stops_where_it_must() {
        let check = |text: &str, took: usize, bytes: &[u8]| {
            let mut out = b"before".to_vec();
            assert_eq!(portable(text.as_bytes(), &mut out), took, "{text}");
            assert_eq!(&out[6..], bytes, "{text}");
        };
        check("", 0, b"");
        check("aGV", 0, b"");
        check("aGVs", 4, b"hel");
        check("aGVsbG8=", 4, b"hel");
        check("aGVsbG8=\"", 4, b"hel");
        check("aA==", 0, b"");
        check("aGVs\"bG8=", 4, b"hel");
        check("aGVs\\nbG8=", 4, b"hel");
        check("aGVsbG8 aGVs", 0, b"");
        check("aGVs-_-_", 0, b"");
    }
}
