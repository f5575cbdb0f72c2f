//! A rule for sizes as regular expressions.
//!
//! A pattern cannot multiply, but there are finitely many edges: each width has one run of heights that the rule
//! allows, and a run of numbers is a short pattern. That both edges are multiples of something is a second pattern,
//! for the heights; the widths are listed anyway.

use super::values::object;
use crate::catalogue::model::Also;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// The most edges for which a pattern stays handy (about 50 KiB).
const MOST_EDGES: u32 = 1_024;

/// The schema of all texts `WIDTHxHEIGHT` that a rule allows.
pub(super) fn sizes(rule: &Also) -> Value {
    let Also::Pixels {
        multiple, longest, ..
    } = *rule;
    let Some(count) = longest.checked_div(multiple) else {
        return Value::Bool(false);
    };
    if count > MOST_EDGES {
        let edge = format!("[1-9][0-9]{{0,{}}}", longest.to_string().len() - 1);
        return json!({"type": "string", "pattern": format!("^{edge}x{edge}$"), "x-pinhole-pixels": rule});
    }
    let mut widths_by_heights: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
    for width in (1..=count).map(|count| count * multiple) {
        let heights = heights(rule, width);
        if !heights.is_empty() {
            let run = rounded(&heights, multiple);
            widths_by_heights.entry(run).or_default().push(width);
        }
    }
    if widths_by_heights.is_empty() {
        return Value::Bool(false);
    }
    let sizes: Vec<String> = widths_by_heights
        .into_iter()
        .map(|((least, most), widths)| format!("{}x{}", listed(widths), between(least, most)))
        .collect();
    let edges = listed((1..=count).map(|count| count * multiple));
    Value::Object(object([
        ("type", json!("string")),
        ("description", json!(rule.to_string())),
        (
            "allOf",
            json!([
                {"pattern": format!("x{edges}$")},
                {"pattern": format!("^(?:{})$", sizes.join("|"))},
            ]),
        ),
    ]))
}

/// The heights that a rule allows beside a width: among the multiples, all from the first to the last.
fn heights(rule: &Also, width: u32) -> RangeInclusive<u32> {
    let Also::Pixels {
        multiple,
        longest,
        ratio,
        min_pixels,
        max_pixels,
    } = *rule;
    let (width, multiple) = (u64::from(width), u64::from(multiple));
    let ratio = u64::from(ratio.max(1));
    let least = width.div_ceil(ratio).max(min_pixels.div_ceil(width)).max(1);
    let most = u64::from(longest)
        .min(width * ratio)
        .min(max_pixels / width);
    let (first, last) = (
        least.div_ceil(multiple).saturating_mul(multiple),
        most / multiple * multiple,
    );
    match (u32::try_from(first), u32::try_from(last)) {
        (Ok(first), Ok(last)) => first..=last,
        // `last` is at most `longest`, so `first` lies above every edge.
        _ => RangeInclusive::new(1, 0),
    }
}

/// A run with the same multiples in it and rounder ends, whose pattern is shorter.
fn rounded(run: &RangeInclusive<u32>, multiple: u32) -> (u32, u32) {
    let rounder = |low: u64, high: u64| {
        let tens = [1_000, 100, 10, 1].into_iter();
        let mut round = tens.map(|ten| high / ten * ten).filter(|it| *it >= low);
        round.next().unwrap_or(high)
    };
    // Wider than the edges themselves: what follows the last of them has a number too.
    let (start, end) = (u64::from(*run.start()), u64::from(*run.end()));
    let multiple = u64::from(multiple);
    let least = rounder(start.saturating_sub(multiple - 1), start).max(1);
    let last = rounder(end + 1, end + multiple) - 1;
    let edge = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    (edge(least), edge(last))
}

/// The pattern of a set of numbers.
fn listed(numbers: impl IntoIterator<Item = u32>) -> String {
    let texts: BTreeSet<String> = numbers
        .into_iter()
        .map(|number| number.to_string())
        .collect();
    words(&texts.iter().map(String::as_str).collect())
}

/// The pattern of a set of words: what begins with the same character is one branch, and branches that go on alike share
/// it.
fn words(set: &BTreeSet<&str>) -> String {
    let mut tails: BTreeMap<char, BTreeSet<&str>> = BTreeMap::new();
    for word in set {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            tails.entry(first).or_default().insert(letters.as_str());
        }
    }
    if tails.is_empty() {
        return String::new();
    }
    let mut heads: BTreeMap<String, String> = BTreeMap::new();
    for (head, tails) in tails {
        heads.entry(words(&tails)).or_default().push(head);
    }
    let branches = heads
        .into_iter()
        .map(|(tail, heads)| one_of(&heads) + &tail);
    let branches = either(branches.collect());
    if set.contains("") {
        format!("(?:{branches})?")
    } else {
        branches
    }
}

/// The pattern of all whole numbers from one to another.
fn between(least: u32, most: u32) -> String {
    let (mut low, mut parts) = (least, Vec::new());
    // Numbers of one length after the other.
    while low <= most {
        let digits = low.to_string().len();
        let longest = 10_u64.pow(digits as u32) - 1;
        let high = u32::try_from(longest).map_or(most, |longest| longest.min(most));
        parts.push(same_length(&low.to_string(), &high.to_string()));
        let Some(next) = high.checked_add(1) else {
            break;
        };
        low = next;
    }
    either(parts)
}

/// The pattern of the numbers between two with as many digits.
fn same_length(low: &str, high: &str) -> String {
    let is_all = |digits: &str, digit: char| digits.chars().all(|it| it == digit);
    let (Some(first), Some(last)) = (low.chars().next(), high.chars().next()) else {
        return String::new();
    };
    let (low, high) = (&low[1..], &high[1..]);
    if first == last {
        return format!("{first}{}", same_length(low, high));
    }
    let (mut from, mut to) = (first as u8, last as u8);
    let mut parts = Vec::new();
    if !is_all(low, '0') {
        parts.push(format!(
            "{first}{}",
            same_length(low, &"9".repeat(low.len()))
        ));
        from += 1;
    }
    if !is_all(high, '9') {
        parts.push(format!(
            "{last}{}",
            same_length(&"0".repeat(high.len()), high)
        ));
        to -= 1;
    }
    if from <= to {
        let heads: String = (from..=to).map(char::from).collect();
        parts.push(one_of(&heads) + &"[0-9]".repeat(low.len()));
    }
    either(parts)
}

/// The pattern of one of these digits.
fn one_of(digits: &str) -> String {
    let (first, last) = (digits.chars().next(), digits.chars().next_back());
    match (first, last) {
        _ if digits.len() == 1 => digits.to_owned(),
        (Some(first), Some(last))
            if digits.len() > 2 && last as usize - first as usize + 1 == digits.len() =>
        {
            format!("[{first}-{last}]")
        }
        _ => format!("[{digits}]"),
    }
}

fn either(mut parts: Vec<String>) -> String {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    format!("(?:{})", parts.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_edges_have_a_pattern_too() {
        let multiple = u32::MAX / 5;
        for (min_pixels, allowed) in [(0, true), (u64::MAX, false)] {
            let rule = Also::Pixels {
                multiple,
                longest: u32::MAX,
                ratio: 3,
                min_pixels,
                max_pixels: u64::MAX,
            };
            let schema = sizes(&rule);
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            let largest = json!(format!("{0}x{0}", u32::MAX));
            assert_eq!(validator.is_valid(&largest), allowed, "{schema}");
            let other = json!(format!("{}x{}", u32::MAX, u32::MAX - 1));
            assert!(!validator.is_valid(&other), "{schema}");
        }
    }
}
