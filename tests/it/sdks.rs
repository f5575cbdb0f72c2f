//! OpenAI's own SDKs and what others have built on its API, pinned, run unchanged: `tests/clients/`. `scripts/test`
//! installs them and says where.

use crate::app::Setup;
use crate::guard::not_run;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `scripts/test` has put the SDKs.
const INSTALLED: &str = "TEST_CLIENTS";

/// The folder of the SDKs, if there is one; `what` is not run where there is none.
#[expect(
    clippy::disallowed_methods,
    reason = "what scripts/test has set up is told by the environment"
)]
pub fn installed(what: &str) -> Option<PathBuf> {
    let installed = std::env::var_os(INSTALLED).map(PathBuf::from);
    if installed.is_none() {
        not_run(&format!(
            "{what} needs what scripts/test installs; it sets {INSTALLED}"
        ));
    }
    installed
}

async fn run(interpreter: &str, script: &str) {
    let Some(installed) = installed(script) else {
        return;
    };
    let app = Setup::new().start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    // Modules are found beside the script, so it runs as a copy beside them.
    let copy = installed.join(script.file_name().expect("a file"));
    std::fs::copy(&script, &copy).expect("room for a script");
    let mut command = Command::new(interpreter.replace("CLIENTS", &installed.to_string_lossy()));
    command
        .arg(copy)
        .env("OPENAI_BASE_URL", format!("{}/v1", app.url))
        .env("OPENAI_API_KEY", app.test_secret().reveal())
        .env("NO_PROXY", "127.0.0.1");
    let output =
        tokio::task::spawn_blocking(move || command.output().expect("the interpreter starts"));
    let output = output.await.expect("it ends");
    assert!(
        output.status.success() && output.stdout.ends_with(b"passed\n"),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    app.finish().await;
}

#[tokio::test]
async fn openai_for_python_runs_unchanged() {
    run("CLIENTS/venv/bin/python", "openai_python.py").await;
}

#[tokio::test]
async fn openai_for_node_runs_unchanged() {
    run("node", "openai_node.mjs").await;
}

#[tokio::test]
async fn the_ai_sdk_runs_unchanged() {
    run("node", "ai_sdk.mjs").await;
}

#[tokio::test]
async fn langchain_runs_unchanged() {
    run("node", "langchain.mjs").await;
}

#[tokio::test]
async fn litellm_runs_unchanged() {
    run("CLIENTS/litellm/venv/bin/python", "litellm_python.py").await;
}
