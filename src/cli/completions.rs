//! `pinhole completions` and `pinhole man`: what shells and manuals read of the command line.
//!
//! A completion script is three lines: it asks the program itself what could come next, so that it knows the models and
//! parameters of the catalogue as it is, and never is out of date.

use super::failure::{Failure, Outcome};
use super::out;
use super::place::variable;
use clap::{Args, Command, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use std::ffi::OsString;
use std::path::PathBuf;

/// The variable by which a script asks.
pub(super) const VARIABLE: &str = "PINHOLE_COMPLETE";

/// What was typed so far, where a script asks: it stands behind `--`.
pub(super) fn typed(arguments: &[OsString]) -> &[OsString] {
    let behind = arguments.iter().position(|argument| argument == "--");
    match behind.filter(|_| variable(VARIABLE).is_some()) {
        Some(at) => &arguments[at + 1..],
        None => arguments,
    }
}

#[derive(Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    /// eval "$(pinhole completions bash)" in ~/.bashrc
    Bash,
    /// eval "$(pinhole completions zsh)" in ~/.zshrc, after compinit
    Zsh,
    /// pinhole completions fish | source, in ~/.config/fish/config.fish
    Fish,
}

#[derive(Args)]
pub(super) struct Man {
    /// Write a page for each command into this folder [default: print the first one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    pub(super) fn run(&self) -> Outcome {
        let shell: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        };
        let mut script = Vec::new();
        let written =
            shell.write_registration(VARIABLE, "pinhole", "pinhole", "pinhole", &mut script);
        written.map_err(|error| Failure::failed("there is no script").why(error.to_string()))?;
        out::bytes(&script)
    }
}

impl Man {
    pub(super) fn run(&self, command: Command) -> Outcome {
        let failed = |error: std::io::Error| {
            Failure::failed("the pages could not be written")
                .why(error.to_string())
                .fix("name a folder that you may write to with --dir")
        };
        let Some(folder) = &self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(failed)?;
            return out::bytes(&page);
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(command, folder).map_err(failed)?;
        out::print(&folder.display().to_string())?;
        out::note(&format!("  Next:  man {}/pinhole.1", folder.display()));
        Ok(())
    }
}
