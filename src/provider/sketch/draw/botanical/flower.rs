//! Flowers: a stand of wild ones, or sunflowers.

use super::*;
use crate::provider::sketch::draw::brush::{leaf, polyline, taper};

/// The heads there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Head {
    #[default]
    Daisy,
    Poppy,
    Tulip,
    Spike,
    Umbel,
    Globe,
    Rose,
    Sunflower,
}

const WILD: [Head; 6] = [
    Head::Daisy,
    Head::Poppy,
    Head::Tulip,
    Head::Spike,
    Head::Umbel,
    Head::Globe,
];

/// One flower before it is painted.
struct Flower {
    head: Head,
    points: Vec<Point>,
    size: f32,
    petal: Lab,
    green: Lab,
}

/// The heads that the words name; any, where they only say flowers; `None` for a plant of another sort.
pub(super) fn heads(plant: Plant, reading: &Reading) -> Option<Vec<Head>> {
    let named = |plant: &Plant| match plant {
        Plant::Rose => Some(Head::Rose),
        Plant::Tulip => Some(Head::Tulip),
        Plant::Poppy => Some(Head::Poppy),
        Plant::Daisy => Some(Head::Daisy),
        Plant::Lavender => Some(Head::Spike),
        Plant::Sunflower => Some(Head::Sunflower),
        _ => None,
    };
    let heads: Vec<Head> = reading.plants.iter().filter_map(named).collect();
    match heads.is_empty() {
        false => Some(heads),
        true => (plant == Plant::Flowers).then(Vec::new),
    }
}

/// Paints a stand of flowers, pale ones behind; each row is a stage. Without heads to choose from, chance chooses three.
pub(super) fn stand(
    picture: &mut Picture,
    plate: &Plate,
    heads: &[Head],
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let wide = (plate.width / plate.unit).clamp(1.0, 2.2);
    let kinds: Vec<Head> = match heads.is_empty() {
        true => (0..3).map(|_| dice.pick(&WILD)).collect(),
        false => heads.to_vec(),
    };
    let big = kinds.contains(&Head::Sunflower);
    let rows = if big {
        [3.0, 1.0, 3.0]
    } else {
        [9.0, 7.0, 6.0]
    };
    for (row, count) in rows.into_iter().enumerate() {
        let count = (count * wide) as usize;
        for number in 0..count {
            let share = (number as f32 + dice.between(0.15, 0.85)) / count as f32;
            let head = dice.pick(&kinds);
            let flower = flower(plate, head, row, share, dice);
            draw(&mut Easel::new(picture), plate, &flower, dice);
        }
        tuft(&mut Easel::new(picture), plate, row, dice);
        if row < 2 {
            stage(1 + row as u32, picture);
        }
    }
}

fn flower(plate: &Plate, head: Head, row: usize, share: f32, dice: &mut Dice) -> Flower {
    let depth = row as f32 * 0.5;
    let air = 0.52 * (1.0 - depth);
    let from_middle = share - 0.5;
    let gathered = (plate.width - plate.unit) * 0.75 + plate.unit * 0.34;
    let foot = (plate.width * 0.5 + from_middle * gathered, plate.foot);
    let rise = plate.foot
        * (0.90 - 0.26 * depth)
        * dice.between(0.72, 1.0)
        * (1.0 - from_middle.abs() * 0.45);
    let turn = 0.75 + from_middle * 0.16;
    let bend = from_middle * 0.10 + dice.between(-0.035, 0.035);
    let big = if head == Head::Sunflower { 1.9 } else { 1.0 };
    let petal = match head {
        Head::Sunflower => lch(0.80, 0.155, 80.0 + dice.between(-8.0, 6.0)),
        _ => plate.petal(dice.roll() as usize),
    };
    Flower {
        head,
        points: stem(foot, turn, rise, bend, 40),
        size: plate.unit * (0.052 + 0.018 * depth) * dice.between(0.8, 1.25) * big,
        petal: petal.mix(plate.inks.paper, air),
        green: plate.green(dice).mix(plate.inks.paper, air),
    }
}

fn draw(easel: &mut Easel, plate: &Plate, flower: &Flower, dice: &mut Dice) {
    let thick = plate.unit
        * if flower.head == Head::Sunflower {
            0.010
        } else {
            0.0052
        };
    easel.fill(
        &taper(&flower.points, thick, thick * 0.6),
        flower.green.rgb(),
        1.0,
    );
    stem_leaves(easel, flower, dice);
    let tip = flower.points.len() - 1;
    let (at, turn) = (flower.points[tip], heading(&flower.points, tip));
    match flower.head {
        Head::Daisy => daisy(easel, plate, flower, at, dice),
        Head::Poppy => poppy(easel, plate, flower, at, dice),
        Head::Tulip => tulip(easel, flower, at, turn),
        Head::Spike => spike(easel, flower, dice),
        Head::Umbel => umbel(easel, flower, at, turn, dice),
        Head::Globe => globe(easel, flower, at, dice),
        Head::Rose => rose(easel, flower, at, dice),
        Head::Sunflower => sunflower(easel, flower, at, dice),
    }
}

fn stem_leaves(easel: &mut Easel, flower: &Flower, dice: &mut Dice) {
    let sunny = flower.head == Head::Sunflower;
    for k in 0..4 {
        let at = 7 + k * 6;
        let side = if k % 2 == 0 { 1.0 } else { -1.0 };
        let long = flower.size * dice.between(1.2, 2.0) * if sunny { 0.8 } else { 1.0 };
        let turn = heading(&flower.points, at) + side * dice.between(0.08, 0.15);
        let slim = if sunny { 0.34 } else { 0.13 };
        foliage::leaf_at(
            easel,
            flower.points[at],
            turn,
            long,
            long * slim,
            flower.green,
        );
    }
}

/// A ring of petals around a point, seen a little from the side.
fn ring(
    easel: &mut Easel,
    centre: Point,
    count: u32,
    (inner, long, half): (f32, f32, f32),
    tone: Lab,
    dice: &mut Dice,
) {
    let from = dice.unit();
    for k in 0..count {
        let turn = from + k as f32 / count as f32 + dice.between(-0.006, 0.006);
        let base = polar(centre, inner, turn);
        let long = long * dice.between(0.9, 1.08);
        let lit = tone.lighten(dice.between(-0.05, 0.05));
        easel.fill(&leaf(base, turn, long, half, 0.62), lit.rgb(), 1.0);
    }
}

fn daisy(easel: &mut Easel, plate: &Plate, flower: &Flower, at: Point, dice: &mut Dice) {
    let size = flower.size;
    let count = 13 + (dice.roll() % 6) as u32;
    ring(
        easel,
        at,
        count,
        (size * 0.16, size * 0.86, size * 0.15),
        flower.petal.lighten(-0.05),
        dice,
    );
    ring(
        easel,
        at,
        count,
        (size * 0.14, size * 0.72, size * 0.14),
        flower.petal.lighten(0.04),
        dice,
    );
    let heart = plate
        .inks
        .colour_on(flower.petal, 2)
        .mix(lch(0.8, 0.15, 82.0), 0.5);
    easel.fill(&circle(at, size * 0.27), heart.rgb(), 1.0);
    for k in 0..14 {
        let seed = polar(
            at,
            size * 0.24 * (k as f32 / 14.0).sqrt(),
            k as f32 * 0.381_966,
        );
        easel.fill(&circle(seed, size * 0.026), heart.lighten(-0.18).rgb(), 0.9);
    }
}

fn poppy(easel: &mut Easel, plate: &Plate, flower: &Flower, at: Point, dice: &mut Dice) {
    let size = flower.size;
    for (k, turn) in [0.62, 0.88, 0.5, 0.0, 0.30, 0.16].into_iter().enumerate() {
        let tone = flower
            .petal
            .lighten(if k < 2 { -0.08 } else { 0.015 * k as f32 });
        let turn = turn + dice.between(-0.03, 0.03);
        let base = polar(at, size * 0.05, turn);
        let petal = leaf(base, turn, size * 1.02, size * 0.66, 0.74);
        easel.shade(&petal, |x, y| {
            let (dx, dy) = (x - at.0, y - at.1);
            let near = 1.0 - ((dx * dx + dy * dy).sqrt() / size).min(1.0);
            (tone.rgb().mix(tone.lighten(-0.16).rgb(), near * near), 0.95)
        });
    }
    easel.fill(
        &circle(at, size * 0.20),
        plate.ink().mix(flower.petal, 0.2).rgb(),
        0.95,
    );
    for k in 0..16 {
        let dot = polar(at, size * dice.between(0.24, 0.34), k as f32 / 16.0);
        easel.fill(&circle(dot, size * 0.028), plate.ink().rgb(), 0.9);
    }
}

fn tulip(easel: &mut Easel, flower: &Flower, at: Point, turn: f32) {
    let size = flower.size * 1.5;
    let base = polar(at, -size * 0.1, turn);
    for (side, shade) in [(-0.055, -0.05), (0.055, -0.02), (0.0, 0.05)] {
        let petal = leaf(
            base,
            turn + side,
            size * (1.0 - side.abs() * 2.0),
            size * 0.36,
            0.38,
        );
        easel.fill(&petal, flower.petal.lighten(shade).rgb(), 1.0);
    }
    let line = polyline(&[polar(base, size * 0.3, turn), polar(base, size * 0.8, turn)]);
    easel.stroke(&line, size * 0.012, flower.petal.lighten(-0.1).rgb(), 0.8);
}

/// Buds up the last third of the stem, as of lavender.
fn spike(easel: &mut Easel, flower: &Flower, dice: &mut Dice) {
    let points = &flower.points;
    let start = points.len() * 3 / 5;
    for at in start..points.len() {
        let along = (at - start) as f32 / (points.len() - start) as f32;
        let size = flower.size * (0.42 - 0.26 * along);
        for side in [-1.0, 0.0, 1.0] {
            let turn = heading(points, at) + side * 0.14 + dice.between(-0.02, 0.02);
            let tone = flower.petal.lighten(dice.between(-0.08, 0.08));
            easel.fill(
                &leaf(points[at], turn, size, size * 0.30, 0.55),
                tone.rgb(),
                1.0,
            );
        }
    }
}

/// Stalks that part twice and end in dots, as of a wild carrot.
fn umbel(easel: &mut Easel, flower: &Flower, at: Point, turn: f32, dice: &mut Dice) {
    let size = flower.size * 1.25;
    for ray in -4..=4 {
        let lean = turn + ray as f32 * 0.042;
        let end = polar(at, size * (1.0 - 0.03 * (ray * ray) as f32 * 0.5), lean);
        easel.stroke(&polyline(&[at, end]), size * 0.018, flower.green.rgb(), 1.0);
        for _ in 0..9 {
            let spot = polar(end, size * 0.16 * dice.unit().sqrt(), dice.unit());
            let tone = flower.petal.lighten(dice.between(-0.03, 0.10));
            easel.fill(
                &circle(spot, size * dice.between(0.024, 0.042)),
                tone.rgb(),
                1.0,
            );
        }
    }
}

/// A ball of small stars, as of leek.
fn globe(easel: &mut Easel, flower: &Flower, at: Point, dice: &mut Dice) {
    let size = flower.size * 0.86;
    for k in 0..90 {
        let share = k as f32 / 90.0;
        let spot = polar(at, size * (1.0 - share).sqrt(), k as f32 * 0.381_966);
        let lit = (at.1 - spot.1) / size * 0.10 - 0.02;
        let tone = flower.petal.lighten(lit + dice.between(-0.03, 0.03));
        easel.fill(&circle(spot, size * 0.105), tone.rgb(), 1.0);
        easel.fill(&circle(spot, size * 0.03), tone.lighten(0.14).rgb(), 1.0);
    }
}

/// Two rings of broad petals around a bud that is wound up.
fn rose(easel: &mut Easel, flower: &Flower, at: Point, dice: &mut Dice) {
    let size = flower.size * 0.95;
    let from = dice.unit();
    for (ring, reach, shade) in [(0.0, 1.0, -0.07), (0.1, 0.82, -0.025)] {
        for k in 0..5 {
            let turn = from + ring + k as f32 * 0.2;
            let petal = leaf(
                polar(at, size * 0.06, turn),
                turn,
                size * reach,
                size * reach * 0.66,
                0.74,
            );
            let tone = flower.petal.lighten(shade + dice.between(-0.012, 0.012));
            easel.shade(&petal, |x, y| {
                let (dx, dy) = (x - at.0, y - at.1);
                let near = 1.0 - ((dx * dx + dy * dy).sqrt() / size).min(1.0);
                (
                    tone.rgb().mix(tone.lighten(-0.16).rgb(), near * near * 1.3),
                    1.0,
                )
            });
        }
    }
    for k in 0..8 {
        let centre = polar(
            at,
            size * 0.055 * (1.0 - k as f32 * 0.1),
            from + k as f32 * 0.381_966,
        );
        let tone = flower.petal.lighten(if k % 2 == 0 { -0.09 } else { 0.05 });
        easel.fill(
            &circle(centre, size * (0.50 - 0.058 * k as f32)),
            tone.rgb(),
            1.0,
        );
    }
}

/// Two rings of petals, and seeds in the spiral that leaves no gap: each a golden angle on from the last.
fn sunflower(easel: &mut Easel, flower: &Flower, at: Point, dice: &mut Dice) {
    let size = flower.size;
    ring(
        easel,
        at,
        21,
        (size * 0.42, size * 0.74, size * 0.17),
        flower.petal.lighten(-0.09),
        dice,
    );
    ring(
        easel,
        at,
        21,
        (size * 0.40, size * 0.62, size * 0.15),
        flower.petal,
        dice,
    );
    let dark = lch(0.30, 0.055, 55.0);
    easel.fill(&circle(at, size * 0.50), dark.rgb(), 1.0);
    for k in 1..190 {
        let share = k as f32 / 190.0;
        let seed = polar(at, size * 0.47 * share.sqrt(), k as f32 * 0.381_966);
        let tone = dark.mix(flower.petal, 0.10 + 0.45 * share * share);
        easel.fill(&circle(seed, size * 0.017), tone.rgb(), 1.0);
    }
}

/// Grass at the foot, so that stems do not end in nothing.
fn tuft(easel: &mut Easel, plate: &Plate, row: usize, dice: &mut Dice) {
    let air = 0.5 * (1.0 - row as f32 * 0.5);
    let gathered = (plate.width - plate.unit) * 0.75 + plate.unit * 0.40;
    for _ in 0..(16.0 * plate.width / plate.unit) as u32 {
        let foot = (
            plate.width * 0.5 + dice.between(-0.5, 0.5) * gathered,
            plate.foot,
        );
        let long = plate.unit * dice.between(0.06, 0.20);
        let blade = stem(
            foot,
            0.75 + dice.between(-0.07, 0.07),
            long,
            dice.between(-0.12, 0.12),
            12,
        );
        let tone = plate.green(dice).mix(plate.inks.paper, air);
        easel.fill(&taper(&blade, plate.unit * 0.007, 0.3), tone.rgb(), 1.0);
    }
}
