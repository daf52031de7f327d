//! Compares every message of EVT with the log, after the relay has begun to publish, in the background.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{DeliverPolicy, pull},
    stream::Stream,
};
use futures::TryStreamExt as _;
use luci_schema::{Position, hash_text, log::Log};

use crate::{
    broker,
    relay::{
        Damage, SessionEnd,
        reconcile::{HASH, same_hash},
    },
};

/// Events read at once.
const READ_SIZE: usize = 512;
/// Pause after each: the check takes at most some 50,000 messages a second from the work of the others.
const PAUSE: Duration = Duration::from_millis(10);

/// Reads the headers of all messages up to `last` and compares positions and hashes.
///
/// # Errors
/// The first difference.
pub(super) async fn check_range(stream: &Stream, log: &Log, last: Position) -> Result<(), SessionEnd> {
    let info = stream.get_info().await.map_err(|e| SessionEnd::Retry(format!("stream EVT info: {e}")))?;
    let mut at = Position(info.state.first_sequence.saturating_sub(1));
    // Messages of a limited stream may go meanwhile; `reconcile` has compared some.
    if at >= last || !broker::keeps_all(&info.config) {
        return Ok(());
    }
    let config = pull::OrderedConfig {
        description: Some("comparison with the log".into()),
        headers_only: true,
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: at.0 + 1 },
        ..pull::OrderedConfig::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|e| not_read(&e))?;
    let mut messages = consumer.messages().await.map_err(|e| not_read(&e))?;
    while at < last {
        let size = usize::try_from(last.0 - at.0).unwrap_or(READ_SIZE).min(READ_SIZE);
        let events = log.read(at, size).await?;
        if events.is_empty() {
            break;
        }
        for event in events {
            let Some(message) = messages.try_next().await.map_err(|e| not_read(&e))? else {
                return Err(SessionEnd::Retry("comparison with the log: the messages ended".into()));
            };
            let sequence = message.info().map_err(|e| SessionEnd::Retry(e.to_string()))?.stream_sequence;
            if sequence != event.position.0 {
                return Err(SessionEnd::Damaged(Damage::Holes { missing: sequence.saturating_sub(event.position.0) }));
            }
            let hash = message.headers.as_ref().and_then(|headers| headers.get(HASH)).map(ToString::to_string);
            same_hash(event.position, &hash.unwrap_or_default(), &hash_text(&event.hash))?;
            at = event.position;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::info!(position = at.0, "stream EVT equals the log");
    Ok(())
}

fn not_read(error: &dyn std::fmt::Display) -> SessionEnd {
    SessionEnd::Retry(format!("comparison with the log: {error}"))
}
