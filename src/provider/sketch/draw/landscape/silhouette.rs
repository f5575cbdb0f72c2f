//! Filled outlines: tiny-skia turns a path into coverage, the picture takes the colour.

use tiny_skia::{FillRule, Mask, Path, PathBuilder, Rect, Transform};

use crate::provider::sketch::draw::colour::Rgb;
use crate::provider::sketch::draw::picture::Picture;

/// A path in its own small coordinates: x to the right, y up, the origin where the thing stands.
pub(super) struct Outline {
    builder: PathBuilder,
}

impl Outline {
    pub fn new() -> Self {
        Self {
            builder: PathBuilder::new(),
        }
    }

    /// Adds a closed shape.
    pub fn shape(mut self, points: &[(f32, f32)]) -> Self {
        for (at, (x, y)) in points.iter().enumerate() {
            if at == 0 {
                self.builder.move_to(*x, -*y)
            } else {
                self.builder.line_to(*x, -*y)
            }
        }
        self.builder.close();
        self
    }

    /// Adds an upright rectangle.
    pub fn block(self, (left, bottom): (f32, f32), (right, top): (f32, f32)) -> Self {
        self.shape(&[(left, bottom), (right, bottom), (right, top), (left, top)])
    }

    pub fn circle(mut self, (x, y): (f32, f32), radius: f32) -> Self {
        self.builder.push_circle(x, -y, radius);
        self
    }

    /// Adds a shape bounded by two quadratic arcs with common ends: a wing, a hull, a blade of grass.
    pub fn arcs(
        mut self,
        from: (f32, f32),
        over: (f32, f32),
        to: (f32, f32),
        back: (f32, f32),
    ) -> Self {
        self.builder.move_to(from.0, -from.1);
        self.builder.quad_to(over.0, -over.1, to.0, -to.1);
        self.builder.quad_to(back.0, -back.1, from.0, -from.1);
        self.builder.close();
        self
    }

    /// Fills it at `foot`, `scale` pixels per unit; nothing happens where it is empty or outside.
    pub fn fill(
        self,
        picture: &mut Picture,
        foot: (f32, f32),
        scale: f32,
        colour: Rgb,
        coverage: f32,
    ) {
        let place = Transform::from_row(scale, 0.0, 0.0, scale, foot.0, foot.1);
        if let Some(path) = self.builder.finish().and_then(|path| path.transform(place)) {
            fill(picture, &path, colour, coverage);
        }
    }
}

/// Only the path's own box is rasterised, so a small boat does not cost a mask of the whole picture.
fn fill(picture: &mut Picture, path: &Path, colour: Rgb, coverage: f32) -> Option<()> {
    let canvas = Rect::from_ltrb(0.0, 0.0, picture.width() as f32, picture.height() as f32)?;
    let bounds = path.bounds();
    let left = bounds.left().max(canvas.left()).floor();
    let top = bounds.top().max(canvas.top()).floor();
    let right = bounds.right().min(canvas.right()).ceil();
    let bottom = bounds.bottom().min(canvas.bottom()).ceil();
    if right <= left || bottom <= top {
        return None;
    }
    let mut mask = Mask::new((right - left) as u32, (bottom - top) as u32)?;
    mask.fill_path(
        path,
        FillRule::Winding,
        true,
        Transform::from_translate(-left, -top),
    );
    for (at, cover) in mask
        .data()
        .iter()
        .enumerate()
        .filter(|(_, cover)| **cover > 0)
    {
        let (x, y) = (at as u32 % mask.width(), at as u32 / mask.width());
        picture.dab(
            left as i32 + x as i32,
            top as i32 + y as i32,
            colour,
            f32::from(*cover) / 255.0 * coverage,
        );
    }
    Some(())
}
