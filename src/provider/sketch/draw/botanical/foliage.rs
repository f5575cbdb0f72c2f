//! Leaves: sprigs, ferns and bamboo.

use super::*;
use crate::provider::sketch::draw::brush::{half_leaf, leaf, polyline, taper};

/// One leaf with a lighter half and a rib.
pub(super) fn leaf_at(easel: &mut Easel, base: Point, turn: f32, long: f32, half: f32, tone: Lab) {
    easel.fill(&leaf(base, turn, long, half, 0.42), tone.rgb(), 1.0);
    let lit = half_leaf(base, turn, long, (0.0, half), 0.42);
    easel.fill(&lit, tone.lighten(0.075).rgb(), 1.0);
    let rib = polyline(&[base, polar(base, long * 0.86, turn)]);
    easel.stroke(&rib, (long * 0.018).max(0.4), tone.lighten(0.16).rgb(), 0.8);
}

/// Paints the foliage of a plate.
pub(super) fn plate(
    picture: &mut Picture,
    plate: &Plate,
    plant: Plant,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let count = match plant {
        Plant::Bamboo => 4,
        Plant::Fern => 5,
        _ => 3,
    };
    for number in 0..count {
        let share = (number as f32 + 0.5) / count as f32 - 0.5;
        let mut easel = Easel::new(picture);
        match plant {
            Plant::Bamboo => culm(&mut easel, plate, share, dice),
            Plant::Fern => frond(&mut easel, plate, share, dice),
            _ => sprig(&mut easel, plate, number, share, dice),
        }
        if number == 0 || number + 2 == count {
            stage(if number == 0 { 1 } else { 2 }, picture);
        }
    }
}

/// How the leaves of a sprig look.
struct Habit {
    pairs: usize,
    long: f32,
    slim: f32,
    lean: f32,
    opposite: bool,
}

const HABITS: [Habit; 4] = [
    // Eucalyptus, olive, laurel, rowan.
    Habit {
        pairs: 9,
        long: 0.125,
        slim: 0.44,
        lean: 0.17,
        opposite: true,
    },
    Habit {
        pairs: 13,
        long: 0.15,
        slim: 0.13,
        lean: 0.11,
        opposite: true,
    },
    Habit {
        pairs: 10,
        long: 0.19,
        slim: 0.22,
        lean: 0.12,
        opposite: false,
    },
    Habit {
        pairs: 15,
        long: 0.105,
        slim: 0.27,
        lean: 0.15,
        opposite: true,
    },
];

/// A stem that carries leaves, smaller towards its tip.
fn sprig(easel: &mut Easel, plate: &Plate, number: usize, share: f32, dice: &mut Dice) {
    let habit = &HABITS[(dice.roll() as usize + number) % HABITS.len()];
    let wide = (plate.width / plate.unit).min(1.7);
    let foot = (
        plate.width * 0.5 + plate.unit * share * 0.62 * wide,
        plate.foot,
    );
    let long = (plate.foot * 0.80) * dice.between(0.86, 1.0) * (1.0 - share.abs() * 0.3);
    let turn = 0.75 + share * 0.06;
    let points = stem(
        foot,
        turn,
        long,
        share * 0.10 + dice.between(-0.03, 0.03),
        48,
    );
    let tone = plate.greens[number % 3];
    easel.fill(
        &taper(&points, plate.unit * 0.009, plate.unit * 0.003),
        tone.lighten(-0.06).rgb(),
        1.0,
    );
    let bare = 8;
    for pair in 0..habit.pairs {
        let along = pair as f32 / habit.pairs as f32;
        let at = bare + ((points.len() - 1 - bare) as f32 * along) as usize;
        let size = plate.unit
            * habit.long
            * (0.55 + 0.65 * libm::sinf((0.25 + along * 0.75) * std::f32::consts::PI));
        let direction = heading(&points, at);
        for side in [-1.0, 1.0] {
            if !habit.opposite && (pair % 2 == 0) == (side > 0.0) {
                continue;
            }
            let lean = habit.lean * (1.0 - along * 0.35) + dice.between(-0.015, 0.015);
            let shade = plate.green(dice).mix(tone, 0.6);
            leaf_at(
                easel,
                points[at],
                direction + side * lean,
                size,
                size * habit.slim,
                shade,
            );
        }
    }
    let tip = points.len() - 1;
    let size = plate.unit * habit.long * 0.6;
    leaf_at(
        easel,
        points[tip],
        heading(&points, tip),
        size,
        size * habit.slim,
        tone,
    );
}

/// A fern: a bent stem with leaflets that are ferns of leaflets themselves.
fn frond(easel: &mut Easel, plate: &Plate, share: f32, dice: &mut Dice) {
    let wide = (plate.width / plate.unit).min(1.8);
    let foot = (plate.width * 0.5 + plate.unit * share * 0.16, plate.foot);
    let long =
        plate.foot.min(plate.unit * 1.25) * (0.92 - share.abs() * 0.5) * dice.between(0.92, 1.05);
    let points = stem(foot, 0.75 + share * 0.17 * wide, long, share * 0.26, 60);
    let tone = plate.green(dice).lighten(-0.04 * (2.0 * share.abs()));
    easel.fill(
        &taper(&points, plate.unit * 0.008, plate.unit * 0.002),
        tone.lighten(-0.08).rgb(),
        1.0,
    );
    for at in (9..points.len()).step_by(2) {
        let along = (at - 9) as f32 / (points.len() - 9) as f32;
        let reach = long * 0.26 * (1.0 - along) * (0.35 + 0.65 * (along * 5.0).min(1.0))
            + plate.unit * 0.006;
        let direction = heading(&points, at);
        for side in [-1.0, 1.0] {
            let lean = side * (0.19 - 0.05 * along);
            leaflets(
                easel,
                points[at],
                direction + lean,
                reach,
                side,
                tone.lighten(dice.between(-0.02, 0.04)),
            );
        }
    }
}

fn leaflets(easel: &mut Easel, base: Point, turn: f32, reach: f32, side: f32, tone: Lab) {
    let count = 9;
    let rib = polyline(&[base, polar(base, reach, turn)]);
    easel.stroke(
        &rib,
        (reach * 0.02).max(0.5),
        tone.lighten(-0.05).rgb(),
        1.0,
    );
    for step in 1..=count {
        let along = step as f32 / count as f32;
        let at = polar(base, reach * along, turn);
        let size = reach * 0.17 * (1.12 - along) + reach * 0.03;
        for half in [-1.0, 1.0] {
            let lit = if half == side { 0.03 } else { 0.0 };
            let shape = leaf(at, turn + half * 0.17, size, size * 0.34, 0.45);
            easel.fill(&shape, tone.lighten(lit).rgb(), 1.0);
        }
    }
}

/// A culm of bamboo: joints, and tufts of hanging leaves.
fn culm(easel: &mut Easel, plate: &Plate, share: f32, dice: &mut Dice) {
    let x = plate.width * (0.5 + share * 0.86) + plate.unit * dice.between(-0.05, 0.05);
    let lean = dice.between(-0.012, 0.012);
    let wide = plate.unit * dice.between(0.022, 0.042);
    let tone = plate
        .green(dice)
        .mix(plate.inks.paper, 0.35 * (share.abs() * 2.0));
    let mut low = (x, plate.foot + plate.unit * 0.01);
    let joint = plate.unit * dice.between(0.15, 0.20);
    while low.1 > -joint {
        let high = polar(low, joint, 0.75 + lean);
        segment(easel, low, high, wide, tone);
        if low.1 < plate.foot * 0.72 && dice.chance(0.72) {
            tuft(easel, plate, high, dice);
        }
        low = high;
    }
}

fn segment(easel: &mut Easel, low: Point, high: Point, wide: f32, tone: Lab) {
    let gap = wide * 0.10;
    let points: Vec<Point> = (0..=6)
        .map(|k| {
            let share = k as f32 / 6.0;
            (
                low.0 + (high.0 - low.0) * share,
                low.1 - gap + (high.1 + gap - low.1 + gap) * share,
            )
        })
        .collect();
    let shape = taper(&points, wide, wide * 0.97);
    let left = low.0.min(high.0) - wide * 0.5;
    let (dark, light) = (tone.lighten(-0.10).rgb(), tone.lighten(0.10).rgb());
    easel.shade(&shape, |x, _| {
        let across = ((x - left) / wide).clamp(0.0, 1.0);
        (dark.mix(light, 1.0 - (across - 0.32).abs() * 1.5), 1.0)
    });
    let ring = polyline(&[
        (high.0 - wide * 0.56, high.1 + gap * 0.5),
        (high.0 + wide * 0.56, high.1 + gap * 0.5),
    ]);
    easel.stroke(&ring, wide * 0.12, tone.lighten(-0.16).rgb(), 1.0);
}

fn tuft(easel: &mut Easel, plate: &Plate, node: Point, dice: &mut Dice) {
    let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let twig = stem(
        node,
        0.75 + side * 0.14,
        plate.unit * dice.between(0.08, 0.2),
        side * 0.10,
        10,
    );
    easel.fill(
        &taper(&twig, plate.unit * 0.005, plate.unit * 0.002),
        plate.greens[2].rgb(),
        1.0,
    );
    for _ in 0..(4 + dice.roll() % 4) {
        let at = twig[4 + (dice.roll() % 7) as usize];
        let turn = 0.25 - side * dice.between(0.02, 0.22);
        let long = plate.unit * dice.between(0.09, 0.17);
        let tone = plate.green(dice);
        leaf_at(easel, at, turn, long, long * 0.075, tone);
    }
}
