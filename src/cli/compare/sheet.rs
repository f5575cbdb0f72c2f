//! Pictures side by side in one PNG.

use crate::cli::failure::{Failure, Outcome};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageReader, Limits, Rgba, RgbaImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The height of each, and what is between them.
const HEIGHT: u32 = 512;
const GAP: u32 = 16;

/// A grey that neither a light nor a dark picture runs into.
const PAPER: Rgba<u8> = Rgba([128, 128, 128, 255]);

/// What a decoder may use for one picture.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// A picture that is very wide is not enlarged to a sheet that is wider.
const MOST_WIDE: u32 = 4 * HEIGHT;

/// The sheet as a PNG file; all have one height.
pub(super) fn of(pictures: &[PathBuf]) -> Outcome<Vec<u8>> {
    let read: Outcome<Vec<RgbaImage>> = pictures.iter().map(|path| read(path)).collect();
    let read = read?;
    if read.is_empty() {
        return Err(Failure::failed("there is no sheet").why("no model made a picture"));
    }
    let width: u32 = read.iter().map(|image| image.width() + GAP).sum::<u32>() + GAP;
    let mut sheet = RgbaImage::from_pixel(width, HEIGHT + 2 * GAP, PAPER);
    let mut left = GAP;
    for image in &read {
        imageops::overlay(&mut sheet, image, i64::from(left), i64::from(GAP));
        left += image.width() + GAP;
    }
    let mut file = Cursor::new(Vec::new());
    DynamicImage::ImageRgba8(sheet)
        .write_to(&mut file, image::ImageFormat::Png)
        .map_err(|error| Failure::failed("the sheet could not be made").why(error.to_string()))?;
    Ok(file.into_inner())
}

/// Writes it; a file that is there stays.
pub(super) fn write(pictures: &[PathBuf], path: &Path) -> Outcome<PathBuf> {
    use std::io::Write;
    let sheet = of(pictures)?;
    let written = std::fs::File::create_new(path).and_then(|mut file| file.write_all(&sheet));
    written.map_err(|error| {
        Failure::failed(format!("{} cannot be written", path.display()))
            .why(error.to_string())
            .fix("name another file with --sheet; the pictures are saved all the same")
    })?;
    Ok(path.to_owned())
}

fn read(path: &Path) -> Outcome<RgbaImage> {
    let unreadable =
        |why: String| Failure::failed(format!("{} cannot be read", path.display())).why(why);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
    let mut reader = reader.map_err(|error| unreadable(error.to_string()))?;
    reader.limits(limits);
    let image = reader
        .decode()
        .map_err(|error| unreadable(error.to_string()))?;
    let width = u64::from(image.width()) * u64::from(HEIGHT) / u64::from(image.height().max(1));
    let width = u32::try_from(width)
        .unwrap_or(MOST_WIDE)
        .clamp(1, MOST_WIDE);
    Ok(image
        .resize_exact(width, HEIGHT, FilterType::Triangle)
        .into_rgba8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_all_sizes_stand_side_by_side() {
        let folder = tempfile::tempdir().expect("a folder");
        let save = |name: &str, width, height, colour| {
            let path = folder.path().join(name);
            RgbaImage::from_pixel(width, height, Rgba(colour))
                .save(&path)
                .expect("saved");
            path
        };
        let red = save("red.png", 64, 64, [255, 0, 0, 255]);
        let blue = save("blue.png", 200, 100, [0, 0, 255, 255]);
        let sheet = image::load_from_memory(&of(&[red, blue]).expect("a sheet"))
            .expect("a picture")
            .into_rgba8();
        assert_eq!(sheet.dimensions(), (512 + 1024 + 3 * GAP, HEIGHT + 2 * GAP));
        let at = |x, y| sheet.get_pixel(x, y).0;
        assert_eq!(at(GAP + 10, GAP + 10), [255, 0, 0, 255]);
        assert_eq!(at(512 + 2 * GAP + 10, GAP + 10), [0, 0, 255, 255]);
        assert_eq!(at(1, 1), PAPER.0);
        assert!(of(&[]).is_err());
    }
}
