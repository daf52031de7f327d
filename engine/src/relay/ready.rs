//! Events made ready to publish: read and written as messages by a task of its own, ahead of the window of publishes.

use std::sync::Arc;

use async_nats::{HeaderMap, HeaderName};
use bytes::Bytes;
use futures::TryStreamExt as _;
use luci_schema::{
    Position, Recorded,
    cloud_event::CLOUD_EVENT_TYPE,
    hash_text,
    log::{Log, LogError},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::reconcile::HASH;
use crate::follow;

/// Events read at once.
const BATCH: usize = 512;
/// Messages that share one acknowledgement, at most.
pub(super) const SHARE: usize = 64;

const EXPECTED: HeaderName = HeaderName::from_static("Nats-Expected-Last-Sequence");
const STREAM: HeaderName = HeaderName::from_static("Luci-Stream");
const VERSION: HeaderName = HeaderName::from_static("Luci-Version");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("Content-Type");

/// One message of EVT, whole.
pub(super) struct Ready {
    pub event: Arc<Recorded>,
    pub subject: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Ready {
    fn of(event: Arc<Recorded>) -> Self {
        let (subject, headers) = (event.stream_subject(), headers(&event));
        Self { subject, headers, body: Bytes::from(event.cloud_event()), event }
    }
}

/// What follows a position, in order, by shares of `SHARE` at most and never an empty one; ends with the session.
pub(super) struct Source {
    shares: mpsc::Receiver<Result<Vec<Ready>, LogError>>,
    _reader: AbortOnDropHandle<()>,
}

impl Source {
    /// Keeps up to `ahead` shares ready.
    pub(super) fn after(log: Log, from: Position, ahead: usize) -> Self {
        let (sender, shares) = mpsc::channel(ahead);
        let reader = tokio::spawn(async move {
            let sent = &sender;
            let reading = follow::batches(log, from, BATCH).try_for_each(|batch| async move {
                for share in batch.chunks(SHARE) {
                    // Nobody waits when the session is over: the task ends with it.
                    let _over = sent.send(Ok(share.iter().cloned().map(Ready::of).collect())).await;
                }
                Ok(())
            });
            if let Err(error) = reading.await {
                let _over = sender.send(Err(error)).await;
            }
        });
        Self { shares, _reader: AbortOnDropHandle::new(reader) }
    }

    pub(super) async fn next(&mut self) -> Option<Result<Vec<Ready>, LogError>> {
        self.shares.recv().await
    }
}

/// No `Nats-Msg-Id`: the expected sequence alone keeps a message from being stored twice, and the server would remember
/// every id for its window of duplicates.
fn headers(event: &Recorded) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED, (event.position.0 - 1).to_string());
    headers.insert(STREAM, event.stream_id.to_string());
    headers.insert(VERSION, event.version.to_string());
    headers.insert(HASH, hash_text(&event.hash));
    headers.insert(CONTENT_TYPE, CLOUD_EVENT_TYPE);
    headers
}
