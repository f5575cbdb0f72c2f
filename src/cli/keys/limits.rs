//! What narrows a key, as flags and in words.

use crate::cli::out;
use crate::types::{KeyLimits, Millis, Money, Scope, SpendCap, SpendPeriod};
use ipnet::IpNet;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::net::IpAddr;
use std::time::Duration;

/// The longest time that `--expires` takes in days.
const MOST_DAYS: u64 = 36_500;

/// A scope's name.
pub(super) fn scope(text: &str) -> Result<Scope, String> {
    match text {
        "generate" => Ok(Scope::Generate),
        "read" => Ok(Scope::Read),
        "admin" => Ok(Scope::Admin),
        _ => Err("a scope is generate, read or admin".to_owned()),
    }
}

/// A network in CIDR notation, or a lone address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<IpAddr>().map(IpNet::from).ok();
    text.parse::<IpNet>()
        .ok()
        .or_else(alone)
        .ok_or_else(|| "an address or a network, like 10.0.0.0/8".to_owned())
}

/// When a key ends: after so many days, or at the start of a day (UTC).
pub(super) fn expires(text: &str) -> Result<Millis, String> {
    let now = Millis(jiff::Timestamp::now().as_millisecond());
    let wrong =
        || format!("a number of days up to {MOST_DAYS}, or a date like 2030-01-31, in the future");
    if let Ok(days) = text.parse::<u64>() {
        let days = Some(days)
            .filter(|days| (1..=MOST_DAYS).contains(days))
            .ok_or_else(wrong)?;
        return Ok(now.after(Duration::from_secs(days * 86_400)));
    }
    let date: Date = text.parse().map_err(|_| wrong())?;
    let start = date.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
    let at = Millis(start.timestamp().as_millisecond());
    if at <= now { Err(wrong()) } else { Ok(at) }
}

/// `5/day`, `100/month`, `20/total`, or `20` for the last.
pub(super) fn spend_cap(text: &str) -> Result<SpendCap, String> {
    let (amount, per) = text.split_once('/').unwrap_or((text, "total"));
    let per = match per {
        "total" => SpendPeriod::Total,
        "day" => SpendPeriod::Day,
        "month" => SpendPeriod::Month,
        _ => return Err("dollars per day, month or total, like 5/day".to_owned()),
    };
    let amount = crate::cli::credits::amount(amount)?;
    if amount == Money::ZERO {
        return Err("a cap is above zero; a test key costs nothing".to_owned());
    }
    Ok(SpendCap { amount, per })
}

/// What narrows the key, a few words each.
pub(super) fn words(limits: &KeyLimits) -> Vec<String> {
    let mut words = Vec::new();
    if !limits.models.is_empty() {
        words.push(format!("models {}", limits.models.join(" ")));
    }
    if !limits.networks.is_empty() {
        let networks: Vec<String> = limits.networks.iter().map(ToString::to_string).collect();
        words.push(format!("from {}", networks.join(" ")));
    }
    if let Some(at) = limits.expires_at {
        words.push(format!("until {}", out::minute(at)));
    }
    if let Some(per_minute) = limits.requests_per_minute {
        words.push(format!("{} a minute", out::count(per_minute, "request")));
    }
    if let Some(tasks) = limits.concurrent {
        words.push(format!("{} at once", out::count(tasks, "task")));
    }
    if let Some(cap) = limits.spend_cap {
        let per = match cap.per {
            SpendPeriod::Total => "in all",
            SpendPeriod::Day => "a day",
            SpendPeriod::Month => "a month",
        };
        words.push(format!("{} {per}", out::dollars(cap.amount)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_and_ends_are_read_as_people_write_them() {
        let cap = |text: &str| spend_cap(text).map(|cap| (cap.amount.to_string(), cap.per));
        assert_eq!(cap("5/day"), Ok(("5.000000".to_owned(), SpendPeriod::Day)));
        assert_eq!(cap("$20"), Ok(("20.000000".to_owned(), SpendPeriod::Total)));
        for wrong in ["5/week", "0/day", "-1/day", "x", ""] {
            assert!(spend_cap(wrong).is_err(), "{wrong}");
        }
        assert!(expires("30").is_ok() && expires("2999-12-31").is_ok());
        for wrong in ["0", "1999-01-01", "soon", "-3", "99999999"] {
            assert!(expires(wrong).is_err(), "{wrong}");
        }
    }
}
