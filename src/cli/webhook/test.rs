//! `pinhole webhook test URL`

use super::{Owner, Source};
use crate::cli::failure::{Exit, Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::fetch::Outbound;
use crate::webhook::{post, told};
use clap::Args;
use serde_json::Value;

#[derive(Args)]
pub(super) struct Test {
    /// Where, as it would stand in `callback_url`
    url: String,
    #[command(flatten)]
    owner: Owner,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let came = self.came(place).await?;
        if self.json {
            out::json(&came)?;
        } else if let Some(status) = came["status"].as_u64() {
            let answer = came["answer"].as_str().unwrap_or_default();
            out::text(format!("{status} {answer}").trim_end())?;
        }
        if came["delivered"] == true {
            return Ok(());
        }
        Err(failure(&came))
    }

    async fn came(&self, place: &Place) -> Outcome<Value> {
        match Source::of_running(place)? {
            Source::Server(server) => {
                let mut query = self.owner.query();
                query.push(("url", self.url.clone()));
                server.post_with("/admin/v1/webhooks/test", &query).await
            }
            Source::Rows(store) => {
                let settings = place.load()?.settings;
                let owner = self.owner.find(&*store).await?;
                let at = now();
                let secrets = store.signing_secrets(&owner.id, at).await?;
                let outbound = Outbound::new(settings.allow_private_networks);
                if let Err(error) = outbound.check(&self.url).await
                    && error.is_refusal()
                {
                    return Err(refused(&self.url, &error.to_string()));
                }
                let outcome = post::test(&outbound, &self.url, &secrets, at).await;
                Ok(told::outcome(&outcome))
            }
        }
    }
}

/// Nothing was sent, and nothing would be: as `callback_url` it is refused with the call.
fn refused(url: &str, why: &str) -> Failure {
    Failure::usage(format!("{} cannot be called back", out::plain(url)))
        .why(why)
        .fix("give a URL as it would stand in callback_url, like https://example.com/hook")
}

fn failure(came: &Value) -> Failure {
    let fix = "a receiver must answer 2xx within 10 s; `pinhole webhook listen` is one to try with";
    match (came["status"].as_u64(), came["problem"].as_str()) {
        (Some(status), _) => {
            Failure::new(Exit::Upstream, format!("the receiver answered {status}"))
                .why("only 2xx counts as received; redirects are not followed")
                .fix(fix)
        }
        (None, problem) => {
            let why = problem.unwrap_or("there was no answer").to_owned();
            Failure::new(Exit::Upstream, "the test did not arrive")
                .why(why)
                .fix(fix)
        }
    }
}
