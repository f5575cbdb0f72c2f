//! The command line: arguments in, words and an exit code out.
//!
//! Data goes to stdout, everything else to stderr. A command that needs the engine runs it on the data folder, or talks
//! HTTP to the server that holds the folder; administration opens the rows directly, whether or not a server runs.

mod serve;

use crate::config::{Flags, LogFormat, Settings};
use crate::failpoint;
use clap::{Args, Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// A self-hosted gateway for generative media.
#[derive(Parser)]
#[command(
    name = "pinhole",
    version,
    arg_required_else_help = true,
    propagate_version = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server.
    Serve(serve::Serve),
}

/// Where the settings come from; every command takes these.
#[derive(Args, Clone, Debug, Default)]
struct Place {
    /// The data folder [default: $XDG_DATA_HOME/pinhole].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn flags(&self) -> Flags {
        Flags {
            data: self
                .data
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            config: self.config.clone(),
            ..Flags::default()
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    failpoint::arm();
    let cli = Cli::parse();
    // One cryptography for the whole process; a second call would only find it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = match cli.command {
        Command::Serve(command) => serve::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::FAILURE
        }
    }
}

/// Starts the logs: to stderr, as the settings say.
fn start_logs(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let mut logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if !std::io::stderr().is_terminal() {
        logs = logs.with_ansi(false);
    }
    match settings.log_format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Text => logs.init(),
    }
}

/// The runtime. Its blocking pool syncs files and draws: more threads than this make syncs wait for each other
/// (measured: 16 write twice as many files a second as 64), and each keeps memory of its own.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(16)
        .enable_all()
        .build()
}
