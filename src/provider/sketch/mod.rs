//! The built-in renderer `sketch`: offline, deterministic, free. Its pure parts live here.

pub mod draw;
