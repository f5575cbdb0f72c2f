//! Where in a JSON document a scan stands, and which places hold pictures.

/// Keys are kept up to this length; a longer one matches nothing.
const MAX_KEY_BYTES: usize = 64;

/// The fields that may hold pictures, as the keys that lead to them: `b64_json` is any field of that name,
/// `image_url.url` any `url` in an `image_url`, and `$.image` only the `image` at the top. Lists do not count: in
/// `{"image": ["…"]}` the text stands under `image`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields(pub &'static [&'static str]);

/// The way from the top of a document to where a scan stands.
#[derive(Debug, Default)]
pub(super) struct Path {
    levels: Vec<Level>,
    /// The keys of all levels, one behind the other.
    keys: Vec<u8>,
}

#[derive(Debug)]
struct Level {
    /// Where this level's key begins among the keys.
    start: usize,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Object { wants_key: bool },
    List { index: u32 },
}

impl Path {
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    pub(super) fn open_object(&mut self) {
        self.open(Kind::Object { wants_key: true });
    }

    pub(super) fn open_list(&mut self) {
        self.open(Kind::List { index: 0 });
    }

    fn open(&mut self, kind: Kind) {
        self.levels.push(Level {
            start: self.keys.len(),
            kind,
        });
    }

    /// A brace or bracket that closes nothing is left to the parser of the skeleton, as all faults of grammar are.
    pub(super) fn close(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.keys.truncate(level.start);
        }
    }

    pub(super) fn comma(&mut self) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        self.keys.truncate(level.start);
        match &mut level.kind {
            Kind::Object { wants_key } => *wants_key = true,
            Kind::List { index } => *index = index.saturating_add(1),
        }
    }

    pub(super) fn colon(&mut self) {
        if let Some(Level {
            kind: Kind::Object { wants_key },
            ..
        }) = self.levels.last_mut()
        {
            *wants_key = false;
        }
    }

    /// Whether a string that begins here is a key. If so, the key before it is forgotten.
    pub(super) fn begin_key(&mut self) -> bool {
        match self.levels.last() {
            Some(level) if level.kind == (Kind::Object { wants_key: true }) => {
                self.keys.truncate(level.start);
                true
            }
            _ => false,
        }
    }

    /// One more character of the key. What is longer than any key that we know is cut, one byte too late to match.
    pub(super) fn push_key(&mut self, bytes: &[u8]) {
        let start = self.levels.last().map_or(0, |level| level.start);
        let room = (MAX_KEY_BYTES + 1).saturating_sub(self.keys.len() - start);
        self.keys.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whether a value here may be a picture.
    pub(super) fn is_one_of(&self, fields: Fields) -> bool {
        fields.0.iter().any(|field| self.matches(field))
    }

    fn matches(&self, field: &str) -> bool {
        let mut keys = self.keys_upward();
        field.rsplit('.').all(|wanted| match keys.next() {
            Some(key) => key == wanted.as_bytes(),
            None => wanted == "$",
        })
    }

    fn keys_upward(&self) -> impl Iterator<Item = &[u8]> {
        let mut end = self.keys.len();
        self.levels.iter().rev().filter_map(move |level| {
            let key = &self.keys[level.start..end];
            end = level.start;
            matches!(level.kind, Kind::Object { .. }).then_some(key)
        })
    }
}

impl std::fmt::Display for Path {
    /// As clients write it: `images[1].image_url`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (k, level) in self.levels.iter().enumerate() {
            let end = self
                .levels
                .get(k + 1)
                .map_or(self.keys.len(), |it| it.start);
            match level.kind {
                Kind::List { index } => write!(f, "[{index}]")?,
                Kind::Object { .. } => {
                    let dot = if k == 0 { "" } else { "." };
                    let key = String::from_utf8_lossy(&self.keys[level.start..end]);
                    write!(f, "{dot}{key}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path to the `x` in `{"image": [_, {"url": x}]}`.
    fn path() -> Path {
        let mut path = Path::default();
        path.open_object();
        assert!(path.begin_key());
        path.push_key(b"image");
        path.colon();
        path.open_list();
        path.comma();
        path.open_object();
        assert!(path.begin_key());
        path.push_key(b"u");
        path.push_key(b"rl");
        path.colon();
        path
    }

    #[test]
    fn a_field_is_found_by_its_last_keys() {
        let mut path = path();
        assert_eq!(path.to_string(), "image[1].url");
        for (field, holds) in [
            ("url", true),
            ("image.url", true),
            ("$.image.url", true),
            ("$.url", false),
            ("image", false),
            ("a.image.url", false),
            ("rl", false),
            ("", false),
        ] {
            assert_eq!(path.matches(field), holds, "{field}");
        }
        path.close();
        assert!(path.matches("image") && path.matches("$.image"));
        path.close();
        path.comma();
        assert!(!path.matches("image"));
    }

    #[test]
    fn a_long_key_matches_nothing_and_is_not_kept() {
        let mut path = Path::default();
        path.open_object();
        assert!(path.begin_key());
        for _ in 0..1000 {
            path.push_key(b"abc");
        }
        assert_eq!(path.keys.len(), MAX_KEY_BYTES + 1);
    }
}
