//! A provider that does what a test tells it, and remembers what it was asked.

use futures::StreamExt;
use pinhole::provider::{
    Call, Event, EventStream, Image, Provider, ProviderError, Traits, Verdict,
};
use pinhole::types::{FailKind, Finish, Part, TaskId, UpstreamId, Usage};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// One thing that happens in a call, in order. A script that ends without an end breaks the stream off.
#[derive(Clone)]
pub enum Step {
    /// The upstream names its job.
    Accept(&'static str),
    /// A picture with this index.
    Image(u32),
    /// Every picture that was asked for, and the end.
    Deliver,
    /// The next piece of a text.
    Text(&'static str),
    /// The text is whole.
    TextEnd(Finish),
    /// The end.
    Done,
    /// The end, with so many tokens counted: text and images in, and out.
    Counted(u64, u64, u64),
    /// This end instead.
    Fail(Verdict, FailKind),
    /// Refuses, and wants to be asked again after so long.
    Later(Duration),
    /// Goes on when the gate is opened once more.
    Wait(Arc<Semaphore>),
    /// A fault of ours.
    Panic,
}

/// A call as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub task: TaskId,
    pub attempt: u32,
    pub part: Part,
    pub upstream_model: String,
    pub fields: Map<String, Value>,
    /// The job that was to be resumed, if it was not a new call.
    pub resumed: Option<String>,
}

/// How a call was asked after that has no id.
pub const BY_OUR_NAMES: &str = "by our names";

type Script = Box<dyn Fn(&Asked) -> Vec<Step> + Send + Sync>;

/// The provider.
pub struct Scripted {
    script: Script,
    concurrency: u32,
    looks_up: bool,
    asked: Mutex<Vec<Asked>>,
}

impl Scripted {
    /// Answers every call with these steps.
    pub fn new(steps: &[Step]) -> Arc<Self> {
        let steps = steps.to_vec();
        Self::by(move |_| steps.clone())
    }

    /// Answers each call as this says.
    pub fn by(script: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static) -> Arc<Self> {
        Self::bounded(64, script)
    }

    /// As [`Scripted::by`], with so many calls at once.
    pub fn bounded(
        concurrency: u32,
        script: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            concurrency,
            looks_up: false,
            asked: Mutex::default(),
        })
    }

    /// As [`Scripted::by`], and can be asked after a call by our own names for it; then `resumed` is [`BY_OUR_NAMES`].
    pub fn that_looks_up(
        script: impl Fn(&Asked) -> Vec<Step> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            concurrency: 64,
            looks_up: true,
            asked: Mutex::default(),
        })
    }

    /// Delivers everything.
    pub fn obliging() -> Arc<Self> {
        Self::new(&[Step::Deliver])
    }

    /// Fails every call like this.
    pub fn failing(verdict: Verdict, kind: FailKind) -> Arc<Self> {
        Self::new(&[Step::Fail(verdict, kind)])
    }

    /// Every call so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .expect("nobody panics while counting")
            .clone()
    }

    fn play(&self, call: Call, resumed: Option<String>) -> EventStream {
        let asked = Asked {
            task: call.task.clone(),
            attempt: call.attempt,
            part: call.part,
            upstream_model: call.upstream_model.clone(),
            fields: call.fields.clone(),
            resumed,
        };
        let steps = (self.script)(&asked);
        self.asked
            .lock()
            .expect("nobody panics while counting")
            .push(asked);
        let indices = call.part.first..call.part.first + call.part.count;
        let steps = steps.into_iter().flat_map(move |step| match step {
            Step::Deliver => indices
                .clone()
                .map(Step::Image)
                .chain([Step::Done])
                .collect(),
            step => vec![step],
        });
        futures::stream::iter(steps.collect::<Vec<_>>())
            .filter_map(move |step| play_one(step, call.clone()))
            .boxed()
    }
}

async fn play_one(step: Step, call: Call) -> Option<Result<Event, ProviderError>> {
    Some(match step {
        Step::Accept(id) => Ok(Event::Accepted(UpstreamId(id.to_owned()))),
        Step::Image(index) => {
            let picture = crate::app::small_png().into();
            Ok(Event::Image(Image {
                index,
                blob: call.blobs.put(picture).await.expect("room for a picture"),
                revised_prompt: None,
            }))
        }
        Step::Text(piece) => Ok(Event::Text(piece.to_owned())),
        Step::TextEnd(finish) => Ok(Event::TextEnd(finish)),
        Step::Done | Step::Deliver => Ok(Event::Done(Usage::default())),
        Step::Counted(text, image, output) => Ok(Event::Done(Usage {
            input_text_tokens: text,
            input_image_tokens: image,
            output_tokens: output,
        })),
        Step::Later(wait) => {
            let kind = FailKind::Unavailable;
            let refused = ProviderError::new(Verdict::RefusedBeforeWork, kind, "as the test says");
            Err(ProviderError {
                retry_after: Some(wait),
                ..refused
            })
        }
        Step::Fail(verdict, kind) => Err(ProviderError::new(verdict, kind, "as the test says")),
        Step::Wait(gate) => {
            gate.acquire()
                .await
                .expect("the gate is never closed")
                .forget();
            return None;
        }
        Step::Panic => panic!("as the test says"),
    })
}

impl Provider for Scripted {
    fn traits(&self) -> Traits {
        Traits {
            repeatable: false,
            concurrency: self.concurrency,
        }
    }

    fn generate(&self, call: Call) -> EventStream {
        self.play(call, None)
    }

    fn resume(&self, id: UpstreamId, call: Call) -> EventStream {
        self.play(call, Some(id.0))
    }

    fn can_look_up(&self) -> bool {
        self.looks_up
    }

    fn look_up(&self, call: Call) -> EventStream {
        self.play(call, Some(BY_OUR_NAMES.to_owned()))
    }
}

/// A gate that is shut.
pub fn gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}
