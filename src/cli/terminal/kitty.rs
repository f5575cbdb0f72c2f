//! Kitty's graphics protocol (<https://sw.kovidgoyal.net/kitty/graphics-protocol/>): a PNG in base64, in pieces.

use super::picture::Fitted;
use super::through_tmux;

/// The longest piece that the protocol allows.
const PIECE: usize = 4096;

/// The picture, shown where the cursor is. One with the same number takes the place of an earlier one.
pub(super) fn encode(picture: &Fitted, number: u32, in_tmux: bool) -> Option<Vec<u8>> {
    let text = base64_simd::STANDARD.encode_to_string(picture.png()?);
    let mut pieces = text.as_bytes().chunks(PIECE).peekable();
    let mut bytes = Vec::new();
    let mut first = true;
    while let Some(piece) = pieces.next() {
        let more = u8::from(pieces.peek().is_some());
        let head = if first {
            let (columns, rows) = (picture.columns, picture.rows);
            // C=1: the cursor stays, q=2: no answers, which nobody would read.
            format!("a=T,f=100,i={number},p=1,c={columns},r={rows},C=1,q=2,m={more}")
        } else {
            format!("m={more}")
        };
        first = false;
        let mut sequence = format!("\x1b_G{head};").into_bytes();
        sequence.extend(piece);
        sequence.extend(b"\x1b\\");
        if in_tmux {
            sequence = through_tmux(&sequence);
        }
        bytes.extend(sequence);
    }
    Some(bytes)
}
