//! Upstreams: the services that make the pictures and write the texts.
//!
//! A provider turns a [`Call`] into a stream of [`Event`]s. A plain JSON upstream is a short stream; there is no
//! second path for it. Images go to staged blobs, never through memory whole; texts are small. A provider does no retries (the engine
//! owns attempts, their order and their budget) and knows no dialect, no money and no row.

pub mod openai;
pub mod replay;
pub mod sketch;

use crate::blob::{Blobs, StagedBlob};
use crate::config::ProviderSettings;
use crate::fetch::Outbound;
use crate::types::{
    AttemptEnd, AttemptNumber, FailKind, Failure, Finish, Format, Part, Request, TaskId,
    UpstreamId, Usage,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One upstream service.
pub trait Provider: Send + Sync {
    /// What the engine must know of it before it calls.
    fn traits(&self) -> Traits;

    /// Where its calls go, without credentials; `None` if they do not leave the process.
    fn address(&self) -> Option<String> {
        None
    }

    /// Makes the call. Nothing is sent before the stream is polled. The stream ends after [`Event::Done`] or an
    /// error; dropping it abandons the call, whose outcome is then unknown.
    fn generate(&self, call: Call) -> EventStream;

    /// Follows a job that the upstream is still running, from the id it gave us. The default serves upstreams that
    /// have no jobs: nothing can be learned.
    fn resume(&self, id: UpstreamId, call: Call) -> EventStream {
        let _ = (id, call);
        nothing_is_known()
    }

    /// Whether [`Provider::look_up`] can learn anything.
    fn can_look_up(&self) -> bool {
        false
    }

    /// Asks the upstream what became of a call by our own names for it, the task and the attempt; never makes it. An answer
    /// of [`Verdict::Unknown`] is asked for again for a while.
    fn look_up(&self, call: Call) -> EventStream {
        let _ = call;
        nothing_is_known()
    }
}

fn nothing_is_known() -> EventStream {
    let nothing = ProviderError::unknown("this provider cannot look up a call");
    Box::pin(futures::stream::once(std::future::ready(Err(nothing))))
}

/// What a provider reports, in order; ends with [`Event::Done`] or an error.
pub type EventStream = BoxStream<'static, Result<Event, ProviderError>>;

/// Fixed properties of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// A call costs nothing and repeats to the same result, so that after a crash it is simply made again. Never true
    /// of anything that sends bills.
    pub repeatable: bool,
    /// How many of its calls may run at once.
    pub concurrency: u32,
}

/// One upstream call.
#[derive(Clone)]
pub struct Call {
    /// The task it is for.
    pub task: TaskId,
    /// Which attempt of the task it is.
    pub attempt: AttemptNumber,
    /// What was asked.
    pub request: Arc<Request>,
    /// The images that this call is to make.
    pub part: Part,
    /// What the upstream calls the model.
    pub upstream_model: String,
    /// The request's parameters under the upstream's names, as the catalogue's target declares them: a provider sends
    /// these and no others. Input images, the mask and the number of images are not among them. Empty for `sketch`.
    pub fields: Map<String, Value>,
    /// Where the images go.
    pub blobs: Blobs,
    /// How results are fetched that lie anywhere else than at the upstream itself.
    pub outbound: Outbound,
    /// How many unfinished previews of each image somebody wants to see; zero where nobody watches.
    pub previews: u32,
}

/// What a provider reports.
#[derive(Debug)]
pub enum Event {
    /// The upstream took the job and calls it this. Stored at once, so that a restart can resume it.
    Accepted(UpstreamId),
    /// An unfinished image, for whoever watches. It is never stored.
    Preview(Preview),
    /// A finished image, staged.
    Image(Image),
    /// The next piece of a text, in order; whole characters.
    Text(String),
    /// The text is whole. Without this it has not been delivered, however much of it came.
    TextEnd(Finish),
    /// The call is over.
    Done(Usage),
}

/// An unfinished image.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Which of the task's images, from 0.
    pub index: u32,
    /// Which of that image's previews, from 0.
    pub number: u32,
    /// The file.
    pub bytes: Bytes,
    /// Its format.
    pub format: Format,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A finished image.
#[derive(Debug)]
pub struct Image {
    /// Which of the task's images, from 0.
    pub index: u32,
    /// The picture.
    pub blob: StagedBlob,
    /// The prompt as the model changed it, if it says so.
    pub revised_prompt: Option<String>,
}

/// Why a call brought nothing (more). The message is for the client; what the upstream said goes to the log where
/// it was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .failure.message)]
pub struct ProviderError {
    /// What is known of the call.
    pub verdict: Verdict,
    /// What the client is told.
    pub failure: Failure,
    /// When the upstream wants to be asked again, if it said so.
    pub retry_after: Option<Duration>,
    /// The fault is with this model alone: it says nothing of the upstream's others.
    pub is_of_model: bool,
    /// What the upstream counted all the same.
    pub usage: Usage,
}

/// What is known of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proved: nothing of it reached the upstream.
    NotSent,
    /// The upstream refused it before doing paid work.
    RefusedBeforeWork,
    /// The upstream said that it failed.
    Failed,
    /// Anything may have happened.
    Unknown,
}

impl ProviderError {
    /// An error with this verdict.
    pub fn new(verdict: Verdict, kind: FailKind, message: impl Into<String>) -> Self {
        Self {
            verdict,
            failure: Failure::new(kind, message),
            retry_after: None,
            is_of_model: false,
            usage: Usage::default(),
        }
    }

    /// Nobody knows what became of the call.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, FailKind::OutcomeUnknown, message)
    }
}

impl From<ProviderError> for AttemptEnd {
    fn from(error: ProviderError) -> Self {
        let failure = error.failure;
        match error.verdict {
            Verdict::NotSent => Self::NotSent { failure },
            Verdict::RefusedBeforeWork => Self::Failed {
                failure,
                before_work: true,
            },
            Verdict::Failed => Self::Failed {
                failure,
                before_work: false,
            },
            // A full disk is worth a word of its own. Whatever else made it so: the client must not repeat the call,
            // and this kind says that.
            Verdict::Unknown if failure.kind == FailKind::StorageFull => Self::Unknown { failure },
            Verdict::Unknown => Self::Unknown {
                failure: Failure::new(FailKind::OutcomeUnknown, failure.message),
            },
        }
    }
}

/// The providers that are turned on, by the name that catalogue targets use.
#[derive(Clone, Default)]
pub struct Providers(BTreeMap<String, Arc<dyn Provider>>);

/// Makes a provider of one kind from its settings; the error says what is wrong with them.
type Make = fn(&ProviderSettings) -> Result<Arc<dyn Provider>, String>;

/// Every kind of provider there is.
const KINDS: &[(&str, Make)] = &[
    ("openai", |settings| {
        Ok(Arc::new(openai::OpenAi::from_settings(settings)?))
    }),
    ("replay", |settings| {
        Ok(Arc::new(replay::Replay::from_settings(settings)?))
    }),
    ("sketch", |settings| {
        Ok(Arc::new(sketch::SketchProvider::from_settings(settings)?))
    }),
];

impl Providers {
    /// The built-in renderer, and what the settings name.
    pub fn from_settings(settings: &[ProviderSettings]) -> Result<Self, String> {
        let mut providers = Self::default();
        providers.insert(sketch::NAME, Arc::new(sketch::SketchProvider::default()));
        for one in settings {
            let Some((_, make)) = KINDS.iter().find(|(kind, _)| *kind == one.kind) else {
                let known: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
                return Err(format!(
                    "provider `{}`: there is no kind `{}`; kinds are {}",
                    one.name,
                    one.kind,
                    known.join(", ")
                ));
            };
            let provider =
                make(one).map_err(|reason| format!("provider `{}`: {reason}", one.name))?;
            providers.insert(&one.name, provider);
        }
        Ok(providers)
    }

    /// Adds a provider, or replaces the one of this name.
    pub fn insert(&mut self, name: &str, provider: Arc<dyn Provider>) {
        self.0.insert(name.to_owned(), provider);
    }

    /// The provider of this name.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn Provider>)> {
        self.0
            .iter()
            .map(|(name, provider)| (name.as_str(), provider))
    }
}
