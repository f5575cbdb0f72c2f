//! Clouds: warped noise on a plane above the viewer, lit from the sun's side.

use crate::provider::sketch::draw::noise::{Field, fractal, lerp, smooth};
use crate::provider::sketch::draw::picture::{Picture, blend, dither};
use crate::provider::sketch::draw::plan::Plan;
use crate::provider::sketch::draw::words::Weather;

pub(super) fn paint(picture: &mut Picture, plan: &mut Plan) {
    let deck = density(plan);
    let shape = Shape::of(plan);
    let lit = plan.palette.cloud_lit.rgb();
    let shade = plan.palette.cloud_shade.rgb();
    let glow = plan.palette.glow.rgb();
    let reach = plan.unit * 0.018;
    let bottom = (plan.horizon as u32 + 2).min(picture.height());
    for y in 0..bottom {
        let height = 1.0 - y as f32 / plan.horizon.max(1.0);
        // Far clouds sink into the haze above the horizon.
        let clear = smooth(0.0, 0.16, height) * 0.92 + 0.08;
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let here = deck.read(x as f32, y as f32);
            let cover = smooth(shape.edge, shape.edge + shape.soft, here);
            if cover <= 0.002 {
                continue;
            }
            let (dx, dy) = (plan.sun.0 - x as f32, plan.sun.1 - y as f32);
            let far = (dx * dx + dy * dy).sqrt().max(1.0);
            let sunward = deck.read(x as f32 + dx / far * reach, y as f32 + dy / far * reach);
            let facing = 0.55 + (here - sunward) * 2.6 - (here - shape.edge) * shape.bulk;
            let near = 1.0 / (1.0 + far * far / (plan.unit * plan.unit) * 22.0);
            let colour = shade
                .mix(lit, facing.clamp(0.0, 1.0))
                .screen(glow, near * 0.45 * (1.0 - cover * 0.6));
            blend(
                pixel,
                colour,
                cover * shape.opacity * clear,
                dither(x as u32, y),
            );
        }
    }
}

/// How a kind of weather draws its clouds.
struct Shape {
    /// Noise above this is cloud.
    edge: f32,
    soft: f32,
    opacity: f32,
    /// How dark the thick middle gets.
    bulk: f32,
}

impl Shape {
    fn of(plan: &Plan) -> Self {
        let edge = lerp(0.30, -0.62, plan.cloudiness);
        match plan.weather {
            Weather::Clear => Self {
                edge,
                soft: 0.62,
                opacity: 0.62,
                bulk: 0.2,
            },
            Weather::Cloudy => Self {
                edge,
                soft: 0.34,
                opacity: 0.94,
                bulk: 0.75,
            },
            Weather::Mist | Weather::Snow => Self {
                edge,
                soft: 0.9,
                opacity: 0.5,
                bulk: 0.3,
            },
            Weather::Overcast | Weather::Rain => Self {
                edge,
                soft: 0.75,
                opacity: 0.8,
                bulk: 0.55,
            },
            Weather::Storm => Self {
                edge,
                soft: 0.5,
                opacity: 0.95,
                bulk: 0.8,
            },
        }
    }
}

/// The noise on its plane, sampled coarsely: clouds have no edges that a pixel could show.
fn density(plan: &mut Plan) -> Field {
    let seed = plan.dice.seed();
    let drift = plan.dice.between(-40.0, 40.0);
    let stretch = if plan.weather == Weather::Clear {
        0.55
    } else {
        1.0
    };
    let scale = plan.dice.between(1.3, 1.9);
    let (unit, horizon, middle) = (plan.unit, plan.horizon, plan.width * 0.5);
    let step = (unit / 420.0).max(1.0);
    Field::new(plan.width, horizon + 2.0, step, |x, y| {
        let height = ((horizon - y) / unit).max(0.0);
        let away = 1.0 / (height * 1.5 + 0.2);
        let across = (x - middle) / unit * away * scale * stretch + drift;
        let along = away * scale * 1.9;
        let warp = fractal(across * 0.8, along * 0.8, 2, seed ^ 0xa5);
        let lean = fractal(across * 0.8 + 5.2, along * 0.8 + 1.3, 2, seed ^ 0x5a);
        fractal(across + warp * 0.5, along + lean * 0.5, 5, seed)
    })
}
