//! `/v1/images/generations` and `/v1/quote`.

use super::reply::{Refusal, json_response, send};
use super::tasks::find_task;
use super::{Api, stream};
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::engine::{Accepted, Origin};
use crate::error::{Error, Kind};
use crate::intake;
use crate::types::{Caller, Draft, Millis, Mode, Quote, Task, TaskId, TaskState};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long a synchronous call waits: below the 600 s after which OpenAI's SDKs give up and call again.
const LONGEST_WAIT: Duration = Duration::from_secs(570);

/// `POST /v1/images/generations`
pub(super) async fn generate(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = Instant::now();
    let dialect: &'static dyn Dialect = &Flat;
    let accepted = match accept(&api, &caller, &headers, body, dialect).await {
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
        return stream::respond(&api, dialect, accepted, marks, received).await;
    }
    let pending = Pending::of(&accepted);
    let patience = Patience::of(&headers);
    let mut response = match accepted.wait(patience.limit).await {
        Err(error) if error.kind == Kind::StillRunning && patience.then_accept => pending.answer(),
        Err(error) => Refusal::new(dialect, error).into_response(),
        Ok(task) => {
            marks.settled(&task, received.elapsed());
            answer(&api, dialect, &task)
        }
    };
    marks.write(response.headers_mut());
    response
}

/// `GET /v1/images/generations/{task_id}`: what the POST answered or would have answered.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Response {
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
        answer(&api, &Flat, &task)
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
        let draft = read(&headers, body, &Flat).await?;
        api.0.engine.quote(&caller, draft)
    };
    match quoted.await {
        Err(error) => Refusal::new(&Flat, error).into_response(),
        Ok(quoted) => {
            let body = json!({
                "object": "quote",
                "model": quoted.model,
                "n": quoted.n,
                "unit": quoted.quote.unit,
                "amount": quoted.quote.total,
                "currency": "USD",
            });
            json_response(StatusCode::OK, body.to_string())
        }
    }
}

/// The reply of a task that has ended.
fn answer(api: &Api, dialect: &'static dyn Dialect, task: &Task) -> Response {
    let now = api.0.engine.now();
    let gone = task
        .assets
        .iter()
        .any(|asset| asset.expires_at.is_some_and(|at| at <= now));
    match &task.failure {
        Some(failure) => Refusal::new(dialect, Error::from(failure)).into_response(),
        None if gone => {
            let error = Error::new(
                Kind::Gone,
                "the results of this task were deleted when their time was over",
            );
            Refusal::new(dialect, error).into_response()
        }
        None => send(dialect.encode(task), api.0.engine.blobs()),
    }
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
struct Pending {
    task: TaskId,
    state: TaskState,
    created_at: Millis,
}

impl Pending {
    fn of(accepted: &Accepted) -> Self {
        Self {
            task: accepted.task.clone(),
            state: TaskState::Processing,
            created_at: accepted.created_at,
        }
    }

    fn of_task(task: &Task) -> Self {
        Self {
            task: task.id.clone(),
            state: task.state,
            created_at: task.created_at,
        }
    }

    fn answer(&self) -> Response {
        let body = json!({
            "id": self.task.as_str(),
            "object": "image.task",
            "state": self.state.name(),
            "created": self.created_at.seconds(),
        });
        let mut response = json_response(StatusCode::ACCEPTED, body.to_string());
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

async fn accept(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    dialect: &dyn Dialect,
) -> Result<Accepted, Error> {
    let draft = read(headers, body, dialect).await?;
    let origin = Origin {
        idempotency: idempotency(headers, "/v1/images/generations", &draft)?,
        public_url: public_url(api, headers),
        reject_adaptation: rejects_adaptation(headers)?,
    };
    api.0.engine.generate(caller, draft, origin).await
}

async fn read(headers: &HeaderMap, body: Body, dialect: &dyn Dialect) -> Result<Draft, Error> {
    expect_json(headers)?;
    let intake = intake::read_json(body.into_data_stream()).await?;
    dialect.decode(&intake)
}

/// A body of another type is refused; one without a type is taken for JSON, as many clients leave it out.
fn expect_json(headers: &HeaderMap) -> Result<(), Error> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = given
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let is_json = given.eq_ignore_ascii_case("application/json")
        || given.to_ascii_lowercase().ends_with("+json");
    // curl's default for `-d`; refusing it would help nobody.
    if is_json
        || given.is_empty()
        || given.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Ok(());
    }
    let given: String = given.chars().take(60).collect();
    Err(Error::new(
        Kind::UnsupportedMediaType,
        format!("this endpoint reads `application/json`, got `{given}`"),
    ))
}

fn rejects_adaptation(headers: &HeaderMap) -> Result<bool, Error> {
    match headers.get("x-pinhole-params").map(HeaderValue::as_bytes) {
        None | Some(b"adapt") => Ok(false),
        Some(b"reject") => Ok(true),
        Some(_) => Err(Error::new(
            Kind::InvalidBody,
            "the header `x-pinhole-params` is `adapt` or `reject`",
        )),
    }
}

/// The client's `Idempotency-Key` with a hash of what must be the same in a repetition: path and draft.
fn idempotency(
    headers: &HeaderMap,
    path: &str,
    draft: &Draft,
) -> Result<Option<(String, [u8; 32])>, Error> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()))
        .ok_or_else(|| {
            Error::new(
                Kind::InvalidBody,
                "an `Idempotency-Key` has 1 to 255 visible ASCII characters",
            )
        })?;
    let fingerprint = blake3::hash(format!("{path}\n{}", draft.canonical()).as_bytes());
    Ok(Some((key.to_owned(), *fingerprint.as_bytes())))
}

/// Where this client can fetch its results: as configured, else as it reached us.
pub(super) fn public_url(api: &Api, headers: &HeaderMap) -> String {
    if let Some(url) = &api.0.settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.map_or_else(|| api.0.settings.listen.to_string(), str::to_owned);
    format!("http://{host}")
}

/// What the headers of every admitted call say.
pub(super) struct Marks {
    task: TaskId,
    mode: Mode,
    quote: Quote,
    adapted: Vec<String>,
    cost: Option<String>,
    overhead_ms: Option<u64>,
}

impl Marks {
    fn of(accepted: &Accepted) -> Self {
        Self {
            task: accepted.task.clone(),
            mode: accepted.mode,
            quote: accepted.quote,
            adapted: accepted.adapted.clone(),
            cost: None,
            overhead_ms: None,
        }
    }

    fn of_task(task: &Task) -> Self {
        Self {
            task: task.id.clone(),
            mode: task.mode,
            quote: task.quote,
            adapted: Vec::new(),
            cost: None,
            overhead_ms: None,
        }
    }

    /// Adds what is known at the end.
    pub(super) fn settled(&mut self, task: &Task, elapsed: Duration) {
        self.cost = Some(task.captured.to_string());
        self.overhead_ms = Some(overhead_ms(task, elapsed));
    }

    pub(super) fn write(self, headers: &mut HeaderMap) {
        let mut set = |name: &'static str, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-pinhole-task-id", Some(self.task.to_string()));
        set("x-pinhole-quote", Some(self.quote.total.to_string()));
        set(
            "x-pinhole-mode",
            (self.mode == Mode::Test).then(|| "test".to_owned()),
        );
        set(
            "x-pinhole-adapted",
            (!self.adapted.is_empty()).then(|| self.adapted.join(", ")),
        );
        set("x-pinhole-cost", self.cost);
        set(
            "x-pinhole-overhead-ms",
            self.overhead_ms.map(|ms| ms.to_string()),
        );
    }
}

/// Our own time: all of it but what was spent waiting for upstreams.
pub(super) fn overhead_ms(task: &Task, elapsed: Duration) -> u64 {
    let upstream = Duration::from_millis(u64::try_from(task.upstream_ms).unwrap_or(0));
    u64::try_from(elapsed.saturating_sub(upstream).as_millis()).unwrap_or(u64::MAX)
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
