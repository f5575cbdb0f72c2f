//! What the engine does with every way an upstream can behave, seen from the client, the ledger and the upstream.

use crate::app::{Setup, TestApp, model, until};
use crate::client::{Holder, Reply};
use crate::images::small_with;
use crate::scripted::{Scripted, Step, gate};
use pinhole::provider::Verdict;
use pinhole::types::{AttemptState, FailKind, Part};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// `paid` costs 0.04; `alpha` (cost 0.01) serves it first, `beta` (cost 0.02) second.
struct Two {
    app: TestApp,
    customer: Holder,
    alpha: Arc<Scripted>,
    beta: Arc<Scripted>,
}

async fn two(alpha: Arc<Scripted>, beta: Arc<Scripted>) -> Two {
    two_making(1, alpha, beta).await
}

async fn two_making(most: u32, alpha: Arc<Scripted>, beta: Arc<Scripted>) -> Two {
    let app = Setup::new()
        .provider("alpha", alpha.clone())
        .provider("beta", beta.clone())
        .model(&model(
            "paid",
            "0.04",
            &[("alpha", most, "0.01"), ("beta", most, "0.02")],
        ))
        .start()
        .await;
    let customer = app.customer("1.00").await;
    Two {
        app,
        customer,
        alpha,
        beta,
    }
}

impl Two {
    async fn ask(&self, n: u32) -> Reply {
        self.customer
            .generate(small_with("a cat", json!({"model": "paid", "n": n})))
            .await
    }

    /// How often each of them was asked.
    fn asked(&self) -> (usize, usize) {
        (self.alpha.asked().len(), self.beta.asked().len())
    }

    /// How each attempt of the reply's task ended, in order.
    async fn ends(&self, reply: &Reply) -> Vec<(String, AttemptState)> {
        let attempts = self
            .app
            .store()
            .list_attempts(&reply.task_id())
            .await
            .expect("rows");
        attempts
            .into_iter()
            .map(|one| (one.provider, one.state))
            .collect()
    }

    /// What customers paid and what the operator lost, in all.
    async fn books(&self) -> (String, String) {
        let audit = self.app.store().audit().await.expect("rows");
        (audit.captured.to_string(), audit.operator_loss.to_string())
    }

    async fn finish(self, available: &str, captured: &str, lost: &str) {
        self.customer.has(available).await;
        assert_eq!(self.books().await, (captured.to_owned(), lost.to_owned()));
        self.app.finish().await;
    }
}

#[tokio::test]
async fn what_provably_did_no_work_goes_to_the_next_target() {
    for (verdict, kind, state) in [
        (
            Verdict::NotSent,
            FailKind::Unavailable,
            AttemptState::NotSent,
        ),
        (
            Verdict::RefusedBeforeWork,
            FailKind::Upstream,
            AttemptState::Failed,
        ),
    ] {
        let two = two(Scripted::failing(verdict, kind), Scripted::obliging()).await;
        let reply = two.ask(1).await;
        assert_eq!(reply.pictures().len(), 1, "{verdict:?}");
        assert_eq!(two.asked(), (1, 1), "{verdict:?}");
        let expected = [
            ("alpha".to_owned(), state),
            ("beta".to_owned(), AttemptState::Succeeded),
        ];
        assert_eq!(two.ends(&reply).await, expected);
        two.finish("0.960000", "0.040000", "0.000000").await;
    }
}

#[tokio::test]
async fn what_may_have_done_work_is_never_asked_for_again() {
    for (verdict, kind, status, code, loss) in [
        (
            Verdict::Failed,
            FailKind::Upstream,
            502,
            "upstream_failed",
            "0.000000",
        ),
        (
            Verdict::Failed,
            FailKind::ContentPolicy,
            400,
            "content_policy_violation",
            "0.000000",
        ),
        (
            Verdict::Failed,
            FailKind::Rejected,
            400,
            "invalid_parameter",
            "0.000000",
        ),
        (
            Verdict::Failed,
            FailKind::UpstreamTimeout,
            504,
            "upstream_timeout",
            "0.000000",
        ),
        (
            Verdict::Unknown,
            FailKind::OutcomeUnknown,
            504,
            "outcome_unknown",
            "0.010000",
        ),
    ] {
        let two = two(Scripted::failing(verdict, kind), Scripted::obliging()).await;
        let reply = two.ask(1).await;
        reply.refused(status, code);
        let retry = if verdict == Verdict::Unknown {
            "false"
        } else {
            ""
        };
        assert_eq!(reply.header("x-should-retry"), retry, "{kind:?}");
        assert_eq!(two.asked(), (1, 0), "{kind:?}");
        two.finish("1.000000", "0.000000", loss).await;
    }
}

#[tokio::test]
async fn when_no_target_takes_it_the_client_may_come_back() {
    let no = || Scripted::failing(Verdict::NotSent, FailKind::Unavailable);
    let two = two(no(), no()).await;
    let reply = two.ask(1).await;
    reply.refused(503, "overloaded");
    assert!(
        !reply.header("retry-after").is_empty(),
        "a 503 says when to come back"
    );
    assert_eq!(two.asked(), (1, 1));
    two.finish("1.000000", "0.000000", "0.000000").await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_unknown() {
    let two = two(Scripted::new(&[]), Scripted::obliging()).await;
    two.ask(1).await.refused(504, "outcome_unknown");
    assert_eq!(two.asked(), (1, 0));
    two.finish("1.000000", "0.000000", "0.010000").await;
}

#[tokio::test]
async fn an_answer_without_an_image_is_a_failure() {
    let two = two(Scripted::new(&[Step::Done]), Scripted::obliging()).await;
    two.ask(1).await.refused(502, "upstream_failed");
    assert_eq!(two.asked(), (1, 0));
    two.finish("1.000000", "0.000000", "0.000000").await;
}

#[tokio::test]
async fn a_panic_of_a_provider_is_unknown_and_costs_the_client_nothing() {
    let two = two(Scripted::new(&[Step::Panic]), Scripted::obliging()).await;
    two.ask(1).await.refused(504, "outcome_unknown");
    assert_eq!(two.asked(), (1, 0), "it may have been sent");
    // The next task runs as if nothing had been.
    two.ask(1).await.refused(504, "outcome_unknown");
    two.finish("1.000000", "0.000000", "0.020000").await;
}

#[tokio::test]
async fn images_too_many_or_twice_are_dropped_and_not_charged() {
    let steps = [
        Step::Image(0),
        Step::Image(0),
        Step::Image(1),
        Step::Image(7),
        Step::Done,
    ];
    let two = two_making(2, Scripted::new(&steps), Scripted::obliging()).await;
    let reply = two.ask(2).await;
    assert_eq!(reply.pictures().len(), 2);
    // Only what a row names stays on the disk.
    let data = two.app.setup().file("data").join("blobs");
    until("the others are deleted", async || {
        (crate::server::files_below(&data).len() == 2).then_some(())
    })
    .await;
    two.finish("0.920000", "0.080000", "0.000000").await;
}

#[tokio::test]
async fn images_that_came_before_a_failure_are_delivered_and_charged() {
    // What did not come in a call of unknown outcome may be billed all the same.
    for (end, lost) in [
        (Step::Fail(Verdict::Failed, FailKind::Upstream), "0.000000"),
        (
            Step::Fail(Verdict::Unknown, FailKind::OutcomeUnknown),
            "0.020000",
        ),
        (Step::Panic, "0.020000"),
    ] {
        let two = two_making(
            4,
            Scripted::new(&[Step::Image(0), Step::Image(2), end]),
            Scripted::obliging(),
        )
        .await;
        let reply = two.ask(4).await;
        assert_eq!(reply.pictures().len(), 2);
        assert_eq!(two.asked(), (1, 0));
        two.finish("0.920000", "0.080000", lost).await;
    }
}

#[tokio::test]
async fn a_task_that_waited_for_its_slot_asks_the_next_target_too() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let alpha = Scripted::bounded(1, move |_| {
        vec![
            Step::Wait(Arc::clone(&opened)),
            Step::Fail(Verdict::NotSent, FailKind::Unavailable),
        ]
    });
    let two = two(alpha, Scripted::obliging()).await;
    // The first holds the only slot until the gate opens; the second is claimed from the queue.
    let (first, second, ()) = tokio::join!(two.ask(1), two.ask(1), async {
        while two
            .app
            .store()
            .queue()
            .await
            .expect("rows")
            .iter()
            .map(|lane| lane.pending)
            .sum::<u64>()
            < 1
        {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
    });
    assert_eq!((first.pictures().len(), second.pictures().len()), (1, 1));
    assert_eq!(two.asked(), (2, 2));
    two.finish("0.920000", "0.080000", "0.000000").await;
}

#[tokio::test]
async fn five_images_at_two_a_call_are_three_calls() {
    let two = two_making(2, Scripted::obliging(), Scripted::obliging()).await;
    let reply = two.ask(5).await;
    assert_eq!(reply.pictures().len(), 5);
    let mut parts: Vec<Part> = two.alpha.asked().iter().map(|asked| asked.part).collect();
    parts.sort_by_key(|part| part.first);
    let part = |first, count| Part { first, count };
    assert_eq!(parts, [part(0, 2), part(2, 2), part(4, 1)]);
    two.finish("0.800000", "0.200000", "0.000000").await;
}

#[tokio::test]
async fn a_part_that_fails_is_not_charged_and_the_others_are() {
    for (failing, delivered, available, captured) in [
        (4, 4, "0.840000", "0.160000"),
        (2, 3, "0.880000", "0.120000"),
    ] {
        let alpha = Scripted::by(move |asked| {
            if asked.part.first == failing {
                vec![Step::Fail(Verdict::Failed, FailKind::Upstream)]
            } else {
                vec![Step::Deliver]
            }
        });
        let two = two_making(2, alpha, Scripted::obliging()).await;
        let reply = two.ask(5).await;
        assert_eq!(reply.pictures().len(), delivered);
        assert_eq!(reply.header("x-pinhole-cost"), captured);
        assert_eq!(two.asked(), (3, 0));
        two.finish(available, captured, "0.000000").await;
    }
}

#[tokio::test]
async fn one_part_may_go_elsewhere_while_the_others_stay() {
    let alpha = Scripted::by(|asked| match asked.part.first {
        2 => vec![Step::Fail(Verdict::RefusedBeforeWork, FailKind::Upstream)],
        _ => vec![Step::Deliver],
    });
    let two = two_making(2, alpha, Scripted::obliging()).await;
    let reply = two.ask(5).await;
    assert_eq!(reply.pictures().len(), 5);
    assert_eq!(two.asked(), (3, 1));
    let moved = &two.beta.asked()[0];
    assert_eq!(
        (moved.part.first, moved.attempt),
        (2, 3),
        "a number of its own"
    );
    two.finish("0.800000", "0.200000", "0.000000").await;
}

#[tokio::test]
async fn a_refusal_by_policy_stops_what_is_not_sent_yet() {
    let (refusal, others) = (gate(), gate());
    let (until_all_run, waits) = (Arc::clone(&refusal), Arc::clone(&others));
    let alpha = Scripted::by(move |asked| match asked.part.first {
        0 => vec![
            Step::Wait(Arc::clone(&until_all_run)),
            Step::Fail(Verdict::Failed, FailKind::ContentPolicy),
        ],
        _ => vec![Step::Wait(Arc::clone(&waits)), Step::Deliver],
    });
    let two = two(alpha, Scripted::obliging()).await;
    let asking = two.ask(10);
    let opening = async {
        until("four parts go at once", async || {
            (two.asked().0 == 4).then_some(())
        })
        .await;
        refusal.add_permits(1);
        let rows = crate::server::read_only(&two.app.setup().file("data"));
        let refused = "SELECT 1 FROM attempts WHERE state = 'failed' AND first_image = 0";
        until("the refusal is stored", async || {
            rows.query_row(refused, [], |_| Ok(())).ok()
        })
        .await;
        others.add_permits(10);
    };
    let (reply, ()) = tokio::join!(asking, opening);
    assert_eq!(reply.pictures().len(), 3, "what was under way is delivered");
    assert_eq!(
        two.asked(),
        (4, 0),
        "nothing after the refusal, and nothing elsewhere"
    );
    two.finish("0.880000", "0.120000", "0.000000").await;
}

#[tokio::test]
async fn a_job_with_an_id_is_resumed_after_a_restart_and_never_sent_again() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let alpha = Scripted::by(move |asked| match &asked.resumed {
        Some(_) => vec![Step::Deliver],
        None => vec![
            Step::Accept("job-7"),
            Step::Wait(Arc::clone(&waits)),
            Step::Deliver,
        ],
    });
    let Two {
        app,
        customer,
        alpha,
        beta,
    } = two(alpha, Scripted::obliging()).await;
    let body = small_with("a cat", json!({"model": "paid"}));
    let id = {
        let asking = customer.try_generate(body);
        let noted = async {
            let rows = crate::server::read_only(&app.setup().file("data"));
            until("the job's id is stored", async || {
                rows.query_row(
                    "SELECT task FROM attempts WHERE upstream_id = 'job-7'",
                    [],
                    |row| row.get::<_, String>(0),
                )
                .ok()
            })
            .await
        };
        tokio::select! { _ = asking => panic!("the gate is shut"), id = noted => id }
    };
    let app = app.crash().await.start().await;
    let task = app
        .end_of(
            &customer,
            &pinhole::types::TaskId::parse(&id).expect("an id"),
        )
        .await;
    assert_eq!(
        (task.state.name(), task.assets.len(), task.crashes),
        ("completed", 1, 1)
    );
    let asked: Vec<_> = alpha
        .asked()
        .into_iter()
        .map(|asked| asked.resumed)
        .collect();
    assert_eq!(asked, [None, Some("job-7".to_owned())]);
    assert_eq!(beta.asked().len(), 0);
    customer.at(&app.url).has("0.960000").await;
    app.finish().await;
}

#[tokio::test]
async fn a_job_without_an_id_is_unknown_after_a_restart() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let alpha = Scripted::new(&[Step::Wait(waits), Step::Deliver]);
    let Two {
        app,
        customer,
        alpha,
        beta,
    } = two(alpha, Scripted::obliging()).await;
    let asking = customer.try_generate(small_with("a cat", json!({"model": "paid"})));
    let sent = until("it is asked", async || {
        alpha.asked().first().map(|asked| asked.task.clone())
    });
    let id = tokio::select! { _ = asking => panic!("the gate is shut"), id = sent => id };
    let app = app.crash().await.start().await;
    let task = app.end_of(&customer, &id).await;
    let failure = task.failure.expect("it failed");
    assert_eq!(failure.kind, FailKind::OutcomeUnknown);
    assert_eq!((alpha.asked().len(), beta.asked().len()), (1, 0));
    let customer = customer.at(&app.url);
    customer.has("1.000000").await;
    assert_eq!(customer.task(&id).await["failCode"], "outcome_unknown");
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.010000");
    app.finish().await;
}

#[tokio::test]
async fn parts_that_were_done_before_a_crash_are_kept_and_charged() {
    let shut = gate();
    let waits = Arc::clone(&shut);
    let alpha = Scripted::by(move |asked| match asked.part.first {
        0 => vec![Step::Deliver],
        _ => vec![Step::Wait(Arc::clone(&waits)), Step::Deliver],
    });
    let Two {
        app,
        customer,
        alpha,
        ..
    } = two_making(2, alpha, Scripted::obliging()).await;
    let asking = customer.try_generate(small_with("a cat", json!({"model": "paid", "n": 4})));
    let stored = async {
        let rows = crate::server::read_only(&app.setup().file("data"));
        until("the first part is stored", async || {
            let count: i64 = rows
                .query_row("SELECT count(*) FROM assets", [], |row| row.get(0))
                .ok()?;
            (count == 2 && alpha.asked().len() == 2).then(|| alpha.asked()[0].task.clone())
        })
        .await
    };
    let id = tokio::select! { _ = asking => panic!("the gate is shut"), id = stored => id };
    let app = app.crash().await.start().await;
    let task = app.end_of(&customer, &id).await;
    assert_eq!((task.state.name(), task.assets.len()), ("completed", 2));
    assert_eq!(task.captured.to_string(), "0.080000");
    assert_eq!(alpha.asked().len(), 2);
    customer.at(&app.url).has("0.920000").await;
    let audit = app.store().audit().await.expect("rows");
    assert_eq!(audit.operator_loss.to_string(), "0.020000");
    app.finish().await;
}
