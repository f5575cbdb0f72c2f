//! `pinhole generate`: alone on the data folder, or through the server that holds it.

mod alone;
mod body;
mod http;
mod save;

use super::failure::{Exit, Failure, Outcome};
use super::place::{self, Place};
use super::{block_on, models, out, start_logs};
use crate::catalogue::{self, Catalogue, Checked, Rules};
use crate::config::{LogFormat, Origin, Settings};
use crate::error::Error;
use crate::types::{Account, Money, Quote};
use alone::Opened;
use clap::Args;
use save::{Destination, Saved};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(super) struct Generate {
    /// What the picture shows
    prompt: String,
    /// The model: an id or an alias of `pinhole models`
    #[arg(short, long, value_name = "MODEL", default_value = "gpt-image-2")]
    model: String,
    /// A parameter of the model, repeatable; `pinhole models show MODEL` lists them
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = body::pair)]
    parameters: Vec<(String, Value)>,
    /// How many pictures [default: the model's, mostly 1]
    #[arg(short, value_name = "COUNT")]
    n: Option<u32>,
    /// Width and height in pixels, like 1536x1024 [default: the model's]
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<String>,
    /// How much work goes into it, like low, medium or high [default: the model's]
    #[arg(long, value_name = "QUALITY")]
    quality: Option<String>,
    /// A file, a folder, or `-` for the bytes on stdout [default: ./pinhole-0001.png, the next free number]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Print the request and its price; send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a call brought.
struct Made {
    task: String,
    request: Option<String>,
    quote: Money,
    cost: Money,
    adapted: Vec<String>,
    images: Vec<Saved>,
}

impl Generate {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let body = body::of(self)?;
        if self.dry_run {
            return self.dry_run(place, &body);
        }
        let destination = Destination::of(self.output.as_deref(), &body, self.json)?;
        let settings = quiet_settings(place)?;
        start_logs(&settings);
        block_on(self.make(&settings, &body, &destination))
    }

    async fn make(&self, settings: &Settings, body: &Value, destination: &Destination) -> Outcome {
        let started = Instant::now();
        if let Some(url) = place::server() {
            let made = http::generate(&url, settings, body, destination).await?;
            return self.show(&made, started.elapsed());
        }
        match alone::open(settings).await? {
            Opened::Alone(app) => {
                let made = alone::generate(&app, settings, body, destination).await;
                let shown = made.and_then(|made| self.show(&made, started.elapsed()));
                alone::close(&app).await;
                shown
            }
            Opened::Server(address) => {
                let url = format!("http://{address}");
                let made = http::generate(&url, settings, body, destination).await?;
                self.show(&made, started.elapsed())
            }
        }
    }

    /// Paths are the data: they go to stdout where a program reads it. A person reads them in the words.
    fn show(&self, made: &Made, took: Duration) -> Outcome {
        let seconds = took.as_secs_f64();
        let id = made.request.as_ref().unwrap_or(&made.task);
        let facts = format!("{seconds:.1} s · {} · {id}", out::dollars(made.cost));
        if !made.adapted.is_empty() {
            out::note(&format!("  Adapted  {}", made.adapted.join(", ")));
        }
        for (at, image) in made.images.iter().enumerate() {
            let is_last = at + 1 == made.images.len();
            let facts = if is_last {
                format!("   {facts}")
            } else {
                String::new()
            };
            out::note(&format!("  Saved  {}{facts}", image.place));
        }
        if self.json {
            return out::json(&self.as_json(made, took));
        }
        if std::io::stdout().is_terminal() {
            out::note(&format!(
                "  Next:  pinhole models show {}   (its parameters and prices)",
                self.model
            ));
            return Ok(());
        }
        let paths: Vec<&str> = made
            .images
            .iter()
            .filter_map(|image| image.path.as_deref())
            .collect();
        if paths.is_empty() {
            Ok(())
        } else {
            out::print(&paths.join("\n"))
        }
    }

    fn as_json(&self, made: &Made, took: Duration) -> Value {
        let images: Vec<Value> = made.images.iter().map(Saved::as_json).collect();
        json!({
            "model": self.model,
            "task": made.task,
            "request": made.request,
            "quote": made.quote,
            "cost": made.cost,
            "currency": "USD",
            "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "adapted": made.adapted,
            "images": images,
        })
    }

    /// Checks and prices as the engine would, without opening it.
    fn dry_run(&self, place: &Place, body: &Value) -> Outcome {
        let catalogue = models::catalogue(place)?;
        let checked = check(&catalogue, body)?;
        let model = find(&catalogue, body)?;
        let key = place::key(&place.load()?.settings.data);
        let markup = payer(place, key.as_ref())?.map_or(0, |account| account.markup_basis_points);
        let price = catalogue::quote(model, &checked.request, markup);
        let is_test = key.as_ref().is_some_and(place::Key::is_test);
        if self.json {
            return out::json(&json!({
                "request": body,
                "price": price.map(|quote| json!({"unit": quote.unit, "total": quote.total})),
                "currency": "USD",
                "test": is_test,
                "adapted": checked.adapted,
            }));
        }
        out::print(&format!("POST /v1/images/generations\n{body:#}"))?;
        out::print(&price_words(price, checked.request.n()))?;
        if is_test {
            out::note(
                "The key at hand is a test key: with it, the picture is drawn by Pinhole and costs nothing.",
            );
        }
        Ok(())
    }
}

fn price_words(price: Option<Quote>, n: u32) -> String {
    match price {
        None => "Price  not set: only test keys can call this model".to_owned(),
        Some(quote) if n == 1 => format!("Price  {} USD", quote.total),
        Some(quote) => format!("Price  {} USD  ({n} × {})", quote.total, quote.unit),
    }
}

/// The account that a key spends from, as far as this machine knows.
fn payer(place: &Place, key: Option<&place::Key>) -> Outcome<Option<Account>> {
    let (Some(key), Ok(store)) = (key, place.rows()) else {
        return Ok(None);
    };
    let found = block_on(async { Ok(store.find_key(&key.secret.hash()).await?) })?;
    Ok(found.map(|(_, account)| account))
}

fn find<'a>(catalogue: &'a Catalogue, body: &Value) -> Outcome<&'a catalogue::Model> {
    let id = body["model"].as_str().unwrap_or_default();
    let found = catalogue.find(id).map(|model| &**model);
    found.ok_or_else(|| {
        let ids: Vec<&str> = catalogue
            .models()
            .iter()
            .map(|model| model.id.as_str())
            .collect();
        models::unknown(id, &ids)
    })
}

fn check(catalogue: &Catalogue, body: &Value) -> Outcome<Checked> {
    let model = find(catalogue, body)?;
    let checked = catalogue::check(model, body::draft(body)?, &Rules::default());
    Ok(checked.map_err(Error::faults)?)
}

/// `gpt-image-2 (test) · 1024x1024 · medium · est. $0.0000`
fn headline(catalogue: &Catalogue, body: &Value, is_test: bool, estimate: Option<Money>) {
    let Ok(checked) = check(catalogue, body) else {
        // Whoever runs the call refuses it in better words.
        return;
    };
    let request = &checked.request;
    let mode = if is_test { " (test)" } else { "" };
    let count = (request.n() > 1).then(|| format!("{} pictures", request.n()));
    let text = |name: &str| request.text(name).map(str::to_owned);
    let parts = [
        Some(format!("{}{mode}", request.model())),
        count,
        text("size"),
        text("quality"),
        estimate.map(|amount| format!("est. {}", out::dollars(amount))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    out::note(&format!("  {}", parts.join(" · ")));
}

/// A command's own words are enough unless somebody asked for logs; errors are always logged.
fn quiet_settings(place: &Place) -> Outcome<Settings> {
    let loaded = place.load()?;
    let asked = loaded
        .origin("log")
        .is_some_and(|origin| *origin != Origin::Default);
    let mut settings = loaded.settings;
    if !asked {
        settings.log = "error".to_owned();
        settings.log_format = LogFormat::Text;
    }
    Ok(settings)
}

/// Resolves at Ctrl-C; never if signals cannot be received.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ctrl-C while a task may be running.
fn interrupted(why: impl Into<String>, fix: impl Into<String>) -> Failure {
    Failure::new(Exit::Interrupted, "interrupted")
        .why(why)
        .fix(fix)
}

fn saved_elsewhere(failure: Failure, task: &str) -> Failure {
    failure.why(format!(
        "the pictures are made and kept: `pinhole task get {task}` tells where"
    ))
}
