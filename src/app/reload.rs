//! The operator's model files, read again when they change.

use crate::catalogue::{Catalogue, Fingerprint, Problems};
use crate::engine::Engine;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the folder until it is dropped. A set of files that does not pass its checks changes nothing: it is refused as
/// a whole, with every reason in the log.
pub(super) async fn keep_fresh(engine: Engine, folder: PathBuf, mut seen: Fingerprint) {
    loop {
        tokio::time::sleep(EVERY).await;
        let (folder, before) = (folder.clone(), seen.clone());
        let looking = tokio::task::spawn_blocking(move || changed(&folder, &before));
        match looking.await {
            Ok(None) => {}
            Ok(Some((now, loaded))) => {
                seen = now;
                tell(&loaded);
                engine.change_catalogue(loaded);
            }
            Err(error) => tracing::error!(%error, "the model files could not be looked at"),
        }
    }
}

/// The files as they are now, if they are not as before. Their fingerprint is taken before they are read: what changes
/// in between is seen the next time.
fn changed(
    folder: &Path,
    before: &Fingerprint,
) -> Option<(Fingerprint, Result<Catalogue, Problems>)> {
    let now = Fingerprint::of(folder);
    (now != *before).then(|| (now, Catalogue::load(Some(folder))))
}

fn tell(loaded: &Result<Catalogue, Problems>) {
    let outcome = match loaded {
        Ok(catalogue) => {
            tracing::info!(
                models = catalogue.models().len(),
                "the changed model files are in use"
            );
            "taken"
        }
        Err(problems) => {
            tracing::error!(%problems, "the changed model files are refused; the former ones stay in use");
            "refused"
        }
    };
    metrics::counter!("pinhole_catalogue_reloads_total", "outcome" => outcome).increment(1);
}
