//! Deliveries from the end of a task to their own.

use super::fixtures::{Customer, NOW, cents, failed};
use crate::store::outbox::{
    After, ClaimedDeliveries, DeliveryHold, DeliveryListing, Taking, WINDOW,
};
use crate::store::{Admission, Store, StoreError, TaskHold};
use crate::types::{
    Callback, Delivery, DeliveryAttempt, DeliveryState, FailKind, Millis, SigningSecret, TaskId,
};
use futures::future::join_all;
use std::sync::Arc;

const SENDER: &str = "sender-1";
const HOST: &str = "https://receiver.example";

fn at(millis: i64) -> Millis {
    Millis(NOW.0 + millis)
}

pub(super) fn callback(host: &str) -> Option<Callback> {
    Some(Callback {
        url: format!("{host}/hook?token=7"),
        destination: host.to_owned(),
        model: "openai/gpt-image-2".to_owned(),
        inputs: serde_json::Map::new(),
    })
}

/// A task that tells this host of its end, and has ended.
async fn ended(customer: &Customer, host: &str) -> TaskId {
    let hold = started(customer, host).await;
    let settlement = customer.completed(&hold.task, cents(1));
    customer.store.settle(&hold, settlement).await.unwrap();
    hold.task
}

async fn started(customer: &Customer, host: &str) -> TaskHold {
    let admission = Admission {
        callback: callback(host),
        ..customer.starting(cents(1))
    };
    let task = admission.task.clone();
    customer.store.admit(admission).await.unwrap();
    customer.hold_of(&task).await
}

async fn claim(store: &Arc<dyn Store>, host: &str, most: u32, now: Millis) -> ClaimedDeliveries {
    claim_as(store, SENDER, host, most, now).await
}

async fn claim_as(
    store: &Arc<dyn Store>,
    worker: &str,
    host: &str,
    most: u32,
    now: Millis,
) -> ClaimedDeliveries {
    let picks = [(host.to_owned(), most)];
    let claims = store.claim_deliveries(&picks, taking(worker, now)).await;
    claims.unwrap().pop().expect("one answer for each pick")
}

fn taking(worker: &str, now: Millis) -> Taking {
    Taking {
        worker: worker.to_owned(),
        at: now,
        told: now,
        until: Millis(now.0 + 30_000),
    }
}

fn hold_of(delivery: &Delivery) -> DeliveryHold {
    DeliveryHold {
        delivery: delivery.id.clone(),
        fence: delivery.fence,
    }
}

fn attempt(delivery: &Delivery, status: u16) -> DeliveryAttempt {
    DeliveryAttempt {
        number: delivery.attempts,
        started_at: delivery.sent_at.unwrap(),
        ended_at: Millis(delivery.sent_at.unwrap().0 + 20),
        status: Some(status),
        problem: None,
        answer: "\u{1f408} no".to_owned(),
    }
}

pub async fn every_end_that_somebody_asked_about_is_to_be_told(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    // Completed, failed, cancelled, waited too long: each once; and one that nobody asked about.
    let completed = ended(&customer, HOST).await;
    let hold = started(&customer, HOST).await;
    let settlement = failed(FailKind::Upstream);
    store.settle(&hold, settlement.clone()).await.unwrap();
    let again = store.settle(&hold, settlement).await;
    assert!(matches!(again, Err(StoreError::Fenced)), "{again:?}");
    let waiting = async || {
        let admission = Admission {
            callback: callback(HOST),
            ..customer.waiting(cents(1))
        };
        let task = admission.task.clone();
        store.admit(admission).await.unwrap();
        task
    };
    let cancelled = waiting().await;
    let account = &customer.account.id;
    for _ in 0..2 {
        store.cancel(account, &cancelled, at(10)).await.unwrap();
    }
    let late = waiting().await;
    store.expire_waiting(at(20), at(20), 9).await.unwrap();
    let silent = customer.start(cents(1)).await;
    store
        .settle(&silent, customer.completed(&silent.task, cents(1)))
        .await
        .unwrap();
    let unfinished = started(&customer, HOST).await;

    let told = |task: &TaskId| {
        let (store, task) = (Arc::clone(&store), task.clone());
        async move { store.find_delivery(&task).await.unwrap() }
    };
    for task in [&completed, &hold.task, &cancelled, &late] {
        let log = told(task).await.expect("a delivery");
        let end = customer.task(task).await.completed_at.unwrap();
        let expected = Delivery {
            id: log.delivery.id.clone(),
            task: task.clone(),
            account: account.clone(),
            url: format!("{HOST}/hook?token=7"),
            destination: HOST.to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            tries: 0,
            fence: 0,
            due_at: Some(end),
            sent_at: None,
            ends_at: end.after(WINDOW),
            created_at: end,
            ended_at: None,
        };
        assert_eq!((log.delivery, log.attempts), (expected, Vec::new()));
    }
    assert_eq!(told(&silent.task).await, None);
    assert_eq!(told(&unfinished.task).await, None);
    assert_eq!(customer.task(&completed).await.callback, callback(HOST));
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn what_is_due_is_claimed_once_and_counted_before_it_is_sent(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let other = "https://other.example";
    for _ in 0..3 {
        ended(&customer, HOST).await;
    }
    ended(&customer, other).await;
    let due = store.list_destinations().await.unwrap();
    let named: Vec<_> = due.iter().map(|due| (&*due.destination, due.at)).collect();
    assert_eq!(named, [(other, at(9000)), (HOST, at(9000))]);

    assert_eq!(claim(&store, HOST, 9, at(8999)).await.deliveries, []);
    let claimed = claim(&store, HOST, 2, at(9000)).await;
    assert_eq!(claimed.deliveries.len(), 2);
    assert_eq!(claimed.next_at, Some(at(9000)));
    for delivery in &claimed.deliveries {
        assert_eq!((delivery.attempts, delivery.fence), (1, 1));
        let stored = store.find_delivery(&delivery.task).await.unwrap().unwrap();
        assert_eq!(stored.delivery, *delivery);
    }
    let rest = claim(&store, HOST, 9, at(9000)).await;
    assert_eq!(rest.deliveries.len(), 1);
    // What is left is a worker's until it counts as dead.
    assert_eq!(rest.next_at, Some(at(39_000)));
    assert_eq!(claim(&store, HOST, 9, at(38_999)).await.deliveries, []);
    assert_eq!(claim(&store, "https://nobody", 9, NOW).await.next_at, None);

    // Many at once never take the same one.
    let tasks = join_all((0..20).map(|_| ended(&customer, "https://third"))).await;
    let takers: Vec<String> = (0..8).map(|number| format!("sender-{number}")).collect();
    let claims = takers
        .iter()
        .map(|worker| claim_as(&store, worker, "https://third", 3, at(9000)));
    let claims = join_all(claims).await;
    let mut taken: Vec<_> = claims.iter().flat_map(|claim| &claim.deliveries).collect();
    assert_eq!(taken.len(), tasks.len());
    taken.sort_by(|a, b| a.id.cmp(&b.id));
    taken.dedup_by(|a, b| a.id == b.id);
    assert_eq!(taken.len(), tasks.len());
}

pub async fn an_attempt_ends_once_and_is_remembered(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let task = ended(&customer, HOST).await;
    let mut log = Vec::new();
    let mut last = None;
    for (status, after) in [
        (500, After::Again(at(10_000))),
        (302, After::Again(at(20_000))),
        (204, After::End(DeliveryState::Delivered)),
    ] {
        let now = last.map_or(at(9000), |delivery: Delivery| delivery.due_at.unwrap());
        let claimed = claim(&store, HOST, 1, now).await.deliveries;
        let hold = hold_of(&claimed[0]);
        let ended = attempt(&claimed[0], status);
        let end = || store.end_delivery_attempt(&hold, ended.clone(), after);
        end().await.unwrap();
        let twice = end().await;
        assert!(matches!(twice, Err(StoreError::Fenced)), "{twice:?}");
        log.push(ended);
        let found = store.find_delivery(&task).await.unwrap().unwrap();
        assert_eq!(found.attempts, log);
        last = Some(found.delivery);
    }
    let delivery = last.unwrap();
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert_eq!((delivery.attempts, delivery.tries), (3, 2));
    assert_eq!((delivery.due_at, delivery.sent_at), (None, None));
    assert_eq!(delivery.ended_at, Some(at(20_020)));
    assert_eq!(store.list_destinations().await.unwrap(), []);
}

pub async fn a_dead_senders_deliveries_are_sent_again_under_their_ids(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let task = ended(&customer, HOST).await;
    let dead = claim(&store, HOST, 1, at(9000)).await.deliveries.remove(0);
    // A new process frees it at once, and leaves its own alone.
    let freed = async |worker| {
        let freed = store.recover_deliveries(worker, at(9500), at(60_000)).await;
        freed.unwrap()
    };
    assert_eq!(freed(SENDER).await, 0);
    assert_eq!(freed("sender-2").await, 1);
    let late = store
        .end_delivery_attempt(
            &hold_of(&dead),
            attempt(&dead, 200),
            After::End(DeliveryState::Delivered),
        )
        .await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let second = claim_as(&store, "sender-2", HOST, 1, at(9500)).await;
    let second = &second.deliveries[0];
    assert_eq!(
        (&second.id, second.attempts, second.tries),
        (&dead.id, 2, 0)
    );
    // One that is paused past its lease is taken over by whoever looks next.
    let third = claim_as(&store, "sender-3", HOST, 1, at(39_500)).await;
    let third = &third.deliveries[0];
    assert_eq!((&third.id, third.attempts), (&dead.id, 3));
    store
        .end_delivery_attempt(
            &hold_of(third),
            attempt(third, 200),
            After::End(DeliveryState::Delivered),
        )
        .await
        .unwrap();
    let log = store.find_delivery(&task).await.unwrap().unwrap();
    let told: Vec<_> = log
        .attempts
        .iter()
        .map(|one| (one.number, one.status, one.problem.is_some()))
        .collect();
    assert_eq!(
        told,
        [(1, None, true), (2, None, true), (3, Some(200), false)]
    );
    assert_eq!(log.attempts[0].started_at, at(9000));
    assert_eq!(log.attempts[0].ended_at, at(9500));
}

pub async fn what_has_no_turn_within_its_window_is_given_up(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let waiting = ended(&customer, HOST).await;
    let held = ended(&customer, "https://held").await;
    let untried = ended(&customer, "https://untried").await;
    let end = at(9000).after(WINDOW);
    claim(&store, "https://held", 1, end).await;
    let tried = claim(&store, HOST, 1, end).await.deliveries.remove(0);
    let again = After::Again(at(100_000_000));
    store
        .end_delivery_attempt(&hold_of(&tried), attempt(&tried, 500), again)
        .await
        .unwrap();
    let state = async |task: &TaskId| {
        let log = store.find_delivery(task).await.unwrap().unwrap();
        log.delivery.state
    };
    let expire = async |now: Millis| store.expire_deliveries(now, now, 9).await.unwrap();
    assert_eq!(expire(end).await, []);
    // A start gives what was missed some more time.
    let grace = Millis(end.0 + 60_000);
    store.recover_deliveries(SENDER, end, grace).await.unwrap();
    assert_eq!(expire(grace).await, []);
    let given_up = expire(Millis(grace.0 + 1)).await;
    let stored = store.find_delivery(&waiting).await.unwrap().unwrap();
    assert_eq!(given_up, [stored.delivery]);
    assert_eq!(state(&waiting).await, DeliveryState::Exhausted);
    assert_eq!(state(&held).await, DeliveryState::Pending);
    // It gets its one attempt, however late.
    assert_eq!(state(&untried).await, DeliveryState::Pending);
}

pub async fn what_was_not_sent_was_no_attempt(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let task = ended(&customer, HOST).await;
    let claimed = claim(&store, HOST, 1, at(9000)).await.deliveries.remove(0);
    let hold = hold_of(&claimed);
    let release = || store.release_delivery(&hold, at(10_000));
    release().await.unwrap();
    let twice = release().await;
    assert!(matches!(twice, Err(StoreError::Fenced)), "{twice:?}");
    let log = store.find_delivery(&task).await.unwrap().unwrap();
    assert_eq!((log.delivery.attempts, log.delivery.tries), (0, 0));
    assert_eq!(log.delivery.due_at, Some(at(10_000)));
    assert_eq!(log.attempts, []);
    assert_eq!(claim(&store, HOST, 9, at(9999)).await.deliveries, []);
    let again = claim(&store, HOST, 9, at(10_000))
        .await
        .deliveries
        .remove(0);
    assert_eq!((again.attempts, again.fence), (1, 2));
}

/// The system's clock is an hour ahead of the sender's, which goes on as it was.
pub async fn a_clock_that_was_set_forward_holds_back_nothing_new(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let (failed, sent) = (ended(&customer, HOST).await, ended(&customer, HOST).await);
    let before = at(9000 - 3_600_000);
    let ahead = Taking {
        told: at(9000),
        ..taking(SENDER, before)
    };
    let claim = async |most: u32| {
        let picks = [(HOST.to_owned(), most)];
        let claims = store.claim_deliveries(&picks, ahead.clone()).await;
        claims.unwrap().remove(0)
    };
    let first = claim(1).await;
    assert_eq!(first.deliveries[0].task, failed);
    // The log is by the system's clock, what is waited for by the sender's.
    assert_eq!(first.deliveries[0].sent_at, Some(at(9000)));
    assert_eq!(first.next_at, Some(before), "more is due at once");
    let later = Millis(before.0 + 4000);
    let (hold, ended) = (
        hold_of(&first.deliveries[0]),
        attempt(&first.deliveries[0], 500),
    );
    store
        .end_delivery_attempt(&hold, ended, After::Again(later))
        .await
        .unwrap();
    let second = claim(9).await;
    let tasks: Vec<_> = second.deliveries.iter().map(|one| &one.task).collect();
    assert_eq!(tasks, [&sent]);
    // Neither what failed nor what is being sent is due before its time, which the system's clock has passed long since.
    assert_eq!(second.next_at, Some(later));
    assert_eq!(claim(9).await.deliveries, []);
}

pub async fn a_delivery_is_sent_again_by_hand(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let end = async |state: DeliveryState| {
        let task = ended(&customer, HOST).await;
        let claimed = claim(&store, HOST, 1, at(9000)).await.deliveries;
        let delivery = &claimed[0];
        store
            .end_delivery_attempt(
                &hold_of(delivery),
                attempt(delivery, 500),
                After::End(state),
            )
            .await
            .unwrap();
        task
    };
    let delivered = end(DeliveryState::Delivered).await;
    let gone = end(DeliveryState::Gone).await;
    let exhausted = end(DeliveryState::Exhausted).await;
    let now = at(90_000_000);
    let again = store.resend_failed_deliveries(at(9021), now, WINDOW, 9);
    assert_eq!(again.await.unwrap(), 0, "it was given up before");
    let again = store.resend_failed_deliveries(at(9020), now, WINDOW, 9);
    assert_eq!(again.await.unwrap(), 1);
    for task in [&delivered, &gone] {
        let again = store.resend_delivery(task, now, WINDOW).await.unwrap();
        assert!(again.is_some());
    }
    for task in [&delivered, &gone, &exhausted] {
        let log = store.find_delivery(task).await.unwrap().unwrap();
        let delivery = log.delivery;
        assert_eq!(delivery.state, DeliveryState::Pending);
        assert_eq!((delivery.attempts, delivery.tries), (1, 0));
        assert_eq!(delivery.due_at, Some(now));
        assert_eq!(
            (delivery.ends_at, delivery.ended_at),
            (now.after(WINDOW), None)
        );
    }
    let numbers: Vec<u32> = claim(&store, HOST, 9, now)
        .await
        .deliveries
        .iter()
        .map(|delivery| delivery.attempts)
        .collect();
    assert_eq!(numbers, [2, 2, 2]);
    // One that is being sent is left to its worker.
    let held = store.resend_delivery(&gone, at(0), WINDOW).await.unwrap();
    assert!(held.unwrap().sent_at.is_some());
    let nobody = store.resend_delivery(&TaskId::new(), now, WINDOW).await;
    assert_eq!(nobody.unwrap(), None);
}

pub async fn deliveries_are_listed_newest_first(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let other = Customer::prepaid(&store, cents(100)).await;
    let first = ended(&customer, HOST).await;
    let claimed = claim(&store, HOST, 1, at(9000)).await.deliveries;
    let after = After::End(DeliveryState::Exhausted);
    store
        .end_delivery_attempt(&hold_of(&claimed[0]), attempt(&claimed[0], 500), after)
        .await
        .unwrap();
    let second = ended(&other, HOST).await;
    let third = ended(&customer, HOST).await;
    let list = async |listing: DeliveryListing| {
        let found = store.list_deliveries(&listing).await.unwrap();
        found.into_iter().map(|one| one.task).collect::<Vec<_>>()
    };
    let all = DeliveryListing {
        most: 9,
        ..DeliveryListing::default()
    };
    let cloned = |tasks: &[&TaskId]| tasks.iter().map(|task| (*task).clone()).collect::<Vec<_>>();
    assert_eq!(list(all.clone()).await, cloned(&[&third, &second, &first]));
    let two = DeliveryListing {
        most: 2,
        ..all.clone()
    };
    assert_eq!(list(two).await, cloned(&[&third, &second]));
    let own = DeliveryListing {
        account: Some(customer.account.id.clone()),
        ..all.clone()
    };
    assert_eq!(list(own.clone()).await, cloned(&[&third, &first]));
    let given_up = DeliveryListing {
        state: Some(DeliveryState::Exhausted),
        ..own
    };
    assert_eq!(list(given_up).await, cloned(&[&first]));
    let later = DeliveryListing {
        since: Some(at(9001)),
        ..all
    };
    assert_eq!(list(later).await, []);
}

pub async fn two_secrets_sign_while_they_change(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let account = &customer.account.id;
    let signing = async |now: Millis| {
        let found = store.signing_secrets(account, now).await.unwrap();
        let reveal = found.iter().map(|it| it.secret.reveal().to_owned());
        reveal.collect::<Vec<_>>()
    };
    let first = signing(NOW).await;
    assert_eq!(first.len(), 1);
    assert_eq!(signing(at(5)).await, first);
    let other = Customer::prepaid(&store, cents(1)).await;
    let theirs = store.signing_secrets(&other.account.id, NOW).await.unwrap();
    assert_ne!(theirs[0].secret.reveal(), first[0]);

    let rotate = async |secret: &SigningSecret, now: Millis, until: Millis| {
        let secret = secret.clone();
        let rotated = store.rotate_signing_secret(account, secret, now, until);
        rotated.await.unwrap();
    };
    let (second, third) = (SigningSecret::generate(), SigningSecret::generate());
    rotate(&second, at(10), at(100)).await;
    let both = [second.reveal().to_owned(), first[0].clone()];
    assert_eq!(signing(at(99)).await, both);
    assert_eq!(signing(at(100)).await, both[..1]);
    // A second change in a hurry: the oldest signs no more.
    rotate(&third, at(20), at(200)).await;
    let both = [third.reveal(), second.reveal()].map(str::to_owned);
    assert_eq!(signing(at(21)).await, both);
    // At once.
    let fourth = SigningSecret::generate();
    rotate(&fourth, at(30), at(30)).await;
    assert_eq!(signing(at(30)).await, [fourth.reveal().to_owned()]);

    let nobody = crate::types::AccountId::new();
    let refused = store.signing_secrets(&nobody, NOW).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound(_))),
        "{refused:?}"
    );
}
