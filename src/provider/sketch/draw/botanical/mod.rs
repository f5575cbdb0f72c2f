//! The botanical plate: plants grown by branching rules on paper, with the prompt as the label under them.

mod branch;
mod flower;
mod foliage;

use super::brush::{Easel, Point, circle, polar};
use super::colour::{Lab, lch};
use super::finish;
use super::inks::{Inks, distance};
use super::lettering::{self, Align, Face, Style};
use super::noise::{Dice, fractal};
use super::picture::{Picture, dither, put};
use super::words::{Accent, Plant, Reading, Season, Weather};
use super::{Scene, unit_of};

/// What grows where. Lengths are in pixels.
struct Plate<'a> {
    width: f32,
    height: f32,
    unit: f32,
    /// The row that plants stand on.
    foot: f32,
    inks: &'a Inks,
    season: Option<Season>,
    /// The greens of this plate; their hue follows the colours around them.
    greens: [Lab; 3],
    is_dark: bool,
}

impl<'a> Plate<'a> {
    fn new(scene: &Scene, reading: &Reading, inks: &'a Inks, dice: &mut Dice) -> Self {
        let (width, height) = (scene.width.max(1) as f32, scene.height.max(1) as f32);
        let unit = unit_of(width, height);
        let is_dark = inks.is_dark();
        let lift = if is_dark { 0.10 } else { 0.0 };
        let hue = dice.between(112.0, 158.0);
        let chroma = if reading.colours.iter().any(|hue| hue.chroma < 0.02) {
            0.004
        } else {
            0.075
        };
        let green = |lightness: f32, share: f32, turn: f32| {
            lch(lightness + lift, chroma * share, hue + turn)
        };
        let mut greens = [
            green(0.45, 1.0, 6.0),
            green(0.56, 1.15, -10.0),
            green(0.36, 0.85, 22.0),
        ];
        if reading.season == Some(Season::Autumn) {
            greens = [inks.colours[0], inks.colours[1], inks.colours[3]];
        }
        Self {
            width,
            height,
            unit,
            foot: height - unit * 0.13,
            inks,
            season: reading.season,
            greens,
            is_dark,
        }
    }

    fn ink(&self) -> Lab {
        if self.is_dark {
            self.inks.ink.mix(self.inks.paper, 0.25)
        } else {
            self.inks.ink
        }
    }

    /// A petal's colour that shows on this paper.
    fn petal(&self, at: usize) -> Lab {
        let shows =
            |colour: &&Lab| distance(**colour, self.inks.paper) > 0.2 && colour.chroma() > 0.035;
        let fit: Vec<&Lab> = self.inks.colours.iter().filter(shows).collect();
        match fit.len() {
            0 => self.inks.colour_on(self.inks.paper, at),
            count => *fit[at % count],
        }
    }

    fn green(&self, dice: &mut Dice) -> Lab {
        let tone = self.greens[dice.roll() as usize % 3];
        tone.lighten(dice.between(-0.03, 0.03))
    }
}

/// Paints one plate.
pub(super) fn paint(
    scene: &Scene,
    reading: &Reading,
    mut dice: Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) -> Picture {
    let inks = Inks::new(reading, &mut dice);
    let plate = Plate::new(scene, reading, &inks, &mut dice);
    let mut picture = Picture::new(scene.width, scene.height);
    if !scene.transparent {
        lay_paper(&mut picture, &plate, &mut dice);
    }
    stage(0, &picture);
    let mut easel = Easel::new(&mut picture);
    let plant = plant(reading, &mut dice);
    if !scene.transparent {
        disc(&mut easel, &plate, plant, &mut dice);
    }
    match flower::heads(plant, reading) {
        Some(heads) => flower::stand(&mut picture, &plate, &heads, &mut dice, stage),
        None => grow(&mut picture, &plate, plant, &mut dice, stage),
    }
    let mut easel = Easel::new(&mut picture);
    drift(&mut easel, &plate, reading, &mut dice);
    label(&mut easel, &plate, scene.prompt);
    finish::grade(&mut picture, dice.seed(), 0.0, 3.5);
    picture
}

fn plant(reading: &Reading, dice: &mut Dice) -> Plant {
    if let Some(plant) = reading
        .plants
        .iter()
        .find(|plant| **plant != Plant::Flowers)
    {
        return *plant;
    }
    if let Some(plant) = reading.plants.first() {
        return *plant;
    }
    if reading.asks_for(Accent::Tree) {
        return Plant::Tree;
    }
    dice.pick(&[
        Plant::Flowers,
        Plant::Flowers,
        Plant::Sprig,
        Plant::Fern,
        Plant::Blossom,
        Plant::Tree,
    ])
}

/// Grows what does not flower on a stem; every plate shows two stages on the way.
fn grow(
    picture: &mut Picture,
    plate: &Plate,
    plant: Plant,
    dice: &mut Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) {
    match plant {
        Plant::Blossom | Plant::Tree => branch::grow(picture, plate, plant, dice, stage),
        _ => foliage::plate(picture, plate, plant, dice, stage),
    }
}

/// Paper with a slow change of tone and a few fibres' worth of unevenness.
fn lay_paper(picture: &mut Picture, plate: &Plate, dice: &mut Dice) {
    let seed = dice.seed();
    let (low, high) = if plate.is_dark {
        (-0.03, 0.05)
    } else {
        (-0.035, 0.012)
    };
    let tones: Vec<_> = (0..=32)
        .map(|k| {
            plate
                .inks
                .paper
                .lighten(low + (high - low) * k as f32 / 32.0)
                .rgb()
        })
        .collect();
    let step = (plate.unit / 128.0).max(1.0);
    let scale = 2.6 / plate.unit;
    let wash = super::noise::Field::new(plate.width, plate.height, step, |x, y| {
        0.5 + 0.55 * fractal(x * scale, y * scale, 3, seed)
    });
    for y in 0..picture.height() {
        for (x, pixel) in picture.row_mut(y).iter_mut().enumerate() {
            let share = wash.read(x as f32, y as f32).clamp(0.0, 0.999) * 32.0;
            let at = share as usize;
            let tone = tones[at].mix(tones[at + 1], share - at as f32);
            put(pixel, tone, dither(x as u32, y));
        }
    }
}

/// A sun or moon of plain colour behind the plants holds the plate together.
fn disc(easel: &mut Easel, plate: &Plate, plant: Plant, dice: &mut Dice) {
    let across = match plant {
        Plant::Blossom => dice.between(0.55, 0.68),
        _ => dice.between(0.40, 0.60),
    };
    let centre = (plate.width * across, plate.foot * dice.between(0.36, 0.46));
    let radius = plate.unit * dice.between(0.25, 0.31);
    let colour = match plate.is_dark {
        true => plate.inks.ink.mix(plate.inks.colours[1], 0.35),
        false => plate
            .petal(dice.roll() as usize)
            .mix(plate.inks.paper, 0.45),
    };
    easel.shade(&circle(centre, radius), |_, y| {
        let fade = ((y - centre.1) / radius * 0.5 + 0.5).clamp(0.0, 1.0);
        (colour.rgb(), 0.95 - 0.65 * fade)
    });
}

/// Petals, leaves or snow on their way down.
fn drift(easel: &mut Easel, plate: &Plate, reading: &Reading, dice: &mut Dice) {
    let snows = reading.weather == Some(Weather::Snow) || plate.season == Some(Season::Winter);
    let count = match plate.season {
        _ if snows => 110,
        Some(Season::Autumn) => 16,
        _ => 0,
    };
    for _ in 0..count {
        let spot = (dice.unit() * plate.width, dice.unit() * plate.foot);
        if snows {
            let size = dice.unit();
            let radius = plate.unit * (0.0016 + 0.0055 * size * size);
            let white = if plate.is_dark {
                lch(0.98, 0.01, 250.0)
            } else {
                lch(1.0, 0.0, 0.0)
            };
            easel.fill(&circle(spot, radius), white.rgb(), 0.9);
            continue;
        }
        let long = plate.unit * dice.between(0.018, 0.034);
        let tone = plate.petal(dice.roll() as usize);
        foliage::leaf_at(easel, spot, dice.unit(), long, long * 0.30, tone);
    }
}

/// The label: the prompt in italics, with a short rule above it.
fn label(easel: &mut Easel, plate: &Plate, prompt: &str) {
    let text = lettering::plain(prompt);
    let size = plate.unit * 0.030;
    if size < 6.0 || text.is_empty() {
        return;
    }
    let style = Style {
        face: Face::Italic,
        size,
        align: Align::Middle,
        ..Style::default()
    };
    let line = lettering::set_line(&text, &style, plate.width * 0.84);
    let y = plate.height - plate.unit * 0.082;
    let ink = plate.ink().rgb();
    line.fill(easel, ((plate.width - line.width) * 0.5, y), ink, 0.95);
    let (middle, half) = (plate.width * 0.5, plate.unit * 0.03);
    let rule = super::brush::block(
        (middle - half, y - size * 0.42),
        (
            middle + half,
            y - size * 0.42 + (plate.unit * 0.0016).max(0.7),
        ),
    );
    easel.fill(&rule, ink, 0.8);
}

/// A curve from a foot that bends towards one side, as points.
fn stem(foot: Point, turn: f32, long: f32, bend: f32, pieces: usize) -> Vec<Point> {
    let mut at = foot;
    let step = long / pieces as f32;
    let mut points = vec![foot];
    for piece in 0..pieces {
        let share = piece as f32 / pieces as f32;
        at = polar(at, step, turn + bend * share);
        points.push(at);
    }
    points
}

/// The direction of a stem at one of its points, in turns.
fn heading(points: &[Point], at: usize) -> f32 {
    let (a, b) = (at.saturating_sub(1), (at + 1).min(points.len() - 1));
    let (dx, dy) = (points[b].0 - points[a].0, points[b].1 - points[a].1);
    libm::atan2f(dy, dx) / std::f32::consts::TAU
}
