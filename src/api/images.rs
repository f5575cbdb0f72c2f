//! `POST /v1/images/generations`.

use super::reply::{Refusal, send};
use super::{Api, stream};
use crate::dialect::Dialect;
use crate::dialect::flat::Flat;
use crate::engine::{Accepted, Origin};
use crate::error::{Error, Kind};
use crate::intake::{self, Fields};
use crate::types::{Caller, Mode, Quote, Task, TaskId, TaskState};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use std::time::{Duration, Instant};

/// How long a synchronous call waits: below the 600 s after which OpenAI's SDKs give up and call again.
const LONGEST_WAIT: Duration = Duration::from_secs(570);

/// Where the flat shape may hold pictures, in every way that `catalogue::value` reads one.
const IMAGE_FIELDS: Fields = Fields(&[
    "$.image",
    "$.image.url",
    "$.image.image_url",
    "$.image.image_url.url",
    "$.images",
    "$.images.url",
    "$.images.image_url",
    "$.images.image_url.url",
    "$.mask",
    "$.mask.url",
    "$.mask.image_url",
    "$.mask.image_url.url",
]);

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
    let mut marks = Marks::of(&accepted);
    if accepted.stream {
        return stream::respond(&api, dialect, accepted, marks, received).await;
    }
    let mut response = match accepted.wait(LONGEST_WAIT).await {
        Err(error) => Refusal::new(dialect, error).into_response(),
        Ok(task) => {
            marks.settled(&task, received.elapsed());
            match (&task.failure, task.state) {
                (Some(failure), TaskState::Failed) => {
                    Refusal::new(dialect, Error::from(failure)).into_response()
                }
                _ => send(dialect.encode(&task), api.0.engine.blobs()),
            }
        }
    };
    marks.write(response.headers_mut());
    response
}

async fn accept(
    api: &Api,
    caller: &Caller,
    headers: &HeaderMap,
    body: Body,
    dialect: &dyn Dialect,
) -> Result<Accepted, Error> {
    expect_json(headers)?;
    let blobs = api.0.engine.blobs();
    let intake = intake::read_json(body.into_data_stream(), blobs, IMAGE_FIELDS).await?;
    let draft = dialect.decode(&intake)?;
    let origin = Origin {
        public_url: public_url(api, headers),
        reject_adaptation: rejects_adaptation(headers)?,
    };
    api.0.engine.generate(caller, draft, origin).await
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
