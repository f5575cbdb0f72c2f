//! Takes base64 out of JSON as it arrives.
//!
//! The scanner copies a document to a small *skeleton*. Where a string under one of the listed [`Fields`] holds base64,
//! bare or as a `data:` URL, a handle takes its place, and its bytes come out in blocks of [`BLOCK_BYTES`]. How the
//! input is cut makes no difference, and what the scanner holds is bounded by its [`Limits`] alone.
//!
//! What counts as base64 is decided by how a string begins, after its escapes are read:
//!
//! - `data:…;base64,`: the rest of the string is taken, whatever it is. Any other `data:` URL stays.
//! - [`MIN_BARE_CHARACTERS`] characters of either alphabet, or line breaks: the string is taken from its beginning.
//! - everything else is text and stays as it was sent: a link, a file id, a short word.
//!
//! A string that is taken and turns out not to be base64 is refused with its place; it cannot be put back, as its
//! beginning has left. Grammar is not checked here: all that is not a taken string stands in the skeleton as it came, so
//! the document is well-formed exactly if the skeleton is.

use super::decode::{self, Class, Kernel, class};
use super::mark::Mark;
use super::path::{Fields, Path};
use crate::blob::PART_BYTES;
use bytes::Bytes;
use memchr::memchr2;

/// How many bytes of a picture come out at once, but for the last ones: a part of a blob, which is then written as it
/// is. Divisible by three, so that blocks join.
pub const BLOCK_BYTES: usize = PART_BYTES;

/// Base64 without a `data:` before it is taken from this length on: longer than any hash or id, and shorter than the
/// smallest picture worth the name.
pub const MIN_BARE_CHARACTERS: usize = 80;

/// The most that may stand before the comma of a `data:` URL.
const MAX_DATA_HEAD: usize = 256;

/// How much text is gathered before it is decoded, where it must be cleaned first.
const GATHER_CHARACTERS: usize = 4096;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole document.
    pub body: u64,
    /// Bytes of one picture.
    pub image: u64,
    /// Pictures.
    pub images: usize,
    /// Bytes of the skeleton.
    pub skeleton: usize,
    /// Objects and lists within each other.
    pub depth: usize,
}

impl Limits {
    /// What a client may send.
    pub const CLIENT: Self = Self {
        body: 64 * 1024 * 1024,
        image: 20 * 1024 * 1024,
        images: 16,
        skeleton: 1024 * 1024,
        depth: 64,
    };

    /// What an upstream may answer: results are larger than what clients send, and more of them come at once.
    pub const UPSTREAM: Self = Self {
        body: 1024 * 1024 * 1024,
        image: 64 * 1024 * 1024,
        images: 64,
        skeleton: 1024 * 1024,
        depth: 64,
    };
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next bytes of a picture.
    Block(Bytes),
    /// The picture is whole. It may have had no byte at all.
    End,
}

/// Why a document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// A string that began as base64 goes on as something else.
    #[error("the text is not base64")]
    NotBase64,
    /// One character too few, padding that does not fit, or bits that no encoder leaves.
    #[error("the base64 text is cut off or wrongly padded")]
    BadEnding,
    /// The document ends within a picture.
    #[error("the body ends within an image")]
    Truncated,
    /// A picture has more bytes than this.
    #[error("an image may have {0} bytes")]
    ImageTooLarge(u64),
    /// There are more pictures than this.
    #[error("at most {0} images are taken")]
    TooManyImages(usize),
    /// Without its pictures the document has more bytes than this.
    #[error("a JSON body may have {0} bytes, images not counted")]
    SkeletonTooLarge(usize),
    /// The document has more bytes than this.
    #[error("a JSON body may have {0} bytes")]
    BodyTooLarge(u64),
    /// Objects and lists lie deeper than this in each other.
    #[error("the body is nested more than {0} deep")]
    TooDeep(usize),
}

/// Why a document is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause} (byte {at})")]
pub struct ScanError {
    /// Why.
    pub cause: Cause,
    /// The byte where it shows; for a picture that is too large, where it begins.
    pub at: u64,
    /// The path of the field, as clients write it; empty at the top.
    pub path: String,
}

/// Where in the document the scanner stands.
#[derive(Clone, Copy)]
enum State {
    Between,
    Key,
    Text,
    /// In a string that may turn out to be base64; its text begins here in the skeleton.
    Candidate(usize),
    Blob,
    BlobEnd,
}

/// Reads one document.
pub struct Scanner {
    fields: Fields,
    limits: Limits,
    kernel: Kernel,
    mark: Mark,
    skeleton: Vec<u8>,
    path: Path,
    state: State,
    /// How many bytes have been read.
    offset: u64,
    /// The escape that is being read.
    escape: Option<Escape>,
    /// The next byte of a text stands behind a backslash.
    escaped: bool,
    /// The beginning of a candidate, its escapes read.
    head: Vec<u8>,
    images: usize,
    blob: Blob,
}

/// The picture that is being read.
#[derive(Default)]
struct Blob {
    /// Where it begins.
    at: u64,
    /// How many bytes have come out.
    length: u64,
    /// The next bytes.
    out: Vec<u8>,
    /// Characters that are not decoded yet, clean.
    gathered: Vec<u8>,
    pads: u8,
    text: Text,
}

/// What is known of a picture's text. It only ever goes down this list, so that no run is tried more than twice.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Text {
    /// So far all is of the standard alphabet.
    #[default]
    Standard,
    /// So is all of the URL-safe one from here on.
    UrlSafe,
    /// It is mixed, or there is white space in it: it must be cleaned first.
    Unclean,
}

impl Scanner {
    /// For one document.
    pub fn new(fields: Fields, limits: Limits) -> Self {
        Self::with_kernel(fields, limits, decode::fastest())
    }

    /// With this kernel.
    pub fn with_kernel(fields: Fields, limits: Limits, kernel: Kernel) -> Self {
        Self {
            fields,
            limits,
            kernel,
            mark: Mark::random(),
            skeleton: Vec::new(),
            path: Path::default(),
            state: State::Between,
            offset: 0,
            escape: None,
            escaped: false,
            head: Vec::new(),
            images: 0,
            blob: Blob::default(),
        }
    }

    /// Reads on until something comes out, and moves `input` behind what was read. With `None` all of it was read.
    pub fn step(&mut self, input: &mut &[u8]) -> Result<Option<Step>, ScanError> {
        loop {
            if let State::BlobEnd = self.state {
                self.state = State::Between;
                return Ok(Some(Step::End));
            }
            if input.is_empty() {
                return Ok(None);
            }
            let left = usize::try_from(self.limits.body - self.offset).unwrap_or(usize::MAX);
            if left == 0 {
                return Err(self.error(Cause::BodyTooLarge(self.limits.body), self.offset));
            }
            let window = &input[..left.min(input.len())];
            let (read, step) = match self.state {
                State::Between | State::BlobEnd => (self.between(window)?, None),
                State::Key => (self.key(window)?, None),
                State::Text => (self.text(window)?, None),
                State::Candidate(start) => (self.candidate(start, window)?, None),
                State::Blob => self.blob(window)?,
            };
            self.offset += read as u64;
            *input = &input[read..];
            if step.is_some() {
                return Ok(step);
            }
        }
    }

    /// The skeleton, and the mark by which its handles are known. Whether it is well-formed is for its parser to say.
    pub fn finish(self) -> Result<(Bytes, Mark), ScanError> {
        if let State::Blob | State::BlobEnd = self.state {
            return Err(self.error(Cause::Truncated, self.offset));
        }
        Ok((self.skeleton.into(), self.mark))
    }

    /// The path of the value that is being read; after [`Step::End`], of the picture that ended.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    /// The most that is held beside the skeleton, for the tests.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.blob.out.capacity() + self.blob.gathered.capacity() + self.head.capacity()
    }

    #[cold]
    fn error(&self, cause: Cause, at: u64) -> ScanError {
        let path = self.path();
        ScanError { cause, at, path }
    }

    /// Copies to the skeleton what begins at the offset.
    fn keep(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        let room = self.limits.skeleton.saturating_sub(self.skeleton.len());
        if bytes.len() > room {
            let cause = Cause::SkeletonTooLarge(self.limits.skeleton);
            return Err(self.error(cause, self.offset + room as u64));
        }
        self.skeleton.extend_from_slice(bytes);
        Ok(())
    }

    fn between(&mut self, window: &[u8]) -> Result<usize, ScanError> {
        for (k, &byte) in window.iter().enumerate() {
            match byte {
                b'"' => {
                    self.keep(&window[..=k])?;
                    self.begin_string();
                    return Ok(k + 1);
                }
                b'{' | b'[' if self.path.depth() == self.limits.depth => {
                    let cause = Cause::TooDeep(self.limits.depth);
                    return Err(self.error(cause, self.offset + k as u64));
                }
                b'{' => self.path.open_object(),
                b'[' => self.path.open_list(),
                b'}' | b']' => self.path.close(),
                b',' => self.path.comma(),
                b':' => self.path.colon(),
                _ => {}
            }
        }
        self.keep(window)?;
        Ok(window.len())
    }

    fn begin_string(&mut self) {
        self.state = if self.path.begin_key() {
            State::Key
        } else if self.path.is_one_of(self.fields) {
            self.head.clear();
            State::Candidate(self.skeleton.len())
        } else {
            State::Text
        };
    }

    fn key(&mut self, window: &[u8]) -> Result<usize, ScanError> {
        for (k, &byte) in window.iter().enumerate() {
            match unescape(&mut self.escape, byte) {
                Unescaped::Nothing => {}
                Unescaped::Raw(byte) => self.path.push_key(&[byte]),
                Unescaped::Char(char) => {
                    self.path.push_key(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Unescaped::Wrong => self.path.push_key("\u{fffd}".as_bytes()),
                Unescaped::End => {
                    self.keep(&window[..=k])?;
                    self.state = State::Between;
                    return Ok(k + 1);
                }
            }
        }
        self.keep(window)?;
        Ok(window.len())
    }

    fn text(&mut self, window: &[u8]) -> Result<usize, ScanError> {
        if std::mem::take(&mut self.escaped) {
            self.keep(&window[..1])?;
            return Ok(1);
        }
        let end = memchr2(b'"', b'\\', window);
        let read = end.map_or(window.len(), |end| end + 1);
        self.keep(&window[..read])?;
        match end.map(|end| window[end]) {
            Some(b'"') => self.state = State::Between,
            Some(_) => self.escaped = true,
            None => {}
        }
        Ok(read)
    }

    fn candidate(&mut self, start: usize, window: &[u8]) -> Result<usize, ScanError> {
        for (k, &byte) in window.iter().enumerate() {
            let verdict = match unescape(&mut self.escape, byte) {
                Unescaped::Nothing => Verdict::Open,
                Unescaped::End => {
                    self.keep(&window[..=k])?;
                    self.state = State::Between;
                    return Ok(k + 1);
                }
                // A control character must be escaped in JSON, and other bytes must be UTF-8: the parser of the
                // skeleton is to see them.
                Unescaped::Raw(byte @ b' '..=0x7f) => judge(&mut self.head, byte),
                Unescaped::Char(char) if char.is_ascii() => judge(&mut self.head, char as u8),
                Unescaped::Raw(_) | Unescaped::Char(_) | Unescaped::Wrong => Verdict::Text,
            };
            match verdict {
                Verdict::Open => continue,
                Verdict::Text => {
                    self.keep(&window[..=k])?;
                    self.state = State::Text;
                }
                Verdict::Base64 { head } => {
                    self.skeleton.truncate(start);
                    self.begin_blob(self.offset + k as u64, head)?;
                }
            }
            return Ok(k + 1);
        }
        self.keep(window)?;
        Ok(window.len())
    }

    /// The string is base64, as shows at this place; `head` bytes of it are not.
    fn begin_blob(&mut self, at: u64, head: usize) -> Result<(), ScanError> {
        if self.images == self.limits.images {
            return Err(self.error(Cause::TooManyImages(self.limits.images), at));
        }
        let handle = format!("{}\"", self.mark.handle(self.images));
        self.keep(handle.as_bytes())?;
        self.images += 1;
        self.blob = Blob {
            at,
            out: std::mem::take(&mut self.blob.out),
            gathered: std::mem::take(&mut self.blob.gathered),
            ..Blob::default()
        };
        self.state = State::Blob;
        for byte in std::mem::take(&mut self.head).split_off(head) {
            self.character(byte, at)?;
        }
        Ok(())
    }

    /// Reads on in a picture: how many bytes, and what came out.
    fn blob(&mut self, window: &[u8]) -> Result<(usize, Option<Step>), ScanError> {
        self.blob.reserve();
        let room = self.blob.room();
        if room == 0 {
            self.blob.flush();
            return Ok((0, Some(self.block()?)));
        }
        let window = &window[..window.len().min(room)];
        if self.escape.is_some() {
            return self.characters(window);
        }
        if self.blob.is_aligned() {
            let read = self.blob.decode(window, self.kernel);
            if read > 0 {
                return Ok((read, None));
            }
        }
        if self.blob.text == Text::Unclean {
            let run = &window[..decode::run_length(window)];
            if !run.is_empty() {
                return self.unclean_run(run);
            }
        }
        self.characters(window)
    }

    /// Cleans a run that has neither quote nor backslash in it.
    fn unclean_run(&mut self, run: &[u8]) -> Result<(usize, Option<Step>), ScanError> {
        for (k, &byte) in run.iter().enumerate() {
            let at = self.offset + k as u64;
            if byte < b' ' {
                return Err(self.error(Cause::NotBase64, at));
            }
            self.character(byte, at)?;
        }
        Ok((run.len(), None))
    }

    /// Reads character by character to where one of the faster ways can take over.
    fn characters(&mut self, window: &[u8]) -> Result<(usize, Option<Step>), ScanError> {
        for (k, &byte) in window.iter().enumerate() {
            let at = self.offset + k as u64;
            match unescape(&mut self.escape, byte) {
                Unescaped::Nothing => {}
                Unescaped::End => return Ok((k + 1, self.end_blob(at)?)),
                Unescaped::Raw(byte) if byte >= b' ' => self.character(byte, at)?,
                Unescaped::Char(char) if char.is_ascii() => self.character(char as u8, at)?,
                Unescaped::Raw(_) | Unescaped::Char(_) | Unescaped::Wrong => {
                    return Err(self.error(Cause::NotBase64, at));
                }
            }
            let is_unclean = self.blob.text == Text::Unclean;
            if self.escape.is_none() && (is_unclean || self.blob.is_aligned()) {
                return Ok((k + 1, None));
            }
        }
        Ok((window.len(), None))
    }

    fn character(&mut self, byte: u8, at: u64) -> Result<(), ScanError> {
        match class(byte) {
            Class::Symbol(symbol) if self.blob.pads == 0 => self.blob.push(symbol),
            Class::Space => {}
            Class::Pad if self.blob.pads < 2 => self.blob.pads += 1,
            _ => return Err(self.error(Cause::NotBase64, at)),
        }
        Ok(())
    }

    fn end_blob(&mut self, at: u64) -> Result<Option<Step>, ScanError> {
        if !self.blob.end() {
            return Err(self.error(Cause::BadEnding, at));
        }
        self.state = State::BlobEnd;
        if self.blob.out.is_empty() {
            return Ok(None);
        }
        self.block().map(Some)
    }

    fn block(&mut self) -> Result<Step, ScanError> {
        let block = std::mem::take(&mut self.blob.out);
        self.blob.length += block.len() as u64;
        if self.blob.length > self.limits.image {
            let cause = Cause::ImageTooLarge(self.limits.image);
            return Err(self.error(cause, self.blob.at));
        }
        Ok(Step::Block(block.into()))
    }
}

impl Blob {
    /// Decoders append, and would make room for no more than they need.
    fn reserve(&mut self) {
        if self.out.capacity() < BLOCK_BYTES {
            self.out.reserve_exact(BLOCK_BYTES - self.out.len());
        }
    }

    /// How many characters the block still takes.
    fn room(&self) -> usize {
        (BLOCK_BYTES - self.out.len()) / 3 * 4 - self.gathered.len()
    }

    /// Whether a kernel can go on from here.
    fn is_aligned(&self) -> bool {
        self.text != Text::Unclean && self.gathered.is_empty() && self.pads == 0
    }

    /// Decodes the beginning of a window, as far as a kernel takes it.
    fn decode(&mut self, window: &[u8], kernel: Kernel) -> usize {
        // What is shorter, or has its end or an escape right here, says nothing about the rest.
        let is_telling = decode::run_length(&window[..window.len().min(4)]) == 4;
        let (read, next) = match self.text {
            Text::Standard => (kernel(window, &mut self.out), Text::UrlSafe),
            _ => (decode::url_safe(window, &mut self.out), Text::Unclean),
        };
        if read == 0 && is_telling {
            self.text = next;
        }
        read
    }

    fn push(&mut self, symbol: u8) {
        self.gathered.push(symbol);
        let enough = match self.text {
            Text::Unclean => GATHER_CHARACTERS,
            Text::Standard | Text::UrlSafe => 4,
        };
        if self.gathered.len() >= enough {
            self.flush();
        }
    }

    /// Decodes the whole quads that were gathered.
    fn flush(&mut self) {
        self.reserve();
        let read = decode::portable(&self.gathered, &mut self.out);
        self.gathered.drain(..read);
    }

    /// Decodes the rest; `false` if the text cannot end here.
    fn end(&mut self) -> bool {
        self.flush();
        let rest = std::mem::take(&mut self.gathered);
        let is_padded = self.pads == 0 || rest.len() + usize::from(self.pads) == 4;
        is_padded && rest.len() != 1 && decode::tail(&rest, &mut self.out)
    }
}

/// What the beginning of a string says about it.
enum Verdict {
    /// Nothing yet.
    Open,
    Text,
    /// Base64, but for so many bytes at the beginning.
    Base64 {
        head: usize,
    },
}

/// Judges a string by its next character; those before were `Open`.
fn judge(head: &mut Vec<u8>, byte: u8) -> Verdict {
    const SCHEME: &[u8] = b"data:";
    head.push(byte);
    let length = head.len();
    let is_data = length >= SCHEME.len() && head[..SCHEME.len()].eq_ignore_ascii_case(SCHEME);
    if is_data {
        return match byte {
            b',' if is_base64_head(&head[..length - 1]) => Verdict::Base64 { head: length },
            b',' => Verdict::Text,
            _ if length == MAX_DATA_HEAD => Verdict::Text,
            _ => Verdict::Open,
        };
    }
    match class(byte) {
        Class::Symbol(_) | Class::Space if byte != b' ' && length == MIN_BARE_CHARACTERS => {
            Verdict::Base64 { head: 0 }
        }
        Class::Symbol(_) | Class::Space if byte != b' ' => Verdict::Open,
        _ => Verdict::Text,
    }
}

/// `data:image/png;base64`
fn is_base64_head(head: &[u8]) -> bool {
    const ENDING: &[u8] = b";base64";
    head.len() >= ENDING.len() && head[head.len() - ENDING.len()..].eq_ignore_ascii_case(ENDING)
}

/// An escape, from behind its backslash.
#[derive(Default)]
struct Escape {
    /// Read of `u0000`.
    length: u8,
    code: u16,
}

/// What a byte of a string says once escapes are read.
enum Unescaped {
    /// It is within an escape.
    Nothing,
    /// It stands for itself.
    Raw(u8),
    /// It ends the escape of this.
    Char(char),
    /// No such escape, or half of a surrogate pair. Pairs need no joining: what they stand for is no base64 and in no
    /// key that we know.
    Wrong,
    /// It ends the string.
    End,
}

fn unescape(escape: &mut Option<Escape>, byte: u8) -> Unescaped {
    let Some(open) = escape else {
        return match byte {
            b'"' => Unescaped::End,
            b'\\' => {
                *escape = Some(Escape::default());
                Unescaped::Nothing
            }
            _ => Unescaped::Raw(byte),
        };
    };
    let unescaped = open.push(byte);
    if !matches!(unescaped, Unescaped::Nothing) {
        *escape = None;
    }
    unescaped
}

impl Escape {
    fn push(&mut self, byte: u8) -> Unescaped {
        if self.length > 0 {
            return self.push_digit(byte);
        }
        match byte {
            b'"' | b'\\' | b'/' => Unescaped::Char(char::from(byte)),
            b'n' => Unescaped::Char('\n'),
            b'r' => Unescaped::Char('\r'),
            b't' => Unescaped::Char('\t'),
            b'b' => Unescaped::Char('\x08'),
            b'f' => Unescaped::Char('\x0c'),
            b'u' => {
                self.length = 1;
                Unescaped::Nothing
            }
            _ => Unescaped::Wrong,
        }
    }

    fn push_digit(&mut self, byte: u8) -> Unescaped {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Unescaped::Wrong;
        };
        self.code = self.code << 4 | u16::try_from(digit).unwrap_or(0);
        self.length += 1;
        if self.length < 5 {
            return Unescaped::Nothing;
        }
        char::from_u32(u32::from(self.code)).map_or(Unescaped::Wrong, Unescaped::Char)
    }
}
