//! Uploaded files: pictures that wait to be used as inputs.

use crate::types::{AccountId, FileId, Millis, Picture};

/// An input image that was uploaded for later calls. Any key of its account may use it, live or test, until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its id.
    pub id: FileId,
    /// The account that owns it.
    pub account: AccountId,
    /// What its owner calls it; never a path of ours.
    pub name: String,
    /// What its owner said it is for.
    pub purpose: String,
    /// The picture itself.
    pub picture: Picture,
    /// When it was uploaded.
    pub created_at: Millis,
    /// From when on there is no such file.
    pub expires_at: Millis,
}
