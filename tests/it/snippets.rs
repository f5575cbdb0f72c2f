//! Request examples, run as they are printed: in bash with curl, in Python, in Node and on our own command line. Each
//! must leave a picture or print its text. Whatever a person writes as a prompt must arrive as it was written.

use crate::app::{Setup, TestApp};
use crate::client::{Reply, send};
use crate::sdks;
use assert_cmd::Command;
use futures::{StreamExt, TryStreamExt};
use pinhole::catalogue::snippet::{Example, Language, snippet};
use pinhole::catalogue::{Catalogue, form};
use pinhole::types::{Modality, Operation};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// No example takes longer than this, however busy the machine is.
const LONGEST: Duration = Duration::from_secs(300);

/// How many examples run at once: as many as a test key may have tasks.
const AT_ONCE: usize = 2;

/// What must survive quoting: every quote, escapes, expansions, lines, a flag, a file, letters of four bytes.
const HOSTILE: &str = "-p \"it's\" 'so' \\n \\\\ $HOME `id` $(id) ${x} {y} %s;type=a, <b>&\n\t@c 🦊 𝔘𝔫𝔦 \u{202e}\u{7} #!";

/// A folder to run an example in.
struct Bench {
    folder: TempDir,
}

impl Bench {
    /// With these input images, the first one larger than nothing.
    fn new(images: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (k, name) in (0_u8..).zip(images) {
            let picture = image::RgbImage::from_pixel(64, 64, image::Rgb([40, 90 + k, 160]));
            picture
                .save_with_format(folder.path().join(name), image::ImageFormat::Jpeg)
                .expect("room for a picture");
        }
        Self { folder }
    }

    /// Runs code as a person would, and gives the pictures that it left.
    fn run(&self, app: &Address, language: Language, code: &str) -> Vec<Vec<u8>> {
        let before = self.files();
        let ran = self.ran(app, language, code);
        let made = self
            .files()
            .into_iter()
            .filter(|path| !before.contains(path));
        let is_made = |path: &PathBuf| {
            !path
                .file_name()
                .is_some_and(|it| it == "node_modules" || it.to_string_lossy().starts_with("call."))
        };
        let made: Vec<Vec<u8>> = made
            .filter(is_made)
            .map(|path| std::fs::read(path).expect("a file"))
            .collect();
        for picture in &made {
            image::load_from_memory(picture).expect("a picture");
        }
        assert!(!made.is_empty(), "{code}\n\n{ran}");
        made
    }

    /// Runs code that prints a text, and gives the text.
    fn text(&self, app: &Address, language: Language, code: &str) -> String {
        let printed = self.ran(app, language, code);
        if language != Language::Curl {
            return printed.trim_end().to_owned();
        }
        let reply: Value = serde_json::from_str(&printed).expect("the server's JSON");
        let text = &reply["choices"][0]["message"]["content"];
        text.as_str().expect("a text").to_owned()
    }

    /// Runs code that must succeed, and gives what it printed.
    fn ran(&self, app: &Address, language: Language, code: &str) -> String {
        let mut command = match language {
            Language::Curl | Language::Cli => self.script("bash".into(), "call.sh", code),
            Language::Python => {
                let python = app.clients.as_deref().map(|it| it.join("venv/bin/python"));
                self.script(python.unwrap_or_default(), "call.py", code)
            }
            Language::JavaScript => {
                let modules = app.clients.as_deref().map(|it| it.join("node_modules"));
                // Node looks for modules beside the file that imports them.
                let link = self.folder.path().join("node_modules");
                std::os::unix::fs::symlink(modules.unwrap_or_default(), link).expect("a link");
                self.script("node".into(), "call.mjs", code)
            }
        };
        let ran = command
            .env("PINHOLE_API_KEY", &app.key)
            .env("PINHOLE_MIN_FREE_MIB", "0")
            .env("NO_PROXY", "127.0.0.1")
            .timeout(LONGEST)
            .output()
            .expect("it starts");
        let [printed, words] =
            [ran.stdout, ran.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
        assert!(ran.status.success(), "{code}\n\n{printed}{words}");
        printed
    }

    fn script(&self, program: PathBuf, name: &str, code: &str) -> Command {
        std::fs::write(self.folder.path().join(name), format!("{code}\n")).expect("room");
        let binary = Path::new(env!("CARGO_BIN_EXE_pinhole"));
        let binaries = binary.parent().expect("a folder").display();
        let mut command = Command::new(program);
        command
            .arg(name)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", format!("{binaries}:/usr/local/bin:/usr/bin:/bin"));
        command
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    }
}

/// What an example needs of a running application.
#[derive(Clone)]
struct Address {
    url: String,
    key: String,
    /// Where the SDKs are, for the languages that have one.
    clients: Option<PathBuf>,
}

impl Address {
    /// `None` if the language's SDK is not there.
    fn of(app: &TestApp, language: Language) -> Option<Self> {
        let clients = match language {
            Language::Python | Language::JavaScript => Some(sdks::installed(language.name())?),
            Language::Curl | Language::Cli => None,
        };
        Some(Self {
            url: app.url.clone(),
            key: app.test_secret().reveal().to_owned(),
            clients,
        })
    }

    /// What `pinhole snippet` prints.
    fn printed(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_pinhole"))
            .arg("snippet")
            .args(arguments)
            .env_clear()
            .env("PINHOLE_URL", &self.url)
            .env("PINHOLE_API_KEY", &self.key)
            .env("PINHOLE_DATA", "/nonexistent")
            .output()
            .expect("it starts");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {words}");
        String::from_utf8(output.stdout).expect("text")
    }
}

/// Everything that every model of the catalogue does.
fn calls() -> Vec<Example> {
    let catalogue = Catalogue::embedded().expect("it passes its checks");
    catalogue
        .current()
        .flat_map(|model| {
            let operations = model.operations.iter();
            operations.map(|it| Example::of(&model.id, model.modality, &form(model), *it, &[]))
        })
        .collect()
}

/// Every example of the catalogue in one language.
async fn every_example_runs(language: Language) {
    let app = Setup::new().start().await;
    if let Some(address) = Address::of(&app, language) {
        let runs = calls().into_iter().map(|example| {
            let address = address.clone();
            tokio::task::spawn_blocking(move || {
                let edit = (example.operation == Operation::Edit).then_some("--edit");
                let arguments = [
                    Some(&*example.model),
                    Some("--lang"),
                    Some(language.name()),
                    edit,
                ];
                let arguments: Vec<&str> = arguments.into_iter().flatten().collect();
                let code = address.printed(&arguments);
                let bench = Bench::new(&example.images);
                if example.modality == Modality::Text {
                    let text = bench.text(&address, language, &code);
                    assert!(text.contains("It received:"), "{text}");
                } else {
                    assert_eq!(bench.run(&address, language, &code).len(), 1);
                }
            })
        });
        let ran: Result<Vec<()>, _> = futures::stream::iter(runs)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await;
        ran.expect("every example leaves its picture or its text");
    }
    app.finish().await;
}

#[tokio::test]
async fn every_curl_example_runs() {
    every_example_runs(Language::Curl).await;
}

#[tokio::test]
async fn every_python_example_runs() {
    every_example_runs(Language::Python).await;
}

#[tokio::test]
async fn every_javascript_example_runs() {
    every_example_runs(Language::JavaScript).await;
}

#[tokio::test]
async fn every_command_line_example_runs() {
    every_example_runs(Language::Cli).await;
}

/// The renderer draws from the prompt's own letters, so the same picture means the same prompt.
#[tokio::test]
async fn a_hostile_prompt_arrives_as_it_was_written() {
    let app = Setup::new().start().await;
    let given = [
        ("prompt".to_owned(), json!(HOSTILE)),
        ("size".to_owned(), json!("64x64")),
        ("n".to_owned(), json!(2)),
    ];
    let catalogue = Catalogue::embedded().expect("it passes its checks");
    let form = form(catalogue.find("sketch").expect("the renderer"));
    for operation in [Operation::Generate, Operation::Edit] {
        let mut example = Example::of("sketch", Modality::Image, &form, operation, &given);
        if operation == Operation::Edit {
            example.images = vec!["a, \"b\"; 'c'.jpg".to_owned(), "-d.jpg".to_owned()];
        }
        for language in Language::ALL {
            let wanted = asked_directly(&app, &as_sent(&example, language)).await;
            let Some(address) = Address::of(&app, language) else {
                continue;
            };
            let (example, code) = (example.clone(), snippet(&example, language, &address.url));
            let made = tokio::task::spawn_blocking(move || {
                Bench::new(&example.images).run(&address, language, &code)
            });
            let mut made = made.await.expect("it runs");
            made.sort();
            assert!(made == wanted, "{} with {language:?}", operation.name());
        }
    }
    app.finish().await;
}

/// The answer names the first eight words of each text with its length, every picture and every setting.
#[tokio::test]
async fn a_hostile_question_with_pictures_arrives_as_it_was_written() {
    let app = Setup::new().start().await;
    let (system, prompt) = HOSTILE.split_at(HOSTILE.find("${x}").expect("the middle"));
    let given = [
        ("system_prompt", json!(system)),
        ("prompt", json!(prompt)),
        ("temperature", json!(0.3)),
        ("image_detail", json!("high")),
    ];
    let given = given.map(|(name, value)| (name.to_owned(), value));
    let catalogue = Catalogue::embedded().expect("it passes its checks");
    let model = catalogue.find("gemini-3.5-flash").expect("a model of text");
    let of = |given| {
        Example::of(
            &model.id,
            model.modality,
            &form(model),
            Operation::Generate,
            given,
        )
    };
    let mut example = of(&given);
    example.images = vec!["a, \"b\"; 'c' $d `e`.jpg".to_owned(), "-d.jpg".to_owned()];
    let reply: Reply = app.test_key().generate(with_files(&example)).await;
    let wanted = reply.json()["choices"][0]["message"]["content"].clone();
    let wanted = wanted.as_str().expect("a text").to_owned();
    assert!(wanted.contains("- images: 2 (64x64 jpeg"), "{wanted}");
    for language in Language::ALL {
        let Some(address) = Address::of(&app, language) else {
            continue;
        };
        let (example, code) = (example.clone(), snippet(&example, language, &address.url));
        let text = tokio::task::spawn_blocking(move || {
            Bench::new(&example.images).text(&address, language, &code)
        });
        assert_eq!(text.await.expect("it runs"), wanted, "{language:?}");
    }
    app.finish().await;
}

/// Forms of Node write every line break in two letters, as the standard for forms wants it (WHATWG HTML, 4.10.21.8).
fn as_sent(example: &Example, language: Language) -> Example {
    let mut sent = example.clone();
    if (example.operation, language) == (Operation::Edit, Language::JavaScript) {
        for (_, value) in sent.values.iter_mut().filter(|(name, _)| name == "prompt") {
            *value = HOSTILE.replace('\n', "\r\n").into();
        }
    }
    sent
}

/// The pictures of the same call, made without any example.
async fn asked_directly(app: &TestApp, example: &Example) -> Vec<Vec<u8>> {
    let reply: Reply = app.test_key().generate(with_files(example)).await;
    let mut pictures = reply.pictures();
    pictures.sort();
    pictures
}

/// The flat body of an example, with its files.
fn with_files(example: &Example) -> Value {
    let mut body = example.body();
    if !example.images.is_empty() {
        let bench = Bench::new(&example.images);
        let read = |name: &String| std::fs::read(bench.folder.path().join(name)).expect("a file");
        let link = |bytes: Vec<u8>| {
            let text = base64_simd::STANDARD.encode_to_string(bytes);
            format!("data:image/jpeg;base64,{text}")
        };
        body["image"] = example.images.iter().map(|name| link(read(name))).collect();
    }
    body
}

/// Quoting is not what keeps a wrong value out: the server says what is wrong, and the shell shows it.
#[tokio::test]
async fn a_curl_example_shows_what_the_server_refuses() {
    let app = Setup::new().start().await;
    let catalogue = Catalogue::embedded().expect("it passes its checks");
    let form = form(catalogue.find("sketch").expect("the renderer"));
    let given = [("size".to_owned(), json!("1x1"))];
    let example = Example::of(
        "sketch",
        Modality::Image,
        &form,
        Operation::Generate,
        &given,
    );
    let address = Address::of(&app, Language::Curl).expect("curl needs no SDK");
    let code = snippet(&example, Language::Curl, &address.url);
    let ran = tokio::task::spawn_blocking(move || {
        let bench = Bench::new(&[]);
        let mut command = bench.script("bash".into(), "call.sh", &code);
        command.env("PINHOLE_API_KEY", &address.key).output()
    });
    let ran = ran.await.expect("it runs").expect("it starts");
    let words = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success());
    // Nothing else: curl has nothing to say of a link that there is not.
    let told: Value = serde_json::from_str(&words).expect("the server's words alone");
    let message = told["error"]["message"].as_str().expect("a message");
    assert!(message.contains("`size` must be"), "{message}");
    // The server is well, and no worse for it.
    assert_eq!(
        send(app.nobody().request(Method::GET, "/healthz"))
            .await
            .status,
        200
    );
    app.finish().await;
}
