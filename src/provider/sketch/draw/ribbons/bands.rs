//! Flat bands that follow a field of directions, wide ones first, and keep clear of each other.

use super::*;
use crate::provider::sketch::draw::brush::{Easel, Point, polyline};
use crate::provider::sketch::draw::noise::lerp;
use crate::provider::sketch::draw::room::Room;
use crate::provider::sketch::draw::unit_of;

/// The current that the bands follow.
struct Current {
    turns: Field,
}

impl Current {
    fn new(width: f32, height: f32, unit: f32, dice: &mut Dice) -> Self {
        let (seed, base) = (dice.seed(), dice.unit());
        let (scale, swing) = (dice.between(0.75, 1.35), dice.between(0.45, 0.85));
        let step = (unit / 64.0).max(1.0);
        let turns = Field::new(width, height, step, |x, y| {
            base + swing * fractal(x / unit * scale, y / unit * scale, 2, seed)
        });
        Self { turns }
    }

    fn step(&self, (x, y): Point, length: f32) -> Point {
        let angle = self.turns.read(x, y) * std::f32::consts::TAU;
        (
            x + length * libm::cosf(angle),
            y + length * libm::sinf(angle),
        )
    }
}

/// Widths of the bands in units, and how often each is tried.
const WIDTHS: [(f32, u32); 6] = [
    (0.085, 70),
    (0.052, 170),
    (0.032, 420),
    (0.018, 900),
    (0.010, 1300),
    (0.0055, 1100),
];

/// Paints them; each third of the widths is a stage.
pub(super) fn paint(
    picture: &mut Picture,
    inks: &Inks,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let unit = unit_of(width, height);
    let mut room = Room::new(width, height, unit);
    let current = Current::new(width, height, unit, dice);
    let area = (width * height / (unit * unit)).min(4.0);
    let spread = dice.between(0.8, 1.15);
    for (turn, (share, tries)) in WIDTHS.into_iter().enumerate() {
        let wide = (unit * share * spread).max(0.4);
        for _ in 0..(tries as f32 * area) as u32 {
            let start = (
                dice.between(-0.02, 1.02) * width,
                dice.between(-0.02, 1.02) * height,
            );
            let reach = unit * lerp(0.12, 1.4, dice.unit());
            let line = follow(&room, &current, start, wide, reach);
            if line.len() as f32 * step_of(wide) < wide * 2.2 {
                continue;
            }
            let gap = (unit * 0.0035).max(room.cell() * 0.5);
            for point in &line {
                room.take(*point, wide * 0.5 + gap);
            }
            draw(picture, &line, wide, inks, dice);
        }
        if turn == 1 || turn == 3 {
            stage(1 + turn as u32 / 2, picture);
        }
    }
}

fn step_of(wide: f32) -> f32 {
    (wide * 0.35).max(1.0)
}

/// The points of a band both ways from its start, as far as there is room.
fn follow(room: &Room, current: &Current, start: Point, wide: f32, reach: f32) -> Vec<Point> {
    let radius = wide * 0.5;
    if !room.is_free(start, radius) {
        return Vec::new();
    }
    let walk = |length: f32| {
        let mut points = Vec::new();
        let mut at = start;
        for _ in 0..(reach * 0.5 / length.abs()) as u32 {
            at = current.step(at, length);
            if !room.holds(at) || !room.is_free(at, radius) {
                break;
            }
            points.push(at);
        }
        points
    };
    let step = step_of(wide);
    let mut line = walk(-step);
    line.reverse();
    line.push(start);
    line.extend(walk(step));
    line
}

/// One band: of one colour mostly, some cut into pieces of several.
fn draw(picture: &mut Picture, line: &[Point], wide: f32, inks: &Inks, dice: &mut Dice) {
    let mut easel = Easel::new(picture);
    let lead = band_colour(inks, dice);
    if !dice.chance(0.22) || line.len() < 14 {
        easel.stroke(&polyline(line), wide, lead.rgb(), 1.0);
        return;
    }
    easel.stroke(&polyline(line), wide, lead.rgb(), 1.0);
    let piece = 3 + (dice.roll() % 5) as usize;
    let second = inks.colour_on(lead, dice.roll() as usize).rgb();
    for part in line[1..line.len() - 1].chunks(piece).step_by(2) {
        if part.len() > 1 {
            flat_piece(&mut easel, part, wide, second);
        }
    }
}

/// A piece with square ends.
fn flat_piece(
    easel: &mut Easel,
    part: &[Point],
    wide: f32,
    colour: crate::provider::sketch::draw::colour::Rgb,
) {
    let shape = crate::provider::sketch::draw::brush::taper(part, wide, wide);
    easel.fill(&shape, colour, 1.0);
}

/// The first colours more often than the last, the ink now and then.
fn band_colour(inks: &Inks, dice: &mut Dice) -> crate::provider::sketch::draw::colour::Lab {
    let roll = dice.unit();
    if roll < 0.12 {
        return inks.ink;
    }
    let at = (roll * roll * 5.2) as usize;
    inks.colour_on(inks.paper, at.min(4))
}
