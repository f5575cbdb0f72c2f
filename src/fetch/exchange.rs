//! One request and its reply on one connection, which serves no other.

use super::dial::Connection;
use super::error::Site;
use super::place::Place;
use super::{Bounds, FetchError};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, HOST, HeaderMap, HeaderName,
    HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// What is taken of the head of a reply.
const MOST_HEAD_BYTES: usize = 64 * 1024;
const MOST_HEADERS: usize = 100;

/// What one request sends.
pub(super) struct Sent {
    pub(super) method: Method,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

/// A reply: its head, and its body as it comes.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    site: Site,
    incoming: Incoming,
    /// Moves bytes between the socket and `incoming`; `None` once it has ended.
    driver: Option<Driver>,
    bounds: Bounds,
    /// The end of everything.
    until: Instant,
    began: Instant,
    received: u64,
}

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

impl Reply {
    /// The next piece of the body; `None` at its end. What comes too late, too slowly or is too much is an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        loop {
            let (until, late) = self.patience();
            let frame = match tokio::time::timeout_at(until, self.frame()).await {
                Err(_elapsed) => return Err(late),
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => frame.map_err(|_| FetchError::Broken(self.site.clone()))?,
            };
            // Trailers say nothing that we would believe.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.received = self.received.saturating_add(data.len() as u64);
            if self.received > self.bounds.most_bytes {
                return Err(FetchError::TooLarge {
                    site: self.site.clone(),
                    most: self.bounds.most_bytes,
                });
            }
            return Ok(Some(data));
        }
    }

    /// Whether more is to be read.
    pub fn is_at_end(&self) -> bool {
        hyper::body::Body::is_end_stream(&self.incoming)
    }

    /// Until when the next piece is waited for, and what it means if it does not come: the whole time is over, or what came
    /// so far is less than the slowest pace would have brought.
    fn patience(&self) -> (Instant, FetchError) {
        let paced = self.received / self.bounds.slowest.max(1);
        let paced = self.began + self.bounds.first_byte + Duration::from_secs(paced);
        if paced < self.until {
            let slow = FetchError::Dripping {
                site: self.site.clone(),
                least: self.bounds.slowest,
            };
            return (paced, slow);
        }
        let late = FetchError::TooSlow {
            site: self.site.clone(),
            what: "all of it",
            limit: self.bounds.whole,
        };
        (self.until, late)
    }

    async fn frame(&mut self) -> Option<hyper::Result<hyper::body::Frame<Bytes>>> {
        let frame = self.incoming.frame();
        let Some(driver) = &mut self.driver else {
            return frame.await;
        };
        let mut frame = std::pin::pin!(frame);
        tokio::select! {
            biased;
            frame = &mut frame => return frame,
            // What it has read by then is in `incoming`, and so is why it ended.
            _ended = driver => {}
        }
        self.driver = None;
        frame.await
    }
}

/// Sends a request and waits for the head of its reply.
pub(super) async fn exchange(
    connection: Box<dyn Connection>,
    place: &Place,
    sent: &Sent,
    bounds: Bounds,
    until: Instant,
) -> Result<Reply, FetchError> {
    let broken = || FetchError::Broken(place.site());
    let request = request(place, sent).ok_or(FetchError::NotTaken(
        "the URL cannot be sent as a request; are all its characters escaped?",
    ))?;
    let head_until = until.min(Instant::now() + bounds.first_byte);
    let beginning = async {
        let (mut sender, driver) = http1::Builder::new()
            .max_buf_size(MOST_HEAD_BYTES)
            .max_headers(MOST_HEADERS)
            .handshake(TokioIo::new(connection))
            .await?;
        let mut driver: Driver = Box::pin(driver);
        let mut sending = std::pin::pin!(sender.send_request(request));
        tokio::select! {
            biased;
            response = &mut sending => return Ok((response?, Some(driver))),
            _ended = &mut driver => {}
        }
        let response: hyper::Result<Response<Incoming>> = sending.await;
        Ok((response?, None))
    };
    let begun = tokio::time::timeout_at(head_until, beginning).await;
    let (response, driver) = begun
        .map_err(|_elapsed| FetchError::TooSlow {
            site: place.site(),
            what: "the beginning of its answer",
            limit: bounds.first_byte,
        })?
        .map_err(|error: hyper::Error| {
            tracing::debug!(%error, "no reply from {}", place.site());
            broken()
        })?;
    let (head, incoming) = response.into_parts();
    Ok(Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        site: place.site(),
        incoming,
        driver,
        bounds,
        until,
        began: Instant::now(),
        received: 0,
    })
}

fn request(place: &Place, sent: &Sent) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(sent.body.clone()));
    *request.method_mut() = sent.method.clone();
    *request.uri_mut() = place.path()?;
    let headers = request.headers_mut();
    headers.insert(HOST, place.authority()?);
    let agent = concat!("pinhole/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in &sent.headers {
        headers.insert(name, value.clone());
    }
    Some(request)
}

/// Whether a body is not what it would be as a file.
pub(super) fn is_compressed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.is_empty() && !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
