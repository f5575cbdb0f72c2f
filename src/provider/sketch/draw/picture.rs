//! The canvas: straight-alpha RGBA8, and the few ways a stage puts colour on it.

use super::colour::Rgb;
use super::noise::hash;

/// A drawn image: RGBA8 with straight (not premultiplied) alpha, rows from the top.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// A fully transparent picture. A side of zero is drawn as one pixel: nothing below has to think about emptiness.
    pub fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let pixels = vec![0; width as usize * height as usize * 4];
        Self {
            width,
            height,
            pixels,
        }
    }

    /// A picture from pixels made elsewhere (a decoded upload, say); `None` when their number does not fit the sides.
    pub fn from_rgba(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let fits = width > 0 && height > 0 && pixels.len() == width as usize * height as usize * 4;
        fits.then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels: R, G, B, A, row by row.
    pub fn rgba(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, to change in place (masks, captions).
    pub fn rgba_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Whether every pixel is fully opaque.
    pub fn is_opaque(&self) -> bool {
        self.pixels
            .as_chunks::<4>()
            .0
            .iter()
            .all(|pixel| pixel[3] == 255)
    }

    /// One row of pixels.
    pub(super) fn row_mut(&mut self, y: u32) -> &mut [[u8; 4]] {
        let start = y as usize * self.width as usize * 4;
        let row = &mut self.pixels[start..start + self.width as usize * 4];
        row.as_chunks_mut::<4>().0
    }

    /// The rows above `y` and the rows from `y` on, so that water can read what it mirrors.
    pub(super) fn split_at_row(&mut self, y: u32) -> (&[[u8; 4]], &mut [[u8; 4]]) {
        let at = (y.min(self.height) as usize) * self.width as usize * 4;
        let (above, below) = self.pixels.split_at_mut(at);
        (above.as_chunks::<4>().0, below.as_chunks_mut::<4>().0)
    }

    /// Blends one pixel; coordinates outside are ignored.
    pub(super) fn dab(&mut self, x: i32, y: i32, colour: Rgb, coverage: f32) {
        if x >= 0 && y >= 0 && x < self.width as i32 && y < self.height as i32 {
            let at = (y as usize * self.width as usize + x as usize) * 4;
            if let Some(pixel) = self.pixels[at..].first_chunk_mut::<4>() {
                blend(pixel, colour, coverage, dither(x as u32, y as u32));
            }
        }
    }

    /// Blends a soft round dot, brightest in its middle.
    pub(super) fn dot(&mut self, centre: (f32, f32), radius: f32, colour: Rgb, coverage: f32) {
        let reach = radius.max(0.7) + 0.5;
        let (left, right) = ((centre.0 - reach) as i32, (centre.0 + reach) as i32 + 1);
        let (top, bottom) = ((centre.1 - reach) as i32, (centre.1 + reach) as i32 + 1);
        for y in top..=bottom {
            for x in left..=right {
                let (dx, dy) = (x as f32 + 0.5 - centre.0, y as f32 + 0.5 - centre.1);
                let near = 1.0 - (dx * dx + dy * dy) / (reach * reach);
                if near > 0.0 {
                    self.dab(x, y, colour, coverage * near * near.min(1.0));
                }
            }
        }
    }
}

/// Less than one level of noise, so that eight bits show no bands in a slow gradient.
pub(super) fn dither(x: u32, y: u32) -> f32 {
    (hash(x, y, 0x5eed) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Sets an opaque pixel.
pub(super) fn put(pixel: &mut [u8; 4], colour: Rgb, dither: f32) {
    let level = |channel: f32| (channel * 255.0 + dither) as u8;
    *pixel = [level(colour.r), level(colour.g), level(colour.b), 255];
}

/// Lays `colour` over `pixel` with `coverage` 0..=1.
pub(super) fn blend(pixel: &mut [u8; 4], colour: Rgb, coverage: f32, dither: f32) {
    let cover = coverage.clamp(0.0, 1.0);
    if cover <= 0.0 {
        return;
    }
    let under = f32::from(pixel[3]) * (1.0 / 255.0);
    let alpha = cover + under * (1.0 - cover);
    let weight = if pixel[3] == 255 {
        cover
    } else {
        cover / alpha
    };
    for (channel, over) in pixel.iter_mut().zip([colour.r, colour.g, colour.b]) {
        let old = f32::from(*channel);
        *channel = (old + (over * 255.0 - old) * weight + dither) as u8;
    }
    pixel[3] = (alpha * 255.0 + 0.5) as u8;
}

impl Picture {
    /// Draws a line between two points, `thick` pixels across, with soft edges. Its end belongs to the next piece, so that pieces
    /// of a curve do not overlap.
    pub(super) fn thread(
        &mut self,
        from: (f32, f32),
        to: (f32, f32),
        thick: f32,
        colour: Rgb,
        coverage: f32,
    ) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let lies = dx.abs() >= dy.abs();
        let (a, b, run, rise) = if lies {
            (from.0, to.0, dx, dy)
        } else {
            (from.1, to.1, dy, dx)
        };
        if run.abs() < 1e-4 {
            return;
        }
        let slope = rise / run;
        let start = if lies { from.1 } else { from.0 };
        let half = thick * 0.5 * (1.0 + slope * slope).sqrt();
        let limit = if lies { self.width } else { self.height } as f32;
        let first = (a.min(b) - 0.5).max(-1.0).ceil() as i32;
        let last = (a.max(b) - 0.5).min(limit).ceil() as i32;
        for step in first.max(0)..last {
            let middle = start + (step as f32 + 0.5 - a) * slope;
            let (low, high) = (middle - half, middle + half);
            for across in low.floor() as i32..=high.floor() as i32 {
                let inside = high.min(across as f32 + 1.0) - low.max(across as f32);
                let (x, y) = if lies { (step, across) } else { (across, step) };
                self.dab(x, y, colour, coverage * inside.clamp(0.0, 1.0));
            }
        }
    }
}
