//! Callbacks, as far as a task is concerned: may this URL be called, what must be remembered for it, who is woken at the end.

use super::Engine;
use super::inputs::Inputs;
use crate::catalogue::{Checked, Model};
use crate::error::{Error, Fault};
use crate::fetch::FetchError;
use crate::types::{Callback, Picture, Task};
use serde_json::{Map, Value};
use url::Url;

impl Engine {
    /// Refuses a callback that the guard would refuse at the end. A name that cannot be found is no reason: it may be found
    /// by then, and the task is worth its money without the call.
    pub(super) async fn check_callback(&self, checked: &Checked) -> Result<(), Error> {
        let Some(url) = &checked.callback_url else {
            return Ok(());
        };
        match self.0.outbound.check(url).await {
            Err(error) if error.is_refusal() => {
                let code = match error {
                    FetchError::NotTaken(_) => "invalid_url",
                    _ => "refused_address",
                };
                Err(Error::faults(vec![Fault {
                    param: "callback_url".to_owned(),
                    code,
                    message: format!("`callback_url` is refused: {error}"),
                }]))
            }
            _ => Ok(()),
        }
    }

    /// Wakes the sender: something is due there.
    pub fn wake_sender(&self, destination: &str) {
        // Nobody listens while the process ends.
        let _ = self.0.ended.send(destination.to_owned());
    }

    /// Wakes the sender, if the end of this task is to be reported. What it is told is a hint: the row is there.
    pub(super) fn note_callback(&self, task: &Task) {
        if let Some(callback) = &task.callback {
            self.wake_sender(&callback.destination);
        }
    }
}

/// What is kept of a callback beside its task.
pub(super) fn of(model: &Model, checked: &Checked, inputs: &Inputs) -> Option<Callback> {
    let url = checked.callback_url.as_ref()?;
    Some(Callback {
        url: url.clone(),
        destination: destination(url),
        model: format!("{}/{}", model.owner, model.id),
        inputs: named(model, checked, inputs),
    })
}

/// Scheme, host and port; the guard has read the URL, so it has them.
fn destination(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

/// The parameters that name images: links and files as the client named them, what came with the call by its hash.
fn named(model: &Model, checked: &Checked, inputs: &Inputs) -> Map<String, Value> {
    let mut pictures = inputs.pictures();
    let parameters = model.parameters.iter().filter(|it| it.kind.is_image());
    // As the pictures are counted: the mask comes last.
    let (masks, images): (Vec<_>, Vec<_>) = parameters.partition(|it| it.name == "mask");
    let mut named = Map::new();
    for parameter in images.into_iter().chain(masks) {
        let Some(value) = checked.request.parameters().get(&parameter.name) else {
            continue;
        };
        let value = match value {
            Value::Array(list) => {
                let list = list.iter();
                list.map(|one| name_of(one, pictures.next().flatten()))
                    .collect()
            }
            one => name_of(one, pictures.next().flatten()),
        };
        named.insert(parameter.name.clone(), value);
    }
    named
}

fn name_of(value: &Value, picture: Option<&Picture>) -> Value {
    let is_link = |text: &str| text.starts_with("https://") || text.starts_with("http://");
    match (value, picture) {
        (Value::String(text), Some(picture)) if !is_link(text) => {
            format!("blake3:{}", picture.hash).into()
        }
        _ => value.clone(),
    }
}
