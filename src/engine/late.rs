//! What comes after its call was given up: a picture that is paid for is kept, whoever still expects it.
//!
//! A call that took too long is heard on, for a quarter of an hour; a run that has lost its task to another worker hands
//! over what it holds. What they bring becomes an asset of the task, which stays as it ended, and is charged to nobody.
//!
//! A picture that has come is offered until it is taken or refused, about as long as its task may still go on; only the
//! hearing ends with a drain. In a drain a picture is offered for as long as its own run goes on here, and then for
//! [`AFTER_STOP`] more: whoever stops the process does not wait longer for another worker or for a database.

use super::Engine;
use super::run::{Brought, Done, Run};
use super::settle::assets;
use crate::provider::{Event, EventStream, Image};
use crate::store::{Late, LateImage};
use crate::types::{Attempt, AttemptNumber, Modality, Task};
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long is waited before a picture is offered again whose task goes on or that cannot be noted: twice as long each
/// time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a picture is still offered when the process drains and its run is over.
const AFTER_STOP: Duration = Duration::from_secs(30);

/// A call that nobody waits for any more.
struct Abandoned {
    engine: Engine,
    task: Task,
    number: AttemptNumber,
    /// The run that made it.
    run: Weak<()>,
}

/// When a picture is offered again.
struct Offers {
    until: Instant,
    pause: Duration,
}

impl Offers {
    fn within(limit: Duration) -> Self {
        Self {
            until: Instant::now() + limit,
            pause: FIRST_PAUSE,
        }
    }

    /// How long to wait before the next offer; `None` if there is none.
    fn next(&mut self, now: Instant) -> Option<Duration> {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        (now < self.until).then_some(pause)
    }

    /// The process is about to end.
    fn hurry(&mut self, now: Instant, run_goes_on: bool) {
        self.pause = FIRST_PAUSE;
        if !run_goes_on {
            self.until = self.until.min(now + AFTER_STOP);
        }
    }
}

impl Run<'_> {
    fn abandoned(&self, attempt: &Attempt) -> Arc<Abandoned> {
        Arc::new(Abandoned {
            engine: self.engine.clone(),
            task: self.task.clone(),
            number: attempt.number,
            run: Arc::downgrade(&self.goes_on),
        })
    }

    /// Hears a call on that is given up, beside everything else, until the process drains.
    pub(super) fn hear_on(&self, attempt: &Attempt, brought: &Brought, stream: EventStream) {
        if self.task.request.modality() == Modality::Text {
            return;
        }
        let part = attempt.part.first..attempt.part.first + attempt.part.count;
        let has = |index: &u32| brought.images.iter().any(|image| image.index == *index);
        let missing: Vec<u32> = part.filter(|index| !has(index)).collect();
        let (abandoned, window) = (self.abandoned(attempt), self.engine.0.limits.late);
        let hearing = async move {
            let hearing = AssertUnwindSafe(abandoned.hear(stream, missing)).catch_unwind();
            // A panic of a provider was nobody's hope before either.
            let _ = tokio::time::timeout(window, hearing).await;
        };
        let stop = self.engine.0.stop.clone();
        self.engine
            .0
            .tracker
            .spawn(stop.run_until_cancelled_owned(hearing));
    }

    /// Keeps what a call brought whose end could not be written, because the task is somebody else's.
    pub(super) fn hand_over(&self, done: Done) {
        if done.brought.images.is_empty() {
            return;
        }
        let abandoned = self.abandoned(&done.attempt);
        self.engine.0.tracker.spawn(async move {
            for image in done.brought.images {
                abandoned.keep(image).await;
            }
        });
    }
}

impl Abandoned {
    /// May be cancelled at any moment: what came is kept on a task of its own, because an offer that is dropped on its way
    /// may be taken all the same, and its picture would be deleted under its row.
    async fn hear(self: Arc<Self>, mut stream: EventStream, mut missing: Vec<u32>) {
        while let Some(Ok(event)) = stream.next().await {
            match event {
                Event::Image(image) if missing.contains(&image.index) => {
                    missing.retain(|index| *index != image.index);
                    let abandoned = Arc::clone(&self);
                    let keeping = async move { abandoned.keep(image).await };
                    self.engine.0.tracker.spawn(keeping);
                }
                Event::Done(_) => return,
                _ => {}
            }
        }
    }

    async fn keep(&self, image: Image) {
        let mut all = assets(&self.engine, &self.task, std::slice::from_ref(&image));
        let Some(asset) = all.pop() else { return };
        let late = LateImage {
            number: self.number,
            asset,
        };
        let limits = &self.engine.0.limits;
        let mut offers = Offers::within(limits.task + limits.late);
        loop {
            match self.engine.0.store.keep_late(late.clone()).await {
                Ok(Late::Kept) => {
                    image.blob.keep();
                    tracing::info!(task.id = %self.task.id, attempt = self.number, "a result came late and is kept, free of charge");
                    return;
                }
                Ok(Late::Refused) => return,
                Ok(Late::NotOver) => {}
                Err(error) => {
                    tracing::error!(task.id = %self.task.id, %error, "a late result cannot be noted; trying again");
                }
            }
            if !self.wait(&mut offers).await {
                tracing::error!(task.id = %self.task.id, attempt = self.number, "a late result could not be kept in time and is lost");
                return;
            }
        }
    }

    /// Waits until the next offer; `false` if there is none. The beginning of a drain ends a long wait.
    async fn wait(&self, offers: &mut Offers) -> bool {
        let (stop, now) = (&self.engine.0.stop, Instant::now());
        let is_stopping = stop.is_cancelled();
        if is_stopping {
            offers.hurry(now, self.run.strong_count() > 0);
        }
        let Some(pause) = offers.next(now) else {
            return false;
        };
        let waiting = tokio::time::sleep(pause);
        if is_stopping {
            waiting.await;
        } else {
            // Whether it was long or ended early, the next offer follows.
            let _ = stop.run_until_cancelled(waiting).await;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of all offers, by a clock that only they move.
    fn pauses(mut offers: Offers, mut now: Instant, drain: Option<bool>) -> Vec<u64> {
        let mut pauses = Vec::new();
        loop {
            if let Some(run_goes_on) = drain {
                offers.hurry(now, run_goes_on);
            }
            let Some(pause) = offers.next(now) else {
                return pauses;
            };
            pauses.push(pause.as_secs());
            now += pause;
        }
    }

    #[test]
    fn a_picture_is_offered_for_as_long_as_its_task_may_go_on() {
        let now = Instant::now();
        let limit = Duration::from_secs(3600 + 900);
        let all = pauses(Offers::within(limit), now, None);
        assert_eq!(all[..7], [1, 2, 4, 8, 16, 30, 30]);
        let whole: u64 = all.iter().sum();
        assert!((4500..=4530).contains(&whole), "{whole}");
    }

    #[test]
    fn a_drain_waits_for_the_own_run_and_a_moment_longer() {
        let now = Instant::now();
        let limit = Duration::from_secs(600);
        let gone = pauses(Offers::within(limit), now, Some(false));
        assert_eq!(gone, [1; 30]);
        let goes_on = pauses(Offers::within(limit), now, Some(true));
        assert!((600..=601).contains(&goes_on.len()), "{}", goes_on.len());
    }
}
