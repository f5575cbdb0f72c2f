//! Accepting a task: check, price, route, then one transaction ([`super::entry`]).

use super::accepted::{Accepted, Streaming};
use super::callback;
use super::check::no_provider;
use super::entry::{Beginning, Entry};
use super::inputs::{Inputs, Named};
use super::repeat::sent;
use super::route::Route;
use super::unanswered::Unanswered;
use super::{Engine, refusal};
use crate::catalogue::Model;
use crate::error::{Error, Kind};
use crate::intake::Intake;
use crate::store::{Admitted, StoreError};
use crate::types::{
    Callback, Caller, Draft, Fingerprint, Modality, Operation, Owner, Quote, Request,
};
use std::sync::Arc;
use std::time::Duration;

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
pub(super) struct Ready {
    pub(super) request: Arc<Request>,
    /// What was adapted in it.
    adapted: Vec<String>,
    stream: Option<Streaming>,
    pub(super) inputs: Inputs,
    pub(super) named: Named,
    pub(super) callback: Option<Callback>,
    pub(super) quote: Quote,
    pub(super) route: Route,
}

impl Engine {
    /// Accepts a request or refuses it. When this returns `Ok`, the task and its hold are durable and somebody runs
    /// it, whether or not the caller stays.
    pub async fn generate(
        &self,
        caller: &Caller,
        ask: Ask,
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
        let ready = self.ready(caller, ask, &origin).await?;
        self.admit(caller, ready, origin, unanswered).await
    }

    /// Checks everything that can be wrong with a request, what costs least first. What it links to is fetched later.
    async fn ready(&self, caller: &Caller, mut ask: Ask, origin: &Origin) -> Result<Ready, Error> {
        self.may_admit(caller)?;
        let mut intake = std::mem::take(&mut ask.intake);
        let (model, mut checked) = self.check(caller, ask, origin.reject_adaptation)?;
        let quote = self.price(caller, &model, &checked)?;
        let route = self.open_route(caller, &model, &checked.request)?;
        self.check_callback(&checked).await?;
        let inputs = self
            .inputs(&checked, &mut intake, caller, &origin.public_url)
            .await?;
        checked.adapted.extend(inputs.adapted());
        Ok(Ready {
            callback: callback::of(&model, &checked, &inputs),
            stream: checked.stream.then_some(Streaming {
                include_usage: checked.include_usage,
            }),
            adapted: checked.adapted,
            request: Arc::new(inputs.put_into(&model, checked.request)),
            named: inputs.named(),
            inputs,
            quote,
            route,
        })
    }

    /// Where a new request can go now.
    fn open_route(
        &self,
        caller: &Caller,
        model: &Model,
        request: &Request,
    ) -> Result<Route, Error> {
        Route::of(Some(model), &self.0.providers, request, caller.key.mode)
            .ok_or_else(|| Error::new(Kind::ModelUnavailable, no_provider(model)))?
            .without_paused(|provider| self.0.passages.pause(provider))
            .map_err(|wait| paused(model, wait))
    }

    /// One transaction, then the run; both beside the client, so that one who leaves between them leaves nothing half done.
    async fn admit(
        &self,
        caller: &Caller,
        ready: Ready,
        origin: Origin,
        unanswered: Option<Unanswered>,
    ) -> Result<Accepted, Error> {
        let owner = caller.owner();
        let beginning = self.beginning(&ready, caller, &owner);
        let own_id = unanswered.as_ref().map(|call| call.task().clone());
        let admission = self.admission(caller, &ready, &beginning, &origin, own_id);
        let (stream, previews) = (ready.stream, previews(&ready));
        let accepted = Accepted {
            task: admission.task.clone(),
            mode: admission.mode,
            quote: ready.quote,
            adapted: ready.adapted,
            state: beginning.state(),
            ahead: beginning.ahead(),
            is_repeated: false,
            stream,
            request: ready.request,
            created_at: admission.at,
            watch: self.0.watchers.open(&admission.task, previews),
            ended: None,
            unanswered,
        };
        let entry = Entry {
            admission,
            inputs: ready.inputs,
            beginning,
            route: ready.route,
            owner,
        };
        // From here on the task may come to be, whether or not its client stays to see it.
        let judge = accepted.unanswered.as_ref().map(Unanswered::admitting);
        let verdict = self.enter(entry, judge).await?;
        match verdict.map_err(|error| refused_with(error, &ready.named))? {
            Admitted::New => Ok(accepted),
            Admitted::Known(task) => self.join(caller, task, accepted.adapted, stream).await,
        }
    }

    /// In which way a task begins, which takes a slot if there is a free one.
    fn beginning(&self, ready: &Ready, caller: &Caller, owner: &Owner) -> Beginning {
        if !ready.request.links().is_empty() {
            self.0.lanes.know(owner);
            return Beginning::Fetches;
        }
        let (lanes, lane) = (&self.0.lanes, ready.route.lane(caller.key.mode));
        match lanes.try_slot(lane, owner) {
            Some(slot) => Beginning::Starts(slot),
            None => Beginning::Waits {
                ahead: lanes.ahead_of_next(lane, owner),
            },
        }
    }
}

/// How many previews of each image somebody wants to see.
fn previews(ready: &Ready) -> u32 {
    match ready.request.integer("partial_images") {
        Some(count) if ready.stream.is_some() => u32::try_from(count).unwrap_or(0),
        _ => 0,
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
