//! `pinhole generate`: alone on the data folder, or through the server that holds it.

mod alone;
pub(super) mod body;
mod dry_run;
pub(super) mod http;
mod save;

use super::failure::{Exit, Failure, Outcome};
use super::place::{self, Place};
use super::{block_on, models, out, start_logs};
use crate::catalogue::{self, Catalogue, Checked, Rules};
use crate::config::{LogFormat, Origin, Settings};
use crate::error::Error;
use crate::types::{Money, Request};
use alone::Opened;
use body::Wanted;
use clap::Args;
use save::{Destination, Saved};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Args)]
pub(super) struct Generate {
    #[command(flatten)]
    wanted: Wanted,
    /// A file, a folder, or `-` for the bytes on stdout [default: ./pinhole-0001.png, the next free number; a text is printed]
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
    text: Option<String>,
}

impl Generate {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let body = body::of(&self.wanted)?;
        if self.dry_run {
            return dry_run::show(place, &body, self.json);
        }
        let body = body::attach(&self.wanted, body)?;
        let destination = Destination::of(self.output.as_deref(), &body, self.json)?;
        let settings = quiet_settings(place)?;
        start_logs(&settings);
        block_on(self.make(&settings, &body, &destination))
    }

    async fn make(&self, settings: &Settings, body: &Value, destination: &Destination) -> Outcome {
        let started = Instant::now();
        if let Some(url) = place::server() {
            let made = http::generate(&url, settings, body, destination).await?;
            return self.show(&made, destination, started.elapsed());
        }
        match alone::open(settings).await? {
            Opened::Alone(app) => {
                let mut interrupts = Interrupts::listen();
                let made =
                    alone::generate(&app, settings, body, destination, &mut interrupts).await;
                let shown = made.and_then(|made| self.show(&made, destination, started.elapsed()));
                alone::close(&app, &mut interrupts).await;
                shown
            }
            Opened::Server(url) => {
                let made = http::generate(&url, settings, body, destination).await?;
                self.show(&made, destination, started.elapsed())
            }
        }
    }

    /// Paths are the data: they go to stdout where a program reads it. A person reads them in the words.
    fn show(&self, made: &Made, destination: &Destination, took: Duration) -> Outcome {
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
        if let Some(text) = &made.text {
            return self.show_text(text, made, destination, took, &facts);
        }
        if self.json {
            return out::json(&self.as_json(made, took));
        }
        if std::io::stdout().is_terminal() {
            out::note(&format!(
                "  Next:  pinhole snippet {} --lang python",
                self.wanted.model
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

    /// A text is the data itself, unless a file is to take it.
    fn show_text(
        &self,
        text: &str,
        made: &Made,
        destination: &Destination,
        took: Duration,
        facts: &str,
    ) -> Outcome {
        if self.output.is_some() {
            let place = destination.save_text(text)?;
            out::note(&format!("  Saved  {place}   {facts}"));
        } else {
            out::note(&format!("  {facts}"));
        }
        match (self.json, &self.output) {
            (true, _) => out::json(&self.as_json(made, took)),
            (false, None) => out::text(text),
            (false, Some(_)) => Ok(()),
        }
    }

    fn as_json(&self, made: &Made, took: Duration) -> Value {
        let images: Vec<Value> = made.images.iter().map(Saved::as_json).collect();
        json!({
            "model": self.wanted.model,
            "task": made.task,
            "request": made.request,
            "quote": made.quote,
            "cost": made.cost,
            "currency": "USD",
            "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "adapted": made.adapted,
            "images": images,
            "text": made.text,
        })
    }
}

fn check(catalogue: &Catalogue, body: &Value) -> Outcome<Checked> {
    let model = models::named(catalogue, body::model(body))?;
    let checked = catalogue::check(model, body::draft(body)?, &Rules::default());
    Ok(checked.map_err(Error::faults)?)
}

/// `gpt-image-2 (test) · 1024x1024 · medium · est. $0.0000`
fn headline(request: &Request, is_test: bool, estimate: Option<Money>) {
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

/// Ctrl-C, from the moment this is made.
struct Interrupts(Option<Signal>);

impl Interrupts {
    fn listen() -> Self {
        Self(signal(SignalKind::interrupt()).ok())
    }

    /// Resolves at the next one; never if signals cannot be received.
    async fn next(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending().await
        }
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
