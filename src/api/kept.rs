//! What is made from the whole catalogue is made once for each, not for every client.

use crate::catalogue::Catalogue;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// Something that was made from the catalogue that was last asked for.
pub(super) struct Kept<T>(ArcSwapOption<(Arc<Catalogue>, T)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(ArcSwapOption::empty())
    }
}

impl<T: Clone> Kept<T> {
    /// The one of this catalogue.
    pub(super) fn of(&self, catalogue: &Arc<Catalogue>, make: impl FnOnce() -> T) -> T {
        if let Some(kept) = &*self.0.load()
            && Arc::ptr_eq(&kept.0, catalogue)
        {
            return kept.1.clone();
        }
        let made = make();
        self.0
            .store(Some(Arc::new((Arc::clone(catalogue), made.clone()))));
        made
    }
}
