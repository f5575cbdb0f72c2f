//! Plants close to the viewer: one broad tree, pines at an edge, grass.

use super::accent::ink;
use super::land::Land;
use super::silhouette::Outline;
use crate::provider::sketch::draw::colour::Rgb;
use crate::provider::sketch::draw::noise::{gradient, smooth};
use crate::provider::sketch::draw::picture::Picture;
use crate::provider::sketch::draw::plan::Plan;
use crate::provider::sketch::draw::words::{Ground, Season, Water};

/// One broad tree close by: a trunk and a crown of overlapping discs.
pub(super) fn big_tree(picture: &mut Picture, plan: &mut Plan, land: &Land) {
    let x = plan.width * 0.5 - plan.light_side() * plan.width * plan.dice.between(0.16, 0.28);
    let foot = (x, land.front(x, plan) + plan.unit * 0.012);
    let scale = plan.unit * 0.3;
    let trunk = ink(plan, 0.0);
    Outline::new()
        .shape(&[(-0.05, 0.0), (0.05, 0.0), (0.025, 0.5), (-0.02, 0.5)])
        .fill(picture, foot, scale, trunk, 1.0);
    let leaves = plan.dice.seed();
    let bare = plan.season == Season::Winter;
    let leaf = match plan.season {
        Season::Spring if plan.ground != Ground::Forest => {
            plan.palette.glow.mix(plan.palette.ground_shade, 0.35)
        }
        _ => plan.palette.ground_lit.mix(plan.palette.dark, 0.45),
    };
    for blot in 0..if bare { 0 } else { 200 } {
        let (across, up) = (plan.dice.between(-1.0, 1.0), plan.dice.between(-1.0, 1.0));
        // Two lobes and a top, rather than a ball.
        let lobes = 0.78 + 0.22 * gradient(across * 2.6, up * 2.6, leaves);
        if across * across + up * up > lobes {
            continue;
        }
        let lit = smooth(-1.0, 1.0, across * plan.light_side() * 0.6 + up * 0.7);
        let colour = plan
            .palette
            .dark
            .mix(leaf, 0.25 + 0.75 * lit * (blot as f32 / 200.0))
            .rgb();
        let radius = plan.dice.between(0.03, 0.075);
        Outline::new()
            .circle((across * 0.36, 0.68 + up * 0.25), radius)
            .fill(picture, foot, scale, colour, 0.95);
    }
    if bare {
        let mut outline = Outline::new();
        for side in [-1.0, 1.0] {
            for (from, reach, up) in [(0.30, 0.30, 0.72), (0.42, 0.22, 0.86), (0.46, 0.10, 0.98)] {
                outline = outline.arcs(
                    (0.012 * side, from),
                    (reach * 0.5 * side, from + 0.1),
                    (reach * side, up),
                    (reach * 0.4 * side, from + 0.14),
                );
            }
        }
        outline.fill(picture, foot, scale, trunk, 1.0);
    }
}

/// Something dark and near at one edge, which gives the rest its distance: pines, or grass.
pub(super) fn framing(picture: &mut Picture, plan: &mut Plan, land: &Land) {
    if matches!(plan.ground, Ground::City | Ground::Desert) {
        return;
    }
    let colour = plan
        .palette
        .dark
        .dim(0.8)
        .mix(plan.palette.ground_shade, 0.12)
        .rgb();
    if plan.water != Some(Water::Sea) && plan.ground != Ground::Hills {
        for _ in 0..3 + plan.dice.roll() % 3 {
            let edge = plan.dice.between(-0.02, 0.17) * plan.width.min(plan.unit * 1.3);
            let x = if plan.light_side() > 0.0 {
                edge
            } else {
                plan.width - edge
            };
            let scale = plan.unit * plan.dice.between(0.2, 0.44);
            pine(
                plan,
                picture,
                (x, land.front(x, plan) + plan.unit * 0.03),
                scale,
                colour,
            );
        }
    }
    let blades = (170.0 * plan.width / plan.unit) as u32;
    let mut outline = Outline::new();
    for _ in 0..blades {
        let x = plan.dice.unit() * plan.width;
        let tall = plan.unit * plan.dice.between(0.008, 0.03);
        let lean = tall * plan.dice.between(-0.5, 0.5);
        let foot = -(land.front(x, plan) + plan.unit * 0.004);
        outline = outline.arcs(
            (x - tall * 0.05, foot),
            (x + lean * 0.3, foot + tall * 0.6),
            (x + lean, foot + tall),
            (x + lean * 0.3 + tall * 0.07, foot + tall * 0.5),
        );
    }
    let grass = plan.palette.dark.mix(plan.palette.ground_shade, 0.4).rgb();
    outline.fill(picture, (0.0, 0.0), 1.0, grass, 0.8);
}

/// A pine from drooping tiers, each a little uneven.
fn pine(plan: &mut Plan, picture: &mut Picture, foot: (f32, f32), scale: f32, colour: Rgb) {
    let mut outline =
        Outline::new().shape(&[(-0.018, -0.1), (0.018, -0.1), (0.004, 0.98), (-0.004, 0.98)]);
    let tiers = 19;
    for tier in 0..tiers {
        let t = tier as f32 / tiers as f32;
        let low = 0.06 + 0.9 * t;
        for side in [-1.0, 1.0] {
            let reach = side * (0.235 * (1.0 - t) + 0.012) * plan.dice.between(0.7, 1.1);
            let droop = 0.05 * (1.0 - t) * plan.dice.between(0.5, 1.5);
            outline = outline.arcs(
                (0.0, low + 0.12 * (1.05 - t)),
                (reach * 0.45, low + 0.03),
                (reach, low - droop),
                (reach * 0.5, low - 0.015),
            );
            outline = outline.arcs(
                (0.0, low - 0.02),
                (reach * 0.35, low - 0.01),
                (reach * 0.72, low - droop * 0.9),
                (reach * 0.4, low + 0.05),
            );
        }
    }
    outline.fill(picture, foot, scale, colour, 1.0);
}
