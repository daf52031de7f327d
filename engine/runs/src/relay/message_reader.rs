//! Reads events and encodes them as messages in a task of its own, ahead of the publisher.

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

use crate::{follow, relay::reconcile::HASH};

/// Events read at once.
const READ_SIZE: usize = 512;
/// Messages that share one acknowledgement, at most.
pub(super) const BATCH_SIZE: usize = 64;

const EXPECTED: HeaderName = HeaderName::from_static("Nats-Expected-Last-Sequence");
const STREAM: HeaderName = HeaderName::from_static("Luci-Stream");
const VERSION: HeaderName = HeaderName::from_static("Luci-Version");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("Content-Type");

/// One encoded message of EVT.
pub(super) struct OutgoingMessage {
    pub event: Arc<Recorded>,
    pub subject: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl OutgoingMessage {
    fn of(event: Arc<Recorded>) -> Self {
        let (subject, headers) = (event.stream_subject(), headers(&event));
        Self { subject, headers, body: Bytes::from(event.cloud_event()), event }
    }
}

/// The messages after a position, in order, in batches of 1 to `BATCH_SIZE`.
pub(super) struct MessageReader {
    batches: mpsc::Receiver<Result<Vec<OutgoingMessage>, LogError>>,
    _task: AbortOnDropHandle<()>,
}

impl MessageReader {
    /// Keeps up to `ahead` batches ready.
    pub(super) fn after(log: Log, from: Position, ahead: usize) -> Self {
        let (sender, batches) = mpsc::channel(ahead);
        let task = tokio::spawn(async move {
            let sender = &sender;
            let reading = follow::batches(log, from, READ_SIZE).try_for_each(|events| async move {
                for batch in events.chunks(BATCH_SIZE) {
                    // Fails only when the session has ended, which aborts this task too.
                    let _ = sender.send(Ok(batch.iter().cloned().map(OutgoingMessage::of).collect())).await;
                }
                Ok(())
            });
            if let Err(error) = reading.await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Self { batches, _task: AbortOnDropHandle::new(task) }
    }

    /// `None` when the reading task has ended: after an error, or because it panicked.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<OutgoingMessage>, LogError>> {
        self.batches.recv().await
    }
}

/// No `Nats-Msg-Id`: the expected sequence alone prevents duplicates, and the server would keep every id for its
/// deduplication window.
fn headers(event: &Recorded) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(EXPECTED, (event.position.0 - 1).to_string());
    headers.insert(STREAM, event.stream_id.to_string());
    headers.insert(VERSION, event.version.to_string());
    headers.insert(HASH, hash_text(&event.hash));
    headers.insert(CONTENT_TYPE, CLOUD_EVENT_TYPE);
    headers
}
