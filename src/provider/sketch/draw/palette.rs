//! From words to colours: a row of a table for the hour, then weather, season, mood and colour words laid over it.

use super::colour::{Lab, lch};
use super::noise::Dice;
use super::words::{Ground, Hue, Mood, Reading, Season, Time, Weather};

/// Every colour a landscape is painted with.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    /// The sky from the top of the picture to its horizon.
    pub sky: [Lab; 4],
    /// Light around the sun or moon.
    pub glow: Lab,
    pub disc: Lab,
    pub cloud_lit: Lab,
    pub cloud_shade: Lab,
    /// What distance fades into.
    pub haze: Lab,
    /// The ground nearby, in light and out of it.
    pub ground_lit: Lab,
    pub ground_shade: Lab,
    /// Bare rock further away, in light and out of it.
    pub rock_lit: Lab,
    pub rock_shade: Lab,
    pub snow_lit: Lab,
    pub snow_shade: Lab,
    /// The body of the water, where it mirrors nothing.
    pub water: Lab,
    /// Silhouettes right in front of the viewer.
    pub dark: Lab,
    /// Lamps, windows, beams.
    pub lamp: Lab,
}

/// One hour: lightness, chroma and hue of its colours, how much light the ground gets and how far it takes the tint.
struct Hour {
    sky: [(f32, f32, f32); 4],
    glow: (f32, f32, f32),
    cloud_lit: (f32, f32, f32),
    cloud_shade: (f32, f32, f32),
    tint: (f32, f32, f32),
    light: f32,
    tinted: f32,
}

#[rustfmt::skip]
const DAWN: Hour = Hour {
    sky: [(0.45, 0.085, 272.0), (0.63, 0.085, 305.0), (0.80, 0.095, 35.0), (0.92, 0.085, 78.0)],
    glow: (0.96, 0.10, 80.0), cloud_lit: (0.93, 0.08, 50.0), cloud_shade: (0.62, 0.07, 315.0),
    tint: (0.44, 0.07, 310.0), light: 0.66, tinted: 0.40,
};
#[rustfmt::skip]
const MORNING: Hour = Hour {
    sky: [(0.62, 0.105, 246.0), (0.74, 0.08, 238.0), (0.87, 0.05, 220.0), (0.95, 0.045, 88.0)],
    glow: (0.98, 0.06, 90.0), cloud_lit: (0.985, 0.02, 85.0), cloud_shade: (0.80, 0.035, 255.0),
    tint: (0.62, 0.05, 235.0), light: 0.90, tinted: 0.14,
};
#[rustfmt::skip]
const NOON: Hour = Hour {
    sky: [(0.53, 0.135, 254.0), (0.65, 0.12, 246.0), (0.80, 0.075, 233.0), (0.93, 0.03, 218.0)],
    glow: (0.995, 0.03, 95.0), cloud_lit: (0.995, 0.006, 90.0), cloud_shade: (0.79, 0.035, 252.0),
    tint: (0.62, 0.06, 245.0), light: 1.0, tinted: 0.08,
};
#[rustfmt::skip]
const SUNSET: Hour = Hour {
    sky: [(0.46, 0.09, 266.0), (0.64, 0.08, 335.0), (0.79, 0.135, 55.0), (0.90, 0.13, 82.0)],
    glow: (0.97, 0.13, 86.0), cloud_lit: (0.90, 0.125, 60.0), cloud_shade: (0.53, 0.085, 345.0),
    tint: (0.44, 0.09, 20.0), light: 0.66, tinted: 0.42,
};
#[rustfmt::skip]
const DUSK: Hour = Hour {
    sky: [(0.25, 0.085, 276.0), (0.40, 0.115, 297.0), (0.61, 0.15, 12.0), (0.80, 0.14, 60.0)],
    glow: (0.90, 0.14, 62.0), cloud_lit: (0.73, 0.155, 25.0), cloud_shade: (0.34, 0.085, 295.0),
    tint: (0.25, 0.085, 288.0), light: 0.44, tinted: 0.58,
};
#[rustfmt::skip]
const NIGHT: Hour = Hour {
    sky: [(0.145, 0.045, 272.0), (0.20, 0.06, 266.0), (0.29, 0.07, 256.0), (0.41, 0.07, 240.0)],
    glow: (0.90, 0.035, 225.0), cloud_lit: (0.50, 0.045, 250.0), cloud_shade: (0.19, 0.045, 265.0),
    tint: (0.17, 0.055, 262.0), light: 0.30, tinted: 0.66,
};

impl Palette {
    pub fn new(
        reading: &Reading,
        time: Time,
        season: Season,
        weather: Weather,
        ground: Ground,
        dice: &mut Dice,
    ) -> Self {
        let hour = hour(time);
        let mut sky = hour.sky.map(of);
        // No two evenings are the same: the upper sky drifts a little, the horizon less.
        let drift = dice.between(-14.0, 14.0);
        for (stop, share) in sky.iter_mut().zip([1.0, 1.0, 0.6, 0.4]) {
            *stop = stop.turn(drift * share);
        }
        let mut palette = Self::from_hour(hour, sky, season, ground, dice);
        palette.cover(weather, time);
        palette.feel(reading, time);
        palette.wear(&reading.colours);
        palette.haze = palette.sky[1]
            .mix(palette.sky[2], 0.62)
            .lighten(-0.06)
            .dim(0.94);
        if ground == Ground::Desert {
            palette.haze = palette.haze.mix(palette.ground_lit, 0.35);
        }
        palette
    }

    fn from_hour(
        hour: &Hour,
        sky: [Lab; 4],
        season: Season,
        ground: Ground,
        dice: &mut Dice,
    ) -> Self {
        let glow = of(hour.glow);
        let tint = of(hour.tint);
        // Snow gives back what light there is: a winter's night is brighter than a summer's.
        let snowlight = if season == Season::Winter { 0.17 } else { 0.0 };
        let light = (hour.light + snowlight).min(1.0);
        let lit = |material: Lab| {
            material
                .dim(light)
                .mix(tint, hour.tinted * 0.55)
                .mix(glow, 0.10 * (1.0 - hour.tinted * 0.5))
        };
        let shade = |material: Lab| {
            material
                .dim(light * 0.58)
                .mix(tint, (hour.tinted + 0.22).min(0.85))
        };
        let soil = material(ground, season, dice);
        let rock = if ground == Ground::Desert {
            lch(0.58, 0.10, 45.0)
        } else {
            lch(0.57, 0.03, 265.0)
        };
        let snow = lch(0.965, 0.012, 250.0);
        Self {
            sky,
            glow,
            disc: glow.mix(lch(1.0, 0.0, 0.0), 0.55),
            cloud_lit: of(hour.cloud_lit),
            cloud_shade: of(hour.cloud_shade),
            haze: sky[3],
            ground_lit: lit(soil),
            ground_shade: shade(soil),
            rock_lit: lit(rock),
            rock_shade: shade(rock),
            snow_lit: snow
                .dim((hour.light + 0.30).min(1.0))
                .mix(tint, hour.tinted * 0.35)
                .mix(glow, 0.24),
            snow_shade: shade(snow).mix(sky[1], 0.4).lighten(0.05),
            water: sky[0].mix(lch(0.35, 0.06, 225.0), 0.35).dim(0.72),
            dark: shade(soil).dim(0.46).mix(tint.dim(0.5), 0.5),
            lamp: lch(0.92, 0.13, 84.0),
        }
    }

    /// Weather takes colour and contrast away.
    fn cover(&mut self, weather: Weather, time: Time) {
        let (grey, level) = match weather {
            Weather::Clear | Weather::Cloudy => return,
            Weather::Mist => (0.30, 0.02),
            Weather::Snow => (0.50, 0.04),
            Weather::Overcast => (0.55, -0.04),
            Weather::Rain => (0.55, -0.11),
            Weather::Storm => (0.50, -0.21),
        };
        let slate = match weather {
            Weather::Storm => 0.62,
            Weather::Rain => 0.35,
            _ => 0.0,
        };
        let level = if time == Time::Night {
            level * 0.35
        } else {
            level
        };
        self.each(|colour| colour.saturate(1.0 - grey * 0.8).lighten(level * 0.7));
        self.each(|colour| colour.mix(lch(colour.l, 0.065, 250.0), slate));
        let cover = self.sky[2]
            .mix(self.sky[3], 0.3)
            .saturate(0.7)
            .lighten(level * 0.5);
        for (stop, share) in self.sky.iter_mut().zip([0.35, 0.6, 0.6, 0.4]) {
            *stop = stop.mix(cover, share * grey * 1.6);
        }
        self.cloud_lit = self
            .cloud_lit
            .mix(self.sky[3], grey * 0.5)
            .lighten(level * 0.7);
        self.cloud_shade = self.cloud_shade.lighten(level * 0.5);
        self.ground_shade = self.ground_shade.lighten(level * 0.8);
        self.ground_lit = self.ground_lit.lighten(level * 0.6);
        self.rock_shade = self.rock_shade.lighten(level * 0.8);
    }

    fn feel(&mut self, reading: &Reading, time: Time) {
        for mood in &reading.moods {
            match mood {
                Mood::Calm => self.each(|colour| colour.saturate(0.88)),
                Mood::Vivid => self.each(|colour| colour.saturate(1.3)),
                Mood::Pastel => {
                    self.each(|colour| colour.saturate(0.78).mix(lch(0.95, 0.02, 60.0), 0.22))
                }
                Mood::Gloomy => self.each(|colour| colour.saturate(0.7).dim(0.78)),
                Mood::Warm => self
                    .each(|colour| colour.mix(lch(colour.l, colour.chroma() + 0.03, 60.0), 0.28)),
                Mood::Cold => self
                    .each(|colour| colour.mix(lch(colour.l, colour.chroma() + 0.02, 245.0), 0.35)),
                Mood::Neon => self.light_up(time),
            }
        }
    }

    /// Neon: violet dark above, magenta at the horizon, cyan light.
    fn light_up(&mut self, time: Time) {
        let floor = if time == Time::Night { 0.0 } else { 0.05 };
        self.sky = [
            lch(0.16 + floor, 0.09, 285.0),
            lch(0.27 + floor, 0.14, 298.0),
            lch(0.46 + floor, 0.21, 335.0),
            lch(0.70, 0.18, 10.0),
        ];
        self.glow = lch(0.86, 0.15, 20.0);
        self.disc = lch(0.88, 0.15, 60.0);
        self.cloud_lit = lch(0.60, 0.20, 345.0);
        self.cloud_shade = lch(0.24, 0.11, 290.0);
        self.ground_lit = lch(0.36, 0.11, 275.0);
        self.ground_shade = lch(0.17, 0.07, 285.0);
        self.rock_lit = lch(0.42, 0.12, 290.0);
        self.rock_shade = lch(0.22, 0.09, 290.0);
        self.water = lch(0.18, 0.09, 280.0);
        self.dark = lch(0.11, 0.05, 285.0);
        self.lamp = lch(0.88, 0.13, 195.0);
    }

    /// Colour words pull everything towards their hue; a second one takes the upper sky and the shadows.
    fn wear(&mut self, colours: &[Hue]) {
        let Some(first) = colours.first() else { return };
        let second = colours.get(1).unwrap_or(first);
        let dye = |colour: Lab, hue: &Hue, share: f32| {
            let chroma = if hue.chroma < 0.02 {
                hue.chroma
            } else {
                hue.chroma * 0.55 + colour.chroma() * 0.4
            };
            // Dark yellow reads as mud: gold needs light.
            let golden = (60.0..110.0).contains(&hue.degrees);
            let light = if golden {
                (colour.l * 1.12 + 0.02).min(0.97)
            } else {
                colour.l
            };
            colour.mix(
                lch(light, chroma, hue.degrees),
                if hue.chroma < 0.02 { 0.96 } else { share },
            )
        };
        if (100.0..170.0).contains(&first.degrees) {
            // Green is the ground's colour; a green sky is something else.
            for colour in [
                &mut self.ground_lit,
                &mut self.ground_shade,
                &mut self.dark,
                &mut self.rock_shade,
            ] {
                *colour = dye(*colour, first, 0.7);
            }
            return;
        }
        self.each(|colour| dye(colour, first, 0.42));
        self.sky[0] = dye(self.sky[0], second, 0.62);
        self.sky[1] = dye(self.sky[1], second, 0.55);
        self.sky[2] = dye(self.sky[2], first, 0.55);
        self.cloud_lit = dye(self.cloud_lit, first, 0.4);
        self.cloud_shade = dye(self.cloud_shade, second, 0.6);
        self.rock_shade = dye(self.rock_shade, second, 0.4);
    }

    fn each(&mut self, change: impl Fn(Lab) -> Lab) {
        self.sky = self.sky.map(&change);
        for colour in [
            &mut self.glow,
            &mut self.disc,
            &mut self.cloud_lit,
            &mut self.cloud_shade,
            &mut self.ground_lit,
            &mut self.ground_shade,
            &mut self.rock_lit,
            &mut self.rock_shade,
            &mut self.snow_lit,
            &mut self.snow_shade,
            &mut self.water,
            &mut self.dark,
        ] {
            *colour = change(*colour);
        }
    }

    /// The sky's colour at a height: 0 at the top, 1 at the horizon.
    pub fn sky_at(&self, t: f32) -> Lab {
        const STOPS: [f32; 4] = [0.0, 0.42, 0.78, 1.0];
        let t = t.clamp(0.0, 1.0);
        let upper = STOPS
            .iter()
            .rposition(|stop| *stop <= t)
            .unwrap_or(0)
            .min(2);
        let share = (t - STOPS[upper]) / (STOPS[upper + 1] - STOPS[upper]);
        self.sky[upper].mix(self.sky[upper + 1], share)
    }
}

fn hour(time: Time) -> &'static Hour {
    match time {
        Time::Dawn => &DAWN,
        Time::Morning => &MORNING,
        Time::Noon => &NOON,
        Time::Sunset => &SUNSET,
        Time::Dusk => &DUSK,
        Time::Night => &NIGHT,
    }
}

fn of((lightness, chroma, hue): (f32, f32, f32)) -> Lab {
    lch(lightness, chroma, hue)
}

/// What the ground is made of, in full daylight.
fn material(ground: Ground, season: Season, dice: &mut Dice) -> Lab {
    let turn = dice.between(-8.0, 8.0);
    let colour = match (ground, season) {
        (Ground::Desert, _) => lch(0.77, 0.105, 68.0),
        (Ground::City, _) => lch(0.50, 0.035, 270.0),
        (_, Season::Winter) => lch(0.90, 0.018, 245.0),
        (Ground::Forest, Season::Autumn) => lch(0.66, 0.175, 50.0),
        (_, Season::Autumn) => lch(0.68, 0.15, 68.0),
        (Ground::Forest, _) => lch(0.46, 0.085, 148.0),
        (Ground::Mountains, _) => lch(0.52, 0.08, 140.0),
        (_, Season::Spring) => lch(0.73, 0.155, 130.0),
        (_, Season::Summer) => lch(0.64, 0.135, 128.0),
    };
    colour.turn(turn)
}
