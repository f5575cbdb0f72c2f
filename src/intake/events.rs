//! Server-sent events whose data is JSON with pictures in it: the same scanner, line by line.
//!
//! As in the HTML standard (9.2.6): lines end with CR, LF or both, `data` lines of one event are joined by a line
//! break, comments and unknown fields are passed over. Unlike there, an event that the stream's end cuts short of its
//! empty line counts: some upstreams never send the last one.

use super::scanner::{Limits, ScanError, Scanner, Step};
use super::stage::{ReadError, Stager};
use super::{Fields, Intake, Mark};
use crate::blob::Blobs;
use bytes::{Buf, Bytes};
use futures::{Stream, StreamExt};
use memchr::memchr2;
use std::fmt::Display;

/// The names of fields that we read are shorter, and so are the names of events.
const MAX_NAME_BYTES: usize = 128;

/// How far a line's end is looked for at once.
const WINDOW_BYTES: usize = 64 * 1024;

/// An event without its pictures.
#[derive(Debug)]
pub struct Event {
    /// What `event:` said; empty if it was not said.
    pub name: String,
    /// The data. It need not be JSON (`[DONE]`).
    pub skeleton: Bytes,
    /// By which the handles in it are known.
    pub mark: Mark,
}

/// What comes out of a stream of events.
#[derive(Debug)]
pub enum EventStep {
    /// Part of a picture of the event that is being read.
    Picture(Step),
    /// That event is whole.
    Event(Event),
}

/// Reads events, each within the limits.
pub struct EventScanner {
    fields: Fields,
    limits: Limits,
    /// The data of the event that is being read, if it has any yet.
    scanner: Option<Scanner>,
    event: Vec<u8>,
    line: Line,
    /// The last byte was a CR, so that a LF is its other half.
    after_cr: bool,
    /// The data goes on in another line.
    joins: bool,
}

enum Line {
    /// In the name of a field.
    Name(Vec<u8>),
    /// Behind a field's colon, where one space does not count.
    Colon(What),
    Value(What),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Data,
    Event,
    Other,
}

impl EventScanner {
    /// For one stream.
    pub fn new(fields: Fields, limits: Limits) -> Self {
        Self {
            fields,
            limits,
            scanner: None,
            event: Vec::new(),
            line: Line::Name(Vec::new()),
            after_cr: false,
            joins: false,
        }
    }

    /// Reads on until something comes out, and moves `input` behind what was read. With `None` all of it was read.
    pub fn step(&mut self, input: &mut &[u8]) -> Result<Option<EventStep>, ScanError> {
        while let Some(&byte) = input.first() {
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                *input = &input[1..];
                continue;
            }
            let is_end = matches!(byte, b'\r' | b'\n');
            match &mut self.line {
                Line::Name(name) if !is_end => {
                    *input = &input[1..];
                    if byte == b':' {
                        let what = What::of(name);
                        self.begin_value(what);
                    } else if name.len() < MAX_NAME_BYTES {
                        name.push(byte);
                    }
                }
                Line::Colon(what) => {
                    self.line = Line::Value(*what);
                    *input = &input[usize::from(byte == b' ')..];
                }
                Line::Value(What::Data) => {
                    if let Some(step) = self.data(input)? {
                        return Ok(Some(EventStep::Picture(step)));
                    }
                    if input.first().is_some_and(|&byte| is_line_end(byte)) {
                        self.line = Line::Name(Vec::new());
                        self.after_cr = input[0] == b'\r';
                        *input = &input[1..];
                    }
                }
                Line::Value(what) if !is_end => {
                    if *what == What::Event && self.event.len() < MAX_NAME_BYTES {
                        self.event.push(byte);
                    }
                    *input = &input[1..];
                }
                Line::Name(_) | Line::Value(_) => {
                    self.after_cr = byte == b'\r';
                    *input = &input[1..];
                    if let Some(event) = self.end_line()? {
                        return Ok(Some(EventStep::Event(event)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The event that the end of the stream cut short of its empty line, if there is one.
    /// Its last line is read as if it had ended, so an empty line of data still joins what was before it.
    pub fn finish(mut self) -> Result<Option<Event>, ScanError> {
        if self.joins
            && let Some(scanner) = &mut self.scanner
        {
            let mut line_break = &b"\n"[..];
            // Something comes out only of a picture that goes on, and then the event is refused.
            while scanner.step(&mut line_break)?.is_some() {}
        }
        self.dispatch()
    }

    /// The path of the value that is being read.
    pub fn path(&self) -> String {
        self.scanner.as_ref().map(Scanner::path).unwrap_or_default()
    }

    fn begin_value(&mut self, what: What) {
        self.line = Line::Colon(what);
        match what {
            What::Data if self.scanner.is_some() => self.joins = true,
            What::Data => self.scanner = Some(Scanner::new(self.fields, self.limits)),
            What::Event => self.event.clear(),
            What::Other => {}
        }
    }

    /// Reads on in a line of data, up to its end.
    fn data(&mut self, input: &mut &[u8]) -> Result<Option<Step>, ScanError> {
        let Some(scanner) = &mut self.scanner else {
            return Ok(None);
        };
        if self.joins {
            let mut line_break = &b"\n"[..];
            let step = scanner.step(&mut line_break)?;
            self.joins = !line_break.is_empty();
            if step.is_some() {
                return Ok(step);
            }
        }
        let window = &input[..input.len().min(WINDOW_BYTES)];
        let end = memchr2(b'\r', b'\n', window).unwrap_or(window.len());
        let mut rest = &window[..end];
        let step = scanner.step(&mut rest)?;
        *input = &input[end - rest.len()..];
        Ok(step)
    }

    fn end_line(&mut self) -> Result<Option<Event>, ScanError> {
        let line = std::mem::replace(&mut self.line, Line::Name(Vec::new()));
        match line {
            Line::Name(name) if name.is_empty() => self.dispatch(),
            Line::Name(_) | Line::Colon(_) | Line::Value(_) => Ok(None),
        }
    }

    fn dispatch(&mut self) -> Result<Option<Event>, ScanError> {
        let name = std::mem::take(&mut self.event);
        self.joins = false;
        let Some(scanner) = self.scanner.take() else {
            return Ok(None);
        };
        let (skeleton, mark) = scanner.finish()?;
        Ok(Some(Event {
            name: String::from_utf8_lossy(&name).into_owned(),
            skeleton,
            mark,
        }))
    }
}

impl What {
    fn of(name: &[u8]) -> Self {
        match name {
            b"data" => Self::Data,
            b"event" => Self::Event,
            _ => Self::Other,
        }
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// An upstream's events, their pictures staged.
pub struct Events<S> {
    body: S,
    blobs: Blobs,
    limits: Limits,
    scanner: Option<EventScanner>,
    chunk: Bytes,
}

/// Reads a body as events, each within the limits.
pub fn read<S>(body: S, blobs: &Blobs, fields: Fields, limits: Limits) -> Events<S> {
    Events {
        body,
        blobs: blobs.clone(),
        limits,
        scanner: Some(EventScanner::new(fields, limits)),
        chunk: Bytes::new(),
    }
}

impl<S, E> Events<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Display,
{
    /// The next event's name, and the event. `None` when the stream has ended, and after an error.
    ///
    /// Not to be raced against something else: what was read of an event is lost when this is dropped.
    pub async fn next(&mut self) -> Result<Option<(String, Intake)>, ReadError> {
        let Some(mut scanner) = self.scanner.take() else {
            return Ok(None);
        };
        let mut stager = Stager::new(&self.blobs, self.limits.image);
        loop {
            let mut rest = &self.chunk[..];
            let step = scanner.step(&mut rest)?;
            self.chunk.advance(self.chunk.len() - rest.len());
            match step {
                Some(EventStep::Picture(step)) => stager.take(step, || scanner.path()).await?,
                Some(EventStep::Event(event)) => {
                    self.scanner = Some(scanner);
                    return Ok(Some(of_event(event, stager)));
                }
                None => match self.body.next().await {
                    Some(Ok(chunk)) => self.chunk = chunk,
                    Some(Err(error)) => return Err(ReadError::BrokeOff(error.to_string())),
                    None => return Ok(scanner.finish()?.map(|event| of_event(event, stager))),
                },
            }
        }
    }
}

fn of_event(event: Event, stager: Stager) -> (String, Intake) {
    let intake = stager.into_intake(event.skeleton, event.mark);
    (event.name, intake)
}
