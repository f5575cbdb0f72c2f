//! The catalogue: which models there are, what each takes, what it costs and who serves it.
//!
//! One TOML file a model, in `catalogue/<modality>/`, compiled in; a folder of the operator's replaces and
//! adds. Everything else is derived: the schema check ([`check`]), the form ([`form`]), its JSON Schema
//! ([`json_schema`]), request examples ([`example`], printed by [`snippet`]), prices ([`quote`]). Files are read by
//! [`Catalogue::load`] alone, and looked at by [`Stamp::of`]; all else is pure. Nothing
//! here knows a dialect, a provider's wire or an account.

mod adapt;
mod block;
mod checked;
mod decimal;
mod envelope;
mod file;
mod folder;
mod form;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hint;
mod json_schema;
mod model;
mod price;
mod schema;
mod self_check;
mod size;
pub mod snippet;
mod upstream;
mod value;
mod words;

pub use checked::{Checked, ImageInput, Rules};
pub use decimal::Decimal;
pub use file::{Place, Problem};
pub use folder::Stamp;
pub use form::{example, example_of, form, price_json, pricing};
pub use json_schema::{edit_condition, json_schema};
pub use model::{
    Also, Choice, Condition, Forbid, Kind, Model, Parameter, PriceRow, Range, Span, Status, Target,
    Unit, When,
};
pub use price::{cost, cost_rates, most_tokens, price_row, quote};
pub use schema::check;
pub use size::parse_size;
pub use upstream::upstream_fields;

use file::ModelFile;
use folder::files_below;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Every model of this installation.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    models: Vec<Arc<Model>>,
    /// Ids and aliases.
    by_id: HashMap<String, usize>,
}

/// Why a catalogue was refused: every problem of every file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl Problems {
    /// That a folder of model files is no longer there.
    pub fn gone(folder: &Path) -> Self {
        Self(vec![folder::gone(folder)])
    }
}

impl Catalogue {
    /// The models that are compiled in.
    pub fn embedded() -> Result<Self, Problems> {
        Self::load(None)
    }

    /// The compiled-in models, with every `*.toml` below `overrides` put over them: a file with an id that
    /// exists replaces that model, any other adds one. A folder that does not exist changes nothing.
    pub fn load(overrides: Option<&Path>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let built_in = parse(embedded_files(), &mut problems);
        let own = match overrides {
            Some(folder) => parse(files_below(folder, &mut problems), &mut problems),
            None => BTreeMap::new(),
        };
        let mut loaded = Vec::new();
        for (id, file) in &built_in {
            if !own.contains_key(id) {
                loaded.push(read(file, &[&built_in], &mut problems));
            }
        }
        for file in own.values() {
            loaded.push(read(file, &[&built_in, &own], &mut problems));
        }
        let models: Vec<(Place, Model)> = loaded.into_iter().flatten().collect();
        Self::of(models, problems)
    }

    /// The model with this id or alias.
    pub fn find(&self, id_or_alias: &str) -> Option<&Arc<Model>> {
        self.models.get(*self.by_id.get(id_or_alias)?)
    }

    /// Every model, by id.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The models that their makers have not retired: what there is to be called.
    pub fn current(&self) -> impl Iterator<Item = &Arc<Model>> {
        let models = self.models.iter();
        models.filter(|model| model.status != Status::Retired)
    }

    /// Puts models together, in the order they were read, and checks what only shows between them.
    fn of(mut models: Vec<(Place, Model)>, mut problems: Vec<Problem>) -> Result<Self, Problems> {
        problems.extend(between(&models));
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        models.sort_by(|(_, left), (_, right)| left.id.cmp(&right.id));
        let mut by_id = HashMap::new();
        for (index, (_, model)) in models.iter().enumerate() {
            by_id.extend(ids(model).map(|id| (id.clone(), index)));
        }
        let models = models
            .into_iter()
            .map(|(_, model)| Arc::new(model))
            .collect();
        Ok(Self { models, by_id })
    }
}

/// Every id that means this model.
fn ids(model: &Model) -> impl Iterator<Item = &String> {
    model.aliases.iter().chain([&model.id])
}

/// No id means two models or the schema of another, and every replacement exists. The model that was read later is at fault.
fn between(models: &[(Place, Model)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut known = HashSet::new();
    for (place, model) in models {
        for id in ids(model).filter(|id| !known.insert(id.as_str())) {
            problems.push(Problem {
                place: place.clone(),
                reason: format!("another model is already called `{id}`"),
            });
        }
    }
    for (place, model) in models {
        let of_others = ids(model).filter(|id| {
            id.strip_suffix("/schema")
                .is_some_and(|id| known.contains(id))
        });
        for id in of_others {
            problems.push(Problem {
                place: place.clone(),
                reason: format!("`{id}` is the address of another model's schema"),
            });
        }
        let replacement = model.replacement.as_deref();
        if let Some(id) = replacement.filter(|id| !known.contains(id)) {
            problems.push(Problem {
                place: place.clone(),
                reason: format!("the replacement `{id}` is not in the catalogue"),
            });
        }
    }
    problems
}

/// The model files that are compiled in. (A debug build reads them from the source tree.)
#[derive(rust_embed::Embed)]
#[folder = "catalogue/"]
struct Embedded;

fn embedded_files() -> Vec<(String, String)> {
    Embedded::iter()
        .filter(|path| path.ends_with(".toml"))
        .filter_map(|path| {
            let text = String::from_utf8_lossy(&Embedded::get(&path)?.data).into_owned();
            Some((format!("catalogue/{path}"), text))
        })
        .collect()
}

/// Files by the id of their model; two files of one folder cannot describe the same one.
fn parse(files: Vec<(String, String)>, problems: &mut Vec<Problem>) -> BTreeMap<String, ModelFile> {
    let mut by_id: BTreeMap<String, ModelFile> = BTreeMap::new();
    for (name, text) in files {
        let file = match ModelFile::parse(&name, &text) {
            Ok(file) => file,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        if let Some(earlier) = by_id.get(file.id()) {
            problems.push(Problem {
                reason: format!(
                    "the model `{}` is already described in {}",
                    file.id(),
                    earlier.start().file
                ),
                place: file.start(),
            });
            continue;
        }
        by_id.insert(file.id().to_owned(), file);
    }
    by_id
}

/// One file as a model. What it extends is looked up in the built-in files first, so that an override can
/// extend the very model it replaces.
fn read(
    file: &ModelFile,
    bases: &[&BTreeMap<String, ModelFile>],
    problems: &mut Vec<Problem>,
) -> Option<(Place, Model)> {
    let base = match file.extends() {
        None => None,
        Some(id) => match bases.iter().find_map(|files| files.get(id)) {
            Some(base) if base.extends().is_none() && base.start() != file.start() => Some(base),
            _ => {
                problems.push(Problem {
                    place: file.start(),
                    reason: format!("`extends` names `{id}`, which is no other whole model file"),
                });
                return None;
            }
        },
    };
    match file.model(base) {
        Ok(model) => Some((file.start(), model)),
        Err(more) => {
            problems.extend(more);
            None
        }
    }
}

#[cfg(test)]
mod tests;
