//! Which targets can do a request, in order. Pure: reads the catalogue and the names of providers.

use super::lane;
use crate::catalogue::{self, Catalogue, Model};
use crate::provider::{Providers, sketch};
use crate::types::{
    Attempt, AttemptNumber, AttemptState, Millis, Mode, Money, Part, Request, Task, TokenRates,
};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::time::Duration;

/// Where a request can go: at least one target, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) targets: Vec<Hop>,
}

/// One target as the engine needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) provider: String,
    pub(super) upstream_model: String,
    /// Images one call can make.
    pub(super) most_images: u32,
    /// What the operator pays for one image, or at most for the text.
    pub(super) unit_cost: Money,
    /// What the operator pays for tokens, where that is what counts.
    pub(super) rates: Option<TokenRates>,
    /// What it is asked, in its own words.
    pub(super) fields: Map<String, Value>,
}

impl Route {
    /// The route of a request for a model, or `None` if nothing that is turned on can do it; nothing can if the model has
    /// left the catalogue.
    pub(super) fn of(
        model: Option<&Model>,
        providers: &Providers,
        request: &Request,
        mode: Mode,
    ) -> Option<Self> {
        let targets = match mode {
            Mode::Test => vec![test_hop(request)],
            Mode::Live => live_hops(model, providers, request),
        };
        (!targets.is_empty()).then_some(Self { targets })
    }

    /// Where a task goes that was accepted before, by the catalogue as it is now.
    pub(super) fn of_task(
        catalogue: &Catalogue,
        providers: &Providers,
        task: &Task,
    ) -> Option<Self> {
        Self::of_request(catalogue, providers, &task.request, task.mode)
    }

    /// The same for a request that becomes one.
    pub(super) fn of_request(
        catalogue: &Catalogue,
        providers: &Providers,
        request: &Request,
        mode: Mode,
    ) -> Option<Self> {
        let model = catalogue.find(request.model()).map(|model| &**model);
        Self::of(model, providers, request, mode)
    }

    /// The queue it waits in.
    pub(super) fn lane(&self, mode: Mode) -> &str {
        match mode {
            Mode::Test => lane::TEST,
            Mode::Live => &self.targets[0].provider,
        }
    }

    /// The intents of the first calls: the best target, as many calls as its images need.
    pub(super) fn first_attempts(&self, n: u32, at: Millis) -> Vec<Attempt> {
        let hop = &self.targets[0];
        let parts = Part::cut(n, hop.most_images);
        (0..)
            .zip(parts)
            .map(|(number, part)| hop.attempt(number, part, at))
            .collect()
    }

    /// What the operator pays for tokens at the target that an attempt went to, where that is what counts.
    pub(super) fn rates_of(&self, attempt: &Attempt) -> Option<TokenRates> {
        self.targets.iter().find(|hop| hop.is_of(attempt))?.rates
    }

    /// What a call is to say to its upstream. Nothing for one that was sent to a target which is gone: it is only asked
    /// after.
    pub(super) fn fields(&self, attempt: &Attempt) -> Map<String, Value> {
        let hop = self.targets.iter().find(|hop| hop.is_of(attempt));
        hop.map(|hop| hop.fields.clone()).unwrap_or_default()
    }

    /// The next target after the one that an attempt went to. `pause`: for how long a provider is not to be called.
    pub(super) fn after(
        &self,
        attempt: &Attempt,
        pause: impl Fn(&str) -> Option<Duration>,
    ) -> Option<&Hop> {
        let at = self.targets.iter().position(|hop| hop.is_of(attempt))?;
        self.targets[at + 1..]
            .iter()
            // A target that makes fewer images a call cannot take over a larger part.
            .filter(|hop| hop.most_images >= attempt.part.count)
            .find(|hop| pause(&hop.provider).is_none())
    }

    /// The same without the targets whose providers are not to be called now; if that leaves none, how long the shortest
    /// pause is.
    pub(super) fn without_paused(
        mut self,
        pause: impl Fn(&str) -> Option<Duration>,
    ) -> Result<Self, Duration> {
        let pauses = self.targets.iter().map(|hop| pause(&hop.provider));
        let pauses: Vec<Option<Duration>> = pauses.collect();
        if pauses.iter().all(Option::is_some) {
            return Err(pauses.into_iter().flatten().min().unwrap_or_default());
        }
        let mut pauses = pauses.into_iter();
        self.targets
            .retain(|_| pauses.next().is_some_and(|pause| pause.is_none()));
        Ok(self)
    }

    /// The same without the targets of these providers; `None` if that leaves none.
    pub(super) fn without(mut self, is_paused: impl Fn(&str) -> bool) -> Option<Self> {
        self.targets.retain(|hop| !is_paused(&hop.provider));
        (!self.targets.is_empty()).then_some(self)
    }
}

impl Hop {
    /// The intent of a call to this target.
    pub(super) fn attempt(&self, number: AttemptNumber, part: Part, at: Millis) -> Attempt {
        Attempt {
            number,
            part,
            provider: self.provider.clone(),
            upstream_model: self.upstream_model.clone(),
            unit_cost: self.unit_cost,
            state: AttemptState::Intent,
            upstream_id: None,
            failure: None,
            created_at: at,
        }
    }

    fn is_of(&self, attempt: &Attempt) -> bool {
        self.provider == attempt.provider && self.upstream_model == attempt.upstream_model
    }
}

/// Test keys run every model on the built-in renderer.
fn test_hop(request: &Request) -> Hop {
    Hop {
        provider: sketch::NAME.to_owned(),
        upstream_model: request.model().to_owned(),
        most_images: u32::MAX,
        unit_cost: Money::ZERO,
        rates: None,
        // The renderer reads the request itself, as it stands in for every upstream.
        fields: Map::new(),
    }
}

fn live_hops(model: Option<&Model>, providers: &Providers, request: &Request) -> Vec<Hop> {
    let Some(model) = model else {
        return Vec::new();
    };
    let mut seen = HashSet::new();
    model
        .targets_for(request.operation())
        .into_iter()
        .filter(|target| providers.find(&target.provider).is_some())
        // The same one twice would never be passed: `Route::after` looks for the place of the last call.
        .filter(|target| seen.insert((&target.provider, &target.model)))
        .map(|target| Hop {
            provider: target.provider.clone(),
            upstream_model: target.model.clone(),
            most_images: target.max_images,
            unit_cost: catalogue::cost(model, target, request).unwrap_or(Money::ZERO),
            rates: catalogue::cost_rates(target, request),
            fields: catalogue::upstream_fields(model, target, request),
        })
        .collect()
}
