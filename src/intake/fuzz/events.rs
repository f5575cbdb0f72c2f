//! Events against the plain way: all lines first, then each event's data in one piece.

use super::pieces;
use crate::intake::events::{Event, EventScanner, EventStep};
use crate::intake::scanner::{Scanner, Step};
use crate::intake::{Fields, Limits, Mark};

const FIELDS: Fields = Fields(&["b64_json", "image.url"]);

/// The longest name that is kept whole.
const NAME_BYTES: usize = 128;

/// What came out: each event with its name, its skeleton with numbers in place of handles, and its pictures; and
/// whether all of it could be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    events: Vec<(String, String, Vec<Vec<u8>>)>,
    is_refused: bool,
}

/// The first byte says how the rest is cut.
pub(crate) fn events(bytes: &[u8]) {
    let Some((how, stream)) = bytes.split_first() else {
        return;
    };
    let whole = scan(&[stream]);
    assert_eq!(scan(&pieces(*how, stream)), whole, "cut by {how}");
    assert_eq!(plain(stream), whole, "read line by line");
}

fn scan(pieces: &[&[u8]]) -> Read {
    let mut scanner = EventScanner::new(FIELDS, Limits::CLIENT);
    let (mut read, mut pictures, mut open) = (Read::default(), Vec::new(), Vec::new());
    for mut piece in pieces.iter().copied() {
        loop {
            match scanner.step(&mut piece) {
                Ok(Some(EventStep::Picture(Step::Block(block)))) => open.extend_from_slice(&block),
                Ok(Some(EventStep::Picture(Step::End))) => pictures.push(std::mem::take(&mut open)),
                Ok(Some(EventStep::Event(event))) => {
                    read.push(event, std::mem::take(&mut pictures));
                }
                Ok(None) => break,
                Err(_) => return read.refused(),
            }
        }
    }
    match scanner.finish() {
        Ok(Some(event)) => read.push(event, pictures),
        Ok(None) => {}
        Err(_) => return read.refused(),
    }
    read
}

impl Read {
    fn push(&mut self, event: Event, pictures: Vec<Vec<u8>>) {
        let skeleton = numbered(&event.skeleton, &event.mark, pictures.len());
        self.events.push((event.name, skeleton, pictures));
    }

    fn refused(mut self) -> Self {
        self.is_refused = true;
        self
    }
}

fn numbered(skeleton: &[u8], mark: &Mark, pictures: usize) -> String {
    let text = String::from_utf8_lossy(skeleton).into_owned();
    (0..pictures).rev().fold(text, |text, number| {
        text.replace(&mark.handle(number), &format!("#{number}"))
    })
}

/// The standard's own words (HTML, 9.2.6), on the stream as a whole.
fn plain(stream: &[u8]) -> Read {
    let mut read = Read::default();
    let (mut name, mut data): (Vec<u8>, Option<Vec<u8>>) = Default::default();
    for line in lines(stream).chain([&b""[..]]) {
        if line.is_empty() {
            let name = std::mem::take(&mut name);
            if let Some(data) = data.take() {
                match scan_data(&data) {
                    Some((skeleton, pictures)) => {
                        let name = String::from_utf8_lossy(&name).into_owned();
                        read.events.push((name, skeleton, pictures));
                    }
                    None => return read.refused(),
                }
            }
            continue;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let (field, value) = (&line[..colon], &line[colon + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value[..value.len().min(NAME_BYTES)].to_vec(),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    read
}

/// What stands between line ends: CR, LF or both.
fn lines(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(stream);
    std::iter::from_fn(move || {
        let text = rest?;
        match text.iter().position(|byte| b"\r\n".contains(byte)) {
            None => {
                rest = None;
                Some(text)
            }
            Some(end) => {
                let both = text[end..].starts_with(b"\r\n");
                rest = Some(&text[end + 1 + usize::from(both)..]);
                Some(&text[..end])
            }
        }
    })
}

fn scan_data(mut data: &[u8]) -> Option<(String, Vec<Vec<u8>>)> {
    let mut scanner = Scanner::new(FIELDS, Limits::CLIENT);
    let (mut pictures, mut open) = (Vec::new(), Vec::new());
    while let Some(step) = scanner.step(&mut data).ok()? {
        match step {
            Step::Block(block) => open.extend_from_slice(&block),
            Step::End => pictures.push(std::mem::take(&mut open)),
        }
    }
    let (skeleton, mark) = scanner.finish().ok()?;
    Some((numbered(&skeleton, &mark, pictures.len()), pictures))
}
