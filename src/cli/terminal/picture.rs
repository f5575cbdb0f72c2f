//! A picture file becomes pixels that fit into so many characters.

use image::imageops::FilterType;
use image::{ImageReader, Limits, RgbaImage};
use std::io::Cursor;

/// A file that claims more than this is not decoded for a look at it: 64 megapixels with their alpha.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// A finer picture would take long over a slow line and look the same.
const MOST_PIXELS_WIDE: u32 = 960;

/// How far a small picture is enlarged.
const MOST_TIMES: f64 = 4.0;

/// The room there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) columns: u16,
    pub(super) rows: u16,
    /// A character in pixels.
    pub(super) cell: (u16, u16),
}

/// A picture and the characters that it covers.
pub(super) struct Fitted {
    pub(super) image: RgbaImage,
    pub(super) columns: u16,
    pub(super) rows: u16,
}

/// Decodes and fits; `None` if it is no picture.
pub(super) fn read(file: &[u8], bounds: Bounds) -> Option<Fitted> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .ok()?;
    reader.limits(limits);
    let image = reader.decode().ok()?;
    let (columns, rows) = fit(image.width(), image.height(), bounds);
    let most = (u32::from(columns) * u32::from(bounds.cell.0)).min(MOST_PIXELS_WIDE);
    let image = if image.width() > most {
        let height = u64::from(image.height()) * u64::from(most) / u64::from(image.width());
        image.thumbnail_exact(most, u32::try_from(height).unwrap_or(1).max(1))
    } else {
        image
    };
    Some(Fitted {
        image: image.into_rgba8(),
        columns,
        rows,
    })
}

impl Fitted {
    /// The picture in exactly so many pixels.
    pub(super) fn resized(&self, width: u32, height: u32) -> RgbaImage {
        image::imageops::resize(&self.image, width, height, FilterType::Triangle)
    }

    /// The picture as a PNG file.
    pub(super) fn png(&self) -> Option<Vec<u8>> {
        let mut file = Cursor::new(Vec::new());
        self.image
            .write_to(&mut file, image::ImageFormat::Png)
            .ok()?;
        Some(file.into_inner())
    }
}

/// How many characters a picture covers: as many as there is room for, in its own proportions.
fn fit(width: u32, height: u32, bounds: Bounds) -> (u16, u16) {
    let (cell_width, cell_height) = (f64::from(bounds.cell.0), f64::from(bounds.cell.1));
    let (wide, high) = (
        f64::from(width.max(1)) / cell_width,
        f64::from(height.max(1)) / cell_height,
    );
    let times = (f64::from(bounds.columns.max(1)) / wide)
        .min(f64::from(bounds.rows.max(1)) / high)
        .min(MOST_TIMES);
    // Both are at most what the bounds say, which fits.
    let cells = |size: f64| (size * times).round().max(1.0) as u16;
    (cells(wide), cells(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_proportions_within_the_room() {
        let bounds = Bounds {
            columns: 72,
            rows: 20,
            cell: (10, 20),
        };
        let check = |width, height, cells| assert_eq!(fit(width, height, bounds), cells);
        check(1024, 1024, (40, 20));
        check(1536, 1024, (60, 20));
        check(3840, 1024, (72, 10));
        check(1024, 1536, (27, 20));
        check(64, 64, (26, 13));
        check(1, 1_000_000, (1, 20));
        check(1, 1, (1, 1));
    }

    #[test]
    fn what_is_no_picture_is_not_shown() {
        let bounds = Bounds {
            columns: 72,
            rows: 20,
            cell: (10, 20),
        };
        assert!(read(b"no picture", bounds).is_none());
    }
}
