//! Through a server: the same body over HTTP as a stream of events, the pictures fetched from `/files/`.

use super::alone::watched;
use super::headline::headline;
use super::maker::Interrupts;
use super::save::Destination;
use super::screen::Screen;
use super::{Job, Made, body, interrupted, saved_elsewhere};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::models::{self, guess};
use crate::cli::remote::{Marks, Server};
use crate::cli::{place, price};
use crate::config::Settings;
use crate::types::Money;
use serde_json::Value;
use std::cell::RefCell;

/// Sends, watches, fetches. Ctrl-C asks the server to cancel, which it does for a task that has not begun.
pub(super) async fn generate(
    url: &str,
    settings: &Settings,
    job: &Job,
    destination: &Destination,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
) -> Outcome<Made> {
    let server = Server::new(url, place::key(&settings.data))?;
    let task = RefCell::default();
    tokio::select! {
        made = Box::pin(call(&server, job, destination, screen, &task)) => return made,
        () = interrupts.next() => {}
    }
    screen.clear();
    let task: String = task.take();
    Err(cancel(&server, &task).await)
}

/// What Ctrl-C ends with.
async fn cancel(server: &Server, task: &str) -> Failure {
    if task.is_empty() {
        return interrupted(
            "the server may have accepted the call; then it goes on, and charges for what it makes",
            "`pinhole task ls` shows what it has",
        );
    }
    let place = [("task_id", task.to_owned())];
    match server.delete("/api/v1/images/generations", &place).await {
        Ok(_) => interrupted(
            format!("task {task} was cancelled; nothing was charged"),
            "the same command makes the call again",
        ),
        Err(_) => interrupted(
            format!(
                "task {task} runs and goes on: its upstream may be at work; it charges for what it makes"
            ),
            format!("`pinhole task wait {task}` tells how it ends and where the pictures are"),
        ),
    }
}

async fn call(
    server: &Server,
    job: &Job,
    destination: &Destination,
    screen: &mut Screen,
    task: &RefCell<String>,
) -> Outcome<Made> {
    let is_test = server.has_test_key();
    // What it will cost is the server's to say; a test costs nothing anywhere.
    let estimate = if is_test {
        Some(price::estimate(Money::ZERO, false))
    } else {
        screen.during(quoted(server, &job.body)).await
    };
    screen.say(&headline(&job.body, job.card.as_ref(), is_test, estimate));
    let made = if has_own_format(job.card.as_ref()) {
        text(server, &job.body, screen).await
    } else {
        let body = &watched(job, screen);
        pictures(server, body, destination, screen, task).await
    };
    match made {
        Err(failure) if failure.is_unknown_model() => {
            let model = body::model(&job.body);
            Err(guess(server, model, failure).await)
        }
        made => made,
    }
}

/// What the server says that it will cost. Whatever is wrong with the call is told by the call itself.
pub(in crate::cli) async fn quoted(server: &Server, body: &Value) -> Option<String> {
    let price = price::ask(server, &body::without_pictures(body)).await;
    Some(price.ok()??.estimate())
}

async fn text(server: &Server, body: &Value, screen: &mut Screen) -> Outcome<Made> {
    let answer = screen
        .during(server.post("/v1/images/generations", body))
        .await?;
    let mut made = begun(&answer.marks, answer.request);
    let content = &answer.body["choices"][0]["message"]["content"];
    made.text = content.as_str().map(str::to_owned);
    if made.text.is_none() {
        return Err(empty(&made));
    }
    Ok(made)
}

async fn pictures(
    server: &Server,
    body: &Value,
    destination: &Destination,
    screen: &mut Screen,
    task: &RefCell<String>,
) -> Outcome<Made> {
    let mut body = body.clone();
    body["response_format"] = "url".into();
    body["stream"] = true.into();
    let mut events = screen
        .during(server.stream("/v1/images/generations", &body))
        .await?;
    let mut made = begun(&events.marks, events.request.take());
    task.replace(made.task.clone());
    while let Some(event) = screen.during(events.next()).await? {
        let kind = event["type"].as_str().unwrap_or_default();
        if kind.ends_with(".partial_image") {
            preview(&event, screen);
        } else if kind.ends_with(".completed") {
            screen.picture_done();
            finished(server, &event, destination, &mut made).await?;
        }
    }
    if made.images.is_empty() {
        return Err(empty(&made));
    }
    Ok(made)
}

fn preview(event: &Value, screen: &mut Screen) {
    let text = event["b64_json"].as_str().unwrap_or_default();
    if let Ok(file) = base64_simd::STANDARD.decode_to_vec(text) {
        let number = event["partial_image_index"].as_u64();
        screen.preview(
            number
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(0),
            &file,
        );
    }
}

/// A finished picture is fetched and saved; the last one's event says what all of them cost.
async fn finished(
    server: &Server,
    event: &Value,
    destination: &Destination,
    made: &mut Made,
) -> Outcome {
    if let Some(cost) = event["pinhole"]["cost"]
        .as_str()
        .and_then(|text| text.parse().ok())
    {
        made.cost = cost;
    }
    let index = event["image_index"]
        .as_u64()
        .and_then(|index| u32::try_from(index).ok());
    let Some(url) = event["url"].as_str() else {
        return Ok(());
    };
    let saved = match server.download(url).await {
        Ok(blocks) => destination.save(blocks, index.unwrap_or(0)).await,
        Err(failure) => Err(failure),
    };
    made.images
        .push(saved.map_err(|failure| saved_elsewhere(failure, &made.task))?);
    Ok(())
}

fn empty(made: &Made) -> Failure {
    Failure::failed("the server answered without a picture or a text")
        .why(format!("task {}", made.task))
        .fix("check that the server is a Pinhole of this version or a later one")
}

/// What the headers of an answer say.
fn begun(marks: &Marks, request: Option<String>) -> Made {
    let money = |name: &str| {
        let text = marks.get(name);
        text.and_then(|text| text.parse().ok())
            .unwrap_or(Money::ZERO)
    };
    let adapted = marks
        .get("adapted")
        .map(|text| text.split(", ").map(str::to_owned).collect());
    Made {
        task: marks.get("task-id").unwrap_or_default().to_owned(),
        request,
        quote: money("quote"),
        cost: money("cost"),
        adapted: adapted.unwrap_or_default(),
        images: Vec::new(),
        text: None,
    }
}

/// Whether a model answers in a format of its own; every other is asked for links.
pub(in crate::cli) fn has_own_format(card: Option<&Value>) -> bool {
    card.is_some_and(|card| models::has_parameter(card, "response_format"))
}
