//! The servers that speak OpenAI's Images API, and in what each of them differs.
//!
//! One row a server; everything that the calls do differently is a column. What is written here was read in the
//! servers' own sources or documents.

/// One sort of server.
#[derive(Debug)]
pub(super) struct Variant {
    /// The word in the settings.
    pub(super) name: &'static str,
    /// Where it is when the settings do not say.
    pub(super) base_url: Option<&'static str>,
    pub(super) paths: Paths,
    pub(super) key: Key,
    /// What `response_format` must say, for servers that answer links otherwise. OpenAI refuses the field.
    pub(super) response_format: Option<&'static str>,
    /// Whether it shows previews. Streams are for one image: with more, its events do not say which is which.
    pub(super) streams: bool,
    /// The field for the client's hashed end user.
    pub(super) end_user: Option<&'static str>,
    /// How it takes edits; `None` if it has none of this shape.
    pub(super) edits: Option<Edits>,
    /// It repeats itself unless each call brings a seed.
    pub(super) needs_seed: bool,
    /// A tag that it obeys within a prompt; no client may write it.
    pub(super) prompt_tag: Option<&'static str>,
}

/// How its paths are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// Below the base URL, the model in the body.
    Plain,
    /// The model is a deployment in the path; the version of the API is in the query.
    Deployment,
}

/// How it wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// `Authorization: Bearer`, required.
    Bearer,
    /// A header of its own, required.
    Header(&'static str),
    /// `Authorization: Bearer` if there is one.
    Optional,
}

/// How it takes edits: a form, its images under `image[]`, or `image` for a single one.
#[derive(Debug)]
pub(super) struct Edits {
    /// The part of the mask; `None` if it takes none.
    pub(super) mask: Option<&'static str>,
}

const OPENAI: Variant = Variant {
    name: "openai",
    base_url: Some("https://api.openai.com/v1"),
    paths: Paths::Plain,
    key: Key::Bearer,
    response_format: None,
    streams: true,
    end_user: Some("safety_identifier"),
    edits: Some(Edits { mask: Some("mask") }),
    needs_seed: false,
    prompt_tag: None,
};

/// Any other server of this shape. Most of them answer links unless they are asked not to.
const COMPATIBLE: Variant = Variant {
    name: "compatible",
    base_url: None,
    paths: Paths::Plain,
    key: Key::Optional,
    response_format: Some("b64_json"),
    streams: false,
    end_user: None,
    edits: Some(Edits { mask: Some("mask") }),
    needs_seed: false,
    prompt_tag: None,
};

/// Every variant; the first is the one that nobody has to name.
pub(super) const VARIANTS: &[Variant] = &[
    OPENAI,
    Variant {
        name: "azure",
        base_url: None,
        paths: Paths::Deployment,
        key: Key::Header("api-key"),
        end_user: Some("user"),
        ..OPENAI
    },
    COMPATIBLE,
    // Edits go by a field `file`, which is not this API.
    Variant {
        name: "localai",
        edits: None,
        ..COMPATIBLE
    },
    // stable-diffusion.cpp: always base64; knobs ride in the prompt.
    Variant {
        name: "sd-server",
        response_format: None,
        prompt_tag: Some("<sd_cpp_extra_args"),
        ..COMPATIBLE
    },
    Variant {
        name: "vllm-omni",
        edits: Some(Edits {
            mask: Some("mask_image"),
        }),
        ..COMPATIBLE
    },
    // Its seed defaults to a fixed one.
    Variant {
        name: "sglang",
        edits: Some(Edits { mask: None }),
        needs_seed: true,
        ..COMPATIBLE
    },
];

/// The variant of this name.
pub(super) fn find(name: &str) -> Result<&'static Variant, String> {
    let found = VARIANTS.iter().find(|variant| variant.name == name);
    found.ok_or_else(|| {
        let known: Vec<_> = VARIANTS.iter().map(|variant| variant.name).collect();
        format!(
            "`variant` must be one of {}, got `{name}`",
            known.join(", ")
        )
    })
}
