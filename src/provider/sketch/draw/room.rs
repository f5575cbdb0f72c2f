//! Room on a sheet: what lies where, so that things keep clear of each other.

use super::brush::Point;

/// Where things lie already, on a coarse grid that reaches a little beyond the picture.
pub(super) struct Room {
    cell: f32,
    columns: i32,
    rows: i32,
    taken: Vec<bool>,
}

/// How far beyond the edges things may lie, in cells.
const BEYOND: i32 = 12;

impl Room {
    /// An empty room; `unit` is the length that things scale with.
    pub fn new(width: f32, height: f32, unit: f32) -> Self {
        let cell = (unit / 220.0).max(0.4);
        let columns = (width / cell) as i32 + 1 + BEYOND * 2;
        let rows = (height / cell) as i32 + 1 + BEYOND * 2;
        Self {
            cell,
            columns,
            rows,
            taken: vec![false; (columns * rows) as usize],
        }
    }

    fn index(&self, (x, y): Point) -> Option<usize> {
        let column = (x / self.cell).floor() as i32 + BEYOND;
        let row = (y / self.cell).floor() as i32 + BEYOND;
        let inside = (0..self.columns).contains(&column) && (0..self.rows).contains(&row);
        inside.then_some((row * self.columns + column) as usize)
    }

    /// Whether a place is in the room at all.
    pub fn holds(&self, at: Point) -> bool {
        self.index(at).is_some()
    }

    /// The side of a cell in pixels.
    pub fn cell(&self) -> f32 {
        self.cell
    }

    /// Whether a disc is free: its middle and eight points of its rim.
    pub fn is_free(&self, (x, y): Point, radius: f32) -> bool {
        let slant = radius * std::f32::consts::FRAC_1_SQRT_2;
        let rim = [
            (0.0, 0.0),
            (radius, 0.0),
            (-radius, 0.0),
            (0.0, radius),
            (0.0, -radius),
            (slant, slant),
            (-slant, slant),
            (slant, -slant),
            (-slant, -slant),
        ];
        let free = |(dx, dy): &Point| {
            self.index((x + dx, y + dy))
                .is_none_or(|at| !self.taken[at])
        };
        rim.iter().all(free)
    }

    /// Takes a disc.
    pub fn take(&mut self, (x, y): Point, radius: f32) {
        let reach = (radius / self.cell).ceil() as i32;
        for down in -reach..=reach {
            for across in -reach..=reach {
                let off = (across as f32 * self.cell, down as f32 * self.cell);
                if off.0 * off.0 + off.1 * off.1 <= radius * radius
                    && let Some(at) = self.index((x + off.0, y + off.1))
                {
                    self.taken[at] = true;
                }
            }
        }
    }
}
