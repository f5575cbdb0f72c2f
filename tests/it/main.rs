//! Tests from outside, in one binary: linking is what integration tests spend their build time on.

mod architecture;
mod cli;
mod shapes;
