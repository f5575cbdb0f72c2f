//! Points in time as the store and the wire hold them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Reads a point in time as people and programs write it: milliseconds, RFC 3339, or a day, which begins at midnight
    /// in UTC.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(millis) = text.parse() {
            return Some(Self(millis));
        }
        let midnight = || {
            let day = Date::strptime("%Y-%m-%d", text).ok()?;
            Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
        };
        let at = text.parse::<Timestamp>().ok().or_else(midnight)?;
        Some(Self(at.as_millisecond()))
    }

    /// Whole seconds, as OpenAI's `created` wants them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The point `span` later, or the last one there is.
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_ways() {
        let check = |text: &str, millis: Option<i64>| {
            assert_eq!(Millis::parse(text).map(|at| at.0), millis, "{text}");
        };
        check("1705123450000", Some(1_705_123_450_000));
        check("2024-01-13T05:24:10Z", Some(1_705_123_450_000));
        check("2024-01-13T06:24:10+01:00", Some(1_705_123_450_000));
        check("2024-01-13", Some(1_705_104_000_000));
        for wrong in [
            "",
            "yesterday",
            "2024-13-01",
            "2024-01-13T06:24:10",
            "2024-01-13 ",
        ] {
            check(wrong, None);
        }
    }
}
