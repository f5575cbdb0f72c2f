//! The last pass: a slight vignette and fine grain, so that a computed picture feels like one that was taken or printed.

use super::noise::{hash, smooth};
use super::picture::Picture;

/// Darkens the corners by `vignette` (0..=1) and adds grain of up to `grain` levels.
pub(super) fn grade(picture: &mut Picture, seed: u32, vignette: f32, grain: f32) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let per_bit = grain / 65_535.0;
    for y in 0..picture.height() {
        let dy = (y as f32 + 0.5) / height - 0.5;
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let dx = (x as f32 + 0.5) / width - 0.5;
            let dim = 1.0 - vignette * smooth(0.10, 0.62, dx * dx + dy * dy);
            // Two halves of one hash added up: small deviations are likelier than large ones.
            let bits = hash(x as u32, y, seed);
            let speck = ((bits & 0xffff) as f32 + (bits >> 16) as f32) * per_bit - grain;
            for channel in &mut pixel[..3] {
                *channel = (f32::from(*channel) * dim + speck + 0.5) as u8;
            }
        }
    }
}
