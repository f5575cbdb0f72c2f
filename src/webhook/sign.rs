//! Signatures as Standard Webhooks wants them: what is sent beside a body, and what a receiver does with it.

use crate::types::{Signing, SigningSecret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;

/// The delivery's id, the same in every attempt.
pub const ID: &str = "webhook-id";
/// When this attempt was signed, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// One signature or, while secrets change, two, with a space between.
pub const SIGNATURE: &str = "webhook-signature";

/// How old, or how far in the future, a timestamp may be. What is older may be a recording.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

const VERSION: &str = "v1,";

/// Why a message is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The header is not there or says nothing that can be read.
    #[error("the header `{0}` is missing or cannot be read")]
    Header(&'static str),
    /// Too old.
    #[error("it was signed {0} s ago; a receiver takes what is at most {max} s old", max = TOLERANCE.as_secs())]
    Old(i64),
    /// From the future.
    #[error("it was signed {0} s in the future; one of the two clocks is wrong")]
    Early(i64),
    /// None of the signatures is by this secret over these bytes.
    #[error("no signature is by this secret over exactly these bytes")]
    Forged,
}

/// What a receiver finds in the headers.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// [`ID`]
    pub id: &'a str,
    /// [`TIMESTAMP`]
    pub timestamp: &'a str,
    /// [`SIGNATURE`]
    pub signature: &'a str,
}

/// The value of [`SIGNATURE`]: one signature by each secret.
pub fn signature(secrets: &[Signing], id: &str, timestamp: i64, body: &[u8]) -> String {
    let one = |signing: &Signing| {
        let mac = mac(&signing.secret, id, &timestamp.to_string(), body);
        let bytes = mac.finalize().into_bytes();
        format!("{VERSION}{}", base64_simd::STANDARD.encode_to_string(bytes))
    };
    let all: Vec<String> = secrets.iter().map(one).collect();
    all.join(" ")
}

/// What every receiver should do, with the bytes as they came, before it believes a word. `now`: in seconds.
pub fn verify(
    secret: &SigningSecret,
    signed: Signed<'_>,
    body: &[u8],
    now: i64,
) -> Result<(), Distrust> {
    let at: i64 = signed
        .timestamp
        .parse()
        .map_err(|_| Distrust::Header(TIMESTAMP))?;
    let tolerance = i64::try_from(TOLERANCE.as_secs()).unwrap_or(i64::MAX);
    let age = now.saturating_sub(at);
    if age > tolerance {
        return Err(Distrust::Old(age));
    }
    if age < -tolerance {
        return Err(Distrust::Early(age.saturating_neg()));
    }
    let is_ours = |one: &str| {
        let bytes = base64_simd::STANDARD.decode_to_vec(one).ok()?;
        // Compared in constant time.
        let mac = mac(secret, signed.id, signed.timestamp, body);
        mac.verify_slice(&bytes).ok()
    };
    let mut signatures = signed.signature.split(' ');
    let found = signatures.any(|one| one.strip_prefix(VERSION).and_then(is_ours).is_some());
    found.then_some(()).ok_or(Distrust::Forged)
}

fn mac(secret: &SigningSecret, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.key()).expect("a key of any length is one");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Millis;
    use standardwebhooks::{Webhook, WebhookError};

    const ID_OF_IT: &str = "dlv_1";
    const BODY: &[u8] = br#"{"code":200,"data":{"taskId":"task_1"}}"#;

    fn now() -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn signing(secret: &SigningSecret) -> Signing {
        Signing {
            secret: secret.clone(),
            created_at: Millis(0),
            retires_at: None,
        }
    }

    /// The official library's verdict.
    fn theirs(secret: &SigningSecret, timestamp: i64, signature: &str) -> Result<(), WebhookError> {
        let mut headers = hyper::HeaderMap::new();
        headers.insert(ID, ID_OF_IT.parse().expect("a header"));
        headers.insert(TIMESTAMP, timestamp.to_string().parse().expect("a header"));
        headers.insert(SIGNATURE, signature.parse().expect("a header"));
        let webhook = Webhook::new(secret.reveal()).expect("a secret of theirs");
        webhook.verify(BODY, &headers)
    }

    fn ours(secret: &SigningSecret, timestamp: i64, signature: &str) -> Result<(), Distrust> {
        let signed = Signed {
            id: ID_OF_IT,
            timestamp: &timestamp.to_string(),
            signature,
        };
        verify(secret, signed, BODY, now())
    }

    #[test]
    fn the_vector_of_the_specification() {
        let secret =
            SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = signature(
            &[signing(&secret)],
            id,
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_official_library_and_we_agree() {
        let (old, new) = (SigningSecret::generate(), SigningSecret::generate());
        let stranger = SigningSecret::generate();
        let at = now();
        let both = signature(&[signing(&new), signing(&old)], ID_OF_IT, at, BODY);
        assert_eq!(both.split(' ').count(), 2);
        for secret in [&old, &new] {
            assert!(theirs(secret, at, &both).is_ok());
            assert_eq!(ours(secret, at, &both), Ok(()));
        }
        assert!(theirs(&stranger, at, &both).is_err());
        assert_eq!(ours(&stranger, at, &both), Err(Distrust::Forged));
        // Theirs, read by us.
        let made = Webhook::new(new.reveal()).expect("a secret of theirs");
        let made = made.sign(ID_OF_IT, at, BODY).expect("a signature");
        assert_eq!(ours(&new, at, &made), Ok(()));
    }

    #[test]
    fn clocks_may_differ_by_four_minutes_and_not_by_six() {
        let secret = SigningSecret::generate();
        for (minutes, is_good) in [(-6, false), (-4, true), (4, true), (6, false)] {
            let at = now() + minutes * 60;
            let signature = signature(&[signing(&secret)], ID_OF_IT, at, BODY);
            assert_eq!(
                theirs(&secret, at, &signature).is_ok(),
                is_good,
                "{minutes}"
            );
            assert_eq!(ours(&secret, at, &signature).is_ok(), is_good, "{minutes}");
        }
    }

    #[test]
    fn a_change_of_anything_is_seen() {
        let secret = SigningSecret::generate();
        let at = now();
        let signature = signature(&[signing(&secret)], ID_OF_IT, at, BODY);
        let check = |id: &str, timestamp: &str, signature: &str, body: &[u8]| {
            let signed = Signed {
                id,
                timestamp,
                signature,
            };
            verify(&secret, signed, body, at)
        };
        let time = at.to_string();
        assert_eq!(check(ID_OF_IT, &time, &signature, BODY), Ok(()));
        assert_eq!(
            check("dlv_2", &time, &signature, BODY),
            Err(Distrust::Forged)
        );
        let later = (at + 1).to_string();
        assert_eq!(
            check(ID_OF_IT, &later, &signature, BODY),
            Err(Distrust::Forged)
        );
        assert_eq!(
            check(ID_OF_IT, &time, &signature, b"{}"),
            Err(Distrust::Forged)
        );
        for nothing in ["", "v1,", "v1a,AAAA", "v1,!", "v2,AAAA"] {
            assert_eq!(
                check(ID_OF_IT, &time, nothing, BODY),
                Err(Distrust::Forged),
                "{nothing}"
            );
        }
        assert_eq!(
            check(ID_OF_IT, "soon", &signature, BODY),
            Err(Distrust::Header(TIMESTAMP))
        );
    }
}
