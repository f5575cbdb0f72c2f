//! `/v1/images/*` and `/v1/quote`.

use super::marks::Marks;
use super::name::Name;
use super::reply::{Refusal, json_response, send};
use super::tasks::find_task;
use super::{Api, body, stream};
use crate::catalogue;
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::engine::{Accepted, Ask, Quoted};
use crate::error::{Error, Kind};
use crate::types::{Caller, Millis, Operation, Task, TaskId, TaskState};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a synchronous call waits: below the 600 s after which OpenAI's SDKs give up and call again.
const LONGEST_WAIT: Duration = Duration::from_secs(570);

const GENERATIONS: &str = "/v1/images/generations";
const EDITS: &str = "/v1/images/edits";

/// `POST /v1/images/generations`
pub(super) async fn generate(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = Instant::now();
    let ask = match api.0.engine.may_admit(&caller) {
        Ok(()) => body::read_json(&api, &headers, body, &Flat).await,
        Err(error) => Err(error),
    };
    run(&api, &caller, &headers, ask, GENERATIONS, received).await
}

/// `POST /v1/images/edits`: a form, as OpenAI's SDKs send it, or JSON.
pub(super) async fn edit(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = Instant::now();
    let ask = match (api.0.engine.may_admit(&caller), body::boundary(&headers)) {
        (Err(error), _) => Err(error),
        (Ok(()), Some(boundary)) => body::read_form(&api, &boundary, body, &Flat).await,
        (Ok(()), None) => body::read_json(&api, &headers, body, &Flat).await,
    };
    let ask = ask.map(|ask| Ask {
        operation: Some(Operation::Edit),
        ..ask
    });
    run(&api, &caller, &headers, ask, EDITS, received).await
}

/// `POST /v1/images/variations`: gone where it came from, and told so.
pub(super) async fn variations(_caller: Caller) -> Response {
    let message = "variations were removed from OpenAI's API and are not offered here; \
                   POST /v1/images/edits with the image and a prompt makes one";
    Refusal::new(&Flat, Error::new(Kind::NotFound, message)).into_response()
}

/// Accepts what was read, then waits, streams or leaves, as the client wishes.
async fn run(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    ask: Result<Ask, Error>,
    path: &str,
    received: Instant,
) -> Response {
    let dialect: &'static dyn Dialect = &Flat;
    let accepted = async {
        let ask = ask?;
        let origin = body::origin(api, headers, path, &ask)?;
        api.0.engine.generate(caller, ask, origin).await
    };
    let accepted = match accepted.await {
        Ok(accepted) => accepted,
        Err(error) => return Refusal::new(dialect, error).into_response(),
    };
    tracing::info!(
        task.id = %accepted.task,
        model.id = accepted.request.model(),
        mode = accepted.mode.name(),
        "accepted"
    );
    let mut marks = Marks::of(&accepted);
    if accepted.stream {
        return stream::respond(api, dialect, accepted, marks, received).await;
    }
    let (pending, is_repeated) = (Pending::of(&accepted), accepted.is_repeated);
    let patience = Patience::of(headers);
    let mut response = match accepted.wait(patience.limit).await {
        Err(error) if error.kind == Kind::StillRunning && patience.then_accept => pending.answer(),
        Err(error) => Refusal::new(dialect, error).into_response(),
        Ok(task) => {
            marks.settled(&task, received.elapsed());
            match check_kept(api, &task) {
                Err(error) if is_repeated => Refusal::new(dialect, error).into_response(),
                _ => answer(api, dialect, &task),
            }
        }
    };
    marks.write(response.headers_mut());
    response
}

/// `GET /v1/images/generations/{task_id}`: what the POST answered or would have answered.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Name(id): Name) -> Response {
    let task = match find_task(&api, &caller, &id).await {
        Ok(task) => task,
        Err(error) => return Refusal::new(&Flat, error).into_response(),
    };
    let mut marks = Marks::of_task(&task);
    let mut response = if task.state.is_terminal() {
        let took = task
            .completed_at
            .map_or(Duration::ZERO, |at| at.since(task.created_at));
        marks.settled(&task, took);
        match check_kept(&api, &task) {
            Err(error) => Refusal::new(&Flat, error).into_response(),
            Ok(()) => answer(&api, &Flat, &task),
        }
    } else {
        Pending::of_task(&task).answer()
    };
    marks.write(response.headers_mut());
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `POST /v1/quote`: the price of a request, in the shape of the request itself.
pub(super) async fn quote(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let quoted = async {
        let ask = body::read_json(&api, &headers, body, &Flat).await?;
        api.0.engine.quote(&caller, ask)
    };
    match quoted.await {
        Err(error) => Refusal::new(&Flat, error).into_response(),
        Ok(quoted) => json_response(StatusCode::OK, quote_body(&quoted).to_string()),
    }
}

/// A price as the API tells it, and the row of the catalogue that it comes from.
pub(super) fn quote_body(quoted: &Quoted) -> Value {
    json!({
        "object": "quote",
        "model": quoted.model,
        "n": quoted.n,
        "unit": quoted.quote.unit,
        "amount": quoted.quote.total,
        "currency": "USD",
        "price": quoted.row.as_ref().map(catalogue::price_json),
    })
}

/// The reply of a task that has ended.
fn answer(api: &Api, dialect: &'static dyn Dialect, task: &Task) -> Response {
    match &task.failure {
        Some(failure) => Refusal::new(dialect, Error::from(failure)).into_response(),
        None => send(dialect.encode(task), api.0.engine.blobs()),
    }
}

/// A later look finds the results only as long as they are kept.
fn check_kept(api: &Api, task: &Task) -> Result<(), Error> {
    let now = api.0.engine.now();
    let is_gone = |at| at <= now;
    if task
        .assets
        .iter()
        .any(|asset| asset.expires_at.is_some_and(is_gone))
    {
        let message = "the results of this task were deleted when their time was over";
        return Err(Error::new(Kind::Gone, message));
    }
    Ok(())
}

/// How long this client waits, and what it wants when that is over (RFC 7240).
struct Patience {
    limit: Duration,
    /// 202 and a place to look, instead of an error.
    then_accept: bool,
}

impl Patience {
    fn of(headers: &HeaderMap) -> Self {
        let preferences = headers
            .get_all("prefer")
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        let mut patience = Self {
            limit: LONGEST_WAIT,
            then_accept: false,
        };
        for preference in preferences
            .flat_map(|value| value.split(','))
            .map(str::trim)
        {
            let seconds = preference
                .strip_prefix("wait=")
                .and_then(|seconds| seconds.trim().parse().ok());
            if preference == "respond-async" {
                // With a wait beside it, whichever comes first, that long.
                patience.limit = if patience.then_accept {
                    patience.limit
                } else {
                    Duration::ZERO
                };
                patience.then_accept = true;
            } else if let Some(seconds) = seconds {
                patience.limit = Duration::from_secs(seconds).min(LONGEST_WAIT);
                patience.then_accept = true;
            }
        }
        patience
    }
}

/// A task that goes on: where it can be asked for.
pub(super) struct Pending {
    task: TaskId,
    state: TaskState,
    created_at: Millis,
}

impl Pending {
    fn of(accepted: &Accepted) -> Self {
        Self {
            task: accepted.task.clone(),
            state: accepted.state,
            created_at: accepted.created_at,
        }
    }

    pub(super) fn of_task(task: &Task) -> Self {
        Self {
            task: task.id.clone(),
            state: task.state,
            created_at: task.created_at,
        }
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "id": self.task.as_str(),
            "object": "image.task",
            "state": self.state.name(),
            "created": self.created_at.seconds(),
        })
    }

    fn answer(&self) -> Response {
        let mut response = json_response(StatusCode::ACCEPTED, self.body().to_string());
        let place = format!("/v1/images/generations/{}", self.task);
        if let Ok(place) = HeaderValue::try_from(place) {
            response.headers_mut().insert(LOCATION, place);
        }
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_is_read_and_anything_else_waits_to_the_end() {
        let check = |prefer: &[&str], seconds: u64, then_accept: bool| {
            let mut headers = HeaderMap::new();
            for value in prefer {
                headers.append("prefer", value.parse().unwrap());
            }
            let patience = Patience::of(&headers);
            assert_eq!(
                (patience.limit.as_secs(), patience.then_accept),
                (seconds, then_accept),
                "{prefer:?}"
            );
        };
        check(&[], 570, false);
        check(&["respond-async"], 0, true);
        check(&["wait=10"], 10, true);
        check(&["respond-async, wait=10"], 10, true);
        check(&["wait=10", "respond-async"], 10, true);
        check(&["wait=99999"], 570, true);
        check(&["wait=x, return=minimal"], 570, false);
    }
}
