//! What commands print: data to stdout, words to stderr, JSON. No colours: only logs have them.

use super::failure::{Failure, Outcome};
use super::place::variable;
use crate::types::{Millis, Money};
use rustix::stdio;
use rustix::termios::tcgetwinsize;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::os::fd::BorrowedFd;

/// Prints data. A reader that has gone (`| head`) is no failure.
pub(super) fn print(text: &str) -> Outcome {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints a text of somebody else's making: as it is for a program, and unable to steer a terminal.
pub(super) fn text(text: &str) -> Outcome {
    if !std::io::stdout().is_terminal() {
        return print(text);
    }
    let lines: Vec<String> = text.split('\n').map(plain).collect();
    print(&lines.join("\n"))
}

/// Prints data that is not text.
pub(super) fn bytes(bytes: &[u8]) -> Outcome {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed("the result could not be written to stdout").why(error.to_string()))
        }
        _ => Ok(()),
    }
}

/// Prints JSON as people can read it too.
pub(super) fn json(value: &Value) -> Outcome {
    print(&escaped(&format!("{value:#}")))
}

/// Prints JSON in one line.
pub(super) fn json_line(value: &Value) -> Outcome {
    print(&escaped(&value.to_string()))
}

/// JSON without the control characters that it may hold as they are, which a terminal obeys. They stand in texts only, so
/// the escapes mean the same.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if ('\u{7f}'..='\u{9f}').contains(&letter) {
            let _ = write!(out, "\\u{:04x}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

/// Prints words, to stderr. There is nobody left to tell if that fails.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether stderr takes colours: a terminal that nobody has asked to be plain.
pub(super) fn may_colour() -> bool {
    let is_plain = variable("NO_COLOR").is_some() || variable("TERM").as_deref() == Some("dumb");
    std::io::stderr().is_terminal() && !is_plain
}

/// How wide a terminal is; `None` for what is none.
pub(super) fn columns(to: BorrowedFd<'_>) -> Option<usize> {
    let size = tcgetwinsize(to).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Words are not folded into less than this.
const NARROWEST: usize = 12;

/// A text in lines of at most this width, broken between words. A longer word stays whole: it is often there to be copied.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one from the beginning");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A line for a terminal on stdout or stderr: what does not fit goes on below, as far to the right as the words begin.
pub(super) fn hanging(line: &str, indent: usize, to: BorrowedFd<'_>) -> String {
    let Some(room) = columns(to)
        .map(|room| room.saturating_sub(indent))
        .filter(|room| *room >= NARROWEST)
    else {
        return line.to_owned();
    };
    let at = line
        .char_indices()
        .nth(indent)
        .map_or(line.len(), |(at, _)| at);
    let (head, words) = line.split_at(at);
    let below = format!("\n{}", " ".repeat(indent));
    format!("{head}{}", fold(words, room).join(&below))
}

/// Prints names and values, one pair a line.
pub(super) fn pairs(pairs: &[(&str, String)]) -> Outcome {
    let width = pairs
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let line = |(name, value): &(&str, String)| {
        let line = format!("{name:<width$}  {}", plain(value));
        hanging(line.trim_end(), width + 2, stdio::stdout())
    };
    let lines: Vec<String> = pairs.iter().map(line).collect();
    print(&lines.join("\n"))
}

/// Names are the users' own words: whatever would steer a terminal becomes visible.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// `1 callback`, `2 callbacks`.
pub(super) fn count(number: impl TryInto<u64>, thing: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}

/// Dollars as people read them: at least four decimal places, more where there are more.
pub(super) fn dollars(amount: Money) -> String {
    let text = amount.to_string();
    let (sign, size) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |size| ("-", size));
    let least = size.len() - 2;
    let kept = size.trim_end_matches('0').len().max(least);
    format!("{sign}${}", &size[..kept])
}

/// A point in time, for JSON.
pub(super) fn timestamp(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// A point in time to the minute, in UTC, for tables.
pub(super) fn minute(at: Millis) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_keep_four_places_and_never_round() {
        let check = |micros, text: &str| assert_eq!(dollars(Money::from_micros(micros)), text);
        check(0, "$0.0000");
        check(53_000, "$0.0530");
        check(1, "$0.000001");
        check(-12_345_670, "-$12.34567");
        check(100_000_000, "$100.0000");
    }

    #[test]
    fn one_thing_is_no_things() {
        assert_eq!(count(0_u64, "callback"), "0 callbacks");
        assert_eq!(count(1_usize, "callback"), "1 callback");
        assert_eq!(count(2_u32, "callback"), "2 callbacks");
    }

    #[test]
    fn long_words_stay_whole() {
        assert_eq!(
            fold("see https://a.example/very/long now", 10),
            ["see", "https://a.example/very/long", "now"]
        );
        assert_eq!(fold("", 10), [""]);
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(plain("a\x1b[31mb"), "a\u{fffd}[31mb");
    }

    #[test]
    fn json_cannot_steer_the_terminal_and_means_the_same() {
        let value = serde_json::json!({"a\u{9b}": "\x1b[2J\u{9b}2J\x7f\u{80}é\u{a0}"});
        let text = escaped(&value.to_string());
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.contains("é\u{a0}"), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
    }
}
