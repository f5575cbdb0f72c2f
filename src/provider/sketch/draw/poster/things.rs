//! Small forms of a scene: trees, windows, a boat, a lighthouse.

use super::scenic::Plan;
use super::*;
use crate::provider::sketch::draw::brush::{circle, leaf, polar, polygon, polyline};
use crate::provider::sketch::draw::words::{Accent, Season};

/// A bar with round ends.
pub(super) fn pill(easel: &mut Easel, (left, top): Point, (right, bottom): Point, colour: Rgb) {
    let radius = (bottom - top) * 0.5;
    let line = polyline(&[
        (left + radius, top + radius),
        ((right - radius).max(left + radius + 0.1), top + radius),
    ]);
    easel.stroke(&line, radius * 2.0, colour, 1.0);
}

/// Three pills in a heap.
pub(super) fn cloud(easel: &mut Easel, (x, y): Point, wide: f32, colour: Rgb) {
    let tall = wide * 0.17;
    for (off, down, share) in [(0.1, 0.0, 0.5), (-0.12, 0.75, 0.85), (0.06, 1.5, 1.0)] {
        let half = wide * share * 0.5;
        let middle = x + wide * off;
        let top = y + tall * down;
        pill(
            easel,
            (middle - half, top),
            (middle + half, top + tall),
            colour,
        );
    }
}

/// A row of fir trees.
pub(super) fn firs(
    easel: &mut Easel,
    plan: &Plan,
    layer: usize,
    base: f32,
    tone: Lab,
    dice: &mut Dice,
) {
    let unit = plan.frame.unit;
    let tall = unit * (0.08 + 0.055 * layer as f32);
    let step = tall * 0.42;
    let mut x = plan.frame.left - step * dice.unit();
    while x < plan.frame.right + step {
        let height = tall * dice.between(0.7, 1.25);
        let foot = base + unit * 0.02;
        let shift = if dice.chance(0.3) { 0.16 } else { 0.04 };
        let other = plan.inks.colour_on(tone, dice.roll() as usize);
        let colour = tone.mix(other, shift).rgb();
        let half = height * 0.23;
        for level in 0..3 {
            let low = foot - height * 0.24 * level as f32;
            let wide = half * (1.0 - 0.22 * level as f32);
            let shape = polygon(&[(x - wide, low), (x + wide, low), (x, low - height * 0.52)]);
            easel.fill(&shape, colour, 1.0);
        }
        x += step * dice.between(0.7, 1.5);
    }
}

/// A few round trees on a slope.
pub(super) fn trees(
    easel: &mut Easel,
    plan: &Plan,
    layer: usize,
    base: f32,
    tone: Lab,
    dice: &mut Dice,
) {
    let unit = plan.frame.unit;
    let bare = plan.season == Some(Season::Winter);
    for _ in 0..(2 + dice.roll() % 4) {
        let x = plan.frame.left + plan.frame.width() * dice.between(0.04, 0.96);
        let tall = unit * dice.between(0.07, 0.12) * (0.6 + 0.25 * layer as f32);
        let foot = base + unit * 0.03;
        let trunk = block((x - tall * 0.03, foot - tall), (x + tall * 0.03, foot));
        let dark = plan.inks.type_on(tone).rgb();
        easel.fill(&trunk, dark, 1.0);
        if bare {
            continue;
        }
        let crown = plan.inks.colour_on(tone, dice.roll() as usize);
        let shape = leaf((x, foot - tall * 0.35), 0.75, tall * 1.1, tall * 0.42, 0.4);
        easel.fill(&shape, crown.rgb(), 1.0);
        let grain = plan.grain(
            (x + tall * 0.4, foot),
            (x - tall * 0.3, foot - tall),
            dice.seed(),
        );
        easel.spray(&shape, plan.inks.ink.rgb(), 0.5, &grain);
    }
}

/// Lit windows over the blocks of a city; dark ones by day.
pub(super) fn windows(easel: &mut Easel, plan: &Plan, base: f32, dice: &mut Dice) {
    let unit = plan.frame.unit;
    let colour = plan.sun_colour().rgb();
    let (step, size) = (unit * 0.026, unit * 0.009);
    let columns = (plan.frame.width() / step) as i32;
    for column in 0..columns {
        for row in 0..7 {
            if dice.chance(0.62) {
                continue;
            }
            let x = plan.frame.left + (column as f32 + 0.4) * step;
            let y = base - unit * 0.015 - row as f32 * step * 0.8;
            easel.fill(&block((x, y - size * 1.5), (x + size, y)), colour, 1.0);
        }
    }
}

/// The things that words ask for.
pub(super) fn paint(easel: &mut Easel, plan: &Plan, dice: &mut Dice) {
    let unit = plan.frame.unit;
    let away = if plan.sun.0 > plan.frame.at(0.5, 0.0).0 {
        0.26
    } else {
        0.74
    };
    let shore = (plan.frame.at(away, 0.0).0, plan.horizon);
    for accent in &plan.accents {
        match accent {
            Accent::Lighthouse => lighthouse(easel, plan, shore, unit * 0.42),
            Accent::Boat => boat(
                easel,
                plan,
                (shore.0, plan.horizon + unit * 0.10),
                unit * 0.24,
            ),
            Accent::House => house(easel, plan, shore, unit * 0.16),
            Accent::Tower => pagoda(easel, plan, shore, unit * 0.36),
            Accent::Birds => birds(easel, plan, dice),
            Accent::Tree => lone_tree(easel, plan, (shore.0, plan.horizon + unit * 0.06), dice),
        }
    }
}

fn dark(plan: &Plan) -> Lab {
    if plan.is_dark {
        plan.inks.paper.dim(0.7)
    } else {
        plan.inks.ink
    }
}

pub(super) fn light(plan: &Plan) -> Lab {
    if plan.is_dark {
        plan.inks.ink
    } else {
        plan.inks.paper
    }
}

fn lighthouse(easel: &mut Easel, plan: &Plan, (x, y): Point, tall: f32) {
    let (ink, white) = (dark(plan).rgb(), light(plan).rgb());
    let rock = [
        (x - tall * 0.55, y),
        (x - tall * 0.3, y - tall * 0.16),
        (x + tall * 0.1, y - tall * 0.2),
        (x + tall * 0.5, y),
    ];
    easel.fill(&polygon(&rock), ink, 1.0);
    let foot = y - tall * 0.15;
    let half = |share: f32| tall * (0.085 - 0.035 * share);
    let ring = |low: f32, high: f32| {
        polygon(&[
            (x - half(low), foot - tall * low),
            (x + half(low), foot - tall * low),
            (x + half(high), foot - tall * high),
            (x - half(high), foot - tall * high),
        ])
    };
    let lamp = (x, foot - tall * 0.80);
    let beam = plan.sun_colour().rgb();
    for side in [-1.0, 1.0] {
        let far = x + side * plan.frame.width();
        let cone = [
            lamp,
            (far, lamp.1 - tall * 0.32),
            (far, lamp.1 + tall * 0.10),
        ];
        easel.fill(
            &polygon(&cone),
            beam,
            if plan.is_dark { 0.34 } else { 0.22 },
        );
    }
    easel.fill(&ring(0.0, 0.74), white, 1.0);
    let band = plan.inks.colour_on(light(plan), 2).rgb();
    for low in [0.10, 0.36, 0.60] {
        easel.fill(&ring(low, low + 0.13), band, 1.0);
    }
    let gallery = block(
        (x - tall * 0.075, foot - tall * 0.76),
        (x + tall * 0.075, foot - tall * 0.735),
    );
    easel.fill(&gallery, ink, 1.0);
    let room = block(
        (x - tall * 0.035, foot - tall * 0.85),
        (x + tall * 0.035, foot - tall * 0.76),
    );
    easel.fill(&room, beam, 1.0);
    let roof = [
        (x - tall * 0.055, foot - tall * 0.85),
        (x + tall * 0.055, foot - tall * 0.85),
        (x, foot - tall * 0.93),
    ];
    easel.fill(&polygon(&roof), ink, 1.0);
}

fn boat(easel: &mut Easel, plan: &Plan, (x, y): Point, size: f32) {
    let hull = [
        (x - size * 0.46, y),
        (x + size * 0.5, y),
        (x + size * 0.34, y + size * 0.15),
        (x - size * 0.34, y + size * 0.15),
    ];
    easel.fill(&polygon(&hull), dark(plan).rgb(), 1.0);
    let main = [
        (x + size * 0.03, y - size * 0.05),
        (x + size * 0.42, y - size * 0.05),
        (x + size * 0.03, y - size),
    ];
    easel.fill(&polygon(&main), light(plan).rgb(), 1.0);
    let fore = [
        (x - size * 0.03, y - size * 0.05),
        (x - size * 0.32, y - size * 0.05),
        (x - size * 0.03, y - size * 0.82),
    ];
    let second = plan.inks.colour_on(light(plan), 0).rgb();
    easel.fill(&polygon(&fore), second, 1.0);
}

fn house(easel: &mut Easel, plan: &Plan, (x, y): Point, size: f32) {
    let y = y + size * 0.2;
    easel.fill(
        &block((x - size * 0.4, y - size * 0.5), (x + size * 0.4, y)),
        light(plan).rgb(),
        1.0,
    );
    let roof = [
        (x - size * 0.52, y - size * 0.48),
        (x + size * 0.52, y - size * 0.48),
        (x, y - size * 0.95),
    ];
    easel.fill(
        &polygon(&roof),
        plan.inks.colour_on(light(plan), 0).rgb(),
        1.0,
    );
    easel.fill(
        &block((x - size * 0.08, y - size * 0.3), (x + size * 0.08, y)),
        dark(plan).rgb(),
        1.0,
    );
}

fn pagoda(easel: &mut Easel, plan: &Plan, (x, y): Point, tall: f32) {
    let (ink, accent) = (dark(plan).rgb(), plan.inks.colour_on(dark(plan), 0).rgb());
    for level in 0..4 {
        let low = y - tall * 0.2 * level as f32;
        let half = tall * (0.15 - 0.025 * level as f32);
        easel.fill(
            &block((x - half, low - tall * 0.2), (x + half, low)),
            accent,
            1.0,
        );
        let eave = [
            (x - half * 1.7, low - tall * 0.13),
            (x + half * 1.7, low - tall * 0.13),
            (x + half * 0.8, low - tall * 0.21),
            (x - half * 0.8, low - tall * 0.21),
        ];
        easel.fill(&polygon(&eave), ink, 1.0);
    }
    let spire = [
        (x - tall * 0.015, y - tall * 0.8),
        (x + tall * 0.015, y - tall * 0.8),
        (x, y - tall),
    ];
    easel.fill(&polygon(&spire), ink, 1.0);
}

fn lone_tree(easel: &mut Easel, plan: &Plan, (x, y): Point, dice: &mut Dice) {
    let tall = plan.frame.unit * 0.30;
    easel.fill(
        &block((x - tall * 0.03, y - tall * 0.6), (x + tall * 0.03, y)),
        dark(plan).rgb(),
        1.0,
    );
    if plan.season == Some(Season::Winter) {
        return;
    }
    for k in 0..5 {
        let middle = polar((x, y - tall * 0.72), tall * 0.16, k as f32 / 5.0 + 0.55);
        let tone = plan.inks.colours[k % 2].rgb();
        easel.fill(&circle(middle, tall * dice.between(0.16, 0.22)), tone, 1.0);
    }
}

fn birds(easel: &mut Easel, plan: &Plan, dice: &mut Dice) {
    let unit = plan.frame.unit;
    for _ in 0..5 {
        let (x, y) = plan
            .frame
            .at(dice.between(0.15, 0.85), dice.between(0.38, 0.52));
        let wide = unit * dice.between(0.012, 0.024);
        let wings = polyline(&[
            (x - wide, y - wide * 0.5),
            (x - wide * 0.4, y - wide * 0.55),
            (x, y),
            (x + wide * 0.4, y - wide * 0.55),
            (x + wide, y - wide * 0.5),
        ]);
        easel.stroke(
            &wings,
            unit * 0.004,
            plan.inks.type_on(plan.frame.ground).rgb(),
            1.0,
        );
    }
}
