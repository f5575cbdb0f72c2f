//! `replay`: answers every call with the same stored picture, after a set delay.
//!
//! For rehearsals and load tests: the gateway does all its work, and no upstream has to be paid. The engine treats it
//! like any paid service, so a call of it is never made twice; with `log` it writes a line for each call it gets,
//! before it answers, which is how the kill tests count.
//!
//! ```toml
//! [provider.rehearsal]
//! kind = "replay"
//! image = "picture.png"   # required
//! delay_ms = 0
//! log = "calls.log"
//! ```

use super::{Call, Event, EventStream, Image, Provider, ProviderError, Traits, Verdict};
use crate::blob::BlobError;
use crate::config::ProviderSettings;
use crate::failpoint::failpoint;
use crate::types::{FailKind, Usage};
use bytes::Bytes;
use futures::StreamExt;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// The provider.
#[derive(Clone)]
pub struct Replay {
    picture: Bytes,
    delay: Duration,
    log: Option<Arc<File>>,
}

impl Replay {
    /// Reads its settings, and the picture into memory.
    pub fn from_settings(settings: &ProviderSettings) -> Result<Self, String> {
        settings.allow(&["image", "delay_ms", "log"])?;
        let image = settings.required("image")?;
        let picture = std::fs::read(image)
            .map_err(|error| format!("`image` cannot be read: {image}: {error}"))?;
        let open = |path: &str| {
            let file = File::options().create(true).append(true).open(path);
            file.map(Arc::new)
                .map_err(|error| format!("`log` cannot be opened: {path}: {error}"))
        };
        Ok(Self {
            picture: picture.into(),
            delay: Duration::from_millis(settings.number("delay_ms", 0)?),
            log: settings.text("log").map(open).transpose()?,
        })
    }

    async fn answer(self, call: Call, index: u32) -> Result<Event, ProviderError> {
        if index == call.part.first {
            self.take_call(&call).await?;
        }
        let blob = call
            .blobs
            .put(self.picture.clone())
            .await
            .map_err(not_stored)?;
        failpoint("blob");
        Ok(Event::Image(Image {
            index,
            blob,
            revised_prompt: None,
        }))
    }

    /// From here on the call counts as received.
    async fn take_call(&self, call: &Call) -> Result<(), ProviderError> {
        if let Some(log) = &self.log {
            let line = format!("{} {}\n", call.task, call.attempt);
            // One write of one line: appended whole, also beside another process.
            (&**log).write_all(line.as_bytes()).map_err(|error| {
                tracing::error!(%error, "the replay provider's log cannot be written");
                ProviderError::new(
                    Verdict::NotSent,
                    FailKind::Unavailable,
                    "the provider is not available",
                )
            })?;
        }
        failpoint("sent");
        // The timer's grain is a millisecond, also for a sleep of none.
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        Ok(())
    }
}

/// The picture came and could not be kept: the operator has paid for it.
pub(super) fn not_stored(error: BlobError) -> ProviderError {
    tracing::error!(%error, "a result could not be stored");
    match error {
        BlobError::Full => {
            ProviderError::new(Verdict::Unknown, FailKind::StorageFull, "the disk is full")
        }
        _ => ProviderError::new(
            Verdict::Unknown,
            FailKind::Internal,
            "the result could not be stored",
        ),
    }
}

impl Provider for Replay {
    fn traits(&self) -> Traits {
        Traits {
            repeatable: false,
            concurrency: 1024,
        }
    }

    fn generate(&self, call: Call) -> EventStream {
        let (first, count) = (call.part.first, call.part.count);
        let replay = self.clone();
        let images = futures::stream::iter(first..first + count)
            .then(move |index| replay.clone().answer(call.clone(), index));
        images
            .chain(futures::stream::once(async {
                Ok(Event::Done(Usage::default()))
            }))
            .boxed()
    }
}
