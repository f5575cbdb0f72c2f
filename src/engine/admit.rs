//! Accepting a task: check, price, route, then one transaction.

use super::accepted::{Accepted, Streaming};
use super::callback;
use super::check::no_provider;
use super::inputs::{Inputs, Named};
use super::lane::{self, Slot};
use super::route::Route;
use super::unanswered::{Judge, Sent, Unanswered};
use super::{Engine, refusal, run};
use crate::catalogue::{Checked, Model};
use crate::error::{Error, Kind};
use crate::failpoint::failpoint;
use crate::intake::Intake;
use crate::store::{
    Admission, Admitted, Claimed, FIRST_FENCE, Idempotency, SpendWindow, Start, StoreError,
};
use crate::types::{
    Callback, Caller, Draft, Fingerprint, Millis, Modality, Mode, Money, Operation, Owner, Quote,
    Request, SpendCap, SpendPeriod, Task, TaskId, TaskState, Usage,
};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long an idempotency key is remembered.
const KEEP_IDEMPOTENCY_KEYS: Duration = Duration::from_secs(24 * 3600);

/// What a client asks for: a decoded body and the pictures that came with it.
#[derive(Debug, Default)]
pub struct Ask {
    /// The decoded body.
    pub draft: Draft,
    /// Where its pictures are; what the request does not claim is deleted.
    pub intake: Intake,
    /// The body was a form, whose values are all texts.
    pub untyped_body: bool,
    /// What the path asks for, where it says so.
    pub operation: Option<Operation>,
    /// What the path can hand over, where that is not everything.
    pub modality: Option<Modality>,
}

/// How a request reached us, as far as its task must remember.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Scheme, host and base path that the client used.
    pub public_url: String,
    /// Refuse what would have to be adapted.
    pub reject_adaptation: bool,
    /// A hash of what is asked.
    pub asked: Fingerprint,
    /// How a repetition of it would be known.
    pub repeats: Repeats,
    /// Whether the client waits for the end, as far as it has said.
    pub waits: bool,
}

/// How a call that is sent again is known as the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// By the client's idempotency key.
    Keyed(String),
    /// By what is asked alone, if its client says that it sends a call again, as OpenAI's SDKs do.
    Alike {
        /// This is such a repetition.
        is_repetition: bool,
    },
    /// Nobody sends it again.
    Never,
}

/// A request that can be admitted, with all that its task is made of.
struct Ready {
    checked: Checked,
    inputs: Inputs,
    callback: Option<Callback>,
    quote: Quote,
    route: Route,
    unanswered: Option<Unanswered>,
}

/// Those who wait for what becomes of an admission.
struct Outcome {
    /// Repetitions of the call, now and later.
    judge: Option<Judge>,
    /// Whoever asked.
    reply: oneshot::Sender<Result<Admitted, StoreError>>,
}

impl Outcome {
    /// Whoever asked may have left; the task runs all the same.
    fn tell(self, is_new: bool, verdict: Result<Admitted, StoreError>) {
        if let Some(judge) = self.judge {
            judge.send_replace(Some(is_new));
        }
        let _ = self.reply.send(verdict);
    }
}

impl Engine {
    /// Accepts a request or refuses it. When this returns `Ok`, the task and its hold are durable and somebody runs
    /// it, whether or not the caller stays.
    pub async fn generate(
        &self,
        caller: &Caller,
        mut ask: Ask,
        origin: Origin,
    ) -> Result<Accepted, Error> {
        // From here on a drain waits for us, so what is admitted is also run.
        let _token = self.0.tracker.token();
        if let Some(repeated) = self.repeated(caller, &ask, &origin).await? {
            return Ok(repeated);
        }
        let unanswered = match origin.repeats {
            Repeats::Alike { .. } => Some(self.0.calls.open(sent(caller, &origin))),
            Repeats::Keyed(_) | Repeats::Never => None,
        };
        self.may_admit(caller)?;
        let mut intake = std::mem::take(&mut ask.intake);
        let (model, mut checked) = self.check(caller, ask, origin.reject_adaptation)?;
        let mode = caller.key.mode;
        let quote = self.price(caller, &model, &checked)?;
        let route = Route::of(Some(&model), &self.0.providers, &checked.request, mode)
            .ok_or_else(|| Error::new(Kind::ModelUnavailable, no_provider(&model)))?
            .without_paused(|provider| self.0.passages.pause(provider))
            .map_err(|wait| paused(&model, wait))?;
        self.check_callback(&checked).await?;
        let inputs = self
            .inputs(&checked, &mut intake, caller, &origin.public_url)
            .await?;
        let callback = callback::of(&model, &checked, &inputs);
        checked.request = inputs.put_into(&model, checked.request);
        checked.adapted.extend(inputs.adapted());
        let ready = Ready {
            checked,
            inputs,
            callback,
            quote,
            route,
            unanswered,
        };
        self.admit(caller, ready, origin).await
    }

    /// The call that this one repeats, if it is known: it is joined whatever has changed since.
    async fn repeated(
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

    /// One transaction, then the run; both on a task of their own, so that a client who leaves between them leaves
    /// nothing half done.
    async fn admit(
        &self,
        caller: &Caller,
        ready: Ready,
        origin: Origin,
    ) -> Result<Accepted, Error> {
        let Ready {
            checked,
            inputs,
            callback,
            quote,
            route,
            unanswered,
        } = ready;
        let owner = caller.owner();
        self.0.lanes.know(&owner);
        let lane = match checked.request.links() {
            [] => route.lane(caller.key.mode),
            _ => lane::INPUTS,
        };
        let (slot, ahead) = match lane {
            // What it links to is fetched first.
            lane::INPUTS => (None, None),
            lane => match self.0.lanes.try_slot(lane, &owner) {
                None => (None, Some(self.0.lanes.ahead_of_next(lane, &owner))),
                slot => (slot, None),
            },
        };
        let stream = checked.stream.then_some(Streaming {
            include_usage: checked.include_usage,
        });
        let adapted = checked.adapted;
        let request = Arc::new(checked.request);
        let at = self.now();
        let start = slot.as_ref().map(|_| Start {
            worker: self.0.worker.clone(),
            attempts: route.first_attempts(request.n(), at),
        });
        let named = inputs.named();
        let fresh = self.admission(caller, &request, quote, lane, origin);
        let admission = Admission {
            start,
            at,
            callback,
            task: unanswered
                .as_ref()
                .map_or(fresh.task, |call| call.task().clone()),
            files: named.files(),
            results: named.results(),
            ..fresh
        };
        let previews = match request.integer("partial_images") {
            Some(count) if stream.is_some() => u32::try_from(count).unwrap_or(0),
            _ => 0,
        };
        let (task, mode) = (admission.task.clone(), admission.mode);
        let state = match admission.start {
            Some(_) => TaskState::Processing,
            None => TaskState::Pending,
        };
        let watch = self.0.watchers.open(&task, previews);
        let (reply, admitted) = oneshot::channel();
        // From here on the task may come to be, whether or not its client stays to see it.
        let judge = unanswered.as_ref().map(Unanswered::admitting);
        let engine = self.clone();
        self.0.tracker.spawn(async move {
            let verdict = Outcome { judge, reply };
            engine
                .admit_and_run(
                    admission,
                    inputs,
                    verdict,
                    owner,
                    slot.map(|slot| (slot, route)),
                )
                .await;
        });
        match admitted
            .await
            .map_err(|_| Error::internal())?
            .map_err(|error| refused_with(error, &named))?
        {
            Admitted::Known(task) => self.join(caller, task, adapted, stream).await,
            Admitted::New => Ok(Accepted {
                task,
                mode,
                quote,
                adapted,
                state,
                ahead,
                is_repeated: false,
                stream,
                request,
                created_at: at,
                unanswered,
                watch,
                ended: None,
            }),
        }
    }

    /// What is written for this request, as if it had to wait.
    fn admission(
        &self,
        caller: &Caller,
        request: &Arc<Request>,
        quote: Quote,
        lane: &str,
        origin: Origin,
    ) -> Admission {
        let (mode, at) = (caller.key.mode, self.now());
        let live = mode == Mode::Live;
        Admission {
            task: TaskId::new(),
            account: caller.account.id.clone(),
            key: caller.key.id.clone(),
            mode,
            request: Arc::clone(request),
            quote,
            hold: if live { quote.total } else { Money::ZERO },
            lane: lane.to_owned(),
            public_url: origin.public_url.clone(),
            spend: caller
                .key
                .limits
                .spend_cap
                .filter(|_| live)
                .map(|cap| spend_window(cap, at)),
            idempotency: match &origin.repeats {
                Repeats::Keyed(key) => Some(idempotency(key, &origin, at)),
                Repeats::Alike { .. } | Repeats::Never => None,
            },
            asked: match &origin.repeats {
                Repeats::Alike { .. } if origin.waits => Some(origin.asked),
                _ => None,
            },
            callback: None,
            files: Vec::new(),
            results: Vec::new(),
            most_waiting: self.0.limits.most_waiting,
            start: None,
            at,
        }
    }

    async fn admit_and_run(
        &self,
        admission: Admission,
        inputs: Inputs,
        outcome: Outcome,
        owner: Owner,
        start: Option<(Slot, Route)>,
    ) {
        let (id, lane) = (admission.task.clone(), admission.lane.clone());
        let account = admission.account.clone();
        let started = admission
            .start
            .as_ref()
            .map(|start| claimed(&admission, start));
        let verdict = self.0.store.admit(admission).await;
        let is_new = matches!(verdict, Ok(Admitted::New));
        if is_new {
            inputs.keep();
            failpoint("admitted");
        } else {
            self.0.watchers.forget(&id);
        }
        outcome.tell(is_new, verdict);
        match (started, start) {
            // By the route it was admitted with, whatever the catalogue says by now.
            (Some(one), Some((slot, route))) if is_new => {
                run::run(self, one, Some(route), slot).await;
            }
            _ if is_new && lane == lane::INPUTS => self.fetch_later(account, id),
            _ if is_new => self.0.lanes.wait(&lane, &owner),
            _ => {}
        }
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

/// Every upstream that could serve it failed a moment ago; nothing is held for a call that would not be made.
fn paused(model: &Model, wait: Duration) -> Error {
    let message = format!(
        "no upstream of `{}` can take calls now; nothing was sent, come back a little later",
        model.id
    );
    // Rounded up: whoever comes a moment early is refused once more.
    Error::new(Kind::Overloaded, message).retry_after(Duration::from_secs(wait.as_secs() + 1))
}

/// Why it was refused; what went in the meantime is named where the client named it.
fn refused_with(error: StoreError, named: &Named) -> Error {
    named.gone(&error).unwrap_or_else(|| refusal(error))
}

/// The started task as the store now has it, so that it need not be read back.
fn claimed(admission: &Admission, start: &Start) -> Claimed {
    let task = Task {
        id: admission.task.clone(),
        account: admission.account.clone(),
        key: admission.key.clone(),
        mode: admission.mode,
        request: Arc::clone(&admission.request),
        quote: admission.quote,
        lane: admission.lane.clone(),
        public_url: admission.public_url.clone(),
        callback: admission.callback.clone(),
        state: TaskState::Processing,
        fence: FIRST_FENCE,
        crashes: 0,
        lone_crashes: 0,
        created_at: admission.at,
        started_at: Some(admission.at),
        completed_at: None,
        failure: None,
        captured: Money::ZERO,
        usage: Usage::default(),
        upstream_ms: 0,
        assets: Vec::new(),
        text: None,
    };
    Claimed {
        task,
        attempts: start.attempts.clone(),
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
fn idempotency(key: &str, origin: &Origin, at: Millis) -> Idempotency {
    Idempotency {
        key: key.to_owned(),
        fingerprint: origin.asked,
        expires_at: at.after(KEEP_IDEMPOTENCY_KEYS),
    }
}

fn sent(caller: &Caller, origin: &Origin) -> Sent {
    Sent {
        key: caller.key.id.clone(),
        asked: origin.asked,
    }
}

/// The window that a cap counts in at this moment.
fn spend_window(cap: SpendCap, at: Millis) -> SpendWindow {
    let day = jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let name = match cap.per {
        SpendPeriod::Total => "total".to_owned(),
        SpendPeriod::Day => day.to_string(),
        SpendPeriod::Month => day.strftime("%Y-%m").to_string(),
    };
    SpendWindow {
        name,
        cap: cap.amount,
    }
}
