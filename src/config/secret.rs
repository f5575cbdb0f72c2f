//! Which values may be secrets, and how they are hidden.

use std::ops::Range;

/// Parts of a name that make its value a secret. The two stores are here for the passwords in their URLs.
const WORDS: &[&str] = &[
    "key",
    "token",
    "secret",
    "password",
    "database_url",
    "storage_url",
];

/// What stands for a hidden value.
const HIDDEN: &str = "***";

/// A value of this name may be a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// A value as it may be printed.
pub fn shown(name: &str, value: &str) -> String {
    if is_secret(name) || user_in_url(value) {
        HIDDEN.to_owned()
    } else {
        value.to_owned()
    }
}

/// `scheme://user:password@host`.
fn user_in_url(text: &str) -> bool {
    text.match_indices("://").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        let end = rest.find(['/', '?', '#', '"', '\'', ' ']);
        rest[..end.unwrap_or(rest.len())].contains('@')
    })
}

/// Covers the values at these places with stars, byte for byte, so that every other place stays where it is.
pub fn cover(text: &str, places: &[Range<usize>]) -> String {
    let covered = |at: usize| places.iter().any(|place| place.contains(&at));
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        if covered(at) && letter != '\n' && letter != '\r' {
            (0..letter.len_utf8()).for_each(|_| out.push('*'));
        } else {
            out.push(letter);
        }
    }
    out
}

/// Where secrets stand in a file that may be too broken to parse: whatever follows the `=` of a name like that, and
/// lines with a user in a URL. Rather too much than too little.
pub fn places(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut until: Option<&str> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if let Some(closing) = until {
            places.push(start..end);
            if line.contains(closing) {
                until = None;
            }
        } else if let Some(value) = value_of_secret(line) {
            places.push(start + value..end);
            until = goes_on(line[value..].trim());
        } else if user_in_url(line) {
            let value = line.find('=').map_or(0, |at| at + 1);
            places.push(start + value..end);
        }
        start = end;
    }
    places
}

/// Where the value begins in a line that gives one to a secret.
fn value_of_secret(line: &str) -> Option<usize> {
    let mut equals = line.match_indices('=').map(|(at, _)| at);
    equals.find(|&at| is_secret(&line[..at])).map(|at| {
        let after = &line[at + 1..];
        at + 1 + (after.len() - after.trim_start_matches([' ', '\t']).len())
    })
}

/// What ends a value that goes on in the next line.
fn goes_on(value: &str) -> Option<&'static str> {
    let open = |mark: &str| value.starts_with(mark) && value.matches(mark).count() == 1;
    if open("\"\"\"") {
        Some("\"\"\"")
    } else if open("'''") {
        Some("'''")
    } else if value.starts_with('[') && !value.contains(']') {
        Some("]")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_file_are_covered() {
        let check = |text: &str, expected: &str| assert_eq!(cover(text, &places(text)), expected);
        check("listen = \"a\"\n", "listen = \"a\"\n");
        check("api_key = \"abc\"\nx = 1\n", "api_key = *****\nx = 1\n");
        check("my.Token=a", "my.Token=*");
        check("key = \"ä\"", "key = ****");
        check(
            "secret = \"\"\"\nabc\nd\"\"\"\nx = 1",
            "secret = ***\n***\n****\nx = 1",
        );
        check("keys = [\n 'a',\n]\nx = 1", "keys = *\n*****\n*\nx = 1");
        check(
            "p = {kind = 'x', api_key = 'a'}",
            "p = {kind = 'x', api_key = ****",
        );
        check("base = 'http://u:p@h/'", "base =****************");
        check("base = 'http://h/@'", "base = 'http://h/@'");
    }
}
