//! Pinhole.
pub mod error;
pub mod store;
pub mod types;
