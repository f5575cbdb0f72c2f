//! What must hold of the readers, whatever bytes they get. Each function takes one input of a fuzzer and panics if
//! something does not hold; `crate::fuzz` lists them.

mod events;
mod forms;
pub(crate) mod json;
mod pictures;

pub(crate) use events::events;
pub(crate) use forms::form;
pub(crate) use json::{Doc, json};
pub(crate) use pictures::picture;

/// How many bytes each piece of an input has, as one byte says: the same in all, 1 to 63, or one piece.
fn lengths(how: u8, length: usize) -> Vec<usize> {
    match usize::from(how % 64) {
        0 => Vec::new(),
        piece => vec![piece; length / piece],
    }
}

/// An input cut in pieces of these lengths; the last one is what is left.
pub(crate) fn pieces(how: u8, bytes: &[u8]) -> Vec<&[u8]> {
    match usize::from(how % 64) {
        0 => vec![bytes],
        piece => bytes.chunks(piece).collect(),
    }
}
