//! Reading a JSON object without losing what a map would: the order of keys, and keys that stand twice.
//!
//! Everything is bounded while it is read: a body that is small as text can be large as a tree.

use crate::error::{Error, Fault, Kind, shown_place};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use std::cell::{Cell, RefCell};
use std::fmt;

/// The most keys an object may have; no model has a tenth of it.
const MAX_KEYS: usize = 256;
/// The most values a body may have in all.
const MAX_VALUES: usize = 10_000;

/// Reads a body's top-level entries in order. A body that is no object, or names a key twice anywhere, is refused.
/// Nesting is bounded by serde_json (128).
pub(super) fn read_object(body: &[u8]) -> Result<Vec<(String, Value)>, Error> {
    if body.is_empty() {
        let message = "the body is empty; send a JSON object";
        return Err(Error::new(Kind::InvalidBody, message));
    }
    let reading = Reading {
        left: Cell::new(MAX_VALUES),
        refused: RefCell::default(),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    Top(&reading)
        .deserialize(&mut deserializer)
        .and_then(|entries| deserializer.end().map(|()| entries))
        .map_err(|error| match reading.refused.take() {
            Some(refused) => refused.told(),
            None => not_an_object(&error),
        })
}

/// serde_json's own words name the place; those that quote the body's texts are left out.
fn not_an_object(error: &serde_json::Error) -> Error {
    let sort = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "a syntax error",
        serde_json::error::Category::Data => "something else than an object",
        serde_json::error::Category::Io => "it cannot be read",
    };
    let (line, column) = (error.line(), error.column());
    let message = format!("the body is no JSON object: line {line}, column {column}: {sort}");
    Error::new(Kind::InvalidBody, message)
}

/// What is known while a body is read.
struct Reading {
    /// How many values may still come.
    left: Cell<usize>,
    /// Why it ended. serde's own error cannot say where.
    refused: RefCell<Option<Refused>>,
}

/// A body that serde_json would take and we do not.
struct Refused {
    why: Why,
    /// Where, outermost last: it is told from the inside out.
    path: Vec<Step>,
}

enum Why {
    Twice,
    TooManyKeys,
    TooManyValues,
}

enum Step {
    Key(String),
    Index(usize),
}

impl Reading {
    fn refuse<E: serde::de::Error>(&self, why: Why, path: Vec<Step>) -> E {
        self.refused.replace(Some(Refused { why, path }));
        E::custom("refused")
    }

    /// The step that led to what was refused, if something was.
    fn within(&self, step: impl FnOnce() -> Step) {
        if let Some(refused) = &mut *self.refused.borrow_mut() {
            refused.path.push(step());
        }
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return Err(self.refuse(Why::TooManyValues, Vec::new())),
        }
        Ok(())
    }
}

impl Refused {
    fn told(&self) -> Error {
        let path = self.path();
        let message = match self.why {
            Why::Twice => {
                let message = format!("`{path}` stands twice in the body; say it once");
                return Error::faults(vec![Fault {
                    param: path,
                    code: "duplicate_parameter",
                    message,
                }]);
            }
            Why::TooManyKeys => format!("an object in the body has more than {MAX_KEYS} keys"),
            Why::TooManyValues => format!("the body has more than {MAX_VALUES} values"),
        };
        Error::new(Kind::InvalidBody, message)
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.path.iter().rev() {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => path.extend([".", key]),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        shown_place(&path)
    }
}

/// The entries of an object, in order.
fn entries<'de, M: MapAccess<'de>>(
    reading: &Reading,
    mut map: M,
) -> Result<Vec<(String, Value)>, M::Error> {
    let mut entries: Vec<(String, Value)> = Vec::new();
    while let Some(key) = map.next_key::<String>()? {
        if entries.len() == MAX_KEYS {
            return Err(reading.refuse(Why::TooManyKeys, Vec::new()));
        }
        if entries.iter().any(|(earlier, _)| *earlier == key) {
            return Err(reading.refuse(Why::Twice, vec![Step::Key(key)]));
        }
        let value = map
            .next_value_seed(Any(reading))
            .inspect_err(|_| reading.within(|| Step::Key(key.clone())))?;
        entries.push((key, value));
    }
    Ok(entries)
}

/// The body's own object.
struct Top<'a>(&'a Reading);

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = Vec<(String, Value)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        entries(self.0, map)
    }
}

/// Any value within the body.
struct Any<'a>(&'a Reading);

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Value, S::Error> {
        let mut items = Vec::new();
        loop {
            let index = items.len();
            let item = list
                .next_element_seed(Any(self.0))
                .inspect_err(|_| self.0.within(|| Step::Index(index)))?;
            match item {
                Some(item) => items.push(item),
                None => return Ok(items.into()),
            }
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Value, M::Error> {
        let entries = entries(self.0, map)?;
        Ok(Value::Object(entries.into_iter().collect()))
    }
}
