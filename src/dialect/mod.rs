//! The wire shapes that clients speak.
//!
//! A dialect turns a skeleton into a [`Draft`], and a task or an error into a reply. Pure functions on small texts: no
//! provider, no store, no socket. Pictures are named in a reply and filled in while it is sent.

pub mod callback;
mod chat;
pub mod completion;
mod dashscope;
pub mod flat;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod image_body;
mod json;
pub mod task;
pub mod usage;

use crate::error::Error;
use crate::intake::Intake;
use crate::types::{Asset, Draft, Finish, Format, Millis, Picture, Request, Task, TaskId};
use serde_json::Value;

/// One wire shape.
pub trait Dialect: Send + Sync {
    /// Reads a request.
    fn decode(&self, intake: &Intake) -> Result<Draft, Error>;
    /// Writes the reply of a completed task.
    fn encode(&self, task: &Task) -> Reply;
    /// Writes one image of a stream as an event.
    fn encode_image(&self, image: &StreamedImage<'_>) -> Reply;
    /// Writes one stage of a streamed text as events.
    fn encode_text(&self, text: &StreamedText<'_>) -> Reply;
    /// Writes the event that ends a stream that has failed.
    fn encode_late_error(&self, error: &Error) -> Reply;
    /// Writes an error's body.
    fn encode_error(&self, error: &Error) -> Value;
}

/// An image on its way to a streaming client.
pub struct StreamedImage<'a> {
    /// The task that makes it.
    pub task: &'a TaskId,
    /// The request it belongs to.
    pub request: &'a Request,
    /// When that was accepted.
    pub created_at: Millis,
    /// Which of the request's images, from 0.
    pub index: u32,
    /// Its format.
    pub format: Format,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Whether the client wants to know the tokens at the end, in a dialect where that is a question.
    pub include_usage: bool,
    /// How finished it is.
    pub stage: Stage<'a>,
}

/// How finished a streamed image is.
pub enum Stage<'a> {
    /// Its preview of this number, from 0; the file.
    Preview(u32, &'a [u8]),
    /// The picture itself.
    Completed {
        /// Where it lies.
        picture: &'a Picture,
        /// Where it can be fetched, if the client asked for that.
        url: Option<String>,
        /// The prompt as the model changed it.
        revised_prompt: Option<&'a str>,
        /// With the last image of a stream: the ended task, and our own time in milliseconds.
        last: Option<(&'a Task, u64)>,
    },
}

/// A text on its way to a streaming client.
pub struct StreamedText<'a> {
    /// The task that writes it.
    pub task: &'a TaskId,
    /// The request it belongs to.
    pub request: &'a Request,
    /// When that was accepted.
    pub created_at: Millis,
    /// Whether the client wants to know the tokens at the end.
    pub include_usage: bool,
    /// How far it is.
    pub stage: TextStage<'a>,
}

/// How far a streamed text is.
pub enum TextStage<'a> {
    /// Nothing has come yet.
    Begun,
    /// Its next piece.
    Piece(&'a str),
    /// Its end.
    Ended {
        /// The ended task.
        task: &'a Task,
        /// Why the text ends.
        finish: Finish,
        /// Our own time in milliseconds.
        overhead_ms: u64,
    },
}

/// A JSON reply whose pictures are still in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it consists of, in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// JSON text as it stands.
    Text(String),
    /// The base64 of a stored picture, without quotes.
    Base64(Picture),
}

impl Reply {
    /// A reply without pictures.
    pub fn json(value: &Value) -> Self {
        Self::text(value.to_string())
    }

    /// One that is written already.
    pub fn text(text: String) -> Self {
        Self {
            pieces: vec![Piece::Text(text)],
        }
    }

    /// How many bytes it will have.
    pub fn content_length(&self) -> u64 {
        self.pieces.iter().map(Piece::content_length).sum()
    }
}

impl Piece {
    fn content_length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Base64(picture) => picture.bytes.div_ceil(3) * 4,
        }
    }
}

/// Where a stored result is read, as the client of its task reached us.
pub fn asset_url(task: &Task, asset: &Asset) -> String {
    format!(
        "{}/files/{}.{}",
        task.public_url,
        asset.id,
        asset.picture.format.name()
    )
}
