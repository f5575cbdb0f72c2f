//! The operator's model files, read again when they change.

use crate::catalogue::{Catalogue, Problems, Stamp};
use crate::engine::Engine;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at the folder until it is dropped. A set of files that does not pass its checks changes nothing: it is refused as
/// a whole, with every reason in the log.
pub(super) async fn keep_fresh(engine: Engine, folder: PathBuf, seen: Stamp) {
    let mut looks = Looks::new(seen);
    loop {
        tokio::time::sleep(EVERY).await;
        let (folder, mut looks_on) = (folder.clone(), looks.clone());
        let looking = tokio::task::spawn_blocking(move || {
            let loaded = look(&mut looks_on, &folder);
            (looks_on, loaded)
        });
        match looking.await {
            Ok((after, loaded)) => {
                looks = after;
                if let Some(loaded) = loaded {
                    tell(&loaded);
                    engine.change_catalogue(loaded);
                }
            }
            Err(error) => tracing::error!(%error, "the model files could not be looked at"),
        }
    }
}

/// One look at the folder, and the files in it if they are to be taken.
fn look(looks: &mut Looks, folder: &Path) -> Option<Result<Catalogue, Problems>> {
    match looks.see(Stamp::of(folder)) {
        Seen::Nothing => None,
        Seen::Gone => Some(Err(Problems::gone(folder))),
        Seen::Change => {
            let loaded = Catalogue::load(Some(folder));
            looks.still(Stamp::of(folder)).then_some(loaded)
        }
    }
}

/// What the looks so far have shown. Several files are not changed at once: only what two looks in a row find the same
/// is taken for what is meant.
#[derive(Clone)]
struct Looks {
    /// What was dealt with, taken or refused.
    settled: Stamp,
    last: Stamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// All is as it was, or still changes.
    Nothing,
    /// Another set of files, which has come to rest.
    Change,
    /// The folder was there and is not any more.
    Gone,
}

impl Looks {
    fn new(settled: Stamp) -> Self {
        let last = settled.clone();
        Self { settled, last }
    }

    fn see(&mut self, now: Stamp) -> Seen {
        let rests = now == self.last;
        self.last = now;
        if !rests || self.last == self.settled {
            return Seen::Nothing;
        }
        if self.settled.is_there() && !self.last.is_there() {
            self.settled = self.last.clone();
            return Seen::Gone;
        }
        Seen::Change
    }

    /// Whether the files are as they were at the last look, now that they have been read. If not, they are read again once
    /// they rest.
    fn still(&mut self, now: Stamp) -> bool {
        let still = now == self.last;
        self.last = now;
        if still {
            self.settled = self.last.clone();
        }
        still
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, remove_dir_all, write};

    #[test]
    fn only_what_rests_is_taken_and_a_folder_that_goes_takes_nothing_away() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("catalogue");
        let put = |name: &str| write(folder.join(name), name).expect("room for a file");
        let mut looks = Looks::new(Stamp::of(&folder));
        let mut check = |expected: Seen| {
            let seen = looks.see(Stamp::of(&folder));
            assert_eq!(seen, expected);
            if seen == Seen::Change {
                assert!(looks.still(Stamp::of(&folder)));
            }
        };
        check(Seen::Nothing);

        create_dir(&folder).expect("a folder");
        put("a.toml");
        check(Seen::Nothing);
        put("b.toml");
        check(Seen::Nothing);
        check(Seen::Change);
        check(Seen::Nothing);

        remove_dir_all(&folder).expect("it was there");
        check(Seen::Nothing);
        check(Seen::Gone);
        check(Seen::Nothing);

        create_dir(&folder).expect("a folder");
        put("a.toml");
        check(Seen::Nothing);
        check(Seen::Change);
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let stamp = || Stamp::of(folder.path());
        let put = |name: &str| write(folder.path().join(name), name).expect("room for a file");
        let mut looks = Looks::new(stamp());
        put("a.toml");
        assert_eq!(looks.see(stamp()), Seen::Nothing);
        assert_eq!(looks.see(stamp()), Seen::Change);
        put("b.toml");
        assert!(!looks.still(stamp()));
        assert_eq!(looks.see(stamp()), Seen::Change);
        assert!(looks.still(stamp()));
    }
}
