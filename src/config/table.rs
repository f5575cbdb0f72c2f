//! The table of settings: one row each.

use super::{LogFormat, Settings};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// One setting.
#[derive(Clone, Copy)]
pub struct Setting {
    /// Its name: the key in the file. Its variable is `PINHOLE_` and the name in upper case.
    pub name: &'static str,
    /// What it is, in one line, with its unit.
    pub help: &'static str,
    /// What it is when nobody says.
    pub preset: Preset,
    /// A value as the file writes it: the default where that is fixed, else an example.
    pub example: &'static str,
    /// Sets it from text; relative paths are relative to the folder. The error completes "must be …".
    pub set: fn(&mut Settings, &str, &Path) -> Result<(), String>,
}

/// What a setting is when nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// This.
    Text(&'static str),
    /// It is off.
    Nothing,
    /// `pinhole` in the folder where programs of this user keep data.
    DataHome,
    /// `catalogue` beside the configuration file, if there is one.
    BesideFile,
}

/// Every setting, in the order in which it is explained.
pub const TABLE: &[Setting] = &[
    Setting {
        name: "listen",
        help: "Where the server listens: address and port.",
        preset: Preset::Text("127.0.0.1:7070"),
        example: r#""127.0.0.1:7070""#,
        set: |to, text, _| address(text).map(|value| to.listen = value),
    },
    Setting {
        name: "data",
        help: "The folder for the database and the stored images.",
        preset: Preset::DataHome,
        example: r#""/var/lib/pinhole""#,
        set: |to, text, folder| path(text, folder).map(|value| to.data = value),
    },
    Setting {
        name: "public_url",
        help: "Scheme, host and base path under which clients reach the server; result URLs begin with it.",
        preset: Preset::Nothing,
        example: r#""https://images.example.com""#,
        set: |to, text, _| optional(text, public_url).map(|value| to.public_url = value),
    },
    Setting {
        name: "trusted_proxies",
        help: "Addresses or networks (CIDR) of proxies whose X-Forwarded-* headers are believed.",
        preset: Preset::Nothing,
        example: r#"["127.0.0.1", "10.0.0.0/8"]"#,
        set: |to, text, _| list(text, network).map(|value| to.trusted_proxies = value),
    },
    Setting {
        name: "allow_private_networks",
        help: "Private addresses or networks (CIDR) that links of clients may lead to: input images, callbacks, results.",
        preset: Preset::Nothing,
        example: r#"["192.168.7.0/24"]"#,
        set: |to, text, _| list(text, network).map(|value| to.allow_private_networks = value),
    },
    Setting {
        name: "metrics_listen",
        help: "A second address and port that serves /metrics without a key.",
        preset: Preset::Nothing,
        example: r#""127.0.0.1:7071""#,
        set: |to, text, _| optional(text, address).map(|value| to.metrics_listen = value),
    },
    Setting {
        name: "drain_s",
        help: "How long running calls may finish after SIGTERM, in seconds.",
        preset: Preset::Text("600"),
        example: "600",
        set: |to, text, _| {
            number(text, "seconds", 0, 86_400).map(|s| to.drain = Duration::from_secs(s))
        },
    },
    Setting {
        name: "keep_days",
        help: "How long results are kept, in days.",
        preset: Preset::Text("30"),
        example: "30",
        set: |to, text, _| {
            number(text, "days", 1, 36_500)
                .map(|days| to.keep_results = Duration::from_secs(days * 86_400))
        },
    },
    Setting {
        name: "keep_test_hours",
        help: "How long results of test keys are kept, in hours.",
        preset: Preset::Text("24"),
        example: "24",
        set: |to, text, _| {
            number(text, "hours", 1, 876_000)
                .map(|hours| to.keep_test_results = Duration::from_secs(hours * 3_600))
        },
    },
    Setting {
        name: "min_free_mib",
        help: "New work is refused while the data folder's disk has less free space than this, in MiB.",
        preset: Preset::Text("1024"),
        example: "1024",
        set: |to, text, _| number(text, "MiB", 0, 1 << 30).map(|mib| to.min_free_bytes = mib << 20),
    },
    Setting {
        name: "test_concurrency",
        help: "How many tasks of test keys run at once; the rest wait.",
        preset: Preset::Text("2"),
        example: "2",
        set: |to, text, _| {
            let tasks = number(text, "tasks", 1, 1_024)?;
            to.test_concurrency = u32::try_from(tasks).expect("at most 1024");
            Ok(())
        },
    },
    Setting {
        name: "task_deadline_s",
        help: "How long a task may take from its acceptance to its end, waiting included, in seconds.",
        preset: Preset::Text("3600"),
        example: "3600",
        set: |to, text, _| {
            number(text, "seconds", 1, 604_800).map(|s| to.task_deadline = Duration::from_secs(s))
        },
    },
    Setting {
        name: "catalogue",
        help: "A folder of model files that add to the built-in models and override them.",
        preset: Preset::BesideFile,
        example: r#""catalogue""#,
        set: |to, text, folder| {
            optional(text, |text| path(text, folder)).map(|value| to.catalogue = value)
        },
    },
    Setting {
        name: "log",
        help: "What is logged: off, error, warn, info, debug or trace, also per module (warn,pinhole=debug).",
        preset: Preset::Text("info"),
        example: r#""info""#,
        set: |to, text, _| filter(text).map(|value| to.log = value),
    },
    Setting {
        name: "log_format",
        help: "How a line of the log looks: text, or json (one object a line).",
        preset: Preset::Text("text"),
        example: r#""text""#,
        set: |to, text, _| log_format(text).map(|value| to.log_format = value),
    },
];

impl Setting {
    /// Its environment variable.
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Its help and its default, for an error or the default file.
    pub(super) fn explained(&self) -> String {
        format!("{} Default: {}.", self.help, self.preset.words())
    }
}

impl Preset {
    /// In words.
    fn words(self) -> &'static str {
        match self {
            Self::Text(text) => text,
            Self::Nothing => "none",
            Self::DataHome => "$XDG_DATA_HOME/pinhole, or ~/.local/share/pinhole",
            Self::BesideFile => "catalogue/ beside the configuration file, if it is there",
        }
    }
}

/// The variable of a setting.
pub(super) fn variable(name: &str) -> String {
    format!("PINHOLE_{}", name.to_uppercase())
}

/// A configuration file that sets nothing and explains every key.
pub fn default_file() -> String {
    let mut text = String::from(
        "# Pinhole's settings.\n\
         #\n\
         # A flag wins over an environment variable, a variable over this file, this file over the default. The\n\
         # variable of a setting is PINHOLE_ and its name in upper case: PINHOLE_LISTEN. Relative paths begin at\n\
         # this file. `pinhole config show --origin` tells where each value comes from.\n",
    );
    for row in TABLE {
        let (help, name, example) = (row.help, row.name, row.example);
        let preset = row.preset.words();
        text += &format!("\n# {help}\n# Default: {preset}\n# {name} = {example}\n");
    }
    text += "\n\
        # Providers: any number of instances of any kind, under the name by which model files call them. What an\n\
        # instance may say besides its kind depends on the kind. `openai` turns on by itself when OPENAI_API_KEY is set\n\
        # (its address: OPENAI_BASE_URL, with /v1), unless its section names a key or an address of its own.\n\
        # [provider.my-azure]\n\
        # kind = \"openai\"\n\
        # variant = \"azure\"\n\
        # base_url = \"https://my-resource.openai.azure.com\"\n\
        # api_version = \"2025-04-01-preview\"\n\
        # api_key = \"…\"\n";
    text
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let right = "an address and a port such as `127.0.0.1:7070`, `0.0.0.0:80` or `[::1]:7070`";
    text.trim().parse().map_err(|_| right.to_owned())
}

fn path(text: &str, folder: &Path) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the path of a folder".to_owned());
    }
    Ok(folder.join(text))
}

fn number(text: &str, unit: &str, least: u64, most: u64) -> Result<u64, String> {
    let right = || format!("a whole number of {unit} from {least} to {most}");
    let digits = text.trim();
    let number = u64::from_str(digits).map_err(|_| right())?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(right())
    }
}

/// Nothing for an empty text.
fn optional<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    match text.trim() {
        "" => Ok(None),
        text => read(text).map(Some),
    }
}

/// Items between commas.
fn list<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let items = text.split(',').map(str::trim);
    items.filter(|item| !item.is_empty()).map(read).collect()
}

/// A network, or a lone address as the network of itself.
fn network(text: &str) -> Result<IpNet, String> {
    let alone = || IpAddr::from_str(text).map(IpNet::from).ok();
    let right = "addresses or networks such as `127.0.0.1, 10.0.0.0/8`";
    IpNet::from_str(text)
        .ok()
        .or_else(alone)
        .ok_or_else(|| right.to_owned())
}

fn public_url(text: &str) -> Result<String, String> {
    let right = || {
        "an http or https URL such as `https://images.example.com/pinhole`, without user, query or fragment"
            .to_owned()
    };
    let url = hyper::Uri::from_str(text).map_err(|_| right())?;
    let web = matches!(url.scheme_str(), Some("http" | "https"));
    let host = url.host().is_some_and(|host| !host.is_empty());
    if !web || !host || text.contains(['@', '?', '#']) {
        return Err(right());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A lone word that is no level would be read as a module's name and silence everything else: a typo of a level
/// more likely than not.
fn filter(text: &str) -> Result<String, String> {
    let right = || {
        "a level (off, error, warn, info, debug, trace) or `module=level`, joined by commas"
            .to_owned()
    };
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    let level_or_pair =
        |part: &&str| part.contains(['=', '[']) || LevelFilter::from_str(part).is_ok();
    let filter = parts.join(",");
    if filter.is_empty() || !parts.iter().all(level_or_pair) || EnvFilter::try_new(&filter).is_err()
    {
        return Err(right());
    }
    Ok(filter)
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text.trim() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("`text` or `json`".to_owned()),
    }
}
