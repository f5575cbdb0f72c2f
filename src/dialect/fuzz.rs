//! Reading an object against serde_json's own way, which keeps the last of two keys.

use super::json;
use crate::error::Kind;
use serde_json::{Map, Value};

/// A body that we take is what serde_json makes of it; one that serde_json refuses, we refuse.
pub(crate) fn object(bytes: &[u8]) {
    let plain = serde_json::from_slice::<Map<String, Value>>(bytes);
    match json::read_object(bytes) {
        Ok(entries) => {
            let count = entries.len();
            let read: Map<String, Value> = entries.into_iter().collect();
            assert_eq!(read.len(), count, "a key stands twice");
            assert_eq!(read, plain.expect("what we take is JSON"));
        }
        Err(error) => {
            assert!(error.message.len() < 400, "{error}");
            let is_ours =
                error.kind == Kind::InvalidParameter || error.message.contains("more than");
            assert!(is_ours || plain.is_err(), "{error}");
        }
    }
}
