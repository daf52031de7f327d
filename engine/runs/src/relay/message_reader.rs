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
    trace,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{follow, relay::reconcile::HASH};

/// Events read at once.
const READ_SIZE: usize = 512;
/// Messages that share one acknowledgement, at most.
pub(super) const BATCH_SIZE: usize = 64;

/// Most bytes of a message's headers: the broker counts them too.
const HEADER_BYTES: usize = 1_024;

const EXPECTED: HeaderName = HeaderName::from_static("Nats-Expected-Last-Sequence");
const STREAM: HeaderName = HeaderName::from_static("Luci-Stream");
const VERSION: HeaderName = HeaderName::from_static("Luci-Version");
const POSITION: HeaderName = HeaderName::from_static("Luci-Position");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("Content-Type");

/// One encoded message of EVT.
pub(super) struct OutgoingMessage {
    pub event: Arc<Recorded>,
    pub subject: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl OutgoingMessage {
    /// `max_payload` is what the broker takes: an event beyond it, from before events were bounded, is published without its
    /// data, so that it stops nobody. Readers get the data from the log.
    fn of(event: Arc<Recorded>, max_payload: usize) -> Self {
        let (subject, headers) = (event.stream_subject(), headers(&event));
        let mut body = event.cloud_event();
        if body.len() + HEADER_BYTES > max_payload {
            let (position, bytes) = (event.position.0, body.len());
            tracing::warn!(position, event.id = %event.event_id, bytes, max_payload, "event too large for the broker, published without data");
            metrics::counter!("luci_relay_without_data_total").increment(1);
            body = event.cloud_event_reference();
        }
        Self { subject, headers, body: Bytes::from(body), event }
    }
}

/// The messages after a position, in order, in batches of 1 to `BATCH_SIZE`.
pub(super) struct MessageReader {
    batches: mpsc::Receiver<Result<Vec<OutgoingMessage>, LogError>>,
    _task: AbortOnDropHandle<()>,
}

impl MessageReader {
    /// Keeps up to `ahead` batches ready.
    pub(super) fn after(log: Log, from: Position, ahead: usize, max_payload: usize) -> Self {
        let (sender, batches) = mpsc::channel(ahead);
        let task = tokio::spawn(async move {
            let sender = &sender;
            let message = |event| OutgoingMessage::of(event, max_payload);
            let reading = follow::batches(log, from, READ_SIZE).try_for_each(|events| async move {
                for batch in events.chunks(BATCH_SIZE) {
                    // Fails only when the session has ended, which aborts this task too.
                    let _ = sender.send(Ok(batch.iter().cloned().map(message).collect())).await;
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
    let mut headers = facts(event);
    headers.insert(EXPECTED, (event.position.0 - 1).to_string());
    headers
}

/// Headers of a watcher's message: a client finds holes and sorts by them without reading the body.
pub(super) fn watch_headers(event: &Recorded) -> HeaderMap {
    let mut headers = facts(event);
    headers.insert(POSITION, event.position.to_string());
    if let Some(trace) = event.trace() {
        headers.insert(trace::TRACEPARENT, trace.to_string());
    }
    headers
}

fn facts(event: &Recorded) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(STREAM, event.stream_id.to_string());
    headers.insert(VERSION, event.version.to_string());
    headers.insert(HASH, hash_text(&event.hash));
    headers.insert(CONTENT_TYPE, CLOUD_EVENT_TYPE);
    headers
}

#[cfg(test)]
mod tests {
    use luci_schema::{RunId, TenantId, event::RunDeleted, sample};

    use super::*;

    #[test]
    fn a_watcher_gets_what_a_hole_is_found_by_and_the_trace() {
        let event =
            sample::recorded(TenantId::generate(), RunId::generate(), luci_schema::RunEvent::Deleted(RunDeleted {}));
        const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let metadata = format!(r#"{{"receipt":"5a","traceparent":"{TRACE}"}}"#);
        let event = Recorded { position: Position(7), metadata, ..event };
        let headers = watch_headers(&event);
        let value = |name: &str| headers.get(name).map(ToString::to_string).unwrap_or_default();
        assert_eq!((value("Luci-Position"), value("Luci-Version")), ("7".into(), event.version.to_string()));
        assert_eq!((value("Luci-Hash"), value("Luci-Stream")), (hash_text(&event.hash), event.stream_id.to_string()));
        assert_eq!((value("Content-Type"), value("traceparent")), (CLOUD_EVENT_TYPE.into(), TRACE.into()));
        let body: serde_json::Value = serde_json::from_str(&event.cloud_event()).expect("JSON");
        assert_eq!(body["traceparent"], TRACE);
        for without in ["{}", r#"{"traceparent":"a\r\nb: c"}"#, r#"{"traceparent":1}"#] {
            let event = Recorded { metadata: without.into(), ..event.clone() };
            assert!(watch_headers(&event).get("traceparent").is_none(), "{without}");
            assert!(!event.cloud_event().contains(r#""traceparent":"#), "{without}");
        }
    }

    #[test]
    fn an_event_that_the_broker_does_not_take_is_published_without_its_data() {
        let event =
            sample::recorded(TenantId::generate(), RunId::generate(), luci_schema::RunEvent::Deleted(RunDeleted {}));
        let event = Arc::new(Recorded {
            data: format!("{{\"text\":\"{}\"}}", "x".repeat(4_000)),
            position: Position(7),
            ..event
        });
        let parse =
            |message: &OutgoingMessage| serde_json::from_slice::<serde_json::Value>(&message.body).expect("JSON");
        let whole = OutgoingMessage::of(event.clone(), 8_192);
        assert_eq!(parse(&whole)["data"]["text"].as_str().map(str::len), Some(4_000));
        let reference = OutgoingMessage::of(event, 4_096);
        assert!(reference.body.len() + HEADER_BYTES < 4_096);
        let (body, whole) = (parse(&reference), parse(&whole));
        assert_eq!((&body["data"], &body["dataref"]), (&serde_json::Value::Null, &"urn:luci:position:7".into()));
        assert_eq!((&body["hash"], &body["id"]), (&whole["hash"], &whole["id"]));
    }
}
