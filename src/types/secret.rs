//! The secret of an API key: how it is made, told from a typo without a look-up, and kept out of logs.

use crate::types::Mode;
use sha2::{Digest, Sha256};
use std::fmt;

/// What every live key begins with.
const LIVE_PREFIX: &str = "sk-";
/// What every test key begins with. A live key cannot: its random part has no dash.
const TEST_PREFIX: &str = "sk-test-";
/// Random characters of a key: 32 of base62 are 190 bits.
const RANDOM_CHARS: usize = 32;
/// Characters of the checksum.
const CHECK_CHARS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An API key as its owner holds it: `sk-` or `sk-test-`, 32 random base62 characters, and the CRC-32 of all of that
/// in 6 more. It prints as dots; [`Secret::reveal`] is called where it is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new secret.
    pub fn generate(mode: Mode) -> Self {
        let mut text = String::from(prefix(mode));
        while text.len() < prefix(mode).len() + RANDOM_CHARS {
            let mut bytes = [0; RANDOM_CHARS];
            getrandom::fill(&mut bytes).expect("the system's random source works");
            // 248 is the largest multiple of 62 below 256: what is above would favour the first characters.
            let fair = bytes
                .into_iter()
                .filter(|&byte| byte < 248)
                .map(|byte| char::from(BASE62[usize::from(byte % 62)]));
            text.extend(fair.take(prefix(mode).len() + RANDOM_CHARS - text.len()));
        }
        text.push_str(&checksum(&text));
        Self(text)
    }

    /// Reads a key of ours; `None` if it is not one, which no look-up is needed to know.
    pub fn parse(text: &str) -> Option<Self> {
        let mode = mode_of(text)?;
        let well_formed = text.len() == prefix(mode).len() + RANDOM_CHARS + CHECK_CHARS
            && text[prefix(mode).len()..]
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric());
        let (body, check) = text.split_at_checked(text.len().checked_sub(CHECK_CHARS)?)?;
        (well_formed && checksum(body) == check).then(|| Self(text.to_owned()))
    }

    /// A secret that somebody else's gateway made; any text is one.
    pub fn foreign(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// What is stored of it: its SHA-256. Fast is right, because the secret has the entropy (a password has not).
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// Its last four characters, to tell keys apart in a list.
    pub fn last_four(&self) -> String {
        let mut last: Vec<char> = self.0.chars().rev().take(4).collect();
        last.reverse();
        last.into_iter().collect()
    }

    /// The secret itself, for the one place that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn prefix(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => LIVE_PREFIX,
        Mode::Test => TEST_PREFIX,
    }
}

fn mode_of(text: &str) -> Option<Mode> {
    match text {
        _ if text.starts_with(TEST_PREFIX) => Some(Mode::Test),
        _ if text.starts_with(LIVE_PREFIX) => Some(Mode::Live),
        _ => None,
    }
}

/// CRC-32 in six base62 digits, the most significant first.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_reads_back_and_any_typo_is_seen() {
        for mode in [Mode::Live, Mode::Test] {
            let secret = Secret::generate(mode);
            assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
            assert_eq!(mode_of(secret.reveal()), Some(mode));
            for at in 0..secret.reveal().len() {
                let mut typo = secret.reveal().as_bytes().to_vec();
                typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
                let typo = String::from_utf8(typo).expect("ASCII");
                assert_eq!(Secret::parse(&typo), None, "a typo at {at}");
            }
        }
    }

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::generate(Mode::Live);
        assert!(!format!("{secret:?}").contains(&secret.last_four()));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(sk-|sk-test-)?\\PC{0,60}") {
            prop_assert_eq!(Secret::parse(&text), None);
        }
    }
}
