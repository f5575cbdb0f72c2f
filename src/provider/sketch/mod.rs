//! `sketch`: the built-in renderer.
use super::{Call, EventStream, Provider, Traits};
use crate::config::ProviderSettings;
/// Its name in catalogue targets.
pub const NAME: &str = "sketch";
/// The provider.
#[derive(Default)]
pub struct SketchProvider;
impl SketchProvider {
    /// x
    pub fn from_settings(_: &ProviderSettings) -> Result<Self, String> {
        Ok(Self)
    }
}
impl Provider for SketchProvider {
    fn traits(&self) -> Traits {
        Traits {
            repeatable: true,
            concurrency: 2,
        }
    }
    fn generate(&self, _call: Call) -> EventStream {
        todo!()
    }
}
