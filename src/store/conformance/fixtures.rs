//! What the cases start from: an account with a key, and tasks for it.

use crate::store::{
    Admission, Claim, Claimed, EndedAttempt, Settlement, SpendWindow, Start, Store, TaskHold,
    new_account, new_key,
};
use crate::types::account::KeyLimits;
use crate::types::{
    Account, ApiKey, Asset, AssetId, Attempt, AttemptState, Balance, BlobKey, CreditLine, FailKind,
    Failure, FileId, Format, InputFile, KeyId, Millis, Mode, Money, Owner, Part, Picture, Quote,
    Request, Task, TaskEnd, TaskId, Usage,
};
use serde_json::json;
use std::sync::Arc;

pub const NOW: Millis = Millis(1_800_000_000_000);
pub const WORKER: &str = "worker-1";

/// So many cents.
pub fn cents(cents: i64) -> Money {
    Money::from_micros(cents * 10_000)
}

pub fn balance(available: Money, held: Money) -> Balance {
    Balance { available, held }
}

/// An account with a key, in an otherwise empty store.
pub struct Customer {
    pub store: Arc<dyn Store>,
    pub account: Account,
    pub key: ApiKey,
}

impl Customer {
    /// One who has paid in advance.
    pub async fn prepaid(store: &Arc<dyn Store>, credits: Money) -> Self {
        let customer = Self::with_line(store, CreditLine::UpTo(Money::ZERO)).await;
        let reference = format!("first credits of {}", customer.account.id);
        store
            .top_up(&customer.account.id, credits, &reference, NOW)
            .await
            .expect("a first top-up");
        customer
    }

    pub async fn with_line(store: &Arc<dyn Store>, line: CreditLine) -> Self {
        let mut account = new_account("", line, NOW);
        account.name = format!("customer {}", account.id);
        let key = new_key(
            &account.id,
            "key",
            Mode::Live,
            "wxyz",
            KeyLimits::default(),
            NOW,
        );
        store
            .create_account(account.clone())
            .await
            .expect("a new account");
        store
            .create_keys(vec![(key.clone(), secret())])
            .await
            .expect("a new key");
        Self {
            store: Arc::clone(store),
            account,
            key,
        }
    }

    /// A task of one image that waits, and holds `hold`.
    pub fn waiting(&self, hold: Money) -> Admission {
        Self::admission(&self.account, &self.key, hold)
    }

    pub fn admission(account: &Account, key: &ApiKey, hold: Money) -> Admission {
        Admission {
            task: TaskId::new(),
            account: account.id.clone(),
            key: key.id.clone(),
            mode: Mode::Live,
            request: Arc::new(request(&[])),
            quote: Quote {
                unit: hold,
                total: hold,
                rates: None,
            },
            hold,
            lane: "openai".to_owned(),
            public_url: "https://images.example".to_owned(),
            spend: None,
            idempotency: None,
            asked: None,
            callback: None,
            files: Vec::new(),
            results: Vec::new(),
            most_waiting: 1000,
            start: None,
            at: NOW,
        }
    }

    /// The same, started at once with one intent.
    pub fn starting(&self, hold: Money) -> Admission {
        Admission {
            start: Some(Start {
                worker: WORKER.to_owned(),
                attempts: vec![intent(0)],
            }),
            ..self.waiting(hold)
        }
    }

    /// Admits a task that starts at once, and returns its hold.
    pub async fn start(&self, hold: Money) -> TaskHold {
        let admission = self.starting(hold);
        let task = admission.task.clone();
        self.store.admit(admission).await.expect("an admission");
        self.hold_of(&task).await
    }

    /// Whose its tasks are.
    pub fn owner(&self) -> Owner {
        Owner {
            account: self.account.id.clone(),
            key: self.key.id.clone(),
            most_of_account: self.account.concurrent,
            most_of_key: self.key.limits.concurrent,
        }
    }

    /// Starts so many of the tasks that wait.
    pub async fn claim(&self, most: u32) -> crate::store::Result<Vec<Claimed>> {
        let picks = [(self.key.id.clone(), most)];
        self.store.claim(claim("openai", &picks, WORKER)).await
    }

    /// The fence that counts now, as a worker would have it from its claim.
    pub async fn hold_of(&self, task: &TaskId) -> TaskHold {
        let fence = self.task(task).await.fence;
        TaskHold {
            task: task.clone(),
            fence,
        }
    }

    pub async fn task(&self, task: &TaskId) -> Task {
        self.store
            .find_task(&self.account.id, task)
            .await
            .expect("a read")
            .expect("the task is there")
    }

    pub async fn balance(&self) -> Balance {
        self.store
            .balance(&self.account.id)
            .await
            .expect("a balance")
    }

    pub fn asset(&self, task: &TaskId, index: u32) -> Asset {
        Self::asset_of(&self.account, task, index)
    }

    pub fn asset_of(account: &Account, task: &TaskId, index: u32) -> Asset {
        Asset {
            id: AssetId::new(),
            task: task.clone(),
            account: account.id.clone(),
            index,
            picture: picture(),
            revised_prompt: Some("a cat, finely drawn".to_owned()),
            created_at: NOW,
            expires_at: Some(Millis(NOW.0 + 1000)),
            is_late: false,
        }
    }

    /// One image was delivered by attempt 0 and costs `captured`.
    pub fn completed(&self, task: &TaskId, captured: Money) -> Settlement {
        Settlement {
            end: TaskEnd::Completed,
            attempts: vec![ended(0, AttemptState::Succeeded)],
            assets: vec![self.asset(task, 0)],
            text: None,
            captured,
            usage: Usage {
                input_text_tokens: 12,
                input_image_tokens: 0,
                output_tokens: 4160,
            },
            upstream_ms: 8400,
            at: Millis(NOW.0 + 9000),
        }
    }

    /// A spend window for an admission of this customer.
    pub fn capped(admission: Admission, window: &str, cap: Money) -> Admission {
        Admission {
            spend: Some(SpendWindow {
                name: window.to_owned(),
                cap,
            }),
            ..admission
        }
    }
}

/// Attempt 0 failed and nothing is charged.
pub fn failed(kind: FailKind) -> Settlement {
    Settlement {
        end: TaskEnd::Failed(Failure::new(kind, "the upstream failed")),
        attempts: vec![ended(0, AttemptState::Failed)],
        assets: Vec::new(),
        text: None,
        captured: Money::ZERO,
        usage: Usage::default(),
        upstream_ms: 100,
        at: Millis(NOW.0 + 500),
    }
}

/// A claim that writes no intents.
pub fn claim(lane: &str, picks: &[(KeyId, u32)], worker: &str) -> Claim {
    Claim {
        lane: lane.to_owned(),
        picks: picks.to_vec(),
        worker: worker.to_owned(),
        plan: Arc::new(|_| Vec::new()),
        at: NOW,
    }
}

pub fn intent(number: u32) -> Attempt {
    Attempt {
        number,
        part: Part {
            first: number,
            count: 1,
        },
        provider: "openai".to_owned(),
        upstream_model: "gpt-image-2".to_owned(),
        unit_cost: cents(4),
        state: AttemptState::Intent,
        upstream_id: None,
        failure: None,
        created_at: NOW,
    }
}

pub fn ended(number: u32, state: AttemptState) -> EndedAttempt {
    EndedAttempt {
        number,
        state,
        cost: Money::ZERO,
        loss: Money::ZERO,
        failure: None,
        at: Millis(NOW.0 + 400),
    }
}

/// A checked request as the store would read it back, with these input images.
pub fn request(images: &[Picture]) -> Request {
    serde_json::from_value(json!({
        "model": "gpt-image-2",
        "operation": if images.is_empty() { "generate" } else { "edit" },
        "n": 1,
        "parameters": {"prompt": "a cat \u{1f408} on a \"sofa\"", "seed": 7, "guidance": 3.5},
        "images": images,
        "mask": images.first(),
        "envelope": {"response_format": "url", "metadata": {"order": [1, null, "x"]}, "max_cost": "0.5"},
    }))
    .expect("a request")
}

/// A checked request to a text model.
pub fn text_request() -> Request {
    serde_json::from_value(json!({
        "model": "gemini-3.5-flash",
        "modality": "text",
        "operation": "generate",
        "n": 1,
        "parameters": {"prompt": "why is the sky blue?", "max_tokens": 100},
        "envelope": {"response_format": "b64_json"},
    }))
    .expect("a request")
}

pub fn picture() -> Picture {
    Picture {
        blob: BlobKey::random(),
        bytes: 1_234_567,
        hash: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262".to_owned(),
        format: Format::Webp,
        width: 1024,
        height: 1536,
    }
}

/// An uploaded file of this account that lives for a minute.
pub fn file(account: &Account, bytes: u64) -> InputFile {
    InputFile {
        id: FileId::new(),
        account: account.id.clone(),
        name: "a \"cat\".png".to_owned(),
        purpose: "vision".to_owned(),
        picture: Picture { bytes, ..picture() },
        created_at: NOW,
        expires_at: Millis(NOW.0 + 60_000),
    }
}

/// A secret's hash that no other key has.
pub fn secret() -> [u8; 32] {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("random bytes");
    secret
}
