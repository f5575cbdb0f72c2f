//! A call that was sent before: known by its idempotency key, or by what it asks if its client says that it sends a call
//! again. It joins the task of the first one.

use super::accepted::{Accepted, Streaming};
use super::admit::{Ask, Origin, Repeats};
use super::unanswered::Sent;
use super::{Engine, refusal};
use crate::error::Error;
use crate::store::Idempotency;
use crate::types::{Caller, Draft, Millis, TaskId};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long an idempotency key is remembered.
const KEEP_IDEMPOTENCY_KEYS: Duration = Duration::from_secs(24 * 3600);

impl Engine {
    /// The call that this one repeats, if it is known: it is joined whatever has changed since.
    pub(super) async fn repeated(
        &self,
        caller: &Caller,
        ask: &Ask,
        origin: &Origin,
    ) -> Result<Option<Accepted>, Error> {
        let stream = streaming_of(&ask.draft);
        match &origin.repeats {
            Repeats::Never
            | Repeats::Alike {
                is_repetition: false,
            } => Ok(None),
            Repeats::Alike {
                is_repetition: true,
            } => self.rejoin(caller, &sent(caller, origin), stream).await,
            Repeats::Keyed(key) => {
                let at = self.now();
                let asked = idempotency(key, origin, at);
                let (account, mode) = (&caller.account.id, caller.key.mode);
                let store = &self.0.store;
                let known = store.find_repeated(account, mode, &asked, at).await;
                match known.map_err(refusal)? {
                    None => Ok(None),
                    Some(task) => self.join(caller, task, Vec::new(), stream).await.map(Some),
                }
            }
        }
    }

    /// Joins the call that an SDK gave up. One whose failure would have been answered with another try, had its client
    /// stayed, is tried again.
    async fn rejoin(
        &self,
        caller: &Caller,
        sent: &Sent,
        stream: Option<Streaming>,
    ) -> Result<Option<Accepted>, Error> {
        while let Some(unanswered) = self.0.calls.rejoin(sent).await {
            let task = unanswered.task().clone();
            let (store, account) = (&self.0.store, &caller.account.id);
            let found = store.find_task(account, &task).await.map_err(refusal)?;
            let failure = found.and_then(|task| task.failure);
            if failure.is_some_and(|failure| failure.kind.invites_repetition()) {
                unanswered.answered();
                continue;
            }
            tracing::info!(task.id = %task, "a call that was sent again joins its task");
            let joined = self.join(caller, task, Vec::new(), stream).await?;
            return Ok(Some(Accepted {
                unanswered: Some(unanswered),
                ..joined
            }));
        }
        Ok(None)
    }

    /// A repetition of a call that is known: joins its task, running or ended.
    pub(super) async fn join(
        &self,
        caller: &Caller,
        task: TaskId,
        adapted: Vec<String>,
        stream: Option<Streaming>,
    ) -> Result<Accepted, Error> {
        // Watching first: an end between the two look-ups is then seen.
        let watch = self.0.watchers.join(&task);
        let found = self
            .0
            .store
            .find_task(&caller.account.id, &task)
            .await
            .inspect_err(|_| self.0.watchers.forget_unwatched(&task))
            .map_err(refusal)?;
        let Some(known) = found else {
            self.0.watchers.forget_unwatched(&task);
            return Err(Error::internal());
        };
        let (mode, quote, state) = (known.mode, known.quote, known.state);
        let (request, created_at) = (Arc::clone(&known.request), known.created_at);
        let ahead = self.tasks_ahead(&known).await;
        if known.state.is_terminal() {
            self.0.watchers.ended(Arc::new(known));
        }
        Ok(Accepted {
            task,
            mode,
            quote,
            adapted,
            state,
            ahead,
            is_repeated: true,
            stream,
            request,
            created_at,
            unanswered: None,
            watch,
            ended: None,
        })
    }
}

/// What a repetition asks for; the schema has checked the call that it repeats. A form says `true` as a text.
fn streaming_of(draft: &Draft) -> Option<Streaming> {
    let says = |name: &str| draft.field(name).map(|field| &field.value);
    let is_true = |value: &Value| value == true || value == "true";
    let include_usage = says("stream_options").is_some_and(|it| is_true(&it["include_usage"]));
    is_true(says("stream")?).then_some(Streaming { include_usage })
}

/// The client's idempotency key as the store keeps it.
pub(super) fn idempotency(key: &str, origin: &Origin, at: Millis) -> Idempotency {
    Idempotency {
        key: key.to_owned(),
        fingerprint: origin.asked,
        expires_at: at.after(KEEP_IDEMPOTENCY_KEYS),
    }
}

/// How a call is known that is sent again without a key.
pub(super) fn sent(caller: &Caller, origin: &Origin) -> Sent {
    Sent {
        key: caller.key.id.clone(),
        asked: origin.asked,
    }
}
