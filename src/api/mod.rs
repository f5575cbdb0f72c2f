//! HTTP: the only module that knows axum. A handler decodes, calls one engine function, encodes.

mod account;
mod admin;
mod auth;
mod body;
mod chat;
mod document;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod handed;
mod images;
mod kept;
mod linger;
mod llms;
mod lost;
mod marks;
mod models;
mod name;
mod openapi;
mod ops;
mod params;
mod prefer;
mod reply;
mod router;
mod serve;
mod stream;
mod task_service;
mod tasks;
mod uploads;
mod webhooks;

#[cfg(test)]
mod golden;

pub use auth::{Keys, REFRESH};
pub use router::router;
pub use serve::{Listening, serve};

use crate::config::Settings;
use crate::engine::Engine;
use document::Document;
use kept::Kept;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;

/// What every handler gets. Cloning gives another handle.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    engine: Engine,
    keys: Keys,
    settings: Settings,
    metrics: PrometheusHandle,
    openapi: Kept<Document>,
    schemas: Kept<models::Schemas>,
}

impl Api {
    /// The handlers' state.
    pub fn new(engine: Engine, keys: Keys, settings: Settings, metrics: PrometheusHandle) -> Self {
        Self(Arc::new(Inner {
            engine,
            keys,
            settings,
            metrics,
            openapi: Kept::default(),
            schemas: Kept::default(),
        }))
    }
}
