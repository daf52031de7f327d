//! A request's body, lent to its handler: what the handler leaves unread is read away before the answer goes out.
//!
//! hyper closes a connection whose request body is unread, without a word in the answer: a client that keeps the
//! connection loses its next request. A small rest is read away; with a larger one the answer says `Connection: close`.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::oneshot;

use crate::{ask::BodyStream, problem::Problem};

/// The largest rest in bytes that is read away, and how long it may take.
const REST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(1);

/// The body as the handler has it; it comes back when the handler lets go of it.
struct Lent {
    body: Option<BodyStream>,
    back: Option<oneshot::Sender<BodyStream>>,
}

impl Stream for Lent {
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

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it: the request is gone.
            let _gone = back.send(body);
        }
    }
}

/// Where a body comes back to.
pub struct Rest(oneshot::Receiver<BodyStream>);

/// The body for the handler, and what is left of it afterwards.
pub fn lend(body: BodyStream) -> (BodyStream, Rest) {
    let (back, rest) = oneshot::channel();
    (Lent { body: Some(body), back: Some(back) }.boxed(), Rest(rest))
}

impl Rest {
    /// Whether the handler read the body to its end.
    pub fn was_read(mut self) -> bool {
        matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Closed))
    }

    /// Reads the rest away. Whether the body is at its end, so that its connection can take another request.
    pub async fn read_away(mut self) -> bool {
        match self.0.try_recv() {
            Ok(body) => tokio::time::timeout(PATIENCE, ends_soon(body)).await.unwrap_or(false),
            Err(oneshot::error::TryRecvError::Closed) => true,
            Err(oneshot::error::TryRecvError::Empty) => false,
        }
    }
}

async fn ends_soon(mut body: BodyStream) -> bool {
    let mut read = 0;
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else { return false };
        read += chunk.len();
        if read > REST {
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
    async fn a_small_rest_is_read_away_and_a_large_one_is_not() {
        for (chunks, read, ends) in
            [(0, 0, true), (3, 0, true), (3, 2, true), (3, 4, true), (70, 0, false), (70, 69, true)]
        {
            let (mut lent, rest) = lend(body(chunks));
            for _ in 0..read {
                let _chunk = lent.next().await;
            }
            drop(lent);
            assert_eq!(rest.read_away().await, ends, "{chunks} chunks, {read} of them read");
        }
        let (lent, rest) = lend(body(1));
        assert!(!rest.read_away().await, "a handler that still has the body may leave it unread");
        drop(lent);
    }
}
