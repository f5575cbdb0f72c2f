//! The lexicon: which words of a prompt mean something to the renderer, in English and Chinese.
//!
//! It knows light, season, weather, water, ground, colour, mood and a few small things to put in a landscape. Every other word only
//! stirs the chance that decides the rest; [`Reading::words`] says honestly which ones counted.

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

/// A colour word as the OKLCH hue it pulls towards, and how strongly coloured it is; grey pulls towards no hue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hue {
    pub degrees: f32,
    pub chroma: f32,
}

/// What one word asks for.
#[derive(Clone, Copy, Debug)]
enum Hint {
    Time(Time),
    Season(Season),
    Weather(Weather),
    Water(Water),
    Ground(Ground),
    Accent(Accent),
    Light(Light),
    Mood(Mood),
    Colour(f32, f32),
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
}

/// Name, meaning, and the spellings that count (English ones also in the plural).
type Entry = (&'static str, Hint, &'static [&'static str]);

#[rustfmt::skip]
const LEXICON: &[Entry] = &[
    ("dawn", Hint::Time(Time::Dawn), &["dawn", "sunrise", "daybreak", "first light", "黎明", "日出", "破晓", "清晨", "拂晓", "晨曦", "朝霞"]),
    ("morning", Hint::Time(Time::Morning), &["morning", "早晨", "早上", "上午"]),
    ("noon", Hint::Time(Time::Noon), &["noon", "midday", "daytime", "daylight", "day", "blue sky", "中午", "正午", "白天", "蓝天", "午后", "下午"]),
    ("sunset", Hint::Time(Time::Sunset), &["sunset", "sundown", "golden hour", "afternoon light", "日落", "夕阳", "落日", "晚霞", "残阳"]),
    ("dusk", Hint::Time(Time::Dusk), &["dusk", "twilight", "evening", "nightfall", "blue hour", "gloaming", "黄昏", "傍晚", "暮色", "薄暮", "暮"]),
    ("night", Hint::Time(Time::Night), &["night", "midnight", "nocturne", "夜晚", "夜色", "夜空", "深夜", "午夜", "夜"]),

    ("spring", Hint::Season(Season::Spring), &["spring", "springtime", "blossom", "cherry blossom", "sakura", "春天", "春日", "春", "樱花", "桃花"]),
    ("summer", Hint::Season(Season::Summer), &["summer", "夏天", "夏日", "夏"]),
    ("autumn", Hint::Season(Season::Autumn), &["autumn", "fall", "autumnal", "maple", "秋天", "秋日", "秋", "枫叶", "红叶"]),
    ("winter", Hint::Season(Season::Winter), &["winter", "frost", "frozen", "ice", "icy", "glacier", "arctic", "冬天", "冬日", "冬", "冰川", "冰"]),
    ("snow cover", Hint::Season(Season::Winter), &["snowy", "snow-capped", "snow capped", "snow-covered", "雪山", "雪地", "雪景"]),

    ("clear", Hint::Weather(Weather::Clear), &["clear", "cloudless", "sunny", "晴朗", "晴天", "晴"]),
    ("clouds", Hint::Weather(Weather::Cloudy), &["cloud", "cloudy", "cumulus", "白云", "多云", "云海", "云", "雲"]),
    ("overcast", Hint::Weather(Weather::Overcast), &["overcast", "grey sky", "gray sky", "阴天", "阴云", "乌云"]),
    ("mist", Hint::Weather(Weather::Mist), &["mist", "misty", "fog", "foggy", "haze", "hazy", "smoke", "薄雾", "雾", "霧", "烟雨", "朦胧"]),
    ("rain", Hint::Weather(Weather::Rain), &["rain", "rainy", "raining", "drizzle", "shower", "monsoon", "下雨", "雨"]),
    ("storm", Hint::Weather(Weather::Storm), &["storm", "stormy", "thunder", "thunderstorm", "lightning", "tempest", "hurricane", "typhoon", "暴风雨", "暴雨", "风暴", "雷雨", "雷电", "闪电", "台风"]),
    ("snow", Hint::Weather(Weather::Snow), &["snow", "snowing", "snowfall", "blizzard", "snowflake", "下雪", "暴雪", "雪"]),

    ("sea", Hint::Water(Water::Sea), &["sea", "ocean", "seaside", "beach", "coast", "coastal", "shore", "wave", "harbour", "harbor", "bay", "island", "port", "大海", "海洋", "海边", "海滩", "海浪", "海岸", "海岛", "港口", "港湾", "岛", "海"]),
    ("lake", Hint::Water(Water::Lake), &["lake", "river", "pond", "fjord", "reflection", "water", "waterside", "loch", "湖泊", "湖水", "湖", "河流", "河", "江", "池塘", "水面", "倒影"]),

    ("mountains", Hint::Ground(Ground::Mountains), &["mountain", "mountainous", "peak", "alp", "alpine", "summit", "cliff", "canyon", "ridge", "himalaya", "volcano", "雪山", "高山", "山脉", "群山", "山峰", "峡谷", "山"]),
    ("hills", Hint::Ground(Ground::Hills), &["hill", "hillside", "meadow", "field", "grassland", "countryside", "valley", "prairie", "pasture", "farm", "vineyard", "丘陵", "山丘", "草原", "草地", "田野", "乡村", "山谷", "麦田"]),
    ("forest", Hint::Ground(Ground::Forest), &["forest", "wood", "woodland", "pine", "jungle", "taiga", "森林", "树林", "松林", "竹林", "林间", "丛林"]),
    ("desert", Hint::Ground(Ground::Desert), &["desert", "dune", "sand", "sahara", "mesa", "savanna", "mars", "沙漠", "沙丘", "戈壁", "大漠"]),
    ("city", Hint::Ground(Ground::City), &["city", "cityscape", "skyline", "town", "downtown", "urban", "skyscraper", "metropolis", "street", "cyberpunk", "new york", "tokyo", "shanghai", "上海", "香港", "城市", "都市", "街道", "高楼", "赛博朋克"]),

    ("lighthouse", Hint::Accent(Accent::Lighthouse), &["lighthouse", "beacon", "灯塔"]),
    ("tree", Hint::Accent(Accent::Tree), &["tree", "oak", "大树", "树木", "树"]),
    ("house", Hint::Accent(Accent::House), &["house", "cottage", "cabin", "hut", "barn", "home", "village", "房子", "小屋", "木屋", "村庄", "房屋"]),
    ("tower", Hint::Accent(Accent::Tower), &["tower", "castle", "church", "temple", "pagoda", "宝塔", "城堡", "寺庙", "教堂", "塔"]),
    ("boat", Hint::Accent(Accent::Boat), &["boat", "sailboat", "sail", "ship", "sailing", "yacht", "帆船", "小船", "渔船", "船", "舟"]),
    ("birds", Hint::Accent(Accent::Birds), &["bird", "seagull", "gull", "crow", "geese", "swallow", "海鸥", "飞鸟", "鸟", "鸥", "大雁"]),

    ("sun", Hint::Light(Light::Sun), &["sun", "sunlight", "sunshine", "太阳", "阳光"]),
    ("moon", Hint::Light(Light::Moon), &["moon", "moonlight", "moonlit", "full moon", "月亮", "明月", "满月", "月光", "月"]),
    ("stars", Hint::Light(Light::Stars), &["star", "starry", "milky way", "galaxy", "cosmic", "space", "星空", "繁星", "银河", "星星", "宇宙", "星"]),
    ("aurora", Hint::Light(Light::Aurora), &["aurora", "northern light", "北极光", "极光"]),

    ("calm", Hint::Mood(Mood::Calm), &["calm", "serene", "peaceful", "quiet", "tranquil", "still", "minimal", "minimalist", "宁静", "平静", "安静", "静谧"]),
    ("vivid", Hint::Mood(Mood::Vivid), &["vivid", "vibrant", "colorful", "colourful", "saturated", "bright", "鲜艳", "绚丽", "多彩", "明亮"]),
    ("pastel", Hint::Mood(Mood::Pastel), &["pastel", "soft", "dreamy", "gentle", "delicate", "watercolor", "watercolour", "柔和", "梦幻", "淡雅", "水彩"]),
    ("gloomy", Hint::Mood(Mood::Gloomy), &["gloomy", "dark", "moody", "sombre", "somber", "melancholy", "eerie", "sad", "阴郁", "忧郁", "昏暗", "黑暗"]),
    ("neon", Hint::Mood(Mood::Neon), &["neon", "synthwave", "vaporwave", "retrowave", "cyberpunk", "霓虹", "赛博朋克"]),
    ("warm", Hint::Mood(Mood::Warm), &["warm", "cosy", "cozy", "hot", "fiery", "温暖", "炎热"]),
    ("cold", Hint::Mood(Mood::Cold), &["cold", "cool", "chilly", "freezing", "frozen", "寒冷", "清冷", "冷"]),

    ("red", Hint::Colour(25.0, 0.17), &["red", "crimson", "scarlet", "ruby", "红色", "红", "赤"]),
    ("orange", Hint::Colour(55.0, 0.15), &["orange", "amber", "copper", "橙色", "橙", "橘"]),
    ("gold", Hint::Colour(85.0, 0.14), &["gold", "golden", "yellow", "honey", "金色", "金黄", "黄色", "金"]),
    ("green", Hint::Colour(145.0, 0.13), &["green", "emerald", "jade", "verdant", "lush", "绿色", "翠绿", "绿", "翠"]),
    ("teal", Hint::Colour(195.0, 0.11), &["teal", "turquoise", "cyan", "aqua", "青色", "青绿", "碧"]),
    ("blue", Hint::Colour(255.0, 0.14), &["blue", "azure", "navy", "indigo", "cobalt", "sapphire", "蓝色", "蔚蓝", "蓝"]),
    ("purple", Hint::Colour(305.0, 0.15), &["purple", "violet", "lavender", "lilac", "mauve", "紫色", "紫"]),
    ("pink", Hint::Colour(355.0, 0.13), &["pink", "rose", "magenta", "coral", "fuchsia", "粉色", "粉红", "粉"]),
    ("blossom", Hint::Colour(0.0, 0.09), &["blossom", "cherry blossom", "sakura", "樱花", "桃花"]),
    ("monochrome", Hint::Colour(250.0, 0.004), &["monochrome", "black and white", "grey", "gray", "silver", "ink wash", "黑白", "水墨", "灰色", "银色"]),
];

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
    fn the_first_of_two_words_wins() {
        assert_eq!(Reading::of("night after noon").time, Some(Time::Night));
    }
}
