//! Chips of stone in cement: few large ones, many small, none touching.

use super::*;
use crate::provider::sketch::draw::brush::polygon;
use crate::provider::sketch::draw::room::Room;

/// Radii of the chips in units, from and to, and how often each is tried.
const SIZES: [(f32, f32, u32); 4] = [
    (0.060, 0.105, 110),
    (0.030, 0.055, 520),
    (0.012, 0.026, 1500),
    (0.004, 0.009, 2200),
];

pub(super) fn paint(
    picture: &mut Picture,
    cloth: &Cloth,
    _: &Reading,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let mut room = Room::new(cloth.width, cloth.height, cloth.unit);
    let area = (cloth.width * cloth.height / (cloth.unit * cloth.unit)).min(6.0);
    let scale = dice.between(0.8, 1.2);
    for (turn, (small, large, tries)) in SIZES.into_iter().enumerate() {
        for _ in 0..(tries as f32 * area) as u32 {
            let radius = cloth.unit * scale * dice.between(small, large);
            let spot = (
                dice.between(-0.04, 1.04) * cloth.width,
                dice.between(-0.04, 1.04) * cloth.height,
            );
            if room.is_free(spot, radius * 0.92) {
                room.take(spot, radius * 0.80 + cloth.unit * 0.003);
                chip(&mut Easel::new(picture), cloth, spot, radius, dice);
            }
        }
        if turn == 0 || turn == 2 {
            stage(1 + turn as u32 / 2, picture);
        }
    }
}

/// One chip: a few straight breaks, a grain of its own.
fn chip(easel: &mut Easel, cloth: &Cloth, spot: Point, radius: f32, dice: &mut Dice) {
    let corners = 5 + (dice.roll() % 3) as usize;
    let (from, squash, lean) = (dice.unit(), dice.between(0.62, 1.0), dice.unit());
    let points: Vec<Point> = (0..corners)
        .map(|k| {
            let turn = from + (k as f32 + dice.between(-0.28, 0.28)) / corners as f32;
            let (x, y) = polar((0.0, 0.0), radius * dice.between(0.78, 1.0), turn);
            let (cos, sin) = polar((0.0, 0.0), 1.0, lean);
            (
                spot.0 + x * cos - y * squash * sin,
                spot.1 + x * sin + y * squash * cos,
            )
        })
        .collect();
    let colour = cloth
        .colour(dice.roll() as usize)
        .lighten(dice.between(-0.025, 0.025));
    let shape = polygon(&points);
    easel.fill(&shape, colour.rgb(), 1.0);
    if radius > cloth.unit * 0.02 {
        let (from, to) = (polar(spot, radius, lean), polar(spot, -radius, lean));
        let fleck = cloth.grain(from, to, dice.seed());
        easel.spray(&shape, colour.lighten(0.10).rgb(), 0.34, &fleck);
        let fleck = cloth.grain(to, from, dice.seed());
        easel.spray(&shape, colour.lighten(-0.08).rgb(), 0.30, &fleck);
    }
}
