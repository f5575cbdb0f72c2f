//! What falls between the viewer and the picture: rain, snow, lightning, drifting mist.

use crate::provider::sketch::draw::brush::{Easel, leaf};
use crate::provider::sketch::draw::colour::{Lab, lch};
use crate::provider::sketch::draw::noise::{Field, fractal, smooth};
use crate::provider::sketch::draw::picture::{Picture, blend, dither};
use crate::provider::sketch::draw::plan::Plan;
use crate::provider::sketch::draw::words::{Season, Weather};

/// Nothing falls over a transparent picture: it is meant to be laid over something else.
pub(super) fn paint(picture: &mut Picture, plan: &mut Plan) {
    if plan.transparent {
        return;
    }
    match plan.weather {
        Weather::Rain => rain(picture, plan, 1250.0),
        Weather::Storm => rain(picture, plan, 1500.0),
        Weather::Snow => snow(picture, plan),
        Weather::Mist => drift(picture, plan),
        Weather::Clear | Weather::Cloudy | Weather::Overcast => {}
    }
    let wet = matches!(plan.weather, Weather::Rain | Weather::Storm | Weather::Snow);
    if plan.season == Season::Autumn && !wet {
        leaves(picture, plan);
    }
}

fn light(plan: &Plan) -> Lab {
    plan.palette.sky[3].lighten(0.12).saturate(0.5)
}

fn rain(picture: &mut Picture, plan: &mut Plan, amount: f32) {
    let colour = light(plan).rgb();
    let lean = plan.dice.between(0.06, 0.24) * plan.light_side();
    let drops = (amount * plan.width / plan.unit * plan.height / plan.unit) as u32;
    for _ in 0..drops {
        let near = plan.dice.unit();
        let (x, y) = (
            plan.dice.between(-0.1, 1.1) * plan.width,
            plan.dice.between(-0.05, 1.0) * plan.height,
        );
        let long = plan.unit * (0.014 + 0.060 * near * near);
        let strength = 0.08 + 0.30 * near * near;
        let steps = long as i32 + 1;
        for step in 0..steps {
            let along = step as f32 / steps as f32;
            let (px, py) = (x - long * lean * along, y + step as f32);
            let split = px - px.floor();
            let fade = strength * (1.0 - (2.0 * along - 1.0).abs());
            picture.dab(px as i32, py as i32, colour, fade * (1.0 - split));
            picture.dab(px as i32 + 1, py as i32, colour, fade * split);
        }
    }
}

/// Leaves on the wind, more of them low down; a few are near and large.
fn leaves(picture: &mut Picture, plan: &mut Plan) {
    let tones = [
        (0.58, 0.16, 42.0),
        (0.70, 0.15, 70.0),
        (0.46, 0.15, 30.0),
        (0.78, 0.14, 88.0),
    ];
    let light = if plan.is_dark() { 0.5 } else { 0.95 };
    for _ in 0..(34.0 * plan.width / plan.unit) as u32 {
        let near = plan.dice.unit();
        let long = plan.unit * (0.010 + 0.030 * near * near * near);
        let down = plan.dice.unit();
        let spot = (
            plan.dice.unit() * plan.width,
            (1.0 - 0.75 * down * down) * plan.height,
        );
        let (l, c, h) = tones[plan.dice.roll() as usize % tones.len()];
        let tone = lch(l, c, h)
            .dim(light)
            .mix(plan.palette.haze, 0.35 * (1.0 - near));
        let shape = leaf(
            spot,
            plan.dice.unit(),
            long,
            long * plan.dice.between(0.12, 0.34),
            0.45,
        );
        Easel::new(picture).fill(&shape, tone.rgb(), 0.95);
    }
}

fn snow(picture: &mut Picture, plan: &mut Plan) {
    let colour = light(plan).lighten(0.1).rgb();
    let flakes = (850.0 * plan.width / plan.unit * plan.height / plan.unit) as u32;
    for _ in 0..flakes {
        let near = plan.dice.unit();
        let near = near * near * near;
        let place = (
            plan.dice.unit() * plan.width,
            plan.dice.unit() * plan.height,
        );
        picture.dot(
            place,
            plan.unit * (0.0012 + 0.0065 * near),
            colour,
            0.75 - 0.45 * near,
        );
    }
}

/// The tip of a bolt or branch on its way down.
struct Tip {
    at: (f32, f32),
    strength: f32,
    lean: f32,
}

/// One bolt with a few branches, away from the place of the sun.
pub(super) fn lightning(picture: &mut Picture, plan: &mut Plan) {
    let away = plan.width * plan.dice.between(0.12, 0.3) * -plan.light_side();
    let cloud = (plan.width * 0.5 + away, plan.horizon * 0.12);
    let mut tips = vec![Tip {
        at: cloud,
        strength: 1.0,
        lean: 0.0,
    }];
    while let Some(tip) = tips.pop() {
        strike(picture, plan, tip, &mut tips);
    }
}

/// Follows one tip to the ground, or a branch to its end. Branches grow from the main bolt alone, so the list empties.
fn strike(picture: &mut Picture, plan: &mut Plan, tip: Tip, branches: &mut Vec<Tip>) {
    let colour = lch(0.97, 0.03, 280.0).rgb();
    let ((mut x, mut y), strength) = (tip.at, tip.strength);
    let main = strength > 0.9;
    let end = if main {
        plan.horizon
    } else {
        (y + plan.unit * 0.18).min(plan.horizon)
    };
    // The halo is wide and soft: every few rows are enough.
    let rows = (plan.unit / 200.0).max(1.0) as u32;
    let mut drift = tip.lean;
    for row in 0..(end - y).max(0.0) as u32 {
        if plan.dice.chance(70.0 / plan.unit) {
            drift = tip.lean + plan.dice.between(-1.1, 1.1);
        }
        if main && plan.dice.chance(4.0 / plan.unit) {
            let lean = plan.dice.between(-1.2, 1.2);
            branches.push(Tip {
                at: (x, y),
                strength: 0.45,
                lean,
            });
        }
        if row % rows == 0 {
            let halo = 6.0 / plan.unit * rows as f32 * strength;
            picture.dot((x, y), plan.unit * 0.022, colour, halo.min(0.2));
        }
        picture.dot(
            (x, y),
            plan.unit * 0.0012 * strength,
            colour,
            strength * 0.9,
        );
        x += drift;
        y += 1.0;
    }
}

/// Banks of mist that lie low over the middle of the picture.
fn drift(picture: &mut Picture, plan: &mut Plan) {
    let seed = plan.dice.seed();
    let colour = plan.palette.sky[3].mix(plan.palette.haze, 0.5).rgb();
    let (top, tall) = (plan.horizon - plan.unit * 0.13, plan.unit * 0.42);
    let step = (plan.unit / 200.0).max(1.0);
    let banks = Field::new(plan.width, tall, step, |x, down| {
        let off = down / plan.unit - 0.16;
        let low = smooth(-0.16, 0.0, off) * smooth(0.26, 0.02, off);
        let bank = smooth(
            -0.35,
            0.6,
            fractal(x / plan.unit * 1.4, off * 11.0, 3, seed),
        );
        bank * low * 0.62
    });
    let last = ((top + tall).max(0.0) as u32).min(picture.height());
    for y in top.max(0.0) as u32..last {
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let cover = banks.read(x as f32, y as f32 - top);
            blend(pixel, colour, cover, dither(x as u32, y));
        }
    }
}
