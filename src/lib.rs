//! Pinhole, a gateway for generative media.

/// Upstream services, and the built-in renderer.
pub mod provider {
    pub mod sketch;
}
