//! Exact money: whole micro-dollars in an `i64`, decimal strings with six places on the wire.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An amount in micro-dollars. Arithmetic that could overflow returns `None`; there are no floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many micro-dollars.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The amount in micro-dollars.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The sum, unless it overflows.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, unless it overflows.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// This amount `count` times, unless it overflows.
    pub fn times(self, count: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(count)).map(Self)
    }

    /// This amount with `markup` basis points added, rounded up to a whole micro-dollar.
    pub fn marked_up(self, basis_points: u32) -> Option<Self> {
        let factor = 10_000 + i128::from(basis_points);
        let product = i128::from(self.0) * factor;
        let rounded = product.div_euclid(10_000) + i128::from(product.rem_euclid(10_000) != 0);
        i64::try_from(rounded).ok().map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", size / 1_000_000, size % 1_000_000)
    }
}

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an amount is written in dollars with at most six decimal places, like 12 or 0.053; got {0:?}"
)]
pub struct NotMoney(String);

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        parse_micros(text)
            .map(Self)
            .ok_or_else(|| NotMoney(text.chars().take(40).collect()))
    }
}

/// Reads `[-]digits[.digits]` without ever passing through a float.
fn parse_micros(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    let micros = whole.checked_mul(1_000_000)?.checked_add(fraction)?;
    Some(if negative { -micros } else { micros })
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, micros: Option<i64>) {
        assert_eq!(text.parse().ok(), micros.map(Money), "{text:?}");
    }

    #[test]
    fn reads_decimal_dollars_exactly() {
        check("0.053", Some(53_000));
        check("12", Some(12_000_000));
        check("-0.000001", Some(-1));
        check("9223372036854.775807", Some(i64::MAX));
        for wrong in [
            "",
            ".",
            "1.",
            ".5",
            "1e3",
            "0.0000001",
            "NaN",
            "1,5",
            "--1",
            "9223372036854.775808",
            "99999999999999999999",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn markup_rounds_up_to_the_micro_dollar() {
        assert_eq!(Money(53_000).marked_up(1_000), Some(Money(58_300)));
        assert_eq!(Money(1).marked_up(1), Some(Money(2)));
        assert_eq!(Money(i64::MAX).marked_up(1), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(micros in -i64::MAX..=i64::MAX) {
            prop_assert_eq!(Money(micros).to_string().parse(), Ok(Money(micros)));
        }
    }
}
