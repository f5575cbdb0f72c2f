//! `pinhole serve`.

use super::failure::Outcome;
use super::{Place, block_on, logs};
use crate::app::{App, StartError};
use crate::config::{Loaded, Settings};
use crate::types::Secret;
use clap::Args;
use std::convert::Infallible;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Start the server.
#[derive(Args)]
pub(super) struct Serve {
    /// Address and port to listen on [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Any setting of the configuration file, repeatable (like keep_days=7)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected NAME=VALUE, like keep_days=7")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Serve {
    /// Serves until a signal ends it.
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let started = Instant::now();
        let mut flags = place.flags();
        flags.listen.clone_from(&self.listen);
        flags.set.clone_from(&self.set);
        let loaded = Settings::load(&flags)?;
        logs::start(&loaded.settings);
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        block_on(serve(loaded, started))
    }
}

async fn serve(loaded: Loaded, started: Instant) -> Outcome {
    let settings = loaded.settings;
    let app = App::open(settings.clone()).await?;
    let listening = app.listen().await?;
    let address = listening.address().map_err(StartError::Listen)?;
    announce(&settings, address, app.test_key(), started);
    let signals = obey_signals(app.stop_token());
    tokio::select! {
        served = app.serve(listening) => Ok(served?),
        never = signals => match never {},
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
