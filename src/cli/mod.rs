//! The command line: arguments in, words and an exit code out.
//!
//! Data goes to stdout, everything else to stderr. A command that needs the engine runs it on the data folder, or talks
//! HTTP to the server that holds the folder; administration opens the rows directly, whether or not a server runs.

mod accounts;
mod arguments;
mod backup;
mod call;
mod compare;
mod completions;
mod config;
mod credits;
mod doctor;
mod failure;
mod generate;
mod health;
mod keys;
mod ledger;
mod logs;
mod models;
mod out;
mod place;
mod price;
mod providers;
mod quote;
mod remote;
mod serve;
mod snippet;
mod table;
mod task;
mod terminal;
mod usage;
mod webhook;

use crate::config::Surroundings;
use crate::failpoint;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::CompleteEnv;
use failure::{Failure, Outcome};
use place::Place;
use std::ffi::OsString;
use std::process::ExitCode;

/// A self-hosted gateway for generative media.
#[derive(Parser)]
#[command(
    name = "pinhole",
    version,
    disable_help_subcommand = true,
    after_help = "Data goes to stdout, everything else to stderr.\n\
        Exit codes: 0 ok, 1 failed, 2 usage, 3 key refused, 4 insufficient credits, 5 upstream, \
        6 timeout or cancelled, 130 interrupted.\n\
        PINHOLE_URL and PINHOLE_API_KEY name a server and a key; without them, commands work on the data folder."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server
    Serve(serve::Serve),
    /// Make pictures and save them
    #[command(visible_alias = "gen")]
    Generate(generate::Generate),
    /// Change a picture, or a part of it
    Edit(generate::edit::Edit),
    /// Give one prompt to several models, with a table of time and cost
    Compare(compare::Compare),
    /// List the models, their parameters and prices
    Models(models::Models),
    /// List the providers that are on, where they call and what they serve
    Providers(providers::Show),
    /// Show a call to a model as code: curl, Python, JavaScript or this command line
    Snippet(snippet::Snippet),
    /// Say what a call costs, and why
    #[command(visible_alias = "price")]
    Quote(quote::Quote),
    /// Start, follow, list and cancel tasks
    Task(task::Task),
    /// Make, list, revoke and import API keys
    Keys(keys::Keys),
    /// Make and list accounts
    Accounts(accounts::Accounts),
    /// Show and grant credits
    Credits(credits::Credits),
    /// Show what one account has
    Balance(credits::ShowBalance),
    /// Show what one account used
    Usage(usage::ShowUsage),
    /// Audit the books
    Ledger(ledger::Ledger),
    /// Try, list and repeat callbacks, and show what signs them
    Webhook(webhook::Webhook),
    /// Show, check and begin a configuration file
    Config(config::Config),
    /// Look at everything that a server needs, and say what to do about it
    Doctor(doctor::Doctor),
    /// Say whether a server takes work; exit code 0 or 1
    Health(health::Health),
    /// Copy rows and pictures while a server runs, and check the copy
    Backup(backup::Backup),
    /// Make a data folder from a backup
    Restore(backup::restore::Restore),
    /// Print a script that lets a shell complete commands, models and parameters
    Completions(completions::Completions),
    /// Print the manual, or write a page for each command
    Man(completions::Man),
}

/// Runs the program.
pub fn main() -> ExitCode {
    failpoint::arm();
    let arguments = Surroundings::arguments();
    // One cryptography for the whole process; a second call would only find it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A shell that asks what could come next is answered, and that is the end of it.
    let typed = completions::typed(&arguments);
    CompleteEnv::with_factory(|| arguments::command(Cli::command(), typed))
        .var(completions::VARIABLE)
        .complete();
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(failure) => return failure.report(),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// The commands by themselves, without what a model adds.
fn commands() -> clap::Command {
    Cli::command()
}

fn parse(arguments: &[OsString]) -> Outcome<Cli> {
    let command = arguments::command(Cli::command(), arguments);
    let matches = arguments::parse(command, arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| Failure::usage(error.to_string()))
}

fn run(cli: Cli) -> Outcome {
    let place = &cli.place;
    match cli.command {
        None => welcome(),
        Some(Command::Serve(command)) => command.run(place),
        Some(Command::Generate(command)) => command.run(place),
        Some(Command::Edit(command)) => command.run(place),
        Some(Command::Compare(command)) => command.run(place),
        Some(Command::Models(command)) => command.run(place),
        Some(Command::Providers(command)) => command.run(place),
        Some(Command::Snippet(command)) => command.run(place),
        Some(Command::Quote(command)) => command.run(place),
        Some(Command::Task(command)) => command.run(place),
        Some(Command::Keys(command)) => command.run(place),
        Some(Command::Accounts(command)) => command.run(place),
        Some(Command::Credits(command)) => command.run(place),
        Some(Command::Balance(command)) => command.run(place),
        Some(Command::Usage(command)) => command.run(place),
        Some(Command::Ledger(command)) => command.run(place),
        Some(Command::Webhook(command)) => command.run(place),
        Some(Command::Config(command)) => command.run(place),
        Some(Command::Doctor(command)) => command.run(place),
        Some(Command::Health(command)) => command.run(place),
        Some(Command::Backup(command)) => command.run(place),
        Some(Command::Restore(command)) => command.run(place),
        Some(Command::Completions(command)) => command.run(),
        Some(Command::Man(command)) => command.run(Cli::command()),
    }
}

/// Without arguments: what to type. It starts nothing.
fn welcome() -> Outcome {
    out::print(
        "Pinhole, one small opening to every image model. To begin:\n  \
         pinhole generate \"a lighthouse\"   draws a picture, free\n  \
         pinhole serve                     starts the server\n  \
         pinhole --help                    shows everything else",
    )
}

/// Runs what a command does to its end.
fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = runtime()
        .map_err(|error| Failure::failed("the runtime did not start").why(error.to_string()))?;
    runtime.block_on(work)
}

/// The runtime. Its blocking pool syncs files and draws: more threads than this make syncs wait for each other
/// (measured: 16 write twice as many files a second as 64), and each keeps memory of its own.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(16)
        .enable_all()
        .build()
}
