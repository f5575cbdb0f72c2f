//! Every block of `README.md`, run in its order as a newcomer pastes it: one home folder, one shell, the real binary.
//!
//! What stands for the reader's world: `cargo install` puts the binary of this build into `~/.cargo/bin`; the port is a
//! free one; the real provider is `examples/openai_mock`. `pinhole serve` goes on in the background, as in a terminal of
//! its own. Everything else runs as it stands.

use crate::cli::wait_for;
use crate::sdks;
use crate::upstream::Mock;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const README: &str = include_str!("../../README.md");

/// A fenced block: its language, its text, and the line that it begins at.
#[derive(Clone, Debug)]
struct Block {
    language: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                open = true;
                found.push(Block {
                    language: language.to_owned(),
                    text: String::new(),
                    line: at + 1,
                });
            }
            None if open => {
                let block = found.last_mut().expect("a block is open");
                block.text += line;
                block.text.push('\n');
            }
            None => {}
        }
    }
    found
}

/// A newcomer: a home, a shell whose variables stay from block to block, perhaps a server in another terminal.
struct Newcomer {
    home: TempDir,
    mock: Mock,
    port: u16,
    /// Where the receiver of callbacks listens.
    hook_port: u16,
    server: Option<Child>,
}

impl Newcomer {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        for folder in [".cargo/bin", "work", "tools"] {
            std::fs::create_dir_all(home.path().join(folder)).expect("a folder");
        }
        // What `cargo install --path . --locked` leaves behind, without building again.
        let install = format!(
            "#!/bin/sh\n[ \"$*\" = 'install --path . --locked' ] || exit 1\nln -s {} \"$HOME/.cargo/bin/pinhole\"\n",
            env!("CARGO_BIN_EXE_pinhole")
        );
        write_program(&home.path().join("tools/cargo"), &install);
        let mock = Mock::start();
        Self {
            home,
            mock,
            port: free_port(),
            hook_port: free_port(),
            server: None,
        }
    }

    fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// A block with this machine's port, a key, and the stand-in for the provider.
    fn adapted(&self, text: &str) -> String {
        text.replace("127.0.0.1:7070", &format!("127.0.0.1:{}", self.port))
            .replace("8090", &self.hook_port.to_string())
            .replace("sk-…", crate::upstream::KEY)
            .replace(
                "unset OPENAI_BASE_URL",
                &format!("export OPENAI_BASE_URL={}/v1", self.mock.home),
            )
    }

    fn run(&mut self, block: &Block) {
        let text = self.adapted(&block.text);
        match block.language.as_str() {
            "sh" if text.trim() == "pinhole serve" => self.serve(),
            "sh" => self.shell(block, &text),
            "python" => self.program(block, &text, "block.py", |clients| {
                clients.join("venv/bin/python").display().to_string()
            }),
            "js" => self.program(block, &text, "block.mjs", |_| "node".to_owned()),
            other => panic!("line {}: nobody runs `{other}`", block.line),
        }
    }

    /// A shell with the variables that the blocks before have left.
    fn bash(&self, script: &str) -> Command {
        let state = self.home.path().join("state");
        let state = state.display();
        let whole = format!(
            "set -euo pipefail; [ ! -e {state} ] || . {state}; set -a\n{script}\nset +a; export -p > {state}"
        );
        let home = self.home.path();
        let path = format!(
            "{0}/.cargo/bin:{0}/tools:/usr/local/bin:/usr/bin:/bin",
            home.display()
        );
        let mut command = Command::new("bash");
        command
            .args(["--norc", "-c", &whole])
            .env_clear()
            .env("HOME", home)
            .env("PATH", path)
            .env("NO_PROXY", "127.0.0.1")
            .env("PINHOLE_MIN_FREE_MIB", "0")
            .env("PINHOLE_LISTEN", format!("127.0.0.1:{}", self.port))
            .current_dir(self.work());
        command
    }

    fn shell(&self, block: &Block, text: &str) {
        let output = self.bash(text).output().expect("bash starts");
        assert!(
            output.status.success(),
            "README.md:{} ended with {}\n{text}\n{}{}",
            block.line,
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn program(&self, block: &Block, text: &str, name: &str, with: impl Fn(&Path) -> String) {
        let Some(clients) = sdks::installed(&format!("README.md:{}", block.line)) else {
            return;
        };
        // Modules are found beside the script.
        let script = clients.join(format!("readme-{}-{name}", std::process::id()));
        std::fs::write(&script, text).expect("room for a script");
        self.shell(block, &format!("{} {}", with(&clients), script.display()));
        std::fs::remove_file(&script).expect("it is ours");
    }

    /// As in another terminal with the same variables; an earlier one is ended there first, as Ctrl-C does. A port that
    /// somebody else has taken since it was found is exchanged for another one.
    fn serve(&mut self) {
        self.stop();
        while !self.is_served() {
            self.stop();
            self.port = free_port();
        }
    }

    /// Starts a server; whether it came to take work, or ended.
    fn is_served(&mut self) -> bool {
        let mut command = self.bash("exec pinhole serve");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = command.spawn().expect("bash starts");
        let served = wait_for(Duration::from_secs(120), || {
            let output = self.bash("pinhole health").output().expect("bash starts");
            let has_ended = server.try_wait().expect("it is ours").is_some();
            (output.status.success() || has_ended).then_some(!has_ended)
        });
        self.server = Some(server);
        served
    }

    fn stop(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        let pid = i32::try_from(server.id()).ok();
        let pid = pid
            .and_then(rustix::process::Pid::from_raw)
            .expect("a process");
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        server.wait().expect("it ends");
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").port()
}

fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("room for a program");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("it is ours");
}

#[test]
fn every_block_of_the_readme_runs() {
    let blocks = blocks(README);
    assert!(blocks.len() > 12, "found only {}", blocks.len());
    let mut newcomer = Newcomer::new();
    for block in &blocks {
        newcomer.run(block);
    }
    let work = newcomer.work();
    for made in [
        "pinhole-0001.png",
        "night.png",
        "lighthouses/pinhole-0002.png",
        "foxes.png",
        "real.png",
    ] {
        let picture = image::open(work.join(made));
        assert!(picture.is_ok(), "{made} is no picture");
    }
    assert!(work.join("restored/pinhole.db").is_file());
    // What the real provider was asked for came from the block that says so.
    let calls = newcomer.mock.calls();
    assert!(!calls.is_empty(), "the provider was called");
    newcomer.stop();
}

#[test]
fn blocks_are_found_with_their_lines() {
    let page = "a\n```sh\nb\n\nc\n```\n\n```toml\nd\n```\n";
    let found = blocks(page);
    let told: Vec<_> = found
        .iter()
        .map(|block| (block.language.as_str(), block.text.as_str(), block.line))
        .collect();
    assert_eq!(told, [("sh", "b\n\nc\n", 2), ("toml", "d\n", 8)]);
}

/// The pages link to each other and to what is there.
#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = [
        "README.md",
        "docs/api.md",
        "docs/cli.md",
        "docs/tasks.md",
        "docs/providers.md",
        "docs/webhooks.md",
    ];
    for page in pages {
        let text = std::fs::read_to_string(root.join(page)).expect("a page");
        let folder = Path::new(page).parent().unwrap_or(Path::new(""));
        for part in text.split("](").skip(1) {
            let link = part.split([')', '#']).next().unwrap_or_default();
            let is_ours = !link.is_empty() && !link.contains("://");
            assert!(
                !is_ours || root.join(folder).join(link).exists(),
                "{page}: {link}"
            );
        }
    }
}
