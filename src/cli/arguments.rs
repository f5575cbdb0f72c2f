//! The arguments: which model they name, what flags there are because of it, and what is wrong with them, in our words.

use super::failure::{Exit, Failure};
use super::generate::flags;
use crate::catalogue::Catalogue;
use crate::config::{Flags, Settings};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;

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
    let catalogue = catalogue(arguments);
    let named = value(arguments, "-m", "--model").unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let model = catalogue.find(&named).cloned();
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
        match &model {
            Some(model) => flags::add(command, model),
            None => command,
        }
    };
    let mut whole = whole;
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

/// The models of the configuration that the arguments name. A configuration that cannot be read is told when the command
/// runs; until then the built-in ones do.
fn catalogue(arguments: &[OsString]) -> Catalogue {
    let flags = Flags {
        config: value(arguments, "--config", "--config").map(PathBuf::from),
        data: value(arguments, "--data", "--data"),
        ..Flags::default()
    };
    let own = Settings::load(&flags)
        .ok()
        .and_then(|loaded| loaded.settings.catalogue);
    Catalogue::load(own.as_deref())
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
        ErrorKind::UnknownArgument => {
            Failure::usage(format!("there is no option `{argument}` here"))
        }
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
        None => failure.fix(help_of(arguments, error)),
    }
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

/// The help of the command that was meant, as far as it was.
fn help_of(arguments: &[OsString], error: &clap::Error) -> String {
    let usage = error.get(ContextKind::Usage).map(plain).unwrap_or_default();
    let of_usage: Vec<&str> = usage
        .split_whitespace()
        .skip(1)
        .take_while(|word| word.starts_with(|first: char| first.is_ascii_lowercase()))
        .collect();
    if of_usage.len() > 1 {
        return format!("`{} --help` shows what there is", of_usage.join(" "));
    }
    let first = arguments
        .iter()
        .skip(1)
        .filter_map(|argument| argument.to_str());
    let first = first
        .take_while(|word| word.starts_with(|first: char| first.is_ascii_lowercase()))
        .next();
    match (error.kind(), first) {
        (ErrorKind::InvalidSubcommand, _) | (_, None) => {
            "`pinhole --help` shows what there is".to_owned()
        }
        (_, Some(command)) => format!("`pinhole {command} --help` shows what there is"),
    }
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
