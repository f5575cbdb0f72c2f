//! `/v1/images/*` and `/v1/quote`.

use super::marks::Marks;
use super::name::Name;
use super::prefer::Preferences;
use super::reply::{Refusal, json_response, send};
use super::tasks::{check_kept, find_task};
use super::{Api, body, handed, stream};
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
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(570);

/// A path that generates, and the shape that it speaks.
pub(super) struct Endpoint {
    /// A repetition of an `Idempotency-Key` must come to the same one.
    pub(super) path: &'static str,
    pub(super) dialect: &'static dyn Dialect,
}

const GENERATIONS: Endpoint = Endpoint {
    path: "/v1/images/generations",
    dialect: &Flat,
};

const EDITS: Endpoint = Endpoint {
    path: "/v1/images/edits",
    dialect: &Flat,
};

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
    run(&api, &caller, &headers, ask, &GENERATIONS, received).await
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
        (Ok(()), Some(boundary)) => body::read_form(&api, &headers, &boundary, body, &Flat).await,
        (Ok(()), None) => body::read_json(&api, &headers, body, &Flat).await,
    };
    let ask = ask.map(|ask| Ask {
        operation: Some(Operation::Edit),
        ..ask
    });
    run(&api, &caller, &headers, ask, &EDITS, received).await
}

/// `POST /v1/images/variations`: gone where it came from, and told so.
pub(super) async fn variations(_caller: Caller) -> Response {
    let message = "variations were removed from OpenAI's API and are not offered here; \
                   POST /v1/images/edits with the image and a prompt makes one";
    Refusal::new(&Flat, Error::new(Kind::NotFound, message)).into_response()
}

/// Accepts what was read, then waits, streams or leaves, as the client wishes.
pub(super) async fn run(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    ask: Result<Ask, Error>,
    endpoint: &Endpoint,
    received: Instant,
) -> Response {
    let dialect = endpoint.dialect;
    let patience = Patience::of(headers);
    let accepted = async {
        let ask = ask?;
        let origin = body::origin(api, headers, endpoint.path, &ask, !patience.then_accept)?;
        api.0.engine.generate(caller, ask, origin).await
    };
    let mut accepted = match accepted.await {
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
    // A client that hangs up drops it with everything here.
    let unanswered = accepted.unanswered.take();
    if let Some(streaming) = accepted.stream {
        if accepted.is_repeated
            && let Some(error) = gone(api, caller, &accepted).await
        {
            return handed::over(Refusal::new(dialect, error).into_response(), unanswered);
        }
        let response = stream::respond(api, dialect, accepted, streaming, marks, received).await;
        return handed::over(response, unanswered);
    }
    let (pending, is_repeated) = (Pending::of(&accepted), accepted.is_repeated);
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
    handed::over(response, unanswered)
}

/// Why a repetition that wants a stream gets none, if the results are deleted by now.
async fn gone(api: &Api, caller: &Caller, accepted: &Accepted) -> Option<Error> {
    if !accepted.state.is_terminal() {
        return None;
    }
    let task = find_task(api, caller, accepted.task.as_str()).await.ok()?;
    check_kept(api, &task).err()
}

/// `GET /v1/images/generations/{task_id}`: what the POST answered or would have answered.
pub(super) async fn show(State(api): State<Api>, caller: Caller, Name(id): Name) -> Response {
    let task = match find_task(&api, &caller, &id).await {
        Ok(task) => task,
        Err(error) => return Refusal::new(&Flat, error).into_response(),
    };
    let marks = Marks::of_later_look(&task);
    let mut response = if task.state.is_terminal() {
        match check_kept(&api, &task) {
            Err(error) => Refusal::new(&Flat, error).into_response(),
            Ok(()) => answer(&api, &Flat, &task),
        }
    } else {
        Pending::of_task(&task, api.0.engine.tasks_ahead(&task).await).answer()
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
    let mut body = json!({
        "object": "quote",
        "model": quoted.model,
        "n": quoted.n,
        "unit": quoted.quote.unit,
        "amount": quoted.quote.total,
        "currency": "USD",
        "price": quoted.row.as_ref().map(catalogue::price_json),
    });
    if let Some(rates) = &quoted.quote.rates {
        // Charged by the token: the amount is the most that it can come to.
        body["million_tokens"] = json!(rates);
        body["most_tokens"] = json!(quoted.most_tokens);
    }
    body
}

/// The reply of a task that has ended.
fn answer(api: &Api, dialect: &'static dyn Dialect, task: &Task) -> Response {
    match &task.failure {
        Some(failure) => Refusal::new(dialect, Error::from(failure)).into_response(),
        None => send(dialect.encode(task), api.0.engine.blobs()),
    }
}

/// How long this client waits, and what it wants when that is over (RFC 7240).
pub(super) struct Patience {
    pub(super) limit: Duration,
    /// 202 and a place to look, instead of an error.
    pub(super) then_accept: bool,
}

impl Patience {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let preferences = Preferences::of(headers);
        let limit = match preferences {
            // With a wait beside `respond-async`, whichever comes first, that long.
            Preferences {
                wait: Some(wait), ..
            } => wait.min(LONGEST_WAIT),
            Preferences {
                respond_async: true,
                ..
            } => Duration::ZERO,
            _ => LONGEST_WAIT,
        };
        Self {
            limit,
            then_accept: preferences.respond_async || preferences.wait.is_some(),
        }
    }
}

/// A task that goes on: where it can be asked for.
pub(super) struct Pending {
    task: TaskId,
    state: TaskState,
    ahead: Option<u64>,
    created_at: Millis,
}

impl Pending {
    fn of(accepted: &Accepted) -> Self {
        Self {
            task: accepted.task.clone(),
            state: accepted.state,
            ahead: accepted.ahead,
            created_at: accepted.created_at,
        }
    }

    pub(super) fn of_task(task: &Task, ahead: Option<u64>) -> Self {
        Self {
            ahead,
            task: task.id.clone(),
            state: task.state,
            created_at: task.created_at,
        }
    }

    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "id": self.task.as_str(),
            "object": "image.task",
            "state": self.state.name(),
            "created": self.created_at.seconds(),
        });
        if let Some(ahead) = self.ahead {
            body["tasks_ahead"] = ahead.into();
        }
        body
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
