//! Shapes on a picture: tiny-skia turns a path into coverage, the picture takes the colour.
//!
//! An [`Easel`] is the part of a picture that may be painted on; whatever reaches beyond it is cut off.

use tiny_skia::{FillRule, LineCap, LineJoin, Mask, Path, PathBuilder, Rect, Stroke, Transform};

use super::colour::Rgb;
use super::noise::hash_unit;
use super::picture::{Picture, blend, dither};

/// A place in a picture, in pixels.
pub(super) type Point = (f32, f32);

/// The part of a picture that is painted on.
pub(super) struct Easel<'a> {
    picture: &'a mut Picture,
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl<'a> Easel<'a> {
    /// All of the picture.
    pub fn new(picture: &'a mut Picture) -> Self {
        let (right, bottom) = (picture.width() as f32, picture.height() as f32);
        Self {
            picture,
            left: 0.0,
            top: 0.0,
            right,
            bottom,
        }
    }

    /// The part of it between two corners.
    pub fn within(&mut self, (left, top): Point, (right, bottom): Point) -> Easel<'_> {
        Easel {
            left: left.max(self.left),
            top: top.max(self.top),
            right: right.min(self.right),
            bottom: bottom.min(self.bottom),
            picture: self.picture,
        }
    }

    /// Fills a path with one colour.
    pub fn fill(&mut self, path: &Option<Path>, colour: Rgb, coverage: f32) {
        self.shade(path, |_, _| (colour, coverage));
    }

    /// Fills a path with a colour and coverage for each pixel. Only the path's own box is rasterised, so that something
    /// small does not cost a mask of the whole picture.
    pub fn shade(&mut self, path: &Option<Path>, mut paint: impl FnMut(f32, f32) -> (Rgb, f32)) {
        let Some((path, (left, top), mut mask)) = self.mask_of(path) else {
            return;
        };
        let away = Transform::from_translate(-(left as f32), -(top as f32));
        mask.fill_path(path, FillRule::Winding, true, away);
        let width = mask.width() as usize;
        for (down, covers) in mask.data().chunks_exact(width).enumerate() {
            let y = top + down as u32;
            let row = &mut self.picture.row_mut(y)[left as usize..];
            for (across, (pixel, cover)) in row.iter_mut().zip(covers).enumerate() {
                if *cover == 0 {
                    continue;
                }
                let x = left + across as u32;
                let (colour, coverage) = paint(x as f32 + 0.5, y as f32 + 0.5);
                let cover = f32::from(*cover) * (1.0 / 255.0) * coverage;
                blend(pixel, colour, cover, dither(x, y));
            }
        }
    }

    /// Takes away what is under a path, down to nothing.
    pub fn erase(&mut self, path: &Option<Path>) {
        let Some((path, (left, top), mut mask)) = self.mask_of(path) else {
            return;
        };
        let away = Transform::from_translate(-(left as f32), -(top as f32));
        mask.fill_path(path, FillRule::Winding, true, away);
        let width = mask.width() as usize;
        for (down, covers) in mask.data().chunks_exact(width).enumerate() {
            let row = &mut self.picture.row_mut(top + down as u32)[left as usize..];
            for (pixel, cover) in row.iter_mut().zip(covers) {
                let kept = u16::from(pixel[3]) * u16::from(255 - cover) / 255;
                pixel[3] = kept as u8;
            }
        }
    }

    /// An empty mask for what of the path can be seen, and where it lies; `None` if nothing can.
    fn mask_of<'p>(&self, path: &'p Option<Path>) -> Option<(&'p Path, (u32, u32), Mask)> {
        let path = path.as_ref()?;
        let bounds = path.bounds();
        let left = bounds.left().max(self.left).floor();
        let top = bounds.top().max(self.top).floor();
        let right = bounds.right().min(self.right).ceil();
        let bottom = bounds.bottom().min(self.bottom).ceil();
        if right <= left || bottom <= top {
            return None;
        }
        let mask = Mask::new((right - left) as u32, (bottom - top) as u32)?;
        Some((path, (left as u32, top as u32), mask))
    }

    /// Draws along a path with round ends.
    pub fn stroke(&mut self, path: &Option<Path>, width: f32, colour: Rgb, coverage: f32) {
        let stroke = Stroke {
            width: width.max(0.3),
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        let outline = path.as_ref().and_then(|path| path.stroke(&stroke, 1.0));
        self.fill(&outline, colour, coverage);
    }
}

/// A closed shape with straight sides.
pub(super) fn polygon(points: &[Point]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    trace(&mut builder, points);
    builder.close();
    builder.finish()
}

/// An open line through points.
pub(super) fn polyline(points: &[Point]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    trace(&mut builder, points);
    builder.finish()
}

fn trace(builder: &mut PathBuilder, points: &[Point]) {
    for (at, (x, y)) in points.iter().enumerate() {
        match at {
            0 => builder.move_to(*x, *y),
            _ => builder.line_to(*x, *y),
        }
    }
}

/// A closed shape with soft corners: its sides' middles are joined by curves that the corners pull.
pub(super) fn pebble(points: &[Point]) -> Option<Path> {
    let middle = |a: Point, b: Point| ((a.0 + b.0) * 0.5, (a.1 + b.1) * 0.5);
    let (first, last) = (*points.first()?, *points.last()?);
    let mut builder = PathBuilder::new();
    let start = middle(last, first);
    builder.move_to(start.0, start.1);
    for (at, corner) in points.iter().enumerate() {
        let next = points.get(at + 1).copied().unwrap_or(first);
        let end = middle(*corner, next);
        builder.quad_to(corner.0, corner.1, end.0, end.1);
    }
    builder.close();
    builder.finish()
}

/// A circle.
pub(super) fn circle((x, y): Point, radius: f32) -> Option<Path> {
    PathBuilder::from_circle(x, y, radius.max(0.05))
}

/// An upright rectangle.
pub(super) fn block((left, top): Point, (right, bottom): Point) -> Option<Path> {
    Rect::from_ltrb(left, top, right, bottom).map(PathBuilder::from_rect)
}

/// The part of a ring between two angles (in turns, clockwise from the right); a slice if the inner radius is zero.
pub(super) fn sector(centre: Point, inner: f32, outer: f32, from: f32, to: f32) -> Option<Path> {
    let steps = (((to - from).abs() * 96.0) as usize).max(3);
    let at = |radius: f32, step: usize| {
        let turn = from + (to - from) * step as f32 / steps as f32;
        polar(centre, radius, turn)
    };
    let mut points: Vec<Point> = (0..=steps).map(|step| at(outer, step)).collect();
    if inner > 0.0 {
        points.extend((0..=steps).rev().map(|step| at(inner, step)));
    } else {
        points.push(centre);
    }
    polygon(&points)
}

/// The point at a distance and an angle (in turns, clockwise from the right).
pub(super) fn polar((x, y): Point, radius: f32, turn: f32) -> Point {
    let angle = turn * std::f32::consts::TAU;
    (
        x + radius * libm::cosf(angle),
        y + radius * libm::sinf(angle),
    )
}

/// A leaf or petal: two arcs from `base` to its tip, `wide` across. `belly` is where it is widest: 0 at the base, 1 at the tip.
pub(super) fn leaf(base: Point, turn: f32, long: f32, wide: f32, belly: f32) -> Option<Path> {
    half_leaf(base, turn, long, (wide, wide), belly)
}

/// A leaf whose halves differ in width; a negative width puts a half on the other's side.
pub(super) fn half_leaf(
    base: Point,
    turn: f32,
    long: f32,
    (left, right): (f32, f32),
    belly: f32,
) -> Option<Path> {
    let tip = polar(base, long, turn);
    let along = |share: f32, off: f32| polar(polar(base, long * share, turn), off, turn + 0.25);
    let (low, high) = (belly * 0.55, (belly + 0.42).min(0.96));
    let mut builder = PathBuilder::new();
    builder.move_to(base.0, base.1);
    let (a, b) = (along(low, right * 0.66), along(high, right * 0.5));
    builder.cubic_to(a.0, a.1, b.0, b.1, tip.0, tip.1);
    let (a, b) = (along(high, -left * 0.5), along(low, -left * 0.66));
    builder.cubic_to(a.0, a.1, b.0, b.1, base.0, base.1);
    builder.close();
    builder.finish()
}

/// A line that grows thinner (or thicker) from its first point to its last.
pub(super) fn taper(points: &[Point], from: f32, to: f32) -> Option<Path> {
    let last = points.len().checked_sub(1).filter(|last| *last > 0)?;
    let edge = |at: usize, side: f32| {
        let (before, after) = (points[at.saturating_sub(1)], points[(at + 1).min(last)]);
        let (dx, dy) = (after.0 - before.0, after.1 - before.1);
        let length = (dx * dx + dy * dy).sqrt().max(1e-4);
        let half = (from + (to - from) * at as f32 / last as f32) * 0.5 * side;
        let (x, y) = points[at];
        (x - dy / length * half, y + dx / length * half)
    };
    let mut outline: Vec<Point> = (0..=last).map(|at| edge(at, 1.0)).collect();
    outline.extend((0..=last).rev().map(|at| edge(at, -1.0)));
    polygon(&outline)
}

/// Grain that fades across a shape, as of a spray can: thick at `from`, gone at `to`.
pub(super) struct Grain {
    pub from: Point,
    pub to: Point,
    /// The size of a speck in pixels.
    pub cell: f32,
    pub seed: u32,
}

impl Easel<'_> {
    /// Sprays a colour over a path.
    pub fn spray(&mut self, path: &Option<Path>, colour: Rgb, amount: f32, grain: &Grain) {
        let (dx, dy) = (grain.to.0 - grain.from.0, grain.to.1 - grain.from.1);
        let reach = 1.0 / (dx * dx + dy * dy).max(1e-3);
        let per_pixel = 1.0 / grain.cell.max(0.5);
        self.shade(path, |x, y| {
            let along = ((x - grain.from.0) * dx + (y - grain.from.1) * dy) * reach;
            let thick = (1.0 - along).clamp(0.0, 1.0);
            let speck = hash_unit((x * per_pixel) as i32, (y * per_pixel) as i32, grain.seed);
            let hit = speck < thick * thick * amount;
            (colour, if hit { 0.85 } else { 0.0 })
        });
    }
}
