//! A place in simple forms: a sky with its disc, layers of land, water, and what the weather brings.

use super::*;
use super::{fall, things};
use crate::provider::sketch::draw::brush::{Grain, circle, polygon};
use crate::provider::sketch::draw::words::{Accent, Ground, Light, Season, Time, Water, Weather};

/// Layers of land, and how many of them lie behind the water; on dry land the others lie in front.
const LAYERS: usize = 4;
const FAR_LAYERS: usize = 2;

/// What the scene shows, settled before anything is painted.
pub(super) struct Plan<'a> {
    pub frame: &'a Frame,
    pub inks: &'a Inks,
    pub ground: Option<Ground>,
    pub water: Option<Water>,
    pub weather: Option<Weather>,
    pub season: Option<Season>,
    pub accents: Vec<Accent>,
    /// The row where sky and land meet.
    pub horizon: f32,
    pub sun: Point,
    pub radius: f32,
    pub is_moon: bool,
    pub is_dark: bool,
    pub roll: u64,
}

impl<'a> Plan<'a> {
    /// A scene, if the words name anything that could be in one.
    pub fn of(
        reading: &Reading,
        frame: &'a Frame,
        inks: &'a Inks,
        dice: &mut Dice,
    ) -> Option<Self> {
        let placed = reading.ground.is_some() || reading.water.is_some();
        let lit = reading.time.is_some() || !reading.lights.is_empty();
        let weathered = reading.weather.is_some() || reading.season.is_some();
        if !placed && !lit && !weathered && reading.accents.is_empty() {
            return None;
        }
        let at_sea = reading.asks_for(Accent::Lighthouse) || reading.asks_for(Accent::Boat);
        let water = reading.water.or(at_sea.then_some(Water::Sea));
        let ground = match (reading.ground, water) {
            (None, None) => Some(dice.pick(&[Ground::Mountains, Ground::Hills, Ground::Hills])),
            (ground, _) => ground,
        };
        let is_moon = reading.time == Some(Time::Night) || reading.shines(Light::Moon);
        let across = if frame.titled {
            dice.between(0.6, 0.74)
        } else {
            dice.between(0.32, 0.68)
        };
        let low = matches!(reading.time, Some(Time::Dawn | Time::Sunset | Time::Dusk));
        let share = if frame.titled { 0.66 } else { 0.60 };
        let down = if low { share - 0.03 } else { share - 0.26 };
        Some(Self {
            frame,
            inks,
            ground,
            water,
            weather: reading.weather,
            season: reading.season,
            accents: reading.accents.clone(),
            horizon: frame.at(0.0, share).1,
            sun: frame.at(across, if frame.titled { down + 0.10 } else { down }),
            radius: frame.unit * if low { 0.22 } else { 0.15 },
            is_moon,
            is_dark: inks.is_dark(),
            roll: dice.roll(),
        })
    }

    /// Sky, disc and the land far away.
    pub fn paint_far(&self, easel: &mut Easel) {
        let mut dice = Dice::new(self.roll);
        if !self.frame.transparent {
            self.halo(easel);
        }
        self.disc(easel, &mut dice);
        self.clouds(easel, &mut dice);
        self.land(easel, 0..FAR_LAYERS, &mut dice);
    }

    /// The rest of the land or the water, what stands in front, and what falls.
    pub fn paint_near(&self, easel: &mut Easel) {
        let mut dice = Dice::new(self.roll ^ 0x51);
        self.land(easel, FAR_LAYERS..LAYERS, &mut dice);
        self.water(easel, &mut dice);
        things::paint(easel, self, &mut dice);
        fall::paint(easel, self, &mut dice);
    }

    fn overcast(&self) -> bool {
        let closed = [Weather::Rain, Weather::Storm, Weather::Overcast];
        self.weather
            .is_some_and(|weather| closed.contains(&weather))
    }

    /// Rings of light around the disc.
    fn halo(&self, easel: &mut Easel) {
        if self.overcast() {
            return;
        }
        let sun = self.sun_colour();
        for (radius, share) in [(3.6, 0.10), (2.6, 0.20), (1.7, 0.34)] {
            let tone = self.frame.ground.mix(sun, share).rgb();
            easel.fill(&circle(self.sun, self.radius * radius), tone, 1.0);
        }
    }

    pub fn sun_colour(&self) -> Lab {
        let colours = &self.inks.colours;
        let pick = |at: usize| self.inks.colour_on(self.frame.ground, at);
        // The lightest or loudest colour shines.
        let shine = |colour: &Lab| {
            if self.is_dark {
                colour.l
            } else {
                colour.l * 0.5 + colour.chroma() * 3.0
            }
        };
        let best = colours
            .iter()
            .chain([&self.inks.paper])
            .fold(pick(0), |best, colour| {
                let apart = super::super::inks::distance(*colour, self.frame.ground) > 0.2;
                if apart && shine(colour) > shine(&best) {
                    *colour
                } else {
                    best
                }
            });
        if self.is_moon && self.is_dark {
            self.inks.ink.mix(best, 0.35)
        } else {
            best
        }
    }

    fn disc(&self, easel: &mut Easel, dice: &mut Dice) {
        if self.overcast() && !self.is_moon {
            return;
        }
        let colour = self.sun_colour();
        let shape = circle(self.sun, self.radius);
        easel.fill(&shape, colour.rgb(), 1.0);
        let (x, y) = self.sun;
        let shade = self.inks.colour_on(colour, 0).rgb();
        let grain = self.grain(
            (x, y + self.radius),
            (x, y - self.radius * 0.4),
            dice.seed(),
        );
        easel.spray(&shape, shade, 0.5, &grain);
    }

    fn clouds(&self, easel: &mut Easel, dice: &mut Dice) {
        let count = match self.weather {
            Some(Weather::Rain | Weather::Storm | Weather::Overcast) => 5,
            Some(Weather::Cloudy | Weather::Snow | Weather::Mist) => 4,
            _ => return,
        };
        let sky_top = if self.frame.titled { 0.40 } else { 0.08 };
        for k in 0..count {
            let place = self.frame.at(
                (k as f32 + dice.between(0.1, 0.9)) / count as f32,
                dice.between(sky_top, sky_top + 0.18),
            );
            let tone = self.frame.ground.mix(
                self.inks.type_on(self.frame.ground),
                0.18 + 0.12 * (k % 2) as f32,
            );
            things::cloud(
                easel,
                place,
                self.frame.unit * dice.between(0.16, 0.26),
                tone.rgb(),
            );
        }
    }

    /// Layers from far to near, each of a colour that stands out from the one behind it.
    fn land(&self, easel: &mut Easel, layers: std::ops::Range<usize>, dice: &mut Dice) {
        let Some(ground) = self.ground else { return };
        let mut behind = self.frame.ground;
        for layer in 0..layers.end {
            let tone = self.layer_colour(behind, layer);
            behind = tone;
            if !layers.contains(&layer) || (self.water.is_some() && layer >= FAR_LAYERS) {
                continue;
            }
            let share = layer as f32 / 3.5;
            let base = self.horizon + (self.frame.bottom - self.horizon) * share * 0.8;
            let base = if self.water.is_some() {
                self.horizon
            } else {
                base
            };
            let closed = self.outline(ground, layer, base, dice);
            easel.fill(&closed, tone.rgb(), 1.0);
            let (from, to) = (
                (self.frame.left, base + self.frame.unit * 0.1),
                (self.frame.left, base - self.frame.unit * 0.22),
            );
            let shade = tone.mix(self.inks.type_on(tone), 0.5).rgb();
            easel.spray(&closed, shade, 0.34, &self.grain(from, to, dice.seed()));
            self.dress(easel, ground, layer, base, tone, dice);
        }
    }

    fn layer_colour(&self, behind: Lab, layer: usize) -> Lab {
        let own = self
            .inks
            .colour_on(behind, layer + (self.roll % 3) as usize);
        // Far land takes some of the sky, near land some of the ink: that is what makes it far and near.
        let far = 0.42 - 0.16 * layer as f32;
        let near = if layer == 3 { 0.35 } else { 0.0 };
        let dark = if self.is_dark {
            self.inks.paper
        } else {
            self.inks.ink
        };
        own.mix(self.frame.ground, far.max(0.0)).mix(dark, near)
    }

    fn outline(
        &self,
        ground: Ground,
        layer: usize,
        base: f32,
        dice: &mut Dice,
    ) -> Option<tiny_skia::Path> {
        let tops = match ground {
            Ground::Mountains if layer < 2 => self.peaks(base, layer, dice),
            Ground::City if layer < 3 => self.blocks(base, layer, dice),
            _ => self.waves(ground, base, dice),
        };
        let mut points = tops;
        let foot = if self.water.is_some() {
            self.horizon
        } else {
            self.frame.bottom
        };
        points.push((self.frame.right + 1.0, foot));
        points.push((self.frame.left - 1.0, foot));
        polygon(&points)
    }

    fn peaks(&self, base: f32, layer: usize, dice: &mut Dice) -> Vec<Point> {
        let count = 3 + layer as i32;
        let step = self.frame.width() / count as f32;
        let mut points = vec![(self.frame.left - 1.0, base)];
        for k in 0..count {
            let x = self.frame.left + (k as f32 + dice.between(0.3, 0.7)) * step;
            let rise = self.frame.unit * dice.between(0.20, 0.38) * (1.0 - 0.3 * layer as f32);
            points.push((x, base - rise));
            points.push((
                self.frame.left + (k + 1) as f32 * step,
                base - rise * dice.between(0.1, 0.35),
            ));
        }
        points
    }

    fn blocks(&self, base: f32, layer: usize, dice: &mut Dice) -> Vec<Point> {
        let mut points = Vec::new();
        let mut x = self.frame.left - 1.0;
        while x < self.frame.right {
            let wide = self.frame.unit * dice.between(0.05, 0.12);
            let most = if self.frame.titled { 0.30 } else { 0.44 };
            let tall = self.frame.unit * dice.between(0.12, most - 0.06 * layer as f32);
            points.push((x, base - tall));
            points.push((x + wide, base - tall));
            x += wide;
        }
        points
    }

    fn waves(&self, ground: Ground, base: f32, dice: &mut Dice) -> Vec<Point> {
        let (phase, second) = (dice.unit(), dice.unit());
        let (tall, pace) = match ground {
            Ground::Desert => (0.09, 0.8),
            _ => (0.065, 1.15),
        };
        let steps = 72;
        let at = |k: i32| {
            let share = k as f32 / steps as f32;
            let swing =
                |turns: f32, from: f32| libm::sinf((share * turns + from) * std::f32::consts::TAU);
            let rise = swing(pace, phase) + 0.4 * swing(pace * 1.9, second);
            let x = self.frame.left - 1.0 + (self.frame.width() + 2.0) * share;
            (x, base - self.frame.unit * tall * (rise + 0.6))
        };
        (0..=steps).map(at).collect()
    }

    /// What grows or stands on a layer.
    fn dress(
        &self,
        easel: &mut Easel,
        ground: Ground,
        layer: usize,
        base: f32,
        tone: Lab,
        dice: &mut Dice,
    ) {
        match ground {
            Ground::Forest => things::firs(easel, self, layer, base, tone, dice),
            Ground::City if layer > 0 && layer < 3 => things::windows(easel, self, base, dice),
            Ground::Hills | Ground::Mountains if layer >= 2 => {
                things::trees(easel, self, layer, base, tone, dice)
            }
            _ => {}
        }
    }

    /// Bands of water, and the disc drawn out on them.
    fn water(&self, easel: &mut Easel, dice: &mut Dice) {
        if self.water.is_none() {
            return;
        }
        let frame = self.frame;
        let tone = match self.is_dark {
            true => self.inks.colours[0].mix(self.inks.paper, 0.35),
            false => self.inks.colour_on(frame.ground, 1),
        };
        let deep = tone.mix(
            if self.is_dark {
                self.inks.paper
            } else {
                self.inks.ink
            },
            0.45,
        );
        let rows = 9;
        let tall = (frame.bottom - self.horizon) / rows as f32;
        for row in 0..rows {
            let top = self.horizon + tall * row as f32;
            let here = tone.mix(deep, row as f32 / rows as f32);
            let swell = self.swell(top, if row == 0 { 0.0 } else { tall * 0.22 }, dice);
            easel.fill(&swell, here.rgb(), 1.0);
            let grain = self.grain((frame.left, top), (frame.left, top + tall), dice.seed());
            easel.spray(&swell, here.lighten(0.10).rgb(), 0.30, &grain);
        }
        if !self.overcast() {
            self.glitter(easel, dice);
        }
    }

    fn swell(&self, top: f32, height: f32, dice: &mut Dice) -> Option<tiny_skia::Path> {
        let (phase, turns) = (dice.unit(), dice.between(3.0, 5.0));
        let frame = self.frame;
        let mut points: Vec<Point> = (0..=64)
            .map(|k| {
                let share = k as f32 / 64.0;
                let lift = libm::sinf((share * turns + phase) * std::f32::consts::TAU);
                (
                    frame.left - 1.0 + (frame.width() + 2.0) * share,
                    top + height * lift,
                )
            })
            .collect();
        points.push((frame.right + 1.0, frame.bottom));
        points.push((frame.left - 1.0, frame.bottom));
        polygon(&points)
    }

    fn glitter(&self, easel: &mut Easel, dice: &mut Dice) {
        let colour = self.sun_colour().rgb();
        let rows = 8;
        let tall = (self.frame.bottom - self.horizon) / rows as f32;
        for row in 0..rows {
            let half = self.radius * (1.0 - row as f32 * 0.095) * dice.between(0.55, 1.0);
            let y = self.horizon + tall * (row as f32 + 0.42);
            let x = self.sun.0 + self.radius * dice.between(-0.15, 0.15);
            things::pill(easel, (x - half, y), (x + half, y + tall * 0.30), colour);
        }
    }

    pub fn grain(&self, from: Point, to: Point, seed: u32) -> Grain {
        Grain {
            from,
            to,
            cell: self.frame.cell,
            seed,
        }
    }
}
