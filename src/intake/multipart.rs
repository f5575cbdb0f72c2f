//! `multipart/form-data` (RFC 7578): texts into the skeleton, files straight to the blob store.
//!
//! Our own reader, because every part of it must be bounded, the headers of a part too. It holds a chunk of the body
//! and a boundary's length of the one before.

use super::stage::{ReadError, Stager};
use super::{Intake, MAX_SKELETON_BYTES, Mark};
use crate::blob::{Blobs, StagedBlob};
use crate::error::Error;
use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use memchr::memmem;
use std::fmt::Display;

/// Bytes of a whole form: 16 images and what stands around them.
pub const MAX_FORM_BYTES: u64 = 336 * 1024 * 1024;
/// Bytes of one file.
pub const MAX_FILE_BYTES: u64 = 20 * 1024 * 1024;
/// Files: 16 images and a mask.
pub const MAX_FILES: usize = 17;
/// Texts.
pub const MAX_TEXTS: usize = 64;
/// Bytes of one text.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Bytes of the headers of one part.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// A form, read.
#[derive(Debug)]
pub struct Form {
    /// What was sent, in order.
    pub fields: Vec<Field>,
    /// The files; the skeleton is made by [`Form::into_intake`].
    intake: Intake,
}

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name as it was sent: `image`, `image[]`, `image[0]`.
    pub name: String,
    /// What was sent.
    pub value: Value,
    /// What the sender calls a file. Not empty.
    pub filename: Option<String>,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// The handle of a file that was staged.
    File(String),
}

impl Form {
    /// Claims the file behind a handle.
    pub fn take(&mut self, handle: &str) -> Option<StagedBlob> {
        self.intake.take(handle)
    }

    /// The form as a body: an object with a text or a handle a field, in order. What is sent several times, or with
    /// brackets, becomes a list; `image[]` is `image`.
    pub fn into_intake(self) -> Intake {
        let mut entries: Vec<(&str, bool, Vec<&str>)> = Vec::new();
        for field in &self.fields {
            let (name, is_list) = bare_name(&field.name);
            let (Value::Text(text) | Value::File(text)) = &field.value;
            match entries.iter_mut().find(|entry| entry.0 == name) {
                Some(entry) => {
                    entry.1 = true;
                    entry.2.push(text);
                }
                None => entries.push((name, is_list, vec![text])),
            }
        }
        let entries = entries.iter().map(|(name, is_list, texts)| {
            let value = match texts[..] {
                [text] if !is_list => serde_json::Value::from(text),
                _ => serde_json::Value::from(texts.as_slice()),
            };
            format!("{}:{value}", serde_json::Value::from(*name))
        });
        let entries = entries.collect::<Vec<_>>().join(",");
        Intake {
            skeleton: format!("{{{entries}}}").into(),
            ..self.intake
        }
    }
}

/// `image[]` and `image[3]` are `image`, in a list.
fn bare_name(name: &str) -> (&str, bool) {
    let bare = name.strip_suffix(']').and_then(|name| name.split_once('['));
    match bare {
        Some((bare, index)) if index.bytes().all(|byte| byte.is_ascii_digit()) => (bare, true),
        _ => (name, false),
    }
}

/// The boundary that a `Content-Type` names, if it is that of a form.
pub fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

/// Reads a client's form.
pub async fn read<E: Display>(
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    boundary: &str,
    blobs: &Blobs,
) -> Result<Form, Error> {
    Ok(read_form(body, boundary, blobs).await?)
}

async fn read_form<E: Display>(
    mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    boundary: &str,
    blobs: &Blobs,
) -> Result<Form, ReadError> {
    let mut parts = Parts::new(boundary);
    let mut form = Reading::new(blobs);
    let mut left = MAX_FORM_BYTES;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| ReadError::BrokeOff(error.to_string()))?;
        left = left
            .checked_sub(chunk.len() as u64)
            .ok_or_else(|| too_large(format!("a form may have {MAX_FORM_BYTES} bytes")))?;
        parts.push(&chunk);
        while let Some(piece) = parts.next().map_err(ReadError::Form)? {
            match piece {
                Piece::Head(head) => form.begin(head)?,
                Piece::Data(bytes) => form.data(bytes).await?,
                Piece::End => form.end().await?,
            }
        }
    }
    parts.finish().map_err(ReadError::Form)?;
    Ok(form.done())
}

#[cold]
fn too_large(message: String) -> ReadError {
    ReadError::TooLarge(message)
}

/// A form on its way in.
struct Reading {
    mark: Mark,
    stager: Stager,
    fields: Vec<Field>,
    texts: usize,
    text_bytes: usize,
    part: Option<(Head, Content)>,
}

enum Content {
    Text(Vec<u8>),
    /// A file, and whether it has a byte.
    File {
        is_empty: bool,
    },
}

impl Reading {
    fn new(blobs: &Blobs) -> Self {
        Self {
            mark: Mark::random(),
            stager: Stager::new(blobs, MAX_FILE_BYTES),
            fields: Vec::new(),
            texts: 0,
            text_bytes: 0,
            part: None,
        }
    }

    fn begin(&mut self, head: Head) -> Result<(), ReadError> {
        let content = if head.is_file {
            Content::File { is_empty: true }
        } else {
            self.texts += 1;
            Content::Text(Vec::new())
        };
        if self.texts > MAX_TEXTS {
            return Err(too_large(format!(
                "a form may have {MAX_TEXTS} fields, files not counted"
            )));
        }
        self.text_bytes += head.name.len();
        self.part = Some((head, content));
        Ok(())
    }

    async fn data(&mut self, bytes: Bytes) -> Result<(), ReadError> {
        let Some((head, content)) = &mut self.part else {
            return Ok(());
        };
        match content {
            Content::Text(text) => {
                self.text_bytes += bytes.len();
                if text.len() + bytes.len() > MAX_TEXT_BYTES {
                    return Err(too_large(format!(
                        "a field of a form may have {MAX_TEXT_BYTES} bytes; send images as files"
                    )));
                }
                if self.text_bytes > MAX_SKELETON_BYTES {
                    return Err(too_large(format!(
                        "a form may have {MAX_SKELETON_BYTES} bytes, files not counted"
                    )));
                }
                text.extend_from_slice(&bytes);
                Ok(())
            }
            Content::File { is_empty } => {
                if *is_empty && self.stager.count() == MAX_FILES {
                    return Err(too_large(format!("a form may have {MAX_FILES} files")));
                }
                *is_empty = false;
                let name = &head.name;
                self.stager.write(bytes, || name.clone()).await
            }
        }
    }

    async fn end(&mut self) -> Result<(), ReadError> {
        let Some((head, content)) = self.part.take() else {
            return Ok(());
        };
        let value = match content {
            // A browser sends this for a file field that was left empty.
            Content::File { is_empty: true } if head.filename.is_none() => return Ok(()),
            Content::File { .. } => {
                let handle = self.mark.handle(self.stager.count());
                self.stager.end(|| head.name.clone()).await?;
                Value::File(handle)
            }
            Content::Text(text) => Value::Text(
                String::from_utf8(text).map_err(|_| ReadError::Form("a field is not UTF-8"))?,
            ),
        };
        self.fields.push(Field {
            name: head.name,
            value,
            filename: head.filename,
        });
        Ok(())
    }

    fn done(self) -> Form {
        Form {
            fields: self.fields,
            intake: self.stager.into_intake(Bytes::new(), self.mark),
        }
    }
}

/// Cuts a form into pieces.
struct Parts {
    /// Line break, two dashes, boundary.
    delimiter: memmem::Finder<'static>,
    buffer: BytesMut,
    state: State,
}

enum State {
    Preamble,
    /// Behind a delimiter.
    Delimiter,
    Head,
    Body,
    Epilogue,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Head(Head),
    Data(Bytes),
    End,
}

/// What the headers of a part say.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    name: String,
    is_file: bool,
    /// A file's name, if one was given that is not empty.
    filename: Option<String>,
}

impl Parts {
    fn new(boundary: &str) -> Self {
        Self {
            delimiter: memmem::Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned(),
            // The first boundary may stand at the very beginning.
            buffer: BytesMut::from(&b"\r\n"[..]),
            state: State::Preamble,
        }
    }

    fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next piece, or `None` if more must be pushed first.
    fn next(&mut self) -> Result<Option<Piece>, &'static str> {
        loop {
            match self.state {
                State::Preamble => {
                    if self.until_delimiter().is_none() {
                        return Ok(None);
                    }
                }
                State::Delimiter => {
                    if !self.delimiter_line()? {
                        return Ok(None);
                    }
                }
                State::Head => return Ok(self.head()?.map(Piece::Head)),
                State::Body => return Ok(self.until_delimiter()),
                State::Epilogue => {
                    self.buffer.clear();
                    return Ok(None);
                }
            }
        }
    }

    fn finish(&self) -> Result<(), &'static str> {
        match self.state {
            State::Epilogue => Ok(()),
            State::Preamble => Err("its boundary does not appear"),
            State::Delimiter | State::Head | State::Body => Err("it ends too early"),
        }
    }

    /// What stands before the next delimiter, or [`Piece::End`] at one.
    fn until_delimiter(&mut self) -> Option<Piece> {
        let length = self.delimiter.needle().len();
        let certain = match self.delimiter.find(&self.buffer) {
            Some(0) => {
                self.buffer.advance(length);
                self.state = State::Delimiter;
                return Some(Piece::End);
            }
            Some(at) => at,
            // What may be the beginning of one stays.
            None => self.buffer.len().saturating_sub(length - 1),
        };
        let before = self.buffer.split_to(certain).freeze();
        match self.state {
            _ if before.is_empty() => None,
            State::Preamble => self.until_delimiter(),
            _ => Some(Piece::Data(before)),
        }
    }

    /// Reads what may stand between a boundary and its line break. `false` if more is needed.
    fn delimiter_line(&mut self) -> Result<bool, &'static str> {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
        let blanks = self.buffer.iter().take_while(blank).count();
        let rest = &self.buffer[blanks..];
        if self.buffer.starts_with(b"--") {
            self.state = State::Epilogue;
        } else if rest.starts_with(b"\r\n") {
            self.buffer.advance(blanks);
            self.state = State::Head;
        } else if blanks > MAX_HEAD_BYTES || !(b"\r\n".starts_with(rest) || *rest == b"-"[..]) {
            return Err("something stands behind a boundary");
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The headers, from the line break before them to the empty line behind them.
    fn head(&mut self) -> Result<Option<Head>, &'static str> {
        let searched = &self.buffer[..self.buffer.len().min(MAX_HEAD_BYTES)];
        let Some(end) = memmem::find(searched, b"\r\n\r\n") else {
            return match self.buffer.len() < MAX_HEAD_BYTES {
                true => Ok(None),
                false => Err("the headers of a part are too long"),
            };
        };
        let lines = self.buffer.split_to(end + 4);
        let head = Head::parse(lines.get(2..end).unwrap_or_default())?;
        self.state = State::Body;
        Ok(Some(head))
    }
}

impl Head {
    fn parse(lines: &[u8]) -> Result<Self, &'static str> {
        let lines =
            std::str::from_utf8(lines).map_err(|_| "the headers of a part are not UTF-8")?;
        let header = |wanted: &str| {
            let mut headers = lines.split("\r\n").filter_map(|line| line.split_once(':'));
            let found = headers.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.trim())
        };
        let disposition = header("content-disposition").unwrap_or_default();
        let (kind, parameters) = disposition.split_once(';').unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err("a part has no `Content-Disposition: form-data`");
        }
        let encoding = header("content-transfer-encoding").unwrap_or("binary");
        if !["binary", "7bit", "8bit"].contains(&encoding.to_ascii_lowercase().as_str()) {
            return Err("the content of a part is encoded; send it as it is");
        }
        let filename =
            parameter(parameters, "filename").or_else(|| parameter(parameters, "filename*"));
        let kind = header("content-type").unwrap_or("text/plain");
        let kind = kind.to_ascii_lowercase();
        let is_text = kind.starts_with("text/") || kind.starts_with("application/json");
        Ok(Self {
            name: parameter(parameters, "name").ok_or("a part has no name")?,
            is_file: filename.is_some() || !is_text,
            filename: filename.filter(|name| !name.is_empty()),
        })
    }
}

/// The value of a parameter in `a=b; c="d"`. A backslash quotes a quote or a backslash, and is itself anywhere else,
/// as in the paths that old browsers send.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut rest = text;
    loop {
        let (name, behind) = rest.split_once('=')?;
        let (value, behind) = value(behind.trim_start());
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = behind.split_once(';')?.1;
    }
}

/// A parameter's value, and what stands behind it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim_end().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => {
                let next = chars.next_if(|&(_, next)| matches!(next, '"' | '\\'));
                value.push(next.map_or('\\', |(_, next)| next));
            }
            _ => value.push(char),
        }
    }
    (value, "")
}
