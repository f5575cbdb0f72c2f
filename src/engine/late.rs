//! What comes after its call was given up: a picture that is paid for is kept, whoever still expects it.
//!
//! A call that took too long is heard on, for a quarter of an hour; a run that has lost its task to another worker hands
//! over what it holds. What they bring becomes an asset of the task, which stays as it ended, and is charged to nobody.

use super::Engine;
use super::run::{Brought, Done, Run};
use super::settle::assets;
use crate::provider::{Event, EventStream, Image};
use crate::store::{Late, LateImage};
use crate::types::{Attempt, AttemptNumber, Modality, Task};
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// How often a picture is offered whose task has not ended, and how long is waited in between: whoever has the task ends
/// the call at once.
const OFFERS: u32 = 10;
const BETWEEN_OFFERS: Duration = Duration::from_secs(1);

/// A call that nobody waits for any more.
struct Abandoned {
    engine: Engine,
    task: Task,
    number: AttemptNumber,
}

impl Run<'_> {
    fn abandoned(&self, attempt: &Attempt) -> Abandoned {
        Abandoned {
            engine: self.engine.clone(),
            task: self.task.clone(),
            number: attempt.number,
        }
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
    async fn hear(&self, mut stream: EventStream, mut missing: Vec<u32>) {
        while let Some(Ok(event)) = stream.next().await {
            match event {
                Event::Image(image) if missing.contains(&image.index) => {
                    missing.retain(|index| *index != image.index);
                    self.keep(image).await;
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
        for _ in 0..OFFERS {
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
            tokio::time::sleep(BETWEEN_OFFERS).await;
        }
    }
}
