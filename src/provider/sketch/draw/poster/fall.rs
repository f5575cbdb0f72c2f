//! What comes down on a scene: rain, lightning, snow, leaves, petals; stars hang.

use super::scenic::Plan;
use super::things::light;
use super::*;
use crate::provider::sketch::draw::brush::{circle, leaf, pebble, polar, polygon, polyline};
use crate::provider::sketch::draw::words::{Season, Weather};

/// What falls: rain, snow, leaves, petals; stars hang.
pub(super) fn paint(easel: &mut Easel, plan: &Plan, dice: &mut Dice) {
    match (plan.weather, plan.season) {
        (Some(Weather::Rain), _) => rain(easel, plan, 110, dice),
        (Some(Weather::Storm), _) => {
            rain(easel, plan, 90, dice);
            bolt(easel, plan, dice);
        }
        (Some(Weather::Snow), _) | (None, Some(Season::Winter)) => snow(easel, plan, dice),
        (_, Some(Season::Autumn)) => leaves(easel, plan, 22, 0.042, dice),
        (_, Some(Season::Spring)) => leaves(easel, plan, 30, 0.024, dice),
        _ => {}
    }
    if plan.is_moon && plan.weather.is_none() {
        stars(easel, plan, dice);
    }
}

fn rain(easel: &mut Easel, plan: &Plan, drops: u32, dice: &mut Dice) {
    let unit = plan.frame.unit;
    let colour = light(plan).rgb();
    for _ in 0..drops {
        let (x, y) = plan.frame.at(dice.unit(), dice.unit());
        let long = unit * dice.between(0.03, 0.075);
        let line = polyline(&[(x, y), (x - long * 0.34, y + long)]);
        easel.stroke(&line, unit * 0.0055, colour, 0.85);
    }
}

fn bolt(easel: &mut Easel, plan: &Plan, dice: &mut Dice) {
    let (x, y) = plan.frame.at(dice.between(0.55, 0.75), 0.3);
    let s = plan.frame.unit * 0.34;
    let shape = [
        (x, y),
        (x - s * 0.26, y + s * 0.52),
        (x - s * 0.05, y + s * 0.52),
        (x - s * 0.2, y + s),
        (x + s * 0.24, y + s * 0.36),
        (x + s * 0.02, y + s * 0.36),
        (x + s * 0.2, y),
    ];
    easel.fill(&polygon(&shape), plan.sun_colour().rgb(), 1.0);
}

fn snow(easel: &mut Easel, plan: &Plan, dice: &mut Dice) {
    let colour = light(plan)
        .mix(
            crate::provider::sketch::draw::colour::lch(1.0, 0.0, 0.0),
            0.6,
        )
        .rgb();
    for _ in 0..90 {
        let spot = plan.frame.at(dice.unit(), dice.unit());
        let size = dice.unit();
        easel.fill(
            &circle(spot, plan.frame.unit * (0.003 + 0.009 * size * size)),
            colour,
            0.95,
        );
    }
}

fn leaves(easel: &mut Easel, plan: &Plan, count: u32, size: f32, dice: &mut Dice) {
    for _ in 0..count {
        let spot = plan.frame.at(dice.unit(), dice.between(0.3, 1.0));
        let long = plan.frame.unit * size * dice.between(0.7, 1.3);
        let colour = plan.inks.colour(dice.roll() as usize);
        easel.fill(
            &leaf(spot, dice.unit(), long, long * 0.3, 0.45),
            colour,
            1.0,
        );
    }
}

fn stars(easel: &mut Easel, plan: &Plan, dice: &mut Dice) {
    let colour = light(plan).rgb();
    let top = if plan.frame.titled { 0.36 } else { 0.03 };
    for _ in 0..26 {
        let spot = plan.frame.at(dice.unit(), dice.between(top, 0.56));
        let (dx, dy) = (spot.0 - plan.sun.0, spot.1 - plan.sun.1);
        if dx * dx + dy * dy < plan.radius * plan.radius * 2.0
            || spot.1 > plan.horizon - plan.frame.unit * 0.1
        {
            continue;
        }
        let size = plan.frame.unit * dice.between(0.004, 0.013);
        let points: Vec<Point> = (0..8)
            .map(|k| {
                polar(
                    spot,
                    if k % 2 == 0 { size } else { size * 0.28 },
                    k as f32 / 8.0,
                )
            })
            .collect();
        easel.fill(&polygon(&points), colour, 1.0);
        easel.fill(&pebble(&points), colour, 0.5);
    }
}
