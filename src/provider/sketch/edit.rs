//! Edits: the drawing is laid into the input image, in the input's colours.
//!
//! With a mask, only where the mask is transparent (OpenAI's polarity), with an edge feathered *inwards*, so that outside
//! the mask not one pixel changes. Without one, over the whole picture, half and half.

use super::draw::Picture;
use image::imageops::FilterType;
use image::{DynamicImage, ImageReader, Limits, RgbaImage};
use std::io::Cursor;

/// The most memory that decoding one input may take: 64 megapixels in RGBA.
const DECODE_BYTES: u64 = 256 * 1024 * 1024;

/// How much of the drawing shows where there is no mask, of 255.
const WITHOUT_MASK: u32 = 140;

/// Why an input could not be used.
#[derive(Debug, thiserror::Error)]
#[error("an input image cannot be decoded: {0}")]
pub struct EditError(#[from] image::ImageError);

/// Lays `drawn` into an input image, which is cut to the drawing's shape first.
pub fn lay_into(drawn: &Picture, image: &[u8], mask: Option<&[u8]>) -> Result<Picture, EditError> {
    let canvas = fitted(image, drawn)?;
    let weights = match mask {
        Some(mask) => weights(&fitted(mask, drawn)?),
        None => vec![WITHOUT_MASK; canvas.width() as usize * canvas.height() as usize],
    };
    let tint = Tint::between(drawn.rgba(), canvas.as_raw());
    let mut result = drawn.clone();
    let pixels = result.rgba_mut().as_chunks_mut::<4>().0;
    let inputs = canvas.as_raw().as_chunks::<4>().0;
    for ((pixel, input), &weight) in pixels.iter_mut().zip(inputs).zip(&weights) {
        *pixel = mix(input, &tint.of(pixel), weight);
    }
    Ok(result)
}

/// Decodes under limits and cuts to the size of the drawing. An image that has that size already is not resampled.
fn fitted(bytes: &[u8], drawn: &Picture) -> Result<RgbaImage, EditError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(image::ImageError::IoError)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODE_BYTES);
    reader.limits(limits);
    let decoded = reader.decode()?;
    let (width, height) = (drawn.width(), drawn.height());
    if (decoded.width(), decoded.height()) == (width, height) {
        return Ok(decoded.into_rgba8());
    }
    Ok(DynamicImage::resize_to_fill(&decoded, width, height, FilterType::Triangle).into_rgba8())
}

/// How much of the drawing shows at each pixel, of 255: zero wherever the mask is opaque, rising inwards from its edge.
fn weights(mask: &RgbaImage) -> Vec<u32> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let holes: Vec<u32> = mask
        .pixels()
        .map(|pixel| 255 - u32::from(pixel.0[3]))
        .collect();
    let radius = (width.min(height) / 64).max(1);
    let across = blurred(&holes, width, radius);
    let down = transposed(
        &blurred(&transposed(&across, width), height, radius),
        height,
    );
    holes
        .iter()
        .zip(down)
        .map(|(&hole, near)| hole.min(near.saturating_sub(127) * 2))
        .collect()
}

/// Each row's running mean over `radius` pixels to either side; beyond the border the last pixel goes on.
fn blurred(values: &[u32], width: usize, radius: usize) -> Vec<u32> {
    let span = u32::try_from(2 * radius + 1).unwrap_or(1);
    let mut result = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        let at = |k: usize| row[k.saturating_sub(radius).min(width - 1)];
        let mut sum: u32 = (0..=2 * radius).map(at).sum();
        for x in 0..width {
            result.push(sum / span);
            sum = sum + at(x + 2 * radius + 1) - at(x);
        }
    }
    result
}

fn transposed(values: &[u32], width: usize) -> Vec<u32> {
    let height = values.len() / width;
    (0..width)
        .flat_map(|x| (0..height).map(move |y| values[y * width + x]))
        .collect()
}

/// Moves colours so that their mean and spread are those of another picture.
struct Tint {
    from: [Spread; 3],
    to: [Spread; 3],
}

#[derive(Clone, Copy)]
struct Spread {
    mean: i64,
    /// Mean distance from the mean, at least 1.
    width: i64,
}

impl Tint {
    fn between(drawn: &[u8], input: &[u8]) -> Self {
        Self {
            from: [0, 1, 2].map(|channel| spread(drawn, channel)),
            to: [0, 1, 2].map(|channel| spread(input, channel)),
        }
    }

    fn of(&self, pixel: &[u8; 4]) -> [u8; 4] {
        let moved = [0, 1, 2].map(|channel| {
            let (from, to) = (self.from[channel], self.to[channel]);
            // A flat input must not make everything one colour, nor a loud one blow a calm drawing up.
            let gain = (to.width * 256 / from.width).clamp(128, 512);
            let value = to.mean + (i64::from(pixel[channel]) - from.mean) * gain / 256;
            u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
        });
        [moved[0], moved[1], moved[2], pixel[3]]
    }
}

fn spread(pixels: &[u8], channel: usize) -> Spread {
    let values = || {
        pixels
            .as_chunks::<4>()
            .0
            .iter()
            .map(|pixel| i64::from(pixel[channel]))
    };
    let count = i64::try_from(pixels.len() / 4).unwrap_or(1).max(1);
    let mean = values().sum::<i64>() / count;
    let width = values().map(|value| (value - mean).abs()).sum::<i64>() / count;
    Spread {
        mean,
        width: width.max(1),
    }
}

/// `weight` of 255 parts of the drawing over the input.
fn mix(input: &[u8; 4], drawn: &[u8; 4], weight: u32) -> [u8; 4] {
    // A see-through drawing shows as much less of itself.
    let weight = weight * u32::from(drawn[3]) / 255;
    [0, 1, 2, 3].map(|channel| {
        let top = if channel == 3 {
            255
        } else {
            u32::from(drawn[channel])
        };
        let sum = u32::from(input[channel]) * (255 - weight) + top * weight;
        u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::super::draw::{Scene, draw};
    use super::*;
    use image::{ImageFormat, Rgba};

    fn png(image: RgbaImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(image)
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    fn noise(width: u32, height: u32) -> RgbaImage {
        RgbaImage::from_fn(width, height, |x, y| {
            let value = u8::try_from((x * 7 + y * 13) % 256).unwrap();
            Rgba([value, value.wrapping_mul(3), 200, 255])
        })
    }

    fn drawn(width: u32, height: u32) -> Picture {
        drawn_of("a lake at dusk", width, height)
    }

    fn drawn_of(prompt: &str, width: u32, height: u32) -> Picture {
        let scene = Scene {
            prompt,
            width,
            height,
            seed: 1,
            index: 0,
            transparent: false,
        };
        draw(&scene, &mut |_, _| {})
    }

    #[test]
    fn outside_the_mask_nothing_changes_and_inside_everything_does() {
        let input = noise(128, 96);
        let in_hole = |x: u32, y: u32| (32..96).contains(&x) && (24..72).contains(&y);
        let mask = RgbaImage::from_fn(128, 96, |x, y| {
            Rgba([0, 0, 0, if in_hole(x, y) { 0 } else { 255 }])
        });
        for prompt in [
            "a lake at dusk",
            "bauhaus poster",
            "fern",
            "terrazzo",
            "silk ribbons",
        ] {
            let drawn = drawn_of(prompt, 128, 96);
            let result = lay_into(&drawn, &png(input.clone()), Some(&png(mask.clone()))).unwrap();
            let pixels = result.rgba().as_chunks::<4>().0;
            let mut changed = 0;
            for (pixel, (x, y, before)) in pixels.iter().zip(input.enumerate_pixels()) {
                if !in_hole(x, y) {
                    assert_eq!(*pixel, before.0, "{prompt}: at {x}, {y}");
                }
                changed += u32::from(*pixel != before.0);
            }
            assert!(
                changed > 64 * 48 * 3 / 4,
                "{prompt}: {changed} pixels changed"
            );
        }
    }

    #[test]
    fn without_a_mask_the_input_shines_through() {
        let plain = RgbaImage::from_pixel(64, 64, Rgba([250, 10, 10, 255]));
        let result = lay_into(&drawn(64, 64), &png(plain), None).unwrap();
        let red = result
            .rgba()
            .as_chunks::<4>()
            .0
            .iter()
            .filter(|pixel| pixel[0] > pixel[2])
            .count();
        assert!(red > 64 * 64 * 9 / 10, "{red} pixels are red");
    }

    #[test]
    fn another_size_is_cut_and_what_is_no_image_is_an_error() {
        let result = lay_into(&drawn(64, 96), &png(noise(300, 100)), None).unwrap();
        assert_eq!((result.width(), result.height()), (64, 96));
        assert!(lay_into(&drawn(16, 16), b"\x89PNG\r\n\x1a\n and nothing more", None).is_err());
        for (width, height) in [(1, 1), (1, 50), (50, 1)] {
            let mask = RgbaImage::new(width, height);
            lay_into(
                &drawn(width, height),
                &png(noise(width, height)),
                Some(&png(mask)),
            )
            .unwrap();
        }
    }
}
