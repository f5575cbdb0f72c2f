//! Typed settings: where each value comes from and what it may be.
//!
//! The only module that reads the environment. Precedence: flag, environment, file, default. Each setting is one row
//! of [`TABLE`]; its flag, variable, key in the file, check and line of documentation all come from there. A wrong
//! value says where it stands, what is wrong and what would be right; a value that may be a secret is never printed.

mod error;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod secret;
mod table;
mod upstream;

pub use error::ConfigError;
pub use table::{Setting, TABLE, default_file};

use crate::types::lease::LEASE;
use file::File;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything that the application can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// Scheme, host and base path under which clients reach it, without a slash at the end; `None` takes each
    /// request's own `Host`.
    pub public_url: Option<String>,
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks that are not public and that links of clients may lead to all the same.
    pub allow_private_networks: Vec<IpNet>,
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
    /// How long a task may take from its acceptance to its end.
    pub task_deadline: Duration,
    /// A folder of model files that extend and override the built-in ones.
    pub catalogue: Option<PathBuf>,
    /// What is logged: a checked filter such as `info` or `warn,pinhole=debug`.
    pub log: String,
    /// How a line of the log looks.
    pub log_format: LogFormat,
    /// Instances of providers.
    pub providers: Vec<ProviderSettings>,
    /// How long others are waited for. Not an operator's affair; tests make it short.
    pub timeouts: Timeouts,
}

/// How long others are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To send the first byte, and then the rest of the headers.
    pub headers: Duration,
    /// To send the next bytes in the middle of a body.
    pub body_idle: Duration,
    /// To send the rest of a body that is already refused.
    pub after_refusal: Duration,
    /// For a single upstream call, from its first byte to its last. Longer than the synchronous wait, shorter than anybody's
    /// patience.
    pub attempt: Duration,
    /// For a callback, from the look-up of its name to its answer.
    pub callback: Duration,
    /// How long a second is between the attempts to deliver a callback.
    pub callback_second: Duration,
    /// For a call that was given up and may still bring something, and for an upstream to know a call that it is asked
    /// after.
    pub late: Duration,
    /// For a sign of life of another process on the same rows.
    pub lease: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(15),
            body_idle: Duration::from_secs(30),
            after_refusal: Duration::from_secs(5),
            attempt: Duration::from_secs(900),
            callback: Duration::from_secs(10),
            callback_second: Duration::from_secs(1),
            late: Duration::from_secs(900),
            lease: LEASE,
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// One `[provider.NAME]` section: its kind, and the rest for the provider itself to read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProviderSettings {
    /// The instance's name, as catalogue targets call it.
    pub name: String,
    /// Which provider it is.
    pub kind: String,
    /// Everything else in the section, as text.
    pub options: BTreeMap<String, String>,
}

/// What the command line says, as text: this module checks it.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<String>,
    /// `--data`
    pub data: Option<String>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--set NAME=VALUE`, any number of times; the last of a name counts.
    pub set: Vec<(String, String)>,
}

/// Settings, and where they came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Every setting in the table's order, then the options of providers.
    pub origins: Vec<Sourced>,
    /// What was ignored and looks like a mistake, a sentence each.
    pub warnings: Vec<String>,
}

/// One setting as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// `listen`, or `provider.NAME.key`.
    pub name: String,
    /// The value as text, `***` if it may be a secret, empty if there is none.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line: the flag as it is typed.
    Flag(String),
    /// This environment variable.
    Variable(String),
    /// This line of this file, counted from 1.
    File(PathBuf, usize),
    /// Nobody said anything.
    Default,
}

/// What the process finds around itself. Made up in tests.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<String, OsString>,
    /// Where a configuration file may lie when none is named; the first that exists is read.
    pub places: Vec<PathBuf>,
}

impl Settings {
    /// Reads flags, the environment and the file.
    pub fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
        Self::load_in(flags, &Surroundings::of_process())
    }

    /// As [`Settings::load`], in surroundings of the caller's choice.
    pub fn load_in(flags: &Flags, around: &Surroundings) -> Result<Loaded, ConfigError> {
        refuse_other_stores(around)?;
        let file = find_file(flags, around)?;
        let mut loaded = Loaded {
            settings: Self::blank(),
            file: file.as_ref().map(|file| file.path.clone()),
            origins: Vec::new(),
            warnings: unknown_variables(around),
        };
        for row in TABLE {
            let sourced = set_one(&mut loaded.settings, row, flags, around, file.as_ref())?;
            loaded.origins.push(sourced);
        }
        refuse_unknown_names(flags)?;
        if let Some(file) = &file {
            let (providers, origins) = file.providers()?;
            loaded.settings.providers = providers;
            loaded.origins.extend(origins);
        }
        upstream::turn_on(&mut loaded, around)?;
        Ok(loaded)
    }

    /// The defaults, with this data folder.
    pub fn defaults(data: impl Into<PathBuf>) -> Self {
        let mut settings = Self::blank();
        for row in TABLE {
            if let table::Preset::Text(text) = row.preset {
                (row.set)(&mut settings, text, Path::new(""))
                    .expect("a test sets every default of the table");
            }
        }
        settings.data = data.into();
        settings
    }

    /// Nothing, before the table fills it in.
    fn blank() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: PathBuf::new(),
            public_url: None,
            trusted_proxies: Vec::new(),
            allow_private_networks: Vec::new(),
            metrics_listen: None,
            drain: Duration::ZERO,
            keep_results: Duration::ZERO,
            keep_test_results: Duration::ZERO,
            min_free_bytes: 0,
            test_concurrency: 0,
            task_deadline: Duration::ZERO,
            catalogue: None,
            log: String::new(),
            log_format: LogFormat::Text,
            providers: Vec::new(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Loaded {
    /// Where this setting came from.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        let found = self.origins.iter().find(|one| one.name == name);
        found.map(|one| &one.origin)
    }
}

impl Surroundings {
    /// Those of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        Self {
            variables,
            places: vec!["pinhole.toml".into(), "/etc/pinhole/pinhole.toml".into()],
        }
    }

    /// The arguments, with the program's name before them.
    pub fn arguments() -> Vec<OsString> {
        std::env::args_os().collect()
    }

    /// A variable's value. An empty one counts as unset, as in compose files that pass everything on.
    fn find(&self, name: &str) -> Result<Option<&str>, ConfigError> {
        let value = self.variables.get(name).filter(|value| !value.is_empty());
        let not_text = || ConfigError::plain(format!("`{name}` is not UTF-8 text"));
        value
            .map(|value| value.to_str().ok_or_else(not_text))
            .transpose()
    }

    /// The folder where programs of this user keep their data. A relative `XDG_DATA_HOME` is ignored, as its
    /// specification asks.
    fn data_home(&self) -> Result<Option<PathBuf>, ConfigError> {
        let absolute = |text: &str| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
        if let Some(path) = self.find("XDG_DATA_HOME")?.and_then(absolute) {
            return Ok(Some(path));
        }
        let home = self.find("HOME")?.and_then(absolute);
        Ok(home.map(|home| home.join(".local/share")))
    }
}

/// Sets one row from the first of flag, variable, file and default that has it.
fn set_one(
    settings: &mut Settings,
    row: &Setting,
    flags: &Flags,
    around: &Surroundings,
    file: Option<&File>,
) -> Result<Sourced, ConfigError> {
    let variable = row.variable();
    let here = Path::new("");
    let (value, origin) = if let Some((flag, text)) = flags.find(row.name) {
        (row.set)(settings, text, here)
            .map_err(|right| ConfigError::wrong_value(row, &flag, text, &right))?;
        (text.to_owned(), Origin::Flag(flag))
    } else if let Some(text) = around.find(&variable)? {
        (row.set)(settings, text, here)
            .map_err(|right| ConfigError::wrong_value(row, &variable, text, &right))?;
        (text.to_owned(), Origin::Variable(variable))
    } else if let Some((text, line)) = file
        .map(|file| file.set(settings, row))
        .transpose()?
        .flatten()
    {
        let path = file.map(|file| file.path.clone()).unwrap_or_default();
        (text, Origin::File(path, line))
    } else {
        (set_default(settings, row, around, file)?, Origin::Default)
    };
    Ok(Sourced {
        name: row.name.to_owned(),
        value: secret::shown(row.name, &value),
        origin,
    })
}

/// Sets one row to its default; gives the default as text.
fn set_default(
    settings: &mut Settings,
    row: &Setting,
    around: &Surroundings,
    file: Option<&File>,
) -> Result<String, ConfigError> {
    let text = match row.preset {
        table::Preset::Nothing => return Ok(String::new()),
        table::Preset::Text(text) => text.to_owned(),
        table::Preset::DataHome => {
            let Some(home) = around.data_home()? else {
                return Err(ConfigError::plain(
                    "there is no home folder to keep data in; name one with `--data` or `PINHOLE_DATA`",
                ));
            };
            home.join("pinhole").to_string_lossy().into_owned()
        }
        table::Preset::BesideFile => {
            let beside = file.map(|file| file.folder().join("catalogue"));
            match beside.filter(|folder| folder.is_dir()) {
                None => return Ok(String::new()),
                Some(folder) => folder.to_string_lossy().into_owned(),
            }
        }
    };
    (row.set)(settings, &text, Path::new(""))
        .map_err(|right| ConfigError::wrong_value(row, "the default", &text, &right))?;
    Ok(text)
}

/// The file that the flag or the variable names, else the first of the usual places that exists.
fn find_file(flags: &Flags, around: &Surroundings) -> Result<Option<File>, ConfigError> {
    if let Some(path) = &flags.config {
        return File::read(path, "--config").map(Some);
    }
    if let Some(path) = around.find("PINHOLE_CONFIG")? {
        return File::read(Path::new(path), "PINHOLE_CONFIG").map(Some);
    }
    let found = around.places.iter().find(|path| path.exists());
    found
        .map(|path| File::read(path, "found in its usual place"))
        .transpose()
}

/// Variables that name another store than the one there is. Carrying on would put the data where nobody looks.
const OTHER_STORES: &[(&str, &str)] = &[
    (
        "database_url",
        "this version stores its rows only in SQLite, in the data folder",
    ),
    (
        "storage_url",
        "this version stores its files only on the local disk, in the data folder",
    ),
];

fn refuse_other_stores(around: &Surroundings) -> Result<(), ConfigError> {
    for (name, why) in OTHER_STORES {
        let variable = table::variable(name);
        if around.find(&variable)?.is_some() {
            return Err(ConfigError::plain(format!(
                "`{variable}` is set, but {why}; unset it to go on"
            )));
        }
    }
    Ok(())
}

/// Variables of ours that are no settings of the server.
const OTHER_VARIABLES: &[&str] = &[
    "PINHOLE_CONFIG",
    "PINHOLE_API_KEY",
    "PINHOLE_URL",
    "PINHOLE_DATABASE_URL",
    "PINHOLE_STORAGE_URL",
];

/// A typo in a variable is silent otherwise: the setting just keeps its default.
fn unknown_variables(around: &Surroundings) -> Vec<String> {
    let known: Vec<String> = TABLE
        .iter()
        .map(Setting::variable)
        .chain(OTHER_VARIABLES.iter().map(|&name| name.to_owned()))
        .collect();
    let ours = around
        .variables
        .keys()
        .filter(|name| name.starts_with("PINHOLE_"));
    ours.filter(|name| !known.contains(name))
        .map(|name| {
            let hint = error::did_you_mean(name, known.iter().map(String::as_str));
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("`{name}` is no setting and was ignored{hint}")
        })
        .collect()
}

/// `--set` with a name that is not in the table.
fn refuse_unknown_names(flags: &Flags) -> Result<(), ConfigError> {
    let names = || TABLE.iter().map(|row| row.name);
    match flags
        .set
        .iter()
        .find(|(name, _)| !names().any(|known| known == name))
    {
        None => Ok(()),
        Some((name, _)) => Err(ConfigError::plain(format!(
            "`--set {name}`: there is no setting `{name}`"
        ))
        .with_help(error::suggestion(name, names()))),
    }
}

impl Flags {
    /// The flag that sets this, as it is typed, and its text. A flag of its own wins over `--set`.
    fn find(&self, name: &str) -> Option<(String, &str)> {
        let own = match name {
            "listen" => self.listen.as_deref(),
            "data" => self.data.as_deref(),
            _ => None,
        };
        if let Some(text) = own {
            return Some((format!("--{name}"), text));
        }
        let set = self.set.iter().rfind(|(set, _)| set == name);
        set.map(|(name, text)| (format!("--set {name}"), text.as_str()))
    }
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
            Some(text) => text.parse().map_err(|_| {
                let shown = secret::shown(key, text);
                format!("`{key}` must be a whole number, got `{shown}`")
            }),
        }
    }

    /// Yes or no, or `default`.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, String> {
        match self.text(key) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(text) => {
                let shown = secret::shown(key, text);
                Err(format!("`{key}` must be true or false, got `{shown}`"))
            }
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

/// Without secrets, so that settings may be logged.
impl fmt::Debug for ProviderSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(key, text): (&String, &String)| (key.clone(), secret::shown(key, text));
        let options: BTreeMap<_, _> = self.options.iter().map(shown).collect();
        f.debug_struct("ProviderSettings")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("options", &options)
            .finish()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Variable(name) => write!(f, "{name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}

#[cfg(test)]
mod tests;
