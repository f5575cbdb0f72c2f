//! The arguments: which model they name, what flags there are because of it, and what is wrong with them, in our words.

use super::failure::{Exit, Failure};
use super::generate::flags;
use super::models;
use super::place::{self, Place};
use crate::catalogue::Catalogue;
use crate::config::Settings;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The model of a call that names none.
pub(super) const DEFAULT_MODEL: &str = "gpt-image-2";

/// Commands that take the parameters of a model as flags; of a command with commands of its own, which one.
const TAKE_PARAMETERS: &[(&str, Option<&str>)] = &[
    ("generate", None),
    ("edit", None),
    ("compare", None),
    ("task", Some("submit")),
];

/// The whole command line for these arguments.
pub(super) fn command(whole: Command, arguments: &[OsString]) -> Command {
    let settings = Settings::load(&place(arguments).flags()).map(|loaded| loaded.settings);
    let catalogue = catalogue(
        settings
            .ok()
            .and_then(|settings| settings.catalogue)
            .as_deref(),
    );
    let card = takes_parameters(arguments)
        .then(|| models::known(&place(arguments), &model(arguments)))
        .flatten();
    let complete = |command: Command| {
        let ids = flags::model_ids(&catalogue);
        let known = |command: &Command| {
            command
                .get_arguments()
                .any(|argument| argument.get_id() == "model")
        };
        let command = if known(&command) {
            command.mut_arg("model", |it: Arg| it.add(ids))
        } else {
            command
        };
        match &card {
            Some(card) => flags::add(command, card, catalogue.find(&models::text(&card["id"]))),
            None => command,
        }
    };
    let mut whole = negatives_are_values(whole);
    for (name, inner) in TAKE_PARAMETERS {
        whole = match inner {
            None => whole.mut_subcommand(name, complete),
            Some(inner) => whole.mut_subcommand(name, |it| it.mut_subcommand(inner, complete)),
        };
    }
    for name in ["quote", "snippet"] {
        let ids = flags::model_ids(&catalogue);
        whole = whole.mut_subcommand(name, |it| it.mut_arg("model", |it: Arg| it.add(ids)));
    }
    for name in ["show", "schema"] {
        let ids = flags::model_ids(&catalogue);
        whole = whole.mut_subcommand("models", |it| {
            it.mut_subcommand(name, |it| it.mut_arg("id", |it: Arg| it.add(ids)))
        });
    }
    whole
}

/// `-5` is a number that is not possible, and no option that nobody knows.
fn negatives_are_values(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        if argument.get_action().takes_values() {
            argument.allow_negative_numbers(true)
        } else {
            argument
        }
    });
    command.mut_subcommands(negatives_are_values)
}

/// The model whose parameters are flags.
fn model(arguments: &[OsString]) -> String {
    value(arguments, "-m", "--model").unwrap_or_else(|| DEFAULT_MODEL.to_owned())
}

/// Whether the command is one that has flags from a model: only then is a server worth asking.
fn takes_parameters(arguments: &[OsString]) -> bool {
    let said = |name: &str| arguments.iter().skip(1).any(|argument| argument == name);
    let is_meant = |(name, inner): &(&str, Option<&str>)| {
        (said(name) || (*name == "generate" && said("gen"))) && inner.is_none_or(said)
    };
    TAKE_PARAMETERS.iter().any(is_meant)
}

/// Where the command will work.
fn place(arguments: &[OsString]) -> Place {
    Place::new(
        value(arguments, "--data", "--data").map(PathBuf::from),
        value(arguments, "--config", "--config").map(PathBuf::from),
    )
}

/// The models of the configuration that the arguments name. A configuration that cannot be read is told when the command
/// runs; until then the built-in ones do.
fn catalogue(own: Option<&Path>) -> Catalogue {
    Catalogue::load(own)
        .or_else(|_| Catalogue::load(None))
        .unwrap_or_default()
}

/// What follows an option, in any of its four spellings. The first counts: of several models (`compare`) the flags are
/// the first one's.
fn value(arguments: &[OsString], short: &str, long: &str) -> Option<String> {
    let mut texts = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(text) = texts.next() {
        if text == "--" {
            return None;
        }
        if text == short || text == long {
            return texts.next().map(str::to_owned);
        }
        if let Some(value) = text
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return Some(value.to_owned());
        }
        let is_short = short.len() == 2 && !text.starts_with("--");
        if let Some(value) = text
            .strip_prefix(short)
            .filter(|value| is_short && !value.is_empty())
        {
            return Some(value.trim_start_matches('=').to_owned());
        }
    }
    None
}

/// Parses. Help and versions are printed, which ends the program; faults are told in our three parts.
pub(super) fn parse(command: Command, arguments: &[OsString]) -> Result<ArgMatches, Failure> {
    command
        .try_get_matches_from(arguments)
        .map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let exit = if error.use_stderr() {
                    Exit::Usage
                } else {
                    Exit::Done
                };
                // A reader that has gone (`| head`) is no failure.
                let _ = error.print();
                Failure::Said(exit)
            }
            _ => told(&error, arguments),
        })
}

fn told(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let text = |kind| error.get(kind).map(plain).unwrap_or_default();
    let argument = text(ContextKind::InvalidArg);
    let failure = match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            Failure::usage(format!("there is no option `{argument}` here"))
        }
        ErrorKind::UnknownArgument => Failure::usage(format!("`{argument}` is one word too many"))
            .why("a text of several words stands in quotes"),
        ErrorKind::InvalidSubcommand => Failure::usage(format!(
            "there is no command `{}`",
            text(ContextKind::InvalidSubcommand)
        )),
        ErrorKind::MissingRequiredArgument => Failure::usage(format!("{argument} is missing")),
        ErrorKind::MissingSubcommand => Failure::usage("a command is missing"),
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue).is_empty() => {
            Failure::usage(format!("{argument} needs a value"))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => Failure::usage(format!(
            "`{}` is not possible for {argument}",
            text(ContextKind::InvalidValue)
        )),
        _ => Failure::usage(first_line(error)),
    };
    let failure = why(error, failure);
    match suggestion(error) {
        Some(meant) => failure.fix(format!("did you mean `{meant}`?")),
        None if argument.starts_with("--") && takes_parameters(arguments) => {
            of_a_model(failure, error, arguments)
        }
        None => failure.fix(help_of(arguments)),
    }
}

/// A flag that may be a model's, of one that takes it or is not known here.
fn of_a_model(failure: Failure, error: &clap::Error, arguments: &[OsString]) -> Failure {
    let model = model(arguments);
    let is_unknown = error.kind() == ErrorKind::UnknownArgument;
    if !is_unknown || models::known(&place(arguments), &model).is_some() {
        return failure.fix(help_of(arguments));
    }
    let asked = place::server().map_or_else(
        || "this machine's catalogue does not have it".to_owned(),
        |url| format!("neither {url} nor this machine's catalogue told of it"),
    );
    failure
        .why(format!(
            "the parameters of `{model}` are not known: {asked}"
        ))
        .fix("`-p NAME=VALUE` passes a parameter unchecked; `pinhole models` lists the models")
}

fn why(error: &clap::Error, failure: Failure) -> Failure {
    if let Some(source) = std::error::Error::source(error) {
        return failure.why(source.to_string());
    }
    match (
        error.kind(),
        error.get(ContextKind::ValidValue),
        error.get(ContextKind::Usage),
    ) {
        (ErrorKind::InvalidValue, Some(values), _) => {
            failure.why(format!("it takes {}", plain(values)))
        }
        (ErrorKind::MissingRequiredArgument, _, Some(usage)) => {
            let usage = plain(usage);
            failure.why(usage.trim_start_matches("Usage:").trim().to_owned())
        }
        _ => failure,
    }
}

/// The help of the command that was meant, as deep as it was named.
fn help_of(arguments: &[OsString]) -> String {
    let mut known = super::commands();
    let mut path = vec!["pinhole".to_owned()];
    for word in arguments
        .iter()
        .skip(1)
        .filter_map(|argument| argument.to_str())
    {
        if word == "--" {
            break;
        }
        if let Some(found) = known.find_subcommand(word) {
            path.push(found.get_name().to_owned());
            known = found.clone();
        }
    }
    format!("`{} --help` shows what there is", path.join(" "))
}

fn suggestion(error: &clap::Error) -> Option<String> {
    let kinds = [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
    ];
    match kinds.into_iter().find_map(|kind| error.get(kind))? {
        // An alias and its command: the longer one says more.
        ContextValue::Strings(all) => all.iter().max_by_key(|name| name.len()).cloned(),
        other => Some(plain(other)),
    }
}

fn plain(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.join(", "),
        other => other.to_string(),
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_in_every_spelling() {
        let find = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            value(&arguments, "-m", "--model")
        };
        for line in [
            "gen fox -m sketch",
            "gen -msketch fox",
            "gen -m=sketch",
            "gen --model sketch",
            "gen --model=sketch",
        ] {
            assert_eq!(find(line).as_deref(), Some("sketch"), "{line}");
        }
        for line in ["gen fox", "gen --mask sketch", "gen -- -m sketch", "gen -m"] {
            assert_eq!(find(line), None, "{line}");
        }
    }
}
