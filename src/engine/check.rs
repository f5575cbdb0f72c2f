//! What is asked before anything is written: may this caller, is there this model, is the request right, what does it cost.

use super::{Ask, Engine, storage_full};
use crate::catalogue::{self, Checked, Model, PriceRow, Rules, Status};
use crate::error::{Error, Fault, Kind};
use crate::types::{Caller, Draft, Modality, Mode, Quote, Scope, Usage};
use std::sync::Arc;
use std::time::Duration;

/// What a request would cost.
#[derive(Clone, Debug)]
pub struct Quoted {
    /// The model, alias resolved.
    pub model: String,
    /// How many images.
    pub n: u32,
    /// The price.
    pub quote: Quote,
    /// The row of the catalogue that it comes from; a test of a model without prices has none.
    pub row: Option<PriceRow>,
    /// The tokens that the price is for, where they are what is charged: the most that there can be.
    pub most_tokens: Option<Usage>,
}

impl Engine {
    /// What a request would cost at this moment: checked and priced like a real one, and not run.
    pub fn quote(&self, caller: &Caller, ask: Ask) -> Result<Quoted, Error> {
        let (model, checked) = self.check(caller, ask, false)?;
        let quote = self.price(caller, &model, &checked)?;
        Ok(Quoted {
            model: model.id.clone(),
            n: checked.request.n(),
            row: catalogue::price_row(&model, &checked.request).cloned(),
            most_tokens: quote
                .rates
                .and_then(|_| catalogue::most_tokens(&model, &checked.request)),
            quote,
        })
    }

    pub(super) fn check(
        &self,
        caller: &Caller,
        ask: Ask,
        reject_adaptation: bool,
    ) -> Result<(Arc<Model>, Checked), Error> {
        let model = self.model_for(caller, &ask.draft)?;
        if let Some(wanted) = ask.modality.filter(|it| *it != model.modality) {
            return Err(Error::faults(vec![makes_something_else(&model, wanted)]));
        }
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

    pub(super) fn model_for(&self, caller: &Caller, draft: &Draft) -> Result<Arc<Model>, Error> {
        let id = model_id(draft)?;
        let catalogue = self.catalogue();
        let model = catalogue.find(id).ok_or_else(|| self.unknown_model(id))?;
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
        let catalogue = self.catalogue();
        let ids: Vec<_> = catalogue.current().map(|model| model.id.as_str()).collect();
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
    pub(super) fn price(
        &self,
        caller: &Caller,
        model: &Model,
        checked: &Checked,
    ) -> Result<Quote, Error> {
        let markup = caller.account.markup_basis_points;
        let quote = match catalogue::quote(model, &checked.request, markup) {
            Some(quote) => quote,
            None if caller.key.mode == Mode::Test => Quote::FREE,
            None => {
                return Err(Error::new(Kind::ModelUnavailable, no_price(model)));
            }
        };
        match checked.request.envelope().max_cost {
            Some(most) if quote.total > most => Err(Error::new(
                Kind::CostAboveLimit,
                format!(
                    "this request costs {}{} USD and `max_cost` is {most}",
                    if quote.rates.is_some() { "up to " } else { "" },
                    quote.total
                ),
            )),
            _ => Ok(quote),
        }
    }

    /// Below the reserve nothing new is stored for anybody: what is paid for already must find room.
    pub(super) fn guard_space(&self) -> Result<(), Error> {
        match self.0.blobs.free_bytes() {
            Ok(Some(free)) if free < self.0.limits.min_free_bytes => Err(storage_full()),
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "free space cannot be read");
                Err(Error::internal())
            }
        }
    }
}

/// The call asks for something else than this model makes.
fn makes_something_else(model: &Model, wanted: Modality) -> Fault {
    let hint = match (wanted, model.modality) {
        (Modality::Text, Modality::Image) => {
            "; POST /v1/images/generations asks for them, and so does `image` in `modalities`"
        }
        (Modality::Image, Modality::Text) => "; leave `image` out of `modalities`",
        _ => "",
    };
    let (wanted, made) = (wanted.plural(), model.modality.plural());
    Fault {
        param: "model".to_owned(),
        code: "not_supported",
        message: format!(
            "this call asks for {wanted}, and {} makes {made}{hint}",
            model.id
        ),
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

pub(super) fn no_provider(model: &Model) -> String {
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
