//! The lexicon: which words of a prompt mean something to the renderer, in English and Chinese.
//!
//! A spelling may stand in several rows; all of its meanings count. Each row has both languages, which a test checks.

use super::words::{Accent, Ground, Kind, Light, Mood, Motif, Plant, Season, Time, Water, Weather};

/// What one word asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hint {
    Time(Time),
    Season(Season),
    Weather(Weather),
    Water(Water),
    Ground(Ground),
    Accent(Accent),
    Light(Light),
    Mood(Mood),
    Colour(f32, f32),
    Kind(Kind),
    Plant(Plant),
    Motif(Motif),
}

/// Name, meaning, and the spellings that count (English ones also in the plural).
pub(super) type Entry = (&'static str, Hint, &'static [&'static str]);

#[rustfmt::skip]
pub(super) const LEXICON: &[Entry] = &[
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
    ("abstract", Hint::Kind(Kind::Ribbons), &["abstract", "abstraction", "flow", "flowing", "flow field", "fluid", "swirl", "swirling", "motion", "energy", "抽象", "流动", "流体", "漩涡", "律动"]),
    ("ribbons", Hint::Kind(Kind::Ribbons), &["ribbon", "silk", "silky", "satin", "strand", "丝带", "飘带", "丝绸", "绸缎", "彩带"]),
    ("music", Hint::Kind(Kind::Ribbons), &["music", "musical", "jazz", "melody", "symphony", "song", "concert", "音乐", "爵士", "旋律", "交响", "歌"]),
    ("poster", Hint::Kind(Kind::Poster), &["poster", "flyer", "placard", "book cover", "album cover", "typography", "typographic", "bauhaus", "swiss style", "海报", "封面", "招贴", "宣传画", "字体设计", "包豪斯"]),
    ("botanical", Hint::Kind(Kind::Botanical), &["botanical", "botanic", "botany", "herbarium", "herbal", "植物", "植物图鉴", "草本"]),
    ("pattern", Hint::Kind(Kind::Pattern), &["pattern", "patterned", "seamless", "wallpaper", "textile", "fabric", "wrapping paper", "ornament", "texture", "图案", "花纹", "纹样", "纹理", "壁纸", "布料", "包装纸"]),

    ("terrazzo", Hint::Motif(Motif::Terrazzo), &["terrazzo", "granite", "marble", "pebble", "水磨石", "花岗岩", "大理石", "鹅卵石"]),
    ("tiles", Hint::Motif(Motif::Tiles), &["tile", "tiling", "tiled", "mosaic", "azulejo", "geometric", "geometry", "瓷砖", "马赛克", "花砖", "几何"]),
    ("waves", Hint::Motif(Motif::Waves), &["seigaiha", "scallop", "scale pattern", "wave pattern", "青海波", "海浪纹", "波纹", "鱼鳞纹"]),
    ("confetti", Hint::Motif(Motif::Confetti), &["confetti", "memphis", "polka dot", "sprinkle", "五彩纸屑", "孟菲斯", "波点", "圆点"]),

    ("flowers", Hint::Plant(Plant::Flowers), &["flower", "floral", "wildflower", "bouquet", "bloom", "blooming", "lotus", "garden", "野花", "花束", "花朵", "鲜花", "荷花", "花园", "花"]),
    ("roses", Hint::Plant(Plant::Rose), &["rose", "peony", "camellia", "玫瑰", "蔷薇", "牡丹", "月季", "茶花"]),
    ("tulips", Hint::Plant(Plant::Tulip), &["tulip", "crocus", "郁金香"]),
    ("poppies", Hint::Plant(Plant::Poppy), &["poppy", "poppies", "anemone", "罂粟", "虞美人"]),
    ("daisies", Hint::Plant(Plant::Daisy), &["daisy", "daisies", "aster", "chrysanthemum", "marguerite", "雏菊", "菊花", "菊"]),
    ("lavender", Hint::Plant(Plant::Lavender), &["lavender", "lupin", "foxglove", "薰衣草"]),
    ("sunflower", Hint::Plant(Plant::Sunflower), &["sunflower", "向日葵", "葵花"]),
    ("blossom branch", Hint::Plant(Plant::Blossom), &["blossom", "cherry blossom", "sakura", "plum blossom", "樱花", "桃花", "梅花"]),
    ("fern", Hint::Plant(Plant::Fern), &["fern", "frond", "bracken", "蕨类", "蕨"]),
    ("leaves", Hint::Plant(Plant::Sprig), &["leaf", "leaves", "foliage", "sprig", "eucalyptus", "olive branch", "herb", "ivy", "ginkgo", "叶子", "树叶", "落叶", "枝叶", "银杏", "枫叶", "红叶", "叶"]),
    ("bamboo", Hint::Plant(Plant::Bamboo), &["bamboo", "竹子", "竹叶", "竹林", "竹"]),
    ("single tree", Hint::Plant(Plant::Tree), &["lone tree", "old tree", "single tree", "bonsai", "willow", "oak", "孤树", "老树", "古树", "一棵树", "盆景", "柳树", "柳", "橡树"]),
];
