//! `pinhole snippet`: a call to a model as code.

use super::call::{Call, modality};
use super::failure::Outcome;
use super::place::{self, Place};
use super::{models, out, price};
use crate::catalogue::snippet::{Example, Language, snippet};
use crate::types::Modality;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

#[derive(Args)]
pub(super) struct Snippet {
    #[command(flatten)]
    call: Call,
    /// What the example is written in
    #[arg(short, long, value_name = "LANGUAGE", default_value = "curl", value_parser = languages())]
    lang: Language,
    /// An input image, repeatable: of an edit, or of a question to a model of text [default: the files of the model's own example]
    #[arg(short, long = "image", value_name = "FILE")]
    images: Vec<String>,
    /// The mask of the edit: a PNG of the first image's size, transparent where it is repainted
    #[arg(long, value_name = "FILE")]
    mask: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn languages() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::ALL.map(Language::name)).map(|name| {
        // The parser has let nothing else through.
        Language::from_name(&name).unwrap_or(Language::Curl)
    })
}

impl Snippet {
    pub(super) fn run(mut self, place: &Place) -> Outcome {
        let cards = models::cards(place)?;
        let card = self.call.card(&cards)?;
        let is_text = modality(card) == Some(Modality::Text);
        if (!self.images.is_empty() && !is_text) || self.mask.is_some() {
            self.call.edit = true;
        }
        let mut example = self.call.example(card, &card["form_schema"])?;
        if !self.images.is_empty() {
            example.images.clone_from(&self.images);
        }
        example.mask = self.mask.clone().or(example.mask);
        self.check(place, &example)?;
        let base_url = place::base_url(place)?;
        let code = snippet(&example, self.lang, &base_url);
        if self.json {
            return out::json(&json!({
                "model": example.model,
                "operation": example.operation,
                "language": self.lang.name(),
                "base_url": base_url,
                "snippet": code,
            }));
        }
        out::text(&code)
    }

    /// A call that the model refuses is no example; one that only nobody serves at the moment is.
    fn check(&self, place: &Place, example: &Example) -> Outcome {
        match price::of(place, &example.body()) {
            Err(failure) if !failure.is_unavailable_model() => Err(failure),
            _ => Ok(()),
        }
    }
}
