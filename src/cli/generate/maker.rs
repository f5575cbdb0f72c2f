//! Who makes pictures: the engine in this process, or a server.

use super::screen::Screen;
use super::{Destination, Job, Made, alone, http};
use crate::app::App;
use crate::cli::failure::Outcome;
use crate::cli::place;
use crate::config::Settings;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Who makes pictures.
pub(in crate::cli) enum Maker {
    /// This process.
    Alone(Box<App>),
    /// The server at this URL.
    Server(String),
}

impl Maker {
    /// The server that `PINHOLE_URL` names, else the one that holds the data folder, else this process.
    pub(in crate::cli) async fn open(settings: &Settings) -> Outcome<Self> {
        match place::server() {
            Some(url) => Ok(Self::Server(url)),
            None => alone::open(settings).await,
        }
    }

    /// Makes what a body asks for, and saves it.
    pub(in crate::cli) async fn make(
        &self,
        settings: &Settings,
        job: &Job,
        destination: &Destination,
        screen: &mut Screen,
        interrupts: &mut Interrupts,
    ) -> Outcome<Made> {
        match self {
            Self::Alone(app) => {
                alone::generate(app, settings, job, destination, screen, interrupts).await
            }
            Self::Server(url) => {
                http::generate(url, settings, job, destination, screen, interrupts).await
            }
        }
    }

    /// Ends what was opened.
    pub(in crate::cli) async fn close(self, interrupts: &mut Interrupts) {
        if let Self::Alone(app) = self {
            alone::close(&app, interrupts).await;
        }
    }
}

/// Ctrl-C, from the moment this is made.
pub(in crate::cli) struct Interrupts(Option<Signal>);

impl Interrupts {
    pub(in crate::cli) fn listen() -> Self {
        Self(signal(SignalKind::interrupt()).ok())
    }

    /// Resolves at the next one; never if signals cannot be received.
    pub(in crate::cli) async fn next(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending().await
        }
    }
}
