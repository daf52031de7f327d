//! Drains what a handler left unread of a request body, before the response is sent.
//!
//! hyper closes a connection whose request body is unread and does not announce it in the response: a client that reuses
//! the connection loses its next request. A small rest is read and dropped; with a larger one, the response has
//! `Connection: close`.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::oneshot;

use crate::{problem::Problem, request::BodyStream};

/// The largest rest that is read, in bytes, and how long that may take.
const MAX_REST_BYTES: usize = 64 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The body as the handler reads it. When it is dropped before its end, the rest goes to its `BodyDrain`.
struct DrainedBody {
    body: Option<BodyStream>,
    rest: Option<oneshot::Sender<BodyStream>>,
}

impl Stream for DrainedBody {
    type Item = Result<Bytes, Problem>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let next = body.poll_next_unpin(context);
        if matches!(next, Poll::Ready(None)) {
            self.body = None;
        }
        next
    }
}

impl Drop for DrainedBody {
    fn drop(&mut self) {
        if let (Some(body), Some(rest)) = (self.body.take(), self.rest.take()) {
            // Fails when the request was cancelled; then nobody needs the connection.
            let _cancelled = rest.send(body);
        }
    }
}

/// Receives the rest of a body.
pub struct BodyDrain(oneshot::Receiver<BodyStream>);

/// The body for the handler, and the drain for what it leaves unread.
pub fn drained(body: BodyStream) -> (BodyStream, BodyDrain) {
    let (sender, receiver) = oneshot::channel();
    (DrainedBody { body: Some(body), rest: Some(sender) }.boxed(), BodyDrain(receiver))
}

impl BodyDrain {
    /// Whether the handler read the body to its end.
    pub fn was_read(mut self) -> bool {
        matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Closed))
    }

    /// Reads the rest. Returns whether the body is at its end, so that the connection can be reused.
    pub async fn drain(mut self) -> bool {
        match self.0.try_recv() {
            Ok(body) => tokio::time::timeout(DRAIN_TIMEOUT, ends_within_limit(body)).await.unwrap_or(false),
            Err(oneshot::error::TryRecvError::Closed) => true,
            Err(oneshot::error::TryRecvError::Empty) => false,
        }
    }
}

async fn ends_within_limit(mut body: BodyStream) -> bool {
    let mut read = 0;
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else { return false };
        read += chunk.len();
        if read > MAX_REST_BYTES {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(chunks: usize) -> BodyStream {
        futures::stream::iter(vec![Ok(Bytes::from_static(&[0; 1024])); chunks]).boxed()
    }

    #[tokio::test]
    async fn a_small_rest_is_drained_and_a_large_one_is_not() {
        for (chunks, read, ends) in
            [(0, 0, true), (3, 0, true), (3, 2, true), (3, 4, true), (70, 0, false), (70, 69, true)]
        {
            let (mut body, drain) = drained(body(chunks));
            for _ in 0..read {
                let _chunk = body.next().await;
            }
            drop(body);
            assert_eq!(drain.drain().await, ends, "{chunks} chunks, {read} of them read");
        }
        let (body, drain) = drained(body(1));
        assert!(!drain.drain().await, "a handler that keeps the body may leave it unread");
        drop(body);
    }
}
