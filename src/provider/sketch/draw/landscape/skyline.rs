//! A town: buildings side by side, and the windows lit in them.

use super::profile::Stand;
use crate::provider::sketch::draw::colour::Rgb;
use crate::provider::sketch::draw::noise::{Dice, hash_unit};
use crate::provider::sketch::draw::picture::Picture;
use crate::provider::sketch::draw::plan::Plan;

/// One building of a skyline; a mast has no seed and no windows.
#[derive(Clone, Copy)]
pub(super) struct Building {
    pub left: f32,
    pub right: f32,
    pub top: f32,
    pub seed: u32,
}

/// Buildings side by side, taller towards the middle of the town; two rows of them make the line less even.
pub(super) fn buildings(stand: &Stand, plan: &Plan) -> Vec<Building> {
    let mut dice = Dice::new(u64::from(stand.seed));
    let heart = plan.width * dice.between(0.3, 0.7);
    let mut buildings = Vec::new();
    let mut x = -plan.unit * 0.05;
    while x < plan.width {
        let wide = (plan.unit * stand.grain * dice.between(0.035, 0.085)).max(2.0);
        let away = (x + wide * 0.5 - heart) / (plan.unit * 0.55);
        let centre = 1.0 / (1.0 + away * away);
        let chance = dice.unit();
        let tall = stand.rise
            * (0.22
                + 0.30 * dice.unit()
                + 0.75 * chance * chance * chance * centre
                + 0.22 * centre);
        let left = x.round();
        let right = (x + wide).round();
        let seed = dice.seed();
        buildings.push(Building {
            left,
            right,
            top: (stand.base - tall).round(),
            seed,
        });
        if dice.chance(0.4) {
            // A set-back upper part.
            let inset = (wide * dice.between(0.15, 0.3)).round();
            let top = (stand.base - tall * dice.between(1.05, 1.22)).round();
            buildings.push(Building {
                left: left + inset,
                right: right - inset,
                top,
                seed,
            });
        }
        if dice.chance(0.22) {
            let thin = (plan.unit * 0.0016).max(1.0).round();
            let middle = ((left + right) * 0.5).round();
            buildings.push(Building {
                left: middle,
                right: middle + thin,
                top: (stand.base - tall * 1.42).round(),
                seed: 0,
            });
        }
        x += wide * dice.between(0.78, 1.12);
    }
    buildings
}

/// The windows of one layer of buildings.
pub(super) struct Windows<'a> {
    pub buildings: &'a [Building],
    pub grain: f32,
    pub lamp: Rgb,
    /// Per column, the row where something nearer begins.
    pub floor: &'a [f32],
}

impl Windows<'_> {
    /// Lights windows on a grid inside every building, fewer by day.
    pub fn light(&self, picture: &mut Picture, plan: &Plan) {
        let pane = (plan.unit * 0.0058 * self.grain).max(2.0);
        let bottom = if plan.water.is_some() {
            plan.horizon
        } else {
            plan.height
        };
        for building in self.buildings.iter().filter(|building| building.seed != 0) {
            let rows = ((bottom - building.top) / (pane * 1.7)) as i32;
            let columns = ((building.right - building.left) / (pane * 1.5)) as i32;
            for (row, column) in
                (1..rows).flat_map(|row| (0..columns).map(move |column| (row, column)))
            {
                self.light_one(picture, plan, building, (row, column), pane);
            }
        }
    }

    fn light_one(
        &self,
        picture: &mut Picture,
        plan: &Plan,
        building: &Building,
        (row, column): (i32, i32),
        pane: f32,
    ) {
        let (share, strength) = if plan.is_dark() {
            (0.34, 0.85)
        } else {
            (0.10, 0.35)
        };
        let chance = hash_unit(column, row, building.seed);
        let whole_floor = hash_unit(row, 77, building.seed) < 0.08;
        let x = building.left + (column as f32 + 0.35) * pane * 1.5;
        let y = building.top + row as f32 * pane * 1.7;
        let seen = self
            .floor
            .get(x.max(0.0) as usize)
            .is_some_and(|floor| y + pane < *floor);
        if !seen || (chance > share && !whole_floor) {
            return;
        }
        let sign = plan.neon && chance < share * 0.4;
        let colour = if sign {
            plan.palette.sky[3].lighten(0.05).rgb()
        } else {
            self.lamp
        };
        let strength = strength * (0.4 + 0.6 * hash_unit(row, column, building.seed));
        fill(picture, (x, y), (pane * 0.8, pane), colour, strength);
    }
}

fn fill(
    picture: &mut Picture,
    (left, top): (f32, f32),
    (wide, tall): (f32, f32),
    colour: Rgb,
    coverage: f32,
) {
    for y in top as i32..(top + tall).max(top + 1.0) as i32 {
        for x in left as i32..(left + wide).max(left + 1.0) as i32 {
            picture.dab(x, y, colour, coverage);
        }
    }
}
