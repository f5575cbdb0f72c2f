//! Flags that come from a model's form: `--size` and `--quality` for a model that has these parameters.
//!
//! The model is looked for among the arguments before they are parsed. Its values are checked where all values are, by the
//! schema, so that every fault is told at once; the flags only carry them.

use crate::catalogue::snippet::read_argument;
use crate::catalogue::{Catalogue, Model};
use crate::cli::models::{takes, text};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What tells our arguments from those of the command.
const PREFIX: &str = "parameter:";

/// The values of these flags, by parameter.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Flags(pub(super) Vec<(String, Value)>);

/// None by themselves: [`add`] knows the model.
impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let ids = matches.ids().map(clap::Id::as_str);
        self.0 = ids
            .filter_map(|id| {
                let name = id.strip_prefix(PREFIX)?;
                let is_said = matches.value_source(id) == Some(ValueSource::CommandLine);
                let value = matches.get_one::<Value>(id).filter(|_| is_said)?;
                Some((name.to_owned(), value.clone()))
            })
            .collect();
        Ok(())
    }
}

/// The command with a flag for each parameter of the model that has none yet. Pictures come from `-i` and `--mask`. The
/// card may be a server's; what else a parameter is called, only the catalogue of this machine knows.
pub(in crate::cli) fn add(command: Command, card: &Value, model: Option<&Arc<Model>>) -> Command {
    let mut taken: BTreeSet<String> = command
        .get_arguments()
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .chain(OURS.iter().map(|name| (*name).to_owned()))
        .collect();
    let heading = format!("Parameters of {}", text(&card["id"]));
    let aliases = |name: &str| {
        let parameter = model.and_then(|model| model.parameter(name));
        parameter.map_or_else(Vec::new, |it| it.aliases.clone())
    };
    let entries = card["form_schema"].as_array().into_iter().flatten();
    let flags: Vec<Arg> = entries
        .filter(|entry| !matches!(entry["kind"].as_str(), Some("image" | "images" | "object")))
        .filter_map(|entry| {
            let aliases = aliases(entry["name"].as_str()?);
            flag(entry, aliases, &mut taken)
        })
        .collect();
    let command = command.mut_arg("model", |argument| argument.help_heading(None::<&str>));
    command.next_help_heading(heading).args(flags)
}

/// Names that are said in another way, or are everybody's.
const OURS: &[&str] = &[
    "n",
    "prompt",
    "model",
    "partial-images",
    "stream",
    "help",
    "version",
    "data",
    "config",
];

fn flag(entry: &Value, mut aliases: Vec<String>, taken: &mut BTreeSet<String>) -> Option<Arg> {
    let name = entry["name"].as_str()?;
    let long = name.replace('_', "-");
    if !taken.insert(long.clone()) {
        return None;
    }
    aliases.push(name.to_owned());
    aliases.extend(aliases.clone().iter().map(|alias| alias.replace('_', "-")));
    aliases.retain(|alias| taken.insert(alias.clone()));
    let is_text = entry["type"] == "string";
    let argument = Arg::new(format!("{PREFIX}{name}"))
        .long(long)
        .aliases(aliases)
        .value_name(value_name(entry))
        .help(help(entry))
        .value_parser(move |text: &str| Ok::<Value, String>(read(text, is_text)));
    Some(match entry["kind"].as_str() {
        Some("boolean") => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .add(candidates(vec!["true".to_owned(), "false".to_owned()])),
        Some("enum") => argument.add(candidates(options(entry))),
        _ => argument,
    })
}

/// A text stays one, whatever it looks like.
fn read(text: &str, is_text: bool) -> Value {
    if is_text {
        json!(text)
    } else {
        read_argument(text)
    }
}

fn options(entry: &Value) -> Vec<String> {
    let options = entry["enum"].as_array().into_iter().flatten();
    options.map(|option| text(&option["value"])).collect()
}

fn candidates(values: Vec<String>) -> ArgValueCandidates {
    ArgValueCandidates::new(move || values.iter().map(CompletionCandidate::new).collect())
}

/// A choice shows what there is to choose from, if it is short.
fn value_name(entry: &Value) -> String {
    let choice = options(entry).join("|");
    match entry["kind"].as_str() {
        Some("enum") if choice.len() <= MOST_NAMED && entry["also"].is_null() => choice,
        Some("integer" | "number") => "NUMBER".to_owned(),
        Some("boolean") => "true|false".to_owned(),
        Some("string") => "TEXT".to_owned(),
        _ => "VALUE".to_owned(),
    }
}

/// Longer choices stand in the words.
const MOST_NAMED: usize = 40;

fn help(entry: &Value) -> String {
    let mut help = entry["description"].as_str().unwrap_or_default().to_owned();
    if value_name(entry) == "VALUE" || matches!(entry["kind"].as_str(), Some("integer" | "number"))
    {
        help += &format!(" ({})", takes(entry));
    }
    if !entry["default"].is_null() {
        help += &format!(" [default: {}]", text(&entry["default"]));
    }
    help
}

/// The ids of the models, for completion.
pub(in crate::cli) fn model_ids(catalogue: &Catalogue) -> ArgValueCandidates {
    let models = catalogue.models().iter();
    let known: Vec<(String, String)> = models
        .map(|model| (model.id.clone(), model.name.clone()))
        .collect();
    ArgValueCandidates::new(move || {
        let one = |(id, name): &(String, String)| {
            CompletionCandidate::new(id).help(Some(name.clone().into()))
        };
        known.iter().map(one).collect()
    })
}
