//! The settings of one instance, checked once: what can be wrong is said at the start, not at the first call.

use super::variant::{self, Key, Paths, Variant};
use crate::config::{ProviderSettings, Timeouts};
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use std::fmt;
use std::time::Duration;

const KNOWN: &[&str] = &[
    "api_key",
    "base_url",
    "variant",
    "api_version",
    "concurrency",
    "connect_timeout_s",
    "response_timeout_s",
    "idle_timeout_s",
    "retry_503",
    "proxy",
];

/// Longer than any error's text needs, shorter than anybody's patience.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose hosts are the makers' of the API.
const ORIGINALS: &[&str] = &[
    "openai.com",
    "openai.azure.com",
    "cognitiveservices.azure.com",
];

/// Where and how an instance calls.
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) variant: &'static Variant,
    /// Without a slash at its end.
    pub(super) base: Url,
    pub(super) api_version: Option<String>,
    pub(super) key: Option<ApiKey>,
    pub(super) concurrency: u32,
    pub(super) connect_timeout: Duration,
    /// From the first byte of the request to the head of the reply. Models take minutes.
    pub(super) response_timeout: Duration,
    /// Between two pieces of the reply.
    pub(super) idle_timeout: Duration,
    /// To read the body of a refusal, which must not hide the refusal.
    pub(super) refusal_timeout: Duration,
    /// A 503 of this server says that it did no work.
    pub(super) retry_503: bool,
    pub(super) proxy: Proxy,
}

/// The key as it is sent. It does not print.
pub(super) struct ApiKey {
    pub(super) header: HeaderName,
    pub(super) value: HeaderValue,
    /// To keep it out of the log where an upstream repeats it.
    pub(super) text: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// Which proxy carries the calls. Only URLs that clients name must never go through one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    /// What `HTTPS_PROXY` and its like say.
    Environment,
    None,
    Url(Url),
}

impl Settings {
    pub(super) fn read(settings: &ProviderSettings) -> Result<Self, String> {
        settings.allow(KNOWN)?;
        let variant = variant::find(settings.text("variant").unwrap_or("openai"))?;
        let seconds = |key, default| {
            let seconds = settings.number(key, default)?;
            match seconds {
                0 => Err(format!("`{key}` must be at least 1")),
                _ => Ok(Duration::from_secs(seconds)),
            }
        };
        // The engine's clock says when a client is told that nothing came, and that the upstream is heard on: whoever hangs
        // up before loses a picture that is paid for.
        let Timeouts { attempt, late, .. } = Timeouts::default();
        let most = attempt + late;
        let while_heard = |key| match seconds(key, most.as_secs())? {
            wait if wait > most => Err(format!(
                "`{key}` must be at most {}, got {}: a call is given up after {} s and heard on for {} s more",
                most.as_secs(),
                wait.as_secs(),
                attempt.as_secs(),
                late.as_secs()
            )),
            wait => Ok(wait),
        };
        Ok(Self {
            name: settings.name.clone(),
            variant,
            base: base_url(settings, variant)?,
            api_version: api_version(settings, variant)?,
            key: api_key(settings, variant)?,
            concurrency: u32::try_from(settings.number("concurrency", 32)?)
                .ok()
                .filter(|calls| (1..=10_000).contains(calls))
                .ok_or("`concurrency` must be between 1 and 10000")?,
            connect_timeout: seconds("connect_timeout_s", 10)?,
            response_timeout: while_heard("response_timeout_s")?,
            idle_timeout: while_heard("idle_timeout_s")?,
            refusal_timeout: REFUSAL_TIMEOUT,
            retry_503: settings.flag("retry_503", false)?,
            proxy: proxy(settings)?,
        })
    }

    /// Whether OpenAI or Azure itself answers: a server elsewhere may be a gateway to others.
    pub(super) fn is_original(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        ORIGINALS.iter().any(|original| {
            let below = host.strip_suffix(original);
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        })
    }

    /// The URL of a call.
    pub(super) fn url(&self, call: &str, model: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            if self.variant.paths == Paths::Deployment {
                path.extend(["openai", "deployments", model]);
            }
            path.extend(["images", call]);
        }
        if let Some(version) = &self.api_version {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        url
    }
}

fn base_url(settings: &ProviderSettings, variant: &Variant) -> Result<Url, String> {
    let Some(text) = settings.text("base_url").or(variant.base_url) else {
        return Err(format!(
            "`base_url` is missing; `{}` has no usual address",
            variant.name
        ));
    };
    let right = "`base_url` must be an http or https URL such as `https://api.openai.com/v1`, without user, query or fragment";
    let url = Url::parse(text).map_err(|_| right.to_owned())?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_web && is_plain)
        .then_some(url)
        .ok_or_else(|| right.to_owned())
}

fn api_version(settings: &ProviderSettings, variant: &Variant) -> Result<Option<String>, String> {
    match variant.paths {
        Paths::Deployment => settings
            .required("api_version")
            .map(|text| Some(text.to_owned())),
        Paths::Plain if settings.text("api_version").is_some() => Err(format!(
            "`api_version` means nothing to `{}`; the variant `azure` has it",
            variant.name
        )),
        Paths::Plain => Ok(None),
    }
}

fn api_key(settings: &ProviderSettings, variant: &Variant) -> Result<Option<ApiKey>, String> {
    let text = match variant.key {
        Key::Optional => settings.text("api_key").filter(|text| !text.is_empty()),
        Key::Bearer | Key::Header(_) => Some(settings.required("api_key")?),
    };
    let Some(text) = text.map(str::trim) else {
        return Ok(None);
    };
    let (header, value) = match variant.key {
        Key::Header(name) => (HeaderName::from_static(name), text.to_owned()),
        Key::Bearer | Key::Optional => (reqwest::header::AUTHORIZATION, format!("Bearer {text}")),
    };
    let mut value = HeaderValue::from_str(&value)
        .ok()
        .filter(|_| !text.is_empty())
        .ok_or("`api_key` must be a text that fits into a header")?;
    value.set_sensitive(true);
    Ok(Some(ApiKey {
        header,
        value,
        text: text.to_owned(),
    }))
}

fn proxy(settings: &ProviderSettings) -> Result<Proxy, String> {
    match settings.text("proxy") {
        None => Ok(Proxy::Environment),
        Some("none") => Ok(Proxy::None),
        Some(text) => Url::parse(text).map(Proxy::Url).map_err(|_| {
            "`proxy` must be `none` or the URL of a proxy; without it the environment decides"
                .to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(options: &[(&str, &str)]) -> ProviderSettings {
        ProviderSettings {
            name: "up".to_owned(),
            kind: "openai".to_owned(),
            options: options
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn each_variant_has_its_urls_and_its_header() {
        let check = |options: &[(&str, &str)], url: &str, header: &str| {
            let read = Settings::read(&settings(options)).expect("they are right");
            assert_eq!(read.url("generations", "my model").as_str(), url);
            assert_eq!(read.key.expect("a key").header, header);
        };
        check(
            &[("api_key", "k")],
            "https://api.openai.com/v1/images/generations",
            "authorization",
        );
        check(
            &[("api_key", "k"), ("base_url", "http://h:1/a/v1/")],
            "http://h:1/a/v1/images/generations",
            "authorization",
        );
        check(
            &[
                ("variant", "azure"),
                ("api_key", "k"),
                ("base_url", "https://r.openai.azure.com"),
                ("api_version", "2025-04-01-preview"),
            ],
            "https://r.openai.azure.com/openai/deployments/my%20model/images/generations?api-version=2025-04-01-preview",
            "api-key",
        );
    }

    #[test]
    fn a_gateway_is_told_from_the_api_itself() {
        for (base_url, is_original) in [
            ("https://api.openai.com/v1", true),
            ("https://eu.api.openai.com/v1", true),
            ("https://r.openai.azure.com", true),
            ("https://notopenai.com/v1", false),
            ("https://openai.com.gateway.example/v1", false),
            ("http://127.0.0.1:4000/v1", false),
        ] {
            let read = Settings::read(&settings(&[("api_key", "k"), ("base_url", base_url)]));
            assert_eq!(
                read.expect("they are right").is_original(),
                is_original,
                "{base_url}"
            );
        }
    }

    #[test]
    fn nobody_hangs_up_before_the_engine_but_an_operator_who_says_so() {
        let read = |options: &[(&str, &str)]| {
            let all = [&[("api_key", "k")][..], options].concat();
            let read = Settings::read(&settings(&all)).expect("they are right");
            (read.response_timeout, read.idle_timeout)
        };
        let Timeouts { attempt, late, .. } = Timeouts::default();
        assert_eq!(read(&[]), (attempt + late, attempt + late));
        let shorter = [("response_timeout_s", "600"), ("idle_timeout_s", "120")];
        let seconds = Duration::from_secs;
        assert_eq!(read(&shorter), (seconds(600), seconds(120)));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_key_is_shown() {
        let check = |options: &[(&str, &str)], wrong: &str| {
            let error = Settings::read(&settings(options))
                .err()
                .expect("it is wrong");
            assert!(error.contains(wrong), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        };
        check(&[], "`api_key` is missing");
        check(&[("api_key", "s3cret\n\u{7f}")], "`api_key` must be");
        check(
            &[("api_key", "k"), ("variant", "olama")],
            "openai, azure, compatible",
        );
        check(&[("variant", "localai")], "`base_url` is missing");
        check(
            &[("api_key", "k"), ("base_url", "https://u:s3cret@h/v1")],
            "`base_url` must be",
        );
        check(
            &[("api_key", "k"), ("base_url", "ftp://h")],
            "`base_url` must be",
        );
        check(
            &[("api_key", "k"), ("api_version", "1")],
            "the variant `azure`",
        );
        check(
            &[("api_key", "k"), ("concurrency", "0")],
            "`concurrency` must be",
        );
        check(&[("api_key", "k"), ("idle_timeout_s", "0")], "at least 1");
        check(
            &[("api_key", "k"), ("response_timeout_s", "1801")],
            "`response_timeout_s` must be at most 1800, got 1801: a call is given up after 900 s and heard on for 900 s more",
        );
        check(
            &[("api_key", "k"), ("idle_timeout_s", "3600")],
            "`idle_timeout_s` must be at most 1800",
        );
        check(&[("api_key", "k"), ("retry_503", "yes")], "true or false");
        check(
            &[("api_key", "k"), ("organisation", "x")],
            "`organisation` is not a setting",
        );
    }
}
