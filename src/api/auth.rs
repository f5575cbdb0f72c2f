//! Who is calling: the key in the header, what it may do, where it may be used from.

use super::Api;
use super::reply::Refusal;
use crate::error::{Error, Kind};
use crate::store::{SecretHash, Store, StoreError};
use crate::types::{Caller, KeyId, Millis, Scope, Secret};
use arc_swap::ArcSwap;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use quick_cache::sync::Cache;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How many keys are remembered between calls.
const CACHED_KEYS: usize = 10_000;

/// How often another process's changes of keys and accounts are looked for: a revoked key is refused within this.
pub const REFRESH: Duration = Duration::from_millis(500);

/// Keys as the handlers see them: looked up once, then remembered until the store says that something changed.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    found: Cache<SecretHash, Caller>,
    imported: ArcSwap<HashSet<SecretHash>>,
    /// A key's limiter outlives a change of other keys; a key whose limit changes gets a new one.
    limiters: Cache<(KeyId, NonZeroU32), Arc<DefaultDirectRateLimiter>>,
    generation: AtomicI64,
    /// What this process takes for its operator's word.
    operator: SecretHash,
}

impl Keys {
    /// Nothing remembered yet but the imported secrets. Whoever says `operator` administers this process: it lies in the
    /// data folder, whose owner may do everything there, and is good for nothing else.
    pub async fn open(store: Arc<dyn Store>, operator: &Secret) -> Result<Self, StoreError> {
        let keys = Self(Arc::new(Inner {
            operator: operator.hash(),
            store,
            found: Cache::new(CACHED_KEYS),
            imported: ArcSwap::default(),
            limiters: Cache::new(CACHED_KEYS),
            generation: AtomicI64::new(-1),
        }));
        keys.refresh().await?;
        Ok(keys)
    }

    /// Forgets everything if keys or accounts have changed since. The generation is noted last, so that a failure on the
    /// way is made good by the next round.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let generation = self.0.store.generation().await?;
        if self.0.generation.load(Ordering::Acquire) != generation {
            let imported = self.0.store.imported_secrets().await?;
            self.0
                .imported
                .store(Arc::new(imported.into_iter().collect()));
            self.0.generation.store(generation, Ordering::Release);
            self.0.found.clear();
        }
        Ok(())
    }

    /// Who holds this secret. What is neither of our form nor imported is refused without a look-up.
    async fn find(&self, text: &str, now: Millis) -> Result<Caller, Error> {
        let hash = match Secret::parse(text) {
            Some(secret) => secret.hash(),
            None => {
                let hash = Secret::foreign(text).hash();
                if !self.0.imported.load().contains(&hash) {
                    return Err(refused(
                        "this API key is malformed: it is not one that this server could have made",
                    ));
                }
                hash
            }
        };
        let caller = match self.0.found.get(&hash) {
            Some(caller) => caller,
            None => self.look_up(hash).await?,
        };
        let gone = caller.key.revoked_at.is_some();
        let expired = caller.key.limits.expires_at.is_some_and(|at| at <= now);
        match (gone, expired) {
            (true, _) => Err(refused("this API key was revoked")),
            (_, true) => Err(refused("this API key has expired")),
            _ => Ok(caller),
        }
    }

    async fn look_up(&self, hash: SecretHash) -> Result<Caller, Error> {
        let before = self.0.generation.load(Ordering::Acquire);
        let found = self.0.store.find_key(&hash).await.map_err(|error| {
            tracing::error!(%error, "a key could not be looked up");
            Error::internal()
        })?;
        let (key, account) = found.ok_or_else(|| refused("this API key is not known here"))?;
        let caller = Caller {
            account: Arc::new(account),
            key: Arc::new(key),
        };
        self.remember(hash, &caller, before);
        Ok(caller)
    }

    /// Remembers what was read while this generation held, if it still holds: else it is old news, which serves the call
    /// that read it and no other.
    fn remember(&self, hash: SecretHash, caller: &Caller, before: i64) {
        self.0.found.insert(hash, caller.clone());
        if self.0.generation.load(Ordering::Acquire) != before {
            self.0.found.remove(&hash);
        }
    }

    fn is_operator(&self, headers: &HeaderMap) -> bool {
        let header = headers.get(AUTHORIZATION);
        let text = header.and_then(|header| bearer(header.to_str().ok()?));
        // Hashes of secrets: how long they take to compare tells nothing of use.
        text.is_some_and(|text| Secret::foreign(text).hash() == self.0.operator)
    }

    /// Counts one request against the key's limit.
    fn count(&self, caller: &Caller) -> Result<(), Error> {
        let Some(per_minute) = caller
            .key
            .limits
            .requests_per_minute
            .and_then(NonZeroU32::new)
        else {
            return Ok(());
        };
        let make = || Ok::<_, Error>(Arc::new(RateLimiter::direct(Quota::per_minute(per_minute))));
        let limiter = self
            .0
            .limiters
            .get_or_insert_with(&(caller.key.id.clone(), per_minute), make)?;
        limiter.check().map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            Error::new(
                Kind::RateLimited,
                format!("this key may make {per_minute} requests a minute"),
            )
            .retry_after(wait)
        })
    }
}

fn refused(message: &str) -> Error {
    Error::new(Kind::InvalidApiKey, message)
}

/// A caller who may generate or read; handlers of the API take this.
impl FromRequestParts<Api> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        identify(parts, api)
            .await
            .map_err(|error| Refusal::at(parts.uri.path(), error))
    }
}

async fn identify(parts: &Parts, api: &Api) -> Result<Caller, Error> {
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| {
        refused("there is no API key; send the header `Authorization: Bearer <key>`")
    })?;
    let text = header
        .to_str()
        .ok()
        .and_then(bearer)
        .ok_or_else(|| refused("the `Authorization` header must read `Bearer <key>`"))?;
    let caller = api.0.keys.find(text, api.0.engine.now()).await?;
    let networks = &caller.key.limits.networks;
    if !networks.is_empty() {
        let address = client_address(parts, &api.0.settings.trusted_proxies);
        if !address.is_some_and(|address| contains(networks, address)) {
            return Err(Error::new(
                Kind::Forbidden,
                "this key may not be used from this address",
            ));
        }
    }
    if !caller.may(Scope::Read) {
        return Err(Error::new(
            Kind::Forbidden,
            "this key may do nothing: it has no scope",
        ));
    }
    api.0.keys.count(&caller)?;
    Ok(caller)
}

/// The key in `Bearer <key>`; the scheme's case does not matter (RFC 9110, 11.1).
pub(super) fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

/// Where the request came from: the peer, or what a trusted proxy says of it. Each proxy appends the address it saw, so
/// the list is read from its end as long as the addresses are trusted ones.
pub(super) fn client_address(parts: &Parts, trusted: &[IpNet]) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let mut address = peer.ip().to_canonical();
    for hop in forwarded_for(&parts.headers).into_iter().rev() {
        if !contains(trusted, address) {
            break;
        }
        address = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
    }
    Some(address)
}

/// Every hop that proxies have noted, the last one last. A line that cannot be read is a hop that is no address.
fn forwarded_for(headers: &HeaderMap) -> Vec<&str> {
    let values = headers.get_all("x-forwarded-for").into_iter();
    values
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
        .collect()
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// A caller whose key administers, or the operator on this machine.
pub(super) struct Admin;

impl FromRequestParts<Api> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        if api.0.keys.is_operator(&parts.headers) {
            return Ok(Self);
        }
        let caller = Caller::from_request_parts(parts, api).await?;
        if caller.may(Scope::Admin) {
            return Ok(Self);
        }
        let error = Error::new(Kind::Forbidden, "this needs a key with the scope `admin`");
        Err(Refusal::at(parts.uri.path(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{CreditLine, KeyLimits, Mode};
    use axum::http::HeaderValue;

    fn address_of(peer: &str, forwarded: &[&str], trusted: &[&str]) -> Option<String> {
        let mut request = axum::http::Request::new(());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(
            peer.parse().expect("an address"),
            1,
        )));
        for value in forwarded {
            request.headers_mut().append(
                "x-forwarded-for",
                HeaderValue::from_bytes(value.as_bytes()).expect("a header"),
            );
        }
        let trusted: Vec<IpNet> = trusted
            .iter()
            .map(|net| net.parse().expect("a network"))
            .collect();
        client_address(&request.into_parts().0, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn forwarded_addresses_count_only_behind_trusted_proxies() {
        let check = |peer, forwarded: &[&str], trusted: &[&str], expected: Option<&str>| {
            assert_eq!(
                address_of(peer, forwarded, trusted).as_deref(),
                expected,
                "{peer} {forwarded:?} {trusted:?}"
            );
        };
        check("9.9.9.9", &[], &[], Some("9.9.9.9"));
        check("9.9.9.9", &["1.1.1.1"], &[], Some("9.9.9.9"));
        check("10.0.0.1", &["1.1.1.1"], &["10.0.0.0/8"], Some("1.1.1.1"));
        check(
            "10.0.0.1",
            &["6.6.6.6, 1.1.1.1", "10.0.0.2"],
            &["10.0.0.0/8"],
            Some("1.1.1.1"),
        );
        check(
            "::ffff:10.0.0.1",
            &["1.1.1.1"],
            &["10.0.0.0/8"],
            Some("1.1.1.1"),
        );
        check("10.0.0.1", &["unknown"], &["10.0.0.0/8"], None);
        check("10.0.0.1", &["\u{e9}, 1.1.1.1"], &["10.0.0.0/8"], None);
    }

    #[tokio::test]
    async fn a_key_that_was_revoked_while_it_was_looked_up_is_not_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn Store> = crate::app::open_store(folder.path()).expect("a store");
        let now = Millis(0);
        let account = crate::store::new_account("a", CreditLine::Unlimited, now);
        let secret = Secret::generate(Mode::Live);
        let limits = KeyLimits::default();
        let key = crate::store::new_key(&account.id, "k", Mode::Live, "last", limits, now);
        let (id, hash) = (key.id.clone(), secret.hash());
        store.create_account(account).await.expect("rows");
        store.create_keys(vec![(key, hash)]).await.expect("rows");
        let operator = Secret::generate(Mode::Live);
        let keys = Keys::open(Arc::clone(&store), &operator).await;
        let keys = keys.expect("rows");
        // The look-up has read the row; before it goes on, the key is revoked and everything remembered is dropped.
        let before = keys.0.generation.load(Ordering::Acquire);
        let (key, account) = store.find_key(&hash).await.expect("rows").expect("a key");
        let caller = Caller {
            account: Arc::new(account),
            key: Arc::new(key),
        };
        store.revoke_key(&id, now).await.expect("rows");
        keys.refresh().await.expect("rows");
        keys.remember(hash, &caller, before);
        let found = keys.find(secret.reveal(), now).await;
        let refusal = found.expect_err("it was revoked").message;
        assert_eq!(refusal, "this API key was revoked");
    }

    #[test]
    fn a_bearer_header_is_read_whatever_its_case() {
        assert_eq!(bearer("Bearer sk-x"), Some("sk-x"));
        assert_eq!(bearer("bearer  sk-x "), Some("sk-x"));
        for wrong in ["", "Bearer", "Bearer ", "Basic sk-x", "sk-x"] {
            assert_eq!(bearer(wrong), None, "{wrong:?}");
        }
    }
}
