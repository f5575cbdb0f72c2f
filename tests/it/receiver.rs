//! A receiver of callbacks on loopback: hears everything, and answers as the story wants.

use pinhole::types::SigningSecret;
use pinhole::webhook::sign::{Signed, verify};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What it does with one request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, header lines, a body.
    Says(u16, &'static str, &'static str),
    /// Nothing, for ever.
    Nothing,
    /// 200, and a body without end.
    Endless,
    /// 200, and a body of which a byte comes now and then.
    Drip,
    /// The head of an answer, byte by byte and never whole.
    DripHead,
    /// The connection is reset when the request has been read.
    Reset,
}

/// A good answer.
pub const OK: Answer = Answer::Says(200, "", "ok");

/// What it heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub path: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub content_type: String,
    pub raw: Vec<u8>,
}

impl Heard {
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.raw).expect("JSON")
    }

    /// Whether this secret has signed it, by our own words.
    pub fn is_signed_by(&self, secret: &SigningSecret) -> bool {
        let signed = Signed {
            id: &self.id,
            timestamp: &self.timestamp,
            signature: &self.signature,
        };
        let now = jiff::Timestamp::now().as_second();
        verify(secret, signed, &self.raw, now).is_ok()
    }
}

type Plan = dyn Fn(usize) -> Answer + Send + Sync;

/// The receiver. Dropping it ends it.
pub struct Receiver {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    /// Bytes of endless answers that were taken from us.
    pub sent: Arc<std::sync::atomic::AtomicU64>,
    _accepting: JoinSet<()>,
}

impl Receiver {
    /// `plan` says how the request of this number is answered, counted from 0.
    pub async fn new(plan: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let (plan, log, count): (Arc<Plan>, _, _) = (Arc::new(plan), heard.clone(), sent.clone());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (plan, log, count) = (plan.clone(), log.clone(), count.clone());
                connections.spawn(async move {
                    // A sender that hangs up is part of the story.
                    let _ = serve(stream, &*plan, &log, &count).await;
                });
            }
        });
        Self {
            address,
            heard,
            sent,
            _accepting: accepting,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no panic").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    plan: &Plan,
    log: &Mutex<Vec<Heard>>,
    sent: &std::sync::atomic::AtomicU64,
) -> std::io::Result<()> {
    let heard = read(&mut stream).await?;
    let number = {
        let mut log = log.lock().expect("no panic");
        log.push(heard);
        log.len() - 1
    };
    match plan(number) {
        Answer::Says(status, headers, body) => {
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} So\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(text.as_bytes()).await
        }
        Answer::Nothing => until_closed(&mut stream).await,
        Answer::Reset => stream.set_zero_linger(),
        Answer::Endless => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            let piece = [b'x'; 4096];
            loop {
                stream.write_all(&piece).await?;
                sent.fetch_add(4096, std::sync::atomic::Ordering::Relaxed);
            }
        }
        Answer::Drip => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            drip(&mut stream).await
        }
        Answer::DripHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-more: ").await?;
            drip(&mut stream).await
        }
    }
}

async fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        stream.write_all(b"x").await?;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 64];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// One request, by its `Content-Length`.
async fn read(stream: &mut TcpStream) -> std::io::Result<Heard> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let header = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or(String::new(), |(_, value)| value.to_owned())
    };
    let length: usize = header("content-length").parse().expect("a length");
    let mut raw = bytes.split_off(head);
    while raw.len() < length {
        let mut buffer = vec![0; length - raw.len()];
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        raw.extend_from_slice(&buffer[..count]);
    }
    Ok(Heard {
        path: text.split(' ').nth(1).unwrap_or_default().to_owned(),
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        content_type: header("content-type"),
        raw,
    })
}
