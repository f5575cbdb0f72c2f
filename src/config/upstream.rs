//! Providers that turn on by themselves when the variables of their own SDK are set.

use super::error::ConfigError;
use super::{Loaded, Origin, ProviderSettings, Sourced, Surroundings, secret};
use hyper::Uri;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A provider and its SDK's variables.
struct Upstream {
    /// Its name in model files, and its kind.
    name: &'static str,
    /// Options and the variables that set them; the first turns the provider on.
    variables: &'static [(&'static str, &'static str)],
}

/// Every provider of this sort, one row each.
const UPSTREAMS: &[Upstream] = &[Upstream {
    name: "openai",
    variables: &[
        ("api_key", "OPENAI_API_KEY"),
        ("base_url", "OPENAI_BASE_URL"),
    ],
}];

/// Adds the providers that the environment turns on.
pub(super) fn turn_on(loaded: &mut Loaded, around: &Surroundings) -> Result<(), ConfigError> {
    for upstream in UPSTREAMS {
        let given = upstream.given(around)?;
        let (_, switch) = upstream.variables[0];
        if !given.iter().any(|(_, variable, _)| *variable == switch) {
            continue;
        }
        if let Err(why) = upstream.add(loaded, &given) {
            loaded
                .warnings
                .push(format!("`{switch}` is set and turns nothing on: {why}"));
        }
    }
    Ok(())
}

/// Option, variable, value.
type Given<'a> = (&'static str, &'static str, &'a str);

impl Upstream {
    fn given<'a>(&self, around: &'a Surroundings) -> Result<Vec<Given<'a>>, ConfigError> {
        let mut given = Vec::new();
        for &(option, variable) in self.variables {
            given.extend(around.find(variable)?.map(|text| (option, variable, text)));
        }
        Ok(given)
    }

    /// Adds it, or fills in what a section of the file leaves open. An address and its key come from one place: a key
    /// must not go to a server that it was not made for.
    fn add(&self, loaded: &mut Loaded, given: &[Given<'_>]) -> Result<(), String> {
        let own_listen = loaded.settings.listen;
        if let Some((_, variable, url)) = given.iter().find(|(option, _, _)| *option == "base_url")
            && leads_to(url, own_listen)
        {
            return Err(format!(
                "`{variable}` is this server's own address, {own_listen}: it would call itself"
            ));
        }
        let providers = &mut loaded.settings.providers;
        let at = match providers.iter().position(|one| one.name == self.name) {
            Some(at) => at,
            None => {
                providers.push(ProviderSettings {
                    name: self.name.to_owned(),
                    kind: self.name.to_owned(),
                    ..ProviderSettings::default()
                });
                loaded
                    .origins
                    .push(self.sourced("kind", self.variables[0].1, self.name));
                providers.len() - 1
            }
        };
        let provider = &mut providers[at];
        if provider.kind != self.name {
            return Err(format!(
                "[provider.{}] of the file is of kind `{}`",
                self.name, provider.kind
            ));
        }
        let mut options = self.variables.iter().map(|(option, _)| option);
        if let Some(own) = options.find(|option| provider.options.contains_key(**option)) {
            return Err(format!(
                "[provider.{}] of the file has its own `{own}`",
                self.name
            ));
        }
        for (option, variable, text) in given {
            provider
                .options
                .insert((*option).to_owned(), (*text).to_owned());
            loaded.origins.push(self.sourced(option, variable, text));
        }
        Ok(())
    }

    fn sourced(&self, option: &str, variable: &str, text: &str) -> Sourced {
        Sourced {
            name: format!("provider.{}.{option}", self.name),
            value: secret::shown(option, text),
            origin: Origin::Variable(variable.to_owned()),
        }
    }
}

/// Whether a URL leads to the address that we listen on: an application's variable that was meant for its client of ours.
fn leads_to(url: &str, listen: SocketAddr) -> bool {
    let Ok(url) = Uri::from_str(url) else {
        return false;
    };
    let usual = if url.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_home = host == "localhost" || IpAddr::from_str(host).is_ok_and(|ip| ip.is_loopback());
    let is_same = IpAddr::from_str(host).is_ok_and(|ip| ip == listen.ip());
    listen.port() != 0 && url.port_u16().unwrap_or(usual) == listen.port() && (is_home || is_same)
}
