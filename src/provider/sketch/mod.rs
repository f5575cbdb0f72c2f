//! The built-in renderer `sketch`: offline, deterministic, free. These are its pure parts: what a prompt asks for, the drawing, the file.

pub mod directive;
pub mod draw;
pub mod encode;
pub mod size;
