//! Base64 with AVX-512 VBMI: 64 characters at a time, at the speed of a copy. The only unsafe code of this crate.
//!
//! A processor either has these instructions or it has not, so [`kernel`] asks it, once, and [`decode::portable`] does
//! the work everywhere else. Two things are unsafe and nothing more: calling a function whose instructions the
//! processor might lack, and loads and stores through pointers. Both are a line each below, with what makes them sound.
//!
//! One lookup says of each character what it is worth or that it is none, so the mask of those that are none is also
//! the search for the closing quote: the text is read once. The table holds both alphabets, as the scanner reads
//! them mixed.
//!
//! [`decode::portable`]: super::decode::portable
#![expect(
    unsafe_code,
    reason = "instructions of one processor cannot be reached otherwise, and a third of the time of a picture was here"
)]

use super::decode::{Class, Kernel, class};
use std::arch::x86_64::*;

/// Characters of one step.
const STEP: usize = 64;

/// What the processor can do, if it can.
pub(super) fn kernel() -> Option<Kernel> {
    let has_it = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi");
    has_it.then_some(decode as Kernel)
}

/// As [`Kernel`] says. Private: it is handed out by [`kernel`] alone.
fn decode(text: &[u8], out: &mut Vec<u8>) -> usize {
    // SAFETY: whoever has this function got it from `kernel`, which has asked the processor for all three features.
    unsafe { decode_steps(text, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn decode_steps(text: &[u8], out: &mut Vec<u8>) -> usize {
    let tables = Tables::load();
    let mut read = 0;
    loop {
        let (characters, there) = load(&text[read..]);
        let values = tables.look_up(characters);
        // What is none of the alphabets, and what lies behind the end.
        let wrong = _mm512_movepi8_mask(_mm512_or_si512(values, characters)) | !there;
        let bytes = tables.pack(values);
        if wrong != 0 {
            let good = wrong.trailing_zeros() as usize & !3;
            append(out, bytes, good / 4 * 3);
            return read + good;
        }
        // How far it goes on does not depend on the mask, so the next step begins before this one has ended.
        append(out, bytes, STEP / 4 * 3);
        read += STEP;
    }
}

/// The next characters, and which of them are there.
#[target_feature(enable = "avx512f,avx512bw")]
fn load(text: &[u8]) -> (__m512i, __mmask64) {
    if text.len() >= STEP {
        // SAFETY: so many bytes are there.
        let characters = unsafe { _mm512_loadu_si512(text.as_ptr().cast()) };
        return (characters, __mmask64::MAX);
    }
    let there = (1 << text.len()) - 1;
    // SAFETY: the mask has a bit for each byte of `text` and for no other, and what is masked out is not read.
    let characters = unsafe { _mm512_maskz_loadu_epi8(there, text.as_ptr().cast()) };
    (characters, there)
}

/// Appends the first `length` bytes, of at most 48.
#[target_feature(enable = "avx512f,avx512bw")]
fn append(out: &mut Vec<u8>, bytes: __m512i, length: usize) {
    assert!(length <= STEP / 4 * 3);
    if out.capacity() - out.len() < length {
        out.reserve(length);
    }
    let has_room = out.capacity() - out.len() >= STEP;
    // SAFETY: there is room for `length` bytes behind those of `out`, which have a value after this. Where there is room
    // for all 64, all are written, because some processors take ten times as long for a store with a mask; elsewhere
    // the mask lets no other be written.
    unsafe {
        let end = out.as_mut_ptr().add(out.len());
        if has_room {
            _mm512_storeu_si512(end.cast(), bytes);
        } else {
            _mm512_mask_storeu_epi8(end.cast(), (1 << length) - 1, bytes);
        }
        out.set_len(out.len() + length);
    }
}

/// What stands in registers for the whole of a text.
struct Tables {
    /// The values of the characters 0 to 63 and 64 to 127; the highest bit says that it is none.
    low: __m512i,
    high: __m512i,
    /// Where each byte of the output stands among the joined values.
    order: __m512i,
}

impl Tables {
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load() -> Self {
        let (low, _) = load(&VALUES[..STEP]);
        let (high, _) = load(&VALUES[STEP..]);
        let (order, _) = load(&ORDER);
        Self { low, high, order }
    }

    /// The value of each character. Characters above 127 are looked up as if they were 128 less.
    #[target_feature(enable = "avx512f,avx512vbmi")]
    fn look_up(&self, characters: __m512i) -> __m512i {
        _mm512_permutex2var_epi8(self.low, characters, self.high)
    }

    /// Four values of 6 bits each become three bytes, which move together at the beginning.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn pack(&self, values: __m512i) -> __m512i {
        let pairs = _mm512_maddubs_epi16(values, _mm512_set1_epi32(0x0140_0140));
        let quads = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0001_1000));
        _mm512_permutexvar_epi8(self.order, quads)
    }
}

const NONE: u8 = 0x80;

const VALUES: [u8; 2 * STEP] = {
    let mut values = [NONE; 2 * STEP];
    let mut character: u8 = 0;
    while (character as usize) < values.len() {
        if let Class::Symbol(symbol) = class(character) {
            values[character as usize] = match symbol {
                b'A'..=b'Z' => symbol - b'A',
                b'a'..=b'z' => symbol - b'a' + 26,
                b'0'..=b'9' => symbol - b'0' + 52,
                b'+' => 62,
                _ => 63,
            };
        }
        character += 1;
    }
    values
};

/// Of each four bytes the lower three, the highest of them first.
const ORDER: [u8; STEP] = {
    let mut order = [0; STEP];
    let mut at: u8 = 0;
    while at < 48 {
        order[at as usize] = at / 3 * 4 + 2 - at % 3;
        at += 1;
    }
    order
};

#[cfg(test)]
mod tests {
    use super::super::decode::portable;
    use super::*;

    /// `None` where the processor lacks the instructions, which the test then says.
    fn fast() -> Option<Kernel> {
        let kernel = kernel();
        if kernel.is_none() {
            eprintln!(
                "this processor has no AVX-512 VBMI: only the portable kernel is tested here"
            );
        }
        kernel
    }

    /// The plain way: both alphabets, quad by quad.
    fn plain(text: &[u8]) -> Vec<u8> {
        let symbol = |byte: &u8| match class(*byte) {
            Class::Symbol(symbol) => Some(symbol),
            _ => None,
        };
        let good: Vec<u8> = text.iter().map_while(symbol).collect();
        let mut out = Vec::new();
        portable(&good[..good.len() / 4 * 4], &mut out);
        out
    }

    fn check(kernel: Kernel, text: &[u8]) {
        let expected = plain(text);
        let mut out = b"before".to_vec();
        let read = kernel(text, &mut out);
        assert_eq!(read, expected.len() / 3 * 4, "{text:?}");
        assert_eq!(&out[6..], expected, "{text:?}");
    }

    #[test]
    fn every_byte_at_every_place_is_read_as_the_plain_way_reads_it() {
        let Some(kernel) = fast() else { return };
        let text: Vec<u8> = (0..150_u8)
            .map(|k| b"ABCDWXYZabcdwxyz0189+/-_"[usize::from(k % 24)])
            .collect();
        for length in 0..=text.len() {
            check(kernel, &text[..length]);
        }
        for at in 0..text.len() {
            for byte in 0..=u8::MAX {
                let mut text = text.clone();
                text[at] = byte;
                check(kernel, &text);
            }
        }
    }
}
