//! What holds for any URL and any address, whatever bytes they come as.

use super::FetchError;
use super::address::classify;
use super::place::Place;
use hyper::header::HeaderValue;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::Host;

/// A URL, and behind a line break where it redirects to; the same bytes once more as addresses.
pub(crate) fn place(bytes: &[u8]) {
    addresses(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (url, location) = text.split_once('\n').unwrap_or((text, "/"));
    let Some(place) = told(url, Place::parse(url)) else {
        return;
    };
    expect_plain(&place);
    let Ok(location) = HeaderValue::from_bytes(location.as_bytes()) else {
        return;
    };
    if let Some(next) = told(url, place.redirected(&location)) {
        expect_plain(&next);
        assert!(next.is_tls() || !place.is_tls(), "{url} → {location:?}");
    }
}

/// A refusal is short, and shows no more than scheme and host.
fn told(url: &str, read: Result<Place, FetchError>) -> Option<Place> {
    let error = match read {
        Ok(place) => return Some(place),
        Err(error) => error,
    };
    let message = error.to_string();
    assert!(message.chars().count() < 300, "{message}");
    let query = url.split_once('?').map(|(_, query)| query);
    assert!(query.is_none_or(|query| query.len() < 20 || !message.contains(query)));
    None
}

/// What was read means the same to everybody who reads it again: to us, to the resolver and to the server.
fn expect_plain(place: &Place) {
    assert_ne!(place.port, 0);
    let site = place.site().to_string();
    assert!(site.starts_with(if place.is_tls() {
        "https://"
    } else {
        "http://"
    }));
    let authority = place.authority().expect("a host that was read can be sent");
    let authority = authority.to_str().expect("it is plain text");
    assert!(
        !authority.contains(['@', '/', '?', '#', ' ', '\\']),
        "{authority}"
    );
    let path = place.path().map(|path| path.to_string());
    assert!(path.is_none_or(|path| path.starts_with('/')));
    match place.host() {
        Host::Ipv4(address) => assert_eq!(authority.split(':').next(), Some(&*address.to_string())),
        Host::Ipv6(_) => assert!(authority.starts_with('[')),
        // The resolver of the system reads numbers in names by rules of its own; none is left to it.
        Host::Domain(name) => {
            assert!(name.is_ascii() && name.parse::<IpAddr>().is_err(), "{name}");
            let last = name.trim_end_matches('.').rsplit('.').next();
            let last = last.unwrap_or_default();
            let is_number = !last.is_empty() && last.bytes().all(|it| it.is_ascii_digit());
            let hex = last.strip_prefix("0x");
            let is_hex = hex.is_some_and(|hex| hex.bytes().all(|it| it.is_ascii_hexdigit()));
            assert!(!is_number && !is_hex, "{name}");
        }
    }
}

/// The table agrees with what the standard library knows.
fn addresses(bytes: &[u8]) {
    if let Some(octets) = bytes.first_chunk::<4>() {
        let address = Ipv4Addr::from(*octets);
        let is_closed = address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            || address.is_broadcast()
            || address.is_documentation()
            || address.is_multicast()
            || address.is_unspecified();
        assert!(!is_closed || classify(address.into()).is_err(), "{address}");
        let disguised = address.to_ipv6_mapped();
        assert!(classify(disguised.into()).is_err(), "{disguised}");
    }
    if let Some(octets) = bytes.first_chunk::<16>() {
        let address = Ipv6Addr::from(*octets);
        let is_public = address.segments()[0] & 0xe000 == 0x2000;
        let is_closed = !is_public
            || address.is_unique_local()
            || address.is_unicast_link_local()
            || address.is_multicast()
            || address.to_ipv4().is_some();
        assert!(!is_closed || classify(address.into()).is_err(), "{address}");
    }
}
