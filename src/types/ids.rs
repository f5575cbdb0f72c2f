//! Identifiers: newtypes with a prefix, so that one kind can never be passed for another.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Declares an id whose text is a fixed prefix and 32 hexadecimal digits.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $uuid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &str = $prefix;

            /// A new id, unique in this installation.
            #[expect(clippy::new_without_default, reason = "a default id would hide that each is new")]
            pub fn new() -> Self {
                let uuid: Uuid = $uuid;
                Self(format!(concat!($prefix, "{}"), uuid.simple()))
            }

            /// Reads an id from outside; `None` if it cannot be one of this kind.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?;
                let valid = digits.len() == 32
                    && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                valid.then(|| Self(text.to_owned()))
            }

            /// Takes back an id that we wrote ourselves (a row, a constant).
            pub fn trusted(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One generation. Ordered by time of creation, so that new rows land at the end of their index.
    TaskId, "task_", Uuid::now_v7()
);
id!(
    /// An account that pays.
    AccountId, "acct_", Uuid::now_v7()
);
id!(
    /// An API key's record (not its secret).
    KeyId, "key_", Uuid::now_v7()
);
id!(
    /// One HTTP request.
    RequestId, "req_", Uuid::now_v7()
);
id!(
    /// A stored result. Fully random: whoever knows the name may read it.
    AssetId, "asset_", random_uuid()
);

id!(
    /// An uploaded input image, in OpenAI's spelling. Ordered by time of creation, as lists of them are paged; only its
    /// account may use it, so it need not be unguessable.
    FileId, "file-", Uuid::now_v7()
);

id!(
    /// The report of a task's end. Ordered by time of creation.
    DeliveryId, "dlv_", Uuid::now_v7()
);

/// 122 random bits, for names that must not be guessed.
fn random_uuid() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system's random source works");
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Where an object lies in the blob store, relative to its root. Random, never derived from user input.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobKey(String);

impl BlobKey {
    /// A new key, spread over 256 folders by its first two digits.
    pub fn random() -> Self {
        let name = random_uuid().simple().to_string();
        Self(format!("blobs/{}/{name}", &name[..2]))
    }

    /// Takes back a key that we wrote ourselves.
    pub fn trusted(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key as a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an upstream calls the job it runs for us.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UpstreamId(pub String);

/// Counts the upstream calls of one task, from 0. With the task's id it names an attempt.
pub type AttemptNumber = u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_refuse_strangers() {
        let id = TaskId::new();
        assert_eq!(TaskId::parse(id.as_str()), Some(id));
        for stranger in [
            "",
            "task_",
            "task_xyz",
            "acct_00000000000000000000000000000000",
            "task_0000000000000000000000000000000G",
        ] {
            assert_eq!(TaskId::parse(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn tasks_sort_by_time_and_assets_do_not_repeat() {
        let (first, second) = (TaskId::new(), TaskId::new());
        assert!(first < second);
        assert_ne!(AssetId::new(), AssetId::new());
        assert_ne!(BlobKey::random(), BlobKey::random());
    }
}
