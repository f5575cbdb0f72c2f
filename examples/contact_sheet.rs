//! Renders what `sketch` makes of forty prompts onto one sheet, and five of them into a strip: the pictures of the README.
//!
//! ```sh
//! cargo run --release --example contact_sheet              # writes docs/pictures/
//! cargo run --release --example contact_sheet -- FOLDER    # writes there
//! ```
//!
//! Look at the sheet after every change of a composition: it is the test that no assertion can replace.

use pinhole::provider::sketch::draw::{Picture, Scene, caption, draw, understood};
use pinhole::provider::sketch::encode::{Format, encode};
use std::path::PathBuf;

/// The sheet, row by row.
#[rustfmt::skip]
const PROMPTS: [&str; 40] = [
    "a lighthouse at dusk", "rain over a lake", "autumn forest in the morning", "snowy mountains at night, aurora",
    "月夜的湖", "desert at noon", "a city at night, neon", "pink misty morning in the mountains",
    "storm at sea, lightning", "a temple in winter, snow falling", "green hills in spring, a tree and a house", "sunset over the ocean, a sailboat",
    "a poster of a lighthouse at dusk", "minimalist jazz festival poster", "poster of mountains and a lake at sunset", "poster: rain in the city",
    "海报：夏日音乐节", "autumn forest poster", "poster \"OPEN LATE\", neon city night", "poster for a winter market, snow",
    "bauhaus poster", "秋天的海报", "design week poster, blue and orange", "a poster of the desert and the moon",
    "silk ribbons at sunset", "jazz music at night", "abstract flow, autumn", "abstract sea",
    "抽象 春天", "flowing ribbons in blue", "wildflowers", "a sunflower",
    "cherry blossom branch in spring", "fern", "一棵老树，秋天", "bamboo",
    "terrazzo", "geometric tiles, summer", "seigaiha pattern, sea", "autumn leaves pattern",
];

/// Which of them stand in the strip.
const STRIP: [usize; 5] = [0, 12, 26, 30, 35];

/// How many pictures stand side by side, how large each is, and how much paper is between them.
const COLUMNS: u32 = 8;
const CELL: u32 = 232;
const STRIP_CELL: u32 = 384;
const GAP: u32 = 8;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or("docs/pictures".into()));
    std::fs::create_dir_all(&folder)?;
    let strip: Vec<&str> = STRIP
        .iter()
        .filter_map(|at| PROMPTS.get(*at).copied())
        .collect();
    for (name, prompts, columns, cell) in [
        ("contact-sheet.webp", PROMPTS.as_slice(), COLUMNS, CELL),
        ("strip.webp", strip.as_slice(), 5, STRIP_CELL),
    ] {
        let sheet = sheet(prompts, columns, cell);
        let path = folder.join(name);
        std::fs::write(&path, encode(&sheet, Format::Webp, 82)?)?;
        eprintln!("{}: {} x {}", path.display(), sheet.width(), sheet.height());
    }
    Ok(())
}

/// All pictures on white.
fn sheet(prompts: &[&str], columns: u32, cell: u32) -> Picture {
    let rows = (prompts.len() as u32).div_ceil(columns);
    let across = |count: u32| count * (cell + GAP) - GAP;
    let mut sheet = Picture::new(across(columns), across(rows));
    sheet.rgba_mut().fill(255);
    for (number, prompt) in prompts.iter().enumerate() {
        let number = number as u32;
        let corner = (
            number % columns * (cell + GAP),
            number / columns * (cell + GAP),
        );
        paste(&mut sheet, &small(prompt, cell), corner);
    }
    sheet
}

/// One picture, drawn at three times its size and averaged: as it looks when a browser shows it small.
fn small(prompt: &str, cell: u32) -> Picture {
    const TIMES: u32 = 3;
    let scene = Scene {
        prompt,
        width: cell * TIMES,
        height: cell * TIMES,
        seed: 7,
        index: 0,
        transparent: false,
    };
    let mut large = draw(&scene, &mut |_, _| {});
    caption(&mut large, &scene);
    eprintln!("{prompt}: {}", understood(&scene));
    let pixels = large.rgba().as_chunks::<4>().0;
    let mut small = Picture::new(cell, cell);
    for (at, pixel) in small
        .rgba_mut()
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .enumerate()
    {
        let (x, y) = (at as u32 % cell * TIMES, at as u32 / cell * TIMES);
        let block = (0..TIMES * TIMES)
            .map(|k| pixels[((y + k / TIMES) * cell * TIMES + x + k % TIMES) as usize]);
        *pixel = mean(block, TIMES * TIMES);
    }
    small
}

fn mean(block: impl Iterator<Item = [u8; 4]>, count: u32) -> [u8; 4] {
    let mut sums = [0u32; 4];
    for pixel in block {
        for (sum, channel) in sums.iter_mut().zip(pixel) {
            *sum += u32::from(channel);
        }
    }
    sums.map(|sum| u8::try_from(sum / count).unwrap_or(u8::MAX))
}

fn paste(sheet: &mut Picture, picture: &Picture, (left, top): (u32, u32)) {
    let (wide, row) = (sheet.width() as usize * 4, picture.width() as usize * 4);
    for (down, line) in picture.rgba().chunks_exact(row).enumerate() {
        let start = (top as usize + down) * wide + left as usize * 4;
        sheet.rgba_mut()[start..start + row].copy_from_slice(line);
    }
}
