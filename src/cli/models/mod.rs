//! `pinhole models`.

mod show;

pub(super) use show::{conditions_in_words, sources, takes};

use super::failure::{Failure, Outcome};
use super::place::{self, Place};
use super::remote::Server;
use super::table::{Column, table};
use super::{block_on, out};
use crate::app::StartError;
use crate::catalogue::{self, Catalogue, Model};
use crate::types::Money;
use crate::types::words::nearest;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to tell of a model before the call is made without it.
const SOON: Duration = Duration::from_secs(5);

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Models {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// List the models
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one model: its parameters with their ranges, its prices
    Show {
        /// Its id or an alias
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a model's form schema as JSON
    Schema {
        /// Its id or an alias
        id: String,
    },
    /// Check model files as a server would, without starting one
    Check {
        /// Their folder [default: the configured one]
        folder: Option<PathBuf>,
    },
}

impl Models {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let cards = || cards(place);
        match &self.command {
            Some(Command::Check { folder }) => check(place, folder.as_deref()),
            None => list(&cards()?, self.json),
            Some(Command::Ls { json }) => list(&cards()?, *json),
            Some(Command::Show { id, json: true }) => out::json(find(&cards()?, id)?),
            Some(Command::Show { id, json: false }) => show::show(find(&cards()?, id)?),
            Some(Command::Schema { id }) => out::json(&find(&cards()?, id)?["form_schema"]),
        }
    }
}

/// Every mistake in a folder of model files, or how many models there are with it.
fn check(place: &Place, folder: Option<&Path>) -> Outcome {
    let folder = match folder {
        Some(named) if !named.is_dir() => {
            let what = format!("there is no folder {}", named.display());
            return Err(Failure::usage(what)
                .why("model files are looked for in a folder")
                .fix("name the folder they lie in, or leave it out to check the configured one"));
        }
        Some(named) => Some(named.to_owned()),
        None => place.load()?.settings.catalogue,
    };
    let loaded = Catalogue::load(folder.as_deref());
    let catalogue = loaded
        .map_err(|problems| Failure::from(StartError::Catalogue(problems.to_string())).found())?;
    let with = folder.map_or_else(
        || "no files of your own".to_owned(),
        |it| it.display().to_string(),
    );
    out::print(&format!(
        "ok: {}, with {with}",
        out::count(catalogue.models().len(), "model")
    ))
}

/// The catalogue of this machine, with the operator's own files.
pub(super) fn catalogue(place: &Place) -> Outcome<Catalogue> {
    let folder = place.load()?.settings.catalogue;
    let loaded = Catalogue::load(folder.as_deref());
    Ok(loaded.map_err(|problems| StartError::Catalogue(problems.to_string()))?)
}

/// The model of the catalogue with this id or alias.
pub(super) fn named<'a>(catalogue: &'a Catalogue, id: &str) -> Outcome<&'a Model> {
    let found = catalogue.find(id).map(|model| &**model);
    found.ok_or_else(|| {
        let models = catalogue.models().iter();
        let ids: Vec<&str> = models.map(|model| model.id.as_str()).collect();
        unknown(id, &ids)
    })
}

/// What is known of one model: the server that is named tells, else this machine's catalogue, else the server that runs on
/// the data folder. Nothing is said about what goes wrong here: the call itself will tell.
pub(super) fn known(place: &Place, id: &str) -> Option<Value> {
    let (settings, named) = (place.load().ok()?.settings, place::server());
    let local = || {
        let catalogue = Catalogue::load(settings.catalogue.as_deref()).ok()?;
        Some(card(catalogue.find(id)?))
    };
    let at = |url: String| {
        let server = Server::new(&url, place::key(&settings.data)).ok()?;
        block_on(async { Ok(told_in_time(&server, id).await) }).ok()?
    };
    match named {
        Some(url) => at(url).or_else(local),
        None => local().or_else(|| at(place::listening(&settings.data)?)),
    }
}

/// The same for who is asking a server anyway.
pub(super) async fn card_at(place: &Place, server: &Server, id: &str) -> Option<Value> {
    if let Some(card) = told_in_time(server, id).await {
        return Some(card);
    }
    let catalogue = catalogue(place).ok()?;
    Some(card(catalogue.find(id)?))
}

/// A model's card from a server, if it comes soon.
async fn told_in_time(server: &Server, id: &str) -> Option<Value> {
    let path = format!("/v1/models/{id}");
    let came = tokio::time::timeout(SOON, server.get(&path)).await.ok()?;
    came.ok().filter(|card| card["form_schema"].is_array())
}

/// Whether a model takes this parameter.
pub(super) fn has_parameter(card: &Value, name: &str) -> bool {
    let mut form = card["form_schema"].as_array().into_iter().flatten();
    form.any(|entry| entry["name"] == name)
}

/// Every model as `GET /v1/models` shows it, from there if a server is named.
pub(super) fn cards(place: &Place) -> Outcome<Vec<Value>> {
    if let Some(url) = place::server() {
        let server = Server::new(&url, place::key(&place.load()?.settings.data))?;
        let mut list = block_on(server.get("/v1/models?all=true"))?;
        return Ok(list["data"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default());
    }
    Ok(catalogue(place)?
        .models()
        .iter()
        .map(|model| card(model))
        .collect())
}

fn card(model: &Model) -> Value {
    json!({
        "id": model.id,
        "name": model.name,
        "owned_by": model.owner,
        "description": model.description,
        "modality": model.modality,
        "operations": model.operations.iter().map(|operation| operation.name()).collect::<Vec<_>>(),
        "aliases": model.aliases,
        "form_schema": catalogue::form(model),
        "pricing": catalogue::pricing(model),
        "status": model.status,
    })
}

/// The card of the model with this id or alias.
pub(super) fn find<'a>(cards: &'a [Value], id: &str) -> Outcome<&'a Value> {
    let is_called = |card: &&Value| {
        let mut aliases = card["aliases"].as_array().into_iter().flatten();
        card["id"] == id || aliases.any(|alias| alias == id)
    };
    cards.iter().find(is_called).ok_or_else(|| {
        let ids: Vec<&str> = cards
            .iter()
            .filter_map(|card| card["id"].as_str())
            .collect();
        unknown(id, &ids)
    })
}

/// There is no such model: what was meant, or what there is.
pub(super) fn unknown(id: &str, known: &[&str]) -> Failure {
    let failure = Failure::usage(format!("there is no model `{id}`"))
        .why(format!("there are {}", known.join(", ")));
    match nearest(id, known.iter().copied()) {
        Some(meant) => failure.fix(format!("did you mean `{meant}`?")),
        None => failure.fix("`pinhole models` says what each can do"),
    }
}

/// A server does not have the model: asks it which it has, for a guess at what was meant.
pub(super) async fn guess(server: &Server, id: &str, failure: Failure) -> Failure {
    let Ok(list) = server.get("/v1/models?all=true").await else {
        return failure;
    };
    let models = list["data"].as_array().into_iter().flatten();
    let ids: Vec<&str> = models.filter_map(|model| model["id"].as_str()).collect();
    unknown(id, &ids)
}

fn list(cards: &[Value], json: bool) -> Outcome {
    if json {
        return out::json(&json!(cards));
    }
    let rows: Vec<Vec<String>> = cards.iter().map(row).collect();
    let columns = [
        Column::text("MODEL"),
        Column::text("OPERATIONS").rank(3),
        Column::text("STATUS").rank(2),
        Column::words("PRICE").rank(1),
    ];
    table(&columns, &rows)
}

fn row(card: &Value) -> Vec<String> {
    vec![
        text(&card["id"]),
        words(&card["operations"], ", "),
        text(&card["status"]),
        price_range(&card["pricing"]),
    ]
}

/// The span of the prices for one image, or what tokens cost.
fn price_range(pricing: &Value) -> String {
    let for_unit = |unit: &str| {
        let rows = pricing.as_array().into_iter().flatten();
        let amounts = rows
            .filter(|row| row["unit"] == unit)
            .filter_map(|row| money(&row["amount"]));
        span(amounts.collect())
    };
    if let Some(image) = for_unit("image") {
        return format!("{image} an image");
    }
    let tokens = (
        for_unit("million_input_text_tokens"),
        for_unit("million_output_tokens"),
    );
    match tokens {
        (Some(input), Some(output)) => format!("{input} in, {output} out a million tokens"),
        _ => "not set".to_owned(),
    }
}

/// The least and the most of some amounts, if there are any.
fn span(mut amounts: Vec<Money>) -> Option<String> {
    amounts.sort_unstable();
    let (least, most) = (*amounts.first()?, *amounts.last()?);
    Some(if least == most {
        out::dollars(least)
    } else {
        format!("{} to {}", out::dollars(least), out::dollars(most))
    })
}

/// An amount as JSON has it.
pub(super) fn money(value: &Value) -> Option<Money> {
    value.as_str()?.parse().ok()
}

/// A value without JSON's quotes.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn words(list: &Value, between: &str) -> String {
    let words: Vec<String> = list.as_array().into_iter().flatten().map(text).collect();
    words.join(between)
}
