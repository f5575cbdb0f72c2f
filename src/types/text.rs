//! What a text model answers.

use crate::types::Millis;
use serde::{Deserialize, Serialize};

/// Why a text ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model had said everything.
    Stop,
    /// It had written as many tokens as it may.
    Length,
    /// Moderation cut it off.
    ContentFilter,
}

impl Finish {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Stop, Self::Length, Self::ContentFilter];

    /// The name in the store and on the wire, which is OpenAI's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A finished text. It may be empty: a model can spend all its tokens on thinking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The words.
    pub content: String,
    /// Why they end.
    pub finish: Finish,
    /// From then on the words are deleted; `None`: kept.
    pub expires_at: Option<Millis>,
}
