//! A URL, read once: afterwards there is only its scheme, host, port and what to ask for.
//!
//! Hosts are read as browsers read them, so `0x7f.1`, `２１３０７０６４３３` and `127。0。0。1` are the addresses that they stand for before
//! anybody looks at them.

use super::FetchError;
use super::error::Site;
use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use url::{Host, Url};

/// No honest URL is longer; links that are signed have about a thousand characters.
const MOST_CHARACTERS: usize = 8 * 1024;

/// Ports of services that speak no HTTP and may take a request's lines for their own (mail, shells, directories, chats).
const CLOSED_PORTS: &[u16] = &[
    7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 43, 53, 79, 110, 111, 113, 119, 123, 135,
    137, 139, 143, 161, 179, 389, 445, 465, 512, 513, 514, 515, 530, 540, 548, 554, 563, 587, 636,
    873, 989, 990, 993, 995, 2049, 3306, 3389, 4190, 5060, 5061, 5432, 6000, 6379, 6667, 6697,
    11211, 27017,
];

/// Where a URL leads and what it asks for there.
#[derive(Clone, Debug)]
pub(super) struct Place {
    url: Url,
    pub(super) port: u16,
}

impl Place {
    /// Reads a URL; what it is refused for completes no sentence but is one.
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        if text.len() > MOST_CHARACTERS {
            return Err(FetchError::NotTaken("a URL has at most 8192 characters"));
        }
        let url = Url::parse(text).map_err(|_| {
            FetchError::NotTaken("it is no URL; one reads `https://example.com/picture.png`")
        })?;
        Self::of(url)
    }

    /// Where a redirect leads.
    pub(super) fn redirected(&self, location: &HeaderValue) -> Result<Self, FetchError> {
        let broken = || FetchError::Broken(self.site());
        let location = std::str::from_utf8(location.as_bytes()).map_err(|_| broken())?;
        if location.len() > MOST_CHARACTERS {
            return Err(broken());
        }
        let next = Self::of(self.url.join(location).map_err(|_| broken())?)?;
        match self.is_tls() && !next.is_tls() {
            true => Err(FetchError::Downgrade(self.site())),
            false => Ok(next),
        }
    }

    fn of(url: Url) -> Result<Self, FetchError> {
        let refused = |why| Err(FetchError::NotTaken(why));
        if !matches!(url.scheme(), "http" | "https") {
            return refused("a URL must begin with `https://` or `http://`");
        }
        if url.host().is_none() {
            return refused("a URL must name a host, as in `https://example.com/picture.png`");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("a URL must not carry a user name or a password");
        }
        let Some(port) = url.port_or_known_default() else {
            return refused("a URL must begin with `https://` or `http://`");
        };
        if port == 0 || CLOSED_PORTS.contains(&port) {
            return refused(
                "a URL must not name a port of another protocol (mail, shells, databases and the like)",
            );
        }
        Ok(Self { url, port })
    }

    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Who is looked up, or already an address.
    pub(super) fn host(&self) -> Host<&str> {
        self.url.host().expect("a place has a host")
    }

    pub(super) fn site(&self) -> Site {
        Site::new(self.url.scheme(), self.host_text())
    }

    fn host_text(&self) -> &str {
        self.url.host_str().expect("a place has a host")
    }

    /// The `Host` header.
    pub(super) fn authority(&self) -> Option<HeaderValue> {
        let host = self.host_text();
        let text = match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        HeaderValue::from_str(&text).ok()
    }

    /// What stands behind the method.
    pub(super) fn path(&self) -> Option<Uri> {
        let text = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        text.parse().ok()
    }

    /// Whose certificate it must be.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        match self.host() {
            Host::Ipv4(address) => Some(ServerName::from(IpAddr::V4(address))),
            Host::Ipv6(address) => Some(ServerName::from(IpAddr::V6(address))),
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                ServerName::try_from(name.to_owned()).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let place = Place::parse(text).expect("a place");
        let path = place.path().expect("a path");
        let port = place.port;
        assert_eq!(
            format!("{} {port} {path}", place.host()),
            expected,
            "{text}"
        );
    }

    #[test]
    fn a_host_is_read_as_browsers_read_it() {
        check("http://example.com", "example.com 80 /");
        check(
            "HTTPS://Example.COM:8443/a%20b?c=d#e",
            "example.com 8443 /a%20b?c=d",
        );
        check("http://2130706433/", "127.0.0.1 80 /");
        check("http://0x7f.1/", "127.0.0.1 80 /");
        check("http://0177.0.0.1./", "127.0.0.1 80 /");
        check("http://１２７。０。０。１/", "127.0.0.1 80 /");
        check("http:\\\\127.0.0.1\\x", "127.0.0.1 80 /x");
        check("http://[::ffff:7f00:1]/", "[::ffff:7f00:1] 80 /");
        check("https://bücher.example/", "xn--bcher-kva.example 443 /");
    }

    #[test]
    fn what_is_no_url_of_ours_is_refused_without_showing_it() {
        for text in [
            "",
            "picture.png",
            "//example.com/x",
            "ftp://example.com/x",
            "file:///etc/passwd",
            "gopher://example.com/_x",
            "http://",
            "http:///",
            "http://user@example.com/",
            "http://user:secret@example.com/",
            "http://:secret@example.com/",
            "http://example.com:0/",
            "http://example.com:25/",
            "http://example.com:99999/",
            "http://1.2.3.4.5.6/",
            "http://256.1.1.1/",
            "http://[::1%25lo]/",
            "http://[fe80::1%eth0]/",
            "http://exa mple.com/",
            "http://exa\0mple.com/",
        ] {
            let error = Place::parse(text).expect_err(text);
            assert!(matches!(error, FetchError::NotTaken(_)), "{text}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let long = format!("http://example.com/{}", "x".repeat(MOST_CHARACTERS));
        assert!(Place::parse(&long).is_err());
    }

    #[test]
    fn a_redirect_is_read_like_any_url_and_never_leaves_tls() {
        let from = Place::parse("https://example.com/a/b").expect("a place");
        let to = |location: &'static str| from.redirected(&HeaderValue::from_static(location));
        assert_eq!(to("../c").expect("a place").path().expect("a path"), "/c");
        assert!(matches!(
            to("http://example.com/"),
            Err(FetchError::Downgrade(_))
        ));
        assert!(matches!(
            to("ftp://example.com/"),
            Err(FetchError::NotTaken(_))
        ));
        assert!(matches!(
            to("https://u:p@example.com/"),
            Err(FetchError::NotTaken(_))
        ));
        assert!(matches!(to("https://[::"), Err(FetchError::Broken(_))));
    }
}
