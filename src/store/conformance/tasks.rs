//! Tasks in the hands of workers.

use super::fixtures::{
    Customer, NOW, WORKER, balance, cents, claim as claim_of, ended, failed, intent, picture,
    request,
};
use crate::store::{
    Admission, Claim, QueueDepth, Start, Store, StoreError, TaskHold, UnansweredTask, Waiting,
};
use crate::types::{
    AttemptState, FailKind, Failure, Millis, Money, Task, TaskId, TaskState, UpstreamId, WorkerBeat,
};
use futures::future::join_all;
use std::sync::Arc;

pub async fn a_task_is_shown_to_its_account_alone(store: Arc<dyn Store>) {
    let owner = Customer::prepaid(&store, cents(10)).await;
    let stranger = Customer::prepaid(&store, cents(10)).await;
    let admission = owner.waiting(cents(1));
    let task = admission.task.clone();
    store.admit(admission).await.unwrap();
    let seen = store.find_task(&stranger.account.id, &task).await.unwrap();
    assert_eq!(seen, None);
    let cancelled = store
        .cancel(&stranger.account.id, &task, NOW)
        .await
        .unwrap();
    assert_eq!(cancelled, None);
    assert_eq!(owner.task(&task).await.state, TaskState::Pending);
    let none = store
        .find_task(&owner.account.id, &TaskId::new())
        .await
        .unwrap();
    assert_eq!(none, None);
}

/// The lane of tasks whose input images are not here yet.
const INPUTS: &str = "(inputs)";

/// A task that waits for its inputs: held, and nobody's to claim.
async fn waits_for_inputs(customer: &Customer) -> TaskId {
    let admission = Admission {
        lane: INPUTS.to_owned(),
        ..customer.waiting(cents(4))
    };
    let task = admission.task.clone();
    customer.store.admit(admission).await.unwrap();
    assert!(customer.claim(9).await.unwrap().is_empty());
    assert_eq!(customer.balance().await, balance(cents(6), cents(4)));
    task
}

pub async fn a_task_that_waits_for_its_inputs_reads_them_once_they_are_here(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let task = waits_for_inputs(&customer).await;
    let listed = store.list_in_lane(INPUTS).await.unwrap();
    assert_eq!(listed, [(customer.account.id.clone(), task.clone())]);
    let fetched = picture();
    let complete = Arc::new(request(std::slice::from_ref(&fetched)));
    let moved = async |from: &str| {
        let request = Arc::clone(&complete);
        let moved = store.move_waiting(&task, from, "openai", request).await;
        moved.unwrap()
    };
    assert!(!moved("test").await, "it does not wait there");
    let blobs = [fetched.blob.clone()];
    assert_eq!(store.referenced(&blobs).await.unwrap(), []);
    assert!(moved(INPUTS).await);
    assert_eq!(store.referenced(&blobs).await.unwrap(), blobs);
    // Whoever fetched them too comes too late: what is read is what came first.
    assert!(!moved(INPUTS).await);
    let why = Failure::new(FailKind::InputNotFetched, "`image`: nobody is there");
    let late = store.fail_waiting(&task, INPUTS, why, NOW).await.unwrap();
    assert_eq!(late, None);
    assert_eq!(store.list_in_lane(INPUTS).await.unwrap(), []);
    let claimed = customer.claim(9).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].task.request, complete);
}

pub async fn a_task_whose_inputs_do_not_come_is_free(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let task = waits_for_inputs(&customer).await;
    let why = Failure::new(FailKind::InputNotFetched, "`image`: nobody is there");
    let ended = store.fail_waiting(&task, INPUTS, why.clone(), NOW).await;
    let ended = ended.unwrap().expect("it waited");
    assert_eq!(
        (ended.state, &ended.failure, ended.completed_at),
        (TaskState::Failed, &Some(why.clone()), Some(NOW))
    );
    assert_eq!(customer.task(&task).await, ended);
    assert_eq!(customer.balance().await, balance(cents(10), Money::ZERO));
    let again = store.fail_waiting(&task, INPUTS, why, NOW).await.unwrap();
    assert_eq!(again, None);
    assert!(store.audit().await.unwrap().is_clean());
}

pub async fn what_waits_for_inputs_can_be_cancelled(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(10)).await;
    let task = waits_for_inputs(&customer).await;
    let account = &customer.account.id;
    let cancelled = store.cancel(account, &task, NOW).await.unwrap();
    assert_eq!(cancelled.unwrap().state, TaskState::Failed);
    assert_eq!(customer.balance().await, balance(cents(10), Money::ZERO));
    let fetched = picture();
    let complete = Arc::new(request(std::slice::from_ref(&fetched)));
    let moved = store.move_waiting(&task, INPUTS, "openai", complete).await;
    assert!(!moved.unwrap());
    assert_eq!(store.referenced(&[fetched.blob]).await.unwrap(), []);
    assert!(customer.claim(9).await.unwrap().is_empty());
}

pub async fn the_oldest_of_a_key_are_claimed_first(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let other = Customer::prepaid(&store, cents(100)).await;
    let mut admitted = Vec::new();
    for (who, lane, age) in [
        (&customer, "openai", 1),
        (&customer, "openai", 3),
        (&customer, "test", 4),
        (&other, "openai", 5),
        (&customer, "openai", 2),
        (&customer, "openai", 2),
    ] {
        let admission = Admission {
            lane: lane.to_owned(),
            at: Millis(NOW.0 - age),
            ..who.waiting(cents(1))
        };
        admitted.push(admission.task.clone());
        store.admit(admission).await.unwrap();
    }
    let share = |who: &Customer, lane: &str, tasks| Waiting {
        lane: lane.to_owned(),
        owner: who.owner(),
        tasks,
    };
    let mut waiting = store.list_waiting().await.unwrap();
    waiting.sort_by_key(|share| (share.lane.clone(), share.tasks));
    let expected = [
        share(&other, "openai", 1),
        share(&customer, "openai", 4),
        share(&customer, "test", 1),
    ];
    assert_eq!(waiting, expected);
    for (index, ahead) in [(1, 0), (4, 1), (5, 2), (0, 3), (2, 0)] {
        let task = customer.task(&admitted[index]).await;
        assert_eq!(store.count_ahead(&task).await.unwrap(), ahead, "{index}");
    }
    let claim = async |picks: &[(&Customer, u32)]| -> Vec<TaskId> {
        let picks: Vec<_> = picks
            .iter()
            .map(|(who, most)| (who.key.id.clone(), *most))
            .collect();
        let claimed = store.claim(claim_of("openai", &picks, WORKER)).await;
        let claimed = claimed.unwrap();
        assert!(claimed.iter().all(|one| {
            one.task.state == TaskState::Processing
                && one.task.fence == 1
                && one.task.started_at == Some(NOW)
                && one.attempts.is_empty()
        }));
        claimed.into_iter().map(|one| one.task.id).collect()
    };
    assert_eq!(claim(&[]).await, []);
    assert_eq!(claim(&[(&customer, 0)]).await, []);
    assert_eq!(
        claim(&[(&other, 2), (&customer, 3)]).await,
        [3, 1, 4, 5].map(|index: usize| admitted[index].clone())
    );
    let left = store.count_waiting("openai", &customer.key.id).await;
    assert_eq!(left.unwrap(), 1);
    assert_eq!(claim(&[(&customer, 3)]).await, [admitted[0].clone()]);
    assert_eq!(claim(&[(&customer, 3), (&other, 1)]).await, []);
    let picks = [(customer.key.id.clone(), 9)];
    let claimed = store.claim(claim_of("nobody's", &picks, WORKER)).await;
    assert!(claimed.unwrap().is_empty());
}

pub async fn a_waiting_task_is_claimed_once(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    for _ in 0..20 {
        store.admit(customer.waiting(cents(1))).await.unwrap();
    }
    let workers: Vec<String> = (0..8).map(|n| format!("worker-{n}")).collect();
    let picks = [(customer.key.id.clone(), 4)];
    let claims = workers
        .iter()
        .map(|worker| store.claim(claim_of("openai", &picks, worker)));
    let mut claimed: Vec<TaskId> = join_all(claims)
        .await
        .into_iter()
        .flat_map(|claim| claim.unwrap())
        .map(|one| one.task.id)
        .collect();
    assert_eq!(claimed.len(), 20);
    claimed.sort();
    claimed.dedup();
    assert_eq!(claimed.len(), 20);
}

/// A task that is claimed has its intents with the claim, or is not claimed.
pub async fn a_claim_writes_the_intents_that_are_planned(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let mut waiting = Vec::new();
    for age in [2, 1] {
        let admission = Admission {
            at: Millis(NOW.0 - age),
            ..customer.waiting(cents(5))
        };
        waiting.push(admission.task.clone());
        store.admit(admission).await.unwrap();
    }
    let picks = [(customer.key.id.clone(), 9)];
    let mut over = intent(1);
    over.state = AttemptState::Succeeded;
    let wrong = Claim {
        plan: Arc::new(move |_| vec![intent(0), over.clone()]),
        ..claim_of("openai", &picks, WORKER)
    };
    let refused = store.claim(wrong).await;
    assert!(matches!(refused, Err(StoreError::Backend(_))));
    let left = store.count_waiting("openai", &customer.key.id).await;
    assert_eq!(left.unwrap(), 2, "nothing of it is written");

    // The plan sees each task as it is claimed.
    let first = waiting[0].clone();
    let plan = move |task: &Task| {
        assert_eq!((task.state, task.fence), (TaskState::Processing, 1));
        match task.id == first {
            true => vec![intent(0), intent(1)],
            false => Vec::new(),
        }
    };
    let claim = Claim {
        plan: Arc::new(plan),
        ..claim_of("openai", &picks, WORKER)
    };
    let claimed = store.claim(claim).await.unwrap();
    let attempts: Vec<_> = claimed.iter().map(|one| one.attempts.clone()).collect();
    assert_eq!(attempts, [vec![intent(0), intent(1)], vec![]]);
    for (task, attempts) in waiting.iter().zip(attempts) {
        assert_eq!(store.list_attempts(task).await.unwrap(), attempts);
    }
    // What was not planned is written under the fence of the claim.
    let hold = customer.hold_of(&waiting[1]).await;
    store.begin_attempts(&hold, vec![intent(0)]).await.unwrap();
}

pub async fn a_dead_workers_tasks_are_taken_over(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let old = customer.start(cents(5)).await;
    let upstream_id = UpstreamId("job-1".to_owned());
    store.note_upstream_id(&old, 0, &upstream_id).await.unwrap();
    let done = customer.start(cents(5)).await;
    store
        .settle(&done, failed(FailKind::Upstream))
        .await
        .unwrap();
    store.admit(customer.waiting(cents(5))).await.unwrap();

    let taken = store.recover("worker-2").await.unwrap();
    assert_eq!(taken.len(), 1);
    let task = &taken[0].task;
    assert_eq!(
        (&task.id, task.fence, task.crashes),
        (&old.task, old.fence + 1, 1)
    );
    assert_eq!(
        (task.state, task.started_at),
        (TaskState::Processing, Some(NOW))
    );
    assert_eq!(taken[0].attempts.len(), 1);
    assert_eq!(taken[0].attempts[0].upstream_id, Some(upstream_id));
    // It holds them now: there is nothing more to take over, until it dies itself.
    assert!(store.recover("worker-2").await.unwrap().is_empty());
    let again = store.recover("worker-3").await.unwrap();
    assert_eq!(again[0].task.crashes, 2);

    let refused = store
        .settle(&old, customer.completed(&old.task, cents(5)))
        .await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    let new = customer.hold_of(&old.task).await;
    store
        .settle(&new, customer.completed(&old.task, cents(5)))
        .await
        .unwrap();
    assert_eq!(customer.balance().await, balance(cents(90), cents(5)));
}

pub async fn deaths_alone_are_counted_apart(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let first = customer.start(cents(5)).await;
    let beside = customer.start(cents(5)).await;
    let count = async |worker: &str| -> Vec<(u32, u32)> {
        store.recover(worker).await.unwrap();
        let tasks = [
            customer.task(&first.task).await,
            customer.task(&beside.task).await,
        ];
        tasks.map(|task| (task.crashes, task.lone_crashes)).into()
    };
    assert_eq!(count("w1").await, [(1, 0), (1, 0)]);
    let refused = store.note_alone(&first).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    for (death, worker) in (1..).zip(["w2", "w3", "w4"]) {
        let hold = customer.hold_of(&first.task).await;
        store.note_alone(&hold).await.unwrap();
        assert_eq!(store.list_poison(9).await.unwrap(), []);
        assert_eq!(count(worker).await, [(1 + death, death), (1 + death, 0)]);
    }
    // A death while it does not run alone counts as any other.
    assert_eq!(count("w5").await, [(5, 3), (5, 0)]);
    let hold = customer.hold_of(&first.task).await;
    let ended = store.settle(&hold, failed(FailKind::Internal)).await;
    assert_eq!(store.list_poison(9).await.unwrap(), [ended.unwrap()]);
    assert_eq!(store.list_poison(0).await.unwrap(), []);
}

fn beat_of(worker: &str, beat: i64) -> WorkerBeat {
    WorkerBeat {
        worker: worker.to_owned(),
        beat,
    }
}

pub async fn a_worker_that_shows_no_life_loses_its_tasks(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let held = customer.start(cents(5)).await;
    let done = customer.start(cents(5)).await;
    store
        .settle(&done, failed(FailKind::Upstream))
        .await
        .unwrap();
    store.admit(customer.waiting(cents(5))).await.unwrap();
    // One that has never shown life has a lease all the same: it is seen.
    assert_eq!(
        store.other_workers("w2").await.unwrap(),
        [beat_of(WORKER, 0)]
    );
    store.beat(WORKER).await.unwrap();
    store.beat("w2").await.unwrap();
    let others = store.other_workers("w2").await.unwrap();
    assert_eq!(others, [beat_of(WORKER, 1)]);
    // One that runs nothing is known too: something may wait that it has accepted.
    let idle = store.other_workers(WORKER).await.unwrap();
    assert_eq!(idle, [beat_of("w2", 1)]);

    let taken = store.take_over(&others[0], "w2").await.unwrap();
    let taken = taken.expect("it was silent");
    assert_eq!(taken.len(), 1, "neither what ended nor what waits");
    let task = &taken[0].task;
    assert_eq!(
        (&task.id, task.fence, task.crashes, task.state),
        (&held.task, held.fence + 1, 1, TaskState::Processing)
    );
    assert_eq!(taken[0].attempts, [intent(0)]);
    let refused = store
        .settle(&held, customer.completed(&held.task, cents(5)))
        .await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    assert_eq!(store.other_workers("w2").await.unwrap(), []);
    // It comes back and works on: what it takes from now on is its own.
    let again = customer.start(cents(5)).await;
    assert_eq!(
        store.other_workers("w2").await.unwrap(),
        [beat_of(WORKER, 0)]
    );
    store.beat(WORKER).await.unwrap();
    assert_eq!(
        store.other_workers("w2").await.unwrap(),
        [beat_of(WORKER, 1)]
    );
    store
        .settle(&again, failed(FailKind::Upstream))
        .await
        .unwrap();
    // Dead and with nothing that runs, it is forgotten, and there is nothing to take.
    let taken = store.take_over(&beat_of(WORKER, 1), "w2").await.unwrap();
    assert!(taken.expect("it was silent").is_empty());
    assert_eq!(store.other_workers("w2").await.unwrap(), []);
}

pub async fn a_worker_that_shows_life_keeps_its_tasks(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let held = customer.start(cents(5)).await;
    for seen in [0, 1] {
        store.beat(WORKER).await.unwrap();
        let taken = store.take_over(&beat_of(WORKER, seen), "w2").await;
        assert!(taken.unwrap().is_none(), "its beat has moved since");
    }
    assert_eq!(customer.hold_of(&held.task).await, held);
    // A new process under the engine lock waits for no lease.
    assert_eq!(store.recover("w3").await.unwrap().len(), 1);
    assert_eq!(store.other_workers("w4").await.unwrap(), [beat_of("w3", 0)]);
    let none = store.take_over(&beat_of("nobody", 0), "w2").await;
    assert!(none.unwrap().expect("it never showed life").is_empty());
}

pub async fn attempts_are_written_as_intents(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let admission = Admission {
        start: Some(Start {
            worker: WORKER.to_owned(),
            attempts: vec![intent(0), intent(1)],
        }),
        ..customer.waiting(cents(5))
    };
    let task = admission.task.clone();
    store.admit(admission).await.unwrap();
    let hold = customer.hold_of(&task).await;
    store.begin_attempts(&hold, vec![intent(2)]).await.unwrap();
    let again = store
        .begin_attempts(&hold, vec![intent(3), intent(2)])
        .await;
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");
    let mut over = intent(4);
    over.state = AttemptState::Succeeded;
    let refused = store.begin_attempts(&hold, vec![over]).await;
    assert!(
        matches!(refused, Err(StoreError::Backend(_))),
        "{refused:?}"
    );

    let id = UpstreamId("job \u{2116} 7".to_owned());
    store.note_upstream_id(&hold, 1, &id).await.unwrap();
    let none = store.note_upstream_id(&hold, 9, &id).await;
    assert!(matches!(none, Err(StoreError::NotFound(_))), "{none:?}");
    let mut second = intent(1);
    second.upstream_id = Some(id);
    let stored = store.list_attempts(&task).await.unwrap();
    assert_eq!(stored, [intent(0), second, intent(2)]);
}

pub async fn every_write_checks_the_fence(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let held = customer.start(cents(5)).await;
    let finished = customer.start(cents(5)).await;
    store
        .settle(&finished, failed(FailKind::Upstream))
        .await
        .unwrap();
    let waiting = customer.waiting(cents(5));
    store.admit(waiting.clone()).await.unwrap();
    let before = store.audit().await.unwrap();
    for stale in [
        TaskHold {
            fence: held.fence - 1,
            ..held.clone()
        },
        TaskHold {
            fence: held.fence + 1,
            ..held.clone()
        },
        finished,
        TaskHold {
            task: waiting.task,
            fence: 0,
        },
        TaskHold {
            task: TaskId::new(),
            fence: 1,
        },
    ] {
        let id = UpstreamId("job".to_owned());
        let refusals = [
            store.begin_attempts(&stale, vec![intent(7)]).await,
            store.note_upstream_id(&stale, 0, &id).await,
            store
                .end_attempt(&stale, ended(0, AttemptState::Failed), Vec::new())
                .await,
            store
                .settle(&stale, customer.completed(&stale.task, cents(5)))
                .await
                .map(|_| ()),
        ];
        for refused in refusals {
            assert!(
                matches!(refused, Err(StoreError::Fenced)),
                "{stale:?}: {refused:?}"
            );
        }
    }
    assert_eq!(store.list_attempts(&held.task).await.unwrap(), [intent(0)]);
    assert_eq!(store.audit().await.unwrap(), before);
}

pub async fn the_queue_is_counted_by_lane(store: Arc<dyn Store>) {
    assert_eq!(store.queue().await.unwrap(), []);
    let customer = Customer::prepaid(&store, cents(100)).await;
    let in_lane = |lane: &str, admission| Admission {
        lane: lane.to_owned(),
        ..admission
    };
    store
        .admit(in_lane("test", customer.waiting(Money::ZERO)))
        .await
        .unwrap();
    store
        .admit(in_lane("test", customer.waiting(Money::ZERO)))
        .await
        .unwrap();
    store
        .admit(in_lane("fal", customer.starting(cents(1))))
        .await
        .unwrap();
    store
        .admit(in_lane("test", customer.starting(Money::ZERO)))
        .await
        .unwrap();
    let done = customer.start(cents(1)).await;
    store
        .settle(&done, failed(FailKind::Upstream))
        .await
        .unwrap();
    let depth = |lane: &str, pending, processing| QueueDepth {
        lane: lane.to_owned(),
        pending,
        processing,
    };
    let queue = store.queue().await.unwrap();
    assert_eq!(queue, [depth("fal", 0, 1), depth("test", 2, 1)]);
}

pub async fn what_is_owed_an_answer_is_known_while_it_is_unfinished(store: Arc<dyn Store>) {
    let customer = Customer::prepaid(&store, cents(100)).await;
    let asked = |admission: Admission, print: u8| Admission {
        asked: Some([print; 32]),
        ..admission
    };
    let waits = asked(customer.waiting(cents(1)), 1);
    let runs = asked(customer.starting(cents(1)), 2);
    let ends = asked(customer.starting(cents(1)), 3);
    let nobody_waits = customer.starting(cents(1));
    let mut owed: Vec<UnansweredTask> = [&waits, &runs]
        .into_iter()
        .map(|admission| UnansweredTask {
            task: admission.task.clone(),
            key: customer.key.id.clone(),
            asked: admission.asked.unwrap(),
            created_at: NOW,
        })
        .collect();
    let ended = ends.task.clone();
    for admission in [waits, runs, ends, nobody_waits] {
        store.admit(admission).await.unwrap();
    }
    let hold = customer.hold_of(&ended).await;
    store
        .settle(&hold, failed(FailKind::Upstream))
        .await
        .unwrap();
    let mut found = store.unanswered(Millis(NOW.0 - 1)).await.unwrap();
    found.sort_by(|one, other| one.task.cmp(&other.task));
    owed.sort_by(|one, other| one.task.cmp(&other.task));
    assert_eq!(found, owed);
    assert_eq!(store.unanswered(NOW).await.unwrap(), []);
}
