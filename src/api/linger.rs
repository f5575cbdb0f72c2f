//! Reading on after a refusal.
//!
//! Most clients send their whole body before they look for a reply. A server that refuses early and closes answers the
//! rest with a reset, which throws the reply away before it is read: the client sees a broken connection and not the
//! 413. So what is left of a refused body is read and forgotten first, within bounds.

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use futures::StreamExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No client that goes on beyond this gets its reply for certain.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// What the handler has left of a body.
pub(super) struct Rest(Option<Arc<Mutex<BodyDataStream>>>);

/// Gives the request a body that can be read on when its handler is done.
pub(super) fn share(request: Request) -> (Request, Rest) {
    // Whoever asks first sends nothing before it is told to; reading on would be telling.
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return (request, Rest(None));
    }
    let (parts, body) = request.into_parts();
    let shared = Arc::new(Mutex::new(body.into_data_stream()));
    let rest = Arc::clone(&shared);
    let read = futures::stream::poll_fn(move |context| lock(&shared).poll_next_unpin(context));
    let request = Request::from_parts(parts, Body::from_stream(read));
    (request, Rest(Some(rest)))
}

impl Rest {
    /// Reads and forgets it, for so long at most.
    pub(super) async fn forget(self, patience: Duration) {
        let Some(body) = self.0 else { return };
        let reading = async {
            let mut left = MOST_BYTES;
            let mut next = futures::stream::poll_fn(|context| lock(&body).poll_next_unpin(context));
            while let Some(Ok(block)) = next.next().await
                && left > block.len()
            {
                left -= block.len();
            }
        };
        // Who is not done by then gets the reply while it sends, if it looks.
        let _ = tokio::time::timeout(patience, reading).await;
    }
}

fn lock(body: &Mutex<BodyDataStream>) -> MutexGuard<'_, BodyDataStream> {
    // A handler that panicked in the middle of a read has left a stream that can still be read or has ended.
    body.lock().unwrap_or_else(PoisonError::into_inner)
}
