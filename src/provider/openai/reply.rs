//! What an upstream answers: a document with all images, or events with one.
//!
//! Every image that is whole is delivered, whatever comes after it: it is paid for. A success without one is an unknown
//! outcome, unless the upstream says why there is none.

use super::fault::{self, Said};
use super::{Body, OpenAi, link};
use crate::blob::{BlobError, StagedBlob};
use crate::failpoint::failpoint;
use crate::intake::events::{self, Events};
use crate::intake::{self, Fields, Intake, Limits, ReadError};
use crate::provider::replay::not_stored;
use crate::provider::{Call, Event, EventStream, Image, Preview, ProviderError};
use crate::types::Usage;
use futures::StreamExt;
use serde_json::Value;

/// Where pictures stand, in documents and in events. Some servers put `data:` URLs where links belong.
const PICTURES: Fields = Fields(&["b64_json", "data.url"]);

/// A document.
pub(super) fn document(provider: OpenAi, call: Call, body: Body) -> EventStream {
    let read = async move {
        let reply = Reply { provider, call };
        let (images, end) = reply.document(body).await;
        reply.log_differences(&images);
        failpoint("blob");
        let images = images.into_iter().map(|image| Ok(Event::Image(image)));
        futures::stream::iter(images.chain([end.map(Event::Done)]))
    };
    futures::stream::once(Box::pin(read)).flatten().boxed()
}

/// Events.
pub(super) fn events(provider: OpenAi, call: Call, body: Body) -> EventStream {
    let listening = Listening {
        events: events::read(body, &call.blobs, PICTURES, Limits::UPSTREAM),
        reply: Reply { provider, call },
        previews: 0,
        images: 0,
        usage: Usage::default(),
        is_over: false,
    };
    futures::stream::try_unfold(Box::new(listening), |listening| Box::pin(listening.next())).boxed()
}

/// A reply being read.
struct Reply {
    provider: OpenAi,
    call: Call,
}

impl Reply {
    /// The images of a document, and how it ends.
    async fn document(&self, body: Body) -> (Vec<Image>, Result<Usage, ProviderError>) {
        let mut intake =
            match intake::salvage(body, &self.call.blobs, PICTURES, Limits::UPSTREAM).await {
                Ok(intake) => intake,
                Err(broken) => {
                    let images = self.whole(broken.whole).await;
                    return (images, Err(self.unreadable(broken.error)));
                }
            };
        let Ok(body) = serde_json::from_slice::<Value>(&intake.skeleton) else {
            let images = self.whole(intake.into_blobs().collect()).await;
            return (images, Err(self.unknown("the reply is no JSON")));
        };
        let usage = usage(&body["usage"]);
        let (images, lost) = self.images(&body, &mut intake).await;
        let end = match (lost, images.is_empty()) {
            (Some(error), _) => Err(error),
            (None, true) => Err(self.nothing(&body)),
            (None, false) => Ok(usage),
        };
        (
            images,
            end.map_err(|error| ProviderError { usage, ..error }),
        )
    }

    /// The images that a document holds or links to, and why one of them is lost.
    async fn images(
        &self,
        body: &Value,
        intake: &mut Intake,
    ) -> (Vec<Image>, Option<ProviderError>) {
        let (mut images, mut lost) = (Vec::new(), None);
        // Images too many are not looked at, links too many not followed.
        let most = self.call.part.count as usize;
        let items = body["data"].as_array().into_iter().flatten().take(most);
        for item in items {
            match self.picture(item, intake).await {
                Ok(Some(blob)) => {
                    let revised_prompt = item["revised_prompt"].as_str().map(str::to_owned);
                    images.push(self.image(images.len(), blob, revised_prompt));
                }
                Ok(None) => {}
                Err(error) => lost = Some(error),
            }
        }
        (images, lost)
    }

    /// The picture of one item, if it has one.
    async fn picture(
        &self,
        item: &Value,
        intake: &mut Intake,
    ) -> Result<Option<StagedBlob>, ProviderError> {
        let text = |name: &str| item[name].as_str().filter(|text| !text.is_empty());
        let inline = ["b64_json", "url"]
            .into_iter()
            .filter_map(text)
            .find_map(|handle| intake.take(handle));
        let blob = match (inline, text("url")) {
            (Some(blob), _) => blob,
            (None, Some(url)) => link::fetch(&self.provider, &self.call, url).await?,
            (None, None) => return Ok(None),
        };
        self.checked(blob).await.map(Some)
    }

    /// A picture whose end is there.
    async fn checked(&self, blob: StagedBlob) -> Result<StagedBlob, ProviderError> {
        match blob.is_whole().await {
            Ok(true) => Ok(blob),
            Ok(false) => Err(self.unknown("an image is cut off")),
            Err(error) => Err(not_stored(error)),
        }
    }

    /// Those of the pictures that are whole, as images.
    async fn whole(&self, blobs: Vec<StagedBlob>) -> Vec<Image> {
        let mut images = Vec::new();
        for blob in blobs {
            if let Ok(blob) = self.checked(blob).await {
                images.push(self.image(images.len(), blob, None));
            }
        }
        images
    }

    fn image(&self, number: usize, blob: StagedBlob, revised_prompt: Option<String>) -> Image {
        Image {
            index: self
                .call
                .part
                .first
                .saturating_add(u32::try_from(number).unwrap_or(u32::MAX)),
            blob,
            revised_prompt,
        }
    }

    /// Why a success holds no image.
    fn nothing(&self, body: &Value) -> ProviderError {
        match Said::of(body) {
            Some(said) => self.failed(&said),
            None => self.unknown("a success without an image"),
        }
    }

    /// The upstream says within a success that it failed.
    fn failed(&self, said: &Said) -> ProviderError {
        let class = fault::of_reply(200, Some(said), self.provider.server());
        tracing::warn!(
            task.id = %self.call.task, provider = self.provider.name(), ?class,
            code = self.provider.for_log(&self.call, &said.code),
            upstream.said = self.provider.for_log(&self.call, &said.message),
            "the upstream answered an error within a success"
        );
        self.provider.error(&self.call, class, Some(said))
    }

    fn unreadable(&self, error: ReadError) -> ProviderError {
        match error {
            ReadError::Blob {
                error: error @ (BlobError::Full | BlobError::NotFound | BlobError::Backend(_)),
                ..
            } => not_stored(error),
            error => self.unknown(&error.to_string()),
        }
    }

    fn unknown(&self, why: &str) -> ProviderError {
        self.provider.unknown(&self.call, why)
    }

    /// What was delivered is delivered; that it is not what was asked is for the operator to know.
    fn log_differences(&self, images: &[Image]) {
        let asked = self.call.part.count;
        if !images.is_empty() && images.len() < asked as usize {
            tracing::warn!(task.id = %self.call.task, provider = self.provider.name(), asked, came = images.len(), "fewer images came than were asked for");
        }
        let request = &self.call.request;
        let (format, size) = (request.text("output_format"), request.text("size"));
        for picture in images.iter().map(|image| image.blob.picture()) {
            let came = format!("{}x{}", picture.width, picture.height);
            let is_other_format = format.is_some_and(|format| format != picture.format.name());
            let is_other_size = size.is_some_and(|size| size.contains('x') && size != came);
            if is_other_format || is_other_size {
                tracing::warn!(
                    task.id = %self.call.task, provider = self.provider.name(), format, size,
                    came.format = picture.format.name(), came.size = came,
                    "another format or size came than was asked for"
                );
            }
        }
    }
}

/// A stream of events being read.
struct Listening {
    reply: Reply,
    events: Events<Body>,
    previews: u32,
    images: u32,
    usage: Usage,
    is_over: bool,
}

type Heard = Result<Option<(Event, Box<Listening>)>, ProviderError>;

impl Listening {
    async fn next(mut self: Box<Self>) -> Heard {
        if self.is_over {
            return Ok(None);
        }
        // Some servers leave the connection open behind their last event, so nothing more is waited for.
        while self.images < self.reply.call.part.count {
            let next = self.events.next().await;
            match next.map_err(|error| self.reply.unreadable(error))? {
                Some((name, intake)) => {
                    if let Some(event) = self.hear(&name, intake).await? {
                        return Ok(Some((event, self)));
                    }
                }
                None if self.images > 0 => break,
                None => {
                    return Err(self
                        .reply
                        .unknown("the stream ended without its last event"));
                }
            }
        }
        self.is_over = true;
        Ok(Some((Event::Done(self.usage), self)))
    }

    async fn hear(
        &mut self,
        name: &str,
        mut intake: Intake,
    ) -> Result<Option<Event>, ProviderError> {
        // `[DONE]`, and what else is no JSON: what matters is whether an image came.
        let Ok(body) = serde_json::from_slice::<Value>(&intake.skeleton) else {
            return Ok(None);
        };
        if let Some(said) = Said::of(&body) {
            return Err(self.reply.failed(&said));
        }
        let kind = body["type"].as_str().unwrap_or(name);
        let blob = body["b64_json"]
            .as_str()
            .and_then(|handle| intake.take(handle));
        match (kind.rsplit('.').next(), blob) {
            (Some("partial_image"), Some(blob)) => self.preview(blob, &body).await,
            (Some("completed"), Some(blob)) => self.image(blob, &body).await.map(Some),
            (Some("completed"), None) => Err(self.reply.unknown("the last event has no image")),
            _ => Ok(None),
        }
    }

    async fn preview(
        &mut self,
        blob: StagedBlob,
        body: &Value,
    ) -> Result<Option<Event>, ProviderError> {
        let call = &self.reply.call;
        let picture = blob.picture();
        let bytes = call.blobs.read_whole(picture).await.map_err(not_stored)?;
        let told = body["partial_image_index"]
            .as_u64()
            .and_then(|number| u32::try_from(number).ok());
        let number = told.unwrap_or(self.previews);
        self.previews += 1;
        Ok(Some(Event::Preview(Preview {
            index: call.part.first + self.images,
            number,
            bytes,
            format: picture.format,
            width: picture.width,
            height: picture.height,
        })))
    }

    async fn image(&mut self, blob: StagedBlob, body: &Value) -> Result<Event, ProviderError> {
        let blob = self.reply.checked(blob).await?;
        let revised_prompt = body["revised_prompt"].as_str().map(str::to_owned);
        let image = self.reply.image(self.images as usize, blob, revised_prompt);
        self.reply.log_differences(std::slice::from_ref(&image));
        self.images += 1;
        self.usage = self.usage + usage(&body["usage"]);
        failpoint("blob");
        Ok(Event::Image(image))
    }
}

/// No call counts more tokens of a sort; an upstream that says so is wrong, and what follows from it could not be booked.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// Tokens as the upstream counted them. Where it counts one sort of the input, the rest is of the other; where it counts
/// none, all of it is text.
fn usage(usage: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().map(|tokens| tokens.min(MOST_TOKENS));
    let details = &usage["input_tokens_details"];
    let input = count(&usage["input_tokens"]).unwrap_or(0);
    let (text, images) = match (
        count(&details["text_tokens"]),
        count(&details["image_tokens"]),
    ) {
        (Some(text), Some(images)) => (text, images),
        (Some(text), None) => (text, input.saturating_sub(text)),
        (None, images) => {
            let images = images.unwrap_or(0);
            (input.saturating_sub(images), images)
        }
    };
    Usage {
        input_text_tokens: text,
        input_image_tokens: images,
        output_tokens: count(&usage["output_tokens"]).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_are_taken_as_they_were_counted() {
        let check = |value: Value, text, image, output| {
            let expected = Usage {
                input_text_tokens: text,
                input_image_tokens: image,
                output_tokens: output,
            };
            assert_eq!(usage(&value), expected, "{value}");
        };
        check(
            json!({"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}, "output_tokens": 1568, "total_tokens": 1618}),
            10,
            40,
            1568,
        );
        check(json!({"input_tokens": 50, "output_tokens": 7}), 50, 0, 7);
        let sorts = |details: Value| json!({"input_tokens": 50, "input_tokens_details": details});
        check(sorts(json!({"text_tokens": 10})), 10, 40, 0);
        check(sorts(json!({"image_tokens": 40})), 10, 40, 0);
        check(sorts(json!({"text_tokens": 60})), 60, 0, 0);
        let absurd = json!({"input_tokens": u64::MAX, "output_tokens": u64::MAX});
        check(absurd, MOST_TOKENS, 0, MOST_TOKENS);
        check(json!({"input_tokens": -1, "output_tokens": "7"}), 0, 0, 0);
        check(Value::Null, 0, 0, 0);
    }
}
