//! Results that an upstream hands over as links: fetched from its own origin, without its key.
//!
//! Any other origin is refused: where a link of somebody else may lead is for a guarded connector to decide, which would be
//! asked here.

use super::{OpenAi, bounded, fault};
use crate::blob::{BlobError, StagedBlob};
use crate::intake::Limits;
use crate::provider::replay::not_stored;
use crate::provider::{Call, ProviderError};
use futures::StreamExt;
use reqwest::{Method, Url};
use std::time::Duration;

/// How long fetching one picture may take. The upstream made it already.
const WHOLE: Duration = Duration::from_secs(120);

/// Fetches a picture. It is paid for, so a failure leaves the outcome of the call unknown.
pub(super) async fn fetch(
    provider: &OpenAi,
    call: &Call,
    link: &str,
) -> Result<StagedBlob, ProviderError> {
    let base = &provider.0.settings.base;
    let url = match base.join(link) {
        Ok(url) if is_same_origin(&url, base) => url,
        Ok(url) => {
            let host = url.host_str().unwrap_or_default();
            return Err(provider.unknown(
                call,
                &format!("a result lies at another origin, {host}, which is not fetched from"),
            ));
        }
        Err(_) => return Err(provider.unknown(call, "a result's link is no URL")),
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
    let transport = &provider.0.transport;
    let response = transport.send(transport.request(Method::GET, url)).await;
    let response = response.map_err(|error| lost(fault::causes(error.as_error())))?;
    if !response.status().is_success() {
        return Err(lost(format!("status {}", response.status().as_u16())));
    }
    let idle = provider.0.settings.idle_timeout;
    let mut body = Box::pin(bounded(response.bytes_stream(), idle));
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
