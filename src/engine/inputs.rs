//! Input images: what a request names becomes a picture in the blob store before its task is accepted.
//!
//! An uploaded file may be deleted at any moment until then, so the transaction that accepts the task looks whether it is
//! still there; afterwards the task keeps the blob, whatever becomes of the file. What lies at somebody else's server is
//! fetched once (`linked.rs`), before the task is accepted: it then runs on what was fetched, whatever becomes of the link.

use super::{Engine, linked};
use crate::blob::{BlobError, StagedBlob};
use crate::catalogue::{Checked, ImageInput, Model};
use crate::error::{Error, Fault};
use crate::intake::Intake;
use crate::provider::sketch;
use crate::types::{AssetId, Caller, FileId, Mode, Picture, Request};
use futures::{FutureExt, StreamExt, TryStreamExt};
use std::time::Instant;

/// The pictures of one request. Those that came with it are deleted when this is dropped; accepting the task keeps them.
#[derive(Default)]
pub(super) struct Inputs {
    images: Vec<Held>,
    mask: Option<Held>,
    /// Some were drawn in place of what a test key may not fetch.
    stood_in: bool,
}

/// A picture and whether it is ours to delete.
enum Held {
    /// It came with the request, or was drawn for it.
    Staged(StagedBlob),
    /// A stored result of an earlier task.
    Stored(Picture),
    /// An uploaded file.
    Uploaded(Picture, NamedFile),
}

/// An uploaded file that a request reads.
#[derive(Clone)]
pub(super) struct NamedFile {
    /// Its id.
    pub id: FileId,
    /// Where the client named it.
    pub path: String,
}

impl Held {
    fn picture(&self) -> &Picture {
        match self {
            Self::Staged(blob) => blob.picture(),
            Self::Stored(picture) | Self::Uploaded(picture, _) => picture,
        }
    }
}

impl Inputs {
    /// The request with its pictures, in place of their names.
    pub(super) fn put_into(&self, model: &Model, request: Request) -> Request {
        let parameters = model.parameters.iter().filter(|it| it.kind.is_image());
        let images = self
            .images
            .iter()
            .map(|held| held.picture().clone())
            .collect();
        request.with_inputs(
            parameters.map(|it| it.name.as_str()),
            images,
            self.mask.as_ref().map(|held| held.picture().clone()),
        )
    }

    /// What was done in place of fetching, for `x-pinhole-adapted`.
    pub(super) fn adapted(&self) -> Option<String> {
        self.stood_in.then(|| "image_url=stand-in".to_owned())
    }

    /// The task's row names them now.
    pub(super) fn keep(self) {
        for held in self.images.into_iter().chain(self.mask) {
            if let Held::Staged(blob) = held {
                blob.keep();
            }
        }
    }

    /// The images in order, then the mask.
    pub(super) fn pictures(&self) -> impl Iterator<Item = &Picture> {
        self.images.iter().chain(&self.mask).map(Held::picture)
    }

    /// The uploaded files among them.
    pub(super) fn files(&self) -> Vec<NamedFile> {
        let held = self.images.iter().chain(&self.mask);
        held.filter_map(|held| match held {
            Held::Uploaded(_, file) => Some(file.clone()),
            Held::Staged(_) | Held::Stored(_) => None,
        })
        .collect()
    }

    /// A mask lies on the first image, pixel by pixel.
    fn check_mask(&self) -> Result<(), Error> {
        let (Some(mask), Some(image)) = (&self.mask, self.images.first()) else {
            return Ok(());
        };
        let size = |held: &Held| (held.picture().width, held.picture().height);
        let ((w, h), (mask_w, mask_h)) = (size(image), size(mask));
        if (w, h) == (mask_w, mask_h) {
            return Ok(());
        }
        let message = format!(
            "`mask` must have the size of the first image, {w}x{h}; it has {mask_w}x{mask_h}"
        );
        Err(fault("mask", "wrong_size", message))
    }
}

/// A picture that is at hand, or a link to one that is not.
enum Named {
    Here(Held),
    Elsewhere { url: String, path: String },
}

impl Engine {
    /// Finds every picture that a request names. What lies elsewhere is fetched last, when nothing else is wrong.
    pub(super) async fn inputs(
        &self,
        checked: &Checked,
        intake: &mut Intake,
        caller: &Caller,
        public_url: &str,
    ) -> Result<Inputs, Error> {
        let mut named = Vec::new();
        for input in checked.images.iter().chain(&checked.mask) {
            named.push(self.find_input(input, intake, caller, public_url).await?);
        }
        let mode = caller.key.mode;
        let is_elsewhere = |named: &Named| matches!(named, Named::Elsewhere { .. });
        let stood_in = mode == Mode::Test && named.iter().any(is_elsewhere);
        let mut held = self.fetch_all(named, mode).await?;
        let mask = checked.mask.as_ref().and_then(|_| held.pop());
        let inputs = Inputs {
            images: held,
            mask,
            stood_in,
        };
        inputs.check_mask()?;
        Ok(inputs)
    }

    async fn find_input(
        &self,
        input: &ImageInput,
        intake: &mut Intake,
        caller: &Caller,
        public_url: &str,
    ) -> Result<Named, Error> {
        let (url, path) = match input {
            ImageInput::Link { url, path } => (url, path),
            ImageInput::File { id, path } => {
                return self.uploaded(caller, id, path).await.map(Named::Here);
            }
        };
        if let Some(blob) = intake.take(url) {
            return Ok(Named::Here(Held::Staged(blob)));
        }
        if let Some(id) = own_asset(url, public_url) {
            let found = self.stored_result(path, &id).await?;
            return Ok(Named::Here(Held::Stored(found)));
        }
        if url.starts_with("data:") {
            // The intake takes out every picture under the fields it knows; what is left is none.
            let message = "a `data:` URL of an image reads `data:image/png;base64,…`";
            return Err(fault(path, "invalid_url", message));
        }
        Ok(Named::Elsewhere {
            url: url.clone(),
            path: path.clone(),
        })
    }

    /// All pictures in the order in which they were named, those that lie elsewhere fetched side by side. All of them have
    /// the time of one.
    async fn fetch_all(&self, named: Vec<Named>, mode: Mode) -> Result<Vec<Held>, Error> {
        let until = Instant::now() + linked::WHOLE;
        let fetching = named.into_iter().map(|one| {
            let engine = self.clone();
            async move {
                let fetched = match (one, mode) {
                    (Named::Here(held), _) => return Ok(held),
                    (Named::Elsewhere { url, .. }, Mode::Test) => engine.stand_in(&url).await,
                    (Named::Elsewhere { url, path }, Mode::Live) => {
                        engine.fetch_input(&url, &path, until).await
                    }
                };
                fetched.map(Held::Staged)
            }
            .boxed()
        });
        let fetching = futures::stream::iter(fetching).buffered(linked::AT_ONCE);
        fetching.try_collect().await
    }

    async fn stored_result(&self, param: &str, id: &AssetId) -> Result<Picture, Error> {
        let found = self.0.store.find_asset(id).await.map_err(super::refusal)?;
        let alive = found.filter(|asset| asset.expires_at.is_none_or(|at| at > self.now()));
        let gone = || {
            fault(
                param,
                "not_found",
                "there is no stored result at this URL any more",
            )
        };
        alive.map(|asset| asset.picture).ok_or_else(gone)
    }

    /// An account's files are its own; another's is not there.
    async fn uploaded(&self, caller: &Caller, id: &str, path: &str) -> Result<Held, Error> {
        let found = match FileId::parse(id) {
            Some(id) => self.live_file(caller, &id).await?,
            None => None,
        };
        let file = found.ok_or_else(|| no_such_file(path))?;
        let named = NamedFile {
            id: file.id,
            path: path.to_owned(),
        };
        Ok(Held::Uploaded(file.picture, named))
    }

    /// A picture in place of one that a test key does not fetch: the same for the same URL.
    async fn stand_in(&self, link: &str) -> Result<StagedBlob, Error> {
        let link = link.to_owned();
        let drawn = tokio::task::spawn_blocking(move || sketch::stand_in(&link)).await;
        let bytes = drawn.ok().flatten().ok_or_else(Error::internal)?;
        self.0.blobs.put(bytes).await.map_err(|error| {
            tracing::error!(%error, "a stand-in could not be stored");
            match error {
                BlobError::Full => super::storage_full(),
                _ => Error::internal(),
            }
        })
    }
}

/// A request names a file that is not there.
pub(super) fn no_such_file(path: &str) -> Error {
    let message = format!(
        "`{path}` names no uploaded file of this account; files are kept for a day, POST /v1/files uploads one"
    );
    fault(path, "file_not_found", message)
}

/// The asset that a URL names, if it is one of ours.
fn own_asset(link: &str, public_url: &str) -> Option<AssetId> {
    let name = link.strip_prefix(public_url)?.strip_prefix("/files/")?;
    AssetId::parse(name.split('.').next()?)
}

fn fault(param: &str, code: &'static str, message: impl Into<String>) -> Error {
    Error::faults(vec![Fault {
        param: param.to_owned(),
        code,
        message: message.into(),
    }])
}
