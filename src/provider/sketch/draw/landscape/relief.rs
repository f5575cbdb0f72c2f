//! Slopes: noise under an outline, and from it where the light falls.

use super::profile::{Crest, Stand, along, rock};
use crate::provider::sketch::draw::noise::{Field, fractal, gradient, ridged};
use crate::provider::sketch::draw::plan::Plan;

/// Height differences under the crest, which say where the light falls.
pub(super) struct Relief {
    pub field: Field,
    /// Distance in pixels over which the slope is taken.
    span: f32,
    contrast: f32,
}

impl Relief {
    /// Reaches only `shown` pixels deep, and is skipped where trees or walls hide the slope.
    pub fn of(crest: Crest, stand: &Stand, shown: f32, plan: &Plan) -> Self {
        let step = (plan.unit / 480.0).max(1.0);
        let step = if crest == Crest::Ridges {
            step
        } else {
            step * 1.5
        };
        let bare = matches!(crest, Crest::Ridges | Crest::Rolling | Crest::Dunes);
        let (wide, deepest) = if bare {
            (plan.width, shown.min(plan.height))
        } else {
            (1.0, 1.0)
        };
        let field = Field::new(wide, deepest, step, |x, depth| {
            let (u, down) = (along(x, stand, plan), depth / (plan.unit * stand.grain));
            match crest {
                Crest::Ridges => rock(
                    u + 0.05 * gradient(u * 4.0, down * 4.0, stand.seed ^ 3),
                    down * 1.1,
                    5,
                    stand.seed,
                ),
                Crest::Dunes => {
                    ridged(u * 0.62 + down * 0.45, 1.0 + down * 0.9, 2, stand.seed)
                        + 0.006 * fractal(u * 9.0, down * 40.0, 1, stand.seed)
                }
                _ => fractal(u * 1.1, down * 3.2, 4, stand.seed ^ 9),
            }
        });
        let (span, contrast) = match crest {
            Crest::Ridges => (0.008 * stand.grain, 5.0),
            Crest::Dunes => (0.03 * stand.grain, 5.5),
            _ => (0.02 * stand.grain, 2.4),
        };
        Self {
            field,
            span: (span * plan.unit).max(step),
            contrast,
        }
    }

    /// Slope towards the light at a place: positive where it faces the light.
    pub fn slope(&self, x: f32, depth: f32, side: f32) -> f32 {
        let reach = self.span * side;
        (self.field.read(x - reach, depth) - self.field.read(x + reach, depth)) * self.contrast
    }
}
