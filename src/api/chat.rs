//! `POST /v1/chat/completions`: models of text, as OpenAI's clients call them, and models of images where `modalities` has
//! `image`.

use super::images::{Endpoint, run};
use super::{Api, body};
use crate::dialect::completion::{Completion, take_modality};
use crate::engine::Ask;
use crate::types::Caller;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use std::time::Instant;

const COMPLETIONS: Endpoint = Endpoint {
    path: "/v1/chat/completions",
    dialect: &Completion,
};

/// `POST /v1/chat/completions`
pub(super) async fn complete(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let received = Instant::now();
    let ask = match api.0.engine.may_admit(&caller) {
        Ok(()) => body::read_json(&api, &headers, body, &Completion).await,
        Err(error) => Err(error),
    };
    let ask = ask.and_then(|mut ask| {
        let modality = take_modality(&mut ask.draft)?;
        Ok(Ask {
            modality: Some(modality),
            ..ask
        })
    });
    run(&api, &caller, &headers, ask, &COMPLETIONS, received).await
}
