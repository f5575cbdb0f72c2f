//! Outlines: for each column of the picture, the row where a layer of land begins.

use crate::provider::sketch::draw::noise::{floor, fractal, hash_unit, ridged, smooth};
use crate::provider::sketch::draw::plan::Plan;

/// The kinds of outline a layer can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Crest {
    Ridges,
    Rolling,
    Dunes,
    Conifers,
    Broadleaf,
    Skyline,
}

/// Where a layer stands and how high it rises, in pixels.
#[derive(Clone, Copy)]
pub(super) struct Stand {
    pub base: f32,
    pub rise: f32,
    /// Size of the shapes along the crest; 1 is the size of a mountain.
    pub grain: f32,
    pub seed: u32,
    /// A headland: its middle and half width in pixels. `None` runs through the whole picture.
    pub headland: Option<(f32, f32)>,
}

/// Trees differ: how light this one is, and which side of it a column shows. Both -1..=1, both 0 where no tree stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Leaf {
    pub tone: f32,
    pub facing: f32,
}

/// The first row of the layer for every column, and the tree that makes it.
pub(super) fn outline(crest: Crest, stand: &Stand, plan: &Plan) -> (Vec<f32>, Vec<Leaf>) {
    let tops = tops(crest, stand, plan);
    let shape: (fn(f32) -> f32, f32) = match crest {
        Crest::Conifers => (spire, 0.27),
        Crest::Broadleaf => (canopy, 0.52),
        _ => return (tops, Vec::new()),
    };
    let woods = (0..tops.len()).map(|column| trees(column as f32 + 0.5, stand, plan, shape));
    tops.into_iter()
        .zip(woods)
        .map(|(top, (height, leaf))| (top - height, leaf))
        .unzip()
}

fn tops(crest: Crest, stand: &Stand, plan: &Plan) -> Vec<f32> {
    let columns = plan.width as usize;
    let height_at = |x: f32| match crest {
        Crest::Ridges => ridges(x, stand, plan),
        Crest::Rolling | Crest::Conifers | Crest::Broadleaf => rolling(x, stand, plan),
        Crest::Dunes => dunes(x, stand, plan),
        Crest::Skyline => 0.0,
    };
    (0..columns)
        .map(|column| {
            let x = column as f32 + 0.5;
            let height = height_at(x);
            match stand.headland {
                Some((middle, half)) => {
                    let side = 1.0 - smooth(0.35, 1.0, (x - middle).abs() / half);
                    stand.base + plan.unit * 0.012
                        - (height * (0.35 + 0.65 * side) + plan.unit * 0.02) * side
                }
                None => stand.base - height,
            }
        })
        .collect()
}

/// Where `x` lies along a layer's own noise.
pub(super) fn along(x: f32, stand: &Stand, plan: &Plan) -> f32 {
    (x - plan.width * 0.5) / (plan.unit * stand.grain) + (stand.seed % 97) as f32
}

fn ridges(x: f32, stand: &Stand, plan: &Plan) -> f32 {
    let u = along(x, stand, plan);
    let swell = 0.62 + 0.55 * fractal(u * 0.55, 4.4, 2, stand.seed ^ 0x11);
    let crag = rock(u, 0.0, 7, stand.seed);
    stand.rise * swell.max(0.14) * (0.12 + 1.2 * crag * (0.45 + 0.55 * crag))
}

/// The mountains' own noise: across and towards the viewer. Outline and slopes share it, so that spurs run down from the peaks.
pub(super) fn rock(along: f32, towards: f32, octaves: u32, seed: u32) -> f32 {
    ridged(along * 1.55, towards, octaves, seed)
}

fn rolling(x: f32, stand: &Stand, plan: &Plan) -> f32 {
    let u = along(x, stand, plan);
    stand.rise * (0.5 + 0.62 * fractal(u * 0.9, 2.2, 3, stand.seed))
}

/// Sharp crests with one long and one steep side.
fn dunes(x: f32, stand: &Stand, plan: &Plan) -> f32 {
    let u = along(x, stand, plan);
    let bent = u + 0.35 * fractal(u * 0.7, 8.8, 2, stand.seed ^ 0x77);
    stand.rise * (0.1 + 0.9 * ridged(bent * 0.62, 1.0, 2, stand.seed))
}

/// How many cells a tree may reach over to either side.
const REACH: i32 = 4;

/// The tallest of the trees whose cells reach over `x`, and which of them it is.
fn trees(x: f32, stand: &Stand, plan: &Plan, (shape, slim): (fn(f32) -> f32, f32)) -> (f32, Leaf) {
    let cell = (plan.unit * 0.014 * stand.grain).max(1.5);
    let place = (x - plan.width * 0.5) / cell + (stand.seed % 1013) as f32;
    let here = floor(place);
    let mut tallest = (0.0f32, Leaf::default());
    for neighbour in here - REACH..=here + REACH {
        let chance = |which: i32| hash_unit(neighbour, which, stand.seed);
        let middle = neighbour as f32 + 0.5 + (chance(0) - 0.5) * 0.9;
        let tall = 1.5 + 2.6 * chance(1) * chance(2) + 0.8 * chance(3);
        let half = (tall * (slim + 0.1 * chance(4))).min(REACH as f32 - 1.0);
        let height = cell * tall * shape((place - middle).abs() / half);
        if height > tallest.0 {
            let facing = (place - middle) / half;
            // Fading towards the edges, so that no seam shows between two crowns.
            let tone = (chance(5) * 2.0 - 1.0) * (1.0 - facing * facing * 0.75);
            tallest = (height, Leaf { tone, facing });
        }
    }
    tallest
}

/// A conifer from the side: 0 is its trunk, 1 the tips of its lowest branches.
fn spire(away: f32) -> f32 {
    if away >= 1.0 {
        return 0.0;
    }
    let branch = (away * 5.0) % 1.0;
    (1.0 - away) * (1.0 - away * 0.25) + 0.15 * (1.0 - branch) * away.min(1.0 - away)
}

fn canopy(away: f32) -> f32 {
    if away >= 1.0 {
        0.0
    } else {
        0.62 * (1.0 - away * away) + 0.05 * (1.0 - away) * ((away * 5.0) % 1.0)
    }
}
