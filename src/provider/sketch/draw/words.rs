//! Reads a prompt: which of its words mean something to the renderer, and what.
//!
//! It knows kinds of picture, light, season, weather, water, ground, plants, colour, mood and a few small things to put in a landscape.
//! Every other word only stirs the chance that decides the rest; [`Reading::words`] says honestly which ones counted.

use super::lexicon::{Entry, Hint, LEXICON};
use super::noise::Dice;

/// The hour a picture is set in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Time {
    Dawn,
    Morning,
    #[default]
    Noon,
    Sunset,
    Dusk,
    Night,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Season {
    Spring,
    #[default]
    Summer,
    Autumn,
    Winter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Weather {
    #[default]
    Clear,
    Cloudy,
    Overcast,
    Mist,
    Rain,
    Storm,
    Snow,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Water {
    Sea,
    #[default]
    Lake,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ground {
    #[default]
    Mountains,
    Hills,
    Forest,
    Desert,
    City,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accent {
    Lighthouse,
    Tree,
    House,
    Tower,
    Boat,
    Birds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Light {
    Sun,
    Moon,
    Stars,
    Aurora,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Calm,
    Vivid,
    Pastel,
    Gloomy,
    Neon,
    Warm,
    Cold,
}

/// What sort of picture it is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Landscape,
    Ribbons,
    Poster,
    Botanical,
    Pattern,
}

impl Kind {
    /// With its article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Landscape => "a landscape",
            Self::Ribbons => "ribbons in a flow field",
            Self::Poster => "a poster",
            Self::Botanical => "a botanical plate",
            Self::Pattern => "a pattern",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Plant {
    #[default]
    Flowers,
    Rose,
    Tulip,
    Poppy,
    Daisy,
    Lavender,
    Sunflower,
    Blossom,
    Fern,
    Sprig,
    Bamboo,
    Tree,
}

/// What a pattern repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Motif {
    #[default]
    Terrazzo,
    Tiles,
    Waves,
    Confetti,
}

/// A colour word as the OKLCH hue it pulls towards, and how strongly coloured it is; grey pulls towards no hue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hue {
    pub degrees: f32,
    pub chroma: f32,
}

/// What a prompt's words ask for. Where two words disagree, the first one wins; lists keep both.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The understood words by their English names, in the prompt's order.
    pub words: Vec<&'static str>,
    pub time: Option<Time>,
    pub season: Option<Season>,
    pub weather: Option<Weather>,
    pub water: Option<Water>,
    pub ground: Option<Ground>,
    pub accents: Vec<Accent>,
    pub lights: Vec<Light>,
    pub moods: Vec<Mood>,
    pub colours: Vec<Hue>,
    pub kinds: Vec<Kind>,
    pub plants: Vec<Plant>,
    pub motif: Option<Motif>,
}

impl Reading {
    /// Finds the known words of a prompt. Longer spellings win over the shorter ones inside them: 上海 is a city, not a sea.
    pub fn of(prompt: &str) -> Self {
        let text = prompt.to_lowercase();
        let mut reading = Self::default();
        let mut at = 0;
        let mut in_word = false;
        while let Some(letter) = text[at..].chars().next() {
            let here = &text[at..];
            let matched = if letter.is_ascii_alphanumeric() && in_word {
                0
            } else {
                reading.take(here)
            };
            in_word = letter.is_ascii_alphanumeric() && matched == 0;
            at += matched.max(letter.len_utf8());
        }
        reading
    }

    /// Notes every meaning of the longest spelling `text` begins with, and returns that spelling's length.
    fn take(&mut self, text: &str) -> usize {
        let spelt = |entry: &Entry| {
            entry
                .2
                .iter()
                .filter_map(|spelling| length_at_start(text, spelling))
                .max()
                .unwrap_or(0)
        };
        let longest = LEXICON.iter().map(spelt).max().unwrap_or(0);
        if longest > 0 {
            for entry in LEXICON.iter().filter(|entry| spelt(entry) == longest) {
                self.note(entry.0, entry.1);
            }
        }
        longest
    }

    fn note(&mut self, name: &'static str, hint: Hint) {
        if self.words.contains(&name) {
            return;
        }
        self.words.push(name);
        match hint {
            Hint::Time(time) => _ = self.time.get_or_insert(time),
            Hint::Season(season) => _ = self.season.get_or_insert(season),
            Hint::Weather(weather) => _ = self.weather.get_or_insert(weather),
            Hint::Water(water) => _ = self.water.get_or_insert(water),
            Hint::Ground(ground) => _ = self.ground.get_or_insert(ground),
            Hint::Accent(accent) => self.accents.push(accent),
            Hint::Light(light) => self.lights.push(light),
            Hint::Mood(mood) => self.moods.push(mood),
            Hint::Colour(degrees, chroma) => self.colours.push(Hue { degrees, chroma }),
            Hint::Kind(kind) => self.kinds.push(kind),
            Hint::Plant(plant) => self.plants.push(plant),
            Hint::Motif(motif) => _ = self.motif.get_or_insert(motif),
        }
    }

    pub fn asks_for(&self, accent: Accent) -> bool {
        self.accents.contains(&accent)
    }

    pub fn shines(&self, light: Light) -> bool {
        self.lights.contains(&light)
    }

    pub fn feels(&self, mood: Mood) -> bool {
        self.moods.contains(&mood)
    }
}

impl Reading {
    /// What sort of picture the words ask for: by name first, then by what is to be seen; chance decides where they leave it open.
    pub fn kind(&self, dice: &mut Dice) -> Kind {
        let named = [Kind::Poster, Kind::Pattern, Kind::Botanical, Kind::Ribbons];
        if let Some(kind) = named.into_iter().find(|kind| self.kinds.contains(kind)) {
            return kind;
        }
        if self.motif.is_some() {
            return Kind::Pattern;
        }
        if !self.plants.is_empty() && !self.has_place() {
            return Kind::Botanical;
        }
        if self.accents == [Accent::Tree] && !self.has_place() {
            return Kind::Botanical;
        }
        if self.has_place() || self.time.is_some() || self.season.is_some() {
            return Kind::Landscape;
        }
        dice.pick(&[
            Kind::Landscape,
            Kind::Ribbons,
            Kind::Ribbons,
            Kind::Poster,
            Kind::Botanical,
            Kind::Pattern,
        ])
    }

    /// Whether the words name something that only a landscape can show.
    fn has_place(&self) -> bool {
        let stands = |accent: &Accent| *accent != Accent::Tree;
        self.ground.is_some()
            || self.water.is_some()
            || self.weather.is_some()
            || !self.lights.is_empty()
            || self.accents.iter().any(stands)
    }
}

/// How much of `text` this spelling covers, when `text` starts with it. English spellings must end at a word's end, plural or not.
fn length_at_start(text: &str, spelling: &str) -> Option<usize> {
    let rest = text.strip_prefix(spelling)?;
    if !spelling.is_ascii() {
        return Some(spelling.len());
    }
    let ends = |rest: &str| !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    let plural = ["s", "es", ""]
        .into_iter()
        .find(|plural| rest.strip_prefix(plural).is_some_and(ends))?;
    Some(spelling.len() + plural.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prompt: &str, expected: &[&str]) {
        assert_eq!(Reading::of(prompt).words, expected, "{prompt}");
    }

    #[test]
    fn words_are_found_in_english_and_chinese() {
        check("A lighthouse at dusk", &["lighthouse", "dusk"]);
        check(
            "Rain over two LAKES, birch trees",
            &["rain", "lake", "tree"],
        );
        check("月夜的湖", &["moon", "night", "lake"]);
        check("上海的夜", &["city", "night"]);
        check("cyberpunk", &["city", "neon"]);
        check("a season of reason", &[]);
        check("seaside", &["sea"]);
        check("", &[]);
    }

    #[test]
    fn every_spelling_of_every_word_is_understood() {
        for (name, _, spellings) in LEXICON {
            for spelling in *spellings {
                let prompt = format!("a {} of 这 {spelling}，", "thing");
                let words = Reading::of(&prompt).words;
                assert!(
                    words.contains(name),
                    "{spelling} is read as {words:?}, not as {name}"
                );
            }
        }
    }

    #[test]
    fn every_word_is_known_in_both_languages() {
        for (name, _, spellings) in LEXICON {
            let (english, chinese): (Vec<&str>, Vec<&str>) =
                spellings.iter().partition(|spelling| spelling.is_ascii());
            assert!(
                !english.is_empty() && !chinese.is_empty(),
                "{name}: {spellings:?}"
            );
        }
    }

    #[test]
    fn the_kind_follows_from_the_words() {
        let check = |prompt: &str, kind: Kind| {
            let read = Reading::of(prompt).kind(&mut Dice::new(7));
            assert_eq!(read, kind, "{prompt}");
        };
        check("a poster of a flower pattern", Kind::Poster);
        check("音乐节海报", Kind::Poster);
        check("a floral pattern", Kind::Pattern);
        check("水磨石", Kind::Pattern);
        check("abstract ribbons, blue", Kind::Ribbons);
        check("抽象的丝带", Kind::Ribbons);
        check("a sunflower", Kind::Botanical);
        check("竹", Kind::Botanical);
        check("an old oak in winter", Kind::Botanical);
        check("a tree by the lake", Kind::Landscape);
        check("flowers in a meadow at dawn", Kind::Landscape);
        check("rain", Kind::Landscape);
        check("秋天", Kind::Landscape);
        check("night", Kind::Landscape);
    }

    #[test]
    fn the_first_of_two_words_wins() {
        assert_eq!(Reading::of("night after noon").time, Some(Time::Night));
    }
}
