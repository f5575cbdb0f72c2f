//! The first calls of a task that leaves the queue: planned inside the claim, so that the task and its intents are one
//! transaction, as in an admission with a free slot.

use super::Engine;
use super::route::Route;
use crate::catalogue::Catalogue;
use crate::provider::Providers;
use crate::store::Plan;
use crate::types::{Attempt, Millis, Task};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What plans are made from, all of one moment: a task's run goes by the route that its intents were planned by, whatever
/// becomes of the catalogue in between. It holds no handle to the engine, because the store's thread may drop it last.
pub(super) struct Planner {
    catalogue: Arc<Catalogue>,
    providers: Providers,
    /// Providers that are not to be called now.
    paused: HashSet<String>,
    at: Millis,
}

impl Engine {
    pub(super) fn planner(&self) -> Arc<Planner> {
        Arc::new(Planner {
            catalogue: self.catalogue(),
            providers: self.0.providers.clone(),
            paused: self.0.passages.paused(),
            at: self.now(),
        })
    }
}

impl Planner {
    /// Where a task can go; `None` if no target that is turned on can do it any more.
    pub(super) fn route(&self, task: &Task) -> Option<Route> {
        Route::of_task(&self.catalogue, &self.providers, task)
    }

    /// The intents of its first calls. None while everybody who could serve it is paused: its run waits for one of them,
    /// and until then the task can be left to the next start at any moment.
    fn first_attempts(&self, task: &Task) -> Vec<Attempt> {
        let callable = self
            .route(task)
            .and_then(|route| route.without(|provider| self.paused.contains(provider)));
        match callable {
            Some(route) => route.first_attempts(task.request.n(), self.at),
            None => Vec::new(),
        }
    }

    /// The same for the store.
    pub(super) fn plan(self: Arc<Self>) -> Plan {
        Arc::new(move |task| {
            // One task must not keep the others of its lane from being claimed: its run meets the same alone.
            catch_unwind(AssertUnwindSafe(|| self.first_attempts(task))).unwrap_or_else(|_panic| {
                tracing::error!(task.id = %task.id, "planning the calls of a task panicked");
                Vec::new()
            })
        })
    }
}
