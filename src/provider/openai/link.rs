//! Results that an upstream hands over as links. Its own origin, which the operator configured, is asked directly; wherever
//! else a link or a redirect leads, the guard of `fetch` goes. The upstream's key goes with neither.

use super::{OpenAi, bounded, fault};
use crate::blob::{BlobError, StagedBlob};
use crate::fetch::{Bounds, MOST_REDIRECTS};
use crate::intake::Limits;
use crate::provider::replay::not_stored;
use crate::provider::{Call, ProviderError};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::header::LOCATION;
use reqwest::{Method, Url};
use std::time::Duration;

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

/// Fetches a picture. It is paid for, so a failure leaves the outcome of the call unknown.
pub(super) async fn fetch(
    provider: &OpenAi,
    call: &Call,
    link: &str,
) -> Result<StagedBlob, ProviderError> {
    let Ok(url) = provider.0.settings.base.join(link) else {
        return Err(provider.unknown(call, "a result's link is no URL"));
    };
    let fetching = Box::pin(store(provider, call, url));
    match tokio::time::timeout(WHOLE, fetching).await {
        Ok(fetched) => fetched,
        Err(_elapsed) => Err(provider.unknown(call, "a result could not be fetched in time")),
    }
}

fn is_same_origin(url: &Url, base: &Url) -> bool {
    url.origin() == base.origin() && url.username().is_empty() && url.password().is_none()
}

async fn store(provider: &OpenAi, call: &Call, url: Url) -> Result<StagedBlob, ProviderError> {
    let lost =
        |why: String| provider.unknown(call, &format!("a result could not be fetched: {why}"));
    let mut body = open(provider, call, url).await.map_err(lost)?;
    let mut writer = Box::new(call.blobs.writer(Limits::UPSTREAM.image));
    let stored = |error: BlobError| match error {
        BlobError::NotAnImage(_) | BlobError::TooLarge(_) => lost(error.to_string()),
        error => not_stored(error),
    };
    while let Some(chunk) = body.next().await {
        writer.write(chunk.map_err(lost)?).await.map_err(stored)?;
    }
    writer.finish().await.map_err(stored)
}

type Body = BoxStream<'static, Result<Bytes, String>>;

/// The bytes at a URL. From the upstream's own origin onward a redirect is followed; what has left that origin once stays
/// with the guard.
async fn open(provider: &OpenAi, call: &Call, mut url: Url) -> Result<Body, String> {
    let base = &provider.0.settings.base;
    for _ in 0..=MOST_REDIRECTS {
        if !is_same_origin(&url, base) {
            return elsewhere(call, &url).await;
        }
        let transport = &provider.0.transport;
        let request = transport.request(Method::GET, url.clone());
        let response = transport.send(request).await;
        let response = response.map_err(|error| fault::causes(error.as_error()))?;
        let status = response.status();
        let location = response.headers().get(LOCATION);
        match location.filter(|_| status.is_redirection()) {
            Some(location) => {
                let location = std::str::from_utf8(location.as_bytes());
                let next = location.ok().and_then(|location| url.join(location).ok());
                url = next.ok_or("a redirect leads to no URL")?;
            }
            None if status.is_success() => {
                let idle = provider.0.settings.idle_timeout;
                return Ok(bounded(response.bytes_stream(), idle).boxed());
            }
            None => return Err(format!("status {}", status.as_u16())),
        }
    }
    Err("too many redirects".to_owned())
}

async fn elsewhere(call: &Call, url: &Url) -> Result<Body, String> {
    let reply = call.outbound.get(url.as_str(), &BOUNDS).await;
    let reply = reply.map_err(|error| error.to_string())?;
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
}
