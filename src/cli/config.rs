//! `pinhole config`.

use super::failure::{Failure, Outcome};
use super::out;
use super::place::Place;
use super::table::{Column, table_or_list};
use crate::catalogue::Catalogue;
use crate::config::{Loaded, Settings, Surroundings, default_file};
use crate::provider::Providers;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show every setting as it is now, without secrets
    Show {
        /// Also where each value came from: flag, variable, file and line, or default
        #[arg(long)]
        origin: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a configuration file that explains every setting and sets none
    Init {
        /// Write it there instead; an existing file stays [default: stdout]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check file, variables, model files and providers; exit code 1 if something is wrong
    Check,
    /// Say which configuration file and which data folder are used
    Path {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Config {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        match &self.command {
            Command::Show { origin, json } => show(&place.load()?, *origin, *json),
            Command::Init { output: None } => out::print(default_file().trim_end()),
            Command::Init { output: Some(path) } => write_new(path),
            Command::Check => check(place).map_err(Failure::found),
            Command::Path { json } => path(&place.load()?, *json),
        }
    }
}

fn show(loaded: &Loaded, origin: bool, json: bool) -> Outcome {
    warn(loaded);
    if json {
        let all = loaded.origins.iter().map(
            |one| json!({"name": one.name, "value": one.value, "origin": one.origin.to_string()}),
        );
        return out::json(&all.collect());
    }
    let rows: Vec<Vec<String>> = loaded
        .origins
        .iter()
        .map(|one| {
            let value = if one.value.is_empty() {
                "(none)"
            } else {
                &one.value
            };
            let mut row = vec![one.name.clone(), value.to_owned()];
            row.extend(origin.then(|| one.origin.to_string()));
            row
        })
        .collect();
    let columns = ["SETTING", "VALUE", "FROM"].map(Column::text);
    table_or_list(&columns[..if origin { 3 } else { 2 }], &rows)
}

fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        out::note(&format!("warning: {warning}"));
    }
}

/// Everything that `serve` would refuse, without starting anything.
fn check(place: &Place) -> Outcome {
    let loaded = place.load()?;
    warn(&loaded);
    let catalogue = Catalogue::load(loaded.settings.catalogue.as_deref())
        .map_err(|error| crate::app::StartError::Catalogue(error.to_string()))?;
    Providers::from_settings(&loaded.settings.providers)
        .map_err(crate::app::StartError::Provider)?;
    let file = loaded.file.as_ref();
    let file = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    out::print(&format!(
        "ok: {file}; {}, {}, {}",
        out::count(catalogue.models().len(), "model"),
        out::count(loaded.settings.providers.len(), "configured provider"),
        out::count(loaded.warnings.len(), "warning")
    ))
}

fn path(loaded: &Loaded, json: bool) -> Outcome {
    let Settings {
        data, catalogue, ..
    } = &loaded.settings;
    let places = Surroundings::of_process().places;
    if json {
        return out::json(&json!({
            "config": loaded.file, "looked_for": places, "data": data, "catalogue": catalogue,
        }));
    }
    let looked: Vec<_> = places
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let none = || format!("(none; looked for {})", looked.join(" and "));
    let shown = |path: &PathBuf| path.display().to_string();
    out::pairs(&[
        ("config", loaded.file.as_ref().map_or_else(none, shown)),
        ("data", shown(data)),
        (
            "catalogue",
            catalogue
                .as_ref()
                .map_or_else(|| "(built in)".to_owned(), shown),
        ),
    ])
}

fn write_new(path: &Path) -> Outcome {
    let written = std::fs::File::create_new(path)
        .and_then(|mut file| file.write_all(default_file().as_bytes()));
    written.map_err(|error| {
        Failure::failed(format!("{} was not written", path.display()))
            .why(error.to_string())
            .fix("name another file with -o, or leave it out to print to stdout")
    })?;
    out::print(&path.display().to_string())?;
    out::note(
        "Every setting stands in it as a comment. `pinhole config check` tells whether it is right.",
    );
    Ok(())
}
