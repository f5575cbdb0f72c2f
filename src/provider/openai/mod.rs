//! `openai`: OpenAI's Images API, and the many servers that speak it.
//!
//! One POST a call, answered by one JSON document or by a stream of events; pictures go from the socket through the
//! scanner into staged blobs. What the servers differ in is a row of the table in `variant.rs`; what a failure amounts to
//! is a row of the table in `fault.rs`.
//!
//! ```toml
//! [provider.my-azure]
//! kind = "openai"
//! variant = "azure"          # openai (default), azure, compatible, localai, sd-server, vllm-omni, sglang
//! base_url = "https://my-resource.openai.azure.com"
//! api_version = "2025-04-01-preview"   # azure only
//! api_key = "…"
//! concurrency = 32           # calls at once
//! connect_timeout_s = 10
//! response_timeout_s = 1800  # from the first byte sent to the head of the reply
//! idle_timeout_s = 1800      # between two pieces of the reply
//! retry_503 = false          # true: this server's 503 comes before any work, so another target may be asked
//! proxy = "none"             # or a proxy's URL; without it HTTPS_PROXY and its like count
//! ```
//!
//! The client is told after 900 s that nothing came, and the upstream is heard on for 900 s more: what it brings by then is
//! kept. A shorter `response_timeout_s` or `idle_timeout_s` hangs up earlier, and a picture that comes later is paid and lost.
//!
//! A paid POST is sent once. reqwest's own retries are off; what remains below is told at `fault::of_transport`. The
//! circuit breaker and the retry budget are the engine's: `ProviderError::retry_after` brings what they need.

mod body;
mod fault;
mod link;
mod reply;
mod settings;
#[cfg(test)]
mod tests;
mod transport;
mod variant;

use super::{Call, Event, EventStream, Provider, ProviderError, Traits};
use crate::config::ProviderSettings;
use crate::failpoint::failpoint;
use crate::types::{Operation, Request};
use bytes::Bytes;
use fault::{Class, Said, Server};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use settings::{Proxy, Settings};
use std::sync::Arc;
use std::time::Duration;
use transport::{Transport, Unanswered};

/// Connections are kept this long when nothing is sent on them: less than servers keep theirs (Node and uvicorn: 5 s), so
/// that a call hardly ever meets one that is being closed, whose outcome nobody could tell.
const KEEP_IDLE: Duration = Duration::from_secs(3);

/// Who we say we are.
const USER_AGENT: &str = concat!("pinhole/", env!("CARGO_PKG_VERSION"));

/// How often a silent HTTP/2 connection is asked whether it lives, and how long it may take to say so.
const PING: Duration = Duration::from_secs(30);

/// The most previews that may be asked for.
const MOST_PREVIEWS: u32 = 3;

/// Parameters whose texts are choices and sizes, nothing private: the log may name them.
const CHOICES: &[&str] = &[
    "size",
    "quality",
    "background",
    "output_format",
    "moderation",
    "style",
    "input_fidelity",
];

/// What is read of the body of a refusal.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// The provider.
#[derive(Clone)]
pub struct OpenAi(Arc<Inner>);

struct Inner {
    settings: Settings,
    transport: Transport,
}

/// A reply's body; the error says in words why it broke off.
type Body = BoxStream<'static, Result<Bytes, String>>;

impl OpenAi {
    /// Reads its settings and makes its client.
    pub fn from_settings(settings: &ProviderSettings) -> Result<Self, String> {
        let settings = Settings::read(settings)?;
        let client = client(&settings)
            .map_err(|error| format!("the client cannot be made: {}", fault::causes(&error)))?;
        let transport = Transport::new(client, &settings);
        Ok(Self(Arc::new(Inner {
            settings,
            transport,
        })))
    }

    /// Sends the call and reads the beginning of the reply, whose rest is the stream.
    async fn call(self, call: Call) -> Result<EventStream, ProviderError> {
        let request = Box::pin(self.request(&call)).await?;
        let limit = self.0.settings.response_timeout;
        let response = match tokio::time::timeout(limit, self.0.transport.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.broken(&call, &error)),
            Err(_elapsed) => return Err(self.unknown(&call, "no reply in time")),
        };
        failpoint("sent");
        if !response.status().is_success() {
            return Err(self.refused(&call, response).await);
        }
        let is_stream = header(&response, CONTENT_TYPE).starts_with("text/event-stream");
        let body = self.body(response);
        Ok(if is_stream {
            reply::events(self, call, body)
        } else {
            reply::document(self, call, body)
        })
    }

    async fn request(&self, call: &Call) -> Result<RequestBuilder, ProviderError> {
        let settings = &self.0.settings;
        let variant = settings.variant;
        body::refuse(call, variant)?;
        // With several images the events of a stream do not say which is which.
        let previews = if variant.streams && call.part.count == 1 {
            call.previews.min(MOST_PREVIEWS)
        } else {
            0
        };
        let fields = body::fields(call, variant, previews);
        let request = match (call.request.operation(), &variant.edits) {
            (Operation::Edit, Some(edits)) => {
                let form = body::form(call, edits, fields).await?;
                self.post("edits", call).multipart(form)
            }
            _ => self.post("generations", call).json(&fields),
        };
        Ok(match &settings.key {
            Some(key) => request.header(&key.header, &key.value),
            None => request,
        })
    }

    /// Where a call went, for the operator's log.
    fn tried(&self, call: &Call) -> String {
        let variant = self.0.settings.variant;
        let is_edit = call.request.operation() == Operation::Edit && variant.edits.is_some();
        let path = if is_edit { "edits" } else { "generations" };
        let mut url = self.0.settings.url(path, &call.upstream_model);
        url.set_query(None);
        url.to_string()
    }

    fn post(&self, path: &str, call: &Call) -> RequestBuilder {
        let url = self.0.settings.url(path, &call.upstream_model);
        self.0
            .transport
            .request(Method::POST, url)
            .header(ACCEPT, "application/json, text/event-stream")
    }

    /// A reply's bytes as they come, bounded in time.
    fn body(&self, response: Response) -> Body {
        bounded(response.bytes_stream(), self.0.settings.idle_timeout).boxed()
    }

    /// No reply came.
    fn broken(&self, call: &Call, error: &Unanswered) -> ProviderError {
        let class = fault::of_transport(error);
        let causes = fault::causes(error.as_error());
        tracing::warn!(
            task.id = %call.task, provider = self.name(), ?class, causes,
            upstream.url = self.tried(call), advice = fault::advice_unanswered(class),
            "the upstream call brought no reply"
        );
        fault::error(class, None, |_| false)
    }

    /// A reply that is no success.
    async fn refused(&self, call: &Call, response: Response) -> ProviderError {
        let status = response.status().as_u16();
        let retry_after = fault::retry_after(response.headers());
        let (request, location) = (
            header(&response, "x-request-id"),
            header(&response, LOCATION),
        );
        let body = beginning(self.body(response), self.0.settings.refusal_timeout).await;
        let said = Said::parse(&body);
        let class = fault::of_reply(status, said.as_ref(), self.server());
        let code = said.as_ref().map(|said| self.for_log(call, &said.code));
        let words = said.as_ref().map(|said| self.for_log(call, &said.message));
        let (url, advice) = (self.tried(call), fault::advice(status, said.as_ref()));
        // A key, a credit or a name that is wrong stays wrong until the operator looks; the rest passes.
        if class == Class::Refused && !matches!(status, 429 | 503) {
            tracing::error!(
                task.id = %call.task, provider = self.name(), status, code,
                upstream.url = url, upstream.request = request, upstream.said = words, advice,
                "the upstream refuses the provider's key, credit, address or model name"
            );
        } else {
            tracing::warn!(
                task.id = %call.task, provider = self.name(), ?class, status, code,
                upstream.url = url, upstream.request = request, upstream.said = words, location, advice,
                retry_after_s = retry_after.map(|wait| wait.as_secs()),
                "the upstream refused the call or failed"
            );
        }
        let mut error = self.error(call, class, said.as_ref());
        error.retry_after = retry_after;
        error.is_of_model = status == 404;
        error
    }

    fn error(&self, call: &Call, class: Class, said: Option<&Said>) -> ProviderError {
        let parameters = call.request.parameters();
        let known = |name: &str| parameters.contains_key(name) || matches!(name, "image" | "mask");
        fault::error(class, said, known)
    }

    /// The call may have been carried out, and this is all that is known.
    fn unknown(&self, call: &Call, why: &str) -> ProviderError {
        tracing::warn!(
            task.id = %call.task, provider = self.name(), why, upstream.url = self.tried(call),
            "nobody can tell what became of the upstream call"
        );
        self.error(call, Class::Unknown, None)
    }

    fn name(&self) -> &str {
        &self.0.settings.name
    }

    fn server(&self) -> Server {
        Server {
            retry_503: self.0.settings.retry_503,
            is_original: self.0.settings.is_original(),
        }
    }

    fn for_log(&self, call: &Call, words: &str) -> String {
        let key = self.0.settings.key.as_ref();
        fault::for_log(
            words,
            &texts(&call.request),
            key.map(|key| key.text.as_str()),
        )
    }
}

/// Every text of a request that may be the client's own.
fn texts(request: &Request) -> Vec<&str> {
    let parameters = request.parameters().iter();
    let own = parameters.filter(|(name, _)| !CHOICES.contains(&name.as_str()));
    let mut texts: Vec<&str> = own.flat_map(|(_, value)| texts_in(value)).collect();
    texts.extend(request.envelope().safety_identifier.as_deref());
    texts
}

fn texts_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_in).collect(),
        Value::Object(items) => items.values().flat_map(texts_in).collect(),
        _ => Vec::new(),
    }
}

impl Provider for OpenAi {
    fn traits(&self) -> Traits {
        Traits {
            repeatable: false,
            concurrency: self.0.settings.concurrency,
        }
    }

    fn address(&self) -> Option<String> {
        Some(self.0.settings.base.to_string())
    }

    fn generate(&self, call: Call) -> EventStream {
        let provider = self.clone();
        futures::stream::once(async move { provider.call(call).await })
            .flat_map(|begun| match begun {
                Ok(events) => events,
                Err(error) => only(Err(error)),
            })
            .boxed()
    }
}

/// A stream of one event.
fn only(event: Result<Event, ProviderError>) -> EventStream {
    futures::stream::once(std::future::ready(event)).boxed()
}

/// One client an instance. The proxies of the environment count (unless the settings say otherwise): where the calls go
/// is the operator's own choice, not a client's.
fn client(settings: &Settings) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(KEEP_IDLE)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        // Pictures do not get smaller.
        .gzip(false);
    match &settings.proxy {
        Proxy::Environment => builder,
        Proxy::None => builder.no_proxy(),
        Proxy::Url(url) => builder.proxy(reqwest::Proxy::all(url.clone())?),
    }
    .build()
}

fn bounded(
    stream: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    limit: Duration,
) -> impl Stream<Item = Result<Bytes, String>> + Send {
    futures::stream::unfold(Some(Box::pin(stream)), move |stream| async move {
        let mut stream = stream?;
        match tokio::time::timeout(limit, stream.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(stream))),
            Ok(Some(Err(error))) => Some((Err(fault::causes(&error)), None)),
            Err(_elapsed) => Some((Err(format!("nothing came for {} s", limit.as_secs())), None)),
        }
    })
}

/// As much of a body as an error message needs; what breaks off, hangs or drips is read as far as it came.
async fn beginning(mut body: Body, limit: Duration) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async {
        while let Some(Ok(chunk)) = body.next().await {
            let room = MAX_REFUSAL_BYTES - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
    };
    let _came_in_time = tokio::time::timeout(limit, reading).await;
    read
}

fn header(response: &Response, name: impl reqwest::header::AsHeaderName) -> String {
    let value = response
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().chars().take(200).collect()
}
