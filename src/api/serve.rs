//! The accept loop: our own, for the header timeout, a bound on connections and a graceful end.

use super::router::metrics_router;
use super::{Api, router};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

/// Connections at once; the next one waits in the kernel's queue.
const MAX_CONNECTIONS: usize = 8192;

/// What a connection reads, and gathers to be written, at once. hyper's own bound is six times as much, which a thousand
/// replies to slow readers would fill; the headers of a request must fit too.
const BUFFER_BYTES: usize = 64 * 1024;

/// When nothing runs any more, replies that are still being sent have this long.
const LAST_REPLIES: Duration = Duration::from_secs(30);

/// Sockets that are bound and not served yet.
pub struct Listening {
    api: TcpListener,
    metrics: Option<TcpListener>,
}

impl Listening {
    /// Binds them; an error names the address.
    pub async fn bind(api: SocketAddr, metrics: Option<SocketAddr>) -> io::Result<Self> {
        let metrics = match metrics {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self {
            api: bind(api).await?,
            metrics,
        })
    }

    /// Where the API listens, with the port the system chose if 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.api.local_addr()
    }

    /// Where the metrics listen.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// All of these.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let api = self.address()?;
        Ok([Some(api), self.metrics_address()]
            .into_iter()
            .flatten()
            .collect())
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// Serves until `stop`, then lets replies that are on their way leave, for a moment.
pub async fn serve(api: Api, listening: Listening, stop: CancellationToken) {
    let patience = api.0.settings.timeouts.headers;
    let metrics = async {
        if let Some(listener) = listening.metrics {
            let router = metrics_router(api.clone());
            accept_all(listener, router, patience, stop.clone()).await;
        }
    };
    let router = router(api.clone());
    tokio::join!(
        accept_all(listening.api, router, patience, stop.clone()),
        metrics
    );
}

/// `patience`: how long a client has to send its headers.
async fn accept_all(
    listener: TcpListener,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .max_buf_size(BUFFER_BYTES)
        .header_read_timeout(patience);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(200)
        .keep_alive_interval(Duration::from_secs(30));
    loop {
        let Some(accepted) = stop.run_until_cancelled(accept(&listener, &room)).await else {
            break;
        };
        let Some((stream, peer, permit)) = accepted else {
            continue;
        };
        let spoke = CancellationToken::new();
        let service = hyper::service::service_fn({
            let (router, spoke) = (router.clone(), spoke.clone());
            move |request: hyper::Request<Incoming>| {
                spoke.cancel();
                answer(router.clone(), request, peer)
            }
        });
        let (http, watcher) = (http.clone(), graceful.watcher());
        connections.spawn(async move {
            let connection = http
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .into_owned();
            tokio::select! {
                ended = watcher.watch(connection) => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                },
                () = silence(&spoke, patience) => tracing::debug!("a connection said nothing"),
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(LAST_REPLIES, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some connections did not end in time");
    }
}

/// Ends if a connection has not brought a request by then. hyper's own timeout begins only when it knows which HTTP is
/// spoken: a client that sends nothing, or the beginning of what both begin with, would keep its place for ever.
async fn silence(spoke: &CancellationToken, patience: Duration) {
    if tokio::time::timeout(patience, spoke.cancelled())
        .await
        .is_ok()
    {
        std::future::pending::<()>().await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Small replies must not wait for an acknowledgement; where this fails, they do.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, permit))
        }
        Err(error) => {
            // Out of file descriptors, most likely: going round at once would only burn the processor.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
) -> Result<hyper::Response<Body>, std::convert::Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut service = router.into_service::<Body>();
    service.ready().await?.call(request).await
}
