//! `pinhole compare`: one prompt, several models, side by side.

mod sheet;

use super::failure::{Exit, Failure, Outcome};
use super::generate::body::{self, Inputs};
use super::generate::screen::Screen;
use super::generate::{Destination, Interrupts, Job, Made, Maker, as_json, quiet_settings};
use super::place::Place;
use super::price::{self, Price};
use super::table::{Column, table};
use super::terminal::Show;
use super::{block_on, logs, models, out};
use crate::config::Settings;
use crate::types::Money;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A path is there to be copied.
const COLUMNS: &[Column] = &[
    Column::words("MODEL"),
    Column::number("TIME").rank(2),
    Column::number("COST").rank(1),
    Column::text("SIZE").rank(3),
    Column::text("SAVED"),
];

#[derive(Args)]
pub(super) struct Compare {
    /// What the pictures show
    prompt: String,
    /// A model, at least two of them: ids or aliases of `pinhole models`
    #[arg(short, long, value_name = "MODEL", required = true, num_args = 1)]
    model: Vec<String>,
    #[command(flatten)]
    inputs: Inputs,
    /// The folder for the pictures, each named after its model [default: ./compare-0001, the next free number]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Also put them side by side into one PNG, in the order of the table
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Show the sheet here
    #[arg(long, value_name = "HOW", default_value = "auto")]
    show: Show,
    /// Print what each would cost; send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How one model did.
struct Row {
    model: String,
    took: Duration,
    made: Outcome<Made>,
}

impl Compare {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let bodies = self.bodies()?;
        if self.dry_run {
            return self.quote(place, &bodies);
        }
        let is_png = |path: &&PathBuf| path.extension().is_none_or(|it| it == "png");
        if let Some(other) = self.sheet.as_ref().filter(|path| !is_png(path)) {
            return Err(
                Failure::usage(format!("{} cannot be made", other.display()))
                    .why("a sheet is a PNG; nothing was sent")
                    .fix("let the name end in .png"),
            );
        }
        if let Some(taken) = self.sheet.as_ref().filter(|path| path.exists()) {
            return Err(
                Failure::usage(format!("{} is there already", taken.display()))
                    .why("a file is never written over unasked")
                    .fix("name another one with --sheet"),
            );
        }
        let folder = self.folder()?;
        let settings = quiet_settings(place)?;
        logs::start_and_listen(&settings);
        tell_estimate(place, &bodies);
        let jobs: Vec<(String, Job)> = bodies
            .into_iter()
            .map(|(model, body)| {
                let card = models::known(place, &model);
                (model, Job { body, card })
            })
            .collect();
        let rows = block_on(self.make(&settings, &jobs, &folder))?;
        self.tell(rows)
    }

    /// The body for each model, with the input images in it.
    fn bodies(&self) -> Outcome<Vec<(String, Value)>> {
        let mut names = self.model.clone();
        names.sort();
        names.dedup();
        if names.len() < 2 || names.len() < self.model.len() {
            return Err(Failure::usage("there is nothing to compare")
                .why("it takes at least two models, each once")
                .fix("pinhole compare \"a fox\" -m gpt-image-2 -m qwen-image-plus"));
        }
        let body = |model: &String| {
            let body = body::of(model, &self.prompt, &self.inputs)?;
            let body = if self.dry_run {
                body
            } else {
                body::attach(&self.inputs, body)?
            };
            Ok((model.clone(), body))
        };
        self.model.iter().map(body).collect()
    }

    fn folder(&self) -> Outcome<PathBuf> {
        let numbered = || {
            let mut names =
                (1..=9999).map(|number| PathBuf::from(format!("./compare-{number:04}")));
            names.find(|path| !path.exists())
        };
        let folder = self
            .output
            .clone()
            .or_else(numbered)
            .unwrap_or_else(|| "./compare".into());
        std::fs::create_dir_all(&folder).map_err(|error| {
            Failure::failed(format!("{} cannot be made", folder.display()))
                .why(error.to_string())
                .fix("name another folder with -o")
        })?;
        Ok(folder)
    }

    fn quote(&self, place: &Place, bodies: &[(String, Value)]) -> Outcome {
        let mut quotes = Vec::new();
        for (model, body) in bodies {
            quotes.push((model, price::of(place, body)?.map(|price| price.total)));
        }
        if self.json {
            let one = |(model, total): &(&String, Option<Money>)| json!({"model": model, "total": total, "currency": "USD"});
            return out::json(&quotes.iter().map(one).collect());
        }
        let row = |(model, total): &(&String, Option<Money>)| {
            vec![
                (*model).clone(),
                total.map_or_else(|| "not set".to_owned(), out::dollars),
            ]
        };
        let columns = [Column::text("MODEL"), Column::number("PRICE")];
        table(&columns, &quotes.iter().map(row).collect::<Vec<_>>())?;
        price::note_if_test(place)
    }

    /// All at once: what one costs in time is then not the other's.
    async fn make(
        &self,
        settings: &Settings,
        jobs: &[(String, Job)],
        folder: &std::path::Path,
    ) -> Outcome<Vec<Row>> {
        let mut screen = Screen::new(self.show, &format!("{} models", jobs.len()));
        let maker = screen.during(Maker::open(settings)).await?;
        let calls = jobs
            .iter()
            .map(|(model, job)| call(&maker, settings, model, job, folder));
        let rows = screen.during(futures::future::join_all(calls)).await;
        screen.clear();
        maker.close(&mut Interrupts::listen()).await;
        Ok(rows)
    }

    fn tell(&self, rows: Vec<Row>) -> Outcome {
        let sheet = match &self.sheet {
            Some(path) => Some(sheet::write(&pictures(&rows), path)?),
            None => None,
        };
        if self.json {
            out::json(&json!({
                "rows": rows.iter().map(Row::as_json).collect::<Vec<_>>(),
                "sheet": sheet.as_ref().map(|path| path.display().to_string()),
            }))?;
        } else {
            let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
            table(COLUMNS, &cells)?;
            self.show_sheet(&rows, sheet.as_deref());
        }
        let failed = rows
            .into_iter()
            .filter_map(|row| Some((row.model, row.made.err()?)));
        let failed: Vec<(String, Failure)> = failed.collect();
        for (model, failure) in &failed {
            out::note(&format!(
                "  {model} failed: {} ({})",
                out::plain(&failure.what()),
                out::plain(&failure.reasons())
            ));
        }
        match failed.first() {
            None => Ok(()),
            Some((_, failure)) => Err(Failure::Said(failure.exit())),
        }
    }

    /// The sheet in the terminal, whether or not it was asked for as a file.
    fn show_sheet(&self, rows: &[Row], written: Option<&std::path::Path>) {
        let mut screen = Screen::new(self.show, "");
        if screen.shows_pictures()
            && let Ok(sheet) = sheet::of(&pictures(rows))
        {
            screen.show(&sheet, 0, 1);
        }
        if let Some(path) = written {
            out::note(&format!("  Sheet  {}", path.display()));
        }
    }
}

/// What all of it will cost, as far as anybody says so before it is made; a test costs nothing.
fn tell_estimate(place: &Place, bodies: &[(String, Value)]) {
    if price::is_test(place) {
        return;
    }
    let price =
        |(_, body): &(String, Value)| price::of(place, &body::without_pictures(body)).ok()?;
    let prices: Option<Vec<Price>> = bodies.iter().map(price).collect();
    let Some(prices) = prices else {
        return;
    };
    let mut totals = prices.iter().map(|price| price.total);
    let total = totals.try_fold(Money::ZERO, Money::plus);
    if let Some(total) = total {
        let is_most = prices.iter().any(Price::is_by_token);
        let models = out::count(bodies.len(), "model");
        out::note(&format!("  {models} · {}", price::estimate(total, is_most)));
    }
}

async fn call(
    maker: &Maker,
    settings: &Settings,
    model: &str,
    job: &Job,
    folder: &std::path::Path,
) -> Row {
    let started = Instant::now();
    let name: String = model
        .chars()
        .map(|letter| {
            if letter.is_alphanumeric() || "-._".contains(letter) {
                letter
            } else {
                '-'
            }
        })
        .collect();
    let destination = Destination::named(folder, &name, &job.body);
    let (mut screen, mut interrupts) = (Screen::silent(), Interrupts::listen());
    let made = maker
        .make(settings, job, &destination, &mut screen, &mut interrupts)
        .await;
    let made = match made {
        Ok(made) if made.images.is_empty() => Err(Failure::new(Exit::Usage, "it made no picture")
            .why("a model of text has nothing to compare")
            .fix("`pinhole models` says what each makes")),
        made => made,
    };
    Row {
        model: model.to_owned(),
        took: started.elapsed(),
        made,
    }
}

/// The first picture of each that has one.
fn pictures(rows: &[Row]) -> Vec<PathBuf> {
    let first = |row: &Row| row.made.as_ref().ok()?.images.first()?.path.clone();
    rows.iter().filter_map(first).map(PathBuf::from).collect()
}

impl Row {
    fn as_json(&self) -> Value {
        match &self.made {
            Ok(made) => as_json(&self.model, made, self.took),
            Err(failure) => json!({
                "model": self.model,
                "error": {"what": failure.what(), "why": failure.reasons(), "exit": failure.exit() as u8},
            }),
        }
    }

    fn cells(&self) -> Vec<String> {
        let time = format!("{:.1} s", self.took.as_secs_f64());
        let Ok(made) = &self.made else {
            return vec![
                self.model.clone(),
                time,
                "-".to_owned(),
                "-".to_owned(),
                "failed".to_owned(),
            ];
        };
        let first = made
            .images
            .first()
            .map(|image| (image.size(), image.place.clone()));
        let (size, saved) = first.unwrap_or_default();
        vec![
            self.model.clone(),
            time,
            out::dollars(made.cost),
            size,
            saved,
        ]
    }
}
