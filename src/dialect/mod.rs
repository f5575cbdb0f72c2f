//! The wire shapes that clients speak.
//!
//! A dialect turns a skeleton into a [`Draft`], and a task or an error into a reply. Pure functions on small texts: no
//! provider, no store, no socket. Pictures are named in a reply and filled in while it is sent.

pub mod flat;
mod json;
pub mod task;

use crate::error::Error;
use crate::intake::Intake;
use crate::types::{Asset, Draft, Picture, Task};
use serde_json::Value;

/// One wire shape.
pub trait Dialect: Send + Sync {
    /// Reads a request.
    fn decode(&self, intake: &Intake) -> Result<Draft, Error>;
    /// Writes the reply of a completed task.
    fn encode(&self, task: &Task) -> Reply;
    /// Writes an error's body.
    fn encode_error(&self, error: &Error) -> Value;
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
        Self {
            pieces: vec![Piece::Text(value.to_string())],
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
