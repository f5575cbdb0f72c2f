//! Reads format and size from an image's header, as the bytes pass by, without decoding a pixel.
//!
//! Nothing that a name or a `Content-Type` claims counts. At most `HEAD_BYTES` are kept; a JPEG, whose size may
//! stand behind any amount of metadata, is walked marker by marker instead.

use crate::types::Format;

/// What is kept of the beginning.
const HEAD_BYTES: usize = 4096;

/// The most pixels that an image may have.
pub const MAX_PIXELS: u64 = 64_000_000;

/// What an image's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format.
    pub format: Format,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
}

/// Why bytes are not an image that we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No format that we know.
    #[error("the bytes are not a PNG, JPEG, WebP, GIF or AVIF image")]
    Unknown,
    /// The format is clear and the size cannot be read.
    #[error("the {} header is damaged or cut off", .0.name())]
    Damaged(Format),
    /// More pixels than we take.
    #[error("the image has {width} x {height} pixels; at most {MAX_PIXELS} pixels are taken")]
    TooManyPixels {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
}

/// Watches the bytes of one image go by.
#[derive(Default)]
pub struct Probe {
    head: Vec<u8>,
    jpeg: Option<JpegWalk>,
}

impl Probe {
    /// Looks at the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some(walk) = &mut self.jpeg {
            return walk.feed(bytes);
        }
        let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        let was_short = self.head.len() < 3;
        self.head.extend_from_slice(&bytes[..wanted]);
        if was_short && self.head.starts_with(b"\xff\xd8\xff") {
            let mut walk = JpegWalk::default();
            walk.feed(&self.head[2..]);
            walk.feed(&bytes[wanted..]);
            self.jpeg = Some(walk);
        }
    }

    /// The first bytes of what was fed.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The verdict on what was fed so far.
    pub fn header(&self) -> Result<Header, ProbeError> {
        let format = self.format().ok_or(ProbeError::Unknown)?;
        let size = match (format, &self.jpeg) {
            (Format::Png, _) => png_size(&self.head),
            (Format::Gif, _) => gif_size(&self.head),
            (Format::Webp, _) => webp_size(&self.head),
            (Format::Avif, _) => avif_size(&self.head),
            (Format::Jpeg, Some(walk)) => walk.size,
            (Format::Jpeg, None) => None,
        };
        let (width, height) = size
            .filter(|&(w, h)| w > 0 && h > 0)
            .ok_or(ProbeError::Damaged(format))?;
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(ProbeError::TooManyPixels { width, height });
        }
        Ok(Header {
            format,
            width,
            height,
        })
    }

    fn format(&self) -> Option<Format> {
        let head = self.head.as_slice();
        match head {
            _ if head.starts_with(b"\x89PNG\r\n\x1a\n") => Some(Format::Png),
            _ if head.starts_with(b"\xff\xd8\xff") => Some(Format::Jpeg),
            _ if head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a") => Some(Format::Gif),
            _ if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") => {
                Some(Format::Webp)
            }
            _ if head.get(4..8) == Some(b"ftyp")
                && matches!(head.get(8..12), Some(b"avif" | b"avis")) =>
            {
                Some(Format::Avif)
            }
            _ => None,
        }
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_le_bytes(
        bytes.get(at..at + 2)?.try_into().ok()?,
    )))
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let three = bytes.get(at..at + 3)?;
    Some(u32::from(three[0]) | u32::from(three[1]) << 8 | u32::from(three[2]) << 16)
}

/// The IHDR chunk must come first (PNG specification, 11.2.1).
fn png_size(head: &[u8]) -> Option<(u32, u32)> {
    (head.get(12..16)? == b"IHDR").then_some(())?;
    Some((be32(head, 16)?, be32(head, 20)?))
}

/// The logical screen's size.
fn gif_size(head: &[u8]) -> Option<(u32, u32)> {
    Some((le16(head, 6)?, le16(head, 8)?))
}

/// The three forms of the first chunk (RFC 9649, 2.5 to 2.7).
fn webp_size(head: &[u8]) -> Option<(u32, u32)> {
    match head.get(12..16)? {
        b"VP8X" => Some((le24(head, 24)? + 1, le24(head, 27)? + 1)),
        b"VP8L" => {
            (*head.get(20)? == 0x2f).then_some(())?;
            let bits = u32::from_le_bytes(head.get(21..25)?.try_into().ok()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8 " => {
            (head.get(23..26)? == b"\x9d\x01\x2a").then_some(())?;
            Some((le16(head, 26)? & 0x3fff, le16(head, 28)? & 0x3fff))
        }
        _ => None,
    }
}

/// The largest `ispe` (image spatial extents) property of the beginning: the image itself, not its alpha's or
/// thumbnail's smaller one.
fn avif_size(head: &[u8]) -> Option<(u32, u32)> {
    let sizes = (0..head.len().saturating_sub(15)).filter(|&at| &head[at..at + 4] == b"ispe");
    sizes
        .filter_map(|at| Some((be32(head, at + 8)?, be32(head, at + 12)?)))
        .max_by_key(|&(w, h)| u64::from(w) * u64::from(h))
}

/// Walks a JPEG from marker to marker until a frame header tells the size (ITU-T T.81, B.2.2).
#[derive(Default)]
struct JpegWalk {
    size: Option<(u32, u32)>,
    /// No frame header can follow any more.
    over: bool,
    /// Bytes of the current segment still to pass over.
    skip: usize,
    /// What is gathered of a marker: `FF xx`, length, and for a frame header precision, height and width.
    marker: Vec<u8>,
}

impl JpegWalk {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.over {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = &bytes[passed..];
            if let Some((&byte, rest)) = bytes.split_first() {
                self.marker.push(byte);
                bytes = rest;
                self.look_at_marker();
            }
        }
    }

    fn look_at_marker(&mut self) {
        match *self.marker.as_slice() {
            [0xff] => {}
            [_] => self.over = true,
            // Fill bytes before a marker, and markers that stand alone.
            [0xff, 0xff] => drop(self.marker.pop()),
            [0xff, 0x01 | 0xd0..=0xd8] => self.marker.clear(),
            // End of image, start of scan: too late for a frame header.
            [0xff, 0xd9 | 0xda] => self.over = true,
            [0xff, kind, high, low] if !is_frame(kind) => {
                self.skip = usize::from(u16::from_be_bytes([high, low])).saturating_sub(2);
                self.marker.clear();
            }
            [0xff, kind, _, _, _, h1, h2, w1, w2] if is_frame(kind) => {
                self.size = Some((
                    u32::from(u16::from_be_bytes([w1, w2])),
                    u32::from(u16::from_be_bytes([h1, h2])),
                ));
                self.over = true;
            }
            _ => {}
        }
    }
}

/// SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC).
fn is_frame(kind: u8) -> bool {
    matches!(kind, 0xc0..=0xcf) && !matches!(kind, 0xc4 | 0xc8 | 0xcc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat};
    use proptest::prelude::*;

    fn probe(bytes: &[u8], chunk: usize) -> Result<Header, ProbeError> {
        let mut probe = Probe::default();
        bytes.chunks(chunk).for_each(|part| probe.feed(part));
        probe.header()
    }

    fn encoded(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height)
            .write_to(&mut bytes, format)
            .expect("it encodes");
        bytes.into_inner()
    }

    #[test]
    fn real_images_are_read_however_they_are_cut() {
        for (image_format, format) in [
            (ImageFormat::Png, Format::Png),
            (ImageFormat::Jpeg, Format::Jpeg),
            (ImageFormat::WebP, Format::Webp),
        ] {
            let bytes = encoded(image_format, 300, 7);
            for chunk in [1, 2, 3, 5, 64, 100_000] {
                assert_eq!(
                    probe(&bytes, chunk),
                    Ok(Header {
                        format,
                        width: 300,
                        height: 7
                    }),
                    "{format:?} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn a_jpeg_with_a_megabyte_of_metadata_is_read() {
        let plain = encoded(ImageFormat::Jpeg, 33, 44);
        let mut bytes = plain[..2].to_vec();
        for _ in 0..16 {
            bytes.extend([0xff, 0xe1, 0xff, 0xff]);
            bytes.extend(vec![0xc0; 0xfffd]);
        }
        bytes.extend(&plain[2..]);
        for chunk in [1, 1000, 4096, 5000] {
            assert_eq!(
                probe(&bytes, chunk),
                Ok(Header {
                    format: Format::Jpeg,
                    width: 33,
                    height: 44
                })
            );
        }
    }

    #[test]
    fn gif_avif_and_both_old_webp_forms_are_read() {
        let check = |bytes: &[u8], format, width, height| {
            assert_eq!(
                probe(bytes, 3),
                Ok(Header {
                    format,
                    width,
                    height
                })
            );
        };
        check(b"GIF89a\x40\x01\xf0\x00", Format::Gif, 320, 240);
        check(b"\0\0\0\x20ftypavif\0\0\0\0ispe\0\0\0\0\0\0\0\x40\0\0\0\x30ispe\0\0\0\0\0\0\0\x08\0\0\0\x08", Format::Avif, 64, 48);
        check(
            b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x40\x01\xf0\x00",
            Format::Webp,
            320,
            240,
        );
        check(
            b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x3f\x01\x00\xef\x00\x00",
            Format::Webp,
            320,
            240,
        );
    }

    #[test]
    fn what_is_no_image_or_too_large_is_refused() {
        for text in [
            &b""[..],
            b"\xff",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<!doctype html>",
            b"%PDF-1.7",
            b"BM\0\0",
        ] {
            assert_eq!(probe(text, 1), Err(ProbeError::Unknown));
        }
        assert_eq!(
            probe(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", 4),
            Err(ProbeError::Damaged(Format::Png))
        );
        assert_eq!(
            probe(b"\xff\xd8\xff\xd9", 1),
            Err(ProbeError::Damaged(Format::Jpeg))
        );
        assert_eq!(
            probe(b"GIF89a\0\0\0\0", 4),
            Err(ProbeError::Damaged(Format::Gif))
        );
        let bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x2a\xf8\0\0\x2a\xf8";
        assert_eq!(
            probe(bomb, 8),
            Err(ProbeError::TooManyPixels {
                width: 11_000,
                height: 11_000
            })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_cutting_changes_nothing(
            magic in prop::sample::select(vec![&b""[..], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBPVP8", b"0000ftypavif", b"GIF89a"]),
            tail in prop::collection::vec(any::<u8>(), 0..6000),
            chunk in 1usize..5000,
        ) {
            let bytes = [magic, &tail].concat();
            prop_assert_eq!(probe(&bytes, chunk), probe(&bytes, usize::MAX));
        }
    }
}
