//! Results that an upstream hands over as links. Its own origin, which the operator configured, is asked directly; wherever
//! else a link or a redirect leads, the guard of `fetch` goes. The upstream's key goes with neither.

use super::{OpenAi, bounded, fault};
use crate::blob::{BlobError, StagedBlob};
use crate::fetch::{Bounds, FetchError, MOST_REDIRECTS};
use crate::intake::Limits;
use crate::provider::replay::not_stored;
use crate::provider::{Call, ProviderError};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::header::{HeaderValue, LOCATION};
use reqwest::{Method, Url};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long fetching one picture may take. The upstream made it already.
const WHOLE: Duration = Duration::from_secs(120);

/// What somebody else's server may take of it.
const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(30),
    whole: WHOLE,
    most_bytes: Limits::UPSTREAM.image,
    slowest: 8 * 1024,
};

/// How long is waited before a link is followed once more: a picture that is not there yet, or a server that is away for a
/// moment, must not cost what is paid.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Why a picture did not come.
enum Problem {
    /// Nobody is sent there, now or later.
    Refused(String),
    /// It may come if it is asked for again.
    Passing(String),
    /// It came and could not be stored.
    NotStored(BlobError),
}

impl Problem {
    fn of(error: &FetchError) -> Self {
        match error.is_refusal() {
            true => Self::Refused(error.to_string()),
            false => Self::Passing(error.to_string()),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Refused(why) | Self::Passing(why) => why.clone(),
            Self::NotStored(error) => error.to_string(),
        }
    }
}

/// Fetches a picture. Asking for it is free, so it is asked for several times. It is paid for, so a failure leaves the
/// outcome of the call unknown.
pub(super) async fn fetch(
    provider: &OpenAi,
    call: &Call,
    link: &str,
) -> Result<StagedBlob, ProviderError> {
    let Ok(url) = provider.0.settings.base.join(link) else {
        return Err(provider.unknown(call, "a result's link is no URL"));
    };
    let until = Instant::now() + WHOLE;
    let mut pauses = PAUSES.into_iter();
    loop {
        let fetching = Box::pin(store(provider, call, url.clone()));
        let problem = match timeout_at(until, fetching).await {
            Ok(Ok(blob)) => return Ok(blob),
            Ok(Err(problem)) => problem,
            Err(_elapsed) => Problem::Passing("it did not come in time".to_owned()),
        };
        let pause = match problem {
            Problem::Refused(_) => None,
            _ => pauses
                .next()
                .filter(|pause| Instant::now() + *pause < until),
        };
        let Some(pause) = pause else {
            return Err(lost(provider, call, problem));
        };
        tracing::warn!(
            task.id = %call.task, provider = provider.name(), problem = problem.words(),
            "a result could not be fetched; asking again"
        );
        tokio::time::sleep(pause).await;
    }
}

fn lost(provider: &OpenAi, call: &Call, problem: Problem) -> ProviderError {
    match problem {
        Problem::NotStored(error) => not_stored(error),
        problem => {
            let why = format!("a result could not be fetched: {}", problem.words());
            provider.unknown(call, &why)
        }
    }
}

fn is_same_origin(url: &Url, base: &Url) -> bool {
    url.origin() == base.origin() && url.username().is_empty() && url.password().is_none()
}

async fn store(provider: &OpenAi, call: &Call, url: Url) -> Result<StagedBlob, Problem> {
    let mut body = open(provider, call, url).await?;
    let mut writer = Box::new(call.blobs.writer(Limits::UPSTREAM.image));
    let stored = |error: BlobError| match error {
        BlobError::NotAnImage(_) | BlobError::TooLarge(_) => Problem::Passing(error.to_string()),
        error => Problem::NotStored(error),
    };
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(Problem::Passing)?;
        writer.write(chunk).await.map_err(stored)?;
    }
    writer.finish().await.map_err(stored)
}

type Body = BoxStream<'static, Result<Bytes, String>>;

/// The bytes at a URL. From the upstream's own origin onward a redirect is followed; what has left that origin once stays
/// with the guard.
async fn open(provider: &OpenAi, call: &Call, mut url: Url) -> Result<Body, Problem> {
    let base = &provider.0.settings.base;
    for _ in 0..=MOST_REDIRECTS {
        if !is_same_origin(&url, base) {
            return elsewhere(call, &url).await;
        }
        let transport = &provider.0.transport;
        let request = transport.request(Method::GET, url.clone());
        let response = timeout(BOUNDS.first_byte, transport.send(request)).await;
        let response = response
            .map_err(|_elapsed| Problem::Passing("no reply in time".to_owned()))?
            .map_err(|error| Problem::Passing(fault::causes(error.as_error())))?;
        let status = response.status();
        let location = response.headers().get(LOCATION);
        match location.filter(|_| status.is_redirection()) {
            Some(location) => url = redirected(&url, location)?,
            None if status.is_success() => {
                let idle = BOUNDS.first_byte.min(provider.0.settings.idle_timeout);
                return Ok(bounded(response.bytes_stream(), idle).boxed());
            }
            None => return Err(Problem::Passing(format!("status {}", status.as_u16()))),
        }
    }
    Err(Problem::Passing("too many redirects".to_owned()))
}

/// Where a redirect leads; never from TLS to none.
fn redirected(from: &Url, location: &HeaderValue) -> Result<Url, Problem> {
    let location = std::str::from_utf8(location.as_bytes());
    let next = location.ok().and_then(|location| from.join(location).ok());
    let next = next.ok_or_else(|| Problem::Passing("a redirect leads to no URL".to_owned()))?;
    match (from.scheme(), next.scheme()) {
        ("https", "http") => Err(Problem::Refused(
            "a redirect leads from https to http".to_owned(),
        )),
        _ => Ok(next),
    }
}

async fn elsewhere(call: &Call, url: &Url) -> Result<Body, Problem> {
    let reply = call.outbound.get(url.as_str(), &BOUNDS).await;
    let reply = reply.map_err(|error| Problem::of(&error))?;
    let chunks = futures::stream::try_unfold(reply, |mut reply| async move {
        match reply.chunk().await {
            Ok(chunk) => Ok(chunk.map(|chunk| (chunk, reply))),
            Err(error) => Err(error.to_string()),
        }
    });
    Ok(chunks.boxed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upstreams_own_origin_counts() {
        let base = Url::parse("http://gpu:8080/v1").expect("a URL");
        for (link, own) in [
            ("/generated-images/x.png", true),
            ("http://gpu:8080/x.png", true),
            ("http://gpu/x.png", false),
            ("https://gpu:8080/x.png", false),
            ("//169.254.169.254/x", false),
            ("http://u:p@gpu:8080/x.png", false),
            ("file:///etc/passwd", false),
        ] {
            let url = base.join(link).expect("a URL");
            assert_eq!(is_same_origin(&url, &base), own, "{link}");
        }
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let follow = |from: &str, to: &'static str| {
            let from = Url::parse(from).expect("a URL");
            redirected(&from, &HeaderValue::from_static(to))
        };
        let is_refused = |from, to| matches!(follow(from, to), Err(Problem::Refused(_)));
        assert!(is_refused("https://gpu/v1/x", "http://gpu/x"));
        assert!(is_refused("https://gpu/v1/x", "http://cdn.example/x"));
        for (from, to, next) in [
            ("https://gpu/v1/x", "/y", "https://gpu/y"),
            (
                "https://gpu/v1/x",
                "//cdn.example/y",
                "https://cdn.example/y",
            ),
            ("http://gpu/v1/x", "http://gpu/y", "http://gpu/y"),
            ("http://gpu/v1/x", "https://gpu/y", "https://gpu/y"),
        ] {
            let followed = follow(from, to).ok().map(String::from);
            assert_eq!(followed.as_deref(), Some(next), "{from} {to}");
        }
    }
}
