//! Patterns that could go on for ever: terrazzo, tiles, waves, confetti, or small things tossed over a ground.

mod icons;
mod terrazzo;
mod tiles;
mod toss;
mod waves;

use super::brush::{Easel, Grain, Point, block, circle, polar};
use super::colour::{Lab, lch};
use super::finish;
use super::inks::Inks;
use super::noise::Dice;
use super::picture::Picture;
use super::words::{Light, Motif, Reading, Season, Time, Water, Weather};
use super::{Scene, unit_of};

/// What a pattern is printed on, and with.
struct Cloth<'a> {
    width: f32,
    height: f32,
    unit: f32,
    inks: &'a Inks,
    ground: Lab,
    transparent: bool,
}

/// Who paints one: calls back twice on the way.
type Painter = fn(&mut Picture, &Cloth, &Reading, &mut Dice, &mut dyn FnMut(u32, &Picture));

/// Paints one pattern.
pub(super) fn paint(
    scene: &Scene,
    reading: &Reading,
    mut dice: Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) -> Picture {
    let inks = Inks::new(reading, &mut dice);
    let (painter, deep) = painter(reading, &mut dice);
    let (width, height) = (scene.width.max(1) as f32, scene.height.max(1) as f32);
    let ground = match deep && dice.chance(0.45) && !inks.is_dark() {
        true => deep_ground(&inks),
        false => inks.paper,
    };
    let cloth = Cloth {
        width,
        height,
        unit: unit_of(width, height),
        inks: &inks,
        ground,
        transparent: scene.transparent,
    };
    let mut picture = Picture::new(scene.width, scene.height);
    if !scene.transparent {
        let whole = block((0.0, 0.0), (width, height));
        Easel::new(&mut picture).fill(&whole, ground.rgb(), 1.0);
    }
    stage(0, &picture);
    painter(&mut picture, &cloth, reading, &mut dice, stage);
    finish::grade(&mut picture, dice.seed(), 0.0, 3.5);
    picture
}

/// The ink, leaning towards the darkest of the colours.
fn deep_ground(inks: &Inks) -> Lab {
    let darkest = inks.colours.iter().fold(inks.ink, |dark, colour| {
        let darker = colour.l < dark.l || dark == inks.ink;
        if darker { *colour } else { dark }
    });
    inks.ink.mix(darkest, 0.55).lighten(-0.02)
}

/// What is repeated, and whether it may stand on a deep ground.
fn painter(reading: &Reading, dice: &mut Dice) -> (Painter, bool) {
    match reading.motif {
        Some(Motif::Terrazzo) => return (terrazzo::paint, true),
        Some(Motif::Tiles) => return (tiles::paint, false),
        Some(Motif::Waves) => return (waves::paint, false),
        Some(Motif::Confetti) => return (toss::confetti, true),
        None => {}
    }
    if reading.water == Some(Water::Sea) && reading.plants.is_empty() {
        return (waves::paint, false);
    }
    if !icons::asked(reading).is_empty() {
        return (toss::icons, true);
    }
    let any: [Painter; 5] = [
        terrazzo::paint,
        tiles::paint,
        tiles::paint,
        waves::paint,
        toss::confetti,
    ];
    let at = dice.roll() as usize % any.len();
    (any[at], at == 0 || at == 4)
}

impl Cloth<'_> {
    /// A colour that shows on the ground.
    fn colour(&self, at: usize) -> Lab {
        self.inks.colour_on(self.ground, at)
    }

    fn grain(&self, from: Point, to: Point, seed: u32) -> Grain {
        Grain {
            from,
            to,
            cell: (self.unit / 900.0).max(1.0),
            seed,
        }
    }
}
