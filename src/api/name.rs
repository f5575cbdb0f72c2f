//! The last part of a path, as a name.

use super::Api;
use super::reply::Refusal;
use crate::error::{Error, Kind};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

/// The name at the end of a path. One that is no text cannot be the name of anything, so it is answered like any other
/// name that was never given, in the shape of its path.
pub(super) struct Name(pub(super) String);

impl FromRequestParts<Api> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_not_text) => {
                let error = Error::new(
                    Kind::NotFound,
                    "this name is no text; there is nothing by it",
                );
                Err(Refusal::at(parts.uri.path(), error))
            }
        }
    }
}
