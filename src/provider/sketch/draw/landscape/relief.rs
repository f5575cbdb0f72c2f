//! Slopes: noise under an outline, and from it where the light falls.

use super::profile::{Crest, Stand, along, rock};
use crate::provider::sketch::draw::noise::{Field, fractal, gradient, ridged};
use crate::provider::sketch::draw::plan::Plan;

/// Height differences under the crest, which say where the light falls.
pub(super) struct Relief {
    height: Field,
    slope: Field,
}

impl Relief {
    /// Reaches only `shown` pixels deep, and is skipped where conifers or walls hide the slope.
    pub fn of(crest: Crest, stand: &Stand, shown: f32, plan: &Plan) -> Self {
        let (span, contrast, fine) = match crest {
            Crest::Ridges => (0.008, 5.0, 1.0),
            Crest::Dunes => (0.03, 5.5, 1.5),
            Crest::Broadleaf => (0.004, 0.55, 1.2),
            _ => (0.02, 2.4, 1.5),
        };
        let step = (plan.unit / 440.0 * fine).max(1.0);
        let bare = !matches!(crest, Crest::Conifers | Crest::Skyline);
        let (wide, deep) = if bare {
            (plan.width, shown.min(plan.height))
        } else {
            (1.0, 1.0)
        };
        let height = Field::new(wide, deep, step, |x, depth| {
            height_at(crest, stand, (x, depth), plan)
        });
        let reach = (span * stand.grain * plan.unit).max(step) * plan.light_side();
        let slope = Field::new(wide, deep, step, |x, depth| {
            (height.read(x - reach, depth) - height.read(x + reach, depth)) * contrast
        });
        Self { height, slope }
    }

    /// Slope towards the light at a place: positive where it faces the light.
    pub fn slope(&self, x: f32, depth: f32) -> f32 {
        self.slope.read(x, depth)
    }

    pub fn height(&self, x: f32, depth: f32) -> f32 {
        self.height.read(x, depth)
    }
}

/// The surface under the outline. Depth below the crest stands for nearness to the viewer: further down is further forward.
fn height_at(crest: Crest, stand: &Stand, (x, depth): (f32, f32), plan: &Plan) -> f32 {
    let (u, down) = (along(x, stand, plan), depth / (plan.unit * stand.grain));
    match crest {
        Crest::Ridges => {
            let bent = u + 0.05 * gradient(u * 4.0, down * 4.0, stand.seed ^ 3);
            rock(bent, down * 1.1, 5, stand.seed)
        }
        Crest::Dunes => {
            let ripples = 0.006 * gradient(u * 9.0, down * 40.0, stand.seed);
            ridged(u * 0.62 + down * 0.45, 1.0 + down * 0.9, 2, stand.seed) + ripples
        }
        // Leaves, in clumps much smaller than a crown.
        Crest::Broadleaf => fractal(u * 62.0, down * 62.0, 2, stand.seed ^ 5),
        _ => fractal(u * 1.1, down * 3.2, 4, stand.seed ^ 9),
    }
}
