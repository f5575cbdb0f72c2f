//! What an account used in a stretch of time.

use crate::types::{Millis, Money, Usage};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The stretch that is shown if nobody says another.
const DAYS_SHOWN: i64 = 30;

const MS_A_DAY: i64 = 24 * 3_600_000;

/// A stretch of time. What ended in it counts, because that is when it was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub start: Millis,
    /// The first moment after it.
    pub end: Millis,
}

/// Why two texts are no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPeriod {
    /// `start` or `end`.
    pub name: &'static str,
    /// What would be right.
    pub right: &'static str,
}

impl Period {
    /// Reads its ends: days in UTC (`2026-11-21`; as the end, that whole day) or Unix seconds (as the end, the first that
    /// is not meant). Without an end it lasts until now, without a start it has thirty days.
    pub fn read(start: Option<&str>, end: Option<&str>, now: Millis) -> Result<Self, NotAPeriod> {
        let end = match end {
            // To the end of this second, so that what has just ended is in it.
            None => Millis((now.seconds() + 1) * 1000),
            Some(text) => read_time("end", text, Duration::from_secs(24 * 3600))?,
        };
        let start = match start {
            None => Millis(end.0.saturating_sub(DAYS_SHOWN * MS_A_DAY)),
            Some(text) => read_time("start", text, Duration::ZERO)?,
        };
        if start >= end {
            let right = "before the end";
            return Err(NotAPeriod {
                name: "start",
                right,
            });
        }
        Ok(Self { start, end })
    }
}

/// A moment; a day stands for its beginning and `after_day` more.
fn read_time(name: &'static str, text: &str, after_day: Duration) -> Result<Millis, NotAPeriod> {
    let right = "a day like 2026-11-21 or a time in Unix seconds";
    let wrong = NotAPeriod { name, right };
    if let Ok(seconds) = text.parse::<i64>() {
        let at = jiff::Timestamp::from_second(seconds).map_err(|_| wrong)?;
        return Ok(Millis(at.as_millisecond()));
    }
    let day: Date = text.parse().map_err(|_| wrong)?;
    let midnight = day.to_zoned(TimeZone::UTC).map_err(|_| wrong)?;
    Ok(Millis(midnight.timestamp().as_millisecond()).after(after_day))
}

/// What usage may be told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageBy {
    /// The model that was asked.
    Model,
    /// The key that asked.
    Key,
    /// The day on which it ended, in UTC.
    Day,
    /// Live or test.
    Mode,
}

impl UsageBy {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Model, Self::Key, Self::Day, Self::Mode];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Key => "key",
            Self::Day => "day",
            Self::Mode => "mode",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }
}

/// What some tasks used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Tasks that brought something.
    pub completed: u64,
    /// Tasks that brought nothing, and cost nothing.
    pub failed: u64,
    /// Images delivered.
    pub images: u64,
    /// Tokens as the upstreams counted them.
    pub tokens: Usage,
    /// What was charged.
    pub charged: Money,
}

impl Used {
    /// Both together, unless the money overflows.
    pub fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            completed: self.completed.saturating_add(other.completed),
            failed: self.failed.saturating_add(other.failed),
            images: self.images.saturating_add(other.images),
            tokens: self.tokens + other.tokens,
            charged: self.charged.plus(other.charged)?,
        })
    }
}

/// What the tasks of one group used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedBy {
    /// The model, the key's id, the day or the mode.
    pub group: String,
    /// What a key's owner calls it.
    pub title: Option<String>,
    /// What they used.
    pub used: Used,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_262_400_123);

    #[test]
    fn a_period_is_read_from_days_and_seconds() {
        let check = |start, end, expected: (i64, i64)| {
            let period = Period::read(start, end, NOW).unwrap();
            let seconds = (period.start.0 / 1000, period.end.0 / 1000);
            assert_eq!(seconds, expected, "{start:?} {end:?}");
        };
        let day = 24 * 3600;
        let now = 1_795_262_401;
        check(None, None, (now - 30 * day, now));
        check(Some("2026-11-01"), None, (1_793_491_200, now));
        check(
            Some("2026-11-01"),
            Some("2026-11-01"),
            (1_793_491_200, 1_793_491_200 + day),
        );
        check(Some("1000"), Some("1001"), (1000, 1001));
        check(None, Some("0"), (-30 * day, 0));
    }

    #[test]
    fn what_is_no_period_is_refused_by_name() {
        for (start, end, name) in [
            (Some("yesterday"), None, "start"),
            (Some("2026-02-30"), None, "start"),
            (Some("9999999999999999"), None, "start"),
            (None, Some(""), "end"),
            (None, Some("2026-11-21T25:00"), "end"),
            (Some("5"), Some("5"), "start"),
            (Some("2026-11-02"), Some("2026-11-01"), "start"),
        ] {
            let refused = Period::read(start, end, NOW).unwrap_err();
            assert_eq!(refused.name, name, "{start:?} {end:?}");
        }
    }
}
