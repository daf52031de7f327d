//! Events that stream EVT has and the log does not have, after Postgres was restored to the past.

use async_nats::{
    Client,
    jetstream::{
        message::StreamMessage,
        stream::{RawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use luci_schema::{Position, hash_text, log::Log, subject::EVENT_STREAM};
use serde::Deserialize;

use crate::{
    broker::{self, BrokerError},
    relay::reconcile::HASH,
};

/// A published event, as it was published.
#[derive(Debug, Clone)]
pub struct LostEvent {
    pub position: Position,
    pub event_type: String,
    /// The CloudEvent.
    pub body: Bytes,
}

/// From the first position on where the stream is not the log's. Messages that LUCI did not publish are left out.
///
/// # Errors
/// When the broker does not answer.
pub async fn lost_events(client: &Client, log: &Log) -> Result<Vec<LostEvent>, BrokerError> {
    let context = broker::jetstream(client);
    let Some(stream) = broker::find_stream(&context, EVENT_STREAM).await? else { return Ok(Vec::new()) };
    let state = &stream.cached_info().state;
    let head = log.newest().await.map_err(|e| unanswered(&e))?;
    let both = state.last_sequence.min(head.0);
    let mut lost = Vec::new();
    for at in first_difference(&stream, log, state.first_sequence.max(1), both).await?..=state.last_sequence {
        let Some(message) = message(&stream, at).await?.filter(|message| message.headers.get(HASH).is_some()) else {
            continue;
        };
        #[derive(Deserialize)]
        struct Body {
            #[serde(rename = "type")]
            event_type: String,
        }
        let event_type =
            serde_json::from_slice(&message.payload).map_or_else(|_| "-".to_owned(), |b: Body| b.event_type);
        lost.push(LostEvent { position: Position(at), event_type, body: message.payload });
    }
    Ok(lost)
}

/// The first position in `from..=to` with another event than the log's, else the one after `to`. Two histories that part do
/// not meet again, so halving finds it.
async fn first_difference(stream: &Stream, log: &Log, from: u64, to: u64) -> Result<u64, BrokerError> {
    let (mut equal, mut different) = (from.saturating_sub(1), to + 1);
    while different - equal > 1 {
        let middle = equal + (different - equal) / 2;
        let published = message(stream, middle).await?.and_then(|message| message.headers.get(HASH).cloned());
        let logged = log.read(Position(middle - 1), 1).await.map_err(|e| unanswered(&e))?.pop();
        let same = match (published, logged) {
            (Some(published), Some(event)) => published.as_str() == hash_text(&event.hash),
            // Expired, or not LUCI's: it says nothing.
            _ => true,
        };
        if same { equal = middle } else { different = middle }
    }
    Ok(different)
}

async fn message(stream: &Stream, at: u64) -> Result<Option<StreamMessage>, BrokerError> {
    match stream.get_raw_message(at).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unanswered(&error)),
    }
}

fn unanswered(error: &dyn std::fmt::Display) -> BrokerError {
    BrokerError::Stream(error.to_string())
}
