//! How a call leaves and its reply comes: through reqwest, or, without TLS and proxy, through the client below it.
//!
//! Over TLS a connection is read a record at a time. Without, reqwest's buffers grow to 400 KiB, three of which are under
//! way for each reply, and it has no setting for that: it was half of the memory under many large replies from a server
//! on one's own network. So such a server is asked with the same client that reqwest is built on, its buffers bounded.

use super::settings::{Proxy, Settings};
use super::{KEEP_IDLE, USER_AGENT};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::{Body, Client, Method, RequestBuilder, Response, Url, header};
use std::error::Error;
use std::time::Duration;

/// What a connection reads at once, and gathers to be written.
const BUFFER_BYTES: usize = 64 * 1024;

/// As reqwest's own, so that both notice a server that has gone.
const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

type Plain = legacy::Client<HttpConnector, Body>;

/// Sends requests of one instance.
pub(super) struct Transport {
    client: Client,
    plain: Option<Plain>,
}

/// Why no reply came.
#[derive(Debug)]
pub(super) enum Unanswered {
    Reqwest(reqwest::Error),
    Plain(legacy::Error),
}

impl Unanswered {
    /// As the error that it is.
    pub(super) fn as_error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Reqwest(error) => error,
            Self::Plain(error) => error,
        }
    }

    /// No connection came about, or no request.
    pub(super) fn is_unsent(&self) -> bool {
        match self {
            Self::Reqwest(error) => error.is_connect() || error.is_builder(),
            Self::Plain(error) => error.is_connect(),
        }
    }
}

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        Self::Reqwest(error)
    }
}

impl Transport {
    pub(super) fn new(client: Client, settings: &Settings) -> Self {
        let plain = is_plain(settings).then(|| plain(settings));
        Self { client, plain }
    }

    /// One that always goes through reqwest, for the tests of both.
    #[cfg(test)]
    pub(super) fn through_reqwest(client: Client) -> Self {
        Self {
            client,
            plain: None,
        }
    }

    /// Whether reqwest is passed by.
    #[cfg(test)]
    pub(super) fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// A request that is not sent yet.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request to this instance's own server and waits for the head of the reply.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Unanswered> {
        let Some(plain) = &self.plain else {
            return Ok(request.send().await?);
        };
        let mut request = hyper::Request::<Body>::try_from(request.build()?)?;
        let agent = header::HeaderValue::from_static(USER_AGENT);
        request.headers_mut().insert(header::USER_AGENT, agent);
        let response = plain.request(request).await.map_err(Unanswered::Plain)?;
        Ok(Response::from(response.map(Body::wrap)))
    }
}

fn is_plain(settings: &Settings) -> bool {
    let is_proxied = match &settings.proxy {
        Proxy::None => false,
        Proxy::Url(_) => true,
        Proxy::Environment => {
            let target = settings.base.as_str().parse::<hyper::Uri>();
            target.map_or(true, |target| {
                Matcher::from_env().intercept(&target).is_some()
            })
        }
    };
    settings.base.scheme() == "http" && !is_proxied
}

fn plain(settings: &Settings) -> Plain {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(settings.connect_timeout));
    connector.set_keepalive(Some(TCP_KEEPALIVE));
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP_IDLE)
        .http1_max_buf_size(BUFFER_BYTES)
        .build(connector)
}
