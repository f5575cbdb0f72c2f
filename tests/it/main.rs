//! Tests from outside, in one binary: linking is what integration tests spend their build time on.

mod account;
mod app;
mod architecture;
mod billing;
mod cli;
mod client;
mod connections;
mod disk;
mod engine;
mod files;
mod hostile;
mod images;
mod kill;
mod repeats;
mod schema;
mod scripted;
mod sdks;
mod server;
mod shapes;
mod stream;
mod task_cli;
mod task_service;
mod tasks;
mod text;
mod upstream;
