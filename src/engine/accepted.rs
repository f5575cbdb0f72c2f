//! Waiting for an accepted task, or watching it.

use super::unanswered::Unanswered;
use super::watch::{Live, Progress, Shown, Watch};
use crate::error::{Error, Kind};
use crate::provider::Preview;
use crate::types::{Millis, Mode, Quote, Request, Task, TaskId, TaskState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// A task that was accepted: durable, paid for, and running or waiting.
pub struct Accepted {
    /// Its id.
    pub task: TaskId,
    /// Live or test.
    pub mode: Mode,
    /// The price of the moment.
    pub quote: Quote,
    /// What was adapted in the request, as `name=how`.
    pub adapted: Vec<String>,
    /// Where it stood when it was accepted or joined.
    pub state: TaskState,
    /// How many tasks were to start before it, if it waited.
    pub ahead: Option<u64>,
    /// Whether it is the task of an earlier call, which this one repeats.
    pub is_repeated: bool,
    /// How the client wants to be told as it goes, if it asked for a stream.
    pub stream: Option<Streaming>,
    /// What was asked, as the schema understood it.
    pub request: Arc<Request>,
    /// When it was accepted.
    pub created_at: Millis,
    /// What is owed to a client that may send the call again, until the reply is handed over.
    pub unanswered: Option<Unanswered>,
    pub(super) watch: Watch,
    /// The end, seen before the rest of the text was.
    pub(super) ended: Option<Arc<Task>>,
}

/// What a stream is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streaming {
    /// End with the tokens that were counted.
    pub include_usage: bool,
}

/// What a watcher sees next.
#[derive(Debug)]
pub enum Seen {
    /// An unfinished image.
    Preview(Arc<Preview>),
    /// A finished image, stored and not settled.
    Image(Arc<Shown>),
    /// The next piece of a text. The pieces of a task that completes are its whole text.
    Text(String),
    /// The end, or why there is none for now.
    Ended(Result<Arc<Task>, Error>),
}

impl Accepted {
    /// Waits for the end. [`Kind::StillRunning`] after `limit`; the task goes on.
    pub async fn wait(mut self, limit: Duration) -> Result<Arc<Task>, Error> {
        match tokio::time::timeout(limit, ended(&mut self.watch.progress)).await {
            Err(_) => Err(still_running(&self.task)),
            Ok(ended) => ended,
        }
    }

    /// What happens next. Previews that came while nobody looked may be missing; a text and the end never are.
    pub async fn next(&mut self) -> Seen {
        if let Some(task) = self.ended.take() {
            return Seen::Ended(Ok(task));
        }
        let end = loop {
            tokio::select! {
                // What was shown before the end is seen before the end.
                biased;
                live = self.watch.live.recv() => match live {
                    Ok(Live::Preview(preview)) => return Seen::Preview(preview),
                    Ok(Live::Image(image)) => return Seen::Image(image),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => {
                        break ended(&mut self.watch.progress).await;
                    }
                },
                piece = self.watch.text.next() => match piece {
                    Some(piece) => return Seen::Text(piece),
                    None => break ended(&mut self.watch.progress).await,
                },
                end = ended(&mut self.watch.progress) => break end,
            }
        };
        let task = match end {
            Ok(task) => task,
            Err(error) => return Seen::Ended(Err(error)),
        };
        let whole = task.text.as_ref().map_or("", |text| &text.content);
        match self.watch.text.rest_of(whole) {
            None => Seen::Ended(Ok(task)),
            Some(rest) => {
                self.ended = Some(task);
                Seen::Text(rest)
            }
        }
    }
}

async fn ended(progress: &mut watch::Receiver<Progress>) -> Result<Arc<Task>, Error> {
    let seen = progress
        .wait_for(|progress| !matches!(progress, Progress::Running))
        .await;
    match seen.as_deref() {
        Ok(Progress::Ended(task)) => Ok(Arc::clone(task)),
        Ok(Progress::Stuck(why)) => Err(why.clone()),
        Ok(Progress::Running) | Err(_) => Err(Error::internal()),
    }
}

pub(super) fn still_running(task: &TaskId) -> Error {
    Error::new(
        Kind::StillRunning,
        format!("the task goes on; fetch it later at /v1/images/generations/{task}"),
    )
}
