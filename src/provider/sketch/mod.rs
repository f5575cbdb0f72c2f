//! `sketch`: the built-in renderer. Offline, deterministic, free, and honest: procedural art, no neural model.
//!
//! Test keys run every model on it, so it reads the parameters that models share: size, ratio and tier, format,
//! background, seed. The modules below are its pure parts: what a prompt asks for, the drawing with its caption, the
//! file; and what it answers in place of a model of text.

pub mod directive;
pub mod draw;
pub mod edit;
pub mod encode;
pub mod size;
mod text;

use super::replay::not_stored;
use super::{Call, Event, EventStream, Image, Preview, Provider, ProviderError, Traits, Verdict};
use crate::config::ProviderSettings;
use crate::failpoint::failpoint;
use crate::types::{FailKind, Modality, Picture, Request, Usage};
use bytes::Bytes;
use directive::{Directives, Fail};
use draw::Scene;
use encode::Format;
use futures::StreamExt;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Its name in catalogue targets.
pub const NAME: &str = "sketch";

/// The provider: a bounded pool of drawing threads beside the async workers.
#[derive(Clone)]
pub struct SketchProvider {
    pool: Arc<Semaphore>,
    concurrency: u32,
}

impl Default for SketchProvider {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            pool: Arc::new(Semaphore::new(cores)),
            concurrency: u32::try_from(cores * 4).unwrap_or(u32::MAX),
        }
    }
}

impl SketchProvider {
    /// It has no settings.
    pub fn from_settings(settings: &ProviderSettings) -> Result<Self, String> {
        settings.allow(&[])?;
        Ok(Self::default())
    }

    /// Draws and stores one image of the call; its previews come before it.
    fn image(self, job: Arc<Job>, call: Call, index: u32) -> EventStream {
        let (previews, seen) = mpsc::unbounded_channel();
        let previews = PreviewSink {
            wanted: call.previews,
            sink: previews,
        };
        let seen = futures::stream::unfold(seen, async |mut seen| Some((seen.recv().await?, seen)));
        let finished = futures::stream::once(self.finish(job, call, index, previews));
        futures::stream::select(seen.map(|preview| Ok(Event::Preview(preview))), finished).boxed()
    }

    async fn finish(
        self,
        job: Arc<Job>,
        call: Call,
        index: u32,
        previews: PreviewSink,
    ) -> Result<Event, ProviderError> {
        let _thread = self
            .pool
            .acquire()
            .await
            .map_err(|_| broken("the drawing pool is closed"))?;
        let drawing = tokio::task::spawn_blocking(move || job.draw(index, &previews));
        let (bytes, understood) = drawing
            .await
            .map_err(|error| broken(&error.to_string()))??;
        let blob = call.blobs.put(bytes).await.map_err(|error| ProviderError {
            // Drawing again is free, so nothing about it is unknown.
            verdict: Verdict::Failed,
            ..not_stored(error)
        })?;
        failpoint("blob");
        Ok(Event::Image(Image {
            index,
            blob,
            revised_prompt: Some(understood),
        }))
    }
}

/// Where a drawing thread shows its stages.
struct PreviewSink {
    wanted: u32,
    sink: mpsc::UnboundedSender<Preview>,
}

/// How many stages every composition shows at least before its end.
const STAGES: u32 = 3;

impl PreviewSink {
    /// Shows the stages that `wanted` previews fall on, the later ones if not all: 1 of 3 is the last.
    fn show(&self, job: &Job, index: u32, stage: u32, picture: &draw::Picture) {
        let Some(number) = (stage + self.wanted).checked_sub(STAGES) else {
            return;
        };
        if number >= self.wanted || stage >= STAGES {
            return;
        }
        let Ok(bytes) = encode::encode(picture, job.format, job.compression) else {
            return;
        };
        let format = job.format.into();
        let (width, height) = (picture.width(), picture.height());
        // Nobody listens any more: nothing is shown.
        let _ = self.sink.send(Preview {
            index,
            number,
            bytes: bytes.into(),
            format,
            width,
            height,
        });
    }
}

impl From<Format> for crate::types::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Png => Self::Png,
            Format::Jpeg => Self::Jpeg,
            Format::Webp => Self::Webp,
        }
    }
}

impl Provider for SketchProvider {
    fn traits(&self) -> Traits {
        Traits {
            repeatable: true,
            concurrency: self.concurrency,
        }
    }

    fn generate(&self, call: Call) -> EventStream {
        match call.request.modality() {
            Modality::Text => text::answer(call),
            _ => self.pictures(call),
        }
    }
}

impl SketchProvider {
    fn pictures(&self, call: Call) -> EventStream {
        let provider = self.clone();
        let begun = async move {
            failpoint("sent");
            let job = Arc::new(Job::of(&call).await?);
            obey(&job.directives).await?;
            Ok((provider, job, call))
        };
        futures::stream::once(begun)
            .flat_map(|begun| match begun {
                Err(error) => futures::stream::once(std::future::ready(Err(error))).boxed(),
                Ok((provider, job, call)) => {
                    let part = call.part;
                    let all = part.first + part.count;
                    let drawn = job
                        .directives
                        .partial
                        .map_or(all, |(most, _)| all.min(most));
                    // What is left out fails after all that is delivered: an error is the end of a call.
                    let end = if drawn < all {
                        Err(broke_off())
                    } else {
                        Ok(Event::Done(Usage::default()))
                    };
                    futures::stream::iter(part.first..drawn)
                        .flat_map_unordered(None, move |index| {
                            provider
                                .clone()
                                .image(Arc::clone(&job), call.clone(), index)
                        })
                        .chain(futures::stream::once(std::future::ready(end)))
                        .boxed()
                }
            })
            .boxed()
    }
}

/// What a request asks to be drawn.
struct Job {
    prompt: String,
    directives: Directives,
    width: u32,
    height: u32,
    seed: u64,
    transparent: bool,
    format: Format,
    compression: u8,
    /// What an edit changes.
    input: Option<Input>,
}

impl Job {
    async fn of(call: &Call) -> Result<Self, ProviderError> {
        let request = &*call.request;
        let (prompt, directives) =
            directive::split(request.prompt()).map_err(|error| rejected(&error.to_string()))?;
        let (width, height) = size_of(request).map_err(|error| rejected(&error.to_string()))?;
        let format = match request.text("output_format") {
            Some("jpeg" | "jpg") => Format::Jpeg,
            Some("webp") => Format::Webp,
            _ => Format::Png,
        };
        Ok(Self {
            prompt,
            directives,
            width,
            height,
            seed: request.integer("seed").map_or(0, i64::cast_unsigned),
            transparent: request.text("background") == Some("transparent"),
            format,
            compression: request
                .integer("output_compression")
                .and_then(|percent| u8::try_from(percent).ok())
                .map_or(100, |percent| percent.min(100)),
            input: Input::of(call).await?,
        })
    }

    /// The file, and one line on what was understood.
    fn draw(&self, index: u32, previews: &PreviewSink) -> Result<(Bytes, String), ProviderError> {
        let scene = Scene {
            prompt: &self.prompt,
            width: self.width,
            height: self.height,
            seed: self.seed,
            index,
            transparent: self.transparent,
        };
        let picture = draw::draw(&scene, &mut |stage, picture| {
            previews.show(self, index, stage, picture);
        });
        let mut picture = match &self.input {
            None => picture,
            Some(input) => edit::lay_into(&picture, &input.image, input.mask.as_deref())
                .map_err(|error| rejected(&error.to_string()))?,
        };
        // Whoever masked a part of a picture wants no writing on the rest of it.
        if self.input.as_ref().is_none_or(|input| input.mask.is_none()) {
            draw::caption(&mut picture, &scene);
        }
        let bytes = encode::encode(&picture, self.format, self.compression)
            .map_err(|error| broken(&error.to_string()))?;
        Ok((bytes.into(), draw::understood(&scene)))
    }
}

/// The files of an edit, whole in memory: the drawing threads are few, and so are these.
struct Input {
    image: Bytes,
    mask: Option<Bytes>,
}

impl Input {
    /// The first image is the canvas; the renderer has no use for the others.
    async fn of(call: &Call) -> Result<Option<Self>, ProviderError> {
        let Some(image) = call.request.images().first() else {
            return Ok(None);
        };
        let mask = match call.request.mask() {
            Some(mask) => Some(read(call, mask).await?),
            None => None,
        };
        Ok(Some(Self {
            image: read(call, image).await?,
            mask,
        }))
    }
}

async fn read(call: &Call, picture: &Picture) -> Result<Bytes, ProviderError> {
    let read = call.blobs.read_whole(picture).await;
    read.map_err(|error| broken(&format!("an input image cannot be read: {error}")))
}

/// A picture that stands for one at a URL which a test key does not fetch. `None` if it cannot be drawn.
pub fn stand_in(url: &str) -> Option<Bytes> {
    let scene = Scene {
        prompt: url,
        width: 512,
        height: 512,
        seed: 0,
        index: 0,
        transparent: false,
    };
    let picture = draw::draw(&scene, &mut |_, _| {});
    encode::encode(&picture, Format::Png, 100)
        .ok()
        .map(Bytes::from)
}

/// Waits and fails as the prompt asks.
async fn obey(directives: &Directives) -> Result<(), ProviderError> {
    if let Some(delay) = directives.delay {
        tokio::time::sleep(delay).await;
    }
    let (verdict, kind, message) = match directives.fail {
        None => return Ok(()),
        Some(Fail::ContentPolicy) => (
            Verdict::Failed,
            FailKind::ContentPolicy,
            "the prompt was refused, as it asked to be",
        ),
        Some(Fail::Upstream) => (
            Verdict::Failed,
            FailKind::Upstream,
            "the upstream failed, as the prompt asked",
        ),
        Some(Fail::Timeout) => (
            Verdict::Failed,
            FailKind::UpstreamTimeout,
            "the upstream took too long, as the prompt asked",
        ),
        Some(Fail::Unknown) => (
            Verdict::Unknown,
            FailKind::OutcomeUnknown,
            "the outcome is unknown, as the prompt asked",
        ),
    };
    Err(ProviderError::new(verdict, kind, message))
}

/// The end of what was asked to be left unfinished.
fn broke_off() -> ProviderError {
    ProviderError::new(
        Verdict::Failed,
        FailKind::Upstream,
        "the upstream broke off, as the prompt asked",
    )
}

/// The size that the request says exactly, else one that fits its ratio and tier.
fn size_of(request: &Request) -> Result<(u32, u32), size::SizeError> {
    if let Some(exact) = request.pixels() {
        return size::exactly(exact);
    }
    let ratio = request
        .text("size")
        .or_else(|| request.text("aspect_ratio"));
    let tier = ["resolution", "quality"]
        .into_iter()
        .find_map(|name| request.text(name))
        .filter(|tier| is_tier(tier));
    size::pixels(ratio, tier)
}

/// Some models call the tier `quality`, and some mean something else by that word.
fn is_tier(text: &str) -> bool {
    matches!(text, "1K" | "2K" | "4K")
}

fn rejected(message: &str) -> ProviderError {
    ProviderError::new(Verdict::Failed, FailKind::Rejected, message)
}

fn broken(reason: &str) -> ProviderError {
    tracing::error!(reason, "a picture could not be drawn");
    ProviderError::new(
        Verdict::Failed,
        FailKind::Internal,
        "the picture could not be drawn",
    )
}
