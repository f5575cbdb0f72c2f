//! Pictures as they lie in the blob store, and the assets that name them.

use crate::types::{AccountId, AssetId, BlobKey, Millis, TaskId};
use serde::{Deserialize, Serialize};

/// An image format, told from the bytes themselves, never from a name or a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, lossy or lossless.
    Webp,
    /// GIF.
    Gif,
    /// AVIF.
    Avif,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Png, Self::Jpeg, Self::Webp, Self::Gif, Self::Avif];

    /// The name used in parameters and as a file's extension.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Avif => "avif",
        }
    }

    /// Reads a format's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The `Content-Type` it is served with.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Avif => "image/avif",
        }
    }
}

/// A picture in the blob store: where it lies and what its own header says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Where the bytes lie.
    pub blob: BlobKey,
    /// Their number.
    pub bytes: u64,
    /// Their BLAKE3 hash, in hexadecimal.
    pub hash: String,
    /// The format that the bytes are in.
    pub format: Format,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A stored result of a task, readable at `/files/{id}` until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its unguessable name.
    pub id: AssetId,
    /// The task that made it.
    pub task: TaskId,
    /// The account that owns it.
    pub account: AccountId,
    /// Which of the task's `n` images it is, from 0.
    pub index: u32,
    /// The picture itself.
    pub picture: Picture,
    /// How the model changed the prompt, in its own words, if it said so.
    pub revised_prompt: Option<String>,
    /// When it was stored.
    pub created_at: Millis,
    /// From when on it answers 410; `None` keeps it.
    pub expires_at: Option<Millis>,
    /// It came when its task had ended, and is charged to nobody.
    pub is_late: bool,
}
