//! Stories of the guard: in a network of their own, whose public addresses and name server are ours, so that the guard has
//! no switch for tests. The oracle is whoever listens on the guarded addresses: nobody may ever come.

mod corpus;
mod dns;
mod inputs;
mod world;

use corpus::Case;
use pinhole::fetch::{Bounds, FetchError, Outbound};
use std::time::Duration;
use world::{LOCAL, PUBLIC, alone, inside};

const BOUNDS: Bounds = Bounds {
    connect: Duration::from_secs(20),
    first_byte: Duration::from_secs(20),
    whole: Duration::from_secs(60),
    most_bytes: 1 << 20,
    slowest: 1,
};

/// Where our own server listens in these stories: on all addresses, public ones too.
const OWN_PORT: u16 = 7070;

fn guard() -> Outbound {
    let guard = Outbound::new(Vec::new());
    guard.listens_on(vec![([0, 0, 0, 0], OWN_PORT).into()]);
    guard
}

async fn fetch(guard: &Outbound, url: &str) -> Result<Vec<u8>, FetchError> {
    let mut reply = guard.get(url, &BOUNDS).await?;
    let mut all = Vec::new();
    while let Some(chunk) = reply.chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

#[test]
fn no_hostile_url_reaches_a_guarded_address() {
    alone(|| {
        inside(async |world| {
            let guard = guard();
            let cases = corpus::hostile(world);
            assert!(cases.len() >= 300, "only {} hostile URLs", cases.len());
            for Case { url, leads_on } in &cases {
                let fetched = fetch(&guard, url).await;
                let error = fetched.err().unwrap_or_else(|| panic!("{url} was fetched"));
                assert!(!error.to_string().is_empty());
                // Where it leads to is not known before its first server was asked.
                if !leads_on {
                    let refused = guard.check(url).await.err();
                    let refused = refused.unwrap_or_else(|| panic!("{url} may be called"));
                    let is_unknown = matches!(refused, FetchError::NameNotFound(_));
                    assert!(refused.is_refusal() || is_unknown, "{url}: {refused}");
                    let body = "{}".into();
                    assert!(guard.post(url, &[], body, &BOUNDS).await.is_err(), "{url}");
                }
            }
            world.expect_nobody().await;
            println!("{} hostile URLs", cases.len());
        });
    });
}

/// An oracle that cannot be hit proves nothing: without the guard the same URLs do arrive.
#[test]
fn without_the_guard_the_hostile_urls_do_arrive() {
    alone(|| {
        inside(async |world| {
            let all = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("a network"));
            let open = Outbound::new(all.to_vec());
            let mut arrived = 0;
            for Case { url, .. } in &corpus::hostile(world) {
                let before = world.visits();
                let _fetched = fetch(&open, url).await;
                world.flush().await;
                arrived += usize::from(world.visits() > before);
            }
            assert!(arrived >= 250, "only {arrived} of them would arrive");
            println!("{arrived} of them arrive without the guard");
        });
    });
}

#[test]
fn every_honest_url_is_fetched() {
    alone(|| {
        inside(async |world| {
            let guard = guard();
            let urls = corpus::honest(world);
            assert!(urls.len() >= 100, "only {} honest URLs", urls.len());
            for url in &urls {
                let fetched = fetch(&guard, url).await;
                let bytes = fetched.unwrap_or_else(|error| panic!("{url}: {error}"));
                assert_eq!(bytes, world.picture(), "{url}");
            }
            world.expect_nobody().await;
            println!("{} honest URLs", urls.len());
        });
    });
}

/// A name that is public when it is judged and local when it is dialled, or the other way round, with no time to live.
#[test]
fn a_name_that_changes_its_mind_never_leads_inside() {
    let rounds = if world::is_long() { 10_000 } else { 500 };
    alone(move || {
        inside(async |world| {
            let guard = guard();
            let (mut fetched, mut refused) = (0, 0);
            for round in 0..rounds {
                let inner = [LOCAL, "10.0.0.1", "169.254.169.254"][round % 3];
                let name = dns::changing(round % 7, PUBLIC[0], inner);
                let url = match round % 2 {
                    0 => format!("http://{name}/picture.png"),
                    // To itself: what was public a moment ago is looked up again.
                    _ => {
                        let to = world.redirect(302, &format!("http://{name}/picture.png"));
                        format!("http://{name}{to}")
                    }
                };
                match fetch(&guard, &url).await {
                    Ok(_) => fetched += 1,
                    Err(error) if error.is_refusal() => refused += 1,
                    Err(error) => panic!("{url}: {error}"),
                }
            }
            assert!(fetched > 0 && refused > 0, "{fetched} {refused}");
            world.expect_nobody().await;
            println!("{rounds} fetches: {fetched} public, {refused} refused");
        });
    });
}
