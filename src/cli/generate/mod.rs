//! `pinhole generate` and `edit`: alone on the data folder, or through the server that holds it.
//!
//! A [`Maker`] is whoever makes pictures: the engine in this process, or a server. It is opened once and may make several
//! at a time (`compare` does); each call is watched on a [`Screen`] and saved to a [`Destination`].

mod alone;
pub(super) mod body;
mod dry_run;
pub(super) mod edit;
pub(super) mod flags;
mod format;
pub(super) mod headline;
pub(super) mod http;
mod maker;
mod save;
pub(super) mod screen;

pub(super) use maker::{Interrupts, Maker};
pub(super) use save::{Destination, Saved};

use super::failure::{Exit, Failure, Outcome};
use super::place::Place;
use super::terminal::Show;
use super::{block_on, logs, models, out};
use crate::config::{LogFormat, Origin, Settings};
use crate::types::Money;
use body::{Inputs, Wanted};
use clap::Args;
use screen::Screen;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Args)]
pub(super) struct Generate {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    output: Output,
}

/// Where results go and what is said about them.
#[derive(Args)]
pub(super) struct Output {
    /// A file, whose ending says the format, a folder, or `-` for the bytes on stdout [default: ./pinhole-0001.png, the next free number; a text is printed]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Write over a file of this name
    #[arg(long)]
    overwrite: bool,
    /// Show pictures here, the unfinished ones too
    #[arg(long, value_name = "HOW", default_value = "auto")]
    show: Show,
    /// Print the request and its price; send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A call, and the card of its model as far as it is known here.
pub(super) struct Job {
    pub(super) body: Value,
    pub(super) card: Option<Value>,
}

/// What a call brought.
pub(super) struct Made {
    pub(super) task: String,
    pub(super) request: Option<String>,
    pub(super) quote: Money,
    pub(super) cost: Money,
    pub(super) adapted: Vec<String>,
    pub(super) images: Vec<Saved>,
    pub(super) text: Option<String>,
}

impl Generate {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let Wanted {
            prompt,
            model,
            inputs,
        } = &self.wanted;
        generate(place, model, prompt, inputs, &self.output)
    }
}

/// What both commands do.
fn generate(place: &Place, model: &str, prompt: &str, inputs: &Inputs, output: &Output) -> Outcome {
    let card = models::known(place, model);
    let mut body = body::of(model, prompt, inputs)?;
    if let Some(path) = &output.output {
        format::follow(path, &mut body, card.as_ref())?;
    }
    if output.dry_run {
        return dry_run::show(place, &body, output.json);
    }
    let body = body::attach(inputs, body)?;
    let destination = output.destination(&body)?;
    let settings = quiet_settings(place)?;
    logs::start_and_listen(&settings);
    let job = Job { body, card };
    block_on(async {
        let started = Instant::now();
        let mut screen = Screen::new(output.show, "working");
        let maker = screen.during(Maker::open(&settings)).await?;
        let mut interrupts = Interrupts::listen();
        let made = maker
            .make(&settings, &job, &destination, &mut screen, &mut interrupts)
            .await;
        screen.clear();
        let made = made.map_err(|failure| failure.about(model));
        let shown = made.and_then(|made| {
            output.tell(model, &made, &destination, &mut screen, started.elapsed())
        });
        maker.close(&mut interrupts).await;
        shown
    })
}

impl Output {
    fn destination(&self, body: &Value) -> Outcome<Destination> {
        Destination::of(self.output.as_deref(), body, self.json, self.overwrite)
    }

    /// Paths are the data: they go to stdout where a program reads it. A person reads them in the words.
    fn tell(
        &self,
        model: &str,
        made: &Made,
        destination: &Destination,
        screen: &mut Screen,
        took: Duration,
    ) -> Outcome {
        let facts = format!("{:.1} s · {}", took.as_secs_f64(), out::dollars(made.cost));
        if !made.adapted.is_empty() {
            out::note(&format!("  Adapted  {}", made.adapted.join(", ")));
        }
        for (at, image) in made.images.iter().enumerate() {
            if let Some(path) = image.path.as_ref().filter(|_| screen.shows_pictures())
                && let Ok(file) = std::fs::read(path)
            {
                screen.show(&file, at, made.images.len());
            }
            let is_last = at + 1 == made.images.len();
            let facts = if is_last {
                format!("   {facts}")
            } else {
                String::new()
            };
            out::note(&format!("  Saved  {}{facts}", image.place));
        }
        if made.text.is_none() {
            out::note(&format!("  Task   {}", made.task));
        }
        if let Some(text) = &made.text {
            return self.tell_text(model, text, made, destination, took, &facts);
        }
        if self.json {
            return out::json(&as_json(model, made, took));
        }
        if std::io::stdout().is_terminal() {
            out::note(&format!("  Next:  pinhole snippet {model} --lang python"));
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
    fn tell_text(
        &self,
        model: &str,
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
        out::note(&format!("  Task   {}", made.task));
        match (self.json, &self.output) {
            (true, _) => out::json(&as_json(model, made, took)),
            (false, None) => out::text(text),
            (false, Some(_)) => Ok(()),
        }
    }
}

/// What `--json` prints of a call; `docs/cli.schema.json` describes it.
pub(super) fn as_json(model: &str, made: &Made, took: Duration) -> Value {
    let images: Vec<Value> = made.images.iter().map(Saved::as_json).collect();
    json!({
        "model": model,
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

/// A command's own words are enough unless somebody asked for logs; errors are always logged.
pub(super) fn quiet_settings(place: &Place) -> Outcome<Settings> {
    let loaded = place.load()?;
    let asked = loaded
        .origin("log")
        .is_some_and(|origin| *origin != Origin::Default);
    let mut settings = loaded.settings;
    if !asked {
        settings.log = logs::QUIET.to_owned();
        settings.log_format = LogFormat::Text;
    }
    Ok(settings)
}

/// Ctrl-C while a task may be running.
fn interrupted(why: impl Into<String>, fix: impl Into<String>) -> Failure {
    Failure::new(Exit::Interrupted, "interrupted")
        .why(why)
        .fix(fix)
}

fn saved_elsewhere(failure: Failure, task: &str) -> Failure {
    failure.why("the pictures are made and kept").fix(format!(
        "`pinhole task get {task}` tells where they are; the same call again makes, and charges for, others"
    ))
}
