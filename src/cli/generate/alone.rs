//! Alone on the data folder: the engine without a listener, on the same path that HTTP takes.

use super::headline::headline;
use super::maker::{Interrupts, Maker};
use super::save::Destination;
use super::screen::Screen;
use super::{Job, Made, body, interrupted, saved_elsewhere};
use crate::app::{App, StartError};
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::place::{self, Key};
use crate::cli::remote::url_of;
use crate::cli::{logs, models, out, price};
use crate::config::Settings;
use crate::engine::{Accepted, Engine, Origin, Repeats, Seen};
use crate::error::{Error, Kind};
use crate::types::{Caller, Fingerprint, Mode, Money, Task, TaskId};
use futures::TryStreamExt;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A command may wait longer than a connection: nobody calls again in the meantime.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How long another command may keep the folder before this one gives up.
const LONGEST_LOCK: Duration = Duration::from_secs(120);

/// How long the end of the engine may take before a word is said about it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens the engine, or finds the server that did. A holder without an address is a command like this one, or a server
/// that is starting: either is over soon.
pub(super) async fn open(settings: &Settings) -> Outcome<Maker> {
    let started = Instant::now();
    let mut told = false;
    loop {
        match Box::pin(App::open(settings.clone())).await {
            Ok(app) => return Ok(Maker::Alone(Box::new(app))),
            Err(StartError::Locked(None)) if started.elapsed() < LONGEST_LOCK => {
                if !told && started.elapsed() > Duration::from_secs(1) {
                    out::note("  Waiting for another pinhole that works on this data folder …");
                    told = true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(StartError::Locked(Some(address))) => {
                let parsed = address.parse().map(|at| Maker::Server(url_of(at)));
                return parsed.map_err(|_| StartError::Locked(Some(address)).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Accepts, waits, saves.
pub(super) async fn generate(
    app: &App,
    settings: &Settings,
    job: &Job,
    destination: &Destination,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
) -> Outcome<Made> {
    let caller = sign_in(app, settings).await?;
    let engine = app.engine();
    let request = &watched(job, screen);
    let listen = || format!("http://{}", settings.listen);
    let origin = Origin {
        asked: Fingerprint::default(),
        repeats: Repeats::Never,
        waits: true,
        public_url: settings.public_url.clone().unwrap_or_else(listen),
        reject_adaptation: false,
    };
    let ask = body::ask(request, engine.blobs()).await?;
    let accepted = engine.generate(&caller, ask, origin).await;
    let accepted = accepted.map_err(|error| match error.kind {
        Kind::ModelNotFound => models::named(&engine.catalogue(), body::model(request))
            .err()
            .unwrap_or_else(|| error.into()),
        _ => error.into(),
    })?;
    let is_test = accepted.mode == Mode::Test;
    let estimate = if is_test {
        price::estimate(Money::ZERO, false)
    } else {
        price::estimate(accepted.quote.total, accepted.quote.rates.is_some())
    };
    screen.say(&headline(
        &job.body,
        job.card.as_ref(),
        is_test,
        Some(estimate),
    ));
    let (quote, adapted) = (accepted.quote.total, accepted.adapted.clone());
    let task = wait(app, accepted, screen, interrupts).await?;
    if let Some(failure) = &task.failure {
        let failure = Failure::from(Error::from(failure));
        let failure = logs::explained(failure, task.id.as_str());
        return Err(failure.why(format!("task {}", task.id)));
    }
    let mut made = Made {
        task: task.id.to_string(),
        request: None,
        quote,
        cost: task.captured,
        adapted,
        images: Vec::new(),
        text: task.text.as_ref().map(|text| text.content.clone()),
    };
    save(engine, &task, destination, &mut made).await?;
    Ok(made)
}

/// The body of a call that is watched as it goes, with as many previews as are shown.
pub(super) fn watched(job: &Job, screen: &mut Screen) -> Value {
    let mut request = job.body.clone();
    let Some(card) = &job.card else {
        return request;
    };
    let previews = if models::has_parameter(card, "partial_images") {
        screen.previews()
    } else {
        0
    };
    if card["modality"] == "image" {
        let pictures = request["n"].as_u64().and_then(|n| u32::try_from(n).ok());
        screen.expect(pictures.unwrap_or(1), previews);
        request["stream"] = true.into();
    }
    if previews > 0 {
        request["partial_images"] = previews.into();
    }
    request
}

async fn save(engine: &Engine, task: &Task, destination: &Destination, made: &mut Made) -> Outcome {
    for asset in task.results() {
        let blocks = engine
            .blobs()
            .read(&asset.picture.blob, 0..asset.picture.bytes)
            .await;
        let blocks = blocks.map_err(|error| {
            Failure::failed("a picture could not be read").why(error.to_string())
        })?;
        let saved = destination
            .save(blocks.map_err(|error| error.to_string()), asset.index)
            .await;
        made.images
            .push(saved.map_err(|failure| saved_elsewhere(failure, &made.task))?);
    }
    Ok(())
}

/// Ends the engine. An earlier command's tasks, taken up at the start, may still run: they are waited for, and whoever
/// does not want to wait leaves them to the next start.
pub(super) async fn close(app: &App, interrupts: &mut Interrupts) {
    let closing = async {
        tokio::select! {
            () = app.close() => return,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        out::note(
            "  Waiting for tasks that an earlier command left here. Ctrl-C leaves them to the next one.",
        );
        app.close().await;
    };
    tokio::select! {
        () = closing => {}
        // Returning would wait for what still runs.
        () = interrupts.next() => std::process::exit(Exit::Interrupted as i32),
    }
}

/// Waits for the end. An interrupted live task is waited for all the same: its upstream may be at work and paid; a
/// second Ctrl-C ends that too. A test task costs nothing and is taken up by the next start.
async fn wait(
    app: &App,
    accepted: Accepted,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
) -> Outcome<Arc<Task>> {
    let (id, mode) = (accepted.task.clone(), accepted.mode);
    let stopped = tokio::select! {
        ended = tokio::time::timeout(LONGEST_WAIT, watch(accepted, screen)) => {
            return ended.unwrap_or_else(|_| Err(still_running(&id)));
        }
        () = interrupts.next() => interrupted(
            format!("the task {id} was accepted"),
            format!("`pinhole task get {id}` tells how it ended; whatever runs next here takes it up"),
        ),
    };
    screen.clear();
    if mode == Mode::Live {
        out::note(
            "  Interrupted: the upstream may be at work, so its answer is waited for. Ctrl-C again ends now.",
        );
        tokio::select! { () = app.close() => {}, () = interrupts.next() => {} }
    }
    // Returning would wait for what still runs, which is not what Ctrl-C asks for.
    std::process::exit(stopped.tell() as i32);
}

/// Shows what happens until it ends.
async fn watch(mut accepted: Accepted, screen: &mut Screen) -> Outcome<Arc<Task>> {
    loop {
        match screen.during(accepted.next()).await {
            Seen::Preview(preview) => screen.preview(preview.number, &preview.bytes),
            Seen::Image(_) => screen.picture_done(),
            Seen::Text(_) => {}
            Seen::Ended(ended) => return Ok(ended?),
        }
    }
}

fn still_running(task: &TaskId) -> Failure {
    Failure::new(Exit::Timeout, "the task did not end in time")
        .why(format!("an hour was not enough for {task}"))
        .fix(format!("`pinhole task get {task}` tells how it goes on"))
}

/// Who calls: the key of `PINHOLE_API_KEY`, else the folder's first test key.
async fn sign_in(app: &App, settings: &Settings) -> Outcome<Caller> {
    let key = place::key(&settings.data).unwrap_or_else(|| Key {
        secret: app.test_key().clone(),
        origin: "it is the data folder's own test key".to_owned(),
    });
    let refused = |what: &str| {
        let failure = Failure::new(Exit::Auth, "the API key was refused")
            .why(what)
            .why(&key.origin);
        failure.fix("`pinhole keys ls` shows the keys of this folder, `pinhole keys create --name NAME` makes one")
    };
    let found = app.engine().store().find_key(&key.secret.hash()).await?;
    let (record, account) = found.ok_or_else(|| refused("it is not known in this data folder"))?;
    let limits = &record.limits;
    let is_home = |net: &ipnet::IpNet| net.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST));
    if record.revoked_at.is_some() {
        return Err(refused("it was revoked"));
    }
    if limits.expires_at.is_some_and(|at| at <= app.engine().now()) {
        return Err(refused("it has expired"));
    }
    if !limits.networks.is_empty() && !limits.networks.iter().any(is_home) {
        return Err(refused("it may not be used from this address (127.0.0.1)"));
    }
    Ok(Caller {
        account: Arc::new(account),
        key: Arc::new(record),
    })
}
