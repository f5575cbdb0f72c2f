//! Water: what stands above it upside down, broken by ripples, with the light's path on it.

use crate::provider::sketch::draw::colour::Rgb;
use crate::provider::sketch::draw::noise::{Field, gradient, lerp, smooth};
use crate::provider::sketch::draw::picture::{Picture, dither, put};
use crate::provider::sketch::draw::plan::Plan;
use crate::provider::sketch::draw::words::{Water, Weather};

/// How restless the surface is.
struct Surface {
    /// How far ripples move what is mirrored, in units.
    swell: f32,
    /// How much of the mirror image survives at the far and the near end.
    mirror: (f32, f32),
    foam: f32,
    glitter: f32,
}

pub(super) fn paint(picture: &mut Picture, plan: &mut Plan) {
    let Some(water) = plan.water else { return };
    let surface = Surface::of(water, plan);
    let shore = (plan.horizon as u32).min(picture.height());
    if shore == 0 || shore >= picture.height() {
        return;
    }
    let ripples = ripples(plan, shore as f32);
    let (width, transparent) = (picture.width() as usize, plan.transparent);
    let body = plan.palette.water.rgb();
    let sky = plan.palette.sky[1].rgb();
    let light = plan.palette.glow.rgb();
    let (above, below) = picture.split_at_row(shore);
    for (down, row) in below.chunks_exact_mut(width).enumerate() {
        let near = (down as f32 + 0.5) / (plan.height - plan.horizon).max(1.0);
        let share = lerp(surface.mirror.0, surface.mirror.1, near.min(1.0).sqrt());
        let push = surface.swell * plan.unit * (0.12 + near);
        for (x, pixel) in row.iter_mut().enumerate() {
            let ripple = ripples.read(x as f32, down as f32);
            let from = mirrored(
                above,
                width,
                shore,
                (
                    x as f32 + ripple * push * 0.35,
                    down as f32 * 0.92 + ripple.abs() * push,
                ),
            );
            let mirror = if transparent && from[3] < 255 {
                sky
            } else {
                Rgb::of(from)
            };
            let mut colour = body.mix(mirror, (share + ripple * 0.14).clamp(0.0, 1.0));
            let sparkle = glitter(plan, x as f32, near, ripple) * surface.glitter;
            colour = colour.screen(light, sparkle + (1.0 - smooth(0.0, 0.012, near)) * 0.18);
            colour = colour.screen(
                sky,
                surface.foam * smooth(0.34, 0.62, ripple) * (0.25 + near),
            );
            put(pixel, colour, dither(x as u32, shore + down as u32));
        }
    }
}

impl Surface {
    fn of(water: Water, plan: &Plan) -> Self {
        let rough = match (water, plan.weather) {
            (_, Weather::Storm) => 1.0,
            (_, Weather::Rain) => 0.5,
            (Water::Sea, _) => 0.45,
            (Water::Lake, _) => 0.16,
        };
        let shining = if plan.disc { 1.0 } else { 0.12 };
        Self {
            swell: lerp(0.02, 0.17, rough),
            mirror: (lerp(0.95, 0.72, rough), lerp(0.72, 0.30, rough)),
            foam: smooth(0.6, 1.0, rough) * 0.9 + if water == Water::Sea { 0.12 } else { 0.0 },
            glitter: shining * if plan.is_dark() { 0.85 } else { 0.65 },
        }
    }
}

fn mirrored(above: &[[u8; 4]], width: usize, shore: u32, (x, up): (f32, f32)) -> [u8; 4] {
    let row = (shore as f32 - 1.0 - up).max(0.0) as usize;
    let column = (x.max(0.0) as usize).min(width - 1);
    above.get(row * width + column).copied().unwrap_or_default()
}

/// Light on the tops of ripples under the sun: a narrow path far away, wider near the viewer.
fn glitter(plan: &Plan, x: f32, near: f32, ripple: f32) -> f32 {
    let wide = plan.unit * (0.035 + 0.13 * near);
    let away = (x - plan.sun.0) / wide;
    let path = 1.0 / (1.0 + away * away);
    path * path * smooth(0.02, 0.42, ripple + 0.12 * (1.0 - near)) * (1.0 - 0.45 * near)
}

/// Waves in perspective: fine and flat far away, long and broad close by.
fn ripples(plan: &mut Plan, shore: f32) -> Field {
    let seed = plan.dice.seed();
    let (unit, middle, tall) = (plan.unit, plan.width * 0.5, plan.height - shore);
    let scale = if plan.water == Some(Water::Sea) {
        0.75
    } else {
        1.0
    };
    Field::new(plan.width, tall, (unit / 720.0).max(1.0), |x, down| {
        let away = 1.0 / (down / unit + 0.035);
        let across = (x - middle) / unit * away * 1.5 * scale;
        let along = away * 5.5 * scale;
        let long = gradient(across * 0.8 + 17.0, along, seed);
        let short = gradient(across * 2.3 - 5.0, along * 2.4, seed ^ 0x3c);
        let fade = smooth(0.0, 0.05, down / unit);
        (long * 0.62 + short * 0.38) * (0.35 + 0.65 * fade)
    })
}
