//! Pinhole.
pub mod blob;
pub mod config;
pub mod error;
pub mod failpoint;
pub mod provider;
pub mod store;
pub mod types;
