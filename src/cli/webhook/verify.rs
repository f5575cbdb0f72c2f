//! `pinhole webhook verify`: what a receiver does, by hand.

use super::Checking;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::out;
use crate::cli::place::{Place, now};
use crate::webhook::sign::{self, Distrust, Signed};
use clap::Args;
use std::io::Read;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct Verify {
    /// The body, byte by byte as it came; `-` reads it from stdin
    #[arg(value_name = "FILE")]
    body: PathBuf,
    /// A file of header lines, `name: value`; other headers than those of the signature are passed over
    #[arg(long, value_name = "FILE", required_unless_present_all = ["id", "timestamp", "signature"])]
    headers: Option<PathBuf>,
    /// The header `webhook-id`
    #[arg(long, value_name = "TEXT")]
    id: Option<String>,
    /// The header `webhook-timestamp`
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<String>,
    /// The header `webhook-signature`
    #[arg(long, value_name = "TEXT")]
    signature: Option<String>,
    /// Take a message of any age; a receiver takes what is at most five minutes old
    #[arg(long)]
    any_age: bool,
    #[command(flatten)]
    checking: Checking,
}

impl Verify {
    pub(super) async fn run(&self, place: &Place) -> Outcome {
        let body = read(&self.body)?;
        let lines = match &self.headers {
            Some(path) => String::from_utf8_lossy(&read(path)?).into_owned(),
            None => String::new(),
        };
        let header = |given: &Option<String>, name: &'static str| {
            let found = given.clone().or_else(|| header_of(&lines, name));
            found.ok_or_else(|| untrusted(&Distrust::Header(name)))
        };
        let id = header(&self.id, sign::ID)?;
        let timestamp = header(&self.timestamp, sign::TIMESTAMP)?;
        let signature = header(&self.signature, sign::SIGNATURE)?;
        let signed = Signed {
            id: &id,
            timestamp: &timestamp,
            signature: &signature,
        };
        let at = match timestamp.parse() {
            Ok(signed_at) if self.any_age => signed_at,
            _ => now().seconds(),
        };
        let secrets = self.checking.secrets(place).await?;
        let verdicts: Vec<_> = secrets
            .iter()
            .map(|secret| sign::verify(secret, signed, &body, at))
            .collect();
        if verdicts.iter().any(Result::is_ok) {
            return out::print("good");
        }
        let why = verdicts.into_iter().find_map(Result::err);
        Err(untrusted(&why.unwrap_or(Distrust::Forged)))
    }
}

fn untrusted(why: &Distrust) -> Failure {
    Failure::failed("the message is not to be trusted")
        .why(why.to_string())
        .fix(
            "give the body byte by byte as it came, before any JSON library has read it, and the secret of \
             `pinhole webhook secret show`",
        )
}

/// The value of a header among lines.
fn header_of(lines: &str, name: &str) -> Option<String> {
    let mut pairs = lines.lines().filter_map(|line| line.split_once(':'));
    let found = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_owned())
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|all| bytes = all)
    };
    let unreadable = |error: std::io::Error| {
        let what = format!("{} cannot be read", path.display());
        Failure::usage(what)
            .why(error.to_string())
            .fix("name a file, or `-` for the body on stdin")
    };
    read.map(|()| bytes).map_err(unreadable)
}
