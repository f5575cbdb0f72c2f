//! `pinhole edit`: a picture becomes another one.

use super::body::Inputs;
use super::{Output, generate};
use crate::cli::arguments::DEFAULT_MODEL;
use crate::cli::failure::Outcome;
use crate::cli::place::Place;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub(in crate::cli) struct Edit {
    /// The picture: a PNG, JPEG or WebP file, or `-` for stdin
    file: PathBuf,
    /// What is to change
    prompt: String,
    /// The model: an id or an alias of `pinhole models`
    #[arg(short, long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: String,
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    output: Output,
}

impl Edit {
    pub(in crate::cli) fn run(mut self, place: &Place) -> Outcome {
        self.inputs.images.insert(0, self.file);
        generate(place, &self.model, &self.prompt, &self.inputs, &self.output)
    }
}
