//! What users see: which value wins, and what a wrong one looks like.

use super::*;
use miette::{GraphicalReportHandler, GraphicalTheme};
use std::net::{IpAddr, Ipv4Addr};

/// A folder with a configuration file, and an environment.
struct Case {
    folder: tempfile::TempDir,
    around: Surroundings,
}

impl Case {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pinhole.toml");
        std::fs::write(&path, file).expect("the file is written");
        let mut case = Self {
            folder,
            around: Surroundings {
                variables: BTreeMap::new(),
                places: vec![path],
            },
        };
        case.variable("HOME", "/home/ada");
        case
    }

    fn without_file() -> Self {
        let mut case = Self::new("");
        case.around.places.clear();
        case
    }

    fn variable(&mut self, name: &str, value: &str) {
        self.around.variables.insert(name.into(), value.into());
    }

    fn load(&self, flags: &Flags) -> Loaded {
        Settings::load_in(flags, &self.around).unwrap_or_else(|error| {
            panic!("{}", render(&error));
        })
    }

    /// The rendered error, with the folder's name taken out.
    fn error(&self, flags: &Flags) -> String {
        let error = Settings::load_in(flags, &self.around).expect_err("it is wrong");
        let folder = format!("{}/", self.folder.path().display());
        render(&error).replace(&folder, "")
    }
}

fn render(error: &ConfigError) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(200)
        .render_report(&mut out, error)
        .expect("a string takes everything");
    let lines: Vec<_> = out.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

fn set(name: &str, value: &str) -> Flags {
    Flags {
        set: vec![(name.into(), value.into())],
        ..Flags::default()
    }
}

#[test]
fn without_anything_there_are_the_defaults() {
    let loaded = Case::without_file().load(&Flags::default());
    assert_eq!(
        loaded.settings,
        Settings::defaults("/home/ada/.local/share/pinhole")
    );
    assert_eq!(loaded.settings.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(loaded.settings.drain, Duration::from_secs(600));
    assert_eq!(
        loaded.settings.keep_results,
        Duration::from_secs(30 * 86_400)
    );
    assert_eq!(
        loaded.settings.keep_test_results,
        Duration::from_secs(86_400)
    );
    assert_eq!(loaded.settings.min_free_bytes, 1 << 30);
    assert_eq!(loaded.settings.test_concurrency, 2);
    assert_eq!(loaded.settings.task_deadline, Duration::from_secs(3600));
    assert_eq!(loaded.settings.log, "info");
    assert_eq!(loaded.settings.log_format, LogFormat::Text);
    assert_eq!(loaded.file, None);
    assert_eq!(loaded.origins.len(), TABLE.len());
    assert!(
        loaded
            .origins
            .iter()
            .all(|one| one.origin == Origin::Default)
    );
}

#[test]
fn flag_wins_over_variable_over_file_over_default() {
    let mut case = Case::new("# ours\n\nlisten = \"127.0.0.1:1\"\n");
    let check = |case: &Case, flags: &Flags, port: u16, origin: &str| {
        let loaded = case.load(flags);
        assert_eq!(loaded.settings.listen.port(), port);
        let found = loaded
            .origin("listen")
            .expect("it is in the table")
            .to_string();
        assert!(found.ends_with(origin), "{found} is not {origin}");
    };
    check(&Case::without_file(), &Flags::default(), 7070, "default");
    check(&case, &Flags::default(), 1, "pinhole.toml:3");
    case.variable("PINHOLE_LISTEN", "");
    check(&case, &Flags::default(), 1, "pinhole.toml:3");
    case.variable("PINHOLE_LISTEN", "127.0.0.1:2");
    check(&case, &Flags::default(), 2, "PINHOLE_LISTEN");
    check(&case, &set("listen", "127.0.0.1:3"), 3, "--set listen");
    let flags = Flags {
        listen: Some("127.0.0.1:4".into()),
        ..set("listen", "127.0.0.1:3")
    };
    check(&case, &flags, 4, "--listen");
}

#[test]
fn every_setting_is_read_from_every_source() {
    let values = [
        ("listen", "0.0.0.0:80"),
        ("data", "/srv/data"),
        ("public_url", "https://example.com/images/"),
        ("trusted_proxies", "10.0.0.0/8,::1"),
        ("allow_private_networks", "192.168.7.0/24, fd12::/16"),
        ("metrics_listen", "[::1]:9"),
        ("drain_s", "0"),
        ("keep_days", "7"),
        ("keep_test_hours", "1"),
        ("min_free_mib", "5"),
        ("test_concurrency", "9"),
        ("task_deadline_s", "120"),
        ("catalogue", "/srv/models"),
        ("log", "warn,pinhole=debug"),
        ("log_format", "json"),
    ];
    let names: Vec<_> = TABLE.iter().map(|row| row.name).collect();
    assert_eq!(values.map(|(name, _)| name).to_vec(), names);

    let mut by_variable = Case::without_file();
    let mut file = String::new();
    for (name, value) in values {
        by_variable.variable(&table::variable(name), value);
        file += &format!("{name} = \"{value}\"\n");
    }
    let by_flag = Flags {
        set: values
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        ..Flags::default()
    };
    let settings = by_variable.load(&Flags::default()).settings;
    assert_eq!(Case::new(&file).load(&Flags::default()).settings, settings);
    assert_eq!(Case::without_file().load(&by_flag).settings, settings);

    assert_eq!(
        settings.public_url.as_deref(),
        Some("https://example.com/images")
    );
    assert_eq!(settings.trusted_proxies.len(), 2);
    assert_eq!(settings.trusted_proxies[1].prefix_len(), 128);
    assert_eq!(settings.allow_private_networks.len(), 2);
    assert_eq!(settings.drain, Duration::ZERO);
    assert_eq!(settings.min_free_bytes, 5 << 20);
    assert_eq!(settings.log_format, LogFormat::Json);
}

#[test]
fn toml_types_are_read_as_they_are_meant() {
    let case = Case::new(
        "drain_s = 0x10\nkeep_days = 1_0\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\npublic_url = \"\"\n",
    );
    let settings = case.load(&Flags::default()).settings;
    assert_eq!(settings.drain, Duration::from_secs(16));
    assert_eq!(settings.keep_results, Duration::from_secs(10 * 86_400));
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    assert_eq!(settings.trusted_proxies[0], IpNet::from(localhost));
    assert_eq!(settings.trusted_proxies[1].prefix_len(), 8);
    assert_eq!(settings.public_url, None);
}

#[test]
fn relative_paths_of_the_file_begin_at_the_file() {
    let case = Case::new("data = \"d\"\ncatalogue = \"../models\"\n");
    let settings = case.load(&Flags::default()).settings;
    assert_eq!(settings.data, case.folder.path().join("d"));
    assert_eq!(
        settings.catalogue,
        Some(case.folder.path().join("../models"))
    );
    assert_eq!(case.load(&set("data", "d")).settings.data, Path::new("d"));
}

#[test]
fn the_catalogue_beside_the_file_is_found() {
    let case = Case::new("");
    assert_eq!(case.load(&Flags::default()).settings.catalogue, None);
    let folder = case.folder.path().join("catalogue");
    std::fs::create_dir(&folder).expect("a folder");
    let loaded = case.load(&Flags::default());
    assert_eq!(loaded.settings.catalogue, Some(folder));
    assert_eq!(loaded.origin("catalogue"), Some(&Origin::Default));
}

#[test]
fn the_data_folder_follows_the_desktop_rules() {
    let check = |variables: &[(&str, &str)], expected: &str| {
        let mut case = Case::without_file();
        variables
            .iter()
            .for_each(|(name, value)| case.variable(name, value));
        let data = case.load(&Flags::default()).settings.data;
        assert_eq!(data, Path::new(expected));
    };
    check(&[], "/home/ada/.local/share/pinhole");
    check(&[("XDG_DATA_HOME", "/xdg")], "/xdg/pinhole");
    check(
        &[("XDG_DATA_HOME", "xdg")],
        "/home/ada/.local/share/pinhole",
    );
    check(&[("PINHOLE_DATA", "here")], "here");
    let mut case = Case::without_file();
    case.around.variables.clear();
    assert_eq!(
        case.error(&Flags::default()),
        "  × there is no home folder to keep data in; name one with `--data` or `PINHOLE_DATA`"
    );
}

#[test]
fn the_file_is_the_named_one_or_the_first_that_exists() {
    let mut case = Case::new("keep_days = 1\n");
    let place = |case: &Case, name: &str| case.folder.path().join(name);
    let days =
        |case: &Case, flags: &Flags| case.load(flags).settings.keep_results.as_secs() / 86_400;
    std::fs::write(place(&case, "two.toml"), "keep_days = 2").expect("written");
    std::fs::write(place(&case, "three.toml"), "keep_days = 3").expect("written");
    case.around.places.insert(0, place(&case, "absent.toml"));
    assert_eq!(days(&case, &Flags::default()), 1);
    let two = place(&case, "two.toml");
    case.variable("PINHOLE_CONFIG", two.to_str().expect("a plain path"));
    assert_eq!(days(&case, &Flags::default()), 2);
    let mut flags = Flags {
        config: Some(place(&case, "three.toml")),
        ..Flags::default()
    };
    assert_eq!(days(&case, &flags), 3);
    flags.config = Some(place(&case, "absent.toml"));
    assert_eq!(
        case.error(&flags),
        "  × cannot read the configuration file `absent.toml` (--config): No such file or directory (os error 2)"
    );
}

#[test]
fn providers_are_sections_with_options_as_text() {
    let case = Case::new(
        "provider.a = { kind = \"sketch\" }\n\n[provider.my-azure]\nkind = \"openai\"\napi_key = \"hush\"\nconcurrency = 4\nstreaming = true\nregions = [\"eu\", \"us\"]\n",
    );
    let loaded = case.load(&Flags::default());
    let [a, azure] = &loaded.settings.providers[..] else {
        panic!("{:?}", loaded.settings.providers);
    };
    assert_eq!((a.name.as_str(), a.kind.as_str()), ("a", "sketch"));
    assert_eq!(
        (azure.name.as_str(), azure.kind.as_str()),
        ("my-azure", "openai")
    );
    assert_eq!(azure.text("api_key"), Some("hush"));
    assert_eq!(azure.number("concurrency", 1), Ok(4));
    assert_eq!(azure.text("streaming"), Some("true"));
    assert_eq!(azure.text("regions"), Some("eu,us"));
    let key = loaded
        .origins
        .iter()
        .find(|one| one.name == "provider.my-azure.api_key");
    let key = key.expect("options have origins too");
    assert_eq!(key.value, "***");
    assert!(
        key.origin.to_string().ends_with("pinhole.toml:5"),
        "{}",
        key.origin
    );
    assert!(!format!("{loaded:?}").contains("hush"));
}

/// The rendered diagnostic of a file, whole.
fn check_file(file: &str, expected: &str) {
    let found = Case::new(file).error(&Flags::default());
    assert_eq!(found, expected.trim_matches('\n'), "\n{found}\n");
}

#[test]
fn a_wrong_value_is_underlined_in_its_file() {
    check_file(
        "# our server\nlisten = 7070\n",
        r"
  × `listen` must be an address and a port such as `127.0.0.1:7070`, `0.0.0.0:80` or `[::1]:7070`, got `7070`
   ╭─[pinhole.toml:2:10]
 1 │ # our server
 2 │ listen = 7070
   ·          ──┬─
   ·            ╰── this value
   ╰────
  help: Where the server listens: address and port. Default: 127.0.0.1:7070.",
    );
    check_file(
        "drain_s = \"soon\"",
        r#"
  × `drain_s` must be a whole number of seconds from 0 to 86400, got `soon`
   ╭─[pinhole.toml:1:11]
 1 │ drain_s = "soon"
   ·           ───┬──
   ·              ╰── this value
   ╰────
  help: How long running calls may finish after SIGTERM, in seconds. Default: 600."#,
    );
}

#[test]
fn an_unknown_key_is_told_what_was_meant() {
    check_file(
        "\nlisten = \"127.0.0.1:1\"\nkeep_day = 3\n",
        r#"
  × there is no setting `keep_day`
   ╭─[pinhole.toml:3:1]
 2 │ listen = "127.0.0.1:1"
 3 │ keep_day = 3
   · ────┬───
   ·     ╰── unknown
   ╰────
  help: did you mean `keep_days`?"#,
    );
    check_file(
        "colour = 1",
        r"
  × there is no setting `colour`
   ╭─[pinhole.toml:1:1]
 1 │ colour = 1
   · ───┬──
   ·    ╰── unknown
   ╰────
  help: there are listen, data, public_url, trusted_proxies, allow_private_networks, metrics_listen, drain_s, keep_days, keep_test_hours, min_free_mib, test_concurrency, task_deadline_s, catalogue,
        log, log_format, provider",
    );
}

#[test]
fn broken_toml_is_underlined() {
    check_file(
        "keep_days = 3\nlisten = \"127.0.0.1:1\n",
        r#"
  × the configuration file is not valid TOML
   ╭─[pinhole.toml:2:22]
 1 │ keep_days = 3
 2 │ listen = "127.0.0.1:1
   ·                      ▲
   ·                      ╰── invalid basic string, expected `"`
   ╰────"#,
    );
    check_file(
        "log = \"info\"\nlog = \"warn\"\n",
        r#"
  × the configuration file is not valid TOML
   ╭─[pinhole.toml:2:1]
 1 │ log = "info"
 2 │ log = "warn"
   · ─┬─
   ·  ╰── duplicate key
   ╰────"#,
    );
}

#[test]
fn sections_of_providers_are_checked() {
    check_file(
        "[provider.azure]\napi_key = \"hush\"\n",
        r#"
  × provider `azure` needs a `kind`
   ╭─[pinhole.toml:1:11]
 1 │ [provider.azure]
   ·           ──┬──
   ·             ╰── this section
 2 │ api_key = ******
   ╰────
  help: The kind says which service it is: kind = "sketch"."#,
    );
    check_file(
        "[provider]\nkind = \"sketch\"\n",
        r#"
  × a provider needs a name
   ╭─[pinhole.toml:2:1]
 1 │ [provider]
 2 │ kind = "sketch"
   · ──┬─
   ·   ╰── not a section with a name
   ╰────
  help: Write [provider.NAME], with its `kind` below."#,
    );
}

#[test]
fn secrets_are_never_printed() {
    let cases = [
        // Beside, before and after the fault; in a fault's own line; in a file that does not parse.
        "[provider.a]\nkind = { x = 1 }\napi_key = \"hush\"\n",
        "[provider.a]\nkind = \"sketch\"\napi_key = { text = \"hush\" }\n",
        "[provider.a]\nmy-token = \"hush\nkind = \"sketch\"\n",
        "[provider.a]\npassword = '''\nhush\n'''\nkind = [[1]]\n",
        "[provider.a]\n\"client secret\" = hush\n",
        "provider.a = { kind = [[1]], API_KEY = \"hush\" }\n",
        "[provider.a]\nbase_url = \"https://u:hush@host/\"\nkind = { x = 1 }\n",
        "database_url = \"postgres://u:hush@host/db\"\n",
        "public_url = \"https://u:hush@host/\"\n",
    ];
    for file in cases {
        let shown = Case::new(file).error(&Flags::default());
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.contains("pinhole.toml:"), "{shown}");
    }
    let mut case = Case::without_file();
    case.variable("PINHOLE_PUBLIC_URL", "https://u:hush@host/");
    assert!(!case.error(&Flags::default()).contains("hush"));
}

#[test]
fn a_wrong_variable_and_a_wrong_flag_are_named() {
    let mut case = Case::without_file();
    case.variable("PINHOLE_KEEP_DAYS", "0");
    assert_eq!(
        case.error(&Flags::default()),
        "  × `PINHOLE_KEEP_DAYS` must be a whole number of days from 1 to 36500, got `0`\n  \
         help: How long results are kept, in days. Default: 30."
    );
    let flags = Flags {
        listen: Some("here".into()),
        ..Flags::default()
    };
    let shown = case.error(&flags);
    assert!(
        shown.contains("× `--listen` must be an address and a port such as"),
        "{shown}"
    );
    let shown = Case::without_file().error(&set("log_format", "xml"));
    assert!(
        shown.contains("× `--set log_format` must be `text` or `json`, got `xml`"),
        "{shown}"
    );
    let shown = Case::without_file().error(&set("lisen", "x"));
    assert_eq!(
        shown,
        "  × `--set lisen`: there is no setting `lisen`\n  help: did you mean `listen`?"
    );
}

#[test]
fn values_are_checked() {
    let good = |name, value| drop(Case::without_file().load(&set(name, value)));
    let bad = |name, value| {
        let shown = Case::without_file().error(&set(name, value));
        assert!(
            shown.contains(&format!("`--set {name}` must be ")),
            "{shown}"
        );
    };
    good("public_url", "http://10.0.0.1:7070/a/b");
    for value in [
        "example.com",
        "ftp://h",
        "http://",
        "http://h/?a",
        "http://h/#a",
        "http://u@h",
        "a b",
    ] {
        bad("public_url", value);
    }
    good("trusted_proxies", " 10.0.0.0/8 , ::1, ");
    bad("trusted_proxies", "10.0.0.0/8 ::1");
    good("log", "off");
    good("log", "INFO, pinhole::engine=trace");
    good("log", "info,pinhole[{task.id}]=trace");
    for value in ["", "inof", "info,pinhole", "pinhole=loud"] {
        bad("log", value);
    }
    good("test_concurrency", "1");
    for value in ["0", "-1", "1.5", "two", "1025", "99999999999999999999"] {
        bad("test_concurrency", value);
    }
    good("task_deadline_s", "1");
    bad("task_deadline_s", "0");
    bad("data", "");
    good("metrics_listen", "");
    bad("listen", "");
}

#[test]
fn a_variable_with_a_typo_is_reported() {
    let mut case = Case::without_file();
    case.variable("PINHOLE_LISTN", "127.0.0.1:1");
    case.variable("PINHOLE_COLOUR", "blue");
    case.variable("PINHOLE_API_KEY", "hush");
    case.variable("PINHOLE_URL", "http://h");
    case.variable("OPENAI_API_KEY", "hush");
    assert_eq!(
        case.load(&Flags::default()).warnings,
        [
            "`PINHOLE_COLOUR` is no setting and was ignored",
            "`PINHOLE_LISTN` is no setting and was ignored; did you mean `PINHOLE_LISTEN`?",
        ]
    );
}

#[test]
fn another_store_is_refused_not_ignored() {
    let check = |variable: &str, expected: &str| {
        let mut case = Case::without_file();
        case.variable(variable, "postgres://u:hush@h/db");
        assert_eq!(case.error(&Flags::default()), expected);
    };
    check(
        "PINHOLE_DATABASE_URL",
        "  × `PINHOLE_DATABASE_URL` is set, but this version stores its rows only in SQLite, in the data folder; unset it to go on",
    );
    check(
        "PINHOLE_STORAGE_URL",
        "  × `PINHOLE_STORAGE_URL` is set, but this version stores its files only on the local disk, in the data folder; unset it to go on",
    );
}

#[test]
fn the_default_file_changes_nothing_and_explains_everything() {
    let text = default_file();
    let case = Case::new(&text);
    let loaded = case.load(&Flags::default());
    assert_eq!(
        loaded.settings,
        Settings::defaults("/home/ada/.local/share/pinhole")
    );
    for row in TABLE {
        assert!(text.contains(row.help), "{}", row.name);
        assert!(text.contains(&format!("\n# {} = {}\n", row.name, row.example)));
    }
    assert!(text.lines().all(|line| line.len() <= 120), "{text}");
}

#[test]
fn the_examples_of_the_default_file_are_right() {
    let uncommented: Vec<_> = default_file()
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            line.starts_with('[')
                || line
                    .split_once(" = ")
                    .is_some_and(|(key, _)| !key.contains(' '))
        })
        .map(str::to_owned)
        .collect();
    let case = Case::new(&uncommented.join("\n"));
    let loaded = case.load(&Flags::default());
    for (row, sourced) in TABLE.iter().zip(&loaded.origins) {
        assert!(matches!(sourced.origin, Origin::File(..)), "{}", row.name);
        if let table::Preset::Text(text) = row.preset {
            assert_eq!(
                sourced.value, text,
                "the example of `{}` is its default",
                row.name
            );
        }
    }
    assert_eq!(loaded.settings.providers.len(), 1);
}

/// The providers that are on: name, kind, and one option of each.
fn on(loaded: &Loaded, option: &str) -> Vec<(String, String, String)> {
    let of = |one: &ProviderSettings| {
        let value = one.text(option).unwrap_or_default().to_owned();
        (one.name.clone(), one.kind.clone(), value)
    };
    loaded.settings.providers.iter().map(of).collect()
}

fn openai(value: &str) -> Vec<(String, String, String)> {
    vec![("openai".to_owned(), "openai".to_owned(), value.to_owned())]
}

#[test]
fn an_sdks_own_variables_turn_its_provider_on() {
    let mut case = Case::without_file();
    case.variable("OPENAI_BASE_URL", "http://127.0.0.1:9/v1");
    assert_eq!(on(&case.load(&Flags::default()), "api_key"), []);
    case.variable("OPENAI_API_KEY", "sk-up");
    let loaded = case.load(&Flags::default());
    assert_eq!(on(&loaded, "api_key"), openai("sk-up"));
    assert_eq!(on(&loaded, "base_url"), openai("http://127.0.0.1:9/v1"));
    assert_eq!(
        loaded.origin("provider.openai.api_key"),
        Some(&Origin::Variable("OPENAI_API_KEY".to_owned()))
    );
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let printed = format!("{loaded:?}");
    assert!(!printed.contains("sk-up"), "{printed}");
}

#[test]
fn a_section_and_the_variables_do_not_mix_address_and_key() {
    let mut case = Case::new("[provider.openai]\nkind = \"openai\"\nconcurrency = 3\n");
    case.variable("OPENAI_API_KEY", "sk-up");
    let loaded = case.load(&Flags::default());
    assert_eq!(on(&loaded, "api_key"), openai("sk-up"));
    assert_eq!(on(&loaded, "concurrency"), openai("3"));
    let check = |file: &str, why: &str| {
        let mut case = Case::new(file);
        case.variable("OPENAI_API_KEY", "sk-up");
        let loaded = case.load(&Flags::default());
        assert_ne!(on(&loaded, "api_key")[0].2, "sk-up", "{file}");
        assert_eq!(
            loaded.warnings,
            [format!(
                "`OPENAI_API_KEY` is set and turns nothing on: {why}"
            )]
        );
    };
    check(
        "[provider.openai]\nkind = \"openai\"\nbase_url = \"http://gpu:8000/v1\"\n",
        "[provider.openai] of the file has its own `base_url`",
    );
    check(
        "[provider.openai]\nkind = \"openai\"\napi_key = \"sk-file\"\n",
        "[provider.openai] of the file has its own `api_key`",
    );
    check(
        "[provider.openai]\nkind = \"replay\"\n",
        "[provider.openai] of the file is of kind `replay`",
    );
}

#[test]
fn a_variable_meant_for_our_own_clients_makes_no_circle() {
    for (url, listen, circle) in [
        ("http://127.0.0.1:7070/v1", "127.0.0.1:7070", true),
        ("http://localhost:7070/v1", "0.0.0.0:7070", true),
        ("http://[::1]:7070/v1", "127.0.0.1:7070", true),
        ("http://10.1.2.3:80/v1", "10.1.2.3:80", true),
        ("http://127.0.0.1:7071/v1", "127.0.0.1:7070", false),
        ("https://api.openai.com/v1", "127.0.0.1:443", false),
    ] {
        let mut case = Case::without_file();
        case.variable("OPENAI_API_KEY", "sk-up");
        case.variable("OPENAI_BASE_URL", url);
        case.variable("PINHOLE_LISTEN", listen);
        let loaded = case.load(&Flags::default());
        assert_eq!(loaded.settings.providers.is_empty(), circle, "{url}");
        assert_eq!(loaded.warnings.len(), usize::from(circle), "{url}");
    }
}
