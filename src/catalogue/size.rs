//! Sizes written `WIDTHxHEIGHT`.

/// Reads `WIDTHxHEIGHT`: plain digits without leading zeros, both at least 1.
pub fn parse_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((parse_edge(width)?, parse_edge(height)?))
}

fn parse_edge(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

/// The pixels of a size, without overflow.
pub fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_plain() {
        assert_eq!(parse_size("1536x1024"), Some((1536, 1024)));
        for wrong in [
            "",
            "x",
            "1024",
            "1024x",
            "x1024",
            "0x5",
            "01x5",
            "+1x5",
            "1 x5",
            "1x5x5",
            "1X5",
            "4294967296x1",
            "-1x1",
            "1*5",
        ] {
            assert_eq!(parse_size(wrong), None, "{wrong:?}");
        }
        assert_eq!(pixels((u32::MAX, u32::MAX)), 18_446_744_065_119_617_025);
    }
}
