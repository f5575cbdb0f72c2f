//! The caption: the prompt in small type in a corner of the finished picture.

use super::brush::{Easel, block};
use super::colour::{Lab, Rgb, lch};
use super::lettering::{self, Style};
use super::picture::Picture;
use super::words::Kind;

/// Below this short side nobody could read it.
const SMALLEST: f32 = 200.0;

/// Sets it; posters and plates carry words of their own.
pub(super) fn set(picture: &mut Picture, prompt: &str, kind: Kind) {
    let (width, height) = (picture.width() as f32, picture.height() as f32);
    let unit = width.min(height);
    let text = lettering::plain(prompt);
    if unit < SMALLEST || text.is_empty() || matches!(kind, Kind::Poster | Kind::Botanical) {
        return;
    }
    let style = Style {
        size: (unit * 0.0165).max(8.0),
        tracking: 0.02,
        ..Style::default()
    };
    let margin = unit * 0.032;
    let line = lettering::set_line(&text, &style, (width - margin * 2.0) * 0.86);
    let at = (margin, height - margin - line.height);
    let end = (at.0 + line.width, at.1 + line.height);
    if kind == Kind::Pattern {
        // A pattern has no quiet place: its caption stands on a label.
        let pad = style.size * 0.8;
        let label = block(
            (at.0 - pad, at.1 - pad * 0.7),
            (end.0 + pad, end.1 + pad * 0.7),
        );
        let mut easel = Easel::new(picture);
        easel.fill(&label, lch(0.98, 0.008, 85.0).rgb(), 1.0);
        line.fill(&mut easel, at, lch(0.25, 0.01, 85.0).rgb(), 1.0);
        return;
    }
    let (ink, seam) = inks_on(brightness(picture, at, end));
    let mut easel = Easel::new(picture);
    line.halo(&mut easel, at, style.size * 0.22, seam, 0.22);
    line.fill(&mut easel, at, ink, 0.88);
}

/// The letters of the prompt that are shown as boxes.
pub(super) fn missing(prompt: &str) -> Vec<String> {
    let text = lettering::plain(prompt);
    let set = lettering::set(&text, &Style::default());
    set.missing.iter().map(char::to_string).collect()
}

/// Light letters with a dark seam on what is dark, and the other way round.
fn inks_on(brightness: f32) -> (Rgb, Rgb) {
    let (light, dark): (Lab, Lab) = (lch(0.98, 0.01, 85.0), lch(0.16, 0.02, 265.0));
    if brightness < 0.62 {
        (light.rgb(), dark.rgb())
    } else {
        (dark.rgb(), light.rgb())
    }
}

/// The mean brightness between two corners, 0..=1.
fn brightness(picture: &Picture, from: (f32, f32), to: (f32, f32)) -> f32 {
    let width = picture.width() as usize;
    let (left, right) = (
        from.0.max(0.0) as usize,
        (to.0.max(0.0) as usize).min(width),
    );
    let rows = picture.rgba().as_chunks::<4>().0.chunks_exact(width);
    let (top, bottom) = (from.1.max(0.0) as usize, to.1.max(0.0) as usize);
    let mut sum = 0u64;
    let mut count = 0u64;
    for row in rows.take(bottom).skip(top) {
        for [r, g, b, _] in row.get(left..right).unwrap_or_default() {
            sum += u64::from(*r) * 3 + u64::from(*g) * 6 + u64::from(*b);
            count += 10;
        }
    }
    sum as f32 / (count.max(1) as f32 * 255.0)
}

#[cfg(test)]
mod tests {
    use super::super::{Scene, caption, draw};

    /// The rows that a caption changes.
    fn changed(prompt: &str, side: u32, transparent: bool) -> Vec<usize> {
        let scene = Scene {
            prompt,
            width: side,
            height: side,
            seed: 7,
            index: 0,
            transparent,
        };
        let plain = draw(&scene, &mut |_, _| {});
        let mut signed = plain.clone();
        caption(&mut signed, &scene);
        let row = side as usize * 4;
        let pairs = plain.rgba().chunks(row).zip(signed.rgba().chunks(row));
        let differs = |(at, (one, other)): (usize, (&[u8], &[u8]))| (one != other).then_some(at);
        pairs.enumerate().filter_map(differs).collect()
    }

    #[test]
    fn the_caption_stands_at_the_foot_where_it_can_be_read_and_is_wanted() {
        for prompt in ["a lake at dusk", "silk ribbons", "terrazzo"] {
            let rows = changed(prompt, 240, false);
            assert!(!rows.is_empty(), "{prompt} is signed");
            assert!(rows.iter().all(|row| *row > 200), "{prompt}: {rows:?}");
        }
        assert!(
            changed("a lake at dusk", 120, false).is_empty(),
            "too small"
        );
        assert!(
            changed("a lake at dusk", 240, true).is_empty(),
            "transparent"
        );
        assert!(changed("bauhaus poster", 240, false).is_empty(), "has type");
        assert!(changed("a fern", 240, false).is_empty(), "has a label");
    }
}
