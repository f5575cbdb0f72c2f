//! `pinhole serve`.

use super::{Place, runtime, start_logs};
use crate::app::App;
use crate::config::{Loaded, Settings};
use crate::types::Secret;
use clap::Args;
use miette::{IntoDiagnostic, WrapErr};
use std::convert::Infallible;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Start the server.
#[derive(Args)]
pub(super) struct Serve {
    /// Where to listen [default: 127.0.0.1:7070].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Any setting of the configuration file, as NAME=VALUE.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    place: Place,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected NAME=VALUE, like keep_days=7")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(command: &Serve) -> miette::Result<()> {
    let started = Instant::now();
    let mut flags = command.place.flags();
    flags.listen.clone_from(&command.listen);
    flags.set.clone_from(&command.set);
    let loaded = Settings::load(&flags)?;
    start_logs(&loaded.settings);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    runtime()
        .into_diagnostic()
        .wrap_err("starting the runtime")?
        .block_on(serve(loaded, started))
}

async fn serve(loaded: Loaded, started: Instant) -> miette::Result<()> {
    let settings = loaded.settings;
    let app = App::open(settings.clone()).await.into_diagnostic()?;
    let listening = app.listen().await.into_diagnostic()?;
    let address = listening.address().into_diagnostic()?;
    announce(&settings, address, app.test_key(), started);
    let stop = app.stop_token();
    tokio::select! {
        served = app.serve(listening) => served.into_diagnostic(),
        never = obey_signals(stop) => match never {},
    }
}

/// Says where it listens and what to type next. The key is shown to a terminal only: logs are kept and read by others.
fn announce(settings: &Settings, address: SocketAddr, test_key: &Secret, started: Instant) {
    let key = if std::io::stderr().is_terminal() {
        test_key.reveal().to_owned()
    } else {
        format!("$(cat {})", settings.data.join("test-key").display())
    };
    eprintln!(
        "\n  Pinhole {version}   ready in {ready} ms\n\n  \
         API     http://{address}/v1         OpenAI-compatible\n  \
         Key     {key}\n  \
         Data    {data}   (SQLite + local files)\n\n  \
         Test pictures are drawn by Pinhole itself: no provider, no cost. A first one:\n\n  \
         curl http://{address}/v1/images/generations \\\n    \
         -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \\\n    \
         -d '{{\"model\":\"gpt-image-2\",\"prompt\":\"a lighthouse at dusk\",\"response_format\":\"url\"}}'\n",
        version = env!("CARGO_PKG_VERSION"),
        ready = started.elapsed().as_millis(),
        data = settings.data.display(),
    );
    tracing::info!(listen = %address, data = %settings.data.display(), "ready");
}

/// The first SIGTERM or SIGINT begins the drain, the second ends the process at once.
async fn obey_signals(stop: CancellationToken) -> Infallible {
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signals cannot be received; only kill -9 will stop this process");
        return std::future::pending().await;
    };
    let mut next = async || tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} };
    next().await;
    tracing::info!("draining: no new tasks; what runs may end; a second signal ends now");
    stop.cancel();
    next().await;
    tracing::warn!("ending now; the next start takes up what was running");
    std::process::exit(130);
}
