//! The land: layers from far to near, each an outline with lit and shaded slopes under it, fading into haze.

use super::profile::{self, Crest, Leaf, Stand};
use super::relief::Relief;
use super::skyline::{self, Building, Windows};
use crate::provider::sketch::draw::colour::{Lab, Rgb};
use crate::provider::sketch::draw::noise::smooth;
use crate::provider::sketch::draw::picture::{Picture, blend, dither};
use crate::provider::sketch::draw::plan::Plan;
use crate::provider::sketch::draw::words::{Accent, Ground, Season, Water};

/// All layers of land, far ones first.
pub(super) struct Land {
    far: Vec<Layer>,
    near: Vec<Layer>,
}

/// The most rows an edge is smoothed over.
const STEEPEST: f32 = 6.0;

/// One layer.
pub(super) struct Layer {
    crest: Crest,
    stand: Stand,
    /// 0 is as far as the eye reaches, 1 at the viewer's feet.
    nearness: f32,
    tops: Vec<f32>,
    /// One per column on wooded layers, none elsewhere.
    leaves: Vec<Leaf>,
    buildings: Vec<Building>,
}

/// What a plan's table says of a layer: outline, nearness, base below the horizon and rise (both in units), grain.
type Row = (Crest, f32, f32, f32, f32);

impl Land {
    /// Chooses the layers; nothing is painted yet.
    pub fn lay_out(plan: &mut Plan) -> Self {
        let (far, near) = rows(plan);
        let mut layers = |rows: Vec<Row>, shore: bool| -> Vec<Layer> {
            rows.into_iter()
                .map(|row| Layer::new(row, shore, plan))
                .collect()
        };
        let (mut far, near) = (layers(far, true), layers(near, false));
        if plan.water == Some(Water::Sea) {
            far.push(headland(plan));
        }
        Self { far, near }
    }

    /// The first layer alone; [`Land::paint_middle`] paints the others.
    pub fn paint_farthest(&self, picture: &mut Picture, plan: &Plan) {
        paint_layers(&self.far[..1.min(self.far.len())], picture, plan);
    }

    pub fn paint_middle(&self, picture: &mut Picture, plan: &Plan) {
        paint_layers(&self.far[1.min(self.far.len())..], picture, plan);
    }

    /// Both at once, which is cheaper: what nearer layers hide is left out.
    pub fn paint_far(&self, picture: &mut Picture, plan: &Plan) {
        paint_layers(&self.far, picture, plan);
    }

    pub fn paint_near(&self, picture: &mut Picture, plan: &Plan) {
        paint_layers(&self.near, picture, plan);
    }

    /// A spot on the ground in the middle distance, for small things to stand on; `share` picks it across the picture. It is the
    /// lowest ground within `reach` pixels, so that nothing floats beside a peak.
    pub fn footing(&self, share: f32, reach: f32, plan: &Plan) -> (f32, f32) {
        let point = self.far.last().and_then(|layer| layer.stand.headland);
        let layer = match point {
            None if plan.water.is_none() => self.near.last(),
            _ => self.far.last(),
        };
        let x = point.map_or(plan.width * share, |(middle, half)| {
            middle + half * (share - 0.5) * 0.3
        });
        let tops = layer.map(|layer| layer.tops.as_slice()).unwrap_or_default();
        let (left, right) = ((x - reach).max(0.0) as usize, (x + reach).max(0.0) as usize);
        let lowest = tops
            .iter()
            .take(right + 1)
            .skip(left)
            .copied()
            .fold(0.0, f32::max);
        let ground = if plan.water.is_some() {
            lowest.min(plan.horizon)
        } else {
            lowest
        };
        (x, if lowest > 0.0 { ground } else { plan.horizon })
    }

    /// Ground right in front, at a column.
    pub fn front(&self, x: f32, plan: &Plan) -> f32 {
        let tops = self
            .near
            .last()
            .map(|layer| layer.tops.as_slice())
            .unwrap_or_default();
        tops.get(x.max(0.0) as usize)
            .copied()
            .unwrap_or(plan.height)
    }
}

impl Layer {
    fn new((crest, nearness, drop, rise, grain): Row, shore: bool, plan: &mut Plan) -> Self {
        let base = if shore && plan.water.is_some() {
            plan.horizon
        } else {
            plan.horizon + drop * (plan.height - plan.horizon)
        };
        let stand = Stand {
            base,
            rise: rise * plan.unit,
            grain,
            seed: plan.dice.seed(),
            headland: None,
        };
        Self::standing(crest, nearness, stand, plan)
    }

    fn standing(crest: Crest, nearness: f32, stand: Stand, plan: &Plan) -> Self {
        let (mut tops, leaves) = profile::outline(crest, &stand, plan);
        let buildings = if crest == Crest::Skyline {
            skyline::buildings(&stand, plan)
        } else {
            Vec::new()
        };
        for building in &buildings {
            let (left, right) = (
                building.left.max(0.0) as usize,
                building.right.max(0.0) as usize,
            );
            for top in tops.iter_mut().take(right).skip(left) {
                *top = top.min(building.top);
            }
        }
        Self {
            crest,
            nearness,
            stand,
            tops,
            leaves,
            buildings,
        }
    }
}

#[rustfmt::skip]
fn rows(plan: &mut Plan) -> (Vec<Row>, Vec<Row>) {
    let wet = plan.water.is_some();
    let leafy = if plan.season == Season::Autumn { 1.0 } else { 0.5 };
    let leaf = if plan.season != Season::Winter && plan.dice.chance(leafy) { Crest::Broadleaf } else { Crest::Conifers };
    let mut far: Vec<Row> = match plan.ground {
        _ if plan.water == Some(Water::Sea) && plan.ground != Ground::City => vec![(Crest::Ridges, 0.14, 0.0, 0.085, 0.7), (Crest::Ridges, 0.26, 0.0, 0.05, 0.5)],
        Ground::Mountains => vec![(Crest::Ridges, 0.26, 0.0, 0.46, 0.9), (Crest::Ridges, 0.44, 0.05, 0.35, 0.7), (Crest::Ridges, 0.62, 0.12, 0.22, 0.5)],
        Ground::Hills => vec![(Crest::Ridges, 0.2, 0.0, 0.2, 0.8), (Crest::Rolling, 0.32, 0.03, 0.13, 0.6), (Crest::Rolling, 0.5, 0.12, 0.12, 0.55)],
        Ground::Forest => vec![(Crest::Ridges, 0.24, 0.0, 0.34, 0.8), (Crest::Conifers, 0.34, 0.02, 0.15, 0.6), (leaf, 0.45, 0.08, 0.12, 0.8)],
        Ground::Desert => vec![(Crest::Ridges, 0.2, 0.0, 0.12, 0.6), (Crest::Dunes, 0.52, 0.08, 0.15, 0.6)],
        Ground::City => vec![(Crest::Skyline, 0.26, 0.0, 0.42, 0.6), (Crest::Skyline, 0.46, 0.0, 0.36, 0.8), (Crest::Skyline, 0.70, 0.0, 0.27, 1.0)],
    };
    if wet && plan.ground != Ground::City && plan.water == Some(Water::Lake) {
        far.push((Crest::Conifers, 0.70, 0.0, 0.028, 0.45));
    }
    let near: Vec<Row> = match plan.ground {
        Ground::City if !wet => vec![(Crest::Skyline, 0.86, 0.45, 0.30, 1.25), (Crest::Skyline, 1.0, 1.0, 0.22, 1.7)],
        _ if wet => vec![(Crest::Rolling, 1.0, 1.02, 0.11, 0.9)],
        Ground::Mountains => vec![(Crest::Conifers, 0.66, 0.22, 0.14, 0.55), (Crest::Conifers, 0.78, 0.42, 0.13, 0.9), (leaf, 0.87, 0.64, 0.12, 1.3), (Crest::Rolling, 1.0, 0.86, 0.14, 0.9)],
        Ground::Hills | Ground::City => vec![(leaf, 0.62, 0.24, 0.12, 0.55), (Crest::Rolling, 0.74, 0.36, 0.14, 0.6), (leaf, 0.84, 0.56, 0.11, 0.8), (Crest::Rolling, 1.0, 0.80, 0.18, 0.8)],
        Ground::Forest => vec![(Crest::Conifers, 0.56, 0.18, 0.12, 1.1), (leaf, 0.67, 0.34, 0.12, 1.5), (Crest::Conifers, 0.78, 0.54, 0.12, 2.2), (Crest::Conifers, 0.90, 0.80, 0.12, 3.2), (Crest::Rolling, 1.0, 1.0, 0.10, 0.9)],
        Ground::Desert => vec![(Crest::Dunes, 0.7, 0.22, 0.17, 0.75), (Crest::Dunes, 0.86, 0.48, 0.2, 0.9), (Crest::Dunes, 1.0, 0.86, 0.26, 1.1)],
    };
    (far, near)
}

/// A rocky point in the sea, away from the sun; higher when a lighthouse is to stand on it.
fn headland(plan: &mut Plan) -> Layer {
    let tall = plan.accents.contains(&Accent::Lighthouse)
        || plan.accents.contains(&Accent::Tower)
        || plan.accents.contains(&Accent::House);
    let middle = plan.width * 0.5 - plan.light_side() * plan.width * plan.dice.between(0.2, 0.34);
    let half = plan.unit
        * if tall {
            plan.dice.between(0.3, 0.42)
        } else {
            plan.dice.between(0.16, 0.3)
        };
    let rise = plan.unit * if tall { 0.15 } else { 0.09 };
    let stand = Stand {
        base: plan.horizon,
        rise,
        grain: 0.42,
        seed: plan.dice.seed(),
        headland: Some((middle, half)),
    };
    Layer::standing(Crest::Ridges, if tall { 0.74 } else { 0.5 }, stand, plan)
}

/// Paints a group far to near. What a nearer layer of the group will cover is not painted at all.
fn paint_layers(layers: &[Layer], picture: &mut Picture, plan: &Plan) {
    for (at, layer) in layers.iter().enumerate() {
        let mut floor = vec![plan.height; layer.tops.len()];
        for nearer in &layers[at + 1..] {
            for (row, top) in floor.iter_mut().zip(&nearer.tops) {
                *row = row.min(*top + 2.0 + STEEPEST * 0.5);
            }
        }
        layer.paint(picture, plan, &floor);
    }
}

/// The colours of one layer, haze already in them.
struct Paint {
    lit: Rgb,
    shade: Rgb,
    /// Leaves of the trees that stand out: red ones in autumn, fresh ones otherwise.
    leaf: Rgb,
    gold: Rgb,
    snow_lit: Rgb,
    snow_shade: Rgb,
    mist: Rgb,
    deep: Rgb,
    lamp: Rgb,
}

impl Paint {
    fn of(layer: &Layer, plan: &Plan) -> Self {
        let palette = &plan.palette;
        let near = layer.nearness;
        // Thick air takes colour from everything that is not close.
        let clear = (near * (1.15 - 0.45 * plan.mist * (1.0 - near))).min(1.0);
        let rocky = matches!(layer.crest, Crest::Ridges);
        let (lit, shade) = if rocky {
            (palette.rock_lit, palette.rock_shade)
        } else {
            (palette.ground_lit, palette.ground_shade)
        };
        let (lit, shade) = match layer.crest {
            // Snow slides off trees: they stay dark before the white ground.
            Crest::Conifers | Crest::Broadleaf if plan.snowy() => (shade.dim(0.85), shade.dim(0.6)),
            Crest::Conifers | Crest::Broadleaf if plan.season != Season::Autumn => {
                (lit.mix(shade, 0.45), shade.dim(0.82))
            }
            Crest::Skyline => (lit.mix(shade, 0.5), shade.dim(0.8)),
            _ => (lit, shade),
        };
        let hazy = |colour: Lab| palette.haze.mix(colour, clear).rgb();
        Self {
            lit: hazy(lit),
            shade: hazy(shade),
            leaf: hazy(if plan.season == Season::Autumn {
                lit.turn(-24.0).dim(0.94)
            } else {
                lit.lighten(0.04)
            }),
            gold: hazy(if plan.season == Season::Autumn {
                lit.turn(22.0).lighten(0.04)
            } else {
                shade
            }),
            snow_lit: hazy(palette.snow_lit),
            snow_shade: hazy(palette.snow_shade),
            mist: palette.haze.mix(palette.sky[3], 0.35).rgb(),
            deep: palette.dark.mix(palette.ground_shade, 0.35).rgb(),
            lamp: palette.haze.mix(palette.lamp, (near * 1.3).min(1.0)).rgb(),
        }
    }
}

impl Layer {
    /// Paints every column from its crest down to `floor`, where something nearer will cover it.
    fn paint(&self, picture: &mut Picture, plan: &Plan, floor: &[f32]) {
        let paint = Paint::of(self, plan);
        let heights = self.tops.iter().zip(floor).map(|(top, floor)| floor - top);
        let relief = Relief::of(self.crest, &self.stand, heights.fold(0.0, f32::max), plan);
        let edges = self.edges();
        let highest = self.tops.iter().copied().fold(plan.height, f32::min);
        let first = (highest - STEEPEST).max(0.0) as u32;
        let behind_water = plan.water.is_some() && self.nearness < 1.0;
        let last = if behind_water {
            plan.horizon
        } else {
            plan.height
        };
        for y in first..(last as u32).min(picture.height()) {
            let row = picture.row_mut(y).iter_mut();
            for (x, (pixel, floor)) in row.zip(floor).enumerate() {
                let depth = y as f32 + 1.0 - self.tops[x];
                let cover = 0.5 + (depth - 0.5) * edges[x];
                if cover > 0.0 && (y as f32) < *floor {
                    let place = (x as f32, y as f32);
                    let colour = self.colour(place, depth.max(0.0), &paint, &relief, plan);
                    blend(pixel, colour, cover, dither(x as u32, y));
                }
            }
        }
        let (buildings, grain, lamp) = (&self.buildings, self.stand.grain, paint.lamp);
        Windows {
            buildings,
            grain,
            lamp,
            floor,
        }
        .light(picture, plan);
    }

    /// How fast each column goes from clear to covered: at once where the crest is level, over some rows where it is steep.
    fn edges(&self) -> Vec<f32> {
        let last = self.tops.len().saturating_sub(1);
        let at = |column: usize| self.tops.get(column.min(last)).copied().unwrap_or_default();
        let steepness = |column: usize| (at(column + 1) - at(column.saturating_sub(1))).abs() * 0.5;
        let walls = self.crest == Crest::Skyline;
        let edge = |column| {
            if walls {
                1.0
            } else {
                1.0 / steepness(column).clamp(1.0, STEEPEST)
            }
        };
        (0..self.tops.len()).map(edge).collect()
    }

    fn colour(
        &self,
        (x, y): (f32, f32),
        depth: f32,
        paint: &Paint,
        relief: &Relief,
        plan: &Plan,
    ) -> Rgb {
        let slope = relief.slope(x, depth);
        let down = depth / plan.unit;
        let leaf = self.leaves.get(x as usize).copied().unwrap_or_default();
        // Inside the wood, below the crowns, one tree no longer stands out from the next.
        let crown = smooth(0.05 * self.stand.grain, 0.0, down);
        let light =
            (0.5 + slope + crown * (0.22 * leaf.facing * plan.light_side() + 0.26 * leaf.tone))
                .clamp(0.0, 1.0);
        let colour = paint.shade.mix(paint.lit, light);
        let (other, share) = if leaf.tone > 0.0 {
            (paint.leaf, smooth(0.1, 0.5, leaf.tone))
        } else {
            (paint.gold, smooth(-0.3, -0.6, leaf.tone))
        };
        let mut colour = colour.mix(other, share * crown * (0.3 + 0.6 * light));
        if self.crest == Crest::Ridges {
            let snow = self.snow(x, y, depth, relief, plan)
                * (1.0 - 0.75 * smooth(0.25, 0.6, slope.abs()));
            colour = colour.mix(paint.snow_shade.mix(paint.snow_lit, light), snow);
        } else if self.nearness > 0.5 {
            // Towards the viewer's feet the ground falls out of the light.
            colour = colour.mix(
                paint.deep,
                smooth(0.0, 0.42, down) * (self.nearness - 0.4) * 1.1,
            );
        }
        let rise = (self.stand.rise / plan.unit).max(0.03);
        let thick = plan.mist * (1.0 - self.nearness).min(0.85) * 1.25;
        colour.mix(
            paint.mist,
            (thick * smooth(rise * 0.15, rise * 1.15 + 0.02, down)).min(0.93),
        )
    }

    /// Where snow lies: above one line for all mountains, frayed by their relief; everywhere in winter.
    fn snow(&self, x: f32, y: f32, depth: f32, relief: &Relief, plan: &Plan) -> f32 {
        const LINE: f32 = 0.32;
        if plan.snowy() {
            return 1.0;
        }
        let altitude = (plan.horizon - y) / plan.unit;
        if plan.ground == Ground::Desert || altitude < LINE - 0.3 {
            return 0.0;
        }
        let frayed =
            altitude + (relief.height(x, depth) - 0.4) * 0.32 + relief.slope(x, depth) * 0.07;
        smooth(LINE - 0.012, LINE + 0.022, frayed)
    }
}
