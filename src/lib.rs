//! Pinhole.
pub mod catalogue;
pub mod error;
pub mod store;
pub mod types;
