//! Half blocks: each character is two pixels, one above the other, as text in two colours.

use super::Depth;
use super::picture::Fitted;
use image::Rgba;
use std::fmt::Write as _;

/// More transparent than this is not drawn: the terminal's own background shows.
const OPAQUE: u8 = 128;

/// The picture as lines, each of which ends with plain colours.
pub(super) fn encode(picture: &Fitted, depth: Depth, indent: u16) -> Vec<u8> {
    let (columns, rows) = (u32::from(picture.columns), u32::from(picture.rows));
    let pixels = picture.resized(columns, rows * 2);
    let mut text = String::new();
    for row in 0..rows {
        text += &" ".repeat(usize::from(indent));
        for column in 0..columns {
            let upper = pixels.get_pixel(column, row * 2);
            let lower = pixels.get_pixel(column, row * 2 + 1);
            character(&mut text, *upper, *lower, depth);
        }
        text += "\x1b[0m\n";
    }
    text.into_bytes()
}

fn character(text: &mut String, upper: Rgba<u8>, lower: Rgba<u8>, depth: Depth) {
    let (ink, paper, block) = match (upper.0[3] >= OPAQUE, lower.0[3] >= OPAQUE) {
        (true, true) => (Some(upper), Some(lower), '▀'),
        (true, false) => (Some(upper), None, '▀'),
        (false, true) => (Some(lower), None, '▄'),
        (false, false) => (None, None, ' '),
    };
    // Writing to a string does not fail.
    let _ = match paper {
        Some(paper) => write!(text, "\x1b[48;{}m", colour(paper, depth)),
        None => write!(text, "\x1b[49m"),
    };
    if let Some(ink) = ink {
        let _ = write!(text, "\x1b[38;{}m", colour(ink, depth));
    }
    text.push(block);
}

fn colour(Rgba([red, green, blue, _]): Rgba<u8>, depth: Depth) -> String {
    match depth {
        Depth::True => format!("2;{red};{green};{blue}"),
        Depth::Palette => format!("5;{}", nearest([red, green, blue])),
    }
}

/// The steps of the colour cube of xterm's 256 colours.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The nearest of the cube's 216 colours and the 24 greys.
fn nearest(colour: [u8; 3]) -> u8 {
    let step = |value: u8| {
        let distance = |index: &usize| STEPS[*index].abs_diff(value);
        (0..STEPS.len()).min_by_key(distance).unwrap_or(0)
    };
    let cube = colour.map(step);
    let mean = colour.iter().map(|&value| u16::from(value)).sum::<u16>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let far = |other: [u8; 3]| -> u32 {
        let squares = colour.iter().zip(other);
        squares
            .map(|(&one, two)| u32::from(one.abs_diff(two)).pow(2))
            .sum()
    };
    let of_cube = cube.map(|index| STEPS[index]);
    if far([8 + 10 * grey; 3]) < far(of_cube) {
        232 + grey
    } else {
        let [red, green, blue] = cube.map(|index| index as u8);
        16 + 36 * red + 6 * green + blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbaImage;

    fn of(pixels: &[[u8; 4]; 4], depth: Depth) -> String {
        let image = RgbaImage::from_fn(2, 2, |x, y| Rgba(pixels[(y * 2 + x) as usize]));
        let fitted = Fitted {
            image,
            columns: 2,
            rows: 1,
        };
        String::from_utf8(encode(&fitted, depth, 2)).expect("text")
    }

    #[test]
    fn two_pixels_share_a_character() {
        let (red, blue) = ([255, 0, 0, 255], [0, 0, 255, 255]);
        let text = of(&[red, red, blue, blue], Depth::True);
        let one = "\x1b[48;2;0;0;255m\x1b[38;2;255;0;0m▀";
        assert_eq!(text, format!("  {one}{one}\x1b[0m\n"));
        let text = of(&[red, red, blue, blue], Depth::Palette);
        let one = "\x1b[48;5;21m\x1b[38;5;196m▀";
        assert_eq!(text, format!("  {one}{one}\x1b[0m\n"));
    }

    #[test]
    fn nothing_is_drawn_where_a_picture_is_transparent() {
        let (red, none) = ([255, 0, 0, 255], [0, 0, 0, 0]);
        let text = of(&[none, red, red, none], Depth::True);
        assert_eq!(
            text,
            "  \x1b[49m\x1b[38;2;255;0;0m▄\x1b[49m\x1b[38;2;255;0;0m▀\x1b[0m\n"
        );
    }

    #[test]
    fn greys_are_taken_from_the_greys() {
        assert_eq!(nearest([0, 0, 0]), 16);
        assert_eq!(nearest([255, 255, 255]), 231);
        assert_eq!(nearest([128, 128, 128]), 244);
    }
}
