//! The drawing core: a prompt, a size and a seed become a picture. Pure: no I/O, no clock, no threads, no chance but the scene's own.
//!
//! It is procedural art, not a neural model: it understands the words of the lexicon in `words` and nothing else. The same scene gives the
//! same bytes in the same build; `libm` stands in for the platform's sines and powers, so that other platforms should agree too.

mod botanical;
mod brush;
mod caption;
mod colour;
mod finish;
mod inks;
mod landscape;
mod lettering;
mod lexicon;
mod noise;
mod palette;
mod pattern;
mod picture;
mod plan;
mod poster;
mod ribbons;
mod room;
mod words;

pub use picture::Picture;

use noise::Dice;
use words::{Kind, Reading};

/// What to draw.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The client's words, without directives.
    pub prompt: &'a str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The client's seed, or one derived from the prompt.
    pub seed: u64,
    /// Which picture of a batch this is, from 0.
    pub index: u32,
    /// Leave out the sky, for laying the picture over something else.
    pub transparent: bool,
}

/// Who watches a picture being painted.
type Stage<'a> = &'a mut dyn FnMut(u32, &Picture);

/// Draws it. `stage` is handed the unfinished picture after each real stage, at least three times before the end, numbered from 0.
pub fn draw(scene: &Scene, stage: Stage) -> Picture {
    let reading = Reading::of(scene.prompt);
    let mut dice = Dice::new(fingerprint(scene));
    let paint = match reading.kind(&mut dice) {
        Kind::Poster => poster::paint,
        Kind::Botanical => botanical::paint,
        Kind::Ribbons => ribbons::paint,
        Kind::Pattern => pattern::paint,
        Kind::Landscape => landscape::paint,
    };
    paint(scene, &reading, dice, stage)
}

/// Sets the prompt into a finished picture as a small caption, unless its composition has words of its own. Pictures that are to
/// be laid over something else, and those too small to read in, stay as they are.
pub fn caption(picture: &mut Picture, scene: &Scene) {
    let reading = Reading::of(scene.prompt);
    let kind = reading.kind(&mut Dice::new(fingerprint(scene)));
    if !scene.transparent {
        caption::set(picture, scene.prompt, kind);
    }
}

/// One line that says what was drawn, which words were understood, which letters have no glyph, and the seed.
pub fn understood(scene: &Scene) -> String {
    let reading = Reading::of(scene.prompt);
    let kind = reading.kind(&mut Dice::new(fingerprint(scene)));
    let words = match reading.words.is_empty() {
        true => "no words understood; drawn by chance".to_owned(),
        false => format!("understood: {}", reading.words.join(", ")),
    };
    let missing = caption::missing(scene.prompt);
    let boxes = match missing.is_empty() {
        true => String::new(),
        false => format!("; no glyph for {}, shown as a box", missing.join(" ")),
    };
    format!("{}; {words}{boxes} (seed {})", kind.name(), scene.seed)
}

/// The length that shapes scale with: the shorter side, unless the picture is a mere strip.
fn unit_of(width: f32, height: f32) -> f32 {
    let (short, long) = (width.min(height), width.max(height));
    short.max(long / 12.0)
}

/// The number all chance in a scene comes from. Size and transparency stay out: they must not change the composition.
fn fingerprint(scene: &Scene) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"sketch 1\0");
    hasher.update(scene.prompt.as_bytes());
    hasher.update(&scene.seed.to_le_bytes());
    hasher.update(&scene.index.to_le_bytes());
    let digest = hasher.finalize();
    digest
        .as_bytes()
        .first_chunk::<8>()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
