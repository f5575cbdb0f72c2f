//! Decides what a landscape will show before anything is painted: the words first, chance for all they leave open.

use super::Scene;
use super::noise::Dice;
use super::palette::Palette;
use super::words::{Accent, Ground, Light, Mood, Reading, Season, Time, Water, Weather};

/// Everything the stages need to know. Lengths and places are in pixels.
pub(super) struct Plan {
    pub width: f32,
    pub height: f32,
    /// The length that shapes scale with, so that a picture keeps its composition at every size and ratio.
    pub unit: f32,
    pub time: Time,
    pub season: Season,
    pub weather: Weather,
    pub ground: Ground,
    pub water: Option<Water>,
    pub palette: Palette,
    pub transparent: bool,
    /// The row where the sky ends; also the far shore where there is water.
    pub horizon: f32,
    pub sun: (f32, f32),
    pub sun_radius: f32,
    pub is_moon: bool,
    /// Whether the disc itself shows through the weather.
    pub disc: bool,
    /// 0 none, 1 a clear mountain night.
    pub stars: f32,
    pub aurora: bool,
    /// 0 clear, 1 closed.
    pub cloudiness: f32,
    /// How much air there is between the layers of land, 0..=1.
    pub mist: f32,
    pub neon: bool,
    pub accents: Vec<Accent>,
    pub dice: Dice,
}

impl Plan {
    pub fn new(scene: &Scene, reading: &Reading, mut dice: Dice) -> Self {
        let (width, height) = (scene.width.max(1) as f32, scene.height.max(1) as f32);
        let time = reading
            .time
            .unwrap_or_else(|| guess_time(reading, &mut dice));
        let weather = reading
            .weather
            .unwrap_or_else(|| guess_weather(reading, &mut dice));
        let season = reading
            .season
            .unwrap_or_else(|| guess_season(weather, &mut dice));
        let ground = reading
            .ground
            .unwrap_or_else(|| guess_ground(reading, &mut dice));
        let water = reading
            .water
            .or_else(|| guess_water(reading, ground, &mut dice));
        let palette = Palette::new(reading, time, season, weather, ground, &mut dice);
        let is_moon = time == Time::Night || (reading.shines(Light::Moon) && time != Time::Noon);
        let unit = height.min(width * 1.5);
        let horizon = height * horizon_share(ground, water, width / height, &mut dice);
        let sun = place_sun(time, is_moon, (width, height, unit), horizon, &mut dice);
        Self {
            width,
            height,
            unit,
            time,
            season,
            weather,
            ground,
            water,
            palette,
            transparent: scene.transparent,
            horizon,
            sun,
            sun_radius: unit * disc_share(time, is_moon, &mut dice),
            is_moon,
            disc: !matches!(weather, Weather::Overcast | Weather::Rain | Weather::Storm)
                || reading.shines(Light::Sun)
                || reading.shines(Light::Moon),
            stars: starlight(reading, time, weather),
            aurora: reading.shines(Light::Aurora),
            cloudiness: cloudiness(reading, weather, &mut dice),
            mist: mist(weather, &mut dice),
            neon: reading.feels(Mood::Neon),
            accents: accents(reading, ground, water, weather, &mut dice),
            dice,
        }
    }

    pub fn is_dark(&self) -> bool {
        matches!(self.time, Time::Night | Time::Dusk) || self.neon
    }

    pub fn snowy(&self) -> bool {
        self.season == Season::Winter || self.weather == Weather::Snow
    }

    /// -1 when the light comes from the left, 1 from the right.
    pub fn light_side(&self) -> f32 {
        if self.sun.0 < self.width * 0.5 {
            -1.0
        } else {
            1.0
        }
    }
}

fn guess_time(reading: &Reading, dice: &mut Dice) -> Time {
    let lit = |light| reading.shines(light);
    if lit(Light::Moon) || lit(Light::Stars) || lit(Light::Aurora) || reading.feels(Mood::Neon) {
        return Time::Night;
    }
    match (reading.season, reading.weather) {
        (_, Some(Weather::Storm)) => dice.pick(&[Time::Noon, Time::Dawn, Time::Sunset]),
        (_, Some(Weather::Rain | Weather::Overcast)) => {
            dice.pick(&[Time::Morning, Time::Noon, Time::Dawn])
        }
        (_, Some(Weather::Clear)) => dice.pick(&[Time::Morning, Time::Noon]),
        (Some(Season::Spring | Season::Summer), _) => {
            dice.pick(&[Time::Morning, Time::Noon, Time::Noon])
        }
        (Some(Season::Autumn), _) => dice.pick(&[Time::Morning, Time::Noon]),
        _ => dice.pick(&[
            Time::Dawn,
            Time::Morning,
            Time::Noon,
            Time::Sunset,
            Time::Sunset,
            Time::Dusk,
            Time::Night,
        ]),
    }
}

fn guess_weather(reading: &Reading, dice: &mut Dice) -> Weather {
    if reading.shines(Light::Stars) || reading.shines(Light::Aurora) || reading.feels(Mood::Calm) {
        return Weather::Clear;
    }
    dice.pick(&[
        Weather::Clear,
        Weather::Clear,
        Weather::Cloudy,
        Weather::Cloudy,
        Weather::Cloudy,
        Weather::Mist,
    ])
}

fn guess_season(weather: Weather, dice: &mut Dice) -> Season {
    if weather == Weather::Snow {
        Season::Winter
    } else {
        dice.pick(&[
            Season::Spring,
            Season::Summer,
            Season::Summer,
            Season::Autumn,
        ])
    }
}

fn guess_ground(reading: &Reading, dice: &mut Dice) -> Ground {
    if reading.asks_for(Accent::House)
        || reading.asks_for(Accent::Tree)
        || reading.season == Some(Season::Spring)
    {
        return dice.pick(&[Ground::Hills, Ground::Hills, Ground::Mountains]);
    }
    if reading.feels(Mood::Neon) {
        return Ground::City;
    }
    if reading.season == Some(Season::Autumn) {
        return Ground::Forest;
    }
    if reading.water == Some(Water::Lake) {
        return dice.pick(&[
            Ground::Mountains,
            Ground::Mountains,
            Ground::Mountains,
            Ground::Hills,
            Ground::Forest,
        ]);
    }
    if matches!(
        reading.weather,
        Some(Weather::Rain | Weather::Storm | Weather::Snow)
    ) {
        // Weather wants something that it can happen to.
        return dice.pick(&[Ground::Mountains, Ground::Hills, Ground::City]);
    }
    dice.pick(&[
        Ground::Mountains,
        Ground::Mountains,
        Ground::Mountains,
        Ground::Hills,
        Ground::Hills,
        Ground::Forest,
        Ground::Desert,
    ])
}

fn guess_water(reading: &Reading, ground: Ground, dice: &mut Dice) -> Option<Water> {
    if reading.asks_for(Accent::Lighthouse) {
        return Some(Water::Sea);
    }
    if reading.asks_for(Accent::Boat) {
        return Some(Water::Lake);
    }
    let likely = match ground {
        _ if reading.weather == Some(Weather::Rain) && reading.ground.is_none() => 1.0,
        Ground::City if reading.feels(Mood::Neon) => 1.0,
        Ground::City => 0.5,
        Ground::Mountains if reading.ground.is_none() => 0.4,
        _ => 0.0,
    };
    dice.chance(likely).then_some(Water::Lake)
}

/// Where the sky ends, as a share of the height. Tall pictures give the ground less: nobody needs a screen of grass.
fn horizon_share(ground: Ground, water: Option<Water>, ratio: f32, dice: &mut Dice) -> f32 {
    let share = match (ground, water) {
        (_, Some(Water::Sea)) => dice.between(0.54, 0.64),
        (_, Some(Water::Lake)) => dice.between(0.56, 0.64),
        (Ground::Desert, None) => dice.between(0.48, 0.58),
        (Ground::City, None) => dice.between(0.70, 0.78),
        _ => dice.between(0.54, 0.62),
    };
    if ratio < 0.7 { share + 0.06 } else { share }
}

fn place_sun(
    time: Time,
    is_moon: bool,
    (width, _, unit): (f32, f32, f32),
    horizon: f32,
    dice: &mut Dice,
) -> (f32, f32) {
    let side = if dice.chance(0.5) {
        dice.between(0.2, 0.42)
    } else {
        dice.between(0.58, 0.8)
    };
    let above = match time {
        _ if is_moon => dice.between(0.30, 0.46),
        Time::Dawn | Time::Dusk => dice.between(0.02, 0.12),
        Time::Sunset => dice.between(0.08, 0.2),
        Time::Morning => dice.between(0.24, 0.36),
        Time::Noon | Time::Night => dice.between(0.36, 0.5),
    };
    (width * side, horizon - unit * above)
}

/// The disc's radius in units: the high sun is small and blinding, the low one large.
fn disc_share(time: Time, is_moon: bool, dice: &mut Dice) -> f32 {
    match time {
        _ if is_moon => dice.between(0.026, 0.044),
        Time::Morning | Time::Noon | Time::Night => dice.between(0.018, 0.026),
        Time::Dawn | Time::Sunset | Time::Dusk => dice.between(0.034, 0.06),
    }
}

fn starlight(reading: &Reading, time: Time, weather: Weather) -> f32 {
    let asked = if reading.shines(Light::Stars) {
        1.0
    } else {
        0.0f32
    };
    let clear: f32 = match weather {
        Weather::Clear | Weather::Cloudy | Weather::Snow => 1.0,
        Weather::Mist => 0.5,
        _ => 0.0,
    };
    match time {
        Time::Night => asked.max(0.75 * clear),
        Time::Dusk => asked.max(0.3 * clear),
        _ => asked * 0.5,
    }
}

fn cloudiness(reading: &Reading, weather: Weather, dice: &mut Dice) -> f32 {
    let amount = match weather {
        Weather::Clear => dice.between(0.16, 0.32),
        Weather::Cloudy => dice.between(0.46, 0.60),
        Weather::Mist => dice.between(0.2, 0.4),
        Weather::Overcast | Weather::Rain => dice.between(0.72, 0.85),
        Weather::Storm => dice.between(0.78, 0.9),
        Weather::Snow => dice.between(0.5, 0.7),
    };
    if reading.shines(Light::Stars) || reading.shines(Light::Aurora) {
        amount * 0.45
    } else {
        amount
    }
}

fn mist(weather: Weather, dice: &mut Dice) -> f32 {
    match weather {
        Weather::Mist => dice.between(0.85, 1.0),
        Weather::Rain | Weather::Snow => dice.between(0.6, 0.75),
        Weather::Storm | Weather::Overcast => dice.between(0.45, 0.6),
        Weather::Clear | Weather::Cloudy => dice.between(0.3, 0.5),
    }
}

/// The small things asked for; birds come along by themselves now and then.
fn accents(
    reading: &Reading,
    ground: Ground,
    water: Option<Water>,
    weather: Weather,
    dice: &mut Dice,
) -> Vec<Accent> {
    let mut accents = reading.accents.clone();
    let calm = !matches!(weather, Weather::Rain | Weather::Storm | Weather::Snow);
    if calm
        && ground != Ground::City
        && reading.time != Some(Time::Night)
        && dice.chance(0.3)
        && !accents.contains(&Accent::Birds)
    {
        accents.push(Accent::Birds);
    }
    if reading.accents.is_empty()
        && water == Some(Water::Lake)
        && ground != Ground::City
        && dice.chance(0.2)
    {
        accents.push(Accent::Boat);
    }
    accents
}
