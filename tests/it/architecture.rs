//! The layers, guarded: reads `src/` and names the offending import with file and line.
//!
//! A new edge between modules deserves more thought than any amount of code inside one. Whoever needs one changes a
//! rule here, with its reason. `#[cfg(test)]` items are exempt: tests may reach across.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What one module may import of ours.
struct Layer {
    module: &'static str,
    imports: Imports,
    why: &'static str,
}

enum Imports {
    /// These modules alone.
    Only(&'static [&'static str]),
    /// Anything but these.
    Never(&'static [&'static str]),
    /// Anything.
    Any,
}

use Imports::{Any, Never, Only};

/// Every module of the crate's top level, lower ones first. `app`, `cli` and `main` stand above all and are imported
/// by none below them; `failpoint` is a mark that anyone may set.
const LAYERS: &[Layer] = &[
    Layer {
        module: "types",
        imports: Only(&[]),
        why: "the words that all others speak import nothing of ours",
    },
    Layer {
        module: "failpoint",
        imports: Only(&[]),
        why: "a mark in the code knows nothing of the code",
    },
    Layer {
        module: "error",
        imports: Only(&["types"]),
        why: "what can go wrong is told in the words of `types`",
    },
    Layer {
        module: "config",
        imports: Only(&["types"]),
        why: "settings are read before anything else exists",
    },
    Layer {
        module: "fetch",
        imports: Only(&["types", "config", "error"]),
        why: "the outbound client knows addresses and bounds, nothing of what is fetched",
    },
    Layer {
        module: "blob",
        imports: Only(&["types", "failpoint"]),
        why: "a blob is bytes with a key, whoever they belong to",
    },
    Layer {
        module: "catalogue",
        imports: Never(&[
            "store", "provider", "engine", "api", "dialect", "blob", "webhook",
        ]),
        why: "models are data and pure rules on it",
    },
    Layer {
        module: "intake",
        imports: Never(&[
            "store",
            "provider",
            "engine",
            "api",
            "dialect",
            "catalogue",
            "webhook",
        ]),
        why: "a body becomes a skeleton and staged blobs before anyone knows its dialect",
    },
    Layer {
        module: "dialect",
        imports: Never(&["provider", "store", "blob", "engine", "api", "webhook"]),
        why: "wire shapes are pure functions: no upstream, row or socket",
    },
    Layer {
        module: "provider",
        imports: Never(&["dialect", "store", "engine", "api", "catalogue", "webhook"]),
        why: "an upstream is called without knowing who asked, what it costs or where it is written down",
    },
    Layer {
        module: "store",
        imports: Never(&[
            "error",
            "dialect",
            "provider",
            "catalogue",
            "engine",
            "api",
            "webhook",
        ]),
        why: "rows know no status code, no wire shape and no price rule",
    },
    Layer {
        module: "engine",
        imports: Never(&["api", "dialect"]),
        why: "a task runs the same whoever asked and however they spell it",
    },
    Layer {
        module: "webhook",
        imports: Never(&["api", "provider"]),
        why: "a delivery sends what the outbox holds",
    },
    Layer {
        module: "api",
        imports: Any,
        why: "",
    },
    Layer {
        module: "app",
        imports: Any,
        why: "",
    },
    Layer {
        module: "cli",
        imports: Any,
        why: "",
    },
    Layer {
        module: "fuzz",
        imports: Any,
        why: "",
    },
    Layer {
        module: "main",
        imports: Any,
        why: "",
    },
    Layer {
        module: "lib",
        imports: Any,
        why: "",
    },
];

/// Modules above all others: what they may be imported by is themselves.
const TOP: &[&str] = &["app", "cli", "main"];

/// Parts of a module that a `Never` rule lets through, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "dialect",
    "blob::StagedBlob",
    "a decoder hands on the images that the intake staged",
)];

/// A name from outside, and the only places in `src/` where it may stand.
struct Confined {
    name: &'static str,
    /// Files or folders.
    places: &'static [&'static str],
    why: &'static str,
}

const CONFINED: &[Confined] = &[
    Confined {
        name: "axum",
        places: &["api"],
        why: "only `api` speaks HTTP to clients",
    },
    Confined {
        name: "rusqlite",
        places: &["store/sqlite"],
        why: "everyone else asks for business transactions",
    },
    Confined {
        name: "object_store",
        places: &["blob"],
        why: "everyone else asks for blobs",
    },
    Confined {
        name: "std::env",
        places: &["config"],
        why: "a setting that is read anywhere else is in no documentation",
    },
    Confined {
        name: "tokio::spawn",
        places: SPAWNERS,
        why: "use the tracker that `app` owns: it drains and stops every task it knows",
    },
    Confined {
        name: "tokio::task::spawn",
        places: SPAWNERS,
        why: "use the tracker that `app` owns: it drains and stops every task it knows",
    },
];

/// `app` makes the tracker and `engine` runs tasks on it; the janitor of `blob` ends with its store's last handle; the
/// writer and the readers of `store` end with its last handle too.
const SPAWNERS: &[&str] = &["app.rs", "app/", "engine", "blob/mod.rs", "store"];

#[test]
fn imports_keep_to_the_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read_sources(&root, &root, &mut sources);
    assert!(sources.len() > 10, "found only {} files", sources.len());
    let faults = check(&sources);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A source file: its path below `src/`, and its text.
type Source = (PathBuf, String);

/// The lint refuses `unsafe` wherever it is not expected, and it is expected in one place.
#[test]
fn unsafe_code_stands_in_one_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read_sources(&root, &root, &mut sources);
    let with: Vec<_> = sources
        .iter()
        .filter(|(_, text)| without_comments(text).contains("unsafe"))
        .map(|(path, _)| path.as_path())
        .collect();
    assert_eq!(with, [Path::new("intake/vbmi.rs")]);
}

fn read_sources(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("src/ can be read")
        .map(|entry| entry.expect("an entry can be read").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read_sources(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            let below = path.strip_prefix(root).expect("it is below src/");
            sources.push((below.to_owned(), text));
        }
    }
}

/// Everything that breaks a rule, a line each.
fn check(sources: &[Source]) -> Vec<String> {
    let mut test_files = BTreeSet::new();
    let mut bare = Vec::new();
    for (path, text) in sources {
        let (code, test_modules) = without_tests(&without_comments(text));
        test_files.extend(
            test_modules
                .iter()
                .map(|name| module_folder(path).join(name)),
        );
        bare.push((path, code));
    }
    let is_test = |path: &Path| {
        let as_module = module_folder(path);
        as_module.ancestors().any(|part| test_files.contains(part))
    };
    let mut faults = Vec::new();
    for (path, code) in bare {
        if !is_test(path) {
            check_layers(path, &code, &mut faults);
            check_confined(path, &code, &mut faults);
        }
    }
    faults
}

fn check_layers(path: &Path, code: &str, faults: &mut Vec<String>) {
    let module = top_module(path);
    let Some(layer) = LAYERS.iter().find(|layer| layer.module == module) else {
        faults.push(format!(
            "src/{}: the module `{module}` is in no layer; give it a row in LAYERS of tests/it/architecture.rs",
            path.display()
        ));
        return;
    };
    for (at, used) in uses_of_ours(path, code) {
        let other = used.split("::").next().unwrap_or_default();
        let ours = LAYERS.iter().any(|layer| layer.module == other);
        if !ours || other == module || is_exception(&module, &used) {
            continue;
        }
        let upward = TOP.contains(&other) && !TOP.contains(&layer.module);
        let refused = match layer.imports {
            Only(names) => !names.contains(&other),
            Never(names) => upward || names.contains(&other),
            Any => upward,
        };
        if refused {
            let why = if layer.why.is_empty() {
                "it stands above all others"
            } else {
                layer.why
            };
            faults.push(fault(
                path,
                code,
                at,
                &format!("`{module}` imports `{used}`: {why}"),
            ));
        }
    }
}

fn check_confined(path: &Path, code: &str, faults: &mut Vec<String>) {
    let place = path.to_string_lossy().replace('\\', "/");
    for Confined { name, places, why } in CONFINED {
        if places.iter().any(|allowed| stands_in(&place, allowed)) {
            continue;
        }
        let root = name.split("::").next().unwrap_or_default();
        let found = paths_from(root, code)
            .into_iter()
            .find(|(_, used)| used == name || used.starts_with(&format!("{name}::")));
        if let Some((at, used)) = found {
            faults.push(fault(
                path,
                code,
                at,
                &format!("`{used}` belongs in {places:?} alone: {why}"),
            ));
        }
    }
}

/// Whether a file is this place, or lies in this folder or module.
fn stands_in(place: &str, allowed: &str) -> bool {
    match place.strip_prefix(allowed) {
        Some(rest) => {
            rest.is_empty() || allowed.ends_with('/') || rest.starts_with('/') || rest == ".rs"
        }
        None => false,
    }
}

fn is_exception(module: &str, used: &str) -> bool {
    let mut exceptions = EXCEPTIONS.iter();
    exceptions.any(|(from, path, _)| *from == module && used == *path)
}

fn fault(path: &Path, code: &str, at: usize, what: &str) -> String {
    let line = 1 + code[..at].matches('\n').count();
    let mut text = String::new();
    write!(text, "src/{}:{line}: {what}", path.display()).expect("a string takes everything");
    text
}

/// `src/store/sqlite/mod.rs` → `store`.
fn top_module(path: &Path) -> String {
    let first = path.components().next().expect("a path below src/");
    let first = first.as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Where a file's child modules lie: `store/mod.rs` → `store`, `store/ledger.rs` → `store/ledger`, `lib.rs` → ``.
fn module_folder(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    let folder = path.parent().unwrap_or(Path::new(""));
    if ["mod", "lib", "main"].iter().any(|name| stem == *name) {
        folder.to_owned()
    } else {
        folder.join(stem)
    }
}

/// The text with comments blanked out, every other byte where it was.
fn without_comments(text: &str) -> String {
    let blank = |line: &str| match comment(line) {
        Some(at) => {
            let ending = &line[line.trim_end_matches(['\n', '\r']).len()..];
            format!(
                "{}{}{ending}",
                &line[..at],
                " ".repeat(line.len() - at - ending.len())
            )
        }
        None => line.to_owned(),
    };
    text.split_inclusive('\n').map(blank).collect()
}

/// Where a line's comment begins: two slashes outside of a string.
fn comment(line: &str) -> Option<usize> {
    let mut found = line.match_indices("//").map(|(at, _)| at);
    found.find(|&at| {
        line[..at]
            .replace("\\\"", "")
            .matches('"')
            .count()
            .is_multiple_of(2)
    })
}

/// The code with `#[cfg(test)]` items blanked out, and the names of test modules that are files of their own. Relies
/// on `rustfmt`: an item ends at the brace of its own indentation, or at its semicolon.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut out = String::with_capacity(code.len());
    let mut modules = Vec::new();
    let mut skip = Skip::Nothing;
    for line in code.split_inclusive('\n') {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        let keep = matches!(skip, Skip::Nothing) && !text.starts_with("#[cfg(test)]");
        if keep {
            out += line;
            continue;
        }
        out.push_str(&" ".repeat(line.len() - usize::from(line.ends_with('\n'))));
        out.push_str(if line.ends_with('\n') { "\n" } else { "" });
        skip = match skip {
            Skip::Nothing => Skip::Attributes,
            Skip::Attributes if text.is_empty() || text.starts_with("#[") => Skip::Attributes,
            Skip::Attributes => {
                modules.extend(module_file(text));
                let whole = text.ends_with(';') || text.ends_with('}');
                if whole {
                    Skip::Nothing
                } else {
                    Skip::Item(indent)
                }
            }
            Skip::Item(start) if indent == start && text.starts_with(['}', ')']) => Skip::Nothing,
            item => item,
        };
    }
    (out, modules)
}

/// Where a scan stands with a test item.
enum Skip {
    Nothing,
    Attributes,
    Item(usize),
}

/// `pub mod name;` → `name`.
fn module_file(item: &str) -> Option<String> {
    let (_, name) = item.strip_suffix(';')?.split_once("mod ")?;
    Some(name.trim().to_owned())
}

/// Every path into our own crate, without the `crate::` before it.
fn uses_of_ours(path: &Path, code: &str) -> Vec<(usize, String)> {
    let mut found: Vec<_> = paths_from("crate", code);
    // As many `super` as the file is deep lead to the crate's root.
    let deep = module_folder(path).components().count();
    if deep > 0 {
        let root = ["super"].repeat(deep).join("::");
        let from_root = paths_from("super", code);
        let prefix = format!("{root}::");
        found.extend(
            from_root
                .into_iter()
                .filter(|(_, used)| used.starts_with(&prefix) && used != &root)
                .map(|(at, used)| (at, format!("crate::{}", &used[prefix.len()..]))),
        );
    }
    let strip = |(at, used): (usize, String)| Some((at, used.strip_prefix("crate::")?.to_owned()));
    found.into_iter().filter_map(strip).collect()
}

/// Every path that begins with this word, groups in braces taken apart: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths_from(root: &str, code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        let before = code[..at].trim_end_matches("::").chars().next_back();
        let joined = code[..at].ends_with("::") && before.is_some_and(is_word);
        let starts = !joined && !code[..at].chars().next_back().is_some_and(is_word);
        let rest = &code[at + root.len()..];
        if starts && rest.starts_with("::") {
            read_path(code, at, at + root.len(), root.to_owned(), &mut found);
        } else if starts && code[..at].ends_with("use ") && !rest.starts_with(is_word) {
            found.push((at, root.to_owned()));
        }
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Reads on from `next`, where `::` may stand, and adds every path there; gives where it ends.
fn read_path(
    code: &str,
    start: usize,
    next: usize,
    path: String,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let Some(rest) = code[next..].strip_prefix("::") else {
        found.push((start, path));
        return next;
    };
    let begin = next + 2;
    if rest.starts_with('{') {
        return read_group(code, begin + 1, &path, found);
    }
    let word = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
    if word == 0 {
        // A glob, or generic arguments.
        found.push((start, path));
        return begin;
    }
    read_path(
        code,
        start,
        begin + word,
        format!("{path}::{}", &rest[..word]),
        found,
    )
}

/// Reads the items of a group up to its closing brace; gives where that ends.
fn read_group(code: &str, mut at: usize, path: &str, found: &mut Vec<(usize, String)>) -> usize {
    while let Some(letter) = code[at..].chars().next() {
        if letter == '}' {
            return at + 1;
        }
        if is_word(letter) {
            let rest = &code[at..];
            let word = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
            let item = format!("{path}::{}", &rest[..word]);
            at = read_path(code, at, at + word, item, found);
            // `as name`
            let until = code[at..].find([',', '}']).unwrap_or(code.len() - at);
            at += until;
        } else {
            at += letter.len_utf8();
        }
    }
    at
}

/// What the checker says of one made-up file.
fn faults_of(path: &str, text: &str) -> Vec<String> {
    check(&[(PathBuf::from(path), text.to_owned())])
}

#[test]
fn an_offending_import_is_named() {
    let check = |path, text, expected: &[&str]| {
        let faults = faults_of(path, text);
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}\nis not\n{expected}");
        }
    };
    let one = |path, text, expected: &str| check(path, text, &[expected]);
    one(
        "types/a.rs",
        "use crate::error::Kind;\n",
        "src/types/a.rs:1: `types` imports `error::Kind`: ",
    );
    one(
        "store/sqlite/mod.rs",
        "\n\nuse crate::provider::Event;\n",
        "src/store/sqlite/mod.rs:3: `store` imports `provider::Event`: ",
    );
    one(
        "store/mod.rs",
        "fn f() -> crate::error::Kind {}",
        "src/store/mod.rs:1: `store` imports `error::Kind`: ",
    );
    one(
        "store/mod.rs",
        "use super::engine;",
        "src/store/mod.rs:1: `store` imports `engine`: ",
    );
    one(
        "store/sqlite/a.rs",
        "use super::super::super::engine::Run;",
        "src/store/sqlite/a.rs:1: `store` imports `engine::Run`: ",
    );
    check(
        "engine/run.rs",
        "use crate::{\n    types::Task,\n    api::{Router, State as S},\n};",
        &[
            "src/engine/run.rs:3: `engine` imports `api::Router`: ",
            "src/engine/run.rs:3: `engine` imports `api::State`: ",
        ],
    );
    one(
        "dialect/chat.rs",
        "use crate::blob::{StagedBlob, Blobs};",
        "src/dialect/chat.rs:1: `dialect` imports `blob::Blobs`: ",
    );
    one(
        "api/mod.rs",
        "use crate::app::App;",
        "src/api/mod.rs:1: `api` imports `app::App`: ",
    );
    one(
        "engine/mod.rs",
        "use axum::Router;",
        "src/engine/mod.rs:1: `axum::Router` belongs in [\"api\"] alone: ",
    );
    one(
        "engine/mod.rs",
        "use axum;",
        "src/engine/mod.rs:1: `axum` belongs in ",
    );
    one(
        "store/mod.rs",
        "fn f(_: rusqlite::Error) {}",
        "src/store/mod.rs:1: `rusqlite::Error` belongs in ",
    );
    one(
        "engine/mod.rs",
        "use std::{env, fs};",
        "src/engine/mod.rs:1: `std::env` belongs in ",
    );
    one(
        "engine/mod.rs",
        "let a = ::std::env::var(\"A\");",
        "src/engine/mod.rs:1: `std::env::var` belongs in ",
    );
    one(
        "api/mod.rs",
        "fn f() {\n    tokio::spawn(g());\n}",
        "src/api/mod.rs:2: `tokio::spawn` belongs in ",
    );
    one(
        "blob/writer.rs",
        "use tokio::{task::spawn};",
        "src/blob/writer.rs:1: `tokio::task::spawn` belongs in ",
    );
    one(
        "colour/mod.rs",
        "",
        "src/colour/mod.rs: the module `colour` is in no layer",
    );
    check(
        "types/a.rs",
        "#[cfg(test)]\nmod tests {\n    use crate::api::A;\n}\n\nuse crate::api::B;\n",
        &["src/types/a.rs:6: `types` imports `api::B`: "],
    );
}

#[test]
fn what_is_allowed_is_left_alone() {
    let clean = |path, text| assert_eq!(faults_of(path, text), [""; 0]);
    clean("types/a.rs", "use super::Money;\nuse crate::types::Task;\n");
    clean(
        "types/a.rs",
        "// use crate::api::A;\n/// See [`crate::api`].\nlet a = 1; // crate::api::A\n",
    );
    clean(
        "types/a.rs",
        "#[cfg(test)]\nuse crate::api::A;\nfn f() {}\n",
    );
    clean(
        "types/a.rs",
        "#[cfg(test)]\n#[allow(x)]\nfn f() {\n    crate::api::a();\n}\n",
    );
    clean("error.rs", "use crate::types::{FailKind, Failure};\n");
    clean(
        "blob/mod.rs",
        "use object_store::{GetOptions};\ntokio::spawn(a());\n",
    );
    clean(
        "store/sqlite/mod.rs",
        "use super::super::ledger;\nuse rusqlite::Connection;\n",
    );
    clean("store/sqlite.rs", "use rusqlite::Connection;\n");
    clean(
        "dialect/chat.rs",
        "use crate::blob::StagedBlob;\nuse crate::intake::Intake;\n",
    );
    clean("config/mod.rs", "let a = std::env::vars_os();\n");
    clean(
        "api/mod.rs",
        "use axum::Router;\nuse crate::engine::Engine;\n",
    );
    clean(
        "engine/mod.rs",
        "let a = env!(\"CARGO_PKG_VERSION\");\nlet b = my_axum::f();\nlet c = a::axum::f();\n",
    );
    clean(
        "engine/mod.rs",
        "tokio::task::spawn_blocking(f);\ntracker.spawn(g);\n",
    );
    clean("app.rs", "tokio::spawn(f());\nuse crate::api::Router;\n");
    let test_file = |text: &str| {
        vec![
            (PathBuf::from("store/mod.rs"), text.to_owned()),
            (
                PathBuf::from("store/conformance.rs"),
                "use crate::api::A;\n".to_owned(),
            ),
        ]
    };
    assert_eq!(
        check(&test_file("#[cfg(test)]\npub mod conformance;\n")),
        [""; 0]
    );
    assert_eq!(check(&test_file("pub mod conformance;\n")).len(), 1);
}
