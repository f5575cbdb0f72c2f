//! Stories of clients that are slow, silent or speak HTTP/2.

use crate::app::{Setup, TestApp};
use crate::client::{GENERATIONS, send};
use crate::images::small_with;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No reply that a test waits for takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection of which every byte is the test's own.
pub struct Raw(TcpStream);

impl Raw {
    pub async fn open(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("a plain URL");
        Self(TcpStream::connect(address).await.expect("it listens"))
    }

    pub async fn write(&mut self, text: impl AsRef<[u8]>) {
        // The other side may have answered and gone already.
        let _ = self.0.write_all(text.as_ref()).await;
    }

    /// Everything that comes until the other side closes.
    pub async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let reading = self.0.read_to_end(&mut bytes);
        let read = tokio::time::timeout(PATIENCE, reading).await;
        // A reset ends a connection too.
        let _ = read.expect("the other side closes");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The first line that comes.
    pub async fn line(&mut self) -> String {
        let mut bytes = Vec::new();
        let reading = async {
            while !bytes.ends_with(b"\r\n") {
                bytes.push(self.0.read_u8().await.expect("a line"));
            }
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("a line comes");
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}

/// The head of a generation with a body of this length.
pub fn head(key: &str, length: usize, more: &str) -> String {
    format!(
        "POST {GENERATIONS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n"
    )
}

/// An application that waits for its clients for a moment only.
async fn impatient() -> TestApp {
    Setup::new()
        .set(|settings| {
            settings.timeouts.headers = Duration::from_millis(100);
            settings.timeouts.body_idle = Duration::from_millis(100);
            settings.timeouts.after_refusal = Duration::from_millis(100);
        })
        .start()
        .await
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_is_not_waited_for() {
    let app = impatient().await;
    let mut client = Raw::open(&app.url).await;
    client
        .write(head(app.test_secret().reveal(), 100, ""))
        .await;
    client.write("{\"model\":").await;
    let reply = client.rest().await;
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    assert!(reply.contains("nothing came for"), "{reply}");
    app.finish().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed() {
    let app = impatient().await;
    // The second and the third are the beginning of what HTTP/2 begins with too.
    for beginning in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "POST /v1/images/generations HTTP/1.1\r\nhost: x\r\n",
    ] {
        let mut client = Raw::open(&app.url).await;
        client.write(beginning).await;
        let reply = client.rest().await;
        assert!(!reply.starts_with("HTTP/1.1 2"), "{beginning:?}: {reply}");
    }
    app.finish().await;
}

#[tokio::test]
async fn over_http2_the_links_name_the_host_that_was_called() {
    let app = TestApp::start().await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    let body = small_with("a harbour", json!({"response_format": "url"}));
    let host = app.url.replace("127.0.0.1", "localhost");
    let request = http
        .post(format!("{host}{GENERATIONS}"))
        .bearer_auth(app.test_secret().reveal())
        .json(&body);
    let link = send(request).await.links().remove(0);
    assert!(link.starts_with(&format!("{host}/files/")), "{link}");
    assert_eq!(app.nobody().get(&link).await.status, 200);
    app.finish().await;
}

/// Whatever stands in `Host` would stand in the links.
#[tokio::test]
async fn a_host_that_is_none_does_not_stand_in_links() {
    let app = TestApp::start().await;
    for host in ["a@evil.example", "evil.example/x?", "a b", "[::1"] {
        let body = small_with("a harbour", json!({"response_format": "url"}));
        let request = app.test_key().generation(&body).header("host", host);
        let link = send(request).await.links().remove(0);
        assert!(!link.contains(host), "{host}: {link}");
        assert!(link.parse::<reqwest::Url>().is_ok(), "{link}");
    }
    app.finish().await;
}

/// Nobody fills the disk with pictures of a request that is refused in any case.
#[tokio::test]
async fn who_may_not_generate_is_told_before_the_body_is_asked_for() {
    let app = TestApp::start().await;
    let frozen = app
        .customer_with("1.00", |who| who.account.frozen = true)
        .await;
    let mut client = Raw::open(&app.url).await;
    let more = "expect: 100-continue\r\n";
    client.write(head(frozen.secret.reveal(), 1000, more)).await;
    assert_eq!(client.line().await, "HTTP/1.1 403 Forbidden");
    // Who may is told to go on.
    let mut client = Raw::open(&app.url).await;
    client
        .write(head(app.test_secret().reveal(), 2, more))
        .await;
    assert_eq!(client.line().await, "HTTP/1.1 100 Continue");
    client.write("{}").await;
    let reply = client.rest().await;
    assert!(reply.contains("HTTP/1.1 400 "), "{reply}");
    app.finish().await;
}
