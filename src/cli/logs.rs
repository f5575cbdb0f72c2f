//! Logs: to stderr, as the settings say. And what a provider's log says of a failed call, for whoever runs the engine in a
//! command of their own: the operator. A client of a server is not told where its calls go.

use super::failure::Failure;
use super::out;
use crate::config::{LogFormat, Settings};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

/// Starts them.
pub(super) fn start(settings: &Settings) {
    tracing_subscriber::registry().with(lines(settings)).init();
}

/// The same for a command that runs the engine itself: it remembers what [`explained`] tells.
pub(super) fn start_and_listen(settings: &Settings) {
    let both = tracing_subscriber::registry()
        .with(lines(settings))
        .with(Ear);
    both.init();
}

/// What a command writes of logs unless somebody asked for more: what providers say stands in the failure itself.
pub(super) const QUIET: &str =
    "error,pinhole::provider::openai=off,pinhole::provider::openai::body=error";

fn lines(settings: &Settings) -> Box<dyn Layer<Registry> + Send + Sync> {
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(out::may_colour())
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => lines.with_filter(filter).boxed(),
    }
}

/// The fields of the last events that say where an upstream was called.
static HEARD: Mutex<Vec<Heard>> = Mutex::new(Vec::new());

/// No task has more calls that failed.
const MOST: usize = 64;

/// The field that tells such an event.
const URL: &str = "upstream.url";

/// One event's fields, as text.
#[derive(Clone, Debug, Default)]
struct Heard(BTreeMap<&'static str, String>);

struct Ear;

impl<S: Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.fields().all(|field| field.name() != URL) {
            return;
        }
        let mut heard = Heard::default();
        event.record(&mut heard);
        let mut all = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST {
            all.push(heard);
        }
    }
}

impl Visit for Heard {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Heard {
    fn get(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str();
        Some(text).filter(|text| !text.is_empty())
    }

    /// `openai at http://127.0.0.1:1/v1/images/generations: Connection refused`
    fn words(&self) -> String {
        let status = self
            .get("status")
            .map(|status| format!("it answered {status}"));
        let told = [
            status,
            self.get("causes").map(str::to_owned),
            self.get("why").map(str::to_owned),
            self.get("upstream.said").map(str::to_owned),
        ];
        let told: Vec<String> = told.into_iter().flatten().collect();
        let (name, url) = (self.get("provider"), self.get(URL));
        format!(
            "{} at {}: {}",
            name.unwrap_or("a provider"),
            url.unwrap_or_default(),
            told.join(": ")
        )
    }
}

/// A failure of a task with what its upstream calls met, and what can be done about it.
pub(super) fn explained(failure: Failure, task: &str) -> Failure {
    let all = HEARD.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mine = all
        .iter()
        .filter(|heard| heard.get("task.id") == Some(task));
    mine.fold(failure, |failure, heard| {
        let failure = failure.why(heard.words());
        match heard.get("advice") {
            Some(advice) => failure.fix(advice),
            None => failure,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_where_its_call_went_and_no_other_tasks_does() {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Ear), || {
            tracing::warn!(
                task.id = %"task_1", provider = "openai", upstream.url = "http://a.example/v1/images",
                causes = "Connection refused", advice = "check the address", "no reply"
            );
            tracing::warn!(
                task.id = %"task_2", provider = "other", upstream.url = "http://b.example", status = 404_u16,
                upstream.said = "no such page", "refused"
            );
            tracing::warn!(task.id = %"task_1", "something else");
        });
        let told = |task| explained(Failure::failed("it failed"), task);
        assert_eq!(
            told("task_1").reasons(),
            "openai at http://a.example/v1/images: Connection refused"
        );
        assert!(format!("{:?}", told("task_1")).contains("check the address"));
        assert_eq!(
            told("task_2").reasons(),
            "other at http://b.example: it answered 404: no such page"
        );
        assert_eq!(told("task_3").reasons(), "");
    }
}
