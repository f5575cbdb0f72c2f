//! Typed settings: where each value comes from and what it may be.
//!
//! The only module that reads the environment. Precedence: flag, environment, file, default.

use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that the application can be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// Scheme, host and base path under which clients reach it; `None` takes each request's own `Host`.
    pub public_url: Option<String>,
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// A second address that serves `/metrics` without a key.
    pub metrics_listen: Option<SocketAddr>,
    /// How long synchronous calls may finish after SIGTERM.
    pub drain: Duration,
    /// How long results of live keys are kept.
    pub keep_results: Duration,
    /// How long results of test keys are kept.
    pub keep_test_results: Duration,
    /// Nothing is admitted with less free space than this, in bytes.
    pub min_free_bytes: u64,
    /// How many tasks of test keys run at once.
    pub test_concurrency: u32,
    /// A folder of model files that extend and override the built-in ones.
    pub catalogue: Option<PathBuf>,
    /// Instances of providers.
    pub providers: Vec<ProviderSettings>,
}

/// One `[provider.NAME]` section: its kind, and the rest for the provider itself to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderSettings {
    /// The instance's name, as catalogue targets call it.
    pub name: String,
    /// Which provider it is.
    pub kind: String,
    /// Everything else in the section, as text.
    pub options: BTreeMap<String, String>,
}

impl ProviderSettings {
    /// An optional text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    /// A text that must be there.
    pub fn required(&self, key: &str) -> Result<&str, String> {
        self.text(key).ok_or_else(|| format!("`{key}` is missing"))
    }

    /// A whole number, or `default`.
    pub fn number(&self, key: &str, default: u64) -> Result<u64, String> {
        match self.text(key) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("`{key}` must be a whole number, got `{text}`")),
        }
    }

    /// Refuses keys that the provider does not read.
    pub fn allow(&self, keys: &[&str]) -> Result<(), String> {
        match self
            .options
            .keys()
            .find(|key| !keys.contains(&key.as_str()))
        {
            None => Ok(()),
            Some(key) => Err(format!(
                "`{key}` is not a setting of `{}`; there are {}",
                self.kind,
                keys.join(", ")
            )),
        }
    }
}
