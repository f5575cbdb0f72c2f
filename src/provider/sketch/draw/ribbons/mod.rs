//! Ribbons in a flow field: flat bands that never touch, silk that twists, or a bundle of threads.

mod bands;
mod silk;

use super::Scene;
use super::finish;
use super::inks::Inks;
use super::noise::{Dice, Field, fractal};
use super::picture::{Picture, dither, put};
use super::words::Reading;

/// What the strokes are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Bands,
    Silk,
    Threads,
}

/// Paints one.
pub(super) fn paint(
    scene: &Scene,
    reading: &Reading,
    mut dice: Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) -> Picture {
    let manner = manner(reading, &mut dice);
    let inks = Inks::new(reading, &mut dice);
    let mut picture = Picture::new(scene.width, scene.height);
    if !scene.transparent {
        lay_ground(&mut picture, &inks, manner, &mut dice);
    }
    stage(0, &picture);
    match manner {
        Manner::Bands => bands::paint(&mut picture, &inks, &mut dice, stage),
        Manner::Silk | Manner::Threads => {
            silk::paint(
                &mut picture,
                &inks,
                manner == Manner::Threads,
                &mut dice,
                stage,
            );
        }
    }
    let vignette = if scene.transparent { 0.0 } else { 0.06 };
    finish::grade(&mut picture, dice.seed(), vignette, 3.5);
    picture
}

fn manner(reading: &Reading, dice: &mut Dice) -> Manner {
    let says = |word| reading.words.contains(&word);
    if says("ribbons") {
        return Manner::Silk;
    }
    if says("music") {
        return Manner::Threads;
    }
    dice.pick(&[Manner::Bands, Manner::Bands, Manner::Silk, Manner::Threads])
}

/// Paper for bands; a slow change of colour behind silk and threads.
fn lay_ground(picture: &mut Picture, inks: &Inks, manner: Manner, dice: &mut Dice) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let seed = dice.seed();
    let other = match manner {
        Manner::Bands => inks.paper.mix(inks.colours[3], 0.06),
        _ if inks.is_dark() => inks.paper.mix(inks.colours[0], 0.42).dim(0.9),
        _ => inks.paper.mix(inks.colours[3], 0.55),
    };
    let unit = width.max(height);
    let step = (unit / 96.0).max(1.0);
    let drift = Field::new(width, height, step, |x, y| {
        let lean = (x * 0.35 + y) / (width * 0.35 + height);
        lean + 0.45 * fractal(x / unit * 1.3, y / unit * 1.3, 2, seed)
    });
    let tones: Vec<_> = (0..=64)
        .map(|k| inks.paper.mix(other, k as f32 / 64.0).rgb())
        .collect();
    for y in 0..picture.height() {
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let share = drift.read(x as f32, y as f32).clamp(0.0, 0.999) * 64.0;
            let at = share as usize;
            let tone = tones[at].mix(tones[at + 1], share - at as f32);
            put(pixel, tone, dither(x as u32, y));
        }
    }
}
