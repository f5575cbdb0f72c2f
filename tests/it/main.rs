//! Tests from outside, in one binary: linking is what integration tests spend their build time on.

mod account;
mod app;
mod architecture;
mod billing;
mod cli;
mod client;
mod disk;
mod engine;
mod files;
mod images;
mod kill;
mod openapi;
mod repeats;
mod scripted;
mod sdks;
mod server;
mod shapes;
mod stream;
mod tasks;
