//! What can go wrong on the way to somebody else's server, in words that a client may read.

use super::address::Refused;
use std::fmt;
use std::time::Duration;

/// Scheme and host of a URL: all of it that a message may show, because paths and queries carry secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site(String);

/// More of a host than this says nothing to anybody.
const MOST_SHOWN: usize = 100;

impl Site {
    pub(super) fn new(scheme: &str, host: &str) -> Self {
        let mut shown: String = host.chars().take(MOST_SHOWN).collect();
        if shown.len() < host.len() {
            shown.push('…');
        }
        Self(format!("{scheme}://{shown}"))
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something could not be fetched or sent. Each message is for the client: it names what was wrong, and never more of a
/// URL than scheme and host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It is no URL of the sort that is taken.
    #[error("{0}")]
    NotTaken(&'static str),
    /// It leads to an address that nobody is sent to.
    #[error(
        "{site} leads to an address that is {}; the operator can allow it in `allow_private_networks` (PINHOLE_ALLOW_PRIVATE_NETWORKS)",
        .why.0
    )]
    Refused {
        /// Where.
        site: Site,
        /// Why not.
        why: Refused,
    },
    /// It leads back to this server.
    #[error("{0} leads to this server itself")]
    Own(Site),
    /// Its name has no address.
    #[error("the name in {0} cannot be found")]
    NameNotFound(Site),
    /// Its name is not looked up, because nobody answers for its domain.
    #[error("the name in {0} is not looked up: other names in its domain are, and nobody answers")]
    NameUnanswered(Site),
    /// Nobody answers at its address.
    #[error("{0} cannot be reached")]
    Unreachable(Site),
    /// No TLS connection came about.
    #[error("{0} has no certificate that is trusted here, or speaks no TLS")]
    Tls(Site),
    /// It took too long.
    #[error("{site} took too long: {what} did not come within {} s", .limit.as_secs_f32().ceil())]
    TooSlow {
        /// Where.
        site: Site,
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// It sends hardly anything.
    #[error("{site} sends less than {least} bytes a second")]
    Dripping {
        /// Where.
        site: Site,
        /// What it would have to send.
        least: u64,
    },
    /// It sends more than is taken.
    #[error("{site} sends more than {most} bytes")]
    TooLarge {
        /// Where.
        site: Site,
        /// What is taken.
        most: u64,
    },
    /// It sends one elsewhere too often.
    #[error("{0} redirects more than {MOST_REDIRECTS} times", MOST_REDIRECTS = super::MOST_REDIRECTS)]
    Redirects(Site),
    /// It sends one from `https` to `http`.
    #[error("{0} redirects from https to http")]
    Downgrade(Site),
    /// It answers, and not with success.
    #[error("{site} answers with status {status}")]
    Status {
        /// Where.
        site: Site,
        /// With what.
        status: u16,
    },
    /// It compresses what it sends, though asked not to.
    #[error("{0} sends its answer compressed, though asked not to")]
    Compressed(Site),
    /// What it sends breaks off, or is no HTTP.
    #[error("the answer of {0} broke off or is no HTTP")]
    Broken(Site),
}

impl FetchError {
    /// Whether the guard refused it, so that nothing was dialled for the URL, or nothing more after a redirect.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotTaken(_) | Self::Refused { .. } | Self::Own(_) | Self::Downgrade(_)
        )
    }
}
