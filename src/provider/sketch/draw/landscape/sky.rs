//! The sky: a gradient in OKLab, the sun or moon with its glow, stars and aurora.

use crate::provider::sketch::draw::colour::{Rgb, lch};
use crate::provider::sketch::draw::noise::{Dice, Field, fractal, gradient, lerp, smooth};
use crate::provider::sketch::draw::picture::{Picture, blend, dither, put};
use crate::provider::sketch::draw::plan::Plan;
use crate::provider::sketch::draw::words::Time;

pub(super) fn paint(picture: &mut Picture, plan: &mut Plan) {
    gradient_and_glow(picture, plan);
    if plan.stars > 0.0 {
        stars(picture, plan);
    }
    if plan.aurora {
        aurora(picture, plan);
    }
    if plan.disc {
        disc(picture, plan);
    }
}

/// Two glows add up: a tight one around the disc and a wide one that lies along the horizon, as light does in thick air.
fn gradient_and_glow(picture: &mut Picture, plan: &Plan) {
    let glow = plan.palette.glow.rgb();
    let (near, wide) = glow_strength(plan);
    let reach = 1.0 / (plan.unit * plan.unit);
    for y in 0..picture.height() {
        let base = plan.palette.sky_at(y as f32 / plan.horizon.max(1.0)).rgb();
        let dy = y as f32 + 0.5 - plan.sun.1;
        let flat = dy * dy * reach * 5.0;
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let dx = x as f32 + 0.5 - plan.sun.0;
            let round = (dx * dx + dy * dy) * reach;
            let lying = dx * dx * reach * 0.7 + flat;
            let (round, lying) = (1.0 + round * 90.0, 1.0 + lying * 6.0);
            // near / round + wide / lying, with one division.
            let light = (near * lying + wide * round) / (round * lying);
            put(pixel, base.screen(glow, light), dither(x as u32, y));
        }
    }
}

fn glow_strength(plan: &Plan) -> (f32, f32) {
    let (near, wide) = match plan.time {
        Time::Dawn => (0.45, 0.34),
        Time::Sunset => (0.55, 0.36),
        Time::Dusk => (0.40, 0.28),
        Time::Morning => (0.40, 0.20),
        Time::Noon => (0.35, 0.12),
        Time::Night => (0.30, 0.09),
    };
    if plan.disc {
        (near, wide)
    } else {
        (near * 0.12, wide * 0.5)
    }
}

/// The disc, cut off by nothing: land and clouds are painted over it later.
fn disc(picture: &mut Picture, plan: &mut Plan) {
    let (cx, cy) = plan.sun;
    let radius = plan.sun_radius;
    let colour = plan.palette.disc.rgb();
    let sea = plan.palette.disc.mix(plan.palette.sky[1], 0.22).rgb();
    let seed = plan.dice.seed();
    let reach = radius as i32 + 2;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let (px, py) = (cx as i32 + dx, cy as i32 + dy);
            let (fx, fy) = (px as f32 + 0.5 - cx, py as f32 + 0.5 - cy);
            let inside = radius - (fx * fx + fy * fy).sqrt() + 0.5;
            if inside <= 0.0 {
                continue;
            }
            let seas = if plan.is_moon {
                smooth(
                    0.02,
                    0.4,
                    fractal(fx / radius * 1.3, fy / radius * 1.3, 3, seed),
                )
            } else {
                0.0
            };
            picture.dab(px, py, colour.mix(sea, seas), inside.min(1.0));
        }
    }
}

/// Stars keep away from the glow and the horizon, and gather along one faint band.
fn stars(picture: &mut Picture, plan: &mut Plan) {
    let (band_seed, tilt) = (plan.dice.seed(), plan.dice.between(-0.9, 0.9));
    let mut dice = Dice::new(plan.dice.roll());
    let offset = dice.between(0.25, 0.6);
    milky_way(picture, plan, band_seed, tilt, offset);
    let count = (1500.0 * plan.stars * plan.width / plan.unit) as u32;
    for _ in 0..count {
        let (x, y) = (dice.unit() * plan.width, dice.unit() * plan.horizon);
        let brightness = dice.unit();
        let warmth = dice.unit();
        let band = band_at(plan, x, y, tilt, offset);
        if dice.unit() > 0.35 + 0.65 * band {
            continue;
        }
        let (dx, dy) = ((x - plan.sun.0) / plan.unit, (y - plan.sun.1) / plan.unit);
        let dark =
            smooth(0.004, 0.12, dx * dx + dy * dy) * smooth(1.0, 0.55, y / plan.horizon.max(1.0));
        let bright = brightness * brightness * brightness;
        let radius = plan.unit * lerp(0.0006, 0.0021, bright * bright);
        let colour = lch(0.97, 0.035, if warmth > 0.6 { 70.0 } else { 250.0 }).rgb();
        picture.dot(
            (x, y),
            radius,
            colour,
            lerp(0.25, 1.0, bright) * dark * plan.stars.sqrt(),
        );
    }
}

fn band_at(plan: &Plan, x: f32, y: f32, tilt: f32, offset: f32) -> f32 {
    let across = y / plan.unit
        - offset * plan.horizon / plan.unit
        - (x - plan.width * 0.5) / plan.unit * tilt;
    1.0 / (1.0 + across * across * 40.0)
}

fn milky_way(picture: &mut Picture, plan: &Plan, seed: u32, tilt: f32, offset: f32) {
    let colour = plan.palette.sky[2].mix(lch(0.75, 0.06, 290.0), 0.5).rgb();
    let step = (plan.unit / 200.0).max(1.0);
    let cloud = Field::new(plan.width, plan.horizon, step, |x, y| {
        let band = band_at(plan, x, y, tilt, offset);
        let low = smooth(1.0, 0.5, y / plan.horizon.max(1.0));
        let (fx, fy) = (x / plan.unit * 5.0, y / plan.unit * 5.0);
        let knots = if band > 0.12 {
            0.45 + 0.75 * fractal(fx, fy, 3, seed)
        } else {
            0.45
        };
        band * band * knots * low * 0.30 * plan.stars
    });
    for y in 0..(plan.horizon as u32).min(picture.height()) {
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let cover = cloud.read(x as f32, y as f32);
            if cover > 0.004 {
                blend(pixel, colour, cover, dither(x as u32, y));
            }
        }
    }
}

/// Curtains: each column has a foot that wanders, and light that fades upward from it.
fn aurora(picture: &mut Picture, plan: &mut Plan) {
    for curtain in 0..3 {
        let seed = plan.dice.seed();
        let foot_at = plan.horizon * plan.dice.between(0.45, 0.75);
        let tall = plan.unit * plan.dice.between(0.3, 0.5);
        let low = lch(0.80, 0.19, 158.0 + curtain as f32 * 8.0).rgb();
        let high = lch(0.58, 0.18, 305.0).rgb();
        for x in 0..picture.width() {
            let along = x as f32 / plan.unit;
            let foot = foot_at + plan.unit * 0.16 * fractal(along * 0.9, 3.1, 2, seed);
            let folds = 0.5
                + 0.5
                    * gradient(
                        along * 11.0 + 2.0 * gradient(along * 2.0, 0.5, seed),
                        7.7,
                        seed,
                    );
            let strength = folds * smooth(-0.35, 0.3, gradient(along * 0.8, 9.1, seed ^ 1)) * 0.92;
            curtain_column(
                picture,
                x,
                (foot, tall * (0.7 + 0.6 * folds)),
                (low, high),
                strength,
            );
        }
    }
}

fn curtain_column(
    picture: &mut Picture,
    x: u32,
    (foot, tall): (f32, f32),
    (low, high): (Rgb, Rgb),
    strength: f32,
) {
    let soft = tall * 0.08;
    for y in (foot - tall).max(0.0) as i32..(foot + soft) as i32 {
        let up = (foot - y as f32) / tall;
        let fade = if up < 0.0 {
            1.0 + up * tall / soft
        } else {
            (1.0 - up) * (1.0 - up)
        };
        picture.dab(
            x as i32,
            y,
            low.mix(high, up.clamp(0.0, 1.0)),
            strength * fade.max(0.0),
        );
    }
}
