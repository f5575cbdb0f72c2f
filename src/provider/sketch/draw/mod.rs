//! The drawing core: a prompt, a size and a seed become a picture. Pure: no I/O, no clock, no threads, no chance but the scene's own.
//!
//! It is procedural art, not a neural model: it understands the words of the lexicon in `words` and nothing else. The same scene gives the
//! same bytes in the same build; `libm` stands in for the platform's sines and powers, so that other platforms should agree too.

mod colour;
mod landscape;
mod noise;
mod palette;
mod picture;
mod plan;
mod words;

pub use picture::Picture;

use noise::Dice;
use words::Reading;

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

/// A kind of picture: paints a scene whose words were read, from its own dice, and shows its stages.
struct Composition {
    fits: fn(&Scene, &Reading) -> bool,
    paint: fn(&Scene, &Reading, Dice, Stage) -> Picture,
}

/// The first one that fits is painted; the landscape fits everything and stays last.
const COMPOSITIONS: &[Composition] = &[Composition {
    fits: |_, _| true,
    paint: landscape::paint,
}];

/// Draws it. `stage` is handed the unfinished picture after each real stage, at least three times before the end, numbered from 0.
pub fn draw(scene: &Scene, stage: &mut dyn FnMut(u32, &Picture)) -> Picture {
    let reading = Reading::of(scene.prompt);
    let dice = Dice::new(fingerprint(scene));
    match COMPOSITIONS
        .iter()
        .find(|composition| (composition.fits)(scene, &reading))
    {
        Some(composition) => (composition.paint)(scene, &reading, dice, stage),
        None => landscape::paint(scene, &reading, dice, stage),
    }
}

/// One line that says which words were understood, and the seed.
pub fn understood(scene: &Scene) -> String {
    let words = Reading::of(scene.prompt).words;
    let seed = scene.seed;
    if words.is_empty() {
        format!("no words understood; drawn by chance (seed {seed})")
    } else {
        format!("understood: {} (seed {seed})", words.join(", "))
    }
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
mod tests;
