//! `pinhole task submit`.

use super::source::working_server;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::generate::body::{self, Wanted};
use crate::cli::generate::headline::headline;
use crate::cli::generate::http::{has_own_format, quoted};
use crate::cli::place::Place;
use crate::cli::remote::Answer;
use crate::cli::{models, out};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub(super) struct Submit {
    #[command(flatten)]
    wanted: Wanted,
    /// Makes it happen once: the same key with the same request names the same task for a day
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Submit {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let mut request = {
            let wanted = &self.wanted;
            let body = body::of(&wanted.model, &wanted.prompt, &wanted.inputs)?;
            body::attach(&wanted.inputs, body)?
        };
        let server = working_server(place)?.ok_or_else(|| {
            Failure::failed("no server is there to run the task")
                .why("PINHOLE_URL is not set, and no server runs on this data folder")
                .fix(
                    "`pinhole serve` starts one; `pinhole generate` makes the picture here and now",
                )
        })?;
        let card = models::card_at(place, &server, &self.wanted.model).await;
        if !server.has_test_key()
            && let Some(estimate) = quoted(&server, &request).await
        {
            out::note(&headline(&request, card.as_ref(), false, Some(estimate)));
        }
        if !has_own_format(card.as_ref()) {
            // A task that has ended by now is answered with its result: links, not pictures.
            request["response_format"] = "url".into();
        }
        let key = self.idempotency_key.as_deref();
        let answer = match server.start(&request, key).await {
            Err(failure) if failure.is_unknown_model() => {
                return Err(models::guess(&server, &self.wanted.model, failure).await);
            }
            answer => answer?,
        };
        self.show(&answer)
    }

    fn show(&self, answer: &Answer) -> Outcome {
        let Some(task) = answer.mark("task-id") else {
            return Err(Failure::failed("the server answered without a task")
                .why("its reply has no x-pinhole-task-id")
                .fix(
                    "check that PINHOLE_URL names a Pinhole server of this version or a later one",
                ));
        };
        if self.json {
            return out::json(&as_json(task, answer));
        }
        out::print(task)?;
        let price = match answer.mark("mode") {
            Some("test") => "test, free".to_owned(),
            _ => answer
                .mark("quote")
                .and_then(|quote| quote.parse().ok())
                .map_or_else(String::new, |quote| {
                    format!("at most {}", out::dollars(quote))
                }),
        };
        out::note(&format!(
            "  {} · {} · {price}",
            self.wanted.model,
            out::plain(state(answer))
        ));
        if let Some(adapted) = answer.mark("adapted") {
            out::note(&format!("  Adapted  {adapted}"));
        }
        out::note(&format!("  Next:  pinhole task wait {task}"));
        Ok(())
    }
}

fn as_json(task: &str, answer: &Answer) -> Value {
    let adapted = answer.mark("adapted").map(|text| text.split(", "));
    json!({
        "taskId": task,
        "state": state(answer),
        "mode": answer.mark("mode").unwrap_or("live"),
        "quote": answer.mark("quote"),
        "currency": "USD",
        "adapted": adapted.into_iter().flatten().collect::<Vec<_>>(),
        "request": answer.request,
    })
}

/// A task that goes on says its state; one that has ended is answered with its result or its error.
fn state(answer: &Answer) -> &str {
    match (answer.body["state"].as_str(), &answer.body["error"]) {
        (Some(state), _) => state,
        (None, Value::Null) => "completed",
        (None, _) => "failed",
    }
}
