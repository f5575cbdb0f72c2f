//! Accepting a task: check, price, route, then one transaction.

use super::accepted::Accepted;
use super::check::{no_provider, refuse_what_is_not_built};
use super::inputs::{Inputs, NamedFile, no_such_file};
use super::lane::{Lane, Slot};
use super::route::Route;
use super::{Engine, refusal, run};
use crate::catalogue::Checked;
use crate::error::{Error, Kind};
use crate::failpoint::failpoint;
use crate::intake::Intake;
use crate::store::{
    Admission, Admitted, Claimed, FIRST_FENCE, Idempotency, SpendWindow, Start, StoreError,
};
use crate::types::{
    Caller, Draft, Millis, Mode, Money, Operation, Quote, Request, SpendCap, SpendPeriod, Task,
    TaskId, TaskState, Usage,
};
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
            .inputs(&checked, &mut intake, caller, &origin.public_url)
            .await?;
        checked.request = inputs.put_into(checked.request);
        checked.adapted.extend(inputs.adapted());
        self.admit(caller, checked, inputs, quote, route, origin)
            .await
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
        let files = inputs.files();
        let admission = Admission {
            start,
            at,
            files: files.iter().map(|file| file.id.clone()).collect(),
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
            .map_err(|error| refused_with(error, &files))?
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
            files: Vec::new(),
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

/// Why it was refused; a file that went in the meantime is named where the client named it.
fn refused_with(error: StoreError, files: &[NamedFile]) -> Error {
    if let StoreError::FileGone(gone) = &error
        && let Some(file) = files.iter().find(|file| file.id == *gone)
    {
        return no_such_file(&file.path);
    }
    refusal(error)
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
