//! Small things strewn over a ground, close but never touching: paper shapes, or what the words name.

use super::icons::{self, Icon};
use super::*;
use crate::provider::sketch::draw::brush::{polygon, polyline, sector};
use crate::provider::sketch::draw::room::Room;

/// Sizes in units and how often each is tried: large things first, small ones into the gaps.
const SIZES: [(f32, u32); 4] = [(0.086, 700), (0.060, 1100), (0.037, 1500), (0.013, 1800)];

pub(super) fn icons(
    picture: &mut Picture,
    cloth: &Cloth,
    reading: &Reading,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let asked = icons::asked(reading);
    strew(
        picture,
        cloth,
        dice,
        stage,
        &mut |easel, spot, size, turn, dice| {
            if size < cloth.unit * 0.02 {
                easel.fill(
                    &circle(spot, size * 0.45),
                    cloth.colour(dice.roll() as usize).rgb(),
                    1.0,
                );
                return;
            }
            let icon = dice.pick::<Icon>(&asked);
            icons::paint(easel, cloth, icon, (spot, size, turn), dice);
        },
    );
}

pub(super) fn confetti(
    picture: &mut Picture,
    cloth: &Cloth,
    _: &Reading,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    strew(
        picture,
        cloth,
        dice,
        stage,
        &mut |easel, spot, size, turn, dice| {
            scrap(easel, cloth, (spot, size, turn), dice);
        },
    );
}

/// Who paints one thing: where, how large, turned how far.
type Put<'a> = &'a mut dyn FnMut(&mut Easel, Point, f32, f32, &mut Dice);

fn strew(
    picture: &mut Picture,
    cloth: &Cloth,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
    put: Put,
) {
    let mut room = Room::new(cloth.width, cloth.height, cloth.unit);
    let area = (cloth.width * cloth.height / (cloth.unit * cloth.unit)).min(6.0);
    for (turn, (size, tries)) in SIZES.into_iter().enumerate() {
        for _ in 0..(tries as f32 * area) as u32 {
            let size = cloth.unit * size * dice.between(0.88, 1.12);
            let spot = (
                dice.between(-0.04, 1.04) * cloth.width,
                dice.between(-0.04, 1.04) * cloth.height,
            );
            if room.is_free(spot, size) {
                room.take(spot, size * 0.96);
                put(
                    &mut Easel::new(picture),
                    spot,
                    size * 0.92,
                    dice.unit(),
                    dice,
                );
            }
        }
        if turn == 0 || turn == 2 {
            stage(1 + turn as u32 / 2, picture);
        }
    }
}

/// A scrap of cut paper.
fn scrap(easel: &mut Easel, cloth: &Cloth, (spot, size, turn): (Point, f32, f32), dice: &mut Dice) {
    let colour = cloth.colour(dice.roll() as usize).rgb();
    let thick = size * 0.26;
    match dice.roll() % 8 {
        0 => easel.fill(&circle(spot, size * 0.62), colour, 1.0),
        1 => easel.fill(
            &sector(spot, size * 0.48, size * 0.82, 0.0, 1.0),
            colour,
            1.0,
        ),
        2 => easel.fill(
            &sector(spot, 0.0, size * 0.85, turn, turn + 0.5),
            colour,
            1.0,
        ),
        3 => {
            let points: Vec<Point> = (0..3)
                .map(|k| polar(spot, size * 0.85, turn + k as f32 / 3.0))
                .collect();
            easel.fill(&polygon(&points), colour, 1.0);
        }
        4 => squiggle(easel, (spot, size, turn), thick, colour, false),
        5 => squiggle(easel, (spot, size, turn), thick, colour, true),
        6 => {
            for k in [0.0, 0.25] {
                let (a, b) = (
                    polar(spot, size * 0.72, turn + k),
                    polar(spot, -size * 0.72, turn + k),
                );
                easel.stroke(&polyline(&[a, b]), thick, colour, 1.0);
            }
        }
        _ => {
            for k in 0..9 {
                let (row, column) = ((k / 3) as f32 - 1.0, (k % 3) as f32 - 1.0);
                let place = polar(
                    polar(spot, size * 0.46 * row, turn),
                    size * 0.46 * column,
                    turn + 0.25,
                );
                easel.fill(&circle(place, size * 0.13), colour, 1.0);
            }
        }
    }
}

fn squiggle(
    easel: &mut Easel,
    (spot, size, turn): (Point, f32, f32),
    thick: f32,
    colour: super::super::colour::Rgb,
    sharp: bool,
) {
    let points: Vec<Point> = (0..=32)
        .map(|k| {
            let share = k as f32 / 32.0;
            let phase = share * 2.5;
            let off = match sharp {
                true => ((phase * 2.0) % 2.0 - 1.0).abs() * 2.0 - 1.0,
                false => libm::sinf(phase * std::f32::consts::TAU),
            };
            polar(
                polar(spot, size * (share * 1.7 - 0.85), turn),
                size * 0.26 * off,
                turn + 0.25,
            )
        })
        .collect();
    easel.stroke(&polyline(&points), thick * 0.8, colour, 1.0);
}
