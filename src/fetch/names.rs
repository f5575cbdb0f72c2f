//! Names become addresses: the system is asked, on threads of their own, by a bounded number of askers.
//!
//! A look-up cannot be called off: one whose name server says nothing goes on for half a minute after its asker has left.
//! So each purpose has places of its own, and within it each domain has a few, lest somebody's silent domain take them all.
//! This module knows nothing of what an address may be.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How many look-ups there are at once for each purpose.
const AT_ONCE: usize = 64;

/// How many of these for names of one domain.
const OF_A_DOMAIN: usize = 4;

/// How long one waits until a look-up in the same domain is over. A name server that answers at all does so within less;
/// several callbacks for one receiver ask for its name at the same time.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is registered below these, under the two letters of a country, is a domain of somebody's own: `shop.co.uk`.
const SHARED: [&str; 12] = [
    "ac", "co", "com", "edu", "go", "gob", "gov", "mil", "ne", "net", "or", "org",
];

/// What somebody is looked up for. What one of them waits for costs the others nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// May this be called at some time?
    Check,
    /// A client's call names it.
    Input,
    /// A provider names it.
    Result,
    /// Something is told there.
    Delivery,
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAddress {
    /// The name has none.
    NotFound,
    /// Other look-ups in its domain have no answer.
    Unanswered,
}

type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Everybody who is looked up.
pub(super) struct Names {
    resolve: Arc<Resolve>,
    purposes: [Arc<Semaphore>; 4],
    domains: Mutex<HashMap<(Purpose, String), Arc<Semaphore>>>,
}

impl Names {
    /// Those that the system finds.
    pub(super) fn of_the_system() -> Self {
        Self::new(|name, port| Ok((name, port).to_socket_addrs()?.collect()))
    }

    fn new(
        resolve: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            resolve: Arc::new(resolve),
            purposes: [(); 4].map(|()| Arc::new(Semaphore::new(AT_ONCE))),
            domains: Mutex::default(),
        }
    }

    /// The addresses of a name. Threads for blocking work are not asked: they also write pictures.
    pub(super) async fn look_up(
        &self,
        name: &str,
        port: u16,
        purpose: Purpose,
    ) -> Result<Vec<SocketAddr>, NoAddress> {
        let place = self.place(name, purpose).await?;
        let (name, resolve) = (name.to_owned(), Arc::clone(&self.resolve));
        let (tell, told) = oneshot::channel();
        let look = move || {
            let found = resolve(&name, port);
            drop(place);
            // Nobody listens any more if it took too long.
            let _ = tell.send(found);
        };
        let thread = std::thread::Builder::new().name("look-up".to_owned());
        thread.spawn(look).map_err(|_| NoAddress::NotFound)?;
        let found = told.await.ok().and_then(Result::ok);
        found.ok_or(NoAddress::NotFound)
    }

    /// The domain's place first: who waits for it takes nothing from the others.
    async fn place(
        &self,
        name: &str,
        purpose: Purpose,
    ) -> Result<[OwnedSemaphorePermit; 2], NoAddress> {
        let of_domain = self.of_domain(name, purpose).acquire_owned();
        let of_domain = tokio::time::timeout(PATIENCE, of_domain).await;
        let of_domain = of_domain.map_err(|_elapsed| NoAddress::Unanswered)?;
        let all = Arc::clone(&self.purposes[purpose as usize]);
        match (of_domain, all.acquire_owned().await) {
            (Ok(of_domain), Ok(of_all)) => Ok([of_domain, of_all]),
            // Nobody closes them.
            _ => Err(NoAddress::NotFound),
        }
    }

    /// The places of a name's domain. Those that nobody has or waits for are forgotten.
    fn of_domain(&self, name: &str, purpose: Purpose) -> Arc<Semaphore> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        domains.retain(|_, places| Arc::strong_count(places) > 1);
        let key = (purpose, domain(&name.to_ascii_lowercase()).to_owned());
        let places = domains.entry(key);
        Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(OF_A_DOMAIN))))
    }
}

/// What somebody has registered, and so decides who answers for all names in it: the last two labels, or three.
fn domain(name: &str) -> &str {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut labels = name.rsplit('.');
    let is_country = labels.next().is_some_and(|last| last.len() == 2);
    let is_shared = labels.next().is_some_and(|label| SHARED.contains(&label));
    let kept = if is_country && is_shared { 3 } else { 2 };
    let start = name.rmatch_indices('.').nth(kept - 1);
    start.map_or(name, |(at, _)| &name[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    type Asked = UnboundedReceiver<String>;

    /// Names in which `silent` stands are answered by nobody until the sender is dropped; all others at once.
    fn names() -> (Names, Asked, std::sync::mpsc::Sender<()>) {
        let (asked, asks) = unbounded_channel();
        let (hold, held) = std::sync::mpsc::channel();
        let held = Mutex::new(held);
        let names = Names::new(move |name, port| {
            if name.contains("silent") {
                asked.send(name.to_owned()).expect("the test listens");
                // All stand here, one of them inside.
                let _ = held.lock().map(|held| held.recv());
            }
            Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))])
        });
        (names, asks, hold)
    }

    /// Asks for a name that has no answer, and leaves once the system has been asked.
    async fn ask_and_leave(names: &Names, asks: &mut Asked, name: &str, purpose: Purpose) {
        tokio::select! {
            _ = names.look_up(name, 80, purpose) => panic!("it has no answer"),
            asked = asks.recv() => assert!(asked.is_some()),
        }
    }

    #[tokio::test]
    async fn a_silent_domain_costs_no_other_one_anything() {
        let (names, mut asks, hold) = names();
        let ask = async |name: String| names.look_up(&name, 80, Purpose::Check).await;
        for number in 0..OF_A_DOMAIN {
            let name = format!("r{number}.silent.example");
            ask_and_leave(&names, &mut asks, &name, Purpose::Check).await;
        }
        let more = (0..100).map(|number| ask(format!("more{number}.Silent.example.")));
        let more = join_all(more).await;
        assert_eq!(more, vec![Err(NoAddress::Unanswered); 100]);
        assert!(asks.try_recv().is_err(), "no thread is spent on them");
        let found = ask("images.example".to_owned()).await;
        assert_eq!(found, Ok(vec![SocketAddr::from(([192, 0, 2, 1], 80))]));
        // It is asked for again as soon as those are over.
        drop(hold);
        while ask("r0.silent.example".to_owned()).await.is_err() {}
    }

    #[tokio::test]
    async fn who_waits_for_one_purpose_costs_the_others_nothing() {
        let (names, mut asks, hold) = names();
        for number in 0..AT_ONCE {
            let name = format!("silent{number}.example");
            ask_and_leave(&names, &mut asks, &name, Purpose::Check).await;
        }
        let check = names.look_up("images.example", 80, Purpose::Check);
        let full = tokio::time::timeout(Duration::from_millis(50), check).await;
        assert!(full.is_err(), "it waits");
        for purpose in [Purpose::Input, Purpose::Result, Purpose::Delivery] {
            let found = names.look_up("images.example", 80, purpose).await;
            assert!(found.is_ok(), "{purpose:?}");
        }
        drop(hold);
    }

    #[tokio::test]
    async fn one_receivers_name_may_be_asked_for_many_times_at_once() {
        let (names, _asks, _hold) = names();
        let ask = || names.look_up("receiver.example", 80, Purpose::Delivery);
        let found = join_all((0..200).map(|_| ask())).await;
        assert!(found.iter().all(Result::is_ok));
        assert!(names.domains.lock().unwrap().len() <= 1);
    }

    #[test]
    fn a_domain_is_what_somebody_registers() {
        let check = |name: &str, expected: &str| assert_eq!(domain(name), expected, "{name}");
        check("example.com", "example.com");
        check("r7.evil.example", "evil.example");
        check("a.b.c.evil.example.", "evil.example");
        check("r7.shop.co.uk", "shop.co.uk");
        check("shop.co.uk", "shop.co.uk");
        check("r7.shop.com.cn", "shop.com.cn");
        check("r7.co.example", "co.example");
        check("r7.shop.uk", "shop.uk");
        check("receiver", "receiver");
        check("", "");
    }
}
