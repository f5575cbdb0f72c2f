//! Wood: a tree or a blossoming branch, by one rule applied to its own results.

use super::*;
use crate::provider::sketch::draw::brush::{leaf, taper};

/// How a kind of wood parts.
struct Rule {
    /// How often limbs part before they end.
    depth: u32,
    /// A limb's length and width compared to what bears it.
    shorter: (f32, f32),
    thinner: f32,
    /// How far limbs lean away, in turns.
    lean: (f32, f32),
    /// How much limbs bend on their way.
    bend: f32,
}

const TREE: Rule = Rule {
    depth: 8,
    shorter: (0.70, 0.86),
    thinner: 0.70,
    lean: (0.035, 0.095),
    bend: 0.035,
};

const BOUGH: Rule = Rule {
    depth: 5,
    shorter: (0.55, 0.86),
    thinner: 0.66,
    lean: (0.03, 0.12),
    bend: 0.06,
};

/// A limb to be grown.
#[derive(Clone, Copy)]
struct Limb {
    foot: Point,
    turn: f32,
    long: f32,
    wide: f32,
    left: u32,
}

/// Where a twig ended.
struct Tip {
    at: Point,
    turn: f32,
    left: u32,
}

/// Grows the wood, then what it bears.
pub(super) fn grow(
    picture: &mut Picture,
    plate: &Plate,
    plant: Plant,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    let (rule, roots) = match plant {
        Plant::Tree => (&TREE, vec![trunk(plate, dice)]),
        _ => (&BOUGH, boughs(plate, dice)),
    };
    let mut easel = Easel::new(picture);
    if plant == Plant::Tree {
        soil(&mut easel, plate, dice);
    }
    let mut tips = Vec::new();
    for root in roots {
        limbs(&mut easel, plate, rule, root, &mut tips, dice);
    }
    stage(1, picture);
    let half = tips.len() / 2;
    for (number, tip) in tips.iter().enumerate() {
        if number == half {
            stage(2, picture);
        }
        let mut easel = Easel::new(picture);
        match (plant, plate.season) {
            (Plant::Tree, Some(Season::Winter)) => snow_on(&mut easel, plate, tip, dice),
            (Plant::Tree, Some(Season::Spring)) => cluster(&mut easel, plate, tip, true, dice),
            (Plant::Tree, _) => cluster(&mut easel, plate, tip, false, dice),
            _ => blossom(&mut easel, plate, tip, dice),
        }
    }
}

fn trunk(plate: &Plate, dice: &mut Dice) -> Limb {
    let tall = plate.foot.min(plate.unit * 1.2);
    Limb {
        foot: (plate.width * dice.between(0.47, 0.53), plate.foot),
        turn: 0.75 + dice.between(-0.012, 0.012),
        long: tall * 0.215,
        wide: plate.unit * 0.046,
        left: TREE.depth,
    }
}

/// Two boughs reach in from one side.
fn boughs(plate: &Plate, dice: &mut Dice) -> Vec<Limb> {
    let from_left = dice.chance(0.5);
    let reach = plate.width.min(plate.unit * 1.6);
    let bough = |down: f32, lean: f32, share: f32| Limb {
        foot: (
            if from_left {
                -plate.unit * 0.03
            } else {
                plate.width + plate.unit * 0.03
            },
            plate.foot * down,
        ),
        turn: if from_left { lean } else { 0.5 - lean },
        long: reach * 0.34 * share,
        wide: plate.unit * 0.034 * share,
        left: BOUGH.depth,
    };
    vec![
        bough(dice.between(0.66, 0.78), dice.between(-0.095, -0.06), 1.0),
        bough(dice.between(0.22, 0.32), dice.between(0.005, 0.04), 0.74),
    ]
}

fn soil(easel: &mut Easel, plate: &Plate, dice: &mut Dice) {
    for k in 0..5 {
        let half = plate.unit * (0.34 - 0.06 * k as f32) * dice.between(0.85, 1.1);
        let y = plate.foot + plate.unit * (0.004 + 0.006 * k as f32);
        let x = plate.width * 0.5 + plate.unit * dice.between(-0.05, 0.05);
        let line = taper(
            &[(x - half, y), (x, y), (x + half, y)],
            plate.unit * 0.004,
            plate.unit * 0.001,
        );
        easel.fill(&line, plate.ink().rgb(), 0.75);
    }
}

/// Grows one limb and all that it bears, thick wood first.
fn limbs(
    easel: &mut Easel,
    plate: &Plate,
    rule: &Rule,
    root: Limb,
    tips: &mut Vec<Tip>,
    dice: &mut Dice,
) {
    let mut growing = vec![root];
    let bark = bark(plate);
    while let Some(limb) = growing.pop() {
        let points = stem(
            limb.foot,
            limb.turn,
            limb.long,
            dice.between(-rule.bend, rule.bend),
            10,
        );
        let end = limb.wide * rule.thinner;
        easel.fill(&taper(&points, limb.wide, end), bark.rgb(), 1.0);
        let last = points.len() - 1;
        easel.fill(&circle(points[last], end * 0.5), bark.rgb(), 1.0);
        if limb.left <= 2 && points[last].1 < plate.foot - plate.unit * 0.04 {
            for at in [last / 2, last] {
                let turn = heading(&points, at);
                tips.push(Tip {
                    at: points[at],
                    turn,
                    left: limb.left,
                });
            }
        }
        // Nothing grows into the label.
        if limb.left == 0 || points[last].1 > plate.foot - plate.unit * 0.02 {
            continue;
        }
        let children = if dice.chance(0.22) { 3 } else { 2 };
        for child in 0..children {
            let at = if child == 2 { last / 2 } else { last };
            let side = if child % 2 == 0 { 1.0 } else { -1.0 };
            let turn = heading(&points, last) + side * dice.between(rule.lean.0, rule.lean.1);
            // Wood leans back towards the light.
            let turn = turn + (0.75 - turn.rem_euclid(1.0)) * 0.05;
            growing.push(Limb {
                foot: points[at],
                turn,
                long: limb.long * dice.between(rule.shorter.0, rule.shorter.1),
                wide: end,
                left: limb.left - 1,
            });
        }
    }
}

fn bark(plate: &Plate) -> Lab {
    let wood = lch(0.33, 0.035, 55.0);
    if plate.is_dark {
        plate.inks.ink.mix(plate.inks.paper, 0.55)
    } else {
        wood.mix(plate.inks.ink, 0.4)
    }
}

/// A handful of leaves, or of small petals, around a twig.
fn cluster(easel: &mut Easel, plate: &Plate, tip: &Tip, petals: bool, dice: &mut Dice) {
    let count = if tip.left == 0 { 7 } else { 4 };
    for _ in 0..count {
        let spot = polar(tip.at, plate.unit * 0.028 * dice.unit(), dice.unit());
        let tone = match petals {
            true => plate.petal(0).lighten(dice.between(-0.04, 0.14)),
            false => plate.green(dice).lighten(dice.between(-0.05, 0.07)),
        };
        let long = plate.unit * dice.between(0.011, 0.022);
        if petals {
            easel.fill(&circle(spot, long * 0.42), tone.rgb(), 0.92);
        } else {
            let turn = tip.turn + dice.between(-0.25, 0.25);
            easel.fill(&leaf(spot, turn, long, long * 0.30, 0.45), tone.rgb(), 0.95);
        }
    }
}

fn snow_on(easel: &mut Easel, plate: &Plate, tip: &Tip, dice: &mut Dice) {
    if !dice.chance(0.4) {
        return;
    }
    let white = lch(0.985, 0.008, 250.0).rgb();
    let radius = plate.unit * dice.between(0.002, 0.005);
    easel.fill(&circle((tip.at.0, tip.at.1 - radius), radius), white, 0.95);
}

/// A flower of five petals with its threads, or a bud.
fn blossom(easel: &mut Easel, plate: &Plate, tip: &Tip, dice: &mut Dice) {
    let petal = plate.petal(0).mix(
        lch(0.93, 0.03, 10.0),
        if plate.is_dark { 0.25 } else { 0.4 },
    );
    if dice.chance(0.42) {
        let size = plate.unit * dice.between(0.008, 0.014);
        easel.fill(
            &leaf(tip.at, tip.turn, size * 1.8, size * 0.7, 0.5),
            plate.petal(0).rgb(),
            1.0,
        );
        return;
    }
    let centre = polar(tip.at, plate.unit * dice.between(0.0, 0.014), dice.unit());
    let size = plate.unit * dice.between(0.022, 0.036);
    let from = dice.unit();
    for k in 0..5 {
        let turn = from + k as f32 * 0.2;
        let tone = petal.lighten(dice.between(-0.03, 0.03));
        let shape = leaf(centre, turn, size, size * 0.66, 0.66);
        easel.shade(&shape, |x, y| {
            let (dx, dy) = (x - centre.0, y - centre.1);
            let near = 1.0 - ((dx * dx + dy * dy).sqrt() / size).min(1.0);
            (tone.rgb().mix(plate.petal(0).rgb(), near * 0.85), 0.96)
        });
    }
    for k in 0..7 {
        let end = polar(
            centre,
            size * dice.between(0.25, 0.45),
            k as f32 / 7.0 + from,
        );
        easel.fill(&circle(end, size * 0.05), lch(0.80, 0.13, 80.0).rgb(), 1.0);
    }
    easel.fill(
        &circle(centre, size * 0.09),
        plate.petal(0).lighten(-0.12).rgb(),
        1.0,
    );
}
