//! What comes after its call was given up: a result that is paid for is kept, whoever still expects it.
//!
//! A call that took too long is heard on, for a quarter of an hour; a run that has lost its task to another worker hands
//! over what it holds. What they bring becomes an asset or the late text of the task, which stays as it ended, and is
//! charged to nobody. Half a text is no result.
//!
//! A result that has come is offered until it is taken or refused, about as long as its task may still go on; only the
//! hearing ends with a drain. In a drain a result is offered for as long as its own run goes on here, and then for
//! [`AFTER_STOP`] more: whoever stops the process does not wait longer for another worker or for a database.

use super::Engine;
use super::brought::{Brought, Done, Words};
use super::place::{Kept, Place};
use super::run::Run;
use super::settle::{assets, text_of};
use crate::provider::{Event, EventStream, Image};
use crate::store::{Late, LateContent, LateResult};
use crate::types::{Attempt, AttemptNumber, Task};
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long is waited before a result is offered again whose task goes on or that cannot be noted: twice as long each
/// time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a result is still offered when the process drains and its run is over.
const AFTER_STOP: Duration = Duration::from_secs(30);

/// A call that nobody waits for any more.
struct Abandoned {
    engine: Engine,
    task: Task,
    number: AttemptNumber,
    /// The run that made it.
    run: Weak<()>,
}

/// When a result is offered again.
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

/// What a call may still bring.
enum Missing {
    /// The images of these indices.
    Images(Vec<u32>),
    /// The rest of a text.
    Text(Words),
}

/// What it has brought.
enum Came {
    Image(Image),
    /// A whole text.
    Text(Words),
}

impl Missing {
    /// One more event. What it completes is not missing any more.
    fn hear(&mut self, event: Event) -> Option<Came> {
        if let (Self::Text(words), Event::Text(piece)) = (&mut *self, &event) {
            if words.hear(piece).is_err() {
                // It has no end, so it is never whole.
                *self = Self::Images(Vec::new());
            }
            return None;
        }
        match (self, event) {
            (Self::Images(missing), Event::Image(image)) => {
                let at = missing.iter().position(|index| *index == image.index)?;
                missing.swap_remove(at);
                Some(Came::Image(image))
            }
            (Self::Text(words), Event::TextEnd(finish)) if words.whole().is_none() => {
                words.end(finish);
                Some(Came::Text(words.clone()))
            }
            _ => None,
        }
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Images(missing) => missing.is_empty(),
            Self::Text(words) => words.whole().is_some(),
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

    /// Hears a call on that is given up, beside everything else, until the process drains. As long as it lasts it keeps its
    /// place at the provider.
    pub(super) fn hear_on(
        &self,
        attempt: &Attempt,
        brought: &Brought,
        stream: EventStream,
        place: Option<Place>,
    ) {
        let missing = self.missing(attempt, brought);
        if missing.is_nothing() {
            return;
        }
        let place = place.and_then(Place::keep);
        let (abandoned, window) = (self.abandoned(attempt), self.engine.0.limits.late);
        let hearing = async move {
            let _place: Option<Kept> = place;
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

    fn missing(&self, attempt: &Attempt, brought: &Brought) -> Missing {
        if self.makes_text() {
            return Missing::Text(brought.words.clone());
        }
        let indices = attempt.part.indices();
        Missing::Images(indices.filter(|index| !brought.has(*index)).collect())
    }

    /// Keeps what a call brought whose end could not be written, because the task is somebody else's.
    pub(super) fn hand_over(&self, done: Done) {
        let Brought { images, words, .. } = done.brought;
        let text = words.whole().is_some().then_some(Came::Text(words));
        let mut all: Vec<Came> = images.into_iter().map(Came::Image).collect();
        all.extend(text);
        if all.is_empty() {
            return;
        }
        let abandoned = self.abandoned(&done.attempt);
        self.engine.0.tracker.spawn(async move {
            for came in all {
                abandoned.keep(came).await;
            }
        });
    }
}

impl Abandoned {
    /// May be cancelled at any moment: what came is kept on a task of its own, because an offer that is dropped on its way
    /// may be taken all the same, and its picture would be deleted under its row.
    async fn hear(self: Arc<Self>, mut stream: EventStream, mut missing: Missing) {
        // To its end, also when nothing is missing any more: as long as that has not come, the upstream is at work.
        while let Some(Ok(event)) = stream.next().await {
            if let Event::Done(_) = event {
                return;
            }
            if let Some(came) = missing.hear(event) {
                let abandoned = Arc::clone(&self);
                let keeping = async move { abandoned.keep(came).await };
                self.engine.0.tracker.spawn(keeping);
            }
        }
    }

    async fn keep(&self, came: Came) {
        let Some(content) = self.content(&came) else {
            return;
        };
        let late = LateResult {
            task: self.task.id.clone(),
            number: self.number,
            content,
            at: self.engine.now(),
        };
        if self.is_taken(late).await
            && let Came::Image(image) = came
        {
            image.blob.keep();
        }
    }

    /// What is stored of it.
    fn content(&self, came: &Came) -> Option<LateContent> {
        let (engine, task) = (&self.engine, &self.task);
        match came {
            Came::Image(image) => {
                let mut all = assets(engine, task, std::slice::from_ref(image));
                all.pop().map(LateContent::Image)
            }
            Came::Text(words) => text_of(engine, task, words).map(LateContent::Text),
        }
    }

    /// Offers a result until it is taken or refused, or until it is too late for that.
    async fn is_taken(&self, late: LateResult) -> bool {
        let limits = &self.engine.0.limits;
        let mut offers = Offers::within(limits.task + limits.late);
        loop {
            match self.engine.0.store.keep_late(late.clone()).await {
                Ok(Late::Kept) => {
                    tracing::info!(task.id = %self.task.id, attempt = self.number, "a result came late and is kept, free of charge");
                    return true;
                }
                Ok(Late::Refused) => return false,
                Ok(Late::NotOver) => {}
                Err(error) => {
                    tracing::error!(task.id = %self.task.id, %error, "a late result cannot be noted; trying again");
                }
            }
            if !self.wait(&mut offers).await {
                tracing::error!(task.id = %self.task.id, attempt = self.number, "a late result could not be kept in time and is lost");
                return false;
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
    use crate::types::Finish;

    #[test]
    fn half_a_text_is_no_result() {
        let mut missing = Missing::Text(Words::default());
        assert!(
            missing
                .hear(Event::Text("because of ".to_owned()))
                .is_none()
        );
        assert!(!missing.is_nothing());
        let Some(Came::Text(words)) = missing.hear(Event::TextEnd(Finish::Stop)) else {
            panic!("it is whole")
        };
        assert_eq!(words.whole(), Some(("because of ", Finish::Stop)));
        assert!(missing.is_nothing());
        // Of a model of images no text is a result.
        let mut missing = Missing::Images(vec![0]);
        assert!(missing.hear(Event::TextEnd(Finish::Stop)).is_none());
        assert!(!missing.is_nothing());
    }

    #[test]
    fn a_text_without_an_end_is_never_whole() {
        let mut missing = Missing::Text(Words::default());
        for piece in ["x".repeat(3 << 20), "y".repeat(3 << 20), "z".to_owned()] {
            assert!(missing.hear(Event::Text(piece)).is_none());
        }
        assert!(missing.hear(Event::TextEnd(Finish::Stop)).is_none());
        assert!(missing.is_nothing());
    }

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
    fn a_result_is_offered_for_as_long_as_its_task_may_go_on() {
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
