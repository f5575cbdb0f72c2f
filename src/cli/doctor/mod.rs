//! `pinhole doctor`: looks at everything that a server needs, changes nothing, and says for each finding what to do.

mod folder;

use super::failure::{Exit, Failure, Outcome};
use super::place::{Place, listening};
use super::remote::{answered, url_of};
use super::{block_on, out};
use crate::catalogue::Catalogue;
use crate::config::{Loaded, Settings};
use crate::provider::Providers;
use clap::Args;
use folder::{of_clock, of_folder, of_port};
use rustix::stdio;
use serde_json::{Value, json};
use url::{Host, Url};

#[derive(Args)]
pub(super) struct Doctor {
    /// Also see whether each provider's address answers; nothing is asked of it, and no key is sent
    #[arg(long)]
    online: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    /// It works, and may surprise somebody.
    Look,
    /// It does not work.
    Wrong,
}

/// One thing that was looked at.
struct Finding {
    about: &'static str,
    state: State,
    says: String,
    fix: Option<String>,
}

impl Finding {
    fn fine(about: &'static str, says: impl Into<String>) -> Self {
        Self {
            about,
            state: State::Fine,
            says: says.into(),
            fix: None,
        }
    }

    fn look(about: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            about,
            state: State::Look,
            says: says.into(),
            fix: Some(fix.into()),
        }
    }

    fn wrong(about: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            about,
            state: State::Wrong,
            says: says.into(),
            fix: Some(fix.into()),
        }
    }

    fn as_json(&self) -> Value {
        json!({"about": self.about, "state": self.state.name(), "says": self.says, "fix": self.fix})
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Look => "look",
            Self::Wrong => "wrong",
        }
    }
}

impl Doctor {
    pub(super) fn run(&self, place: &Place) -> Outcome {
        let findings = match Settings::load(&place.flags()) {
            Err(error) => {
                let fix = "`pinhole config check` shows the line; `pinhole config init` prints a file that is right";
                vec![Finding::wrong("settings", error.to_string(), fix)]
            }
            Ok(loaded) => self.look(&loaded),
        };
        if self.json {
            let all = findings.iter().map(Finding::as_json);
            out::json(
                &json!({"findings": all.collect::<Vec<_>>(), "healthy": is_healthy(&findings)}),
            )?;
        } else {
            show(&findings)?;
        }
        if is_healthy(&findings) {
            Ok(())
        } else {
            Err(Failure::Said(Exit::Failed))
        }
    }

    fn look(&self, loaded: &Loaded) -> Vec<Finding> {
        let settings = &loaded.settings;
        let mut findings = vec![of_settings(loaded)];
        findings.push(of_clock(&settings.data));
        findings.extend(of_folder(settings));
        findings.push(of_port(settings));
        findings.push(of_catalogue(settings));
        findings.extend(self.of_providers(settings));
        findings
    }

    fn of_providers(&self, settings: &Settings) -> Vec<Finding> {
        const ABOUT: &str = "providers";
        let providers = match Providers::from_settings(&settings.providers) {
            Ok(providers) => providers,
            Err(error) => {
                return vec![Finding::wrong(
                    ABOUT,
                    error,
                    "`pinhole config path` says which file to correct",
                )];
            }
        };
        let remote: Vec<(String, String)> = providers
            .iter()
            .filter_map(|(name, provider)| Some((name.to_owned(), provider.address()?.to_owned())))
            .collect();
        if remote.is_empty() {
            let says = "no provider is on: test keys work, live keys reach nobody but sketch";
            return vec![Finding::look(
                ABOUT,
                says,
                "set OPENAI_API_KEY, or write a [provider.NAME] section; test keys need none",
            )];
        }
        let own = own_addresses(settings);
        let (selves, remote): (Vec<_>, Vec<_>) = remote
            .into_iter()
            .partition(|(_, address)| is_own(address, &own));
        let mut findings: Vec<Finding> = selves.iter().map(calls_itself).collect();
        if remote.is_empty() {
            return findings;
        }
        let names = |(name, address): &(String, String)| format!("{name} at {address}");
        if !self.online {
            let says: Vec<String> = remote.iter().map(names).collect();
            let says = format!("{} (not called; --online does)", says.join(", "));
            findings.push(Finding::fine(ABOUT, says));
            return findings;
        }
        findings.extend(remote.iter().map(|one| reached(&names(one), &one.1)));
        findings
    }
}

/// Where this installation's own server is reached: as it is set, as it runs, and as the world sees it.
fn own_addresses(settings: &Settings) -> Vec<Url> {
    let set = Some(url_of(settings.listen));
    let all = [set, listening(&settings.data), settings.public_url.clone()];
    let read = |text: String| Url::parse(&text).ok();
    all.into_iter().flatten().filter_map(read).collect()
}

/// Whether a provider's address is one of them. All names of this machine are one.
fn is_own(address: &str, own: &[Url]) -> bool {
    let Ok(address) = Url::parse(address) else {
        return false;
    };
    let host = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) if ip.is_loopback() => "localhost".to_owned(),
        Some(Host::Ipv6(ip)) if ip.is_loopback() => "localhost".to_owned(),
        host => host.map(|host| host.to_string()).unwrap_or_default(),
    };
    own.iter().any(|own| {
        host(own) == host(&address)
            && own.port_or_known_default() == address.port_or_known_default()
    })
}

fn calls_itself((name, address): &(String, String)) -> Finding {
    Finding::wrong(
        "providers",
        format!("{name} at {address} is this server: it would call itself, and make nothing"),
        "a base URL (OPENAI_BASE_URL and the like) names the upstream; clients that share this shell have the same \
         variable: set it for them alone",
    )
}

fn reached(name: &str, address: &str) -> Finding {
    let models = format!("{}/models", address.trim_end_matches('/'));
    match block_on(answered(&models)) {
        // Not every upstream lists its models; every one that has another base URL answers this.
        Ok(404) => Finding::look(
            "providers",
            format!("{name} answers, and has nothing at /models"),
            "look at the base URL: OpenAI's own ends in /v1; if calls succeed, all is well",
        ),
        Ok(_) => Finding::fine("providers", format!("{name} answers")),
        Err(failure) => Finding::wrong(
            "providers",
            format!("{name} does not answer: {}", failure.reasons()),
            "check the address, the network and the proxy of this machine",
        ),
    }
}

fn is_healthy(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state != State::Wrong)
}

/// One line each, and the fix below it.
fn show(findings: &[Finding]) -> Outcome {
    let mut lines = Vec::new();
    for finding in findings {
        let (state, about) = (finding.state.name(), finding.about);
        let mut head = format!("{state:<5}  {about:<9}  ");
        // A fault in a model file is told in several lines.
        for says in finding.says.lines() {
            let line = format!("{head}{}", out::plain(says));
            lines.push(out::hanging(&line, 18, stdio::stdout()));
            head = " ".repeat(18);
        }
        let fix = finding
            .fix
            .iter()
            .map(|fix| format!("{:<18}fix: {}", "", out::plain(fix)));
        lines.extend(fix.map(|fix| out::hanging(&fix, 23, stdio::stdout())));
    }
    out::print(&lines.join("\n"))?;
    let wrong = findings
        .iter()
        .filter(|finding| finding.state == State::Wrong)
        .count();
    out::note(&match wrong {
        0 => "Everything that is needed is in order.".to_owned(),
        1 => "One thing is wrong.".to_owned(),
        some => format!("{some} things are wrong."),
    });
    Ok(())
}

fn of_settings(loaded: &Loaded) -> Finding {
    let file = loaded.file.as_ref();
    let file = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    if loaded.warnings.is_empty() {
        return Finding::fine("settings", file);
    }
    let says = format!("{file}; {}", loaded.warnings.join("; "));
    Finding::look(
        "settings",
        says,
        "correct or unset what is named; `pinhole config show --origin` says where each value came from",
    )
}

fn of_catalogue(settings: &Settings) -> Finding {
    match Catalogue::load(settings.catalogue.as_deref()) {
        Ok(catalogue) => Finding::fine(
            "models",
            format!("{}, checked", out::count(catalogue.models().len(), "model")),
        ),
        Err(problems) => Finding::wrong(
            "models",
            problems.to_string(),
            "correct the file; `pinhole models check` tries again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_is_this_server_is_known_by_any_of_its_names() {
        let own: Vec<Url> = ["http://127.0.0.1:7070", "https://images.example"]
            .iter()
            .filter_map(|text| Url::parse(text).ok())
            .collect();
        for address in [
            "http://127.0.0.1:7070/v1",
            "http://localhost:7070/v1",
            "http://[::1]:7070/v1",
            "https://images.example/v1",
            "https://images.example:443/",
        ] {
            assert!(is_own(address, &own), "{address}");
        }
        for address in [
            "http://127.0.0.1:7071/v1",
            "https://api.openai.com/v1",
            "http://images.example/v1",
        ] {
            assert!(!is_own(address, &own), "{address}");
        }
    }
}
