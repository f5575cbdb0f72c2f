//! Whether an image is all there. A header says nothing of the rest, and base64 that is cut off mostly still decodes.
//! The last part of a blob mostly shows it while it is written; if not, the blob is read.

use super::{BlobError, Blobs};
use crate::types::{Format, Picture};
use futures::TryStreamExt;
use memchr::memmem;

/// How much of the end is looked at: encoders may put something behind an image's own end.
const TAIL_BYTES: u64 = 64 * 1024;

/// Whether the end that the format prescribes is there. Formats without such a mark count as whole.
pub(super) async fn is_whole(blobs: &Blobs, picture: &Picture) -> Result<bool, BlobError> {
    let head = read(blobs, picture, 0..picture.bytes.min(8)).await?;
    let tail = read(
        blobs,
        picture,
        picture.bytes.saturating_sub(TAIL_BYTES)..picture.bytes,
    )
    .await?;
    Ok(has_end(picture.format, picture.bytes, &head, &tail))
}

async fn read(
    blobs: &Blobs,
    picture: &Picture,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, BlobError> {
    let blocks = blobs.read(&picture.blob, range).await?;
    let join = |mut all: Vec<u8>, block: bytes::Bytes| async move {
        all.extend_from_slice(&block);
        Ok(all)
    };
    blocks.try_fold(Vec::new(), join).await
}

/// Whether these last bytes hold the end that the format prescribes, of an image of so many bytes that begins with `head`.
pub(super) fn has_end(format: Format, bytes: u64, head: &[u8], tail: &[u8]) -> bool {
    match format {
        // The last chunk, with its checksum.
        Format::Png => memmem::rfind(tail, b"IEND\xae\x42\x60\x82").is_some(),
        // End of image: nowhere within the coded data stands FF before anything but 00 or a restart.
        Format::Jpeg => memmem::rfind(tail, b"\xff\xd9").is_some(),
        // The length that the container's head tells.
        Format::Webp => {
            let told = head.get(4..8).and_then(|four| four.try_into().ok());
            told.is_some_and(|four| u64::from(u32::from_le_bytes(four)) + 8 <= bytes)
        }
        Format::Gif | Format::Avif => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat};

    #[test]
    fn what_is_cut_off_is_seen() {
        for (image_format, format) in [
            (ImageFormat::Png, Format::Png),
            (ImageFormat::Jpeg, Format::Jpeg),
            (ImageFormat::WebP, Format::Webp),
        ] {
            let mut file = std::io::Cursor::new(Vec::new());
            DynamicImage::new_rgb8(64, 64)
                .write_to(&mut file, image_format)
                .expect("it encodes");
            let file = file.into_inner();
            let check = |bytes: &[u8]| {
                has_end(
                    format,
                    bytes.len() as u64,
                    &bytes[..bytes.len().min(8)],
                    bytes,
                )
            };
            assert!(check(&file), "{format:?}");
            assert!(
                check(&[&file[..], b"more"].concat()),
                "{format:?} with something behind it"
            );
            for cut in [1, 2, 10, file.len() / 2] {
                assert!(
                    !check(&file[..file.len() - cut]),
                    "{format:?} without its last {cut} bytes"
                );
            }
        }
    }
}
