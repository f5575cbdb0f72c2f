//! The poster: flat shapes with a little grain, and the prompt set in type.
//!
//! Words that name a place give a scene built of simple forms; without them the forms stand for themselves.

mod fall;
mod forms;
mod scenic;
mod things;
mod title;

use super::brush::{Easel, Point, block};
use super::colour::{Lab, Rgb};
use super::finish;
use super::inks::Inks;
use super::lettering::{self, Align, Face, Style};
use super::noise::Dice;
use super::picture::Picture;
use super::words::Reading;
use super::{Scene, unit_of};

/// Where things stand on the sheet, in pixels.
struct Sheet {
    width: f32,
    height: f32,
    /// What type and margins scale with.
    unit: f32,
    margin: f32,
    /// The part that the art covers.
    art: (Point, Point),
    /// The part that the title may fill.
    title: (Point, Point),
    /// What is behind the art, and what is behind the title.
    ground: Lab,
    paper: Lab,
    transparent: bool,
}

impl Sheet {
    fn new(scene: &Scene, inks: &Inks, dice: &mut Dice) -> Self {
        let (width, height) = (scene.width.max(1) as f32, scene.height.max(1) as f32);
        let unit = unit_of(width, height);
        let margin = unit * 0.06;
        let [first, _, _, fourth, fifth] = inks.colours;
        let grounds = match inks.is_dark() {
            // A night stays dark.
            true => [inks.paper, first.mix(inks.paper, 0.6), fifth, inks.paper],
            false => [first, fourth, fifth, inks.paper],
        };
        let ground = grounds[dice.roll() as usize % grounds.len()];
        let mut sheet = Self {
            width,
            height,
            unit,
            margin,
            art: ((0.0, 0.0), (width, height)),
            title: ((margin, margin), (width - margin, height - margin)),
            ground,
            paper: inks.paper,
            transparent: scene.transparent,
        };
        let wide = width > height * 1.25;
        match dice.roll() % 3 {
            0 if wide => sheet.beside(),
            0 => sheet.below(),
            1 if !wide => sheet.banner(inks),
            _ => sheet.full(),
        }
        sheet
    }

    /// The art in a frame of paper, the title under it.
    fn below(&mut self) {
        let (margin, line) = (self.margin, self.unit * 0.05);
        let split = self.height - (self.height * 0.30).max(self.unit * 0.33);
        self.art = ((margin, margin + line), (self.width - margin, split));
        self.title = (
            (margin, split + margin * 0.55),
            (self.width - margin, self.height - margin - line * 0.9),
        );
    }

    /// The art on the right, the title on the left.
    fn beside(&mut self) {
        let (margin, line) = (self.margin, self.unit * 0.05);
        let split = self.width * 0.42;
        self.art = ((split, margin), (self.width - margin, self.height - margin));
        self.title = (
            (margin, margin + line * 1.4),
            (split - margin, self.height - margin - line),
        );
    }

    /// The art from edge to edge above, the title on a band of colour below.
    fn banner(&mut self, inks: &Inks) {
        let (margin, line) = (self.margin, self.unit * 0.05);
        let split = self.height - (self.height * 0.31).max(self.unit * 0.36);
        self.art = ((0.0, 0.0), (self.width, split));
        self.title = (
            (margin, split + margin * 0.7),
            (self.width - margin, self.height - margin - line * 0.9),
        );
        self.paper = inks.colour_on(self.ground, 1);
    }

    /// The art everywhere, the title in its sky.
    fn full(&mut self) {
        let (margin, line) = (self.margin, self.unit * 0.05);
        let wide = self.width > self.height * 1.25;
        let across = if wide { 0.52 } else { 1.0 };
        let down = if wide { 0.60 } else { 0.36 };
        self.title = (
            (margin, margin + line),
            (self.width * across - margin, self.height * down),
        );
        self.paper = self.ground;
    }

    fn is_full(&self) -> bool {
        self.art == ((0.0, 0.0), (self.width, self.height))
    }
}

/// Paints one poster.
pub(super) fn paint(
    scene: &Scene,
    reading: &Reading,
    mut dice: Dice,
    stage: &mut dyn FnMut(u32, &Picture),
) -> Picture {
    let inks = Inks::new(reading, &mut dice);
    let sheet = Sheet::new(scene, &inks, &mut dice);
    let mut picture = Picture::new(scene.width, scene.height);
    if !sheet.transparent {
        lay_ground(&mut Easel::new(&mut picture), &sheet);
    }
    stage(0, &picture);
    let mut easel = Easel::new(&mut picture);
    let mut art = easel.within(sheet.art.0, sheet.art.1);
    let frame = Frame::of(&sheet, &mut dice);
    let scenic = scenic::Plan::of(reading, &frame, &inks, &mut dice);
    match &scenic {
        Some(plan) => plan.paint_far(&mut art),
        None => forms::paint_large(&mut art, &frame, &inks, &mut Dice::new(frame.roll)),
    }
    stage(1, &picture);
    let mut easel = Easel::new(&mut picture);
    let mut art = easel.within(sheet.art.0, sheet.art.1);
    match &scenic {
        Some(plan) => plan.paint_near(&mut art),
        None => forms::paint_small(&mut art, &frame, &inks, &mut Dice::new(frame.roll ^ 1)),
    }
    stage(2, &picture);
    title::set(
        &mut Easel::new(&mut picture),
        scene,
        &sheet,
        &inks,
        &mut dice,
    );
    finish::grade(&mut picture, dice.seed(), 0.0, 3.5);
    picture
}

fn lay_ground(easel: &mut Easel, sheet: &Sheet) {
    let whole = block((0.0, 0.0), (sheet.width, sheet.height));
    easel.fill(&whole, sheet.paper.rgb(), 1.0);
    easel.fill(&block(sheet.art.0, sheet.art.1), sheet.ground.rgb(), 1.0);
}

/// What the art has to fill.
struct Frame {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
    /// The shorter side.
    unit: f32,
    /// What is behind it.
    ground: Lab,
    /// Whether the title stands in the upper left of it.
    titled: bool,
    transparent: bool,
    /// The size of a speck of grain.
    cell: f32,
    roll: u64,
}

impl Frame {
    fn of(sheet: &Sheet, dice: &mut Dice) -> Self {
        let ((left, top), (right, bottom)) = sheet.art;
        Self {
            left,
            top,
            right,
            bottom,
            unit: unit_of(right - left, bottom - top).max(1.0),
            ground: sheet.ground,
            titled: sheet.is_full(),
            transparent: sheet.transparent,
            cell: (sheet.unit / 900.0).max(1.0),
            roll: dice.roll(),
        }
    }

    fn width(&self) -> f32 {
        self.right - self.left
    }

    fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// A place by its shares of the frame.
    fn at(&self, across: f32, down: f32) -> Point {
        (
            self.left + self.width() * across,
            self.top + self.height() * down,
        )
    }
}
