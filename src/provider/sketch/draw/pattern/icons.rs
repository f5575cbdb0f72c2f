//! The small things that words put on cloth: leaves and flowers, drops, flakes, stars, fruit of the season.

use super::*;
use crate::provider::sketch::draw::brush::{half_leaf, leaf, polygon, polyline, sector};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Icon {
    #[default]
    Leaf,
    Sprig,
    Daisy,
    Rosette,
    Drop,
    Umbrella,
    Flake,
    Star,
    Moon,
    Sun,
}

/// What the words name, and what goes with it.
pub(super) fn asked(reading: &Reading) -> Vec<Icon> {
    let mut icons = Vec::new();
    if !reading.plants.is_empty() {
        icons.extend([Icon::Daisy, Icon::Rosette, Icon::Sprig, Icon::Leaf]);
    }
    match reading.weather {
        Some(Weather::Rain | Weather::Storm) => {
            icons.extend([Icon::Drop, Icon::Drop, Icon::Umbrella])
        }
        Some(Weather::Snow) => icons.push(Icon::Flake),
        _ => {}
    }
    match reading.season {
        Some(Season::Spring) => icons.extend([Icon::Rosette, Icon::Leaf]),
        Some(Season::Summer) => icons.extend([Icon::Sun, Icon::Daisy]),
        Some(Season::Autumn) => icons.extend([Icon::Leaf, Icon::Leaf, Icon::Sprig]),
        Some(Season::Winter) => icons.extend([Icon::Flake, Icon::Star]),
        None => {}
    }
    let dark = matches!(reading.time, Some(Time::Night | Time::Dusk));
    if dark || reading.shines(Light::Stars) || reading.shines(Light::Moon) {
        icons.extend([Icon::Star, Icon::Star, Icon::Moon]);
    }
    if reading.ground.is_some() && icons.is_empty() {
        icons.extend([Icon::Leaf, Icon::Sprig]);
    }
    icons
}

/// Where a thing stands, how large it is, and how far it is turned.
type Place = (Point, f32, f32);

/// Paints one.
pub(super) fn paint(easel: &mut Easel, cloth: &Cloth, icon: Icon, place: Place, dice: &mut Dice) {
    let lead = cloth.colour(dice.roll() as usize);
    match icon {
        Icon::Leaf => single_leaf(easel, place, lead),
        Icon::Sprig => sprig(easel, place, lead),
        Icon::Daisy => flower(easel, cloth, place, lead, 12),
        Icon::Rosette => flower(easel, cloth, place, lead, 5),
        Icon::Drop => drop(easel, place, lead),
        Icon::Umbrella => umbrella(easel, cloth, place, lead),
        Icon::Flake => flake(easel, cloth, place, lead),
        Icon::Star => star(easel, place, lead),
        Icon::Moon => moon(easel, cloth, place, lead),
        Icon::Sun => sun(easel, place, lead),
    }
}

fn single_leaf(easel: &mut Easel, (spot, size, turn): Place, tone: Lab) {
    let base = polar(spot, -size * 0.95, turn);
    easel.fill(
        &leaf(base, turn, size * 1.9, size * 0.62, 0.42),
        tone.rgb(),
        1.0,
    );
    easel.fill(
        &half_leaf(base, turn, size * 1.9, (0.0, size * 0.62), 0.42),
        tone.lighten(0.07).rgb(),
        1.0,
    );
    for k in 0..5 {
        let at = polar(base, size * (0.35 + 0.26 * k as f32), turn);
        for side in [-1.0, 1.0] {
            let end = polar(at, size * 0.30, turn + side * 0.11);
            easel.stroke(
                &polyline(&[at, end]),
                size * 0.035,
                tone.lighten(-0.09).rgb(),
                1.0,
            );
        }
    }
    let rib = polyline(&[
        polar(base, -size * 0.12, turn),
        polar(base, size * 1.7, turn),
    ]);
    easel.stroke(&rib, size * 0.05, tone.lighten(-0.09).rgb(), 1.0);
}

fn sprig(easel: &mut Easel, (spot, size, turn): Place, tone: Lab) {
    let base = polar(spot, -size, turn);
    let line = polyline(&[base, polar(base, size * 1.7, turn)]);
    easel.stroke(&line, size * 0.06, tone.lighten(-0.08).rgb(), 1.0);
    for k in 0..4 {
        let at = polar(base, size * (0.35 + 0.4 * k as f32), turn);
        for side in [-1.0, 1.0] {
            let long = size * (0.72 - 0.08 * k as f32);
            let shape = leaf(at, turn + side * 0.13, long, long * 0.30, 0.45);
            easel.fill(&shape, tone.lighten(0.03 * side).rgb(), 1.0);
        }
    }
    easel.fill(
        &leaf(
            polar(base, size * 1.5, turn),
            turn,
            size * 0.5,
            size * 0.15,
            0.45,
        ),
        tone.rgb(),
        1.0,
    );
}

fn flower(easel: &mut Easel, cloth: &Cloth, (spot, size, turn): Place, tone: Lab, petals: u32) {
    let half = if petals > 8 { 0.16 } else { 0.46 };
    for k in 0..petals {
        let at = turn + k as f32 / petals as f32;
        let shape = leaf(
            polar(spot, size * 0.08, at),
            at,
            size * 0.92,
            size * half,
            0.66,
        );
        easel.fill(
            &shape,
            tone.lighten(if k % 2 == 0 { 0.035 } else { -0.01 }).rgb(),
            1.0,
        );
    }
    let heart = cloth.inks.colour_on(tone, 2);
    easel.fill(&circle(spot, size * 0.25), heart.rgb(), 1.0);
    for k in 0..7 {
        let seed = polar(spot, size * 0.15, turn + k as f32 / 7.0);
        easel.fill(&circle(seed, size * 0.032), heart.lighten(-0.14).rgb(), 1.0);
    }
}

fn drop(easel: &mut Easel, (spot, size, _): Place, tone: Lab) {
    let tip = (spot.0, spot.1 - size);
    easel.fill(
        &leaf(tip, 0.25, size * 1.8, size * 0.74, 0.80),
        tone.rgb(),
        1.0,
    );
    let shine = sector(
        (spot.0, spot.1 + size * 0.25),
        size * 0.26,
        size * 0.36,
        0.30,
        0.5,
    );
    easel.fill(&shine, tone.lighten(0.16).rgb(), 1.0);
}

fn umbrella(easel: &mut Easel, cloth: &Cloth, (spot, size, turn): Place, tone: Lab) {
    let lean = 0.5 + (turn - 0.5) * 0.12;
    let stick = polyline(&[spot, polar(spot, -size * 0.85, lean + 0.25)]);
    let ink = cloth.inks.type_on(cloth.ground).rgb();
    easel.stroke(&stick, size * 0.07, ink, 1.0);
    easel.fill(
        &sector(spot, 0.0, size * 0.95, lean, lean + 0.5),
        tone.rgb(),
        1.0,
    );
    let second = cloth.inks.colour_on(tone, 1).rgb();
    easel.fill(
        &sector(spot, 0.0, size * 0.95, lean + 0.17, lean + 0.33),
        second,
        1.0,
    );
}

fn flake(easel: &mut Easel, cloth: &Cloth, (spot, size, turn): Place, tone: Lab) {
    let tone = if cloth.ground.l < 0.6 {
        lch(0.97, 0.01, 250.0)
    } else {
        tone
    };
    for arm in 0..6 {
        let at = turn + arm as f32 / 6.0;
        easel.stroke(
            &polyline(&[spot, polar(spot, size * 0.92, at)]),
            size * 0.085,
            tone.rgb(),
            1.0,
        );
        for (share, long) in [(0.42, 0.30), (0.66, 0.22)] {
            let knot = polar(spot, size * share, at);
            for side in [-1.0, 1.0] {
                let end = polar(knot, size * long, at + side * 0.14);
                easel.stroke(&polyline(&[knot, end]), size * 0.07, tone.rgb(), 1.0);
            }
        }
    }
}

fn star(easel: &mut Easel, (spot, size, turn): Place, tone: Lab) {
    let points: Vec<Point> = (0..10)
        .map(|k| {
            polar(
                spot,
                if k % 2 == 0 { size * 0.9 } else { size * 0.38 },
                turn + k as f32 / 10.0,
            )
        })
        .collect();
    easel.fill(&polygon(&points), tone.rgb(), 1.0);
}

/// A crescent: two arcs of different bend between the same tips.
fn moon(easel: &mut Easel, cloth: &Cloth, (spot, size, turn): Place, tone: Lab) {
    let outer = (0..=24).map(|k| polar(spot, size * 0.85, turn + 0.12 + 0.76 * k as f32 / 24.0));
    let second = polar(spot, size * 0.42, turn);
    let inner = (0..=24)
        .rev()
        .map(|k| polar(second, size * 0.70, turn + 0.175 + 0.65 * k as f32 / 24.0));
    let points: Vec<Point> = outer.chain(inner).collect();
    let pale = if cloth.ground.l < 0.5 {
        tone.mix(lch(0.93, 0.06, 90.0), 0.6)
    } else {
        tone
    };
    easel.fill(&polygon(&points), pale.rgb(), 1.0);
}

fn sun(easel: &mut Easel, (spot, size, turn): Place, tone: Lab) {
    easel.fill(&circle(spot, size * 0.48), tone.rgb(), 1.0);
    for k in 0..10 {
        let at = turn + k as f32 / 10.0;
        let ray = polyline(&[polar(spot, size * 0.64, at), polar(spot, size * 0.90, at)]);
        easel.stroke(&ray, size * 0.11, tone.rgb(), 1.0);
    }
}
