//! Forms that stand for themselves: rings, tiles, a balance of circle and bars, rays.

use super::*;
use crate::provider::sketch::draw::brush::{Grain, circle, polar, polygon, sector};

/// Which of them a frame shows follows from its roll.
fn which(frame: &Frame) -> u64 {
    frame.roll % 4
}

/// The forms that are seen from afar.
pub(super) fn paint_large(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    match which(frame) {
        0 => tiles(easel, frame, inks, dice),
        1 => rings(easel, frame, inks, dice),
        2 => balance(easel, frame, inks, dice),
        _ => rays(easel, frame, inks, dice),
    }
}

/// What is seen from nearby.
pub(super) fn paint_small(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    match which(frame) {
        0 => tile_marks(easel, frame, inks, dice),
        1 => orbits(easel, frame, inks, dice),
        2 => lines_and_dots(easel, frame, inks, dice),
        _ => sun_face(easel, frame, inks, dice),
    }
}

fn grain(frame: &Frame, from: Point, to: Point, seed: u32) -> Grain {
    Grain {
        from,
        to,
        cell: frame.cell,
        seed,
    }
}

/// A checked field of cells, the same for both passes. Under a title the field begins lower.
fn cells(frame: &Frame) -> Vec<(Point, f32)> {
    let across = if frame.width() > frame.height() * 1.2 {
        5.0
    } else {
        4.0
    };
    let side = (frame.width() / across).max(frame.height() / 24.0);
    let start = if frame.titled { 0.40 } else { 0.0 };
    let rows = (frame.height() * (1.0 - start) / side).round().max(1.0) as i32;
    let first = frame.bottom - rows as f32 * side;
    (0..rows)
        .flat_map(|row| (0..(frame.width() / side).ceil() as i32).map(move |column| (row, column)))
        .map(|(row, column)| {
            let corner = (frame.left + column as f32 * side, first + row as f32 * side);
            (corner, side)
        })
        .collect()
}

/// Quarter circles, half circles and leaves on a grid.
fn tiles(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    let mut before = usize::MAX;
    for ((x, y), side) in cells(frame) {
        let ground = dice.roll() as usize % 5;
        let ground = if ground == before { ground + 1 } else { ground } % 5;
        before = ground;
        let under = inks.colours[ground];
        let far = (x + side, y + side);
        if !frame.transparent || dice.chance(0.5) {
            easel.fill(&block((x, y), far), under.rgb(), 1.0);
        }
        let over = inks.colour_on(under, dice.roll() as usize).rgb();
        let shape = tile_shape((x, y), side, dice);
        easel.fill(&shape, over, 1.0);
        let sprayed = grain(frame, (x, y), far, dice.seed());
        easel.spray(&shape, inks.ink.rgb(), 0.22, &sprayed);
    }
}

fn tile_shape((x, y): Point, side: f32, dice: &mut Dice) -> Option<tiny_skia::Path> {
    let turn = (dice.roll() % 4) as f32 * 0.25;
    let middle = (x + side * 0.5, y + side * 0.5);
    let corner = polar(middle, side * std::f32::consts::FRAC_1_SQRT_2, turn + 0.125);
    let edge = polar(middle, side * 0.5, turn);
    match dice.roll() % 5 {
        0 => sector(corner, 0.0, side, turn + 0.5, turn + 0.75),
        1 => sector(edge, 0.0, side * 0.5, turn + 0.25, turn + 0.75),
        2 => circle(middle, side * 0.36),
        3 => sector(corner, side * 0.34, side * 0.78, turn + 0.5, turn + 0.75),
        _ => {
            let other = polar(middle, side * std::f32::consts::FRAC_1_SQRT_2, turn + 0.625);
            crate::provider::sketch::draw::brush::leaf(
                corner,
                turn + 0.625,
                ((corner.0 - other.0).abs() + 1.0) * std::f32::consts::SQRT_2,
                side * 0.55,
                0.5,
            )
        }
    }
}

fn tile_marks(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    for ((x, y), side) in cells(frame) {
        if !dice.chance(0.36) {
            continue;
        }
        let middle = (x + side * 0.5, y + side * 0.5);
        let colour = inks.colour(dice.roll() as usize);
        if dice.chance(0.5) {
            easel.fill(&circle(middle, side * 0.12), colour, 1.0);
            continue;
        }
        for k in 0..4 {
            let spot = polar(middle, side * 0.17, k as f32 * 0.25 + 0.125);
            easel.fill(&circle(spot, side * 0.045), colour, 1.0);
        }
    }
}

/// Rings around a point low in the frame, like a record or a rising sun.
fn rings(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    let centre = frame.at(
        dice.between(0.2, 0.8),
        if frame.titled { 0.98 } else { 0.9 },
    );
    let outer = frame.width().max(frame.height()) * dice.between(0.52, 0.6);
    let count = 5 + (dice.roll() % 3) as usize;
    let mut under = frame.ground;
    for ring in 0..count {
        let radius = outer * (1.0 - ring as f32 / count as f32);
        let colour = inks.colour_on(under, ring + (frame.roll >> 8) as usize);
        under = colour;
        let shape = circle(centre, radius);
        easel.fill(&shape, colour.rgb(), 1.0);
        let (from, to) = (
            (centre.0 + radius, centre.1),
            (centre.0 - radius, centre.1 - radius),
        );
        let sprayed = grain(frame, from, to, dice.seed());
        easel.spray(&shape, inks.ink.rgb(), 0.30, &sprayed);
    }
}

fn orbits(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    let from = if frame.titled { 0.42 } else { 0.12 };
    for _ in 0..4 {
        let spot = frame.at(dice.between(0.08, 0.92), dice.between(from, 0.6));
        let radius = frame.unit * dice.between(0.012, 0.06);
        let colour = inks.colour_on(frame.ground, dice.roll() as usize);
        easel.fill(&circle(spot, radius), colour.rgb(), 1.0);
    }
    let bar = frame.at(0.0, 0.9);
    let height = frame.height() * 0.1 + 1.0;
    let shape = block(bar, (frame.right, bar.1 + height));
    easel.fill(&shape, inks.ink.rgb(), 1.0);
}

/// One large circle, held by a slanted bar and a block.
fn balance(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    let low = if frame.titled { 0.68 } else { 0.5 };
    let centre = frame.at(dice.between(0.4, 0.62), low + dice.between(-0.04, 0.04));
    let radius = frame.unit * if frame.titled { 0.29 } else { 0.36 };
    let first = inks.colour_on(frame.ground, 0);
    let shape = circle(centre, radius);
    easel.fill(&shape, first.rgb(), 1.0);
    let (from, to) = (polar(centre, radius, 0.12), polar(centre, radius, 0.62));
    easel.spray(
        &shape,
        inks.ink.rgb(),
        0.5,
        &grain(frame, from, to, dice.seed()),
    );
    let second = inks.colour_on(first, 1);
    let half = sector(centre, 0.0, radius, 0.62, 1.12);
    easel.fill(&half, second.rgb(), 1.0);
    let turn = 0.12 + dice.between(-0.03, 0.03);
    for (off, wide, at) in [(0.0, 0.09, 2), (0.115, 0.035, 3), (0.165, 0.014, 4)] {
        let colour = inks.colour_on(second, at).rgb();
        let side = polar(centre, radius * (0.2 + off * 2.2), turn + 0.25);
        easel.fill(
            &bar(side, turn, frame.unit * 0.62, frame.unit * wide),
            colour,
            1.0,
        );
    }
}

/// A straight bar through a point.
fn bar(middle: Point, turn: f32, half: f32, wide: f32) -> Option<tiny_skia::Path> {
    let corner = |along: f32, off: f32| polar(polar(middle, along, turn), off, turn + 0.25);
    let (w, h) = (wide * 0.5, half);
    polygon(&[corner(-h, -w), corner(h, -w), corner(h, w), corner(-h, w)])
}

fn lines_and_dots(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    let top = if frame.titled { 0.42 } else { 0.08 };
    let spot = frame.at(dice.between(0.12, 0.24), top + 0.06);
    let colour = inks.colour_on(frame.ground, 2).rgb();
    easel.fill(&circle(spot, frame.unit * 0.065), colour, 1.0);
    let ink = inks.type_on(frame.ground).rgb();
    for k in 0..7 {
        let y = frame.bottom - frame.unit * (0.06 + 0.018 * k as f32);
        let from = frame.left + frame.width() * 0.06;
        let line = block(
            (from, y),
            (from + frame.width() * 0.3, y + frame.unit * 0.006),
        );
        easel.fill(&line, ink, 1.0);
    }
    for k in 0..16 {
        let (row, column) = (k / 4, k % 4);
        let place = (
            frame.right - frame.unit * (0.08 + 0.035 * column as f32),
            frame.top + frame.height() * top + frame.unit * (0.04 + 0.035 * row as f32),
        );
        easel.fill(&circle(place, frame.unit * 0.007), ink, 1.0);
    }
}

/// Rays from a point, in two colours.
fn rays(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    let centre = sun_at(frame);
    let reach = frame.width() + frame.height();
    let count = 14 + (dice.roll() % 3) as i32 * 2;
    let first = inks.colour_on(frame.ground, 0);
    for ray in 0..count {
        let from = ray as f32 / count as f32;
        let colour = if ray % 2 == 0 {
            first
        } else {
            frame.ground.mix(first, 0.25)
        };
        let shape = sector(centre, 0.0, reach, from, from + 0.5 / count as f32);
        easel.fill(&shape, colour.rgb(), 1.0);
        let (near, far) = (centre, polar(centre, frame.unit, from));
        easel.spray(
            &shape,
            inks.paper.rgb(),
            0.35,
            &grain(frame, near, far, dice.seed()),
        );
    }
}

fn sun_at(frame: &Frame) -> Point {
    frame.at(0.5, if frame.titled { 0.74 } else { 0.55 })
}

fn sun_face(easel: &mut Easel, frame: &Frame, inks: &Inks, dice: &mut Dice) {
    let centre = sun_at(frame);
    for (radius, at) in [(0.30, 2), (0.235, 1), (0.17, 3), (0.09, 4)] {
        let colour = inks.colours[at];
        let shape = circle(centre, frame.unit * radius);
        easel.fill(&shape, colour.rgb(), 1.0);
        let (from, to) = (polar(centre, frame.unit * radius, 0.1), centre);
        easel.spray(
            &shape,
            inks.ink.rgb(),
            0.4,
            &grain(frame, from, to, dice.seed()),
        );
    }
}
