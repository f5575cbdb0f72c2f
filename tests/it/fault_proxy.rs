//! A TCP proxy that does to a connection what networks do: for stories of an upstream that is well, behind a line that is
//! not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What happens to each connection.
#[derive(Clone, Copy, Debug)]
pub enum Line {
    /// Reset before anything is read.
    ResetAtOnce,
    /// Reset when the first bytes of the request are read; none of it is passed on.
    ResetInRequest,
    /// The request passes, and so many bytes of the reply; then this.
    Reply(usize, End),
    /// Instead of the upstream's reply comes an image without end.
    Endless,
    /// The first request and its reply pass; then the connection is closed.
    CloseAfterReply,
    /// The first request and its reply pass; the second request meets a connection that is being closed.
    CloseUnderSecond,
}

/// How a reply ends early.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// The connection is reset.
    Reset,
    /// It is closed in order.
    Close,
    /// Our side of it is closed; what comes is read on.
    HalfClose,
    /// Nothing more comes, and nothing is closed.
    Stall,
    /// The rest comes byte by byte, with such a pause before each.
    Drip(Duration),
}

/// The proxy. Dropping it ends it.
pub struct FaultProxy {
    /// `http://127.0.0.1:PORT`
    pub home: String,
    counts: Arc<Counts>,
    /// Ends when it is dropped.
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    closed: AtomicUsize,
    bytes: AtomicU64,
}

impl FaultProxy {
    /// In front of `http://ADDRESS`.
    pub async fn start(upstream: &str, line: Line) -> Self {
        let upstream: SocketAddr = upstream
            .strip_prefix("http://")
            .and_then(|address| address.parse().ok())
            .expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let home = format!("http://{}", listener.local_addr().expect("an address"));
        let counts = Arc::new(Counts::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, upstream, line, Arc::clone(&counts)));
        Self {
            home,
            counts,
            _accepting: accepting,
        }
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// How many of them are over.
    pub fn closed(&self) -> usize {
        self.counts.closed.load(Ordering::Relaxed)
    }

    /// How much of endless replies was taken.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, line: Line, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::Relaxed);
        let counts = Arc::clone(&counts);
        connections.spawn(async move {
            // A line that breaks is what this is for.
            let _ = carry(client, upstream, line, &counts).await;
            counts.closed.fetch_add(1, Ordering::Relaxed);
        });
    }
}

async fn carry(
    mut client: TcpStream,
    upstream: SocketAddr,
    line: Line,
    counts: &Counts,
) -> std::io::Result<()> {
    match line {
        Line::ResetAtOnce => reset(client),
        Line::ResetInRequest => {
            client.read_u8().await?;
            reset(client)
        }
        Line::Reply(bytes, end) => cut_reply(client, upstream, bytes, end).await,
        Line::Endless => endless(client, counts).await,
        Line::CloseAfterReply | Line::CloseUnderSecond => {
            let mut server = TcpStream::connect(upstream).await?;
            exchange(&mut client, &mut server).await?;
            if let Line::CloseUnderSecond = line {
                client.read_u8().await?;
                return reset(client);
            }
            client.shutdown().await?;
            drain(&mut client).await
        }
    }
}

/// With the kernel's reset instead of an orderly end.
fn reset(client: TcpStream) -> std::io::Result<()> {
    client.set_zero_linger()?;
    drop(client);
    Ok(())
}

async fn drain(from: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while from.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn cut_reply(
    client: TcpStream,
    upstream: SocketAddr,
    bytes: usize,
    end: End,
) -> std::io::Result<()> {
    let server = TcpStream::connect(upstream).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async { tokio::io::copy(&mut from_client, &mut to_server).await };
    let answering = answer_part(&mut from_server, &mut to_client, bytes, end);
    // Whoever asks may stop asking; the reply decides when it is over.
    tokio::select! {
        over = answering => over?,
        Err(error) = asking => return Err(error),
    }
    match end {
        End::Reset => reset(to_client.reunite(from_client).expect("two halves of one")),
        End::Close | End::Drip(_) => Ok(()),
        End::HalfClose | End::Stall => {
            if let End::HalfClose = end {
                to_client.shutdown().await?;
            }
            let mut client = to_client.reunite(from_client).expect("two halves of one");
            drain(&mut client).await
        }
    }
}

/// Passes so many bytes on, then waits for one more, which proves that the upstream has answered.
async fn answer_part(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    bytes: usize,
    end: End,
) -> std::io::Result<()> {
    for _ in 0..bytes {
        to.write_u8(from.read_u8().await?).await?;
    }
    let mut next = from.read_u8().await?;
    if let End::Drip(pause) = end {
        loop {
            tokio::time::sleep(pause).await;
            to.write_u8(next).await?;
            next = from.read_u8().await?;
        }
    }
    Ok(())
}

async fn endless(mut client: TcpStream, counts: &Counts) -> std::io::Result<()> {
    client.read_u8().await?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2147483648\r\n\r\n{\"data\":[{\"b64_json\":\"";
    client.write_all(head.as_bytes()).await?;
    let noise = vec![b'A'; 64 * 1024];
    loop {
        client.write_all(&noise).await?;
        counts
            .bytes
            .fetch_add(noise.len() as u64, Ordering::Relaxed);
    }
}

/// One request and its reply.
async fn exchange(client: &mut TcpStream, server: &mut TcpStream) -> std::io::Result<()> {
    pass_message(client, server).await?;
    pass_message(server, client).await
}

/// One message whose head says how long its body is.
async fn pass_message(from: &mut TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .expect("a message with a length");
    to.write_all(&head).await?;
    let passed = tokio::io::copy(&mut from.take(length), to).await?;
    assert_eq!(passed, length);
    Ok(())
}
