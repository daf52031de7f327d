//! Feeds the hub: from core NATS while the broker is connected, else from the log, which also fills every gap.
//!
//! NATS saves the database one read per gateway and batch. It guarantees nothing, so positions decide: a message that is not
//! the next one is ignored, and an event that does not arrive in time after its commit is read from the log.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, Message, connection::State};
use futures::{StreamExt, stream::SelectAll};
use luci_schema::{Event, Micros, Position, RunId, StreamId, TenantId, Version, log::Log};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Hub,
    frame::{Bundle, WatchedEvent},
};

/// How long a committed event may take through the broker before it is read from the log.
const BROKER_TIMEOUT: Duration = Duration::from_millis(150);
/// How often the log is polled without a notification.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Events read from the log at once.
const PAGE: usize = 512;

type Messages = SelectAll<async_nats::Subscriber>;

/// Runs until `stop`.
pub async fn run(hub: Arc<Hub>, log: Log, nats: Option<Client>, stop: CancellationToken) {
    let mut messages = Messages::new();
    if let Some(client) = &nats {
        messages = subscribe(client).await;
    }
    // When the log is to be read, and its head at the time at which the hub was first behind it.
    let mut due: Option<(Instant, Position)> = None;
    loop {
        let connected = nats.as_ref().is_some_and(|client| client.connection_state() == State::Connected);
        let timeout = if connected && !messages.is_empty() { BROKER_TIMEOUT } else { Duration::ZERO };
        let last = hub.last();
        tokio::select! {
            () = stop.cancelled() => return,
            Some(message) = messages.next(), if !messages.is_empty() => publish(&hub, &message),
            head = log.wait_past(last, POLL_INTERVAL), if due.is_none() => {
                hub.record_head(head);
                due = (head > last).then(|| (Instant::now() + timeout, head));
            }
            () = until(due) => {
                due = None;
                catch_up(&hub, &log).await;
            }
        }
        due = due.filter(|(_, head)| hub.last() < *head);
    }
}

async fn until(due: Option<(Instant, Position)>) {
    match due {
        Some((at, _)) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn subscribe(client: &Client) -> Messages {
    let mut messages = Messages::new();
    for subject in ["luci.>", "tele.>"] {
        match client.subscribe(subject).await {
            Ok(subscriber) => messages.push(subscriber),
            Err(error) => tracing::warn!(%error, subject, "subscription failed, falling back to the log"),
        }
    }
    messages
}

/// Publishes the events that the hub lacks from the log.
async fn catch_up(hub: &Hub, log: &Log) {
    loop {
        let last = hub.last();
        match log.read(last, PAGE).await {
            Ok(events) => {
                for recorded in &events {
                    hub.publish(&WatchedEvent::from(recorded.as_ref()));
                }
                if events.len() < PAGE {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, position = last.0, "log read for watchers failed");
                tokio::time::sleep(POLL_INTERVAL).await;
                return;
            }
        }
    }
}

/// Publishes a message. An event that is not the next one is ignored; the gap is filled from the log after the timeout.
fn publish(hub: &Hub, message: &Message) {
    if message.subject.starts_with("luci.") {
        if let Some(event) = read_event(&message.subject, &message.payload) {
            hub.publish(&event);
        }
    } else if let Some((tenant, bundle)) = read_telemetry(&message.subject, &message.payload, hub.last()) {
        hub.publish_telemetry(tenant, bundle);
    }
}

/// The parts of a CloudEvents body that watchers need.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    sequence: &'a str,
    time: &'a str,
    version: serde_json::Value,
    #[serde(borrow)]
    data: &'a RawValue,
}

fn read_event(subject: &str, payload: &[u8]) -> Option<WatchedEvent> {
    let mut tokens = subject.split('.').skip(1);
    let tenant: TenantId = tokens.next()?.parse().ok()?;
    let stream: StreamId = tokens.next()?.parse().ok()?;
    let body: Body<'_> = serde_json::from_slice(payload).ok()?;
    // `luci.block.completed.v1` is `block:completed`, schema version 1.
    let mut kind = body.kind.strip_prefix("luci.")?.splitn(3, '.');
    let name = format!("{}:{}", kind.next()?, kind.next()?);
    let schema_version = kind.next()?.strip_prefix('v')?.parse().ok()?;
    let version = body.version.as_u64().or_else(|| body.version.as_str()?.parse().ok())?;
    Some(WatchedEvent {
        tenant,
        stream,
        position: Position(body.sequence.parse().ok()?),
        version: Version(version),
        at: Micros::from(OffsetDateTime::parse(body.time, &Rfc3339).ok()?),
        event: Event::decode(&name, schema_version, body.data.get()).ok()?,
    })
}

fn read_telemetry(subject: &str, payload: &[u8], position: Position) -> Option<(TenantId, Bundle)> {
    let mut tokens = subject.split('.').skip(1);
    let tenant: TenantId = tokens.next()?.parse().ok()?;
    let run: RunId = tokens.next()?.parse().ok()?;
    let Telemetry { kind, time, data } = serde_json::from_slice(payload).ok()?;
    // `luci.block.progress.v1` is `block:progress`.
    let mut kind = kind.strip_prefix("luci.")?.splitn(3, '.');
    let mut frame = data;
    frame.insert("type".into(), format!("{}:{}", kind.next()?, kind.next()?).into());
    frame.insert("runId".into(), run.to_string().into());
    frame.insert("at".into(), time.into());
    frame.insert("position".into(), position.0.into());
    let frame = serde_json::Value::Object(frame).to_string();
    Some((tenant, Bundle { run, position: None, frames: vec![frame.into()] }))
}

/// The parts of a CloudEvents body of telemetry that watchers need.
#[derive(Deserialize)]
struct Telemetry<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    data: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_from_its_cloud_event() {
        let (tenant, run) = (TenantId::generate(), RunId::generate());
        let body = r#"{"specversion":"1.0","id":"ev_x","source":"/x","type":"luci.run.paused.v1",
            "time":"2026-11-22T20:54:01.000123Z","sequence":"00000000000000000042","version":"5","data":{}}"#;
        let event = read_event(&format!("luci.{tenant}.{run}.run.paused"), body.as_bytes()).unwrap();
        assert_eq!((event.position, event.version), (Position(42), Version(5)));
        assert_eq!(event.event.type_name(), "run:paused");
        assert_eq!(event.at.rfc3339(), "2026-11-22T20:54:01.000123Z");
        assert!(read_event("luci.x.y.run.paused", body.as_bytes()).is_none());
    }

    #[test]
    fn telemetry_is_a_frame_without_the_tenant() {
        let (tenant, run) = (TenantId::generate(), RunId::generate());
        let body = format!(
            r#"{{"specversion":"1.0","id":"x","source":"/tenants/{tenant}/{run}","type":"luci.run.progress.v1",
            "time":"2026-11-22T20:54:01.000123Z","tenantid":"{tenant}","data":{{"progress":40,"stage":"score"}}}}"#
        );
        let (topic_tenant, bundle) =
            read_telemetry(&format!("tele.{tenant}.{run}.run.progress"), body.as_bytes(), Position(3)).unwrap();
        assert_eq!(topic_tenant, tenant);
        assert_eq!(bundle.position, None);
        let frame: serde_json::Value = serde_json::from_str(&bundle.frames[0]).unwrap();
        let expected = serde_json::json!({"type": "run:progress", "runId": run, "progress": 40, "stage": "score",
            "at": "2026-11-22T20:54:01.000123Z", "position": 3});
        assert_eq!(frame, expected);
    }
}
