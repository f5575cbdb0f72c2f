//! Chance that repeats: a small generator for decisions, and gradient noise for shapes.

/// A stream of numbers from one seed (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A seed for one noise, so that no two stages draw the same hills.
    pub fn seed(&mut self) -> u32 {
        (self.roll() >> 32) as u32
    }

    /// 0.0..1.0
    pub fn unit(&mut self) -> f32 {
        (self.roll() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of a list; the list's own default when it is empty.
    pub fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let at = (self.unit() * from.len() as f32) as usize;
        from.get(at).copied().unwrap_or_default()
    }
}

/// Mixes a lattice point and a seed into 32 even bits.
pub(super) fn hash(x: u32, y: u32, seed: u32) -> u32 {
    let mut bits =
        x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ seed.wrapping_mul(0xc2b2_ae3d);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2c1b_3c6d);
    bits = (bits ^ (bits >> 12)).wrapping_mul(0x297a_2d39);
    bits ^ (bits >> 15)
}

/// A hash as 0.0..1.0.
pub(super) fn hash_unit(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x as u32, y as u32, seed) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Sixteen directions for the corners of gradient noise.
#[rustfmt::skip]
const DIRECTIONS: [(f32, f32); 16] = [
    (1.0, 0.0), (0.924, 0.383), (0.707, 0.707), (0.383, 0.924), (0.0, 1.0), (-0.383, 0.924), (-0.707, 0.707), (-0.924, 0.383),
    (-1.0, 0.0), (-0.924, -0.383), (-0.707, -0.707), (-0.383, -0.924), (0.0, -1.0), (0.383, -0.924), (0.707, -0.707), (0.924, -0.383),
];

/// Gradient noise, about -1..=1. Most of a picture's time is spent here, hence one multiplication per corner and a table.
#[inline]
pub(super) fn gradient(x: f32, y: f32, seed: u32) -> f32 {
    let (cell_x, cell_y) = (floor(x), floor(y));
    let (fx, fy) = (x - cell_x as f32, y - cell_y as f32);
    let left = (cell_x as u32).wrapping_mul(0x9e37_79b1);
    let right = left.wrapping_add(0x9e37_79b1);
    let top = (cell_y as u32)
        .wrapping_mul(0x85eb_ca77)
        .wrapping_add(seed.wrapping_mul(0xc2b2_ae3d));
    let low = top.wrapping_add(0x85eb_ca77);
    let corner = |bits: u32, across: f32, down: f32| {
        let (dx, dy) = DIRECTIONS[((bits ^ (bits >> 15)).wrapping_mul(0x2c1b_3c6d) >> 28) as usize];
        dx * across + dy * down
    };
    let u = fade(fx);
    let above = lerp(
        corner(left ^ top, fx, fy),
        corner(right ^ top, fx - 1.0, fy),
        u,
    );
    let below = lerp(
        corner(left ^ low, fx, fy - 1.0),
        corner(right ^ low, fx - 1.0, fy - 1.0),
        u,
    );
    lerp(above, below, fade(fy)) * 1.3
}

/// Octaves of gradient noise, about -1..=1.
pub(super) fn fractal(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut scale) = (0.0, 1.0, 0.0, 1.0);
    for octave in 0..octaves {
        sum += gradient(x * scale, y * scale, seed.wrapping_add(octave)) * weight;
        total += weight;
        weight *= 0.5;
        scale *= 2.03;
    }
    sum / total
}

/// Octaves of folded noise, 0..=1: sharp crests, and detail gathered on the crests, as water carves mountains.
pub(super) fn ridged(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total, mut scale, mut carry) = (0.0, 1.0, 0.0, 1.0, 1.0f32);
    for octave in 0..octaves {
        let fold = 1.0 - gradient(x * scale, y * scale, seed.wrapping_add(octave)).abs();
        let crest = fold * fold;
        sum += crest * weight * carry;
        total += weight;
        carry = (crest * 1.4).min(1.0);
        weight *= 0.48;
        scale *= 2.1;
    }
    sum / total
}

/// 0 below `low`, 1 above `high`, smooth between; works with `low > high` too.
pub(super) fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

pub(super) fn lerp(from: f32, to: f32, t: f32) -> f32 {
    from + (to - from) * t
}

pub(super) fn floor(value: f32) -> i32 {
    let whole = value as i32;
    whole - i32::from((whole as f32) > value)
}

fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// A scalar drawn on a coarse grid and read back smoothly at every pixel: noise costs far more than interpolation.
pub(super) struct Field {
    per_pixel: f32,
    columns: usize,
    rows: usize,
    values: Vec<f32>,
}

impl Field {
    /// Evaluates `at(x, y)` (pixels) once per `step` pixels over `width` × `height`.
    pub fn new(width: f32, height: f32, step: f32, mut at: impl FnMut(f32, f32) -> f32) -> Self {
        let columns = (width.max(1.0) / step) as usize + 2;
        let rows = (height.max(1.0) / step) as usize + 2;
        let mut values = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            values.extend((0..columns).map(|column| at(column as f32 * step, row as f32 * step)));
        }
        Self {
            per_pixel: 1.0 / step,
            columns,
            rows,
            values,
        }
    }

    /// The value at a pixel; past the edges, the edge.
    pub fn read(&self, x: f32, y: f32) -> f32 {
        let gx = (x * self.per_pixel).clamp(0.0, (self.columns - 1) as f32 - 0.001);
        let gy = (y * self.per_pixel).clamp(0.0, (self.rows - 1) as f32 - 0.001);
        let (column, row) = (gx as usize, gy as usize);
        let (fx, fy) = (gx - column as f32, gy - row as f32);
        let at = row * self.columns + column;
        let (top, bottom) = (
            &self.values[at..at + 2],
            &self.values[at + self.columns..at + self.columns + 2],
        );
        lerp(lerp(top[0], top[1], fx), lerp(bottom[0], bottom[1], fx), fy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_in_its_range_and_varies() {
        let values: Vec<f32> = (0..4000)
            .map(|i| fractal(i as f32 * 0.37, i as f32 * -0.11, 4, 7))
            .collect();
        assert!(values.iter().all(|value| value.abs() <= 1.3));
        assert!(
            values.iter().any(|value| *value > 0.2) && values.iter().any(|value| *value < -0.2)
        );
    }

    #[test]
    fn a_field_reads_its_own_grid_points_and_past_its_edges() {
        let field = Field::new(10.0, 10.0, 2.0, |x, y| x + y * 100.0);
        assert!((field.read(4.0, 6.0) - 604.0).abs() < 0.01);
        assert!(field.read(-50.0, 1e9).is_finite());
    }
}
