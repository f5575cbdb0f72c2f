//! Colours for everything that is printed rather than seen: a paper, an ink, and five colours that belong together.
//!
//! Colour words make a set of their own; else the hour, the weather, the season or the place choose one, and chance the rest.

use super::colour::{Lab, Rgb, lch};
use super::noise::Dice;
use super::words::{Ground, Hue, Light, Mood, Reading, Season, Time, Water, Weather};

/// A set of colours.
#[derive(Clone, Debug)]
pub(super) struct Inks {
    pub paper: Lab,
    /// What type and fine lines are drawn in.
    pub ink: Lab,
    /// The first one leads.
    pub colours: [Lab; 5],
}

/// Paper, ink, and five colours as 0xRRGGBB.
type Set = [u32; 7];

const BAUHAUS: Set = [
    0xf3ead7, 0x1d1b1a, 0xd8402c, 0x1f4e9c, 0xf0b429, 0x2b2a29, 0xe9d9b8,
];
const MIDCENTURY: Set = [
    0xf6eddb, 0x23302f, 0x1f7a7a, 0xe2a72e, 0xdf6b3a, 0x2f4b4f, 0xb9c7a5,
];
const JAPAN: Set = [
    0xf4ecdc, 0x1f2a44, 0xd1452b, 0x27406b, 0xcda75a, 0x8fb0a0, 0xe7c9b1,
];
const RISO: Set = [
    0xfaf5ea, 0x23255a, 0xff5c4d, 0x3a55b4, 0xffc53a, 0x1aa08a, 0xf7a8b8,
];
const SORBET: Set = [
    0xfff3ea, 0x3c2a4d, 0xf2765c, 0xf7b267, 0x7d6bb2, 0xf4a7b9, 0x6ec0b5,
];
const CLAY: Set = [
    0xf2e6d8, 0x33241d, 0xb5532f, 0xd99a5b, 0x6c7a5a, 0x8a3b2a, 0xe6c9a3,
];
const NIGHT: Set = [
    0x10163a, 0xf4ecd2, 0x2b3f8f, 0xf3d98b, 0x5b6ad0, 0x1d2660, 0xa9b6e8,
];
const DUSK: Set = [
    0x2a1a44, 0xfbe3c8, 0xef6f6c, 0xf7b05b, 0x7b3f8c, 0xc94277, 0x46286a,
];
const DAWN: Set = [
    0xfdeee2, 0x4a3350, 0xf49a8a, 0xf8c98b, 0x8d86c9, 0xe67f95, 0xb9d6df,
];
const SUNSET: Set = [
    0xfbe6c8, 0x35203f, 0xe8562f, 0xf6a834, 0x9c2f5b, 0xf27f55, 0x533366,
];
const NOON: Set = [
    0xf7f4e6, 0x173a5e, 0x2f86c5, 0xf7c843, 0xef6c45, 0x74b9d8, 0x2a9d76,
];
const SPRING: Set = [
    0xfcf5ee, 0x2e4437, 0xf08fa6, 0x7fb77e, 0xf6cf6b, 0x4f9a94, 0xf7c3cc,
];
const SUMMER: Set = [
    0xfdf4de, 0x14344f, 0xff6f4f, 0xffc247, 0x17a2a2, 0x2b6fb8, 0xf58fa8,
];
const AUTUMN: Set = [
    0xf6ead4, 0x3b2318, 0xc4491a, 0xe5942e, 0x8f2f1d, 0x737a38, 0xdcb86c,
];
const WINTER: Set = [
    0xeff4f7, 0x1d3148, 0x8fb8d0, 0x4f81a5, 0xc7475a, 0x27496b, 0xd3e2ea,
];
const RAIN: Set = [
    0xdde5e9, 0x1f2e3d, 0x4a6d84, 0x86a5b5, 0x2c4860, 0xe3a355, 0xb4c8d2,
];
const STORM: Set = [
    0x232c3b, 0xe9edf0, 0x3f536e, 0xf4d35e, 0x5f7894, 0x182030, 0x8fa5b8,
];
const MIST: Set = [
    0xe9ebe8, 0x3b474b, 0x93a8a8, 0xb9c6c0, 0x6b8388, 0xd8c9ae, 0xcdd6d2,
];
const SEA: Set = [
    0xf5f0e1, 0x0f2f4a, 0x12627f, 0x39a5a7, 0xf27a4e, 0x9fd3c7, 0xe9c46a,
];
const FOREST: Set = [
    0xf1eedd, 0x18301f, 0x2f6b43, 0x8aa64f, 0xd9a441, 0x1f4a3a, 0xb7c9a0,
];
const DESERT: Set = [
    0xfbead0, 0x4a2419, 0xd9703a, 0xf0b06a, 0xa8442a, 0x3f7f86, 0xe9cfa4,
];
const CITY: Set = [
    0xefece6, 0x22262c, 0xf4b41a, 0x3c4654, 0xd9483b, 0x8892a0, 0xc9ccd0,
];
const NEON: Set = [
    0x160f33, 0xf5e9ff, 0xff3f9b, 0x20d6e8, 0x7a3cf0, 0xffb03b, 0x2e1f6b,
];
const PASTEL: Set = [
    0xfbf6f3, 0x5a5468, 0xf2b8c1, 0xb9d4e8, 0xf7dfa8, 0xc9bfe5, 0xbfe0cf,
];
const GLOOM: Set = [
    0x24262b, 0xd9d5cb, 0x4d535c, 0x8a7a63, 0x353941, 0x6f5152, 0x9aa0a3,
];

/// What chance may choose when nothing is asked for.
const OPEN: [&Set; 9] = [
    &BAUHAUS,
    &MIDCENTURY,
    &JAPAN,
    &RISO,
    &SORBET,
    &CLAY,
    &SEA,
    &SUMMER,
    &FOREST,
];

impl Inks {
    /// The colours for what was read.
    pub fn new(reading: &Reading, dice: &mut Dice) -> Self {
        let dark = is_dark(reading);
        let mut inks = match reading.colours.first() {
            Some(first) => Self::of_hues(first, reading.colours.get(1), dark, dice),
            None => Self::of_set(set_for(reading, dice)),
        };
        for mood in &reading.moods {
            // A set of pastels is pastel already.
            if *mood != Mood::Pastel || !reading.colours.is_empty() {
                inks.feel(*mood);
            }
        }
        inks
    }

    fn of_set(set: &Set) -> Self {
        let [paper, ink, colours @ ..] = set.map(Lab::hex);
        Self {
            paper,
            ink,
            colours,
        }
    }

    /// Neighbours of a hue, and one colour from across the circle (or the second hue) to set them off.
    fn of_hues(first: &Hue, second: Option<&Hue>, dark: bool, dice: &mut Dice) -> Self {
        let grey = first.chroma < 0.02;
        let strength = if grey { 0.004 } else { first.chroma };
        let hue = first.degrees;
        let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
        let near = |lightness: f32, share: f32, turn: f32| {
            lch(lightness, strength * share, hue + turn * side)
        };
        let across = match second {
            Some(second) => lch(0.64, second.chroma.max(0.004), second.degrees),
            None if grey => lch(0.58, 0.004, hue),
            None => lch(0.74, 0.12, hue + 165.0 * side),
        };
        let golden = (60.0..110.0).contains(&hue) && !grey;
        let lift = if golden { 0.14 } else { 0.0 };
        let (paper, ink) = if dark {
            (near(0.21, 0.45, 0.0), near(0.95, 0.12, 20.0))
        } else {
            (near(0.955, 0.12, 10.0), near(0.27, 0.4, 0.0))
        };
        Self {
            paper,
            ink,
            colours: [
                near(0.60 + lift, 1.0, 0.0),
                near(0.46 + lift, 0.95, 14.0),
                across,
                near(0.79, 0.7, -24.0),
                near(0.36 + lift, 0.75, -12.0),
            ],
        }
    }

    fn feel(&mut self, mood: Mood) {
        let change = |colour: Lab| match mood {
            Mood::Vivid => colour.saturate(1.18),
            Mood::Calm => colour.saturate(0.86),
            Mood::Pastel => colour.saturate(0.75).mix(lch(0.95, 0.02, 60.0), 0.22),
            Mood::Gloomy => colour.saturate(0.75),
            Mood::Warm => colour.mix(lch(colour.l, colour.chroma() + 0.02, 55.0), 0.22),
            Mood::Cold => colour.mix(lch(colour.l, colour.chroma() + 0.02, 245.0), 0.28),
            Mood::Neon => colour,
        };
        self.colours = self.colours.map(change);
        self.paper = change(self.paper);
    }

    /// Whether the paper is darker than what is printed on it.
    pub fn is_dark(&self) -> bool {
        self.paper.l < 0.5
    }

    /// One of the colours; counts round.
    pub fn colour(&self, at: usize) -> Rgb {
        self.colours[at % self.colours.len()].rgb()
    }

    /// One of the colours that stand out from a ground; the ink if none does.
    pub fn colour_on(&self, ground: Lab, at: usize) -> Lab {
        let stands_out = |colour: &&Lab| distance(**colour, ground) > 0.16;
        let fit: Vec<&Lab> = self.colours.iter().filter(stands_out).collect();
        match fit.len() {
            0 => self.ink,
            count => *fit[at % count],
        }
    }

    /// The ink or the paper, whichever is easier to read on a ground.
    pub fn type_on(&self, ground: Lab) -> Lab {
        let light = |colour: Lab| (colour.l - ground.l).abs();
        if light(self.ink) > light(self.paper) {
            self.ink
        } else {
            self.paper
        }
    }
}

/// How different two colours look; 1 is black and white.
pub(super) fn distance(one: Lab, other: Lab) -> f32 {
    let (l, a, b) = (one.l - other.l, one.a - other.a, one.b - other.b);
    (l * l + 4.0 * (a * a + b * b)).sqrt()
}

fn is_dark(reading: &Reading) -> bool {
    matches!(reading.time, Some(Time::Night | Time::Dusk))
        || reading.shines(Light::Stars)
        || reading.shines(Light::Moon)
        || reading.feels(Mood::Gloomy)
        || reading.feels(Mood::Neon)
}

/// The set that the words choose: what changes the light most goes first.
fn set_for(reading: &Reading, dice: &mut Dice) -> &'static Set {
    let by_mood = reading.moods.iter().find_map(|mood| match mood {
        Mood::Neon => Some(&NEON),
        Mood::Pastel => Some(&PASTEL),
        Mood::Gloomy => Some(&GLOOM),
        _ => None,
    });
    let lit = |light| reading.shines(light);
    let by_light = (lit(Light::Moon) || lit(Light::Stars) || lit(Light::Aurora)).then_some(&NIGHT);
    by_mood
        .or_else(|| reading.time.map(of_time))
        .or(by_light)
        .or_else(|| reading.weather.and_then(of_weather))
        .or_else(|| reading.season.map(of_season))
        .or_else(|| reading.water.map(of_water))
        .or_else(|| reading.ground.and_then(of_ground))
        .unwrap_or_else(|| pick(&OPEN, dice))
}

fn pick(sets: &[&'static Set], dice: &mut Dice) -> &'static Set {
    let at = (dice.unit() * sets.len() as f32) as usize;
    sets.get(at).copied().unwrap_or(&BAUHAUS)
}

fn of_time(time: Time) -> &'static Set {
    match time {
        Time::Dawn => &DAWN,
        Time::Morning | Time::Noon => &NOON,
        Time::Sunset => &SUNSET,
        Time::Dusk => &DUSK,
        Time::Night => &NIGHT,
    }
}

fn of_weather(weather: Weather) -> Option<&'static Set> {
    match weather {
        Weather::Rain | Weather::Overcast => Some(&RAIN),
        Weather::Storm => Some(&STORM),
        Weather::Snow => Some(&WINTER),
        Weather::Mist => Some(&MIST),
        Weather::Clear | Weather::Cloudy => None,
    }
}

fn of_season(season: Season) -> &'static Set {
    match season {
        Season::Spring => &SPRING,
        Season::Summer => &SUMMER,
        Season::Autumn => &AUTUMN,
        Season::Winter => &WINTER,
    }
}

fn of_water(water: Water) -> &'static Set {
    match water {
        Water::Sea => &SEA,
        Water::Lake => &MIDCENTURY,
    }
}

fn of_ground(ground: Ground) -> Option<&'static Set> {
    match ground {
        Ground::Forest => Some(&FOREST),
        Ground::Desert => Some(&DESERT),
        Ground::City => Some(&CITY),
        Ground::Mountains | Ground::Hills => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_can_be_read_on_every_paper() {
        let papers = [
            "",
            "night",
            "dusk",
            "dawn",
            "sunset",
            "noon",
            "spring",
            "summer",
            "autumn",
            "winter",
            "rain",
            "storm",
            "mist",
            "snow",
            "sea",
            "lake",
            "forest",
            "desert",
            "city",
            "neon",
            "pastel",
            "gloomy",
            "red",
            "gold night",
            "monochrome",
            "blue and orange",
        ];
        for prompt in papers {
            for seed in 0..6 {
                let inks = Inks::new(&Reading::of(prompt), &mut Dice::new(seed));
                let contrast = (inks.paper.l - inks.ink.l).abs();
                assert!(contrast > 0.45, "{prompt}: {contrast}");
            }
        }
    }
}
