//! Input images: what a request names, found before its task is accepted.
//!
//! What came with the call, was uploaded or is a stored result is a picture already. The transaction that accepts the task
//! looks whether uploads and results are still there; from then on the task keeps their blobs, whatever becomes of them.
//! What lies at somebody else's server stays a link until the task is accepted and held (`linked.rs`): nothing is fetched
//! for a call that nobody pays for.

use super::Engine;
use crate::blob::{BlobError, StagedBlob};
use crate::catalogue::{Checked, ImageInput, Model};
use crate::error::{Error, Fault};
use crate::intake::Intake;
use crate::provider::sketch;
use crate::store::StoreError;
use crate::types::{AssetId, Caller, FileId, Link, Mode, Picture, Request};
use futures::{FutureExt, StreamExt, TryStreamExt};

/// How many pictures are drawn at once for one request.
const AT_ONCE: usize = 4;

/// The pictures of one request. Those that came with it are deleted when this is dropped; accepting the task keeps them.
#[derive(Default)]
pub(super) struct Inputs {
    images: Vec<Input>,
    mask: Option<Input>,
    /// Some were drawn in place of what a test key may not fetch.
    stood_in: bool,
}

/// A picture, and whose it is; or where it is.
enum Input {
    /// It came with the request, or was drawn for it.
    Staged(StagedBlob),
    /// A stored result of an earlier task.
    Stored(Picture, Place<AssetId>),
    /// An uploaded file.
    Uploaded(Picture, Place<FileId>),
    /// At somebody else's server.
    Elsewhere {
        /// Where it lies.
        url: String,
        /// Where the client wrote that.
        path: String,
    },
}

/// What a request reads, and where the client named it.
#[derive(Clone)]
struct Place<Id> {
    id: Id,
    path: String,
}

/// What a request reads that may go at any moment.
#[derive(Default)]
pub(super) struct Named {
    files: Vec<Place<FileId>>,
    results: Vec<Place<AssetId>>,
}

impl Named {
    /// The uploaded files.
    pub(super) fn files(&self) -> Vec<FileId> {
        self.files.iter().map(|file| file.id.clone()).collect()
    }

    /// The stored results.
    pub(super) fn results(&self) -> Vec<AssetId> {
        let results = self.results.iter();
        results.map(|result| result.id.clone()).collect()
    }

    /// What the client is told, if this error says that one of them has gone.
    pub(super) fn gone(&self, error: &StoreError) -> Option<Error> {
        match error {
            StoreError::FileGone(gone) => {
                let file = self.files.iter().find(|file| file.id == *gone)?;
                Some(no_such_file(&file.path))
            }
            StoreError::ResultGone(gone) => {
                let result = self.results.iter().find(|result| result.id == *gone)?;
                Some(no_such_result(&result.path))
            }
            _ => None,
        }
    }
}

impl Input {
    fn picture(&self) -> Option<&Picture> {
        match self {
            Self::Staged(blob) => Some(blob.picture()),
            Self::Stored(picture, _) | Self::Uploaded(picture, _) => Some(picture),
            Self::Elsewhere { .. } => None,
        }
    }

    fn link(&self, at: Option<usize>) -> Option<Link> {
        match self {
            Self::Elsewhere { url, path } => Some(Link {
                at,
                url: url.clone(),
                path: path.clone(),
            }),
            _ => None,
        }
    }
}

impl Inputs {
    /// The request with its pictures and links, in place of their names.
    pub(super) fn put_into(&self, model: &Model, request: Request) -> Request {
        let parameters = model.parameters.iter().filter(|it| it.kind.is_image());
        let images = self.images.iter().filter_map(Input::picture).cloned();
        let mask = self.mask.as_ref();
        let links = (0..).zip(&self.images);
        let links = links.filter_map(|(at, input)| input.link(Some(at)));
        request.with_inputs(
            parameters.map(|it| it.name.as_str()),
            images.collect(),
            mask.and_then(Input::picture).cloned(),
            links.chain(mask.and_then(|mask| mask.link(None))).collect(),
        )
    }

    /// What was done in place of fetching, for `x-pinhole-adapted`.
    pub(super) fn adapted(&self) -> Option<String> {
        self.stood_in.then(|| "image_url=stand-in".to_owned())
    }

    /// The task's row names them now.
    pub(super) fn keep(self) {
        for input in self.images.into_iter().chain(self.mask) {
            if let Input::Staged(blob) = input {
                blob.keep();
            }
        }
    }

    /// The images in order, then the mask; `None` for one that is not here.
    pub(super) fn pictures(&self) -> impl Iterator<Item = Option<&Picture>> {
        self.images.iter().chain(&self.mask).map(Input::picture)
    }

    /// What may go before the task is accepted.
    pub(super) fn named(&self) -> Named {
        let mut named = Named::default();
        for input in self.images.iter().chain(&self.mask) {
            match input {
                Input::Uploaded(_, file) => named.files.push(file.clone()),
                Input::Stored(_, result) => named.results.push(result.clone()),
                Input::Staged(_) | Input::Elsewhere { .. } => {}
            }
        }
        named
    }

    /// As far as both are here: what is fetched is looked at when it has come.
    fn check_mask(&self) -> Result<(), Error> {
        let image = self.images.first().and_then(Input::picture);
        let mask = self.mask.as_ref().and_then(Input::picture);
        match wrong_mask(image, mask) {
            Some(message) => Err(fault("mask", "wrong_size", message)),
            None => Ok(()),
        }
    }
}

/// A mask lies on the first image, pixel by pixel. What is wrong if it does not.
pub(super) fn wrong_mask(image: Option<&Picture>, mask: Option<&Picture>) -> Option<String> {
    let size = |picture: &Picture| (picture.width, picture.height);
    let ((w, h), (mask_w, mask_h)) = (size(image?), size(mask?));
    ((w, h) != (mask_w, mask_h)).then(|| {
        format!("`mask` must have the size of the first image, {w}x{h}; it has {mask_w}x{mask_h}")
    })
}

impl Engine {
    /// Finds every picture that a request names. For a test key one that lies elsewhere is drawn, when nothing else is wrong.
    pub(super) async fn inputs(
        &self,
        checked: &Checked,
        intake: &mut Intake,
        caller: &Caller,
        public_url: &str,
    ) -> Result<Inputs, Error> {
        let mut found = Vec::new();
        for input in checked.images.iter().chain(&checked.mask) {
            found.push(self.find_input(input, intake, caller, public_url).await?);
        }
        let is_elsewhere = |input: &Input| matches!(input, Input::Elsewhere { .. });
        let stood_in = caller.key.mode == Mode::Test && found.iter().any(is_elsewhere);
        if stood_in {
            found = self.stand_in_for_all(found).await?;
        }
        let mask = checked.mask.as_ref().and_then(|_| found.pop());
        let inputs = Inputs {
            images: found,
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
    ) -> Result<Input, Error> {
        let (url, path) = match input {
            ImageInput::Link { url, path } => (url, path),
            ImageInput::File { id, path } => return self.uploaded(caller, id, path).await,
        };
        if let Some(blob) = intake.take(url) {
            return Ok(Input::Staged(blob));
        }
        if let Some(id) = own_asset(url, public_url) {
            return self.stored_result(path, id).await;
        }
        if url.starts_with("data:") {
            // The intake takes out every picture under the fields it knows; what is left is none.
            let message = "a `data:` URL of an image reads `data:image/png;base64,…`";
            return Err(fault(path, "invalid_url", message));
        }
        Ok(Input::Elsewhere {
            url: url.clone(),
            path: path.clone(),
        })
    }

    async fn stored_result(&self, path: &str, id: AssetId) -> Result<Input, Error> {
        let found = self.0.store.find_asset(&id).await.map_err(super::refusal)?;
        let alive = found.filter(|asset| asset.expires_at.is_none_or(|at| at > self.now()));
        let asset = alive.ok_or_else(|| no_such_result(path))?;
        let path = path.to_owned();
        Ok(Input::Stored(asset.picture, Place { id, path }))
    }

    /// An account's files are its own; another's is not there.
    async fn uploaded(&self, caller: &Caller, id: &str, path: &str) -> Result<Input, Error> {
        let found = match FileId::parse(id) {
            Some(id) => self.live_file(caller, &id).await?,
            None => None,
        };
        let file = found.ok_or_else(|| no_such_file(path))?;
        let place = Place {
            id: file.id,
            path: path.to_owned(),
        };
        Ok(Input::Uploaded(file.picture, place))
    }

    /// The same pictures, with a drawn one for each that lies elsewhere.
    async fn stand_in_for_all(&self, found: Vec<Input>) -> Result<Vec<Input>, Error> {
        let drawing = found.into_iter().map(|one| {
            let engine = self.clone();
            async move {
                match one {
                    Input::Elsewhere { url, .. } => engine.stand_in(&url).await.map(Input::Staged),
                    here => Ok(here),
                }
            }
            .boxed()
        });
        let drawing = futures::stream::iter(drawing).buffered(AT_ONCE);
        drawing.try_collect().await
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
fn no_such_file(path: &str) -> Error {
    let message = format!(
        "`{path}` names no uploaded file of this account; files are kept for a day, POST /v1/files uploads one"
    );
    fault(path, "file_not_found", message)
}

fn no_such_result(path: &str) -> Error {
    let message = "there is no stored result at this URL any more";
    fault(path, "not_found", message)
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
