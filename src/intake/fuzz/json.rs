//! The scanner against the plain way: parse the whole document, then decode the strings at the listed fields.

use super::lengths;
use crate::intake::Fields;
use crate::intake::decode::{Kernel, own, portable};
use crate::intake::scanner::{BLOCK_BYTES, Limits, MIN_BARE_CHARACTERS, ScanError, Scanner, Step};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

pub(in crate::intake) const FIELDS: Fields =
    Fields(&["image", "b64_json", "image_url.url", "$.top"]);

/// Every kernel that this processor has, and one that stops elsewhere.
pub(in crate::intake) fn kernels() -> impl Iterator<Item = (&'static str, Kernel)> {
    let own = own().map(|kernel| ("own", kernel));
    [("portable", portable as Kernel), ("exact", exact)]
        .into_iter()
        .chain(own)
}

/// A document that keeps the order of keys, and keys that stand twice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Doc {
    Object(Vec<(String, Doc)>),
    List(Vec<Doc>),
    Text(String),
    Other(String),
    /// A string that was taken out.
    Blob(Vec<u8>),
}

impl<'de> Deserialize<'de> for Doc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Doc;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Doc, E> {
                Ok(Doc::Other(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Doc, E> {
                Ok(Doc::Other(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Doc, E> {
                Ok(Doc::Other(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Doc, E> {
                Ok(Doc::Other(value.to_string()))
            }
            fn visit_unit<E>(self) -> Result<Doc, E> {
                Ok(Doc::Other("null".to_owned()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Doc, E> {
                Ok(Doc::Text(text.to_owned()))
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Doc, S::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Doc::List(list))
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Doc, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Doc::Object(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The plain way. `None` if the document is refused.
fn parse_then_decode(bytes: &[u8]) -> Option<Doc> {
    let doc = serde_json::from_slice(bytes).ok()?;
    decode(doc, &mut Vec::new())
}

fn decode(doc: Doc, keys: &mut Vec<String>) -> Option<Doc> {
    Some(match doc {
        Doc::Object(entries) => {
            let mut out = Vec::new();
            for (key, value) in entries {
                keys.push(key.clone());
                out.push((key, decode(value, keys)?));
                keys.pop();
            }
            Doc::Object(out)
        }
        Doc::List(list) => Doc::List(
            list.into_iter()
                .map(|item| decode(item, keys))
                .collect::<Option<_>>()?,
        ),
        Doc::Text(text) if is_listed(keys) => match payload(&text) {
            Some(payload) => Doc::Blob(plain_base64(payload)?),
            None => Doc::Text(text),
        },
        other => other,
    })
}

fn is_listed(keys: &[String]) -> bool {
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    matches!(
        keys[..],
        [.., "image"] | [.., "b64_json"] | [.., "image_url", "url"] | ["top"]
    )
}

/// The part of a string that must be base64, if it is to be taken.
fn payload(text: &str) -> Option<&str> {
    let is_data = text
        .get(..5)
        .is_some_and(|it| it.eq_ignore_ascii_case("data:"));
    if is_data {
        let comma = text.find(',').filter(|&comma| comma < 256)?;
        let head = text[..comma].to_ascii_lowercase();
        return (head.is_ascii() && head.ends_with(";base64")).then(|| &text[comma + 1..]);
    }
    let head = text.as_bytes().get(..MIN_BARE_CHARACTERS)?;
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_\n\r\t\x0c".contains(byte);
    head.iter().all(fits).then_some(text)
}

fn plain_base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text
        .chars()
        .filter(|char| !" \n\r\t\x0c".contains(*char))
        .map(|char| match char {
            '-' => '+',
            '_' => '/',
            char => char,
        })
        .collect();
    let bare = text.trim_end_matches('=');
    let pads = text.len() - bare.len();
    if pads > 0 && (pads > 2 || bare.len() % 4 + pads != 4) {
        return None;
    }
    base64_simd::STANDARD_NO_PAD.decode_to_vec(bare).ok()
}

/// What a scan makes of a document that comes in these pieces.
#[derive(Debug, PartialEq)]
enum Scanned {
    Doc(Doc),
    /// The skeleton is no JSON.
    Malformed,
    Refused(ScanError),
}

/// A kernel as a processor's own would be: it decodes up to the very quad that it cannot.
fn exact(text: &[u8], out: &mut Vec<u8>) -> usize {
    let quads = text.chunks_exact(4);
    4 * quads.take_while(|quad| portable(quad, out) == 4).count()
}

fn scan<'a>(kernel: Kernel, pieces: impl IntoIterator<Item = &'a [u8]>) -> Scanned {
    let mut scanner = Scanner::with_kernel(FIELDS, Limits::CLIENT, kernel);
    let (mut blobs, mut open) = (Vec::new(), Vec::new());
    for mut piece in pieces {
        loop {
            match scanner.step(&mut piece) {
                Ok(Some(Step::Block(bytes))) => {
                    assert!(!bytes.is_empty() && bytes.len() <= BLOCK_BYTES);
                    open.extend_from_slice(&bytes);
                }
                Ok(Some(Step::End)) => blobs.push(std::mem::take(&mut open)),
                Ok(None) => break,
                Err(error) => return Scanned::Refused(error),
            }
        }
        assert!(piece.is_empty());
    }
    let (skeleton, mark) = match scanner.finish() {
        Ok(done) => done,
        Err(error) => return Scanned::Refused(error),
    };
    let Ok(mut doc) = serde_json::from_slice(&skeleton) else {
        return Scanned::Malformed;
    };
    let put = |text: &str| Some(Doc::Blob(blobs[mark.number(text)?].clone()));
    put_back(&mut doc, &put);
    Scanned::Doc(doc)
}

fn put_back(doc: &mut Doc, put: &impl Fn(&str) -> Option<Doc>) {
    match doc {
        Doc::Object(entries) => entries.iter_mut().for_each(|(_, it)| put_back(it, put)),
        Doc::List(list) => list.iter_mut().for_each(|it| put_back(it, put)),
        Doc::Text(text) => {
            if let Some(blob) = put(text) {
                *doc = blob;
            }
        }
        Doc::Other(_) | Doc::Blob(_) => {}
    }
}

/// Checks one document, cut at these places, against itself in one piece and against the plain way.
pub(in crate::intake) fn check(bytes: &[u8], cuts: &[usize]) {
    let whole = scan(portable, [bytes]);
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for &cut in cuts {
        let (piece, behind) = rest.split_at(cut.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    for (name, kernel) in kernels() {
        let scanned = scan(kernel, pieces.iter().copied());
        assert_eq!(scanned, whole, "{name}, cut at {cuts:?}");
    }
    match (parse_then_decode(bytes), whole) {
        (Some(expected), Scanned::Doc(doc)) => assert_eq!(doc, expected),
        (None, Scanned::Malformed | Scanned::Refused(_)) => {}
        (expected, got) => panic!(
            "{}: the plain way has {expected:?}, the scanner {got:?}",
            String::from_utf8_lossy(bytes)
        ),
    }
}

/// The first byte says how the rest is cut.
pub(crate) fn json(bytes: &[u8]) {
    let Some((how, document)) = bytes.split_first() else {
        return;
    };
    check(document, &lengths(*how, document.len()));
}
