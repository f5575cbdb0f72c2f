//! Decimal numbers held exactly, so that a step of 0.05 has no rounding faults.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::{Number, Value};
use std::fmt;

/// Decimal places that are kept. Every `f64` a person would type fits.
const PLACES: usize = 18;
const ONE: i128 = 10_i128.pow(PLACES as u32);

/// A decimal number with up to 18 places and up to 19 digits before them, held exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Reads `[-]digits[.digits]`; `None` for anything else and for numbers beyond what we hold.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || fraction.len() > PLACES {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let fraction: i128 = format!("{fraction:0<PLACES$}").parse().ok()?;
        let size = whole.checked_mul(ONE)?.checked_add(fraction)?;
        Some(Self(if negative { -size } else { size }))
    }

    /// The number as its shortest text has it: 0.05 is five hundredths, not the nearest binary fraction.
    pub fn of(number: &Number) -> Option<Self> {
        if let Some(whole) = number.as_i64() {
            return Some(Self::from(whole));
        }
        if let Some(whole) = number.as_u64() {
            return Some(Self(i128::from(whole) * ONE));
        }
        // `f64` prints the shortest digits that read back, and never an exponent.
        Self::parse(&number.as_f64()?.to_string())
    }

    /// The whole number this is, if it is one that fits.
    pub fn whole(self) -> Option<i64> {
        (self.0 % ONE == 0)
            .then(|| i64::try_from(self.0 / ONE).ok())
            .flatten()
    }

    /// Whether anything but zeros stands behind the point.
    pub fn has_places(self) -> bool {
        self.0 % ONE != 0
    }

    /// As JSON: whole numbers without a point.
    pub fn to_json(self) -> Value {
        if let Some(whole) = self.whole() {
            return Value::from(whole);
        }
        // What we print is digits and a point, which every `f64` parser reads.
        Value::from(self.to_string().parse::<f64>().unwrap_or_default())
    }

    /// From here on in `step`s, as far as `last`.
    pub fn steps_to(self, last: Self, step: Self) -> impl Iterator<Item = Self> {
        let next = move |at: &Self| at.0.checked_add(step.0).map(Self);
        std::iter::successors(Some(self), next)
            .take_while(move |at| *at <= last && step > Self::ZERO)
    }

    /// Whether a whole number of `step`s leads from `start` to here.
    pub fn is_reached(self, start: Self, step: Self) -> bool {
        match self.0.checked_sub(start.0) {
            Some(distance) if step.0 != 0 => distance % step.0 == 0,
            _ => false,
        }
    }
}

impl From<i64> for Decimal {
    fn from(whole: i64) -> Self {
        Self(i128::from(whole) * ONE)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        let (whole, fraction) = (size / ONE.unsigned_abs(), size % ONE.unsigned_abs());
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let fraction = format!("{fraction:0PLACES$}");
        write!(f, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecimalVisitor)
    }
}

struct DecimalVisitor;

impl Visitor<'_> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number with at most 18 decimal places")
    }

    fn visit_i64<E: Error>(self, whole: i64) -> Result<Decimal, E> {
        Ok(Decimal::from(whole))
    }

    fn visit_u64<E: Error>(self, whole: u64) -> Result<Decimal, E> {
        Ok(Decimal(i128::from(whole) * ONE))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Decimal, E> {
        Decimal::parse(&number.to_string())
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Float(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, printed: Option<&str>) {
        let read = Decimal::parse(text).map(|decimal| decimal.to_string());
        assert_eq!(read.as_deref(), printed, "{text:?}");
    }

    #[test]
    fn reads_plain_decimals_only() {
        check("0.70", Some("0.7"));
        check("-2", Some("-2"));
        check("007", Some("7"));
        check("-0.05", Some("-0.05"));
        for wrong in ["", ".", "1.", ".5", "1e3", "NaN", "inf", "+1", "0x1", "1,5"] {
            check(wrong, None);
        }
        check(&"9".repeat(40), None);
        check("0.0000000000000000001", None);
    }

    #[test]
    fn steps_have_no_rounding_faults() {
        let of = |number: f64| Decimal::of(&Number::from_f64(number).unwrap()).unwrap();
        for (value, step, reached) in [
            (0.7, 0.1, true),
            (0.15, 0.05, true),
            (1.1, 0.1, true),
            (0.72, 0.1, false),
            (-1.9, 0.1, true),
        ] {
            assert_eq!(
                of(value).is_reached(Decimal::from(-2), of(step)),
                reached,
                "{value}"
            );
        }
    }

    #[test]
    fn huge_and_tiny_numbers_are_refused_not_rounded() {
        for number in [1e300, 1e-300, f64::MAX, f64::MIN_POSITIVE] {
            assert_eq!(Decimal::of(&Number::from_f64(number).unwrap()), None);
        }
        assert_eq!(
            Decimal::of(&Number::from(u64::MAX)).unwrap().to_string(),
            "18446744073709551615"
        );
    }
}
