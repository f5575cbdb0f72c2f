//! Type: text is laid out by parley in the bundled fonts and becomes outlines.
//!
//! The fonts are subsets (`scripts/fonts`): Latin, kana, GB 2312 and JIS level 1. What they lack is drawn as a box and
//! reported. No font of the system is ever read: the same text looks the same everywhere.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use parley::fontique::{Blob, Collection, CollectionOptions, FontInfoOverride};
use parley::style::{FontFamily, FontStyle, FontWeight, FontWidth, LineHeight, OverflowWrap};
use parley::{Alignment, AlignmentOptions, FontContext, Layout, LayoutContext};
use parley::{GlyphRun, PositionedLayoutItem, StyleProperty};
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};
use tiny_skia::{Path, PathBuilder, Rect, Transform};

use super::brush::{Easel, Point};
use super::colour::Rgb;

/// The faces there are. Letters that one lacks come from the text face, then from the Chinese and Japanese one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Face {
    #[default]
    Text,
    Black,
    Condensed,
    Serif,
    Italic,
}

/// Family names of our own, and the files behind them.
#[rustfmt::skip]
const FONTS: &[(&str, &[u8])] = &[
    ("text", include_bytes!("../../../../fonts/Archivo-Medium.ttf")),
    ("black", include_bytes!("../../../../fonts/Archivo-Black.ttf")),
    ("condensed", include_bytes!("../../../../fonts/Anton-Regular.ttf")),
    ("antiqua", include_bytes!("../../../../fonts/DMSerifDisplay-Regular.ttf")),
    ("cursiva", include_bytes!("../../../../fonts/InstrumentSerif-Italic.ttf")),
    ("wide", include_bytes!("../../../../fonts/NotoSansCJKsc-Bold.otf")),
];

impl Face {
    /// As a list in CSS.
    fn families(self) -> &'static str {
        match self {
            Self::Text => "text, wide",
            Self::Black => "black, text, wide",
            Self::Condensed => "condensed, text, wide",
            Self::Serif => "antiqua, text, wide",
            Self::Italic => "cursiva, text, wide",
        }
    }
}

/// How text is set. Lengths are in pixels, tracking and leading in sizes of the type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub face: Face,
    pub size: f32,
    pub tracking: f32,
    pub leading: f32,
    /// Lines are broken at this width; one line without.
    pub width: Option<f32>,
    pub align: Align,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Align {
    #[default]
    Left,
    Middle,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            face: Face::Text,
            size: 16.0,
            tracking: 0.0,
            leading: 1.25,
            width: None,
            align: Align::Left,
        }
    }
}

/// Text that was set: outlines from its own top left corner, and how much room it takes.
pub(super) struct Lettering {
    outline: Option<Path>,
    pub width: f32,
    pub height: f32,
    /// The letters that no font has, each once, in the order of the text.
    pub missing: Vec<char>,
}

impl Lettering {
    /// Paints it with its top left corner at a point.
    pub fn fill(&self, easel: &mut Easel, at: Point, colour: Rgb, coverage: f32) {
        easel.fill(&self.placed(at), colour, coverage);
    }

    /// Paints a seam around it, so that it stands out from a busy ground.
    pub fn halo(&self, easel: &mut Easel, at: Point, wide: f32, colour: Rgb, coverage: f32) {
        easel.stroke(&self.placed(at), wide, colour, coverage);
    }

    fn placed(&self, (x, y): Point) -> Option<Path> {
        let outline = self.outline.clone()?;
        outline.transform(Transform::from_translate(x, y))
    }
}

/// The fonts, opened once, and room to work in. Setting a line takes far less than drawing a picture, so one is enough.
struct Shop {
    fonts: FontContext,
    layouts: LayoutContext<()>,
}

static SHOP: LazyLock<Mutex<Shop>> = LazyLock::new(|| Mutex::new(Shop::open()));

impl Shop {
    fn open() -> Self {
        let mut collection = Collection::new(CollectionOptions {
            shared: false,
            system_fonts: false,
        });
        for (name, file) in FONTS {
            // Each family has one face: nothing is to be made bolder or more slanted than it is.
            let plain = FontInfoOverride {
                family_name: Some(name),
                width: Some(FontWidth::NORMAL),
                style: Some(FontStyle::Normal),
                weight: Some(FontWeight::NORMAL),
                axes: None,
            };
            collection.register_fonts(Blob::new(Arc::new(*file)), Some(plain));
        }
        Self {
            fonts: FontContext {
                collection,
                ..FontContext::default()
            },
            layouts: LayoutContext::new(),
        }
    }

    fn lay_out(&mut self, text: &str, style: &Style) -> Layout<()> {
        let mut builder = self
            .layouts
            .ranged_builder(&mut self.fonts, text, 1.0, false);
        let families = FontFamily::from(style.face.families());
        builder.push_default(StyleProperty::FontFamily(families));
        builder.push_default(StyleProperty::FontSize(style.size));
        builder.push_default(StyleProperty::LetterSpacing(style.tracking * style.size));
        let leading = LineHeight::FontSizeRelative(style.leading);
        builder.push_default(StyleProperty::LineHeight(leading));
        builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::BreakWord));
        let mut layout = builder.build(text);
        layout.break_all_lines(style.width);
        let alignment = match style.align {
            Align::Left => Alignment::Left,
            Align::Middle => Alignment::Center,
        };
        layout.align(alignment, AlignmentOptions::default());
        layout
    }
}

/// The most letters that are set at once; nothing longer could be read in a picture.
const MOST: usize = 400;

/// Text as it can be set: one paragraph, without control characters, not too long.
pub(super) fn plain(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let text = words.join(" ");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

/// Sets `text`, which should be [`plain`].
pub(super) fn set(text: &str, style: &Style) -> Lettering {
    let mut shop = SHOP.lock().unwrap_or_else(PoisonError::into_inner);
    let layout = shop.lay_out(text, style);
    drop(shop);
    let mut outline = Outline::default();
    let mut missing = Vec::new();
    for line in layout.lines() {
        for item in line.items() {
            if let PositionedLayoutItem::GlyphRun(run) = item {
                outline.add(&run);
            }
        }
        for cluster in line.runs().flat_map(|run| run.clusters()) {
            let drawn_as_box = cluster.glyphs().any(|glyph| glyph.id == 0);
            if drawn_as_box && cluster.advance() > 0.0 {
                note(&mut missing, &text[cluster.text_range()]);
            }
        }
    }
    Lettering {
        outline: outline.builder.finish(),
        width: layout.width(),
        height: layout.height(),
        missing,
    }
}

fn note(missing: &mut Vec<char>, letters: &str) {
    for letter in letters.chars() {
        let shows = !letter.is_whitespace() && !letter.is_control() && !joins(letter);
        if shows && !missing.contains(&letter) {
            missing.push(letter);
        }
    }
}

/// Joiners and variation selectors have no look of their own.
fn joins(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Sets `text` on one line no wider than `width`, with an ellipsis where it had to be cut.
pub(super) fn set_line(text: &str, style: &Style, width: f32) -> Lettering {
    let mut line = set(text, style);
    let mut kept = text.chars().count();
    while line.width > width && kept > 1 {
        let fits = (kept as f32 * width / line.width) as usize;
        kept = fits.min(kept - 1);
        let start: String = text.chars().take(kept).collect();
        line = set(&format!("{}…", start.trim_end()), style);
    }
    line
}

/// Sets `text` as large as fits into a box, no larger than `style.size`, in `style.width`.
pub(super) fn set_to_fit(text: &str, style: &Style, height: f32, smallest: f32) -> Lettering {
    let width = style.width.unwrap_or(f32::MAX);
    let words = text.split_whitespace();
    let longest = words.max_by_key(|word| word.chars().count()).unwrap_or("");
    let whole_words = longest.is_ascii();
    let mut size = style.size;
    loop {
        let at_size = Style { size, ..*style };
        let lettering = set(text, &at_size);
        // A Latin word must not be torn apart while there is a smaller size.
        let alone = Style {
            width: None,
            ..at_size
        };
        let torn = whole_words && set(longest, &alone).width > width;
        if (lettering.height <= height && !torn && lettering.width <= width) || size <= smallest {
            return lettering;
        }
        size = (size * 0.93).max(smallest);
    }
}

/// Collects glyphs.
#[derive(Default)]
struct Outline {
    builder: PathBuilder,
}

impl Outline {
    fn add(&mut self, run: &GlyphRun<'_, ()>) {
        let font = run.run().font();
        let Ok(file) = FontRef::from_index(font.data.as_ref(), font.index) else {
            return;
        };
        let outlines = file.outline_glyphs();
        let size = run.run().font_size();
        for glyph in run.positioned_glyphs() {
            if glyph.id == 0 {
                self.add_box((glyph.x, glyph.y), glyph.advance, size);
                continue;
            }
            let mut pen = Pen {
                builder: &mut self.builder,
                origin: (glyph.x, glyph.y),
            };
            let settings = DrawSettings::unhinted(Size::new(size), LocationRef::default());
            if let Some(outline) = outlines.get(GlyphId::new(glyph.id)) {
                // A glyph of a broken font stays white; these fonts are ours.
                let _ = outline.draw(settings, &mut pen);
            }
        }
    }

    /// The frame that stands for a letter without a glyph.
    fn add_box(&mut self, (x, baseline): Point, advance: f32, size: f32) {
        let (line, gap) = (size * 0.06, size * 0.05);
        let (left, right) = (x + gap, x + advance - gap);
        let (top, bottom) = (baseline - size * 0.72, baseline);
        if right - left <= line * 3.0 {
            return;
        }
        let mut side = |left, top, right, bottom| {
            if let Some(rect) = Rect::from_ltrb(left, top, right, bottom) {
                self.builder.push_rect(rect);
            }
        };
        side(left, top, right, top + line);
        side(left, bottom - line, right, bottom);
        side(left, top, left + line, bottom);
        side(right - line, top, right, bottom);
    }
}

/// Draws a glyph where it stands; fonts count upwards, pictures downwards.
struct Pen<'a> {
    builder: &'a mut PathBuilder,
    origin: Point,
}

impl Pen<'_> {
    fn at(&self, x: f32, y: f32) -> Point {
        (self.origin.0 + x, self.origin.1 - y)
    }
}

impl OutlinePen for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.builder.move_to(to.0, to.1);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.builder.line_to(to.0, to.1);
    }

    fn quad_to(&mut self, x: f32, y: f32, to_x: f32, to_y: f32) {
        let (pull, to) = (self.at(x, y), self.at(to_x, to_y));
        self.builder.quad_to(pull.0, pull.1, to.0, to.1);
    }

    fn curve_to(&mut self, x: f32, y: f32, x2: f32, y2: f32, to_x: f32, to_y: f32) {
        let (a, b, to) = (self.at(x, y), self.at(x2, y2), self.at(to_x, to_y));
        self.builder.cubic_to(a.0, a.1, b.0, b.1, to.0, to.1);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_promised_sets_has_a_glyph() {
        let check = |text: &str| assert!(set(text, &Style::default()).missing.is_empty(), "{text}");
        check("The quick brown fox, Straße, Łódź, façade, “quoted” – 12 €");
        check("ひらがな カタカナ 漢字 亜熙");
        check("月落乌啼霜满天，江枫渔火对愁眠。啊齄");
        check("Привет αβγ ①");
    }

    #[test]
    fn a_letter_without_a_glyph_is_a_box_and_is_named_once() {
        let set = set("a 🦀 ฿ 🦀", &Style::default());
        assert_eq!(set.missing, ['🦀', '฿']);
        let plain = super::set("a", &Style::default());
        let bounds = |one: &Lettering| one.outline.as_ref().map(|path| path.bounds().width());
        assert!(bounds(&set) > bounds(&plain), "boxes have an outline");
    }

    #[test]
    fn lines_break_between_words_and_between_chinese_letters() {
        let style = Style {
            width: Some(80.0),
            ..Style::default()
        };
        let line = set("one", &style).height;
        assert!(set("three words wrap here", &style).height > line);
        assert!(set("月落乌啼霜满天江枫渔火对愁眠", &style).height > line);
        let cut = set_line("a long line that is cut", &Style::default(), 60.0);
        assert!(cut.width <= 60.0 && cut.height <= line);
    }

    #[test]
    fn text_becomes_one_bounded_paragraph() {
        assert_eq!(plain(" a\n\tb\u{0}c "), "a b c");
        assert_eq!(plain(&"x".repeat(5000)).chars().count(), MOST + 1);
        assert_eq!(plain(""), "");
        assert!(set("", &Style::default()).missing.is_empty());
    }
}
