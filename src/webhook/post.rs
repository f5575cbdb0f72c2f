//! One attempt: a signed POST through the guard, and what the receiver made of it.

use super::schedule::ATTEMPT;
use super::sign;
use crate::dialect::callback;
use crate::fetch::{Bounds, FetchError, Outbound, Reply};
use crate::types::{DeliveryId, MOST_OF_ANSWER, Millis, Signing};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use std::time::Duration;
use tokio::time::Instant;

/// What is read of an answer. More would only tell how much a receiver can send.
const MOST_READ: u64 = 64 * 1024;

/// How long the rest of an answer is waited for once its status is there: nothing depends on it.
const REST_OF_ANSWER: Duration = Duration::from_secs(2);

/// After this an attempt is over, whatever the client does.
const HARD_END: Duration = Duration::from_millis(500);

/// What is sent.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Where.
    pub url: &'a str,
    /// The same in every attempt.
    pub id: &'a str,
    /// JSON.
    pub body: Bytes,
    /// Who signs it.
    pub secrets: &'a [Signing],
    /// Now.
    pub at: Millis,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the receiver answered.
    pub status: Option<u16>,
    /// The beginning of it.
    pub answer: String,
    /// Why there was no answer.
    pub problem: Option<String>,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// Whether the receiver has it.
    pub fn is_delivered(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }

    /// Nobody answered.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self {
            status: None,
            answer: String::new(),
            problem: Some(why.into()),
            retry_after: None,
        }
    }
}

/// Sends it once. A redirect is an answer like any other and is not followed.
pub async fn post(outbound: &Outbound, message: Message<'_>, limit: Duration) -> Outcome {
    match tokio::time::timeout(limit + HARD_END, exchange(outbound, message, limit)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Outcome::failed("it took too long"),
    }
}

async fn exchange(outbound: &Outbound, message: Message<'_>, limit: Duration) -> Outcome {
    let bounds = Bounds {
        connect: limit,
        first_byte: limit,
        whole: limit,
        most_bytes: MOST_READ,
        slowest: 1,
    };
    let Some(headers) = headers(&message) else {
        return Outcome::failed("its headers cannot be written");
    };
    let body = message.body;
    match outbound.post(message.url, &headers, body, &bounds).await {
        Err(error) => Outcome::failed(error.to_string()),
        Ok(mut reply) => Outcome {
            status: Some(reply.status),
            answer: beginning(&mut reply).await,
            problem: None,
            retry_after: retry_after(&reply.headers, message.at),
        },
    }
}

fn headers(message: &Message<'_>) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let seconds = message.at.seconds();
    let signature = sign::signature(message.secrets, message.id, seconds, &message.body);
    let text = |text: &str| HeaderValue::from_str(text).ok();
    Some(vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static(sign::ID), text(message.id)?),
        (
            HeaderName::from_static(sign::TIMESTAMP),
            text(&seconds.to_string())?,
        ),
        (HeaderName::from_static(sign::SIGNATURE), text(&signature)?),
    ])
}

/// The beginning of an answer. What is too slow or too much is cut off: the status has been said.
async fn beginning(reply: &mut Reply) -> String {
    let until = Instant::now() + REST_OF_ANSWER;
    let mut kept: Vec<u8> = Vec::with_capacity(MOST_OF_ANSWER);
    let read = async {
        while let Some(chunk) = reply.chunk().await? {
            let room = MOST_OF_ANSWER - kept.len();
            kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        Ok::<(), FetchError>(())
    };
    let _cut_off = tokio::time::timeout_at(until, read).await;
    text_of(&kept)
}

/// Bytes as text of at most as many bytes: what is no text becomes a mark, which may be longer than what it stands for.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text.truncate(text.floor_char_boundary(MOST_OF_ANSWER));
    text
}

/// How long a receiver asks to be left alone, in seconds or until a date.
fn retry_after(headers: &HeaderMap, now: Millis) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Millis(date.timestamp().as_millisecond()).since(now))
}

/// Sends a test to a URL, as a delivery would be sent, once.
pub async fn test(outbound: &Outbound, url: &str, secrets: &[Signing], at: Millis) -> Outcome {
    let (id, body) = (DeliveryId::new(), callback::sample(at));
    let message = Message {
        url,
        id: id.as_str(),
        body: body.into(),
        secrets,
        at,
    };
    post(outbound, message, ATTEMPT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_back_is_read_in_both_ways() {
        let now = Millis(1_445_412_450_000);
        let check = |text: &str, seconds: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).expect("a header"));
            let read = retry_after(&headers, now);
            assert_eq!(read, seconds.map(Duration::from_secs), "{text}");
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("Wed, 21 Oct 2015 07:28:00 GMT", Some(30));
        check("Wed, 21 Oct 2015 07:27:00 GMT", Some(0));
        check("soon", None);
        check("-1", None);
        check("", None);
    }

    #[test]
    fn an_answer_is_kept_up_to_a_bound_whatever_it_is() {
        assert_eq!(text_of(b"ok"), "ok");
        let long = text_of(&[b'x'; MOST_OF_ANSWER]);
        assert_eq!(long.len(), MOST_OF_ANSWER);
        // Each of these is a mark of three bytes.
        let bytes = text_of(&[0xff; MOST_OF_ANSWER]);
        assert_eq!(bytes.len(), MOST_OF_ANSWER / 3 * 3);
    }
}
