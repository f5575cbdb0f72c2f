//! Reading a JSON object without losing what a map would: the order of keys, and keys that stand twice.

use crate::error::{Error, Fault, Kind};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;

/// The most keys an object may have at its top; no model has a tenth of it.
const MAX_KEYS: usize = 256;

/// An object's entries in order. Nesting is bounded by serde_json (128).
pub(super) struct Entries(pub(super) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Top;
        impl<'de> Visitor<'de> for Top {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, Value>()? {
                    if entries.len() == MAX_KEYS {
                        return Err(serde::de::Error::custom(format_args!(
                            "more than {MAX_KEYS} keys"
                        )));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Top)
    }
}

/// Reads a body's top-level entries. A body that is no object, or names a key twice, is refused.
pub(super) fn read_object(body: &[u8]) -> Result<Vec<(String, Value)>, Error> {
    let Entries(entries) = serde_json::from_slice(body).map_err(|error| {
        let message = if body.is_empty() {
            "the body is empty; send a JSON object".to_owned()
        } else {
            // serde_json's own words name the place and quote none of the body's strings at the top level.
            format!(
                "the body is no JSON object: line {}, column {}: {}",
                error.line(),
                error.column(),
                sort(&error)
            )
        };
        Error::new(Kind::InvalidBody, message)
    })?;
    let mut seen = HashSet::new();
    let twice = entries.iter().find(|(name, _)| !seen.insert(name.as_str()));
    match twice {
        None => Ok(entries),
        Some((name, _)) => {
            let name: String = name.chars().take(60).collect();
            let message = format!("`{name}` stands twice in the body; say it once");
            Err(Error::faults(vec![Fault {
                param: name,
                code: "duplicate_parameter",
                message,
            }]))
        }
    }
}

fn sort(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "a syntax error",
        serde_json::error::Category::Data => "something else than an object, or more than 256 keys",
        serde_json::error::Category::Io => "it cannot be read",
    }
}
