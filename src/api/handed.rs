//! Handing a reply over: a call is answered when the last byte of its reply has left our hands, not when we know it.

use crate::engine::Unanswered;
use axum::body::{Body, HttpBody};
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body whose end answers the call. Dropped before it, the call is left unanswered.
struct Handed {
    body: Body,
    /// Bytes that are still to come, where that is known: of such a body nobody asks for the end.
    left: Option<u64>,
    call: Option<Unanswered>,
}

/// The response, whose last byte answers the call.
pub(super) fn over(response: Response, call: Option<Unanswered>) -> Response {
    let Some(call) = call else {
        return response;
    };
    let announced = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    response.map(|body| {
        let left = announced.or_else(|| body.size_hint().exact());
        Body::new(Handed {
            body,
            left,
            call: Some(call),
        })
    })
}

impl HttpBody for Handed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let is_last = match &frame {
            None => true,
            Some(Err(_)) => false,
            Some(Ok(frame)) => {
                let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.left = self.left.map(|left| left.saturating_sub(sent));
                self.left == Some(0)
            }
        };
        if is_last && let Some(call) = self.call.take() {
            call.answered();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
