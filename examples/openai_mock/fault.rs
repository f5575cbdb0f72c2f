//! How to misbehave: `[mock:name]` or `[mock:name=value]` in the prompt, any number of times.

use std::collections::HashMap;

/// What a prompt asks for.
///
/// | word | what happens |
/// |---|---|
/// | `status=N` | this status with an error in OpenAI's shape; 429 with `Retry-After: 7` |
/// | `proxy=N` | this status with a page of HTML, as a proxy on the way would |
/// | `code=C` | with `status`: this code |
/// | `free` | whatever happens comes before any work |
/// | `moderation` | the refusal for content |
/// | `error200` | a success that holds an error |
/// | `html` | a success that holds a page |
/// | `zero` | a success with an empty list |
/// | `count=N` | so many images, whatever was asked |
/// | `pixels=WxH`, `format=F` | another size, another format |
/// | `text=N` | nothing wrong: each picture is a PNG whose base64 text has N characters, for load tests |
/// | `truncated` | the last image's base64 ends early |
/// | `cut` | the body ends early, in its last image |
/// | `huge` | an image without end |
/// | `slow=MS` | a pause before each piece of the body |
/// | `silence` | no reply, ever |
/// | `stall` | a head, then nothing, ever |
/// | `close` | the connection is closed instead of a reply |
/// | `held` | the whole reply waits for `POST /mock/go` |
/// | `gate` | each event waits for `POST /mock/go` |
/// | `nolast` | a stream without its last event |
/// | `latefail` | a stream with an error as its last event |
/// | `away=N` | a link that answers 503 the first N times, of the process (of a server that answers links) |
/// | `elsewhere=URL` | a link to another origin (of a server that answers links) |
#[derive(Debug, Default)]
pub struct Faults(HashMap<String, String>);

impl Faults {
    pub fn of(prompt: &str) -> Self {
        let marks = prompt
            .split("[mock:")
            .skip(1)
            .filter_map(|rest| rest.split_once(']'));
        let pairs = marks.map(|(mark, _)| {
            let (name, value) = mark.split_once('=').unwrap_or((mark, ""));
            (name.to_owned(), value.to_owned())
        });
        Self(pairs.collect())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Whether the service would have begun to work, and send a bill.
    pub fn is_paid(&self) -> bool {
        let refuses_first = self.has("free")
            || self.has("moderation")
            || matches!(self.number("status"), Some(400..=499));
        !refuses_first
    }
}
