//! From a place to a connection: its addresses are looked up once, all of them judged, and one of exactly these is dialled.

use super::address::{Refused, classify};
use super::names::NoAddress;
use super::place::Place;
use super::{FetchError, Outbound};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use url::Host;

/// How many of a name's addresses are tried.
const MOST_TRIED: usize = 4;

/// A connection to somebody else's server.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Outbound {
    /// Where a place lies, if somebody may be sent to every address that it has: one that is public beside one that is not
    /// is how a name that changes its mind begins.
    pub(super) async fn find(
        &self,
        place: &Place,
        within: Duration,
    ) -> Result<Vec<SocketAddr>, FetchError> {
        let found = tokio::time::timeout(within, self.addresses(place));
        let addresses = found
            .await
            .map_err(|_elapsed| too_slow(place, "the address of its name", within))??;
        for address in &addresses {
            self.judge(place, *address)?;
        }
        Ok(addresses)
    }

    /// Addresses that are written out and those of a name take the same way from here on.
    async fn addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, FetchError> {
        let found = match place.host() {
            Host::Ipv4(address) => Ok(vec![SocketAddr::new(IpAddr::V4(address), place.port)]),
            Host::Ipv6(address) => Ok(vec![SocketAddr::new(IpAddr::V6(address), place.port)]),
            Host::Domain(name) => self.0.names.look_up(name, place.port, self.1).await,
        };
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) | Err(NoAddress::NotFound) => Err(FetchError::NameNotFound(place.site())),
            Err(NoAddress::Unanswered) => Err(FetchError::NameUnanswered(place.site())),
        }
    }

    fn judge(&self, place: &Place, address: SocketAddr) -> Result<(), FetchError> {
        if self.is_own(address) {
            return Err(FetchError::Own(place.site()));
        }
        let ip = address.ip();
        if self.0.allowed.iter().any(|network| network.contains(&ip)) {
            return Ok(());
        }
        let refused = |why| FetchError::Refused {
            site: place.site(),
            why,
        };
        classify(ip).map_err(refused)?;
        match is_of_this_machine(ip) {
            true => Err(refused(Refused("this machine's own"))),
            false => Ok(()),
        }
    }

    /// Whether we listen there ourselves: nobody is sent there, also if the address is allowed.
    fn is_own(&self, address: SocketAddr) -> bool {
        let listened = self.0.listened.load();
        let mut listened = listened.iter();
        let ip = address.ip().to_canonical();
        listened.any(|own| {
            let same_ip = own.ip().to_canonical() == ip;
            own.port() == address.port()
                && (same_ip || (own.ip().is_unspecified() && is_of_this_machine(ip)))
        })
    }

    /// Dials one of the addresses and, for `https`, proves that it is who the URL names.
    pub(super) async fn connect(
        &self,
        place: &Place,
        within: Duration,
    ) -> Result<Box<dyn Connection>, FetchError> {
        let until = Instant::now() + within;
        let addresses = self.find(place, within).await?;
        let stream = dial(place, &addresses, until, within).await?;
        if !place.is_tls() {
            return Ok(Box::new(stream));
        }
        let config = self.tls().await.ok_or(FetchError::Tls(place.site()))?;
        let name = place.server_name();
        let name = name.ok_or_else(|| FetchError::Tls(place.site()))?;
        let shaking = TlsConnector::from(config).connect(name, stream);
        match tokio::time::timeout_at(until, shaking).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no TLS connection to {}", place.site());
                Err(FetchError::Tls(place.site()))
            }
            Err(_elapsed) => Err(too_slow(place, "a TLS connection", within)),
        }
    }
}

/// The first that answers, in the system's order; each has its share of the time, so that a dead one does not take it all.
async fn dial(
    place: &Place,
    addresses: &[SocketAddr],
    until: Instant,
    within: Duration,
) -> Result<TcpStream, FetchError> {
    let tried = &addresses[..addresses.len().min(MOST_TRIED)];
    let mut last = FetchError::Unreachable(place.site());
    for (at, address) in tried.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let still_to_try = u32::try_from(tried.len() - at).unwrap_or(1);
        match tokio::time::timeout(left / still_to_try, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Heads and small bodies leave at once; that it cannot be set is no reason to fail.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "{} was not reached", place.site());
                last = FetchError::Unreachable(place.site());
            }
            Err(_elapsed) => last = too_slow(place, "a connection", within),
        }
    }
    Err(last)
}

fn too_slow(place: &Place, what: &'static str, limit: Duration) -> FetchError {
    FetchError::TooSlow {
        site: place.site(),
        what,
        limit,
    }
}

/// Whether an address belongs to this machine: what is sent there would come from it, and past whatever keeps others out,
/// at every port. Nothing is sent to find out. One that a router in front of the machine has is nobody's here.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    // The port of nobody: a socket for datagrams that is connected sends nothing.
    let source = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    ip.is_loopback() || ip.is_unspecified() || source.is_ok_and(|source| source.ip() == ip)
}
