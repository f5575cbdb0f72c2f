//! A call that is described and not made: what `snippet` and `quote` have in common.

use super::failure::{Failure, Outcome};
use super::generate::body;
use super::models;
use crate::catalogue::snippet::Example;
use crate::types::{Modality, Operation};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Args)]
pub(super) struct Call {
    /// The model: an id or an alias of `pinhole models`
    model: String,
    /// A parameter of the model, repeatable; `pinhole models show MODEL` lists them
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = body::pair)]
    parameters: Vec<(String, Value)>,
    /// How many pictures [default: the model's, mostly 1]
    #[arg(short, value_name = "COUNT")]
    n: Option<u32>,
    /// An edit of input images, for a model that also makes pictures from words
    #[arg(long)]
    pub(super) edit: bool,
}

impl Call {
    /// The model's card among all of them.
    pub(super) fn card<'a>(&self, cards: &'a [Value]) -> Outcome<&'a Value> {
        let card = models::find(cards, &self.model)?;
        if matches!(modality(card), Some(Modality::Image | Modality::Text)) {
            return Ok(card);
        }
        let what = format!(
            "{} makes neither pictures nor texts",
            models::text(&card["id"])
        );
        Err(Failure::usage(what)
            .why("this command knows no other calls")
            .fix("`pinhole models` says what each makes"))
    }

    /// What is asked of the model.
    pub(super) fn operation(&self, card: &Value) -> Outcome<Operation> {
        let can = |operation: Operation| {
            let mut names = card["operations"].as_array().into_iter().flatten();
            names.any(|name| name == operation.name())
        };
        match (self.edit, can(Operation::Generate)) {
            (true, _) if !can(Operation::Edit) => {
                let what = format!("{} edits no images", models::text(&card["id"]));
                Err(Failure::usage(what)
                    .why("it does not have that operation")
                    .fix("leave out --edit and --mask; `pinhole models` says what each can do"))
            }
            (false, true) => Ok(Operation::Generate),
            _ => Ok(Operation::Edit),
        }
    }

    /// The example of a form for this call, with the values that were given.
    pub(super) fn example(&self, card: &Value, form: &Value) -> Outcome<Example> {
        let given = self.given(form)?;
        let operation = self.operation(card)?;
        Ok(Example::of(
            &models::text(&card["id"]),
            modality(card).unwrap_or_default(),
            form,
            operation,
            &given,
        ))
    }

    /// The values of the flags, each name once.
    fn given(&self, form: &Value) -> Outcome<Vec<(String, Value)>> {
        let is_picture = |name: &str| {
            let mut entries = form.as_array().into_iter().flatten();
            entries.any(|entry| {
                entry["name"] == name && (entry["kind"] == "image" || entry["kind"] == "images")
            })
        };
        let mut given: Vec<(String, Value)> = Vec::new();
        let n = self.n.map(|n| ("n".to_owned(), json!(n)));
        for (name, value) in n.into_iter().chain(self.parameters.iter().cloned()) {
            if name == "model" || given.iter().any(|(earlier, _)| *earlier == name) {
                return Err(body::given_twice(&name));
            }
            if body::is_ours(&name, &value) || name == "image" || is_picture(&name) {
                return Err(Failure::usage(format!("`{name}` has no meaning here"))
                    .why("an example waits for the whole answer, and names its own files")
                    .fix("leave it out; `-i` of `pinhole snippet` names input images"));
            }
            given.push((name, value));
        }
        Ok(given)
    }
}

/// What a model makes, by its card.
pub(super) fn modality(card: &Value) -> Option<Modality> {
    Modality::deserialize(&card["modality"]).ok()
}
