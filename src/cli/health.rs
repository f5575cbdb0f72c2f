//! `pinhole health`: whether a server takes work, for images without curl. Exit code 0 or 1.

use super::failure::{Failure, Outcome};
use super::place::{Place, base_url};
use super::remote::ready;
use super::{block_on, out};
use clap::Args;
use serde_json::json;

#[derive(Args)]
pub(super) struct Health {
    /// The server [default: PINHOLE_URL, else the one on the data folder]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Health {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let url = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => base_url(place)?,
        };
        let status = block_on(ready(&url))?;
        if self.json {
            out::json(&json!({"url": url, "ready": status == 200, "status": status}))?;
        }
        if status != 200 {
            return Err(Failure::failed(format!("{url} takes no work now"))
                .why(format!("/readyz answered {status}"))
                .fix("wait if it is starting or draining; `pinhole doctor` on its machine looks at the rest"));
        }
        if self.json {
            Ok(())
        } else {
            out::print(&format!("{url} is ready"))
        }
    }
}
