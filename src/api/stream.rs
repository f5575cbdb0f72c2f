//! Streaming replies: server-sent events, for every model, also when the upstream does not stream.
//!
//! Headers leave with the first event or after five seconds, so that an earlier failure is still a status. A reader that
//! lags loses previews, and no finished image and no word of a text. The task does not notice whether anybody reads.

use super::Api;
use super::marks::{Marks, overhead_ms};
use super::reply::{Refusal, pieces_stream};
use crate::dialect::{Dialect, Piece, Stage, StreamedImage, StreamedText, TextStage, asset_url};
use crate::engine::{Accepted, Seen, Shown, Streaming};
use crate::error::Error;
use crate::provider::Preview;
use crate::types::{Asset, Picture, ResponseFormat, Task};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// From then on a failure can only be an event.
const HEADERS_AFTER: Duration = Duration::from_secs(5);

/// Proxies between us and the client cut a connection that says nothing for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A comment: every parser of event streams passes over it.
const HEARTBEAT_FRAME: &str = ": still running\n\n";

/// Answers a call that asked for a stream.
pub(super) async fn respond(
    api: &Api,
    dialect: &'static dyn Dialect,
    mut accepted: Accepted,
    streaming: Streaming,
    mut marks: Marks,
    received: Instant,
) -> Response {
    let first = tokio::time::timeout(HEADERS_AFTER, accepted.next())
        .await
        .ok();
    let mut response = match failure(first.as_ref()) {
        Some(error) => {
            if let Some(Seen::Ended(Ok(task))) = &first {
                marks.settled(task, received.elapsed());
            }
            Refusal::new(dialect, error).into_response()
        }
        None => {
            let events = Events {
                dialect,
                accepted,
                streaming,
                received,
                first,
                held: None,
                shown: Vec::new(),
                has_begun: false,
                over: false,
            };
            let blobs = api.0.engine.blobs().clone();
            let frames = futures::stream::unfold(events, Events::next_frames)
                .flat_map(move |pieces| pieces_stream(pieces, blobs.clone()));
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                // nginx buffers a response unless this says no.
                (
                    HeaderName::from_static("x-accel-buffering"),
                    HeaderValue::from_static("no"),
                ),
            ];
            (headers, Body::from_stream(frames)).into_response()
        }
    };
    marks.write(response.headers_mut());
    response
}

/// Why the task failed, if what was seen is that it did.
fn failure(seen: Option<&Seen>) -> Option<Error> {
    match seen? {
        Seen::Ended(Err(error)) => Some(error.clone()),
        Seen::Ended(Ok(task)) => task.failure.as_ref().map(Error::from),
        Seen::Preview(_) | Seen::Image(_) | Seen::Text(_) => None,
    }
}

/// The events still to come.
struct Events {
    dialect: &'static dyn Dialect,
    accepted: Accepted,
    streaming: Streaming,
    received: Instant,
    /// What was seen while the headers were held back.
    first: Option<Seen>,
    /// A finished image that is not sent yet: the last one of a stream carries what only the end knows, and which one is
    /// the last is known when another comes.
    held: Option<Arc<Shown>>,
    /// The indices of finished images that were sent.
    shown: Vec<u32>,
    /// Whether a text's stream was opened.
    has_begun: bool,
    over: bool,
}

impl Events {
    /// The next frames, none after the end.
    async fn next_frames(mut self) -> Option<(Vec<Piece>, Self)> {
        if self.over {
            return None;
        }
        let seen = match self.first.take() {
            Some(seen) => Some(seen),
            None => tokio::time::timeout(HEARTBEAT, self.accepted.next())
                .await
                .ok(),
        };
        let frames = match seen {
            None => vec![Piece::Text(HEARTBEAT_FRAME.to_owned())],
            Some(Seen::Preview(preview)) => self.preview(&preview),
            Some(Seen::Image(image)) => self.early_image(image),
            Some(Seen::Text(piece)) => self.text(TextStage::Piece(&piece)),
            Some(Seen::Ended(end)) => self.end(end),
        };
        Some((frames, self))
    }

    fn preview(&self, preview: &Preview) -> Vec<Piece> {
        let image = StreamedImage {
            task: &self.accepted.task,
            request: &self.accepted.request,
            created_at: self.accepted.created_at,
            index: preview.index,
            format: preview.format,
            size: (preview.width, preview.height),
            include_usage: self.streaming.include_usage,
            stage: Stage::Preview(preview.number, &preview.bytes),
        };
        self.dialect.encode_image(&image).pieces
    }

    /// A stage of a text; before the first one the stream is opened.
    fn text(&mut self, stage: TextStage<'_>) -> Vec<Piece> {
        let encode = |stage| {
            let text = StreamedText {
                task: &self.accepted.task,
                request: &self.accepted.request,
                created_at: self.accepted.created_at,
                include_usage: self.streaming.include_usage,
                stage,
            };
            self.dialect.encode_text(&text).pieces
        };
        let mut frames = if self.has_begun {
            Vec::new()
        } else {
            encode(TextStage::Begun)
        };
        frames.extend(encode(stage));
        self.has_begun = true;
        frames
    }

    /// A finished image before the end: sent when the next one comes. Links wait for the settlement, because only then
    /// there is an asset.
    fn early_image(&mut self, image: Arc<Shown>) -> Vec<Piece> {
        if self.accepted.request.envelope().response_format != ResponseFormat::B64Json {
            return Vec::new();
        }
        let Some(image) = self.held.replace(image) else {
            return Vec::new();
        };
        self.shown.push(image.index);
        self.completed(
            image.index,
            &image.picture,
            None,
            image.revised_prompt.as_deref(),
            None,
        )
    }

    fn end(&mut self, end: Result<Arc<Task>, Error>) -> Vec<Piece> {
        self.over = true;
        let task = match end {
            Err(error) => return self.dialect.encode_late_error(&error).pieces,
            Ok(task) => task,
        };
        if let Some(failure) = &task.failure {
            return self.dialect.encode_late_error(&Error::from(failure)).pieces;
        }
        let overhead_ms = overhead_ms(&task, self.received.elapsed());
        if let Some(text) = &task.text {
            return self.text(TextStage::Ended {
                task: &task,
                finish: text.finish,
                overhead_ms,
            });
        }
        let left: Vec<&Asset> = task
            .results()
            .filter(|asset| !self.shown.contains(&asset.index))
            .collect();
        let links = task.request.envelope().response_format.has_url();
        let frames = left.iter().enumerate().flat_map(|(k, asset)| {
            let last = (k + 1 == left.len()).then_some((&*task, overhead_ms));
            let url = links.then(|| asset_url(&task, asset));
            self.completed(
                asset.index,
                &asset.picture,
                url,
                asset.revised_prompt.as_deref(),
                last,
            )
        });
        frames.collect()
    }

    fn completed(
        &self,
        index: u32,
        picture: &Picture,
        url: Option<String>,
        revised_prompt: Option<&str>,
        last: Option<(&Task, u64)>,
    ) -> Vec<Piece> {
        let image = StreamedImage {
            task: &self.accepted.task,
            request: &self.accepted.request,
            created_at: self.accepted.created_at,
            index,
            format: picture.format,
            size: (picture.width, picture.height),
            include_usage: self.streaming.include_usage,
            stage: Stage::Completed {
                picture,
                url,
                revised_prompt,
                last,
            },
        };
        self.dialect.encode_image(&image).pieces
    }
}
