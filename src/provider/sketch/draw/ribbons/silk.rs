//! Ribbons that twist through the picture in a bundle, woven of lines: close ones are silk, loose ones threads.

use super::*;
use crate::provider::sketch::draw::brush::{Point, polar};
use crate::provider::sketch::draw::colour::{Lab, Rgb, lch};
use crate::provider::sketch::draw::noise::{lerp, smooth};
use crate::provider::sketch::draw::unit_of;

/// The way that all ribbons of a picture go.
struct Bundle {
    width: f32,
    height: f32,
    unit: f32,
    /// The direction in turns, and how long a ribbon is.
    turn: f32,
    length: f32,
    swing: [(f32, f32, f32); 3],
    spread: f32,
}

impl Bundle {
    fn new(picture: &Picture, dice: &mut Dice) -> Self {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let unit = unit_of(width, height);
        let tall = height > width * 1.3;
        let lean = dice.between(0.02, 0.10) * if dice.chance(0.5) { 1.0 } else { -1.0 };
        let mut wave =
            |low: f32, high: f32, tall: f32| (dice.between(low, high), dice.unit(), tall);
        let swing = [
            wave(0.5, 0.9, 0.20),
            wave(1.1, 1.7, 0.09),
            wave(2.2, 3.0, 0.03),
        ];
        Self {
            width,
            height,
            unit,
            turn: if tall { 0.25 + lean } else { lean },
            length: (width * width + height * height).sqrt() * 1.25,
            swing,
            spread: dice.between(0.5, 0.8),
        }
    }
}

/// One ribbon of the bundle.
struct Ribbon<'a> {
    bundle: &'a Bundle,
    /// Its place in the bundle, -0.5..=0.5, and how far its waves are ahead.
    place: f32,
    ahead: f32,
    half: f32,
    twist: (f32, f32, f32),
    front: Lab,
    back: Lab,
    shine: Lab,
}

impl Ribbon<'_> {
    fn middle(&self, s: f32) -> Point {
        let bundle = self.bundle;
        let centre = (bundle.width * 0.5, bundle.height * 0.5);
        let along = polar(centre, (s - 0.5) * bundle.length, bundle.turn);
        let mut off = self.place * bundle.spread * bundle.width.max(bundle.height) * 0.8;
        for (pace, phase, tall) in bundle.swing {
            let turn = pace * s + phase + self.ahead;
            off += bundle.unit * tall * libm::sinf(turn * std::f32::consts::TAU);
        }
        polar(along, off, bundle.turn + 0.25)
    }

    /// How far the ribbon is turned about its own line at `s`, in radians.
    fn angle(&self, s: f32) -> f32 {
        let (pace, phase, sway) = self.twist;
        let sway = sway * libm::sinf((s * 1.7 + phase * 3.0) * std::f32::consts::TAU);
        (pace * s + phase + sway) * std::f32::consts::TAU
    }

    /// The colour at `s` along and `u` across (-1..=1).
    fn tone(&self, s: f32, u: f32, angle: f32, facing: f32) -> Rgb {
        let side = smooth(-0.12, 0.12, facing);
        let base = self.back.mix(self.front, side);
        let lit = 0.5 + 0.5 * libm::cosf(angle * 2.0 + u * 1.25 + 0.6);
        let fold = 0.06 * libm::sinf(u * 5.5 + s * 16.0 + self.place * 9.0);
        let shaded = base.lighten(lerp(-0.20, 0.05, lit) + fold);
        let gloss = lit * lit * lit * lit;
        let edge = smooth(0.93, 1.0, u.abs());
        shaded.mix(self.shine, gloss * 0.42 + edge * 0.30).rgb()
    }
}

/// How many pieces a line has.
const PIECES: usize = 210;

/// Paints the bundle from back to front; each third is a stage.
pub(super) fn paint(
    picture: &mut Picture,
    inks: &Inks,
    loose: bool,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let bundle = Bundle::new(picture, dice);
    let count = if loose { 8 } else { 7 };
    for number in 0..count {
        let ribbon = ribbon(&bundle, number, count, inks, dice);
        weave(picture, &ribbon, loose);
        if number == count / 3 || number == count * 2 / 3 {
            stage(1 + u32::from(number > count / 3), picture);
        }
    }
}

fn ribbon<'a>(
    bundle: &'a Bundle,
    number: usize,
    count: usize,
    inks: &Inks,
    dice: &mut Dice,
) -> Ribbon<'a> {
    let order = number as f32 / (count - 1) as f32 - 0.5;
    let at = number + (dice.roll() % 2) as usize;
    let front = inks.colour_on(inks.paper, at);
    let back = inks
        .colour_on(front, at + 1)
        .mix(front, 0.35)
        .lighten(-0.06);
    Ribbon {
        bundle,
        place: order + dice.between(-0.06, 0.06),
        ahead: order * 0.35 + dice.between(-0.05, 0.05),
        half: bundle.unit * dice.between(0.07, 0.17),
        twist: (
            dice.between(0.35, 0.95),
            dice.unit(),
            dice.between(0.04, 0.14),
        ),
        front,
        back,
        shine: front.mix(lch(0.97, 0.02, 85.0), 0.75),
    }
}

fn weave(picture: &mut Picture, ribbon: &Ribbon, loose: bool) {
    let spine: Vec<(Point, Point, f32, f32)> =
        (0..=PIECES).map(|piece| station(ribbon, piece)).collect();
    let lines = if loose {
        46
    } else {
        (ribbon.half * 1.5) as usize + 8
    };
    let gap = ribbon.half * 2.0 / lines as f32;
    let (thick, cover) = if loose {
        ((ribbon.bundle.unit * 0.0015).max(0.7), 0.85)
    } else {
        (gap * 1.7 + 0.6, 1.0)
    };
    for line in 0..=lines {
        let u = line as f32 / lines as f32 * 2.0 - 1.0;
        let at = |(middle, across, _, _): &(Point, Point, f32, f32)| {
            (middle.0 + across.0 * u, middle.1 + across.1 * u)
        };
        for (piece, pair) in spine.windows(2).enumerate() {
            let (_, _, angle, facing) = pair[0];
            let tone = ribbon.tone(piece as f32 / PIECES as f32, u, angle, facing);
            picture.thread(at(&pair[0]), at(&pair[1]), thick, tone, cover);
        }
    }
}

/// A piece's middle, the way from it to the ribbon's edge, and how it is turned.
fn station(ribbon: &Ribbon, piece: usize) -> (Point, Point, f32, f32) {
    let s = piece as f32 / PIECES as f32;
    let (before, here, after) = (
        ribbon.middle(s - 0.004),
        ribbon.middle(s),
        ribbon.middle(s + 0.004),
    );
    let (dx, dy) = (after.0 - before.0, after.1 - before.1);
    let length = (dx * dx + dy * dy).sqrt().max(1e-4);
    let angle = ribbon.angle(s);
    let facing = libm::cosf(angle);
    let half = ribbon.half * facing;
    (
        here,
        (-dy / length * half, dx / length * half),
        angle,
        facing,
    )
}
