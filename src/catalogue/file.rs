//! One model file: TOML in, [`Model`] out, every complaint with its place.
//!
//! A file is a whole model, or it `extends` another one and says only what differs: each key it has replaces
//! that key of the other file (a list of blocks as a whole), all the rest is inherited.

use crate::catalogue::block::{Block, RawForbid, RawParameter, RawPrice, RawTarget, price_rows};
use crate::catalogue::model::{Model, Status};
use crate::catalogue::self_check::{Part, findings};
use crate::types::{Modality, Operation};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use toml::Spanned;

/// Where in which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name, as it was found.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// What is wrong with a model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column } = &self.place;
        write!(f, "{file}:{line}:{column}: {}", self.reason)
    }
}

/// A file that is TOML with the right keys; nothing more is known of it.
#[derive(Clone, Debug)]
pub(super) struct ModelFile {
    name: Arc<str>,
    text: Arc<str>,
    raw: RawModel,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    id: String,
    extends: Option<String>,
    name: Option<String>,
    aliases: Option<Vec<String>>,
    description: Option<String>,
    owner: Option<String>,
    modality: Option<Modality>,
    operations: Option<Vec<Operation>>,
    status: Option<Status>,
    replacement: Option<String>,
    ends: Option<TomlDate>,
    image_tokens: Option<u32>,
    sizes: Option<BTreeMap<String, BTreeMap<String, Value>>>,
    parameter: Option<Vec<Spanned<RawParameter>>>,
    forbid: Option<Vec<Spanned<RawForbid>>>,
    price: Option<Vec<Spanned<RawPrice>>>,
    target: Option<Vec<Spanned<RawTarget>>>,
}

/// A date written as TOML writes dates, without quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct TomlDate(pub jiff::civil::Date);

impl<'de> Deserialize<'de> for TomlDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let date = toml::value::Datetime::deserialize(deserializer)?;
        date.to_string()
            .parse()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

impl ModelFile {
    /// Reads the TOML.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let raw = toml::from_str(text).map_err(|error| Problem {
            place: place(name, text, error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        Ok(Self {
            name: name.into(),
            text: text.into(),
            raw,
        })
    }

    /// The id of its model.
    pub(super) fn id(&self) -> &str {
        &self.raw.id
    }

    /// The id of the model that it starts from.
    pub(super) fn extends(&self) -> Option<&str> {
        self.raw.extends.as_deref()
    }

    /// The beginning of the file, for complaints about the whole.
    pub(super) fn start(&self) -> Place {
        place(&self.name, &self.text, 0)
    }

    /// The model it describes, if that is sound.
    pub(super) fn model(&self, base: Option<&Self>) -> Result<Model, Vec<Problem>> {
        let mut complaints = Complaints::new(self.start());
        let Some(mut model) = self.head(base, &mut complaints) else {
            return Err(complaints.problems);
        };
        let parameters = self.blocks(base, |raw| raw.parameter.as_ref());
        let forbids = self.blocks(base, |raw| raw.forbid.as_ref());
        let prices = self.blocks(base, |raw| raw.price.as_ref());
        let targets = self.blocks(base, |raw| raw.target.as_ref());
        model.parameters = complaints.read(&parameters, RawParameter::read);
        model.forbids = complaints.read(&forbids, RawForbid::read);
        let rows = complaints.read(&prices, price_rows);
        let rows_of_block: Vec<usize> = rows.iter().map(Vec::len).collect();
        model.prices = rows.into_iter().flatten().collect();
        model.targets = complaints.read(&targets, RawTarget::read);
        if complaints.problems.is_empty() {
            let places = Places {
                start: self.start(),
                parameters: places_of(&parameters),
                forbids: places_of(&forbids),
                prices: repeated(&places_of(&prices), &rows_of_block),
                targets: places_of(&targets),
            };
            complaints
                .problems
                .extend(findings(&model).into_iter().map(|finding| Problem {
                    place: places.of(finding.part),
                    reason: finding.reason,
                }));
        }
        if complaints.problems.is_empty() {
            Ok(model)
        } else {
            Err(complaints.problems)
        }
    }

    /// Everything before the first block.
    fn head(&self, base: Option<&Self>, complaints: &mut Complaints) -> Option<Model> {
        let (own, base) = (&self.raw, base.map(|file| &file.raw));
        macro_rules! inherited {
            ($key:ident) => {
                own.$key
                    .clone()
                    .or_else(|| base.and_then(|raw| raw.$key.clone()))
            };
        }
        let same_id = base.filter(|base| base.id == own.id);
        let aliases = own
            .aliases
            .clone()
            .or_else(|| same_id.and_then(|base| base.aliases.clone()));
        Some(Model {
            id: own.id.clone(),
            aliases: aliases.unwrap_or_default(),
            name: complaints.required("name", inherited!(name))?,
            description: complaints.required("description", inherited!(description))?,
            owner: complaints.required("owner", inherited!(owner))?,
            modality: complaints.required("modality", inherited!(modality))?,
            operations: complaints.required("operations", inherited!(operations))?,
            status: inherited!(status).unwrap_or_default(),
            replacement: inherited!(replacement),
            ends: inherited!(ends).map(|date| date.0),
            image_tokens: inherited!(image_tokens),
            parameters: Vec::new(),
            sizes: inherited!(sizes).unwrap_or_default(),
            forbids: Vec::new(),
            prices: Vec::new(),
            targets: Vec::new(),
        })
    }

    /// One list of blocks, with places: this file's, or else the inherited one.
    fn blocks<'a, T>(
        &'a self,
        base: Option<&'a Self>,
        list: impl Fn(&'a RawModel) -> Option<&'a Vec<Spanned<T>>>,
    ) -> Vec<(Place, &'a T)> {
        let located = |file: &'a Self| {
            let blocks = list(&file.raw)?.iter();
            Some(
                blocks
                    .map(|block| {
                        let at = place(&file.name, &file.text, block.span().start);
                        (at, block.get_ref())
                    })
                    .collect(),
            )
        };
        located(self)
            .or_else(|| base.and_then(located))
            .unwrap_or_default()
    }
}

/// Gathers what is wrong while a file is turned into a model.
struct Complaints {
    start: Place,
    problems: Vec<Problem>,
}

impl Complaints {
    fn new(start: Place) -> Self {
        Self {
            start,
            problems: Vec::new(),
        }
    }

    fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.problems.push(Problem {
                place: self.start.clone(),
                reason: format!("the key `{key}` is missing"),
            });
        }
        value
    }

    fn read<'a, T, M>(
        &mut self,
        blocks: &[(Place, &'a T)],
        read: impl Fn(&'a T) -> Block<M>,
    ) -> Vec<M> {
        let mut done = Vec::with_capacity(blocks.len());
        for (place, block) in blocks {
            match read(block) {
                Ok(value) => done.push(value),
                Err(reason) => self.problems.push(Problem {
                    place: place.clone(),
                    reason,
                }),
            }
        }
        done
    }
}

/// Where each part of a model stands.
struct Places {
    start: Place,
    parameters: Vec<Place>,
    forbids: Vec<Place>,
    prices: Vec<Place>,
    targets: Vec<Place>,
}

impl Places {
    fn of(&self, part: Part) -> Place {
        let place = match part {
            Part::Model => None,
            Part::Parameter(index) => self.parameters.get(index),
            Part::Forbid(index) => self.forbids.get(index),
            Part::Price(index) => self.prices.get(index),
            Part::Target(index) => self.targets.get(index),
        };
        place.unwrap_or(&self.start).clone()
    }
}

fn places_of<T>(blocks: &[(Place, T)]) -> Vec<Place> {
    blocks.iter().map(|(place, _)| place.clone()).collect()
}

/// The place of a block once for every row it stands for.
fn repeated(places: &[Place], counts: &[usize]) -> Vec<Place> {
    places
        .iter()
        .zip(counts)
        .flat_map(|(place, count)| std::iter::repeat_n(place.clone(), *count))
        .collect()
}

/// Line and column of a byte offset.
fn place(file: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        file: file.into(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
