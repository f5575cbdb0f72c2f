//! The last pass: a slight vignette and fine grain, so that a computed picture feels like one that was taken.

use crate::provider::sketch::draw::noise::{hash, smooth};
use crate::provider::sketch::draw::picture::Picture;
use crate::provider::sketch::draw::plan::Plan;

pub(super) fn grade(picture: &mut Picture, plan: &mut Plan) {
    let seed = plan.dice.seed();
    let (width, height) = (plan.width, plan.height);
    let vignette = if plan.transparent { 0.0 } else { 0.16 };
    for y in 0..picture.height() {
        let dy = (y as f32 + 0.5) / height - 0.5;
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let dx = (x as f32 + 0.5) / width - 0.5;
            let dim = 1.0 - vignette * smooth(0.10, 0.62, dx * dx + dy * dy);
            // Two halves of one hash added up: small deviations are likelier than large ones.
            let bits = hash(x as u32, y, seed);
            let grain = ((bits & 0xffff) as f32 + (bits >> 16) as f32) * (5.0 / 65_535.0) - 5.0;
            for channel in &mut pixel[..3] {
                *channel = (f32::from(*channel) * dim + grain + 0.5) as u8;
            }
        }
    }
}
