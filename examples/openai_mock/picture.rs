//! Pictures that are made once and sent from memory: noise, so that they are as large as real ones.

use axum::body::Bytes;
use base64_simd::STANDARD;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use std::collections::HashMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

/// Which picture.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    pub width: u32,
    pub height: u32,
    /// `png`, `jpeg` or `webp`.
    pub format: String,
    pub transparent: bool,
    /// How many characters its base64 text shall have: a PNG of one colour, and noise that decoders pass over.
    pub text: Option<usize>,
}

/// A picture, as it is and as text.
pub struct File {
    pub bytes: Bytes,
    pub base64: Bytes,
}

/// Every picture so far.
#[derive(Default)]
pub struct Album(Mutex<HashMap<Kind, Arc<File>>>);

impl Album {
    /// If it was made already.
    pub fn find(&self, kind: &Kind) -> Option<Arc<File>> {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(kind).cloned()
    }

    pub fn get(&self, kind: &Kind) -> Arc<File> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = made.entry(kind.clone()).or_insert_with(|| {
            let bytes = match kind.text {
                Some(text) => weigh(kind, text / 4 * 3),
                None => draw(kind),
            };
            let base64 = STANDARD.encode_to_string(&bytes).into();
            Arc::new(File {
                bytes: bytes.into(),
                base64,
            })
        });
        Arc::clone(file)
    }

    /// `1024x640.png`
    pub fn by_name(&self, name: &str) -> Option<Arc<File>> {
        let (size, format) = name.split_once('.')?;
        let (width, height) = size_of(size)?;
        matches!(format, "png" | "jpeg" | "webp").then(|| {
            let format = format.to_owned();
            self.get(&Kind {
                width,
                height,
                format,
                transparent: false,
                text: None,
            })
        })
    }
}

/// `1024x640`
pub fn size_of(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// Noise that is the same for the same picture.
fn noise(kind: &Kind) -> impl FnMut() -> [u8; 8] {
    let mut state =
        0x2545_f491_4f6c_dd1d_u64 ^ u64::from(kind.width) << 32 ^ u64::from(kind.height);
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    }
}

/// A PNG of so many bytes, or of the fewest that its size takes.
fn weigh(kind: &Kind, bytes: usize) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(RgbImage::new(kind.width, kind.height))
        .write_to(&mut file, ImageFormat::Png)
        .expect("memory takes every picture");
    let mut file = file.into_inner();
    // A chunk that no decoder knows and none minds, before the twelve bytes of the last one.
    let end = file.split_off(file.len() - 12);
    let length = bytes.saturating_sub(file.len() + end.len() + 12);
    let mut noise = noise(kind);
    let mut chunk = b"noIs".to_vec();
    while chunk.len() < 4 + length {
        chunk.extend(noise());
    }
    chunk.truncate(4 + length);
    file.extend(
        u32::try_from(length)
            .expect("a chunk's length")
            .to_be_bytes(),
    );
    file.extend(&chunk);
    file.extend(crc32fast::hash(&chunk).to_be_bytes());
    file.extend(end);
    file
}

fn draw(kind: &Kind) -> Vec<u8> {
    let mut noise = noise(kind);
    let (width, height) = (kind.width, kind.height);
    let picture: DynamicImage = if kind.transparent {
        RgbaImage::from_fn(width, height, |_, _| {
            image::Rgba(noise()[..4].try_into().expect("four bytes"))
        })
        .into()
    } else {
        RgbImage::from_fn(width, height, |_, _| {
            image::Rgb(noise()[..3].try_into().expect("three bytes"))
        })
        .into()
    };
    let mut file = Cursor::new(Vec::new());
    match kind.format.as_str() {
        "jpeg" => picture.to_rgb8().write_to(&mut file, ImageFormat::Jpeg),
        "webp" => picture.write_with_encoder(WebPEncoder::new_lossless(&mut file)),
        _ => picture.write_to(&mut file, ImageFormat::Png),
    }
    .expect("memory takes every picture");
    file.into_inner()
}
