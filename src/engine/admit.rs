//! Accepting a task: check, price, route, then one transaction.

use super::inputs::Inputs;
use super::lane::{Lane, Slot};
use super::route::Route;
use super::watch::{Live, Progress, Shown, Watch};
use super::{Engine, refusal, run, storage_full};
use crate::catalogue::{self, Checked, Model, Rules, Status};
use crate::error::{Error, Fault, Kind};
use crate::failpoint::failpoint;
use crate::intake::Intake;
use crate::provider::Preview;
use crate::store::{
    Admission, Admitted, Claimed, FIRST_FENCE, Idempotency, SpendWindow, Start, StoreError,
};
use crate::types::{
    Caller, Draft, Millis, Mode, Money, Operation, Quote, Request, Scope, SpendCap, SpendPeriod,
    Task, TaskId, TaskState, Usage,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot, watch};

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
}

/// How a request reached us, as far as its task must remember.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Scheme, host and base path that the client used.
    pub public_url: String,
    /// Refuse what would have to be adapted.
    pub reject_adaptation: bool,
    /// The client's idempotency key with a hash of what it was sent with.
    pub idempotency: Option<(String, [u8; 32])>,
}

/// A task that was accepted: durable, paid for, and running or waiting.
pub struct Accepted {
    /// Its id.
    pub task: TaskId,
    /// Live or test.
    pub mode: Mode,
    /// The price of the moment.
    pub quote: Quote,
    /// What was adapted in the request, as `name=how`.
    pub adapted: Vec<String>,
    /// Where it stood when it was accepted or joined.
    pub state: TaskState,
    /// Whether it is the task of an earlier call, which this one repeats.
    pub is_repeated: bool,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// What was asked, as the schema understood it.
    pub request: Arc<Request>,
    /// When it was accepted.
    pub created_at: Millis,
    watch: Watch,
}

/// What a request would cost.
#[derive(Clone, Debug)]
pub struct Quoted {
    /// The model, alias resolved.
    pub model: String,
    /// How many images.
    pub n: u32,
    /// The price.
    pub quote: Quote,
}

/// What a watcher sees next.
#[derive(Debug)]
pub enum Seen {
    /// An unfinished image.
    Preview(Arc<Preview>),
    /// A finished image, stored and not settled.
    Image(Arc<Shown>),
    /// The end, or why there is none for now.
    Ended(Result<Arc<Task>, Error>),
}

impl Accepted {
    /// Waits for the end. [`Kind::StillRunning`] after `limit`; the task goes on.
    pub async fn wait(mut self, limit: Duration) -> Result<Arc<Task>, Error> {
        match tokio::time::timeout(limit, ended(&mut self.watch.progress)).await {
            Err(_) => Err(still_running(&self.task)),
            Ok(ended) => ended,
        }
    }

    /// What happens next. Previews that came while nobody looked may be missing; the end is always seen.
    pub async fn next(&mut self) -> Seen {
        loop {
            tokio::select! {
                // What was shown before the end is seen before the end.
                biased;
                live = self.watch.live.recv() => match live {
                    Ok(Live::Preview(preview)) => return Seen::Preview(preview),
                    Ok(Live::Image(image)) => return Seen::Image(image),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => {
                        return Seen::Ended(ended(&mut self.watch.progress).await);
                    }
                },
                end = ended(&mut self.watch.progress) => return Seen::Ended(end),
            }
        }
    }
}

async fn ended(progress: &mut watch::Receiver<Progress>) -> Result<Arc<Task>, Error> {
    let seen = progress
        .wait_for(|progress| !matches!(progress, Progress::Running))
        .await;
    match seen.as_deref() {
        Ok(Progress::Ended(task)) => Ok(Arc::clone(task)),
        Ok(Progress::Stuck(why)) => Err(why.clone()),
        Ok(Progress::Running) | Err(_) => Err(Error::internal()),
    }
}

pub(super) fn still_running(task: &TaskId) -> Error {
    Error::new(
        Kind::StillRunning,
        format!("the task goes on; fetch it later at /v1/images/generations/{task}"),
    )
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
        self.may_admit(caller)?;
        let mut intake = std::mem::take(&mut ask.intake);
        let (model, mut checked) = self.check(caller, ask, origin.reject_adaptation)?;
        refuse_what_is_not_built(&checked)?;
        let mode = caller.key.mode;
        let quote = self.price(caller, &model, &checked)?;
        let route = Route::of(&self.0.catalogue, &self.0.providers, &checked.request, mode)
            .ok_or_else(|| Error::new(Kind::ModelUnavailable, no_provider(&model)))?;
        let inputs = self
            .inputs(&checked, &mut intake, mode, &origin.public_url)
            .await?;
        checked.request = inputs.put_into(checked.request);
        checked.adapted.extend(inputs.adapted());
        self.admit(caller, checked, inputs, quote, route, origin)
            .await
    }

    /// What a request would cost at this moment: checked and priced like a real one, and not run.
    pub fn quote(&self, caller: &Caller, ask: Ask) -> Result<Quoted, Error> {
        let (model, checked) = self.check(caller, ask, false)?;
        let quote = self.price(caller, &model, &checked)?;
        Ok(Quoted {
            model: model.id.clone(),
            n: checked.request.n(),
            quote,
        })
    }

    fn check(
        &self,
        caller: &Caller,
        ask: Ask,
        reject_adaptation: bool,
    ) -> Result<(Arc<Model>, Checked), Error> {
        let model = self.model_for(caller, &ask.draft)?;
        let rules = Rules {
            reject_adaptation,
            untyped_body: ask.untyped_body,
            operation: ask.operation,
            default_response_format: caller
                .key
                .limits
                .default_response_format
                .unwrap_or_default(),
        };
        let checked = catalogue::check(&model, ask.draft, &rules).map_err(Error::faults)?;
        Ok((model, checked))
    }

    /// The call that this one repeats, if its idempotency key is known: it is joined whatever has changed since.
    async fn repeated(
        &self,
        caller: &Caller,
        ask: &Ask,
        origin: &Origin,
    ) -> Result<Option<Accepted>, Error> {
        let at = self.now();
        let Some(asked) = idempotency(origin, at) else {
            return Ok(None);
        };
        let (account, mode) = (&caller.account.id, caller.key.mode);
        let known = self
            .0
            .store
            .find_repeated(account, mode, &asked, at)
            .await
            .map_err(refusal)?;
        let Some(task) = known else {
            return Ok(None);
        };
        let stream = ask
            .draft
            .field("stream")
            .is_some_and(|field| field.value == true);
        self.join(caller, task, Vec::new(), stream).await.map(Some)
    }

    /// Whether this caller may start anything at this moment. Asked before a body is read, so that nobody fills the disk
    /// with pictures of a request that is refused in any case, and again when it is admitted.
    pub fn may_admit(&self, caller: &Caller) -> Result<(), Error> {
        if self.is_draining() {
            return Err(
                Error::new(Kind::Overloaded, "the server is about to restart")
                    .retry_after(Duration::from_secs(5)),
            );
        }
        if caller.account.frozen {
            return Err(Error::new(
                Kind::Forbidden,
                "this account is frozen; it can read and not generate",
            ));
        }
        if !caller.may(Scope::Generate) {
            return Err(Error::new(
                Kind::Forbidden,
                "this key may not generate; its scopes do not include `generate`",
            ));
        }
        self.guard_space()
    }

    fn model_for(&self, caller: &Caller, draft: &Draft) -> Result<Arc<Model>, Error> {
        let id = model_id(draft)?;
        let model = self
            .0
            .catalogue
            .find(id)
            .ok_or_else(|| self.unknown_model(id))?;
        let allowed = &caller.key.limits.models;
        if !allowed.is_empty() && !allowed.iter().any(|one| one == &model.id) {
            return Err(Error::new(
                Kind::Forbidden,
                format!(
                    "this key may not call {}; it may call {}",
                    model.id,
                    allowed.join(", ")
                ),
            ));
        }
        if model.status == Status::Retired {
            return Err(Error::new(Kind::ModelUnavailable, retired(model)));
        }
        Ok(Arc::clone(model))
    }

    /// There is no such model: names what there is.
    pub fn unknown_model(&self, id: &str) -> Error {
        let shown: String = id.chars().take(60).collect();
        let ids: Vec<_> = self
            .0
            .catalogue
            .models()
            .iter()
            .map(|model| model.id.as_str())
            .collect();
        Error::new(
            Kind::ModelNotFound,
            format!("there is no model `{shown}`; there are {}", ids.join(", ")),
        )
    }

    /// Why this caller cannot call this model now; `None` if it can.
    pub fn unavailable(&self, caller: &Caller, model: &Model) -> Option<String> {
        if model.status == Status::Retired {
            return Some(retired(model));
        }
        let allowed = &caller.key.limits.models;
        if !allowed.is_empty() && !allowed.contains(&model.id) {
            return Some("this key may not call it".to_owned());
        }
        if caller.key.mode == Mode::Test {
            return None;
        }
        if model.prices.is_empty() {
            return Some(no_price(model));
        }
        let served = model
            .targets
            .iter()
            .any(|target| self.0.providers.find(&target.provider).is_some());
        (!served).then(|| no_provider(model))
    }

    /// The price of this moment, refused if the request says that it is too much.
    fn price(&self, caller: &Caller, model: &Model, checked: &Checked) -> Result<Quote, Error> {
        let markup = caller.account.markup_basis_points;
        let quote = match catalogue::quote(model, &checked.request, markup) {
            Some(quote) => quote,
            None if caller.key.mode == Mode::Test => Quote {
                unit: Money::ZERO,
                total: Money::ZERO,
            },
            None => {
                return Err(Error::new(Kind::ModelUnavailable, no_price(model)));
            }
        };
        match checked.request.envelope().max_cost {
            Some(most) if quote.total > most => Err(Error::new(
                Kind::CostAboveLimit,
                format!(
                    "this request costs {} USD and `max_cost` is {most}",
                    quote.total
                ),
            )),
            _ => Ok(quote),
        }
    }

    fn guard_space(&self) -> Result<(), Error> {
        match self.0.blobs.free_bytes() {
            Ok(Some(free)) if free < self.0.limits.min_free_bytes => Err(storage_full()),
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "free space cannot be read");
                Err(Error::internal())
            }
        }
    }

    /// One transaction, then the run; both on a task of their own, so that a client who leaves between them leaves
    /// nothing half done.
    async fn admit(
        &self,
        caller: &Caller,
        checked: Checked,
        inputs: Inputs,
        quote: Quote,
        route: Route,
        origin: Origin,
    ) -> Result<Accepted, Error> {
        let lane = self.0.lanes.get(route.lane(caller.key.mode));
        let slot = lane.try_slot();
        let (adapted, stream) = (checked.adapted, checked.stream);
        let request = Arc::new(checked.request);
        let at = self.now();
        let start = slot.as_ref().map(|_| Start {
            worker: self.0.worker.clone(),
            attempts: route.first_attempts(request.n(), at),
        });
        let admission = Admission {
            start,
            at,
            ..self.admission(caller, &request, quote, &route, origin)
        };
        let previews = match request.integer("partial_images") {
            Some(count) if stream => u32::try_from(count).unwrap_or(0),
            _ => 0,
        };
        let (task, mode) = (admission.task.clone(), admission.mode);
        let state = match admission.start {
            Some(_) => TaskState::Processing,
            None => TaskState::Pending,
        };
        let watch = self.0.watchers.open(&task, previews);
        let (reply, admitted) = oneshot::channel();
        let engine = self.clone();
        self.0.tracker.spawn(async move {
            engine
                .admit_and_run(admission, inputs, reply, lane, slot)
                .await;
        });
        match admitted
            .await
            .map_err(|_| Error::internal())?
            .map_err(refusal)?
        {
            Admitted::Known(task) => self.join(caller, task, adapted, stream).await,
            Admitted::New => Ok(Accepted {
                task,
                mode,
                quote,
                adapted,
                state,
                is_repeated: false,
                stream,
                request,
                created_at: at,
                watch,
            }),
        }
    }

    /// What is written for this request, as if it had to wait.
    fn admission(
        &self,
        caller: &Caller,
        request: &Arc<Request>,
        quote: Quote,
        route: &Route,
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
            lane: route.lane(mode).to_owned(),
            public_url: origin.public_url.clone(),
            spend: caller
                .key
                .limits
                .spend_cap
                .filter(|_| live)
                .map(|cap| spend_window(cap, at)),
            idempotency: idempotency(&origin, at),
            most_waiting: self.0.limits.most_waiting,
            start: None,
            at,
        }
    }

    async fn admit_and_run(
        &self,
        admission: Admission,
        inputs: Inputs,
        reply: oneshot::Sender<Result<Admitted, StoreError>>,
        lane: Arc<Lane>,
        slot: Option<Slot>,
    ) {
        let id = admission.task.clone();
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
        // Whoever asked may have left; the task runs all the same.
        let _ = reply.send(verdict);
        match (started, slot) {
            (Some(one), Some(slot)) if is_new => run::run(self, one, slot).await,
            _ if is_new => lane.wake(),
            _ => {}
        }
    }

    /// A repetition of a call that is known: joins its task, running or ended.
    async fn join(
        &self,
        caller: &Caller,
        task: TaskId,
        adapted: Vec<String>,
        stream: bool,
    ) -> Result<Accepted, Error> {
        // Watching first: an end between the two look-ups is then seen.
        let watch = self.0.watchers.join(&task);
        let found = self
            .0
            .store
            .find_task(&caller.account.id, &task)
            .await
            .map_err(refusal)?;
        let known = found.ok_or_else(Error::internal)?;
        let (mode, quote, state) = (known.mode, known.quote, known.state);
        let (request, created_at) = (Arc::clone(&known.request), known.created_at);
        if known.state.is_terminal() {
            self.0.watchers.ended(Arc::new(known));
        }
        Ok(Accepted {
            task,
            mode,
            quote,
            adapted,
            state,
            is_repeated: true,
            stream,
            request,
            created_at,
            watch,
        })
    }
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
        state: TaskState::Processing,
        fence: FIRST_FENCE,
        crashes: 0,
        created_at: admission.at,
        started_at: Some(admission.at),
        completed_at: None,
        failure: None,
        captured: Money::ZERO,
        usage: Usage::default(),
        upstream_ms: 0,
        assets: Vec::new(),
    };
    Claimed {
        task,
        attempts: start.attempts.clone(),
    }
}

/// The client's idempotency key as the store keeps it.
fn idempotency(origin: &Origin, at: Millis) -> Option<Idempotency> {
    let (key, fingerprint) = origin.idempotency.clone()?;
    Some(Idempotency {
        key,
        fingerprint,
        expires_at: at.after(KEEP_IDEMPOTENCY_KEYS),
    })
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

fn retired(model: &Model) -> String {
    let instead = model
        .replacement
        .as_ref()
        .map(|id| format!("; {id} takes its place"))
        .unwrap_or_default();
    format!("{} was retired by its maker{instead}", model.id)
}

fn no_price(model: &Model) -> String {
    format!(
        "{} has no price yet; the operator sets one in the catalogue",
        model.id
    )
}

fn no_provider(model: &Model) -> String {
    if model.targets.is_empty() {
        return format!(
            "no upstream that serves {} is known; a test key draws it without one",
            model.id
        );
    }
    let names: Vec<_> = model
        .targets
        .iter()
        .map(|target| target.provider.as_str())
        .collect();
    format!(
        "no provider that serves {} is turned on (it can be served by {}); a test key draws it without one",
        model.id,
        names.join(", ")
    )
}

fn model_id(draft: &Draft) -> Result<&str, Error> {
    let fault = |code, message: &str| {
        Error::faults(vec![Fault {
            param: "model".to_owned(),
            code,
            message: message.to_owned(),
        }])
    };
    let field = draft.field("model").ok_or_else(|| {
        fault(
            "missing_parameter",
            "`model` is missing; name one of GET /v1/models",
        )
    })?;
    field.value.as_str().ok_or_else(|| {
        fault(
            "invalid_type",
            "`model` must be a text, like \"gpt-image-2\"",
        )
    })
}

/// What the schema knows and this version does not do yet is refused by name, never dropped.
fn refuse_what_is_not_built(checked: &Checked) -> Result<(), Error> {
    let asked = [(
        "callback_url",
        checked.callback_url.is_some(),
        "this version does not call back; poll the task instead",
    )];
    let faults: Vec<Fault> = asked
        .into_iter()
        .filter(|(_, asked, _)| *asked)
        .map(|(param, _, message)| Fault {
            param: param.to_owned(),
            code: "not_supported",
            message: message.to_owned(),
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Error::faults(faults))
    }
}
