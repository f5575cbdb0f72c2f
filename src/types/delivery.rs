//! Webhooks: whom a task tells of its end, and what became of the telling.

use crate::types::{AccountId, DeliveryId, Millis, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// Where the end of a task is to be reported, with what its request alone does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Where, as the client wrote it.
    pub url: String,
    /// Scheme, host and port of it.
    pub destination: String,
    /// `<owner>/<id>` of the model at the moment of acceptance.
    pub model: String,
    /// The parameters that name images, as the client named them; one that came with the call is named by its hash.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It is sent, or will be.
    Pending,
    /// The receiver said 2xx.
    Delivered,
    /// The receiver did not say 2xx in time.
    Exhausted,
    /// The receiver said 410: nobody wants it.
    Gone,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Exhausted, Self::Gone];

    /// The name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Exhausted => "exhausted",
            Self::Gone => "gone",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// The report of one end, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, the same in every attempt: receivers know a repetition by it.
    pub id: DeliveryId,
    /// Whose end it reports.
    pub task: TaskId,
    /// Whose task that is.
    pub account: AccountId,
    /// Where it goes.
    pub url: String,
    /// Scheme, host and port of that.
    pub destination: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many attempts were begun. Counted before anything is sent.
    pub attempts: u32,
    /// How many failed since it was first due, or sent again by hand. Those that a crash interrupted are not among them.
    pub tries: u32,
    /// Counts who sends it: a write with an old number is refused.
    pub fence: i64,
    /// When the next attempt begins; of one that is being sent, when its worker counts as dead.
    pub due_at: Option<Millis>,
    /// When the attempt began that is being made.
    pub sent_at: Option<Millis>,
    /// No attempt begins later.
    pub ends_at: Millis,
    /// When the task ended.
    pub created_at: Millis,
    /// When it was delivered or given up.
    pub ended_at: Option<Millis>,
}

/// The most of an answer that is kept, in bytes.
pub const MOST_OF_ANSWER: usize = 1024;

/// One attempt to deliver, when it was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Its number within the delivery, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Millis,
    /// When it was over.
    pub ended_at: Millis,
    /// What the receiver answered.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub problem: Option<String>,
    /// The beginning of the answer, at most [`MOST_OF_ANSWER`] bytes.
    pub answer: String,
}

/// A delivery with its attempts, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLog {
    /// The delivery.
    pub delivery: Delivery,
    /// What became of each attempt that is over.
    pub attempts: Vec<DeliveryAttempt>,
}

/// What signs an account's deliveries: `whsec_` and base64. It prints as dots; [`SigningSecret::reveal`] is called where it
/// is stored and where it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    text: String,
    key: Vec<u8>,
}

impl SigningSecret {
    /// What every secret begins with.
    pub const PREFIX: &str = "whsec_";

    /// 32 random bytes.
    pub fn generate() -> Self {
        let mut key = vec![0; 32];
        getrandom::fill(&mut key).expect("the system's random source works");
        let text = base64_simd::STANDARD.encode_to_string(&key);
        let text = format!("{}{text}", Self::PREFIX);
        Self { text, key }
    }

    /// Reads a secret; `None` if it is not one of 24 to 64 bytes, as Standard Webhooks wants them.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(Self::PREFIX)?;
        let key = base64_simd::STANDARD.decode_to_vec(encoded).ok()?;
        let text = text.to_owned();
        (24..=64).contains(&key.len()).then_some(Self { text, key })
    }

    /// The bytes that sign.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// A secret that signs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// It.
    pub secret: SigningSecret,
    /// Since when.
    pub created_at: Millis,
    /// Until when; `None` is the present one, others were replaced by it.
    pub retires_at: Option<Millis>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_strangers_do_not() {
        let secret = SigningSecret::generate();
        assert_eq!(SigningSecret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(secret.key().len(), 32);
        assert!(!format!("{secret:?}").contains(&secret.reveal()[6..12]));
        let short = base64_simd::STANDARD.encode_to_string([1; 23]);
        for stranger in ["", "whsec_", "whsec_!", "sk-x", &format!("whsec_{short}")] {
            assert_eq!(SigningSecret::parse(stranger), None, "{stranger}");
        }
    }
}
