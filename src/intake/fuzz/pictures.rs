//! An image's header, against the decoders that will read the image: where both say what it is, they say the same.

use super::pieces;
use crate::blob::probe::{MAX_PIXELS, Probe};
use crate::types::Format;
use image::{ImageFormat, ImageReader};
use std::io::Cursor;

/// The first byte says how the rest is cut.
pub(crate) fn picture(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else {
        return;
    };
    let feed = |pieces: &[&[u8]]| {
        let mut probe = Probe::default();
        pieces.iter().for_each(|piece| probe.feed(piece));
        probe.header()
    };
    let whole = feed(&[bytes]);
    assert_eq!(feed(&pieces(*how, bytes)), whole, "cut by {how}");
    let Ok(header) = whole else { return };
    assert!(header.width > 0 && header.height > 0);
    assert!(u64::from(header.width) * u64::from(header.height) <= MAX_PIXELS);
    let format = match header.format {
        Format::Png => ImageFormat::Png,
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Webp => ImageFormat::WebP,
        Format::Gif | Format::Avif => return,
    };
    if let Ok(size) = ImageReader::with_format(Cursor::new(bytes), format).into_dimensions() {
        assert_eq!(size, (header.width, header.height), "{format:?}");
    }
}
