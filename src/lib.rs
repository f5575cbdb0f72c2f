//! Pinhole.
pub mod blob;
pub mod error;
pub mod store;
pub mod types;
