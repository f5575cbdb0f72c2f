//! What is asked of a task after it was accepted: how it is, how it ends, that it should not start.

use super::{Engine, refusal};
use crate::error::{Error, Kind};
use crate::types::{Caller, Scope, Task, TaskId, TaskState};
use std::sync::Arc;
use std::time::Duration;

impl Engine {
    /// A task of the caller's account as it is; one that goes on is waited for, for so long. `None` if there is no such
    /// task, which is also the answer about another account's.
    pub async fn look(
        &self,
        caller: &Caller,
        id: &TaskId,
        patience: Duration,
    ) -> Result<Option<Task>, Error> {
        let find = async || {
            let found = self.0.store.find_task(&caller.account.id, id).await;
            found.map_err(refusal)
        };
        let found = find().await?;
        // Only a task that is there and goes on may be watched: nobody would ever forget another.
        let goes_on = found.as_ref().is_some_and(|task| !task.state.is_terminal());
        if !goes_on || patience.is_zero() {
            return Ok(found);
        }
        let joined = self.join(caller, id.clone(), Vec::new(), None).await?;
        match joined.wait(patience).await {
            Ok(ended) => Ok(Some(Arc::unwrap_or_clone(ended))),
            // Time is up, the server stops, or the end cannot be written for now: the task is what its row says.
            Err(_) => find().await,
        }
    }

    /// Ends a task that still waits, at no cost, and tells everybody who waits for it. One that has ended stays as it
    /// is; one that runs is refused, because its upstream may be at work and paid.
    pub async fn cancel(&self, caller: &Caller, id: &TaskId) -> Result<Option<Task>, Error> {
        if !caller.may(Scope::Generate) {
            let message = "this key may not cancel; its scopes do not include `generate`";
            return Err(Error::new(Kind::Forbidden, message));
        }
        let at = self.now();
        let cancelled = self.0.store.cancel(&caller.account.id, id, at).await;
        let Some(task) = cancelled.map_err(refusal)? else {
            return Ok(None);
        };
        if let TaskState::Pending | TaskState::Processing = task.state {
            let message = "the task runs and can no longer be cancelled: its upstream may be at work; poll it to its end";
            return Err(Error::new(Kind::NotCancellable, message));
        }
        if task.completed_at == Some(at) {
            tracing::info!(task.id = %task.id, model.id = task.request.model(), "the task was cancelled");
            metrics::counter!("pinhole_tasks_total", "state" => task.state.name(), "mode" => task.mode.name()).increment(1);
            self.note_callback(&task);
        }
        self.0.watchers.ended(Arc::new(task.clone()));
        self.count_again(&task.lane, &task.account, &task.key).await;
        Ok(Some(task))
    }
}
