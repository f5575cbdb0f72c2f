//! Sizes as clients write them: `1024x1024`, `1328*1328`, `auto`, or a ratio with a tier.

/// The most pixels a picture may have: a 4K tier in any ratio fits. The largest that a model's table of sizes has is
/// 3584x4800.
pub const MAX_PIXELS: u64 = 3584 * 4800;

/// The longest side.
pub const MAX_SIDE: u32 = 16_384;

const DEFAULT: (u32, u32) = (1024, 1024);

/// Tiers and the side of their square, in pixels.
const TIERS: [(&str, u32); 3] = [("1K", 1024), ("2K", 2048), ("4K", 4096)];

/// A size that cannot be drawn; the message says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not in any known notation.
    #[error(
        "`{0}` is not a size; `1024x1024`, `1024*1024`, `16:9`, `1K`, `2K`, `4K` or `auto` would be right"
    )]
    Unreadable(String),
    /// A tier nobody knows.
    #[error("`{0}` is not a resolution tier; `1K`, `2K` or `4K` would be right")]
    Tier(String),
    /// More pixels than fit, or a side too long or zero.
    #[error(
        "`{0}` cannot be drawn: both sides must be between 1 and 16384 pixels, 17.2 megapixels at most in all"
    )]
    OutOfRange(String),
    /// A ratio nobody needs.
    #[error("`{0}` is too narrow: a ratio must be between 1:16 and 16:1")]
    Ratio(String),
}

/// The pixels a size asks for. A tier counts where the size does not name pixels itself; a tier may also stand in the size's place.
pub fn pixels(size: Option<&str>, tier: Option<&str>) -> Result<(u32, u32), SizeError> {
    let tier_side = tier
        .map(str::trim)
        .filter(|tier| !is_open(tier))
        .map(parse_tier)
        .transpose()?;
    let size = size.map(str::trim).filter(|size| !is_open(size));
    let Some(size) = size else {
        return Ok(tier_side.map_or(DEFAULT, |side| (side, side)));
    };
    if let Ok(side) = parse_tier(size) {
        return Ok((side, side));
    }
    let unreadable = || SizeError::Unreadable(excerpt(size));
    if let Some((across, down)) = size.split_once(':') {
        let (across, down) = (
            number(across).ok_or_else(unreadable)?,
            number(down).ok_or_else(unreadable)?,
        );
        return of_ratio(across, down, tier_side.unwrap_or(DEFAULT.0))
            .ok_or_else(|| SizeError::Ratio(excerpt(size)));
    }
    let (width, height) = size
        .split_once(['x', 'X', '*', '×'])
        .ok_or_else(unreadable)?;
    let (width, height) = (
        number(width).ok_or_else(unreadable)?,
        number(height).ok_or_else(unreadable)?,
    );
    fits((width, height)).ok_or_else(|| SizeError::OutOfRange(excerpt(size)))
}

/// A size that can be drawn, as it is.
pub fn exactly(size: (u32, u32)) -> Result<(u32, u32), SizeError> {
    fits(size).ok_or_else(|| SizeError::OutOfRange(format!("{}x{}", size.0, size.1)))
}

fn fits((width, height): (u32, u32)) -> Option<(u32, u32)> {
    let fits = (1..=MAX_SIDE).contains(&width)
        && (1..=MAX_SIDE).contains(&height)
        && u64::from(width) * u64::from(height) <= MAX_PIXELS;
    fits.then_some((width, height))
}

/// Sides that are multiples of 16, in the ratio, with about as many pixels as the tier's square.
fn of_ratio(across: u32, down: u32, side: u32) -> Option<(u32, u32)> {
    let wide = across > 0
        && down > 0
        && across <= down.saturating_mul(16)
        && down <= across.saturating_mul(16);
    let ratio = (f64::from(across) / f64::from(down)).sqrt();
    let sixteens = |length: f64| ((length / 16.0).round() as u32).max(1) * 16;
    wide.then(|| {
        (
            sixteens(f64::from(side) * ratio),
            sixteens(f64::from(side) / ratio),
        )
    })
}

fn parse_tier(tier: &str) -> Result<u32, SizeError> {
    let known = TIERS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(tier));
    known
        .map(|(_, side)| *side)
        .ok_or_else(|| SizeError::Tier(excerpt(tier)))
}

fn is_open(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("auto")
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    text.chars()
        .all(|letter| letter.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// The start of a client's text, short enough for an error message.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(size: Option<&str>, tier: Option<&str>, expected: Result<(u32, u32), SizeError>) {
        assert_eq!(pixels(size, tier), expected, "{size:?} {tier:?}");
    }

    #[test]
    fn sizes_are_read() {
        check(None, None, Ok((1024, 1024)));
        check(Some("auto"), None, Ok((1024, 1024)));
        check(Some("1024x1536"), None, Ok((1024, 1536)));
        check(Some("1328*1328"), Some("4K"), Ok((1328, 1328)));
        check(Some(" 640 x 480 "), None, Ok((640, 480)));
        check(Some("1:1"), None, Ok((1024, 1024)));
        check(Some("16:9"), None, Ok((1360, 768)));
        check(Some("16:9"), Some("2K"), Ok((2736, 1536)));
        check(Some("9:16"), Some("4k"), Ok((3072, 5456)));
        check(Some("auto"), Some("2K"), Ok((2048, 2048)));
        check(Some("4K"), None, Ok((4096, 4096)));
        check(None, Some("4K"), Ok((4096, 4096)));
    }

    #[test]
    fn every_ratio_of_every_tier_fits() {
        for tier in ["1K", "2K", "4K"] {
            for ratio in [
                "1:1", "3:2", "2:3", "4:3", "21:9", "1:8", "16:1", "5:4", "9:21",
            ] {
                let (width, height) = pixels(Some(ratio), Some(tier)).unwrap_or_default();
                assert!(
                    width > 0 && width % 16 == 0 && height % 16 == 0,
                    "{ratio} {tier}"
                );
                assert!(
                    u64::from(width) * u64::from(height) <= MAX_PIXELS,
                    "{ratio} {tier}: {width}x{height}"
                );
                assert!(width <= MAX_SIDE && height <= MAX_SIDE, "{ratio} {tier}");
            }
        }
    }

    #[test]
    fn every_size_of_a_table_can_be_drawn() {
        let catalogue = crate::catalogue::Catalogue::embedded();
        let catalogue = catalogue.unwrap_or_else(|problems| panic!("{problems}"));
        let sizes = catalogue.models().iter().flat_map(|model| &model.sizes);
        let sizes: Vec<&String> = sizes.map(|(size, _)| size).collect();
        assert!(sizes.len() >= 30);
        for size in sizes {
            assert!(pixels(Some(size), None).is_ok(), "{size}");
        }
        assert_eq!(exactly((6336, 2688)), Ok((6336, 2688)));
        let too_large = SizeError::OutOfRange("4096x4208".into());
        assert_eq!(exactly((4096, 4208)), Err(too_large));
    }

    #[test]
    fn wrong_sizes_are_named() {
        check(Some("big"), None, Err(SizeError::Unreadable("big".into())));
        check(
            Some("-1x5"),
            None,
            Err(SizeError::Unreadable("-1x5".into())),
        );
        check(Some("x"), None, Err(SizeError::Unreadable("x".into())));
        check(
            Some("0x10"),
            None,
            Err(SizeError::OutOfRange("0x10".into())),
        );
        check(
            Some("9000x9000"),
            None,
            Err(SizeError::OutOfRange("9000x9000".into())),
        );
        check(
            Some("20000x10"),
            None,
            Err(SizeError::OutOfRange("20000x10".into())),
        );
        check(Some("1:17"), None, Err(SizeError::Ratio("1:17".into())));
        check(Some("0:1"), None, Err(SizeError::Ratio("0:1".into())));
        check(Some("16:9"), Some("8K"), Err(SizeError::Tier("8K".into())));
    }
}
