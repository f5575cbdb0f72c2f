//! Through a server: the same body over HTTP, the pictures fetched from `/files/`.

use super::save::Destination;
use super::{Interrupts, Made, check, headline, interrupted, saved_elsewhere};
use crate::catalogue::Catalogue;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::models::guess;
use crate::cli::place;
use crate::cli::remote::{Answer, Server};
use crate::config::Settings;
use crate::types::Money;
use serde_json::Value;

/// Sends, waits, fetches. Ctrl-C stops the waiting; the server goes on.
pub(super) async fn generate(
    url: &str,
    settings: &Settings,
    body: &Value,
    destination: &Destination,
) -> Outcome<Made> {
    let mut interrupts = Interrupts::listen();
    tokio::select! {
        made = Box::pin(call(url, settings, body, destination)) => made,
        () = interrupts.next() => Err(interrupted(
            "the server goes on with what it has accepted, and charges for what it makes",
            "the pictures are kept there; its history shows the task",
        )),
    }
}

async fn call(
    url: &str,
    settings: &Settings,
    body: &Value,
    destination: &Destination,
) -> Outcome<Made> {
    let key = place::key(&settings.data);
    let is_test = key.as_ref().is_some_and(place::Key::is_test);
    // What it will cost is the server's to say; a test costs nothing anywhere.
    let catalogue = Catalogue::load(settings.catalogue.as_deref()).unwrap_or_default();
    if let Ok(checked) = check(&catalogue, body) {
        headline(&checked.request, is_test, is_test.then_some(Money::ZERO));
    }
    let server = Server::new(url, key)?;
    let mut request = body.clone();
    if !has_own_format(&server, &catalogue, body).await {
        request["response_format"] = "url".into();
    }
    let answer = match server.post("/v1/images/generations", &request).await {
        Err(failure) if failure.is_unknown_model() => {
            let model = body["model"].as_str().unwrap_or_default();
            return Err(guess(&server, model, failure).await);
        }
        answer => answer?,
    };
    let mut made = read(&answer);
    let urls = answer.body["data"].as_array().into_iter().flatten();
    for (index, url) in (0..).zip(urls.filter_map(|one| one["url"].as_str())) {
        let saved = match server.download(url).await {
            Ok(blocks) => destination.save(blocks, index).await,
            Err(failure) => Err(failure),
        };
        made.images
            .push(saved.map_err(|failure| saved_elsewhere(failure, &made.task))?);
    }
    if made.images.is_empty() && made.text.is_none() {
        return Err(
            Failure::failed("the server answered without a picture or a text")
                .why(format!("task {}", made.task))
                .fix("check that the server is a Pinhole of this version or a later one"),
        );
    }
    Ok(made)
}

fn read(answer: &Answer) -> Made {
    let money = |name: &str| {
        let text = answer.mark(name);
        text.and_then(|text| text.parse().ok())
            .unwrap_or(Money::ZERO)
    };
    let adapted = answer
        .mark("adapted")
        .map(|text| text.split(", ").map(str::to_owned).collect());
    Made {
        task: answer.mark("task-id").unwrap_or_default().to_owned(),
        request: answer.request.clone(),
        quote: money("quote"),
        cost: money("cost"),
        adapted: adapted.unwrap_or_default(),
        images: Vec::new(),
        text: answer.body["choices"][0]["message"]["content"]
            .as_str()
            .map(str::to_owned),
    }
}

/// Whether the model answers in a format of its own; every other is asked for links. A model that this machine does not
/// know is looked up at the server.
pub(in crate::cli) async fn has_own_format(
    server: &Server,
    catalogue: &Catalogue,
    body: &Value,
) -> bool {
    const NAME: &str = "response_format";
    let id = body["model"].as_str().unwrap_or_default();
    if let Some(model) = catalogue.find(id) {
        return model.parameter(NAME).is_some();
    }
    let Ok(card) = server.get(&format!("/v1/models/{id}")).await else {
        return false;
    };
    let mut form = card["form_schema"].as_array().into_iter().flatten();
    form.any(|entry| entry["name"] == NAME)
}
