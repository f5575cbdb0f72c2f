//! Whatever leaves on a client's behalf: input images, callbacks, results that lie elsewhere. One guard stands before all.
//!
//! ```text
//! text ─ Place::parse ─► Place ─ find ─► its addresses, each judged ─ dial ─► one of exactly these ─ exchange ─► Reply
//!                          ▲                                                                              │
//!                          └────────────────────────── a redirect, at most three ◄──────────────────────┘
//! ```
//!
//! A name is looked up once a hop, so it cannot be one thing when it is judged and another when it is dialled; addresses
//! that are written out take the same way. Every address of a name must be open (`address.rs`) and none of this machine's
//! own, public ones too, at any port: what listens there may answer those who ask from here as it answers nobody else. The
//! operator may allow networks; where the server itself listens nobody is sent all the same. What is looked up for one
//! purpose never waits for another (`names.rs`). A connection serves one request.
//! Proxies of the environment, cookies and credentials do not exist here; nothing is decompressed; `Content-Length` is
//! believed by nobody. This module knows addresses and bounds, nothing of what is fetched or why.

mod address;
mod dial;
mod error;
mod exchange;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod names;
mod place;

pub use address::Refused;
pub use error::{FetchError, Site};
pub use exchange::Reply;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use exchange::{Sent, exchange, is_compressed};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue, LOCATION};
use ipnet::IpNet;
use names::{Names, Purpose};
use place::Place;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often [`Outbound::get`] goes where it is sent.
pub const MOST_REDIRECTS: usize = 3;

/// How long [`Outbound::check`] waits for a name.
const LOOKUP: Duration = Duration::from_secs(5);

/// The guard, and the way through it. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>, Purpose);

struct Inner {
    allowed: Vec<IpNet>,
    /// Where this server listens.
    listened: ArcSwap<Vec<SocketAddr>>,
    names: Names,
    /// The certificates of the system, read when somebody first needs them.
    tls: ArcSwapOption<ClientConfig>,
}

/// What a server may take of our time and room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For the look-up, the connection and TLS together, at each hop.
    pub connect: Duration,
    /// From a request's first byte to the head of its reply, and then the start that a body has before its pace counts.
    pub first_byte: Duration,
    /// For everything, redirects and the body too.
    pub whole: Duration,
    /// What a body may have, whatever its head says.
    pub most_bytes: u64,
    /// The least pace of a body on average, in bytes a second.
    pub slowest: u64,
}

impl Outbound {
    /// A guard that lets these networks through, the operator's word, besides everything public.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        let inner = Inner {
            allowed,
            listened: ArcSwap::default(),
            names: Names::of_the_system(),
            tls: ArcSwapOption::empty(),
        };
        Self(Arc::new(inner), Purpose::Input)
    }

    /// A handle for what providers link to: that names of clients wait for an answer does not hold it up.
    pub fn for_results(&self) -> Self {
        self.meant_for(Purpose::Result)
    }

    fn meant_for(&self, purpose: Purpose) -> Self {
        Self(Arc::clone(&self.0), purpose)
    }

    /// Says where this server listens: nobody is sent there, whatever is allowed.
    pub fn listens_on(&self, addresses: Vec<SocketAddr>) {
        self.0.listened.store(Arc::new(addresses));
    }

    /// Whether a URL may be called as things are: it is read, its name looked up, every address judged. Nothing is
    /// dialled. It is judged again when it is called.
    pub async fn check(&self, url: &str) -> Result<(), FetchError> {
        let place = Place::parse(url)?;
        let check = self.meant_for(Purpose::Check);
        check.find(&place, LOOKUP).await.map(drop)
    }

    /// Fetches a URL, without any credential. A reply that is no success is an error, and so is a compressed one; at most
    /// [`MOST_REDIRECTS`] redirects are followed, each as if it had been asked for, never from `https` to `http`.
    pub async fn get(&self, url: &str, bounds: &Bounds) -> Result<Reply, FetchError> {
        let mut place = Place::parse(url)?;
        let until = Instant::now() + bounds.whole;
        for _ in 0..=MOST_REDIRECTS {
            let sent = Sent {
                method: Method::GET,
                headers: Vec::new(),
                body: Bytes::new(),
            };
            let reply = self.call(&place, &sent, bounds, until).await?;
            match next_place(&place, &reply)? {
                None => return Ok(reply),
                Some(next) => place = next,
            }
        }
        Err(FetchError::Redirects(place.site()))
    }

    /// Sends one POST with these headers. The reply is handed over whatever its status, a redirect too: none is followed.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        bounds: &Bounds,
    ) -> Result<Reply, FetchError> {
        let place = Place::parse(url)?;
        let sent = Sent {
            method: Method::POST,
            headers: headers.to_vec(),
            body,
        };
        let until = Instant::now() + bounds.whole;
        let delivery = self.meant_for(Purpose::Delivery);
        delivery.call(&place, &sent, bounds, until).await
    }

    async fn call(
        &self,
        place: &Place,
        sent: &Sent,
        bounds: &Bounds,
        until: Instant,
    ) -> Result<Reply, FetchError> {
        let left = until.saturating_duration_since(Instant::now());
        let connection = self.connect(place, bounds.connect.min(left)).await?;
        exchange(connection, place, sent, *bounds, until).await
    }

    /// How TLS is spoken; `None` if the system has no certificates that can be read.
    async fn tls(&self) -> Option<Arc<ClientConfig>> {
        if let Some(config) = self.0.tls.load_full() {
            return Some(config);
        }
        let made = tokio::task::spawn_blocking(tls_config).await.ok()?;
        let config = made
            .inspect_err(
                |error| tracing::error!(%error, "the system's certificates cannot be read"),
            )
            .ok()?;
        let config = Arc::new(config);
        self.0.tls.store(Some(Arc::clone(&config)));
        Some(config)
    }
}

fn tls_config() -> Result<ClientConfig, rustls::Error> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    let mut config = builder.with_platform_verifier()?.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Where a reply sends us, if it does; an error if it is neither that nor what was asked for.
fn next_place(place: &Place, reply: &Reply) -> Result<Option<Place>, FetchError> {
    match (reply.status, reply.headers.get(LOCATION)) {
        (301 | 302 | 303 | 307 | 308, Some(location)) => place.redirected(location).map(Some),
        (200..=299, _) if is_compressed(&reply.headers) => {
            Err(FetchError::Compressed(place.site()))
        }
        (200..=299, _) => Ok(None),
        (status, _) => Err(FetchError::Status {
            site: place.site(),
            status,
        }),
    }
}

#[cfg(test)]
mod tests;
